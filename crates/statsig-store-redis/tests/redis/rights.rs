//! The rights that the guide lists: with them everything works, and without any one of them something does not.

use std::time::Duration;

use statsig_core::{
    AppendOutcome, ChangeHint, DataStore, DataStoreError, EntryRequest, KeySchema, PutMode, PutOutcome, SpecVersion,
    StoreEntry, StoreFormat, StoreHealth, StoreKey, StoreKeys, StorePath, TouchOutcome,
};
use statsig_store_redis::{Layout, RedisDataStore, RedisOptions};
use statsig_testkit::redis_server::RedisServer;

use crate::access::{PASSWORD, secured, user};
use crate::{key, options, payload, payload_with};

const GUIDE: &str = include_str!("../../../../docs/guide/redis-bootstrap.md");

/// Time for what has to work, and for what may wait in vain.
const PATIENCE: Duration = Duration::from_secs(60);
const IMPATIENCE: Duration = Duration::from_secs(1);

/// The rights of a user as the guide lists them, in a namespace.
pub(crate) fn granted(user: &str, namespace: &str) -> Vec<String> {
    let (_, list) = GUIDE.split_once(&format!("ACL SETUSER statsig-{user} on >… ")).unwrap();
    let list = list.split("ACL SETUSER").next().unwrap().split("```").next().unwrap();
    let place = |right: &str| {
        let mark = ["~{", "~", "&"].into_iter().find(|mark| right.starts_with(mark)).unwrap_or_default();
        let (mark, rest) = right.split_at(mark.len());
        if mark.is_empty() { rest.to_owned() } else { format!("{mark}{namespace}{rest}") }
    };
    list.split_whitespace().map(place).collect()
}

/// What a user does who has these rights, or fails to do. An error is what did not work.
struct Attempt<'s> {
    server: &'s RedisServer,
    namespace: &'static str,
    patience: Duration,
}

fn failed(error: DataStoreError) -> String {
    error.to_string()
}

/// That something is as it should be.
fn check(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}

