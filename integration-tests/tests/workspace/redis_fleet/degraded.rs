//! A Redis that does not do what it should: clients start from the next source, and say why.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use statsig::redis::{RedisDataStore, RedisOptions};
use statsig::{SpecOrigin, Statsig, StatsigUser};
use statsig_core::{DataStore, KeySchema, StoreFormat, StoreHealth, StoreKeys, StorePath};
use statsig_testkit::redis_server::{RedisServer, wait_until};
use statsig_testkit::server::FakeStatsig;

use super::fleet::{PATIENCE, SDK_KEY, specs};

fn key() -> String {
    let key = StoreKeys::new(SDK_KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed);
    key.name.to_string()
}

/// What the client said of a Redis, and what became of what the network brought.
struct Start {
    /// Why Redis was of no use.
    reason: String,
    /// Documents that were written to it, and failures at that.
    kept: (u64, u64),
    health: StoreHealth,
}

/// Starts a client with the server of Statsig in reach, and this Redis.
async fn start(options: RedisOptions) -> Start {
    let statsig = FakeStatsig::start().unwrap();
    statsig.publish_specs(specs(5));
    let short = Duration::from_millis(300);
    let options = options.read_only(false).connect_timeout(short).read_timeout(short).write_timeout(short);
    let store = RedisDataStore::open(options).unwrap();
    let client = Statsig::builder()
        .sdk_key(SDK_KEY)
        .api(format!("{}/v1", statsig.url()))
        .data_store(Arc::new(store.clone()))
        .disable_all_logging(true)
        .init_timeout(PATIENCE)
        .build()
        .unwrap();
    let details = client.initialize().await;
    assert_eq!((details.init_success, details.specs_time), (true, 5), "{details:?}");
    assert_eq!(details.source, SpecOrigin::Network);
    let gate = client.get_feature_gate(&StatsigUser::with_user_id("u-1"), "which");
    assert_eq!((gate.rule_id(), gate.details().reason().as_str()), ("rule_of_5", "Network:Recognized"));
    let asked = details.attempts.iter().find(|attempt| attempt.source == "data-store").unwrap();
    let reason = asked.outcome.error().unwrap().to_owned();
    let written = async {
        loop {
            match client.health().specs.unwrap().kept {
                (0, 0) => tokio::task::yield_now().await,
                kept => return kept,
            }
        }
    };
    let kept = tokio::time::timeout(PATIENCE, written).await.unwrap();
    let health = store.health().await;
    let _ = client.shutdown(PATIENCE).await;
    Start { reason, kept, health }
}

impl Start {
    /// Redis was of no use at all, for this reason.
    fn fails(&self, why: &str) {
        assert!(self.reason.contains(why), "{why}: {}", self.reason);
        assert_eq!(self.kept, (0, 1), "{why}");
        assert!(!self.reason.contains("hunter2") && !self.reason.contains(SDK_KEY), "{}", self.reason);
    }
}

fn single(server: &RedisServer) -> RedisOptions {
    RedisOptions::single(&server.url()).unwrap()
}

#[tokio::test]
async fn down_or_hanging() {
    let mut server = RedisServer::start().unwrap();
    server.freeze().unwrap();
    let frozen = start(single(&server)).await;
    frozen.fails("no answer in time");
    assert!(matches!(frozen.health, StoreHealth::Down { .. }));
    server.kill().unwrap();
    let down = start(single(&server)).await;
    down.fails("cannot reach the server");
    assert!(matches!(down.health, StoreHealth::Down { .. }));
}

#[tokio::test]
async fn without_the_rights() {
    let server = RedisServer::start_secured(&[("requirepass", "right")], "default", "right").unwrap();
    start(single(&server).password("hunter2")).await.fails("authentication failed");
    start(single(&server)).await.fails("NOAUTH");
    server.command(&["ACL", "SETUSER", "narrow", "on", ">hunter2", "~other:*", "&*", "+@all"]).unwrap();
    start(single(&server).username("narrow").password("hunter2")).await.fails("NOPERM");
}

#[tokio::test]
async fn full_or_read_only() {
    let full = RedisServer::start_with(&[("maxmemory", "1"), ("maxmemory-policy", "noeviction")]).unwrap();
    let master = RedisServer::start().unwrap();
    let replica = RedisServer::start_with(&[("replicaof", &format!("127.0.0.1 {}", master.port()))]).unwrap();
    wait_until("the replica is in sync", || {
        replica.command(&["INFO", "replication"]).unwrap().text().contains("master_link_status:up")
    })
    .unwrap();
    for (server, why) in [(&full, "OOM"), (&replica, "READONLY")] {
        // Reading works; there is nothing yet, and nothing can be added.
        let start = start(single(server)).await;
        start.fails("no entry");
        assert!(
            matches!(&start.health, StoreHealth::Degraded { reason } if reason.contains(why)),
            "{:?}",
            start.health
        );
    }
}

#[tokio::test]
async fn garbage() {
    let server = RedisServer::start().unwrap();
    server.command(&["LPUSH", &key(), "garbage"]).unwrap();
    start(single(&server)).await.fails("neither a hash nor a string");
    server.command(&["DEL", &key()]).unwrap();
    // What is no document is replaced by one.
    server.command(&["SET", &key(), "garbage"]).unwrap();
    let replaced = start(single(&server)).await;
    assert_eq!(replaced.kept, (1, 0));
    assert_eq!(server.command(&["GET", &key()]).unwrap().text().into_bytes(), specs(5));
    assert!(matches!(replaced.health, StoreHealth::Up { .. }));

    // Something else listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4_096];
            while let Ok(1..) = stream.read(&mut buffer) {
                if stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err() {
                    break;
                }
            }
        }
    });
    let impostor = start(RedisOptions::host("127.0.0.1", port).unwrap()).await;
    impostor.fails("Redis: cannot");
    assert!(matches!(impostor.health, StoreHealth::Down { .. }));
}
