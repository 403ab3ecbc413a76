//! Servers that change places while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use statsig_core::{ChangeHint, DataStore, EntryRequest, PutMode, PutOutcome, StoreKey};
use statsig_store_redis::{RedisDataStore, RedisOptions};
use statsig_testkit::redis_server::RedisSentinel;

use crate::{key, payload, report, soon};

/// Writes ever newer payloads until told to stop; notes the newest that was taken, and the longest
/// time without one.
async fn keep_writing(
    store: RedisDataStore,
    key: StoreKey,
    stop: Arc<AtomicBool>,
    newest: Arc<AtomicU64>,
) -> (Duration, u32) {
    let (mut outage, mut failures, mut last) = (Duration::ZERO, 0, Instant::now());
    for lcut in 1.. {
        match store.put_entry(&key.name, &payload(lcut), PutMode::IfNewer).await {
            Ok(outcome) => {
                // An attempt that seemed lost may have arrived.
                assert!(matches!(outcome, PutOutcome::Written | PutOutcome::Refreshed), "{outcome:?}");
                newest.store(lcut, Ordering::Relaxed);
                outage = outage.max(last.elapsed());
                last = Instant::now();
                // Not after a failure: that write may have arrived all the same.
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                failures += 1;
                // As a client would, so that the servers have room to recover.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
    (outage, failures)
}

async fn reach(newest: &AtomicU64, at_least: u64) {
    soon("writes to go on", async {
        while newest.load(Ordering::Relaxed) < at_least {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_fails_under_load() {
    let mut servers = RedisSentinel::start().unwrap();
    let urls = servers.urls();
    let options = RedisOptions::sentinel(urls.iter().map(String::as_str), RedisSentinel::MASTER).unwrap();
    let timeout = Duration::from_millis(500);
    let options = options.read_only(false).connect_timeout(timeout).read_timeout(timeout).write_timeout(timeout);
    let (key, reader) = (key("secret-1"), RedisDataStore::open(options.clone()).unwrap());
    let mut feed = reader.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = RedisDataStore::open(options).unwrap();
    let writing = tokio::spawn(keep_writing(writer, key.clone(), Arc::clone(&stop), Arc::clone(&newest)));
    reach(&newest, 20).await;
    let mut servers =
        tokio::task::spawn_blocking(move || servers.fail_over().map(|()| servers)).await.unwrap().unwrap();
    let at = newest.load(Ordering::Relaxed);
    reach(&newest, at + 20).await;
    stop.store(true, Ordering::Relaxed);
    let (outage, failures) = writing.await.unwrap();
    let newest = newest.load(Ordering::Relaxed);
    report(&format!("failover: {newest} writes, {failures} failed, {} ms without one", outage.as_millis()));
    // The feed follows to the new master, and its owner reads what it missed.
    while soon("the new subscription", feed.next()).await != Some(ChangeHint::Subscribed) {}
    let entry = soon("the reader to heal", async {
        loop {
            if let Ok(Some(entry)) = reader.get_entry(&EntryRequest::new([key.clone()])).await {
                return entry;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(entry.version.unwrap().time_ms, newest);
    assert!(servers.master().unwrap().command(&["PING"]).is_ok());
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_under_load() {
    let cluster = statsig_testkit::redis_server::RedisCluster::start(3).unwrap();
    let urls = cluster.urls();
    let options = RedisOptions::cluster(urls.iter().map(String::as_str)).unwrap().read_only(false);
    let key = key("secret-1");
    let reader = RedisDataStore::open(options.clone()).unwrap();
    let mut feed = reader.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = RedisDataStore::open(options).unwrap();
    let writing = tokio::spawn(keep_writing(writer, key.clone(), Arc::clone(&stop), Arc::clone(&newest)));
    reach(&newest, 20).await;
    let before = cluster.owner(&key.name).unwrap().port();
    cluster.move_key(&key.name).unwrap();
    assert_ne!(cluster.owner(&key.name).unwrap().port(), before);
    let at = newest.load(Ordering::Relaxed);
    reach(&newest, at + 20).await;
    stop.store(true, Ordering::Relaxed);
    let (outage, failures) = writing.await.unwrap();
    let newest = newest.load(Ordering::Relaxed);
    report(&format!("slot moved: {newest} writes, {failures} failed, {} ms without one", outage.as_millis()));
    let entry = reader.get_entry(&EntryRequest::new([key.clone()])).await.unwrap().unwrap();
    assert_eq!(entry.version.unwrap().time_ms, newest);
    // Notices pass through whatever node.
    soon("the last notice", async {
        loop {
            if let Some(ChangeHint::Changed { lcut: Some(lcut), .. }) = feed.next().await
                && lcut == newest
            {
                return;
            }
        }
    })
    .await;
}
