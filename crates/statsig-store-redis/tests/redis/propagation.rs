//! How fast a fleet hears of a change, and that nobody misses one.

use std::time::{Duration, Instant};

use statsig_core::{ChangeFeed, ChangeHint, DataStore, EntryRequest, PutMode, SpecVersion, StoreKey};
use statsig_store_redis::RedisDataStore;
use statsig_testkit::redis_server::RedisServer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{key, open, payload_with, report, soon};

const INSTANCES: usize = 50;
const WRITES: u64 = 10;
const BYTES: usize = 256 << 10;

/// A client instance: reads when told that there is something to read, and says what it has.
async fn instance(store: RedisDataStore, key: StoreKey, applied: mpsc::UnboundedSender<(u64, Instant)>) {
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    let mut known: Option<SpecVersion> = None;
    while let Some(hint) = feed.next().await {
        let is_news = match hint {
            ChangeHint::Changed { lcut, .. } => known.as_ref().is_none_or(|known| lcut > Some(known.time_ms)),
            ChangeHint::Subscribed => true,
            _ => false,
        };
        if is_news {
            let request = EntryRequest::new([key.clone()]).unless_known(known.clone());
            if let Some(entry) = store.get_entry(&request).await.unwrap() {
                known = entry.version;
            }
            let lcut = known.as_ref().map_or(0, |known| known.time_ms);
            if applied.send((lcut, Instant::now())).is_err() {
                return;
            }
        }
    }
}

/// Waits until all have it, and returns when each got there.
async fn all_have(lcut: u64, applied: &mut mpsc::UnboundedReceiver<(u64, Instant)>) -> Vec<Instant> {
    let mut times = Vec::with_capacity(INSTANCES);
    while times.len() < INSTANCES {
        let (has, at) = soon("all instances to converge", applied.recv()).await.unwrap();
        if has == lcut {
            times.push(at);
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_instances_converge() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let (sender, mut applied) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for _ in 0..INSTANCES {
        tasks.spawn(instance(open(&server), key.clone(), sender.clone()));
    }
    all_have(0, &mut applied).await;
    let writer = open(&server);
    let mut delays: Vec<Duration> = Vec::new();
    for lcut in 1..=WRITES {
        let entry = payload_with(lcut, &format!("c{lcut}"), BYTES);
        let begun = Instant::now();
        writer.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap();
        delays.extend(all_have(lcut, &mut applied).await.into_iter().map(|at| at.duration_since(begun)));
    }
    delays.sort_unstable();
    assert_eq!(delays.len(), INSTANCES * WRITES as usize);
    report(&format!(
        "{INSTANCES} instances, {} KiB: from the call to write until read, p50 {:?}, p99 {:?}",
        BYTES >> 10,
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100]
    ));
}

#[tokio::test]
async fn what_happens_while_a_subscription_is_broken_is_not_missed() {
    let server = RedisServer::start().unwrap();
    let (key, store) = (key("secret-1"), open(&server));
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    let mut known: Option<SpecVersion> = None;
    for lcut in 1..=20 {
        // Before, between and after: the notice may or may not have got through.
        let cut = || server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        if lcut % 3 == 0 {
            cut().unwrap();
        }
        let entry = payload_with(lcut, "c", 0);
        store.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap();
        if lcut % 3 == 1 {
            cut().unwrap();
        }
        while known.as_ref().is_none_or(|known| known.time_ms < lcut) {
            known = catch_up(&store, &key, feed.as_mut(), known).await;
        }
    }
    assert!(store.stats().interruptions > 0);
}

async fn catch_up(
    store: &RedisDataStore,
    key: &StoreKey,
    feed: &mut dyn ChangeFeed,
    known: Option<SpecVersion>,
) -> Option<SpecVersion> {
    match soon("a hint", feed.next()).await {
        Some(ChangeHint::Interrupted) => known,
        Some(_) => {
            let request = EntryRequest::new([key.clone()]).unless_known(known.clone());
            store.get_entry(&request).await.unwrap().map_or(known, |entry| entry.version)
        }
        None => panic!("the feed ends"),
    }
}

#[tokio::test]
async fn only_what_is_watched_is_heard_of() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let keys = ["secret-1", "secret-2"].map(key);
    let mut feed = store.watch(&keys).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    for (at, name) in ["secret-3", "secret-2", "secret-1"].iter().enumerate() {
        store.put_entry(&key(name).name, &payload_with(at as u64 + 1, "c", 0), PutMode::IfNewer).await.unwrap();
    }
    for (at, lcut) in [(1, 2), (0, 3)] {
        let hint = ChangeHint::Changed { key: keys[at].name.clone(), lcut: Some(lcut) };
        assert_eq!(soon("a notice", feed.next()).await, Some(hint));
    }
    assert_eq!(server.command(&["PUBSUB", "NUMPAT"]).unwrap().text(), "0");
    drop(feed);
    soon("the subscription to end", async {
        while store.stats().subscriptions > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
