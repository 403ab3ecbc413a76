//! What is in Redis stays there while the network says that nothing changed.

use std::sync::Arc;

use statsig::redis::{RedisDataStore, RedisOptions};
use statsig::{SpecOrigin, Statsig, StatsigBuilder};
use statsig_core::{DataStore, KeySchema, StoreFormat, StoreHealth, StoreKeys, StorePath};
use statsig_testkit::redis_server::RedisServer;
use statsig_testkit::server::FakeStatsig;

use super::fleet::{PATIENCE, SDK_KEY, specs};

/// A client that shares what the network brings.
fn writer(statsig: &FakeStatsig, store: &RedisDataStore) -> StatsigBuilder {
    Statsig::builder()
        .sdk_key(SDK_KEY)
        .api(format!("{}/v1", statsig.url()))
        .data_store(Arc::new(store.clone()))
        .disable_all_logging(true)
        .init_timeout(PATIENCE)
}

fn open(server: &RedisServer, read_only: bool) -> RedisDataStore {
    let options = RedisOptions::single(&server.url()).unwrap().read_only(read_only).follow_updates(false);
    RedisDataStore::open(options).unwrap()
}

async fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

#[tokio::test]
async fn a_project_without_changes_does_not_expire() {
    let (server, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    statsig.publish_specs(specs(5));
    let keys = StoreKeys::new(SDK_KEY);
    let name = |form| keys.key(&StorePath::SpecsV2, form, KeySchema::Hashed).name.to_string();
    let (text, binary) = (name(StoreFormat::PlainText), name(StoreFormat::StatsigBr));
    let left = |key: &str| server.command(&["TTL", key]).unwrap().text().parse::<i64>().unwrap();

    // The first client has it from the network and writes it; the second starts from what is there.
    for (source, written) in [(SpecOrigin::Network, 1), (SpecOrigin::Adapter("DataStore".into()), 0)] {
        let store = open(&server, false);
        let client = writer(&statsig, &store).build().unwrap();
        assert_eq!(client.initialize().await.source, source);
        soon("the entry", || client.health().specs.unwrap().kept.0 == written).await;
        // As if a week had passed.
        server.command(&["EXPIRE", &text, "60"]).unwrap();
        server.command(&["SET", &binary, "somebody else's", "EX", "60"]).unwrap();
        assert!(client.sync_now().await.unwrap().success);
        soon("the entry to be kept", || left(&text) > 60 && store.stats().touched == 1).await;
        assert!(left(&binary) <= 60, "what is not ours may go");
        server.command(&["DEL", &binary]).unwrap();
        let _ = client.shutdown(PATIENCE).await;
    }

    // Who may not write does not even try.
    let store = open(&server, true);
    let reader = writer(&statsig, &store).build().unwrap();
    let _ = reader.initialize().await;
    server.command(&["EXPIRE", &text, "60"]).unwrap();
    for time in [6, 7, 8] {
        statsig.publish_specs(specs(time));
        assert!(reader.sync_now().await.unwrap().success);
        assert!(reader.sync_now().await.unwrap().success);
    }
    let _ = reader.shutdown(PATIENCE).await;
    assert_eq!((store.stats().errors, reader.health().specs.unwrap().kept), (0, (0, 0)));
    assert!(left(&text) <= 60);
}

#[tokio::test]
async fn what_is_missing_comes_back_without_a_change() {
    let (server, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    statsig.publish_specs(specs(5));
    let key = StoreKeys::new(SDK_KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed);
    let is_there = || server.command(&["EXISTS", &key.name]).unwrap().text() == "1";
    // The first writer has it from the network; the second from Redis, and the network stands by it.
    for _ in 0..2 {
        let store = open(&server, false);
        let client = writer(&statsig, &store).build().unwrap();
        assert!(client.initialize().await.init_success);
        soon("the entry", is_there).await;
        for _ in 0..2 {
            server.command(&["FLUSHALL"]).unwrap();
            assert!(client.sync_now().await.unwrap().success);
            soon("the entry to come back", is_there).await;
        }
        let _ = client.shutdown(PATIENCE).await;
    }

    // A write that was given up is made up for.
    server.command(&["FLUSHALL"]).unwrap();
    server.command(&["ACL", "SETUSER", "default", "-hset"]).unwrap();
    let store = open(&server, false);
    let client = writer(&statsig, &store).build().unwrap();
    assert!(client.initialize().await.init_success);
    soon("the write to fail", || client.health().specs.unwrap().kept == (0, 1)).await;
    assert!(matches!(store.health().await, StoreHealth::Degraded { .. }));
    server.command(&["ACL", "SETUSER", "default", "+hset"]).unwrap();
    assert!(client.sync_now().await.unwrap().success);
    soon("the entry", is_there).await;
    let _ = client.shutdown(PATIENCE).await;
}

#[tokio::test]
async fn the_hash_of_the_official_proxy_is_found() {
    let server = RedisServer::start().unwrap();
    let key = StoreKeys::new(SDK_KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Prefix);
    let document = specs(5);
    let fields: [&[u8]; 8] =
        [b"HSET", key.name.as_bytes(), b"config", &document, b"lcut", b"5", b"encoding", b"plain_text"];
    server.command(&fields).unwrap();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Statsig::builder()
        .sdk_key(SDK_KEY)
        .api(format!("http://{dead}/v1"))
        .data_store(Arc::new(open(&server, true)))
        .disable_all_logging(true)
        .init_timeout(PATIENCE)
        .build()
        .unwrap();
    let details = client.initialize().await;
    assert_eq!((details.specs_time, details.source), (5, SpecOrigin::Adapter("DataStore".into())));
    let _ = client.shutdown(PATIENCE).await;
}
