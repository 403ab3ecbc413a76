//! A peer that announces or sends too much costs a connection, not the memory of the process.

use std::time::Duration;

use statsig_core::{ChangeHint, DataStore, DataStoreErrorKind, EntryRequest, StoreHealth};
use statsig_store_redis::{RedisDataStore, RedisOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::{key, soon};

/// More than socket buffers of both sides hold.
const MUCH: usize = 80 << 20;
/// What socket buffers hold at most here.
const BUFFERED: usize = 24 << 20;

/// A server that gives each command the same answer, then `MUCH` more if it is wanted. Says how much each connection
/// took before it was closed.
async fn peer(answer: Vec<u8>, goes_on: bool) -> (String, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (taken, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (answer, taken) = (answer.clone(), taken.clone());
            tokio::spawn(async move {
                let mut command = vec![0; 64 << 10];
                while socket.read(&mut command).await.is_ok_and(|read| read > 0) {
                    if socket.write_all(&answer).await.is_err() {
                        return;
                    }
                    let (mut sent, part) = (0, vec![b's'; 256 << 10]);
                    while goes_on && sent < MUCH && socket.write_all(&part).await.is_ok() {
                        sent += part.len();
                    }
                    if goes_on {
                        let _ = taken.send(sent);
                        return;
                    }
                }
            });
        }
    });
    (url, heard)
}

fn open(url: &str) -> RedisDataStore {
    let options = RedisOptions::single(url).unwrap().attempts(1).max_value_bytes(1 << 20);
    RedisDataStore::open(options.read_timeout(Duration::from_secs(20))).unwrap()
}

#[tokio::test]
async fn a_value_without_end_is_not_read() {
    for (answer, what) in [
        (&b"$2000000000\r\n"[..], "announced a value of 2000000000 bytes; 1048576 are allowed"),
        (b"$10\r\n", "sent more than it announced"),
        (b"*3\r\n$1\r\nx\r\n$1500000\r\n", "announced a value of 1500000 bytes"),
        (b"*2000000\r\n", "announced a reply of more than 1048576 elements"),
        (b"+", "a line of more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\nsecret", "does not speak the protocol of Redis"),
    ] {
        let (url, mut taken) = peer(answer.to_vec(), true).await;
        let store = open(&url);
        let error = soon("the error", store.get_bytes("k")).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(what) && !text.contains("ss") && !text.contains("secret"), "{text}");
        assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Unavailable, true), "{text}");
        let taken = soon("the end of the connection", taken.recv()).await.unwrap();
        assert!(taken < BUFFERED, "{what}: {taken} bytes");
        let StoreHealth::Down { reason } = store.health().await else { panic!("{what}") };
        assert!(reason.contains(what) && !reason.contains("ss"), "{reason}");
    }
}

#[tokio::test]
async fn a_subscription_is_bounded_as_well() {
    let (url, mut taken) = peer(b"*3\r\n$7\r\nmessage\r\n$2000000000\r\n".to_vec(), true).await;
    let store = open(&url);
    let mut feed = store.watch(&[key("secret-1")]).await.unwrap().unwrap();
    assert!(soon("the end of the connection", taken.recv()).await.unwrap() < BUFFERED);
    assert!(tokio::time::timeout(Duration::from_millis(1), feed.next()).await != Ok(Some(ChangeHint::Subscribed)));
}

#[tokio::test]
async fn errors_repeat_no_value() {
    for answer in [&b"$12\r\nsecret value\r\n"[..], b"*1\r\n$12\r\nsecret value\r\n", b"+secret value\r\n"] {
        let (url, _taken) = peer(answer.to_vec(), false).await;
        let store = open(&url);
        // A look at a key expects a number and fields.
        let error = store.get_entry(&EntryRequest::new([key("secret-1")])).await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::Malformed);
        assert!(!format!("{error:?} {error}").contains("secret"), "{error}");
    }
}
