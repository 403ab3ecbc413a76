//! The network with every exchange counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use statsig_core::{Reach, SourceError, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecTrigger};
use statsig_net::sources::HttpSpecSource;
use statsig_net::transport::{
    HttpClient, HttpRequest, HttpResponse, HttpTransport, ReqwestTransport, TransportOptions,
};
use statsig_net::{Error, Network, NetworkOptions};
use statsig_testkit::server::{FakeStatsig, FrozenTime};
use tokio::sync::watch;

use super::{HandClock, clock, identity};

/// The real transport, which also tells how many exchanges have ended: with a clock that stands
/// still, the test moves it when an answer has arrived, not while it is on its way.
pub struct Watched {
    transport: ReqwestTransport,
    /// While this is set, no name of a host is known.
    nameless: Arc<AtomicBool>,
    begun: watch::Sender<usize>,
    ended: watch::Sender<usize>,
}

#[async_trait::async_trait]
impl HttpTransport for Watched {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        self.begun.send_modify(|begun| *begun += 1);
        let _ended = Ended(&self.ended);
        if self.nameless.load(Ordering::Relaxed) {
            let mut elsewhere = request.clone();
            elsewhere.url.set_host(Some("no-such-host.invalid")).unwrap();
            return self.transport.exchange(&elsewhere).await;
        }
        self.transport.exchange(request).await
    }
}

/// Counts an exchange, also one that is cut short.
struct Ended<'a>(&'a watch::Sender<usize>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|ended| *ended += 1);
    }
}

/// Tells how many exchanges have begun and ended.
pub struct Exchanges {
    pub nameless: Arc<AtomicBool>,
    begun: watch::Receiver<usize>,
    ended: watch::Receiver<usize>,
}

impl Exchanges {
    /// Waits until so many exchanges have ended since the start, and who waits for them has gone on.
    pub async fn ended(&mut self, count: usize) {
        self.ended.wait_for(|ended| *ended >= count).await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Moves the clock until the next exchange begins, at most an hour; waits for its end with the
    /// clock standing still. Returns how far the clock was moved.
    pub async fn next(&mut self, time: &FrozenTime) -> Duration {
        let before = *self.ended.borrow();
        let moved = self.begins(time).await;
        self.ended(before + 1).await;
        moved
    }

    /// Moves the clock until the next exchange begins, at most an hour. Returns how far.
    pub async fn begins(&mut self, time: &FrozenTime) -> Duration {
        let before = *self.ended.borrow();
        let begun_at = tokio::time::Instant::now();
        while *self.begun.borrow() == before {
            assert!(begun_at.elapsed() < Duration::from_secs(3_600), "no exchange within an hour");
            time.advance(Duration::from_millis(100)).await;
        }
        begun_at.elapsed()
    }

    pub fn count(&self) -> usize {
        *self.ended.borrow()
    }
}

pub fn watched_network(server: &FakeStatsig, change: impl FnOnce(&mut NetworkOptions)) -> (Network, Exchanges) {
    watched_network_by(server, clock(), change)
}

/// The same with a clock of the test's own.
pub fn watched_network_by(
    server: &FakeStatsig,
    clock: Arc<HandClock>,
    change: impl FnOnce(&mut NetworkOptions),
) -> (Network, Exchanges) {
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    change(&mut options);
    let nameless = Arc::new(AtomicBool::new(false));
    let (begun, ended) = (watch::Sender::new(0), watch::Sender::new(0));
    let exchanges = Exchanges { nameless: Arc::clone(&nameless), begun: begun.subscribe(), ended: ended.subscribe() };
    let transport = ReqwestTransport::new(&TransportOptions::default()).unwrap();
    let client = HttpClient::new(Arc::new(Watched { transport, nameless, begun, ended }));
    (Network::with_client(options, identity(), clock, client).unwrap(), exchanges)
}

/// A network source whose every exchange is one question: no attempts in quick succession.
pub fn single(server: &FakeStatsig) -> (Arc<dyn SpecSource>, Exchanges) {
    let (network, exchanges) = watched_network(server, |_| {});
    (once(network.spec_source()), exchanges)
}

/// The source with one attempt at a time.
pub fn once(source: HttpSpecSource) -> Arc<dyn SpecSource> {
    Arc::new(Single(source))
}

struct Single(HttpSpecSource);

#[async_trait::async_trait]
impl SpecSource for Single {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn origin(&self) -> SpecOrigin {
        self.0.origin()
    }
    fn reach(&self) -> Reach {
        self.0.reach()
    }
    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let mut once = request.clone();
        once.trigger = SpecTrigger::Manual;
        self.0.fetch(&once).await
    }
}
