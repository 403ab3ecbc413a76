//! Entries that cannot be used, or whose time comes from the future, hide nothing and are replaced.

use std::time::{SystemTime, UNIX_EPOCH};

use statsig_core::{
    DataStore, EntryRequest, KeySchema, PutMode, PutOutcome, SpecVersion, StoreEntry, StoreFormat, StoreKey, StoreKeys,
    StorePath, TouchOutcome,
};
use statsig_store_redis::{Layout, RedisDataStore};
use statsig_testkit::redis_server::RedisServer;

use crate::{key, open, options, payload, payload_with};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn hset(server: &RedisServer, key: &StoreKey, config: &[u8], lcut: &str) {
    server.command(&[b"HSET", key.name.as_bytes(), b"config", config, b"lcut", lcut.as_bytes()]).unwrap();
}

/// Values of other kinds, each with a time ahead of every other in these tests.
fn others() -> Vec<Vec<u8>> {
    let time = now();
    vec![
        b"garbage".to_vec(),
        b"<html>busy</html>".to_vec(),
        format!(r#"{{"time":{time},"error":"forbidden"}}"#).into_bytes(),
        format!(r#"{{"has_updates":true,"time":{time},"feature_gates":{{"1":{{"name":"1","value":true,"rule_id":"r","secondary_exposures":[]}}}},
            "dynamic_configs":{{}},"layer_configs":{{}},"sdkParams":{{}},"hash_used":"djb2"}}"#).into_bytes(),
        format!(r#"{{"has_updates":true,"time":{time}}}"#).into_bytes(),
        format!(r#"{{"has_updates":false,"time":{time}}}"#).into_bytes(),
        payload(5).bytes[..80].to_vec(),
    ]
}

#[tokio::test]
async fn what_cannot_be_used_hides_nothing_and_is_replaced() {
    let server = RedisServer::start().unwrap();
    let keys = StoreKeys::new("secret-1");
    let [binary, plain] = [StoreFormat::StatsigBr, StoreFormat::PlainText]
        .map(|format| keys.key(&StorePath::SpecsV2, format, KeySchema::Prefix));
    let request = EntryRequest::new([plain.clone(), binary.clone()]);
    let ahead = now().to_string();
    for (at, other) in others().into_iter().enumerate() {
        for large in [false, true] {
            for (spoilt, good) in [(&plain, &binary), (&binary, &plain)] {
                server.command(&["FLUSHALL"]).unwrap();
                let store = open(&server);
                hset(&server, spoilt, &other, &ahead);
                let found = store.get_entry(&request).await.unwrap().unwrap();
                assert_eq!((found.bytes.as_ref(), found.version), (&*other, None), "{at}: nothing else is there");
                let entry = match good.format {
                    StoreFormat::PlainText => payload(5),
                    _ => StoreEntry::new(b"\x0bproto".to_vec(), good.format, SpecVersion::new(5, None)),
                };
                store.put_entry(&good.name, &entry, PutMode::IfNewer).await.unwrap();
                let found = store.get_entry(&request).await.unwrap().unwrap();
                assert_eq!((found.bytes, found.key.as_ref()), (entry.bytes, Some(&good.name)), "{at}");
                let known = Some(SpecVersion::new(5, Some("c5")));
                if good.format == StoreFormat::PlainText {
                    let request = request.clone().unless_known(known);
                    assert_eq!(store.get_entry(&request).await.unwrap(), None, "{at}: no news");
                    let read = store.stats().bytes_read;
                    assert_eq!(store.get_entry(&request).await.unwrap(), None);
                    assert_eq!(store.stats().bytes_read, read, "{at}: it is not read at each poll");
                }
                // Repaired by the next good write, whatever it claims.
                let entry = match spoilt.format {
                    StoreFormat::PlainText => payload_with(6, "c6", if large { 20_000 } else { 0 }),
                    _ => StoreEntry::new(b"\x0bproto".to_vec(), spoilt.format, SpecVersion::new(6, None)),
                };
                let outcome = open(&server).put_entry(&spoilt.name, &entry, PutMode::IfNewer).await.unwrap();
                assert_eq!(outcome, PutOutcome::Written, "{at} {large}");
                assert!(store.get_entry(&request).await.unwrap().unwrap().bytes == entry.bytes);
            }
        }
    }
}

#[tokio::test]
async fn bare_strings_that_cannot_be_used_are_replaced() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    for other in others() {
        for layout in [Layout::Hash, Layout::String] {
            server.command(&[b"SET", key.name.as_bytes(), &other]).unwrap();
            let store = RedisDataStore::open(options(&server).layout(layout)).unwrap();
            let outcome = store.put_entry(&key.name, &payload(6), PutMode::IfNewer).await.unwrap();
            assert_eq!(outcome, PutOutcome::Written, "{}", String::from_utf8_lossy(&other));
        }
    }
}

#[tokio::test]
async fn the_time_of_the_payload_counts_where_the_stored_one_is_of_no_use() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let request = EntryRequest::new([key.clone()]);
    let far = (now() * 1_000).to_string();
    for lcut in ["9999999999999999", "18446744073709551615", "99999999999999999999", &far, "-5", "soon", "5.5", ""] {
        let store = open(&server);
        server.command(&["DEL", &key.name]).unwrap();
        hset(&server, &key, &payload(7).bytes, lcut);
        let found = store.get_entry(&request).await.unwrap().unwrap();
        assert_eq!(found.version.map(|version| version.time_ms), Some(7), "{lcut}");
        let outcome = store.put_entry(&key.name, &payload(6), PutMode::IfNewer).await.unwrap();
        assert_eq!(outcome, PutOutcome::SkippedOlder { stored_lcut: Some(7) }, "{lcut}: no roll-back either");
        assert_eq!(
            store.touch(std::slice::from_ref(&key)).await.unwrap(),
            TouchOutcome::Absent,
            "{lcut}: to be replaced"
        );
        assert_eq!(server.command(&["TTL", &key.name]).unwrap().text(), "-1");
        let outcome = store.put_entry(&key.name, &payload(7), PutMode::IfNewer).await.unwrap();
        assert_eq!(outcome, PutOutcome::Refreshed, "{lcut}");
        let outcome = store.put_entry(&key.name, &payload(8), PutMode::IfNewer).await.unwrap();
        assert_eq!(outcome, PutOutcome::Written, "{lcut}");
        assert_eq!(store.touch(std::slice::from_ref(&key)).await.unwrap(), TouchOutcome::Kept);
    }
}

