//! What an observer hears of a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{ChangeHint, DataStore, EntryRequest, Observer, PutMode, Tag};
use statsig_store_redis::RedisDataStore;
use statsig_testkit::redis_server::RedisServer;

use crate::{key, open, options, payload, soon};

/// Keeps what it hears, by name and tags.
#[derive(Default)]
pub(crate) struct Ear {
    counters: Mutex<BTreeMap<String, u64>>,
    gauges: Mutex<BTreeMap<String, f64>>,
    distributions: Mutex<BTreeMap<String, u64>>,
    errors: Mutex<Vec<String>>,
}

fn named(name: &str, tags: &[Tag<'_>]) -> String {
    tags.iter().fold(name.to_owned(), |text, (tag, value)| format!("{text} {tag}={value}"))
}

impl Observer for Ear {
    fn increment(&self, name: &str, by: u64, tags: &[Tag<'_>]) {
        *self.counters.lock().unwrap().entry(named(name, tags)).or_default() += by;
    }

    fn gauge(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        self.gauges.lock().unwrap().insert(named(name, tags), value);
    }

    fn distribution(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        assert!(value >= 0.0, "{name} {value}");
        *self.distributions.lock().unwrap().entry(named(name, tags)).or_default() += 1;
    }

    fn error(&self, tag: &str, _: &str) {
        self.errors.lock().unwrap().push(tag.to_owned());
    }
}

impl Ear {
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    fn gauge(&self, name: &str) -> Option<f64> {
        self.gauges.lock().unwrap().get(name).copied()
    }

    /// Number of measurements.
    pub(crate) fn measured(&self, name: &str) -> u64 {
        self.distributions.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    #[cfg(feature = "streams")]
    pub(crate) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }

    /// Every name that was heard, without tags.
    pub(crate) fn names(&self) -> Vec<String> {
        let (counters, gauges) = (self.counters.lock().unwrap(), self.gauges.lock().unwrap());
        let distributions = self.distributions.lock().unwrap();
        let all = counters.keys().chain(gauges.keys()).chain(distributions.keys());
        all.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
    }
}

const TABLE: &str = include_str!("../../../../docs/protocol/data-store.md");

/// The names that the table of metrics lacks.
pub(crate) fn undocumented(ear: &Ear) -> Vec<String> {
    ear.names().into_iter().filter(|name| !TABLE.contains(&format!("| `{name}` |"))).collect()
}

#[tokio::test]
async fn reads_writes_and_notices_are_measured() {
    let server = RedisServer::start().unwrap();
    let (ear, key) = (Arc::new(Ear::default()), key("secret-1"));
    let store = RedisDataStore::open(options(&server).observer(ear.clone())).unwrap();
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    let request = EntryRequest::new([key.clone()]);
    assert!(store.get_entry(&request).await.unwrap().is_none());
    for lcut in [5, 5, 4, 6] {
        store.put_entry(&key.name, &payload(lcut), PutMode::IfNewer).await.unwrap();
        let known = store.get_entry(&request).await.unwrap().unwrap().version;
        assert!(store.get_entry(&request.clone().unless_known(known)).await.unwrap().is_none());
    }
    let follows = request.clone().unless_known(payload(5).version);
    assert!(store.get_entry(&follows).await.unwrap().is_some());
    soon("the notice", feed.next()).await;
    let operations = |op, outcome| ear.counter(&format!("redis.operations_count op={op} outcome={outcome}"));
    assert_eq!((operations("put_entry", "written"), operations("put_entry", "refreshed")), (2, 1));
    assert_eq!((operations("put_entry", "older"), operations("get_entry", "miss")), (1, 1));
    assert_eq!((operations("get_entry", "hit"), operations("get_entry", "unchanged")), (5, 4));
    assert_eq!(ear.measured("redis.command.latency role=store op=put outcome=ok"), 4, "EVALSHA, once EVAL");
    assert_eq!(ear.measured("redis.payload_bytes direction=written format=plain_text"), 2);
    assert_eq!(ear.measured("redis.payload_bytes direction=read format=plain_text"), 5);
    let entries = ear.gauges.lock().unwrap().clone();
    let lcut = entries.iter().find(|(name, _)| name.starts_with("redis.entry_lcut_ms key=")).unwrap();
    assert!(*lcut.1 == 6.0 && !lcut.0.contains("secret"), "{lcut:?}");
    assert!(ear.names().contains(&"redis.propagation".to_owned()));
    assert!(ear.counter("redis.feed.notices_count") >= 1);
    assert_eq!(ear.gauge("redis.feed.subscriptions"), Some(1.0));
    assert_eq!(undocumented(&ear), [""; 0]);
}

#[tokio::test]
async fn how_old_payloads_are_and_how_they_came_is_measured() {
    let server = RedisServer::start().unwrap();
    let (ear, key) = (Arc::new(Ear::default()), key("secret-1"));
    let (writer, request) = (open(&server), EntryRequest::new([key.clone()]));
    let store = RedisDataStore::open(options(&server).observer(ear.clone())).unwrap();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let old = since.as_millis() as u64 - 90_000;
    let put = async |lcut| writer.put_entry(&key.name, &payload(lcut), PutMode::IfNewer).await.unwrap();
    let read = async |known: Option<u64>| {
        let known = known.and_then(|lcut| payload(lcut).version);
        store.get_entry(&request.clone().unless_known(known)).await.unwrap()
    };
    let sum = |name: &str, tag: &str| -> u64 {
        let heard = ear.distributions.lock().unwrap();
        heard.iter().filter(|(text, _)| text.starts_with(name) && text.contains(tag)).map(|(_, times)| times).sum()
    };
    let came = || (sum("redis.propagation", "via=pubsub"), sum("redis.propagation", "via=poll"));
    let age = || {
        let mut gauges = ear.gauges.lock().unwrap();
        let name = gauges.keys().find(|name| name.starts_with("redis.entry_age_seconds key=")).cloned();
        name.and_then(|name| gauges.remove(&name))
    };
    // The first one comes late by nature.
    put(old).await;
    assert!(read(None).await.is_some() && came() == (0, 0));
    assert!(age().is_some_and(|age| (90.0..3_600.0).contains(&age)));
    // What is there gets older, also while there is no news.
    assert!(read(Some(old)).await.is_none());
    assert!(age().is_some_and(|age| (90.0..3_600.0).contains(&age)));
    // Nobody told.
    put(old + 1).await;
    assert!(read(Some(old)).await.is_some() && came() == (0, 1));
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    for lcut in [old + 2, old + 3] {
        put(lcut).await;
        assert!(matches!(soon("the notice", feed.next()).await, Some(ChangeHint::Changed { .. })));
        assert!(read(Some(lcut - 1)).await.is_some());
    }
    assert_eq!(came(), (2, 1));
    // A notice that is read is used up.
    drop(feed);
    soon("the subscription to end", async {
        while store.stats().subscriptions > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    put(old + 4).await;
    assert!(read(Some(old + 3)).await.is_some() && came() == (2, 2));
    // Of what lies in the future, as the clock of this host has it.
    put(old + 3_600_000).await;
    assert!(read(Some(old)).await.is_some());
    assert_eq!(age(), Some(0.0));
    assert_eq!(undocumented(&ear), [""; 0]);
}

#[tokio::test]
async fn outages_are_measured() {
    let mut server = RedisServer::start().unwrap();
    let (ear, key) = (Arc::new(Ear::default()), key("secret-1"));
    let timeout = Duration::from_millis(200);
    let options = options(&server).read_timeout(timeout).connect_timeout(timeout).observer(ear.clone());
    let store = RedisDataStore::open(options).unwrap();
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    store.initialize().await.unwrap();
    server.kill().unwrap();
    soon("the breaker to open", async {
        while ear.gauge("redis.breakers_open role=store") != Some(1.0) {
            assert!(store.initialize().await.is_err());
        }
    })
    .await;
    assert!(store.initialize().await.is_err());
    assert!(ear.counter("redis.breaker_openings_count role=store") >= 1);
    assert!(ear.counter("redis.refused_count role=store op=ping") >= 1);
    assert!(ear.counter("redis.retries_count role=store op=ping") >= 1);
    assert!(ear.measured("redis.command.latency role=store op=ping outcome=unavailable") >= 5);
    assert!(ear.counter("redis.operations_count op=initialize outcome=unavailable") >= 2);
    server.restart().unwrap();
    soon("the store to heal", async {
        while store.initialize().await.is_err() {
            tokio::task::yield_now().await;
        }
        while feed.next().await != Some(ChangeHint::Subscribed) {}
    })
    .await;
    assert_eq!(ear.gauge("redis.breakers_open role=store"), Some(0.0));
    assert!(ear.counter("redis.reconnects_count role=store") >= 1);
    assert_eq!(ear.counter("redis.feed.interruptions_count"), 1);
    assert_eq!(ear.counter("redis.feed.resubscriptions_count"), 1);
    assert_eq!(undocumented(&ear), [""; 0]);
}

/// An observer with a bug.
struct Panics;

impl Observer for Panics {
    fn increment(&self, _: &str, _: u64, _: &[Tag<'_>]) {
        panic!("the observer has a bug");
    }

    fn gauge(&self, _: &str, _: f64, _: &[Tag<'_>]) {
        panic!("the observer has a bug");
    }

    fn distribution(&self, _: &str, _: f64, _: &[Tag<'_>]) {
        panic!("the observer has a bug");
    }
}

#[tokio::test]
async fn an_observer_that_panics_harms_nothing() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    let store = RedisDataStore::open(options(&server).observer(Arc::new(Panics))).unwrap();
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    assert!(matches!(soon("the notice", feed.next()).await, Some(ChangeHint::Changed { .. })));
    assert!(store.get_entry(&EntryRequest::new([key])).await.unwrap().is_some());
}