impl Attempt<'_> {
    fn options(&self) -> RedisOptions {
        options(self.server).namespace(self.namespace).username("statsig").password(PASSWORD)
    }

    /// Somebody else's value.
    fn leave(&self, key: &StoreKey, value: &[u8]) {
        self.server.command(&[b"SET", format!("{}{}", self.namespace, key.name).as_bytes(), value]).unwrap();
    }

    fn store(&self, options: RedisOptions) -> RedisDataStore {
        RedisDataStore::open(options).unwrap()
    }

    /// Starts with a server that knows nothing, not even scripts.
    async fn begin(&self, rights: &[String]) {
        self.server.command(&["FLUSHALL"]).unwrap();
        self.server.command(&["SCRIPT", "FLUSH"]).unwrap();
        user(self.server, rights);
    }

    async fn watch(&self, store: &RedisDataStore, key: &StoreKey) -> Result<(), String> {
        let mut feed = store.watch(std::slice::from_ref(key)).await.map_err(failed)?.unwrap();
        let hint = tokio::time::timeout(self.patience, feed.next()).await;
        check(hint == Ok(Some(ChangeHint::Subscribed)), "the subscription")
    }

    async fn write(&self) -> Result<(), String> {
        for layout in [Layout::Hash, Layout::String] {
            let store = self.store(self.options().layout(layout));
            let key = key(&format!("secret-{layout:?}"));
            store.initialize().await.map_err(failed)?;
            self.watch(&store, &key).await?;
            let large = payload_with(6, "large", 20 << 10);
            for (entry, outcome) in [
                (payload(5), PutOutcome::Written),
                (payload(5), PutOutcome::Refreshed),
                (payload(4), PutOutcome::SkippedOlder { stored_lcut: Some(5) }),
                (large.clone(), PutOutcome::Written),
                (large, PutOutcome::Refreshed),
            ] {
                check(store.put_entry(&key.name, &entry, PutMode::IfNewer).await.map_err(failed)? == outcome, "put")?;
            }
            check(store.touch(std::slice::from_ref(&key)).await.map_err(failed)? == TouchOutcome::Kept, "touch")?;
            let found = store.get_entry(&EntryRequest::new([key.clone()])).await.map_err(failed)?;
            check(found.and_then(|entry| entry.version).is_some_and(|version| version.time_ms == 6), "get_entry")?;
            // Somebody else's value tells its time by itself.
            let foreign = crate::key("secret-foreign");
            self.leave(&foreign, &payload(7).bytes);
            let outcome = store.put_entry(&foreign.name, &payload(8), PutMode::IfNewer).await.map_err(failed)?;
            check(outcome == PutOutcome::Written, "put over a value of somebody else")?;
            // The binary form, which would hide the other one from SDKs that prefer it.
            let binary = StoreKeys::new("secret").key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
            let entry = StoreEntry::new(b"\x0bbinary".to_vec(), StoreFormat::StatsigBr, SpecVersion::new(3, None));
            store.put_entry(&binary.name, &entry, PutMode::IfNewer).await.map_err(failed)?;
            check(store.remove(&binary, Some(9)).await.map_err(failed)?, "remove")?;
            self.leave(&binary, b"\x0bbinary");
            check(store.remove(&binary, None).await.map_err(failed)?, "remove what somebody else left")?;

            let list = StoreKeys::new("s").key(&StorePath::IdListManifest, StoreFormat::PlainText, KeySchema::Hashed);
            let file = StoreKey::id_list_file("", "f1");
            for key in [&list, &file] {
                store.set(&key.name, "+aaaaaaaa\n", None).await.map_err(failed)?;
                let outcome = store.append(&key.name, 10, b"+bbbbbbbb\n").await.map_err(failed)?;
                check(outcome == AppendOutcome::Appended, "append")?;
                let found = store.get(&key.name).await.map_err(failed)?.result;
                check(found.as_deref() == Some("+aaaaaaaa\n+bbbbbbbb\n"), "get")?;
            }
            let for_ever = self.store(self.options().ttl(None));
            for_ever.put_entry(&key.name, &payload(9), PutMode::IfNewer).await.map_err(failed)?;
            check(store.stats().unannounced == 0, "the notice")?;
            check(matches!(store.health().await, StoreHealth::Up { .. }), "health")?;
        }
        Ok(())
    }

    async fn read(&self) -> Result<(), String> {
        let (file, mut keys) = (StoreKey::id_list_file("", "f1"), vec![StoreKey::legacy_specs()]);
        self.leave(&file, b"+aaaaaaaa\n");
        self.leave(&keys[0], &payload(5).bytes);
        for layout in [Layout::Hash, Layout::String] {
            let writer = options(self.server).namespace(self.namespace).username("default").password("root");
            let writer = RedisDataStore::open(writer.layout(layout)).unwrap();
            for format in [StoreFormat::PlainText, StoreFormat::StatsigBr] {
                let key =
                    StoreKeys::new(&format!("secret-{layout:?}")).key(&StorePath::SpecsV2, format, KeySchema::Prefix);
                let bytes =
                    if format == StoreFormat::PlainText { payload(5).bytes } else { (&b"\x0bbinary"[..]).into() };
                let entry = StoreEntry::new(bytes, format, SpecVersion::new(5, None));
                writer.put_entry(&key.name, &entry, PutMode::IfNewer).await.unwrap();
                keys.push(key);
            }
        }
        let store = self.store(self.options().read_only(true));
        store.initialize().await.map_err(failed)?;
        for key in keys {
            self.watch(&store, &key).await?;
            let found = store.get_entry(&EntryRequest::new([key])).await.map_err(failed)?;
            check(found.and_then(|entry| entry.version).is_some_and(|version| version.time_ms == 5), "get_entry")?;
        }
        check(store.get(&file.name).await.map_err(failed)?.result.is_some(), "get")?;
        check(matches!(store.health().await, StoreHealth::Up { .. }), "health")
    }
}

/// Tries with all rights, in several namespaces, and then without each of them.
async fn each_is_needed(name: &str, exercise: impl AsyncFn(&Attempt<'_>) -> Result<(), String>) {
    let server = secured();
    for namespace in ["", "prod:", "{prod}:"] {
        let attempt = Attempt { server: &server, namespace, patience: PATIENCE };
        attempt.begin(&granted(name, namespace)).await;
        let result = exercise(&attempt).await;
        assert_eq!(result, Ok(()), "{name} in the namespace `{namespace}`");
    }
    let attempt = Attempt { server: &server, namespace: "", patience: IMPATIENCE };
    let all = granted(name, "");
    for missing in all.iter().filter(|right| *right != "-@all") {
        let rights: Vec<String> = all.iter().filter(|right| *right != missing).cloned().collect();
        // A busy machine is no reason.
        let mut result = Err("no answer in time".to_owned());
        for _ in 0..5 {
            if result.as_ref().is_err_and(|error| error.contains("in time")) {
                attempt.begin(&rights).await;
                result = exercise(&attempt).await;
            }
        }
        assert!(result.is_err(), "{name} needs no {missing}");
    }
}

#[tokio::test]
async fn a_writer_needs_what_the_guide_lists_and_no_more() {
    each_is_needed("writer", async |attempt| attempt.write().await).await;
}

#[tokio::test]
async fn a_reader_needs_what_the_guide_lists_and_no_more() {
    each_is_needed("reader", async |attempt| attempt.read().await).await;
}

#[tokio::test]
async fn a_reader_may_not_write() {
    let server = secured();
    user(&server, &granted("reader", ""));
    let store = RedisDataStore::open(options(&server).username("statsig").password(PASSWORD)).unwrap();
    let error = store.put_entry(&key("x").name, &payload(1), PutMode::IfNewer).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (statsig_core::DataStoreErrorKind::Denied, false), "{error}");
    assert!(matches!(store.health().await, StoreHealth::Degraded { reason } if reason.contains("NOPERM")));
    user(&server, &granted("writer", ""));
    let store = RedisDataStore::open(options(&server).username("statsig").password(PASSWORD)).unwrap();
    crate::soon("the contract", statsig_core::testing::data_store_contract(&store)).await;
}

