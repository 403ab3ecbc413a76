//! The store against real servers, which each test starts for itself.

#![allow(clippy::unwrap_used, clippy::panic, clippy::use_debug, reason = "helpers of tests may fail like tests")]

mod access;
mod contract;
mod failover;
mod id_lists;
mod judged;
mod layouts;
mod lies;
mod metrics;
mod ordering;
mod outages;
mod propagation;
mod relay;
mod rights;
mod slow;
#[cfg(feature = "streams")]
mod streams;

use std::time::Duration;

use statsig_core::{KeySchema, SpecVersion, StoreEntry, StoreFormat, StoreKey, StoreKeys, StorePath};
use statsig_store_redis::{RedisDataStore, RedisOptions};
use statsig_testkit::redis_server::RedisServer;

/// Where a test says what it measured: nothing depends on it.
#[allow(clippy::print_stderr, reason = "shown with `--nocapture`")]
pub(crate) fn report(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn options(server: &RedisServer) -> RedisOptions {
    RedisOptions::single(&server.url()).unwrap().read_only(false)
}

pub(crate) fn open(server: &RedisServer) -> RedisDataStore {
    RedisDataStore::open(options(server)).unwrap()
}

pub(crate) fn key(sdk_key: &str) -> StoreKey {
    StoreKeys::new(sdk_key).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed)
}

pub(crate) fn payload(lcut: u64) -> StoreEntry {
    payload_with(lcut, &format!("c{lcut}"), 0)
}

pub(crate) fn payload_with(lcut: u64, checksum: &str, filler: usize) -> StoreEntry {
    let filler = "f".repeat(filler);
    let text = format!(
        r#"{{"has_updates":true,"time":{lcut},"checksum":"{checksum}","feature_gates":{{}},"dynamic_configs":{{}},"layer_configs":{{}},"condition_map":{{}},"filler":"{filler}"}}"#
    );
    let entry = StoreEntry::json(text.into_bytes());
    assert_eq!(entry.version, Some(SpecVersion::new(lcut, Some(checksum))));
    entry
}

/// Fails a test that waits in vain.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
