//! A fleet of whole clients over one Redis, with the vendor out of reach.

mod degraded;
mod fleet;
mod upkeep;

use std::time::Instant;

use statsig::redis::{RedisDataStore, RedisOptions};
use statsig_core::{DataStore, KeySchema, PutMode, PutOutcome, StoreEntry, StoreFormat, StoreKeys, StorePath};
use statsig_testkit::redis_server::RedisServer;

use fleet::{CLIENTS, Fleet, SDK_KEY, specs};

const WRITES: u64 = 8;

/// Whoever writes: a proxy, say.
struct Writer {
    store: RedisDataStore,
    key: String,
}

impl Writer {
    fn new(server: &RedisServer) -> Self {
        let key = StoreKeys::new(SDK_KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed);
        let options = RedisOptions::single(&server.url()).unwrap().read_only(false);
        Self { store: RedisDataStore::open(options).unwrap(), key: key.name.to_string() }
    }

    async fn put(&self, time: u64, mode: PutMode) -> PutOutcome {
        self.store.put_entry(&self.key, &StoreEntry::json(specs(time)), mode).await.unwrap()
    }
}

#[allow(clippy::print_stderr, reason = "shown with `--no-capture`; nothing depends on it")]
fn report(text: &str) {
    eprintln!("{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_converge_on_each_write() {
    let server = RedisServer::start().unwrap();
    let writer = Writer::new(&server);
    assert_eq!(writer.put(1, PutMode::IfNewer).await, PutOutcome::Written);
    let mut fleet = Fleet::start(&server, 1).await;
    let mut delays = Vec::new();
    for time in 2..2 + WRITES {
        let begun = Instant::now();
        assert_eq!(writer.put(time, PutMode::IfNewer).await, PutOutcome::Written);
        delays.extend(fleet.all_have(time).await.into_iter().map(|at| at.duration_since(begun)));
        fleet.all_serve(time).await;
    }
    delays.sort_unstable();
    assert_eq!(delays.len() as u64, CLIENTS as u64 * WRITES);
    report(&format!(
        "{CLIENTS} clients, {} KiB, {WRITES} writes: from the call to write until in force, p50 {:?}, p99 {:?}, max {:?}",
        specs(2).len() >> 10,
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100],
        delays[delays.len() - 1],
    ));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_is_rolled_back_by_an_old_writer() {
    let server = RedisServer::start().unwrap();
    let writer = Writer::new(&server);
    writer.put(10, PutMode::IfNewer).await;
    let mut fleet = Fleet::start(&server, 10).await;

    // One of ours that comes late is refused in Redis.
    assert_eq!(writer.put(9, PutMode::IfNewer).await, PutOutcome::SkippedOlder { stored_lcut: Some(10) });
    // One that asks nobody replaces the value, and says so to all.
    assert_eq!(writer.put(8, PutMode::Force).await, PutOutcome::Written);
    fleet.sync_all().await;
    fleet.all_serve(10).await;
    // Neither does one of other make, with a plain SET, or one that says that its old payload is new.
    for (old, command) in [(7, "SET"), (6, "HSET")] {
        let document = specs(old);
        server.command(&["DEL", &writer.key]).unwrap();
        match command {
            "SET" => server.command(&[b"SET", writer.key.as_bytes(), &document]).unwrap(),
            _ => {
                let key = writer.key.as_bytes();
                server.command(&[b"HSET", key, b"config", &document, b"lcut", b"99"]).unwrap()
            }
        };
        server.command(&["PUBLISH", &format!("statsig:update|{}", writer.key), "99|old"]).unwrap();
        fleet.sync_all().await;
        fleet.all_serve(10).await;
    }
    server.command(&["DEL", &writer.key]).unwrap();

    // All still follow, and have seen nothing else in between.
    assert_eq!(writer.put(11, PutMode::IfNewer).await, PutOutcome::Written);
    fleet.all_have(11).await;
    fleet.all_serve(11).await;
    fleet.end().await;
}
