//! A server that answers each command just in time: what several commands take together is bounded all the same.

use std::time::Duration;

use statsig_core::{
    DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome, StoreHealth, StoreKey,
    TouchOutcome,
};
use statsig_store_redis::{Layout, RedisDataStore};
use statsig_testkit::redis_server::RedisServer;

use crate::relay::Relay;
use crate::{key, payload, payload_with, soon};

const TIMEOUT: Duration = Duration::from_secs(2);
/// Well within the timeout of one command; four of them are beyond that of an operation.
const DELAY: Duration = Duration::from_millis(1_100);
/// As many answers as fit into twice the timeout, and one on its way.
const MOST_ANSWERS: u64 = 4;

/// A store behind a relay, with a connection that stands.
struct Slow {
    relay: Relay,
    store: RedisDataStore,
}

impl Slow {
    async fn new(server: &RedisServer) -> Self {
        let relay = Relay::start(server).await;
        let options = relay.options().read_timeout(TIMEOUT).write_timeout(TIMEOUT).layout(Layout::Hash);
        let slow = Self { store: RedisDataStore::open(options).unwrap(), relay };
        slow.store.initialize().await.unwrap();
        slow.relay.delay(DELAY);
        slow
    }

    /// An operation whose commands take too long together, though each has its answer in time.
    async fn ends_in_time<T>(&self, what: &str, operation: impl Future<Output = Result<T, DataStoreError>>) {
        let before = self.relay.answers();
        let Err(error) = soon(what, operation).await else { panic!("{what}: there was time enough") };
        assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Timeout, true), "{what}: {error}");
        let answers = self.relay.answers() - before;
        assert!((1..=MOST_ANSWERS).contains(&answers), "{what}: {answers} answers");
        // It was the operation that took long, not the server that was gone.
        assert_eq!(self.store.stats().connections, 1, "{what}");
        self.relay.delay(Duration::ZERO);
        soon(what, async { while !matches!(self.store.health().await, StoreHealth::Up { .. }) {} }).await;
    }
}

/// Values as SDKs leave them with a plain SET: nothing tells what they are but themselves.
fn leave(server: &RedisServer, names: &[&str]) -> Vec<StoreKey> {
    let keys: Vec<StoreKey> = names.iter().map(|name| key(name)).collect();
    for key in &keys {
        server.command(&[b"SET", key.name.as_bytes(), &payload(5).bytes]).unwrap();
    }
    keys
}

#[tokio::test]
async fn an_answer_just_in_time_is_in_time() {
    let server = RedisServer::start().unwrap();
    let keys = leave(&server, &["secret-1"]);
    let slow = Slow::new(&server).await;
    slow.store.initialize().await.unwrap();
    assert!(matches!(slow.store.health().await, StoreHealth::Up { .. }));
    // Two commands, or three: as many as there is time for.
    assert_eq!(slow.store.touch(&keys).await.unwrap(), TouchOutcome::Kept);
    let new = key("secret-2");
    assert_eq!(slow.store.put_entry(&new.name, &payload(1), PutMode::IfNewer).await.unwrap(), PutOutcome::Written);
    assert_eq!((slow.store.stats().timeouts, slow.store.stats().connections), (0, 1));
}

#[tokio::test]
async fn no_operation_takes_longer_than_twice_the_timeout_however_many_commands_it_has() {
    let server = RedisServer::start().unwrap();
    let keys = leave(&server, &["secret-1", "secret-2", "secret-3", "secret-4"]);
    let request = EntryRequest::new(keys.clone());
    let [reads, puts, touches, removes] =
        [Slow::new(&server).await, Slow::new(&server).await, Slow::new(&server).await, Slow::new(&server).await];
    let large = payload_with(9, "large", 20 << 10);
    tokio::join!(
        // A look at each, in the one layout and in the other; then length and value of each.
        reads.ends_in_time("get_entry", reads.store.get_entry(&request)),
        // Two looks; the script by its digest and as a whole; length and value of what is there; the script again.
        puts.ends_in_time("put_entry", puts.store.put_entry(&keys[0].name, &large, PutMode::IfNewer)),
        touches.ends_in_time("touch", touches.store.touch(&keys)),
        removes.ends_in_time("remove", removes.store.remove(&keys[3], Some(9))),
    );
    let newest = reads.store.get_entry(&request).await.unwrap().unwrap();
    assert_eq!(newest.version.map(|version| version.time_ms), Some(5));
    assert!(server.command(&["EXISTS", &keys[3].name]).unwrap().text() == "1", "it was not removed afterwards");
}

#[tokio::test]
async fn the_greeting_and_the_first_read_share_their_time() {
    let server = RedisServer::start().unwrap();
    let file = StoreKey::id_list_file("", "f1").name;
    server.command(&["SET", &file, "+aaaaaaaa\n"]).unwrap();
    let relay = Relay::start(&server).await;
    let store = RedisDataStore::open(relay.options().read_timeout(Duration::from_secs(3))).unwrap();
    // There is time for two answers, and not for three.
    relay.delay(Duration::from_millis(2_200));
    store.initialize().await.unwrap();
    let error = store.get_bytes(&file).await.unwrap_err();
    assert_eq!(error.kind(), DataStoreErrorKind::Timeout, "{error}");
    relay.delay(Duration::ZERO);
    soon("an answer", async { while store.get_bytes(&file).await.is_err() {} }).await;
    relay.delay(Duration::from_millis(2_200));
    assert!(store.get_bytes(&file).await.unwrap().result.is_some(), "later reads have all the time");
}

#[cfg(feature = "streams")]
#[tokio::test]
async fn streams_of_many_shards_are_counted_in_time() {
    use std::sync::Arc;

    use statsig_core::{BatchEncoding, EventBatch, EventSink, NoopSink};
    use statsig_store_redis::streams::{DrainOptions, EventDrainer, EventStream, RedisEventSink};

    let server = RedisServer::start().unwrap();
    let relay = Relay::start(&server).await;
    let options = || relay.options().read_timeout(TIMEOUT).write_timeout(TIMEOUT);
    let stream = || EventStream::new("secret-1").shards(16);
    let sink = RedisEventSink::open(options(), stream()).unwrap();
    let drainer = EventDrainer::open(options(), stream(), DrainOptions::new(), Arc::new(NoopSink)).unwrap();
    relay.delay(DELAY);
    for serial in 0..2_u128 {
        let batch = EventBatch::new(serial.to_be_bytes(), 5, 1, b"[1]".to_vec(), BatchEncoding::Identity, 3);
        assert!(sink.deliver(&batch).await.is_delivered());
    }
    assert_eq!(drainer.backlog().await.unwrap(), 2);
}
