//! Whoever writes, and however their writes fall together: the newest payload survives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use proptest::prelude::*;
use statsig_core::{DataStore, EntryRequest, PutMode, PutOutcome};
use statsig_store_redis::{Layout, RedisDataStore};
use statsig_testkit::redis_server::RedisServer;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::{key, open, options, payload, payload_with};

/// What one writer does.
#[derive(Debug, Clone)]
enum Write {
    /// Through the store; a large payload is sent only after a look at what is there.
    Put { lcut: u64, large: bool },
    /// The same, given up after so many turns: it may have arrived or not.
    Abandon { lcut: u64, turns: u8 },
    /// Keeps what is there.
    Touch,
}

impl Write {
    fn lcut(&self) -> Option<u64> {
        match self {
            Self::Put { lcut, .. } | Self::Abandon { lcut, .. } => Some(*lcut),
            Self::Touch => None,
        }
    }
}

/// Polls a future so many times at most.
async fn at_most<T>(turns: u8, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = turns;
    std::future::poll_fn(move |context| match (future.as_mut().poll(context), left) {
        (Poll::Ready(value), _) => Poll::Ready(Some(value)),
        (Poll::Pending, 0) => Poll::Ready(None),
        (Poll::Pending, _) => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

fn writes() -> impl Strategy<Value = Vec<Vec<Write>>> {
    let write = prop_oneof![
        4 => (1_u64..40, any::<bool>()).prop_map(|(lcut, large)| Write::Put { lcut, large }),
        1 => (1_u64..40, 0_u8..4).prop_map(|(lcut, turns)| Write::Abandon { lcut, turns }),
        1 => Just(Write::Touch),
    ];
    prop::collection::vec(prop::collection::vec(write, 1..6), 2..7)
}

#[test]
fn interleaved_writers_leave_the_newest() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = RedisServer::start().unwrap();
    let stores: Vec<RedisDataStore> = [Layout::Hash, Layout::String]
        .into_iter()
        .flat_map(|layout| (0..3).map(move |_| layout))
        .map(|layout| RedisDataStore::open(options(&server).layout(layout)).unwrap())
        .collect();
    let case = AtomicU32::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 60, ..ProptestConfig::default() });
    let result = runner.run(&writes(), |writers| {
        let key = key(&format!("secret-{}", case.fetch_add(1, Ordering::Relaxed)));
        let all = || writers.iter().flatten();
        let certain = all().filter(|write| matches!(write, Write::Put { .. })).filter_map(Write::lcut).max();
        let (stored, written) = runtime.block_on(async {
            let start = Arc::new(Barrier::new(writers.len()));
            let mut tasks = JoinSet::new();
            for (at, writes) in writers.iter().enumerate() {
                let (store, start, key, writes) =
                    (stores[at % stores.len()].clone(), Arc::clone(&start), key.clone(), writes.clone());
                tasks.spawn(async move {
                    start.wait().await;
                    let mut written = Vec::new();
                    for write in writes {
                        match write {
                            Write::Put { lcut, large } => {
                                let entry = payload_with(lcut, &format!("c{lcut}"), if large { 20_000 } else { 0 });
                                let outcome = store.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap();
                                written.push((lcut, outcome));
                            }
                            Write::Abandon { lcut, turns } => {
                                let entry = payload(lcut);
                                let _ = at_most(turns, store.put_entry(&key.name, &entry, PutMode::IfNewer)).await;
                            }
                            Write::Touch => drop(store.touch(std::slice::from_ref(&key)).await.unwrap()),
                        }
                    }
                    written
                });
            }
            let written: Vec<(u64, PutOutcome)> = tasks.join_all().await.into_iter().flatten().collect();
            (stores[0].get_entry(&EntryRequest::new([key])).await.unwrap(), written)
        });
        let stored = stored.and_then(|entry| entry.version).map(|version| version.time_ms);
        prop_assert!(stored >= certain, "{stored:?} {certain:?}");
        prop_assert!(stored.is_none() || all().any(|write| write.lcut() == stored), "{stored:?}");
        for (lcut, outcome) in written {
            if let PutOutcome::SkippedOlder { stored_lcut } = outcome {
                prop_assert!(stored_lcut.is_some_and(|stored| stored > lcut), "{} {:?}", lcut, stored_lcut);
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_writers_end_at_the_maximum() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let mut tasks = JoinSet::new();
    for lcut in 1..=100_u64 {
        // 37 has no common divisor with 101, so this is every number once, shuffled.
        let (store, key, lcut) = (open(&server), key.clone(), lcut * 37 % 101);
        let entry = payload_with(lcut, "same", if lcut % 2 == 0 { 20_000 } else { 0 });
        tasks.spawn(async move { store.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    assert!(outcomes.contains(&PutOutcome::Written));
    let entry = open(&server).get_entry(&EntryRequest::new([key])).await.unwrap().unwrap();
    assert_eq!(entry.version.unwrap().time_ms, 100);
}

#[tokio::test]
async fn a_value_of_64_mebibytes() {
    let server = RedisServer::start().unwrap();
    let timeout = std::time::Duration::from_secs(20);
    let options = options(&server).read_timeout(timeout).write_timeout(timeout);
    let key = key("secret-1");
    let mut large = payload_with(9, "large", 64 << 20);
    let store = RedisDataStore::open(options.clone()).unwrap();
    let error = store.put_entry(&key.name, &large, PutMode::IfNewer).await.unwrap_err();
    assert_eq!(error.kind(), statsig_core::DataStoreErrorKind::TooLarge, "{error}");
    let surplus = large.bytes.len() - (64 << 20);
    large = payload_with(9, "large", (64 << 20) - surplus);
    assert_eq!(large.bytes.len(), 64 << 20);
    assert_eq!(store.put_entry(&key.name, &large, PutMode::IfNewer).await.unwrap(), PutOutcome::Written);
    assert_eq!(
        store.put_entry(&key.name, &payload(8), PutMode::IfNewer).await.unwrap(),
        PutOutcome::SkippedOlder { stored_lcut: Some(9) }
    );
    let request = EntryRequest::new([key.clone()]);
    let entry = store.get_entry(&request).await.unwrap().unwrap();
    assert!(entry.bytes == large.bytes);
    let small = RedisDataStore::open(options.max_value_bytes(1_000)).unwrap();
    let error = small.get_entry(&request).await.unwrap_err();
    assert_eq!(error.kind(), statsig_core::DataStoreErrorKind::TooLarge, "{error}");
    assert_eq!(small.stats().bytes_read, 0, "it was not even read");
}

#[tokio::test]
async fn another_payload_of_the_same_time_and_length_is_news() {
    let server = RedisServer::start().unwrap();
    for layout in [Layout::Hash, Layout::String] {
        let store = RedisDataStore::open(options(&server).layout(layout).namespace(format!("{layout:?}:"))).unwrap();
        let key = key("secret-1");
        let request = EntryRequest::new([key.clone()]);
        store.put_entry(&key.name, &payload_with(5, "a", 0), PutMode::IfNewer).await.unwrap();
        let first = store.get_entry(&request).await.unwrap().unwrap();
        let request = request.unless_known(first.version);
        assert_eq!(store.get_entry(&request).await.unwrap(), None);
        store.put_entry(&key.name, &payload_with(5, "b", 0), PutMode::IfNewer).await.unwrap();
        let second = store.get_entry(&request).await.unwrap().unwrap();
        assert!(second.bytes == payload_with(5, "b", 0).bytes);
    }
}