#[cfg(feature = "streams")]
mod streams {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};
    use statsig_store_redis::streams::{DrainOptions, EventDrainer, EventStream, RedisEventSink};

    use super::*;
    use crate::metrics::{Ear, undocumented};

    /// Is busy once; refuses a single event of its choice, and whatever is more than one.
    #[derive(Default)]
    struct Picky(AtomicBool);

    #[async_trait]
    impl EventSink for Picky {
        async fn deliver(&self, batch: &EventBatch) -> Delivery {
            if !self.0.swap(true, Ordering::Relaxed) {
                return Delivery::retry("busy");
            }
            match (batch.event_count, &*batch.body) {
                (1, b"[\"no\"]") => Delivery::reject("no"),
                (1, _) => Delivery::Delivered,
                _ => Delivery::TooLarge,
            }
        }
    }

    fn batch(serial: u128, count: u32, body: &[u8]) -> EventBatch {
        EventBatch::new(serial.to_be_bytes(), 5, count, body.to_vec(), BatchEncoding::Identity, body.len())
    }

    async fn forward(attempt: &Attempt<'_>) -> Result<(), String> {
        let stream = || EventStream::new("secret-1").max_bytes(5_000);
        let limit = if attempt.patience == PATIENCE { Duration::from_secs(2) } else { Duration::from_millis(300) };
        let options = || attempt.options().read_timeout(limit).write_timeout(limit);
        let sink = RedisEventSink::open(options(), stream()).unwrap();
        let large = format!("[\"{}\"]", "x".repeat(30_000));
        for batch in [
            batch(1, 1, large.as_bytes()),
            batch(2, 1, b"[1]"),
            batch(2, 1, b"[1]"),
            batch(3, 2, b"[2,3]"),
            batch(4, 1, b"[\"no\"]"),
        ] {
            check(sink.deliver(&batch).await.is_delivered(), "add")?;
        }
        check((sink.stats().known, sink.stats().dropped) == (1, 1), "marks and weight")?;
        let quick = DrainOptions::new().longest_pause(Duration::from_millis(1));
        let drainer = EventDrainer::open(options(), stream(), quick, Arc::new(Picky::default())).unwrap();
        check(drainer.backlog().await.map_err(failed)? == 3, "backlog")?;
        let drained = tokio::time::timeout(attempt.patience, drainer.drain()).await;
        drained.map_err(|_| "drain".to_owned())?.map_err(failed)?;
        let stats = drainer.stats();
        check((stats.delivered, stats.split, stats.dead, stats.errors) == (3, 1, 1, 0), "drain")?;
        let streams = attempt.server.command(&["KEYS", "*statsig:events:*}"]).unwrap().text();
        let consumers = attempt.server.command(&["XINFO", "CONSUMERS", &streams, "statsig"]).unwrap().text();
        check(consumers.is_empty(), "leaving the group")
    }

    #[tokio::test]
    async fn without_the_right_to_weigh_a_stream_batches_are_added_all_the_same() {
        let server = secured();
        let mut rights = granted("events", "");
        rights.retain(|right| right != "+memory|usage");
        user(&server, &rights);
        let ear = Arc::new(Ear::default());
        let options = options(&server).username("statsig").password(PASSWORD).observer(ear.clone());
        let stream = EventStream::new("secret-1").max_bytes(5_000).max_batches(100);
        let sink = RedisEventSink::open(options, stream).unwrap();
        for serial in 0..400 {
            assert!(sink.deliver(&batch(serial, 1, b"[1]")).await.is_delivered());
        }
        assert!(ear.counter("redis.stream.unweighed_count") > 0);
        assert_eq!(ear.counter("redis.stream.trimmed_count bound=bytes"), 0);
        let dropped = ear.counter("redis.stream.trimmed_count bound=batches");
        assert!(dropped > 0 && dropped == sink.stats().dropped, "the other bound counts: {dropped}");
        assert_eq!(undocumented(&ear), [""; 0]);
    }

    #[tokio::test]
    async fn sinks_and_drainers_need_what_the_guide_lists_and_no_more() {
        each_is_needed("events", async |attempt| forward(attempt).await).await;
    }
}
