//! What the tests share.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test uses a part")]

mod scripted;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use statsig_core::Clock;
use statsig_net::transport::{
    HttpClient, HttpRequest, HttpResponse, HttpTransport, ReqwestTransport, TransportOptions,
};
use statsig_net::{ClientIdentity, Error, Network, NetworkOptions, SdkKey};
use statsig_testkit::server::{FakeStatsig, FrozenTime};
use tokio::sync::watch;

pub use scripted::{Scripted, Stream, settle};

pub const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWx";

/// Specs with one gate, `beta`, open for everyone or for nobody.
pub fn specs(time: u64, open: bool) -> String {
    let percentage = if open { 100 } else { 0 };
    format!(
        r#"{{"has_updates":true,"time":{time},"dynamic_configs":{{}},"layer_configs":{{}},
        "condition_map":{{"1":{{"type":"public","idType":"userID"}}}},
        "feature_gates":{{"beta":{{"type":"feature_gate","entity":"feature_gate","salt":"s","enabled":true,
        "defaultValue":false,"idType":"userID","rules":[{{"name":"all","id":"all","passPercentage":{percentage},
        "conditions":["1"],"returnValue":true,"idType":"userID"}}]}}}}}}"#
    )
}

/// The same with a checksum.
pub fn specs_with_checksum(time: u64, open: bool, checksum: &str) -> String {
    specs(time, open).replacen('{', &format!(r#"{{"checksum":"{checksum}","#), 1)
}

/// A clock that the test sets.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn at(now_ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now_ms)))
    }
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub const NOW: i64 = 1_790_000_000_000;

pub fn clock() -> Arc<HandClock> {
    HandClock::at(NOW)
}

pub fn key() -> SdkKey {
    SdkKey::new(KEY)
}

pub fn identity() -> ClientIdentity {
    ClientIdentity::new(key()).unwrap().with_service_name("tests").unwrap()
}

pub fn network_with(server: &FakeStatsig, change: impl FnOnce(&mut NetworkOptions)) -> Network {
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    change(&mut options);
    Network::new(options, identity(), clock()).unwrap()
}

pub fn network(server: &FakeStatsig) -> Network {
    network_with(server, |_| {})
}

/// The real transport, which also tells how many exchanges have ended: with a clock that stands
/// still, the test moves it when an answer has arrived, not while it is on its way.
pub struct Watched {
    transport: ReqwestTransport,
    begun: watch::Sender<usize>,
    ended: watch::Sender<usize>,
}

#[async_trait::async_trait]
impl HttpTransport for Watched {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        self.begun.send_modify(|begun| *begun += 1);
        let _ended = Ended(&self.ended);
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
        let begun_at = tokio::time::Instant::now();
        while *self.begun.borrow() == before {
            assert!(begun_at.elapsed() < Duration::from_secs(3_600), "no exchange within an hour");
            time.advance(Duration::from_millis(100)).await;
        }
        let moved = begun_at.elapsed();
        self.ended(before + 1).await;
        moved
    }

    pub fn count(&self) -> usize {
        *self.ended.borrow()
    }
}

pub fn watched_network(server: &FakeStatsig, change: impl FnOnce(&mut NetworkOptions)) -> (Network, Exchanges) {
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    change(&mut options);
    let (begun, ended) = (watch::Sender::new(0), watch::Sender::new(0));
    let exchanges = Exchanges { begun: begun.subscribe(), ended: ended.subscribe() };
    let transport = ReqwestTransport::new(&TransportOptions::default()).unwrap();
    let client = HttpClient::new(Arc::new(Watched { transport, begun, ended }));
    (Network::with_client(options, identity(), clock(), client).unwrap(), exchanges)
}
