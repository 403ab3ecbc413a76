//! Published specs, requests and open streams.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};
use tokio_rustls::TlsAcceptor;

use super::fault::StreamFault;

/// Request for a stream, or a single fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamRequest {
    /// Path, with the query if there is one.
    pub target: String,
    /// SDK key.
    pub key: String,
    /// Time of the specs that the client holds.
    pub since_time: u64,
    /// Checksum of the specs that the client holds.
    pub checksum: Option<String>,
    /// Form of specs: 1 or 2; 0 if not given.
    pub version: i32,
    /// Formats that the client accepts. gRPC only.
    pub formats: Vec<String>,
    /// Headers with lower-case names. Not for gRPC.
    pub headers: Vec<(String, String)>,
}

impl StreamRequest {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Reads a request for a target from its query and headers.
    pub(super) fn from_http(target: &str, headers: Vec<(String, String)>) -> Self {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let value = |name: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name).map(|(_, v)| v)
        };
        let mut request = Self {
            target: target.to_owned(),
            key: String::new(),
            since_time: value("sinceTime").and_then(|time| time.parse().ok()).unwrap_or(0),
            checksum: value("checksum").map(str::to_owned),
            version: value("version").and_then(|version| version.parse().ok()).unwrap_or(0),
            formats: Vec::new(),
            headers,
        };
        request.key = request.header("statsig-api-key").unwrap_or_default().to_owned();
        request
    }
}

/// Published specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) time: u64,
    pub(super) payload: Vec<u8>,
    pub(super) is_binary: bool,
}

impl Published {
    pub(super) fn json(payload: &[u8]) -> Self {
        let value: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let time = value.get("time").and_then(serde_json::Value::as_u64).unwrap_or(0);
        Self { time, payload: payload.to_vec(), is_binary: false }
    }
}

/// Order to every open stream.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Heartbeat,
    Burst(Arc<Vec<Published>>),
    Fault(StreamFault),
}

pub(super) struct State {
    pub(super) specs: Option<Published>,
    pub(super) faults: VecDeque<StreamFault>,
    pub(super) key: Option<String>,
    pub(super) gzip: bool,
    pub(super) additions: bool,
    pub(super) requests: Vec<StreamRequest>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) open: usize,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// Counts publications.
    pub(super) published: watch::Sender<u64>,
    /// Counts changes of requests and open streams.
    pub(super) seen: watch::Sender<u64>,
    pub(super) orders: broadcast::Sender<Order>,
}

impl Shared {
    pub(super) fn new(tls: Option<TlsAcceptor>) -> Self {
        let state = State {
            specs: None,
            faults: VecDeque::new(),
            key: None,
            gzip: false,
            additions: true,
            requests: Vec::new(),
            tls,
            open: 0,
        };
        Self {
            state: Mutex::new(state),
            published: watch::channel(0).0,
            seen: watch::channel(0).0,
            orders: broadcast::channel(64).0,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, specs: Published) {
        self.state().specs = Some(specs);
        self.published.send_modify(|count| *count += 1);
    }

    /// Takes the next fault if it concerns connections.
    pub(super) fn connection_fault(&self) -> Option<StreamFault> {
        let mut state = self.state();
        if state.faults.front().is_some_and(StreamFault::is_of_connection) { state.faults.pop_front() } else { None }
    }

    /// Records a request; returns the fault ordered for it, and whether its key is accepted.
    pub(super) fn request(&self, request: StreamRequest) -> (Option<StreamFault>, bool) {
        let mut state = self.state();
        let is_accepted = state.key.as_ref().is_none_or(|key| *key == request.key);
        state.requests.push(request);
        let fault = state.faults.pop_front();
        drop(state);
        self.seen.send_modify(|count| *count += 1);
        (fault, is_accepted)
    }

    fn open_changed(&self, by: isize) {
        let mut state = self.state();
        state.open = state.open.saturating_add_signed(by);
        drop(state);
        self.seen.send_modify(|count| *count += 1);
    }
}

/// Step of a stream.
#[derive(Debug)]
pub(super) enum Step {
    Specs(Published),
    NoUpdate(u64),
    Fault(StreamFault),
}

/// Steps of one stream, in order.
pub(super) struct Feed {
    shared: Arc<Shared>,
    published: watch::Receiver<u64>,
    orders: broadcast::Receiver<Order>,
    since: u64,
    queue: VecDeque<Step>,
    is_begun: bool,
}

impl Feed {
    /// Begins a stream that a request asked for.
    pub(super) fn open(shared: &Arc<Shared>, since: u64, fault: Option<StreamFault>) -> Self {
        let (published, orders) = (shared.published.subscribe(), shared.orders.subscribe());
        let mut queue = VecDeque::new();
        match fault {
            Some(StreamFault::PublishFirst(payload)) => shared.publish(Published::json(&payload)),
            Some(fault) => queue.push_back(Step::Fault(fault)),
            None => {}
        }
        shared.open_changed(1);
        Self { shared: Arc::clone(shared), published, orders, since, queue, is_begun: false }
    }

    pub(super) async fn next(&mut self) -> Step {
        loop {
            if !std::mem::replace(&mut self.is_begun, true) {
                if let Some(Step::Fault(StreamFault::Silence)) = self.queue.front() {
                    self.queue.clear();
                    continue;
                }
                self.published.mark_unchanged();
                return self.newer().unwrap_or_else(|| Step::NoUpdate(self.held()));
            }
            if let Some(step) = self.queue.pop_front() {
                return step;
            }
            tokio::select! {
                changed = self.published.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    if let Some(step) = self.newer() {
                        return step;
                    }
                }
                order = self.orders.recv() => match order {
                    Ok(Order::Heartbeat) => return Step::NoUpdate(self.held()),
                    Ok(Order::Fault(fault)) => return Step::Fault(fault),
                    Ok(Order::Burst(all)) => self.queue.extend(all.iter().cloned().map(Step::Specs)),
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }

    /// Returns the next step if it is certain already.
    pub(super) fn peek(&self) -> Option<&Step> {
        self.queue.front()
    }

    /// Returns the published specs if they are newer than what was sent.
    fn newer(&mut self) -> Option<Step> {
        let specs = self.shared.state().specs.clone().filter(|specs| specs.time > self.since)?;
        self.since = specs.time;
        Some(Step::Specs(specs))
    }

    fn held(&self) -> u64 {
        self.shared.state().specs.as_ref().map_or(0, |specs| specs.time)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.open_changed(-1);
    }
}
