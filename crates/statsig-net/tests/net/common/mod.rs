//! What the tests share.
#![allow(unreachable_pub, reason = "modules of a test binary export nothing")]

mod counting;
mod scripted;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use statsig_core::Clock;
use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};
use statsig_testkit::server::FakeStatsig;

pub use counting::Counting;
pub use scripted::{Scripted, Stream, settle, until};
pub use watched::{once, single, watched_network, watched_network_by};

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
