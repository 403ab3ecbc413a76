//! A Redis that is down, slow, full, or something else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use statsig_core::{ChangeHint, DataStore, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome, StoreHealth};
use statsig_store_redis::{RedisDataStore, RedisOptions};
use statsig_testkit::redis_server::RedisServer;

use crate::{key, open, options, payload, soon};

/// Enough for a loaded machine, on top of what is promised.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test]
async fn down_at_the_start_heals_without_a_restart() {
    let mut server = RedisServer::start().unwrap();
    server.kill().unwrap();
    let key = key("secret-1");
    let store = open(&server);
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    let error = store.initialize().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Unavailable, true), "{error}");
    assert!(store.get_entry(&EntryRequest::new([key.clone()])).await.is_err());
    assert!(matches!(store.health().await, StoreHealth::Down { .. }));
    server.restart().unwrap();
    soon("the store to heal", async {
        while store.initialize().await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    assert_eq!(store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap(), PutOutcome::Written);
    assert!(matches!(store.health().await, StoreHealth::Up { .. }));
}

#[tokio::test]
async fn killed_and_started_again() {
    let mut server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let (store, request) = (open(&server), EntryRequest::new([key.clone()]));
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    let hint = |lcut| Some(ChangeHint::Changed { key: key.name.clone(), lcut: Some(lcut) });
    assert_eq!(soon("a notice", feed.next()).await, hint(1));
    server.kill().unwrap();
    assert_eq!(soon("the interruption", feed.next()).await, Some(ChangeHint::Interrupted));
    assert!(store.get_entry(&request).await.is_err());
    server.restart().unwrap();
    assert_eq!(soon("the new subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    // It kept nothing on disk.
    assert_eq!(store.get_entry(&request).await.unwrap(), None);
    // The script is unknown to it now.
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    assert_eq!(soon("a notice", feed.next()).await, hint(1));
    let stats = store.stats();
    assert_eq!((stats.interruptions, stats.subscriptions), (1, 1));
    store.shutdown().await.unwrap();
    assert_eq!(soon("the end of the feed", feed.next()).await, None);
    assert_eq!(store.get_entry(&request).await.unwrap_err().kind(), DataStoreErrorKind::Closed);
    drop(feed);
    server.command(&["PING"]).unwrap();
}

#[tokio::test]
async fn a_frozen_server_costs_no_more_than_twice_the_timeout() {
    let server = RedisServer::start().unwrap();
    let timeout = Duration::from_millis(200);
    let options = options(&server).read_timeout(timeout).write_timeout(timeout).connect_timeout(timeout);
    let store = RedisDataStore::open(options.keepalive(timeout)).unwrap();
    let key = key("secret-1");
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    assert!(matches!(soon("a notice", feed.next()).await, Some(ChangeHint::Changed { .. })));
    server.freeze().unwrap();
    let begun = Instant::now();
    let error = store.get_entry(&EntryRequest::new([key.clone()])).await.unwrap_err();
    assert_eq!(error.kind(), DataStoreErrorKind::Timeout, "{error}");
    let error = store.put_entry(&key.name, &payload(2), PutMode::IfNewer).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(begun.elapsed() < 4 * timeout + SLACK, "{:?}", begun.elapsed());
    assert_eq!(soon("the silence to be noticed", feed.next()).await, Some(ChangeHint::Interrupted));
    // By and by nobody waits any more.
    let mut error = error;
    for _ in 0..5 {
        error = store.initialize().await.unwrap_err();
    }
    assert!(error.to_string().contains("paused"), "{error}");
    assert!(matches!(store.health().await, StoreHealth::Down { .. }));
    assert!(store.stats().timeouts >= 5);
    server.thaw().unwrap();
    soon("the store to heal", async {
        while store.put_entry(&key.name, &payload(3), PutMode::IfNewer).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(soon("the new subscription", feed.next()).await, Some(ChangeHint::Subscribed));
}

#[tokio::test]
async fn a_full_server_is_said_and_keeps_what_it_has() {
    let server = RedisServer::start_with(&[("maxmemory", "100mb"), ("maxmemory-policy", "noeviction")]).unwrap();
    let (key, store) = (key("secret-1"), open(&server));
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = store.put_entry(&key.name, &payload(2), PutMode::IfNewer).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Full, true), "{error}");
    assert!(matches!(store.health().await, StoreHealth::Degraded { reason } if reason.contains("OOM")));
    let entry = store.get_entry(&EntryRequest::new([key.clone()])).await.unwrap().unwrap();
    assert_eq!(entry.version.unwrap().time_ms, 1);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    store.put_entry(&key.name, &payload(2), PutMode::IfNewer).await.unwrap();
    assert!(matches!(store.health().await, StoreHealth::Up { .. }));
}

/// A server that says the same to everybody.
fn impostor(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4_096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    if answer.is_empty() || stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn impostors_are_survived() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0",
        b"$99999999999\r\n",
        b"*1000000000\r\n",
        b"-ERR unknown command 'X', with args beginning with: 'secret' \r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"+OK\r\n",
    ] {
        let port = impostor(answer);
        let timeout = Duration::from_millis(100);
        let options = RedisOptions::host("127.0.0.1", port).unwrap();
        let options = options.connect_timeout(timeout).read_timeout(timeout).write_timeout(timeout).read_only(false);
        let store = RedisDataStore::open(options).unwrap();
        let begun = Instant::now();
        let key = key("secret-1");
        let put = store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await;
        let text = format!("{:?} {:?}", store.get_entry(&EntryRequest::new([key.clone()])).await, put);
        assert!(put.is_err(), "{text}");
        assert!(!text.contains("'secret'"), "{text}");
        let _ = (store.initialize().await, store.health().await, store.get(&key.name).await);
        assert!(begun.elapsed() < 10 * timeout + SLACK, "{:?}", begun.elapsed());
    }
}
