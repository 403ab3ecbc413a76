//! A fake of Statsig's endpoints on loopback, with faults to order.
//!
//! [`FakeStatsig`] listens on a port of its own, on a thread of its own with a clock of its own: a
//! test may stop tokio's clock and still talk to it. It serves config specs (v2 and v1), the
//! manifest and the files of ID lists, and takes events; it keeps every request. A [`Fault`] takes
//! the place of an answer, once or for as long as the test likes.
//!
//! | file | what |
//! | --- | --- |
//! | `http` | HTTP/1.1 by hand, since a library would not let us misbehave |
//! | `fault` | the ways to misbehave |
//! | `state` | what is published, what was asked |
//! | `frozen` | a clock that stands still while sockets work |
//! | `certificates` | an authority, a server and a client, made up for each test |

mod certificates;
mod fault;
mod frozen;
mod http;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

pub use self::certificates::{CertificateFlaw, Certificates};
pub use self::fault::{Coding, Fault};
pub use self::frozen::FrozenTime;
use self::state::State;
pub use self::state::{Endpoint, Recorded};

/// A fake of Statsig's endpoints. Ends with its last connection when dropped.
///
/// ```
/// use statsig_testkit::server::FakeStatsig;
///
/// # fn main() -> std::io::Result<()> {
/// let statsig = FakeStatsig::start()?;
/// statsig.publish_specs(br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#);
/// assert!(statsig.url().starts_with("http://127.0.0.1:"));
/// assert_eq!(statsig.requests(), []);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FakeStatsig {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Number of requests so far.
    seen: watch::Sender<usize>,
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeStatsig {
    /// Starts a server that speaks plain HTTP.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn start() -> io::Result<Self> {
        Self::start_with(None, "127.0.0.1:0")
    }

    /// Starts a server on an address, for instance that of one that was stopped.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub fn start_on(address: SocketAddr) -> io::Result<Self> {
        Self::start_with(None, &address.to_string())
    }

    /// Starts a server that speaks TLS; with client certificates if `mutual`.
    ///
    /// # Errors
    /// If no port can be had, or the certificates cannot be used.
    pub fn start_tls(certificates: &Certificates, mutual: bool) -> io::Result<Self> {
        let config = certificates.server_config(mutual).map_err(io::Error::other)?;
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config))), "127.0.0.1:0")
    }

    fn start_with(tls: Option<TlsAcceptor>, address: &str) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared { state: Mutex::new(State::new()), seen: watch::channel(0).0 });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("fake-statsig".into()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(&listener, tls, served) => {}
                    _ = stopped => {}
                }
            });
            // Connections and those that hang end with the runtime.
            runtime.shutdown_background();
        })?;
        Ok(Self { address, scheme, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        match self.scheme {
            // The certificate names the host, not its number.
            "https" => format!("https://localhost:{}", self.address.port()),
            scheme => format!("{scheme}://{}", self.address),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts specs at both specs endpoints. One who has specs of their `time` gets "no update".
    pub fn publish_specs(&self, document: impl Into<Vec<u8>>) {
        self.shared.state().publish(document.into(), None);
    }

    /// Puts specs in the vendor's binary form at the specs endpoints, as of `time`.
    pub fn publish_binary_specs(&self, body: impl Into<Vec<u8>>, time: u64) {
        self.shared.state().publish(body.into(), Some(time));
    }

    /// Puts beside the specs in binary form the difference that leads to them from those as of `from_time`,
    /// for those who hold these and accept differences. The next specs that are put there take it away.
    pub fn publish_specs_delta(&self, body: impl Into<Vec<u8>>, from_time: u64) {
        self.shared.state().publish_delta(body.into(), from_time);
    }

    /// Puts an ID list into the manifest, with its file.
    pub fn publish_id_list(&self, name: &str, file_id: &str, creation_time: i64, file: impl Into<Vec<u8>>) {
        self.shared.state().publish_id_list(name, file_id, creation_time, file.into());
    }

    /// Takes an ID list out of the manifest.
    pub fn remove_id_list(&self, name: &str) {
        self.shared.state().id_lists.remove(name);
    }

    /// Answers the next request to an endpoint with a fault; several queue up.
    pub fn fail_once(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.state().once.push_back((endpoint, fault));
    }

    /// Answers all requests to an endpoint with a fault, or no more.
    pub fn fail_always(&self, endpoint: Endpoint, fault: Option<Fault>) {
        let mut state = self.shared.state();
        state.always.retain(|(at, _)| *at != endpoint);
        state.always.extend(fault.map(|fault| (endpoint, fault)));
    }

    /// Compresses the answers of the specs endpoints from now on, whatever the client accepts.
    pub fn compress(&self, coding: Option<Coding>) {
        self.shared.state().coding = coding;
    }

    /// Whether ID-list files are served from where the client asks (default), or always whole.
    pub fn serve_ranges(&self, ranges: bool) {
        self.shared.state().ranges = ranges;
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.clone()
    }

    /// The requests to an endpoint so far.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<Recorded> {
        self.shared.state().requests.iter().filter(|request| request.endpoint == endpoint).cloned().collect()
    }

    /// The events of all requests that were answered with success, in order.
    #[must_use]
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.shared.state().events.clone()
    }

    /// Number of connections that were opened so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits until so many requests came to an endpoint since the start. Uses no timer.
    pub async fn wait_for_requests(&self, endpoint: Endpoint, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        while self.requests_to(endpoint).len() < count {
            if seen.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stops listening and cuts all connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for FakeStatsig {
    fn drop(&mut self) {
        self.end();
    }
}

async fn accept(listener: &TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        shared.state().connections += 1;
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            // A client that goes away in the middle is its own business.
            let _ = match tls {
                None => http::serve(socket, &shared).await,
                Some(tls) => match tls.accept(socket).await {
                    Ok(stream) => http::serve(stream, &shared).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}