#[tokio::test]
async fn payloads_from_the_future_give_way_to_any_other() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let request = EntryRequest::new([key.clone(), crate::key("secret-2")]);
    let far = now() * 1_000;
    for layout in [Layout::Hash, Layout::String] {
        for large in [0, 20_000] {
            server.command(&["FLUSHALL"]).unwrap();
            let store = RedisDataStore::open(options(&server).layout(layout)).unwrap();
            let put = async |lcut: u64| {
                let entry = payload_with(lcut, &format!("c{lcut}"), large);
                store.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap()
            };
            let ttl = || server.command(&["TTL", &key.name]).unwrap().text().parse::<u64>().unwrap();
            assert_eq!(put(far).await, PutOutcome::Written, "better than nothing");
            server.command(&["EXPIRE", &key.name, "50"]).unwrap();
            assert_eq!(put(far).await, PutOutcome::Refreshed);
            assert!(ttl() <= 50, "not kept longer: {layout:?} {large}");
            assert_eq!(store.get_entry(&request).await.unwrap().unwrap().version.unwrap().time_ms, far);
            // Another one, however old, is newer.
            let other = payload(3);
            store.put_entry(&request.keys[1].name, &other, PutMode::IfNewer).await.unwrap();
            assert_eq!(store.get_entry(&request).await.unwrap().unwrap().bytes, other.bytes);
            let known = request.clone().unless_known(Some(SpecVersion::new(far, None)));
            assert_eq!(store.get_entry(&known).await.unwrap().unwrap().bytes, other.bytes);
            assert_eq!(put(5).await, PutOutcome::Written, "{layout:?} {large}");
            assert_eq!(put(far).await, PutOutcome::SkippedOlder { stored_lcut: Some(5) });
            assert_eq!(put(now() + 3_600_000).await, PutOutcome::Written, "clocks differ by an hour");
            assert!(store.remove(&key, Some(6)).await.is_ok_and(|removed| !removed));
        }
    }
}

#[tokio::test]
async fn a_sibling_from_the_future_is_removed() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let key = StoreKeys::new("secret-1").key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
    hset(&server, &key, b"\x0bproto", &(now() * 1_000).to_string());
    assert!(store.remove(&key, Some(5)).await.unwrap());
}
