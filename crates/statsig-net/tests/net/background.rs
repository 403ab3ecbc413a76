//! What goes on in the background: polls, fallback, streams, pauses, the end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{
    ChangeFeed, ChangeHint, Clock, DataStore, DataStoreError, EvaluationContext, EvaluationSettings, InMemoryDataStore,
    KeySchema, Reach, Snapshot, SnapshotStore, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest,
    SpecSource, SpecUpdate, StatsigUser, StoreFormat, StoreKey, StoreKeys, StorePath, StoreResponse, StreamEvent,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource};
use statsig_net::{
    AttemptOutcome, PollingState, RulesetTarget, SpecSources, SpecSync, StreamState, SyncOptions, UpdatesBy,
};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::common::{KEY, Scripted, Stream, clock, key, network, settle, single, specs, specs_with_checksum, until};

const SECOND: Duration = Duration::from_secs(1);

fn empty() -> Arc<SnapshotStore> {
    Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)))
}

fn options() -> SyncOptions {
    let mut options = SyncOptions::default();
    options.jitter_seed = Some(1);
    options
}

fn start(options: SyncOptions, store: &Arc<SnapshotStore>, sources: SpecSources) -> SpecSync {
    SpecSync::new(options, RulesetTarget::new(Arc::clone(store)), sources, clock(), &Handle::current())
}

fn gate(store: &SnapshotStore) -> bool {
    let (snapshot, settings, clock) = (store.load_full(), EvaluationSettings::new(), clock());
    let user = StatsigUser::with_user_id("u");
    EvaluationContext::new(&snapshot, &user, &settings, &*clock as &dyn Clock).check_gate("beta")
}

#[tokio::test]
async fn polls_keep_their_pace_and_a_server_is_left_alone_when_it_asks() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs_with_checksum(1, true, "7"));
    let (source, mut exchanges) = single(&server);
    let sync = start(options(), &empty(), SpecSources::new().then(source));
    sync.initialize().await;
    assert_eq!(sync.health().polling, PollingState::Regular);
    // The first one comes anywhere within an interval, each later one after 9 to 11 seconds.
    assert!(exchanges.next(&time).await <= 10 * SECOND);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        pauses.push(exchanges.next(&time).await.as_secs_f64());
    }
    assert!(pauses.iter().all(|pause| (8.9..=11.2).contains(pause)), "{pauses:?}");
    assert!(pauses.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.15), "{pauses:?}");
    let asked = &server.requests()[4];
    assert_eq!((asked.query("sinceTime"), asked.query("checksum")), (Some("1"), Some("7")));

    server.fail_always(Endpoint::SpecsV2, Some(Fault::StatusWith(503, "retry-after", "100".into())));
    exchanges.next(&time).await;
    let pause = exchanges.next(&time).await;
    assert!(pause >= 100 * SECOND && pause <= 111 * SECOND, "{pause:?}");
    // While it fails without saying for how long, pauses are anything up to the interval.
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, String::new())));
    exchanges.next(&time).await;
    let mut pauses = Vec::new();
    for _ in 0..20 {
        pauses.push(exchanges.next(&time).await.as_secs_f64());
    }
    // The attempts of one poll take up to two seconds.
    assert!(pauses.iter().all(|pause| (1.0..=12.0).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause < 6.0) && pauses.iter().any(|pause| *pause > 6.5), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn pauses_after_failures_grow_to_ten_seconds_or_as_the_options_say() {
    for (longest, most) in [(None, 10.0), (Some(40 * SECOND), 40.0), (Some(Duration::ZERO), 1.0)] {
        let network = Told::network(|_| Err(down()));
        let mut options = options();
        (options.poll_interval, options.max_poll_backoff) = (SECOND, longest);
        let sync = start(options, &empty(), SpecSources::new().then(network.clone()));
        sync.initialize().await;
        tokio::time::sleep(600 * SECOND).await;
        // The first poll comes at once, since the start was in vain.
        let pauses = &network.pauses()[1..];
        assert!(pauses.iter().all(|pause| (1.0..=most + 0.1).contains(pause)), "{pauses:?}");
        assert!(pauses[0] <= 2.1 && pauses[1] <= 4.1, "they grow: {pauses:?}");
        assert!(most < 2.0 || pauses.iter().any(|pause| *pause > 0.7 * most), "{pauses:?}");
        // Soon after the end of the outage specs are there.
        *network.answer.lock().unwrap() = Box::new(gives(SpecOrigin::Network, 90));
        let begun = Instant::now();
        reaches(&sync, 90).await;
        assert!(begun.elapsed().as_secs_f64() <= most + 0.1);
        sync.shutdown(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_back_ends_the_pauses_of_others_but_not_those_that_servers_asked_for() {
    let first = Told::network(|_| Err(down()));
    let second = Told::new(adapter(), |_| Err(down()));
    let third = Told::new(SpecOrigin::Adapter("Third".into()), |_| Err(down().with_retry_after(Some(200 * SECOND))));
    let mut options = options();
    (options.poll_interval, options.max_poll_backoff) = (SECOND, Some(100 * SECOND));
    let sources = SpecSources::new().then(first.clone()).then(second.clone()).then(third.clone());
    let sync = start(options, &empty(), sources);
    sync.initialize().await;
    tokio::time::sleep(300 * SECOND).await;
    *first.answer.lock().unwrap() = Box::new(|held| match held {
        0 => gives(SpecOrigin::Network, 90)(0),
        _ => Ok(SpecFetch::Behind),
    });
    reaches(&sync, 90).await;
    let (of_second, of_third) = (second.asked(), third.asked());
    tokio::time::sleep(3 * SECOND).await;
    assert!(second.asked() > of_second, "asked again, though it had failed for five minutes");
    assert_eq!(third.asked(), of_third, "left alone as it asked");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_nothing_is_polled_at_the_regular_rate() {
    use SourceErrorKind::{Empty, Invalid, Unreachable};
    for (kind, regular) in [(Empty, true), (Invalid, true), (Unreachable, false)] {
        let other = Told::new(adapter(), move |_| Err(SourceError::new(kind, "no")));
        let mut options = options();
        options.poll_interval = SECOND;
        let sync = start(options, &empty(), SpecSources::new().then(other.clone()));
        sync.initialize().await;
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(other.asked() > 80, regular, "{kind}: {}", other.asked());
        assert!(sync.health().failures > 10, "it is a failure all the same");
        sync.shutdown(SECOND).await;
    }
}

#[tokio::test]
async fn polls_can_be_paused_and_asked_for() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1, true));
    let store = empty();
    let (source, mut exchanges) = single(&server);
    let sync = start(options(), &store, SpecSources::new().then(source));
    sync.initialize().await;
    sync.pause_polling();
    assert_eq!(sync.health().polling, PollingState::Paused);
    time.advance(300 * SECOND).await;
    assert_eq!(exchanges.count(), 1);

    server.publish_specs(specs(2, false));
    let report = sync.sync_now().await;
    assert!(report.updated && report.success && !gate(&store));
    let report = sync.sync_now().await;
    assert_eq!((report.updated, &report.attempts[0].outcome), (false, &AttemptOutcome::Unchanged));
    server.fail_once(Endpoint::SpecsV2, Fault::Status(500, String::new()));
    assert!(!sync.sync_now().await.success);

    sync.resume_polling();
    exchanges.next(&time).await;
}

#[tokio::test]
async fn documents_older_equal_and_of_the_same_checksum() {
    let server = FakeStatsig::start().unwrap();
    let store = empty();
    server.publish_specs(specs_with_checksum(5, true, "a"));
    let sync = start(options(), &store, SpecSources::new().then(single(&server).0));
    sync.initialize().await;
    sync.pause_polling();
    use AttemptOutcome::{Applied, Older, Unchanged};
    for (document, outcome, in_force, asked_since) in [
        (specs(4, false), Older, 5, 5),
        (specs_with_checksum(5, true, "a"), Unchanged, 5, 5),
        (specs_with_checksum(5, false, "b"), Applied, 5, 5),
        (specs_with_checksum(9, true, "b"), Unchanged, 5, 9),
        (specs(10, true), Applied, 10, 10),
        (specs(10, true), Unchanged, 10, 10),
        (r#"{"has_updates":false}"#.into(), Unchanged, 10, 10),
        (specs(10, false), Applied, 10, 10),
    ] {
        server.fail_once(Endpoint::SpecsV2, Fault::Body(document.clone().into_bytes()));
        let report = sync.sync_now().await;
        assert_eq!(report.attempts[0].outcome, outcome, "{document}");
        assert_eq!(store.load().ruleset().meta().time, in_force);
        sync.sync_now().await;
        let asked = server.requests().last().unwrap().query("sinceTime").map(str::to_owned);
        assert_eq!(asked, Some(asked_since.to_string()));
    }
    assert_eq!(sync.health().older, 1);
}

#[tokio::test]
async fn the_fallback_is_asked_by_every_fifth_failure() {
    let time = FrozenTime::start();
    let (proxy, statsig) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    proxy.publish_specs(specs(1, true));
    statsig.publish_specs(specs(2, false));
    let store = empty();
    let (source, mut exchanges) = single(&proxy);
    let mut sources = SpecSources::new().then(source);
    sources.fallback = Some(single(&statsig).0);
    let sync = start(options(), &store, sources);
    sync.initialize().await;
    proxy.fail_always(Endpoint::SpecsV2, Some(Fault::Status(502, String::new())));
    for failures in 1..=4 {
        exchanges.next(&time).await;
        settle().await;
        while sync.health().failures < failures {
            settle().await;
        }
        assert_eq!((statsig.requests().len(), sync.health().failures), (0, failures));
    }
    exchanges.next(&time).await;
    sync.subscribe().wait_for(|time| *time == 2).await.unwrap();
    while sync.health().failures > 0 {
        settle().await;
    }
    assert_eq!(statsig.requests().len(), 1);
    assert!(!gate(&store));
}

async fn stored(document: &str) -> Arc<InMemoryDataStore> {
    let store = Arc::new(InMemoryDataStore::new());
    put(&store, document).await;
    store
}

async fn put(store: &InMemoryDataStore, document: &str) {
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    store.set(&name, document, None).await.unwrap();
}

#[tokio::test]
async fn a_store_that_lags_behind_hides_the_network_only_as_long_as_it_may() {
    let time = FrozenTime::start();
    for max_silence in [None, Some(30 * SECOND)] {
        let server = FakeStatsig::start().unwrap();
        let kept = stored(&specs(50, true)).await;
        server.publish_specs(specs(90, false));
        let store = empty();
        let (source, mut exchanges) = single(&server);
        let from_store =
            DataStoreSpecSource::new(Arc::clone(&kept) as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
        let mut options = options();
        options.max_silence = max_silence;
        let sync = start(options, &store, SpecSources::new().then(Arc::new(from_store)).then(source));
        assert_eq!(sync.initialize().await.specs_time, 50);
        if max_silence.is_none() {
            time.advance(60 * SECOND).await;
            assert_eq!(server.requests().len(), 0);
            continue;
        }
        exchanges.next(&time).await;
        sync.subscribe().wait_for(|time| *time == 90).await.unwrap();
        // The store is behind: it hides nothing from who asks, and takes nothing back.
        put(&kept, &specs(60, true)).await;
        let report = sync.sync_now().await;
        let outcomes: Vec<_> = report.attempts.into_iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Older, AttemptOutcome::Unchanged]);
        assert_eq!(store.load().ruleset().meta().time, 90);
    }
}

#[tokio::test]
async fn a_store_that_tells_of_changes_does_not_pass_for_the_network() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(90, false));
    let kept = stored(&specs(50, true)).await;
    let from_store = DataStoreSpecSource::new(kept as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
    let (source, _exchanges) = single(&server);
    let sources = SpecSources::new().with_stream(Arc::new(from_store.stream())).then(Arc::new(from_store)).then(source);
    let sync = start(options(), &empty(), sources);
    assert_eq!(sync.initialize().await.specs_time, 50);
    // The feed lives, and the store has nothing new; the first poll asks the network all the same.
    time.advance(SECOND).await;
    sync.subscribe().wait_for(|time| *time == 90).await.unwrap();
    until(|| sync.health().streams[0].state == StreamState::Live).await;
    assert_eq!(sync.health().polling, PollingState::Regular);
}

/// The answer of a [`Told`] source to one who holds specs of this time.
type Answer = dyn Fn(u64) -> Result<SpecFetch, SourceError> + Send + Sync;

/// A source that answers as it is told, and notes when it was asked.
struct Told {
    kind: SpecOrigin,
    answer: Mutex<Box<Answer>>,
    asked: Mutex<Vec<Instant>>,
}

impl Told {
    fn new(
        kind: SpecOrigin,
        answer: impl Fn(u64) -> Result<SpecFetch, SourceError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { kind, answer: Mutex::new(Box::new(answer)), asked: Mutex::default() })
    }
    fn network(answer: impl Fn(u64) -> Result<SpecFetch, SourceError> + Send + Sync + 'static) -> Arc<Self> {
        Self::new(SpecOrigin::Network, answer)
    }
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
    /// Seconds between questions.
    fn pauses(&self) -> Vec<f64> {
        self.asked.lock().unwrap().windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect()
    }
    fn shortest_pause(&self) -> Duration {
        self.asked.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).min().unwrap()
    }
}

#[async_trait::async_trait]
impl SpecSource for Told {
    fn name(&self) -> &str {
        if self.kind == SpecOrigin::Network { "network" } else { "other" }
    }
    fn origin(&self) -> SpecOrigin {
        self.kind.clone()
    }
    fn reach(&self) -> Reach {
        if self.kind == SpecOrigin::Network { Reach::Upstream } else { Reach::Shared }
    }
    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        self.asked.lock().unwrap().push(Instant::now());
        (self.answer.lock().unwrap())(request.since_time_ms())
    }
}

/// Gives specs of this time to those who hold older ones.
fn gives(kind: SpecOrigin, time: u64) -> impl Fn(u64) -> Result<SpecFetch, SourceError> {
    move |held| {
        let update = || SpecUpdate::new(specs(time, true).into_bytes(), kind.clone(), Reach::Upstream, 0);
        Ok(if held < time { SpecFetch::Updated(update()) } else { SpecFetch::Unchanged })
    }
}

fn down() -> SourceError {
    SourceError::new(SourceErrorKind::Unreachable, "down")
}

/// Waits for specs of this time, at most an hour of a clock that moves by itself.
async fn reaches(sync: &SpecSync, time: u64) {
    let mut updates = sync.subscribe();
    tokio::time::timeout(3_600 * SECOND, updates.wait_for(|now| *now == time)).await.unwrap().unwrap();
}

fn adapter() -> SpecOrigin {
    SpecOrigin::Adapter("Other".into())
}

#[tokio::test(start_paused = true)]
async fn the_feed_of_a_store_does_not_slow_down_the_polls_of_the_network() {
    let kept = stored(&specs(50, true)).await;
    let from_store = DataStoreSpecSource::new(kept.clone(), &key(), KeySchema::Hashed, clock());
    let network = Told::network(gives(SpecOrigin::Network, 50));
    let with_feed = SpecSources::new().with_stream(Arc::new(from_store.stream())).then(Arc::new(from_store.clone()));
    let sync = start(options(), &empty(), with_feed.clone().then(network.clone()));
    assert_eq!(sync.initialize().await.specs_time, 50);
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!((sync.health().streams[0].state, sync.health().polling), (StreamState::Live, PollingState::Regular));
    assert!((8..=13).contains(&network.asked()), "{}", network.asked());
    sync.shutdown(SECOND).await;

    // With nothing but the store, it is polled while the feed is quiet. The first one was closed with its client.
    let kept = stored(&specs(50, true)).await;
    let from_store = DataStoreSpecSource::new(kept.clone(), &key(), KeySchema::Hashed, clock());
    let alone = SpecSources::new().with_stream(Arc::new(from_store.stream())).then(Arc::new(from_store));
    let sync = start(options(), &empty(), alone);
    sync.initialize().await;
    tokio::time::sleep(100 * SECOND).await;
    let health = sync.health();
    assert_eq!((health.streams[0].state, health.polling), (StreamState::Live, PollingState::Regular));
    assert_eq!(health.streams[0].updates, Some(UpdatesBy::Polling { every: 10 * SECOND }));
    assert!((8..=13).contains(&health.questions), "{}", health.questions);
    // While notices come, no poll is needed.
    for time in 51..=90 {
        put(&kept, &specs(time, true)).await;
        tokio::time::sleep(5 * SECOND).await;
    }
    let health = sync.health();
    assert_eq!((health.specs_time, health.streams[0].updates), (90, Some(UpdatesBy::Notices)));
    assert!(health.streams[0].last_notice.unwrap() < 6 * SECOND);
    let polls = health.sources.iter().find(|source| source.name == "data-store").unwrap().questions;
    assert!(polls <= 15, "{polls}");
}

/// A store whose changes are announced only when the test says so.
#[derive(Clone)]
struct SometimesAnnounced(InMemoryDataStore, tokio::sync::broadcast::Sender<ChangeHint>);

struct Announcements(Option<ChangeHint>, tokio::sync::broadcast::Receiver<ChangeHint>);

#[async_trait::async_trait]
impl ChangeFeed for Announcements {
    async fn next(&mut self) -> Option<ChangeHint> {
        match self.0.take() {
            Some(first) => Some(first),
            None => self.1.recv().await.ok(),
        }
    }
}

#[async_trait::async_trait]
impl DataStore for SometimesAnnounced {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.0.get(key).await
    }
    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.0.set(key, value, time).await
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        true
    }
    async fn watch(&self, _: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        Ok(Some(Box::new(Announcements(Some(ChangeHint::Subscribed), self.1.subscribe()))))
    }
}

#[tokio::test(start_paused = true)]
async fn entries_of_writers_that_announce_nothing_are_read_within_an_interval() {
    for with_network in [false, true] {
        let announced = SometimesAnnounced(InMemoryDataStore::new(), tokio::sync::broadcast::Sender::new(8));
        let from_store = DataStoreSpecSource::new(Arc::new(announced.clone()), &key(), KeySchema::Hashed, clock());
        let mut sources =
            SpecSources::new().with_stream(Arc::new(from_store.stream())).then(Arc::new(from_store.clone()));
        let network = Told::network(|_| Ok(SpecFetch::Behind));
        if with_network {
            sources = sources.then(network.clone());
        }
        // The first entry comes long after the start.
        let sync = start(options(), &empty(), sources);
        sync.initialize().await;
        tokio::time::sleep(95 * SECOND).await;
        let sees = async |time: u64| {
            put(&announced.0, &specs(time, true)).await;
            let begun = Instant::now();
            reaches(&sync, time).await;
            begun.elapsed()
        };
        for time in [50, 60, 70] {
            assert!(sees(time).await <= 12 * SECOND, "{time}");
        }
        // Also after a writer that does announce, and is followed by one that does not.
        put(&announced.0, &specs(80, true)).await;
        announced.1.send(ChangeHint::Changed { key: "any".into(), lcut: None }).unwrap();
        let begun = Instant::now();
        reaches(&sync, 80).await;
        assert!(begun.elapsed() < SECOND);
        assert_eq!(sync.health().streams[0].updates, Some(UpdatesBy::Notices));
        assert!(sees(90).await <= 23 * SECOND);
        assert_eq!(sync.health().streams[0].updates, Some(UpdatesBy::Polling { every: 10 * SECOND }));
        // The store does not stand in for the network.
        let asked = network.asked();
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(network.asked() >= asked + 5, with_network);
        sync.shutdown(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_does_not_hide_that_the_network_fails() {
    let other = Told::new(adapter(), gives(adapter(), 50));
    let network = Told::network(|_| Err(down()));
    let statsig = Told::network(gives(SpecOrigin::Network, 90));
    let mut sources = SpecSources::new().then(other.clone()).then(network.clone());
    sources.fallback = Some(statsig.clone());
    let sync = start(options(), &empty(), sources);
    assert_eq!(sync.initialize().await.specs_time, 50);
    reaches(&sync, 90).await;
    assert_eq!((network.asked(), statsig.asked()), (5, 1));
    // The network is polled no more often than the store.
    assert!(network.shortest_pause() >= 8 * SECOND && other.asked() >= network.asked(), "{}", other.asked());
}

#[tokio::test(start_paused = true)]
async fn a_server_is_left_alone_when_it_asks_although_a_store_answers() {
    let other = Told::new(adapter(), gives(adapter(), 50));
    let network = Told::network(|_| Err(down().with_retry_after(Some(100 * SECOND))));
    let sources = SpecSources::new().then(other.clone()).then(network.clone());
    let sync = start(options(), &empty(), sources);
    sync.initialize().await;
    tokio::time::sleep(1_000 * SECOND).await;
    assert!(network.asked() >= 8 && network.shortest_pause() >= 100 * SECOND, "{:?}", network.shortest_pause());
    assert!(other.asked() > 80, "{}", other.asked());
    let asked = network.asked();
    sync.sync_now().await;
    assert_eq!(network.asked(), asked + 1, "who asks now means now");
}

#[tokio::test(start_paused = true)]
async fn polls_begin_although_the_first_specs_are_a_streams_business() {
    let kept = stored(&specs(1, true)).await;
    let mute = DataStoreSpecSource::new(Arc::new(Mute(kept)), &key(), KeySchema::Hashed, clock());
    let network = Told::network(gives(SpecOrigin::Network, 5));
    let mut sources = SpecSources::new().with_stream(Arc::new(mute.stream())).then(network);
    sources.initial.clear();
    let sync = start(options(), &empty(), sources);
    let details = sync.initialize().await;
    assert_eq!((details.specs_time, details.timed_out), (5, false));
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_a_stream_counts_while_polls_are_paused() {
    let other = Told::new(adapter(), gives(adapter(), 50));
    let scripted = Arc::new(Scripted::default());
    let sources = SpecSources::new().then(other.clone()).with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let sync = start(options(), &empty(), sources);
    sync.initialize().await;
    sync.pause_polling();
    tokio::time::sleep(1_000 * SECOND).await;
    *other.answer.lock().unwrap() = Box::new(gives(adapter(), 60));
    let asked = other.asked();
    scripted.say(Ok(StreamEvent::Changed));
    reaches(&sync, 60).await;
    tokio::time::sleep(1_000 * SECOND).await;
    assert_eq!((other.asked(), sync.health().polling), (asked + 1, PollingState::Paused));
}

#[tokio::test]
async fn documents_are_judged_one_at_a_time_though_nobody_waits_any_more() {
    let source = Arc::new(BootstrapSpecSource::new(specs(1, true).into_bytes(), clock()));
    let store = empty();
    let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let mut options = options();
    options.on_update = Some(Arc::new(move |updated| {
        let _ = entered.send(updated.time);
        if updated.time == 2 {
            let _ = held.lock().unwrap().recv();
        }
    }));
    let sync = Arc::new(start(options, &store, SpecSources::new().then(source.clone())));
    sync.initialize().await;
    let ask = || {
        let sync = Arc::clone(&sync);
        tokio::spawn(async move { sync.sync_now().await })
    };
    source.set(specs(2, true).into_bytes());
    let given_up = ask();
    while inside.recv().await != Some(2) {}
    given_up.abort();
    source.set(specs(3, true).into_bytes());
    let next = ask();
    settle().await;
    assert_eq!(store.load().ruleset().meta().time, 2, "two at a time");
    release.send(()).unwrap();
    assert!(next.await.unwrap().updated);
    assert_eq!(store.load().ruleset().meta().time, 3);
}

/// A store without a change feed.
struct Mute(Arc<InMemoryDataStore>);

#[async_trait::async_trait]
impl DataStore for Mute {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        self.0.initialize().await
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        self.0.shutdown().await
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.0.get(key).await
    }
    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.0.set(key, value, time).await
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        true
    }
    async fn watch(&self, _: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        // By then the first poll is over.
        tokio::time::sleep(2 * SECOND).await;
        Ok(None)
    }
}

#[tokio::test]
async fn a_store_that_does_not_tell_of_changes_is_polled() {
    let time = FrozenTime::start();
    let kept = stored(&specs(1, true)).await;
    let from_store = DataStoreSpecSource::new(Arc::new(Mute(kept.clone())), &key(), KeySchema::Hashed, clock());
    let sources = SpecSources::new().with_stream(Arc::new(from_store.stream())).then(Arc::new(from_store));
    let sync = start(options(), &empty(), sources);
    assert_eq!(sync.initialize().await.specs_time, 1);
    settle().await;
    put(&kept, &specs(2, true)).await;
    time.advance(14 * SECOND).await;
    sync.subscribe().wait_for(|time| *time == 2).await.unwrap();
    let health = sync.health();
    assert_eq!(
        (health.streams[0].state, health.polling, health.failures),
        (StreamState::Off, PollingState::Regular, 0)
    );
    assert_eq!(health.last_error, None);
}

#[tokio::test]
async fn specs_that_have_not_changed_for_long_make_polls_go_on() {
    for (threshold, asked) in [(Duration::from_millis(500), 1), (Duration::from_secs(86_400 * 36_500), 0)] {
        let (proxy, statsig) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
        proxy.publish_specs(specs(50, true));
        let mut options = options();
        options.out_of_sync_threshold = Some(threshold);
        let mut sources = SpecSources::new().then(single(&proxy).0).then(single(&statsig).0);
        sources.initial.truncate(1);
        let time = FrozenTime::start();
        statsig.publish_specs(specs(90, false));
        let sync = start(options, &empty(), sources);
        sync.initialize().await;
        time.advance(10 * SECOND).await;
        if asked > 0 {
            statsig.wait_for_requests(Endpoint::SpecsV2, asked).await;
            sync.subscribe().wait_for(|time| *time == 90).await.unwrap();
        } else {
            proxy.wait_for_requests(Endpoint::SpecsV2, 2).await;
            for _ in 0..5 {
                settle().await;
            }
            assert_eq!(statsig.requests().len(), 0);
        }
        sync.shutdown(SECOND).await;
        drop(time);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn new_specs_in_a_store_or_a_file_come_by_themselves() {
    let time = FrozenTime::start();
    let kept = stored(&specs(1, true)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specs.json");
    let from_store =
        DataStoreSpecSource::new(Arc::clone(&kept) as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
    let from_file = FileSpecSource::new(&path, clock());
    let mut sources =
        SpecSources::new().with_stream(Arc::new(from_store.stream())).with_stream(Arc::new(from_file.stream()));
    sources.initial = vec![Arc::new(from_store.clone())];
    let store = empty();
    let sync = start(options(), &store, sources);
    assert_eq!(sync.initialize().await.specs_time, 1);
    let mut updates = sync.subscribe();
    put(&kept, &specs(2, true)).await;
    updates.wait_for(|time| *time == 2).await.unwrap();
    // Half a document is no document.
    let whole = specs(3, true);
    std::fs::write(&path, &whole[..50]).unwrap();
    while sync.health().streams[1].last_error.is_none() {
        time.advance(SECOND).await;
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }
    assert_eq!(*updates.borrow(), 2);
    std::fs::write(&path, &whole).unwrap();
    while *updates.borrow() != 3 {
        time.advance(SECOND).await;
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }
    assert_eq!(store.load().source(), &SpecOrigin::Adapter("FileBased".into()));
    sync.shutdown(SECOND).await;
}

#[tokio::test]
async fn polling_takes_over_from_a_stream_and_gives_back() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(100, true));
    let (source, mut exchanges) = single(&server);
    let scripted = Arc::new(Scripted::default());
    let sources = SpecSources::new().then(source).with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let store = empty();
    let sync = start(options(), &store, sources);
    for round in 0..3 {
        let base = 100 + 100 * round;
        if round == 0 {
            scripted.say(Ok(StreamEvent::NoUpdate { time_ms: 100 }));
            assert_eq!(sync.initialize().await.specs_time, 100);
        } else {
            scripted.refuses.store(false, Ordering::Relaxed);
            scripted.say(Scripted::specs(specs(base, true)));
            while sync.health().streams[0].state != StreamState::Live {
                time.advance(SECOND).await;
                settle().await;
            }
        }
        settle().await;
        let live = sync.health();
        assert_eq!(
            (live.streams[0].state, live.streams[0].failures, live.polling),
            (StreamState::Live, 0, PollingState::Slow)
        );
        assert_eq!(live.streams[0].reconnections, round);

        // Alive: polls are rare.
        let polled = exchanges.count();
        for _ in 0..4 {
            time.advance(60 * SECOND).await;
            scripted.say(Ok(StreamEvent::NoUpdate { time_ms: base }));
            settle().await;
        }
        assert!(exchanges.count() <= polled + 1);

        // Down: after four failures in vain, polling takes over at once.
        scripted.refuses.store(true, Ordering::Relaxed);
        scripted.say(Err(()));
        settle().await;
        server.publish_specs(specs(base + 50, true));
        assert_eq!(sync.health().polling, PollingState::Slow);
        let polled = exchanges.count();
        while !sync.health().streams[0].failed_over {
            time.advance(SECOND).await;
            settle().await;
        }
        assert_eq!(sync.health().streams[0].failures, 5);
        exchanges.ended(polled + 1).await;
        sync.subscribe().wait_for(|time| *time == base + 50).await.unwrap();
        assert_eq!(sync.health().polling, PollingState::Regular);
        // Also after one that was caught out by the clock, much sooner than at the slow rate.
        assert!(exchanges.next(&time).await <= 62 * SECOND);
        // Who connects again says what is held, not what was streamed.
        assert!(scripted.cursors.lock().unwrap().last().unwrap().since_time_ms() <= base + 50);
    }
    scripted.refuses.store(false, Ordering::Relaxed);
    while sync.health().streams[0].state != StreamState::Connecting {
        time.advance(SECOND).await;
        settle().await;
    }
    assert_eq!(scripted.cursors.lock().unwrap().last().unwrap().since_time_ms(), 350);
    sync.shutdown(SECOND).await;
}

#[tokio::test]
async fn streams_that_are_silent_or_talk_rubbish_are_connected_again() {
    let time = FrozenTime::start();
    let scripted = Arc::new(Scripted::default());
    let sources = SpecSources::new().with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let store = empty();
    let sync = Arc::new(start(options(), &store, sources));
    // Nobody else brings the first specs: it is the stream that is waited for.
    scripted.say(Scripted::specs(specs(1, true)));
    let details = sync.initialize().await;
    assert_eq!((details.specs_time, details.source), (1, SpecOrigin::Adapter("Scripted".into())));
    let subscriptions = || scripted.subscriptions.load(Ordering::Relaxed);
    settle().await;
    assert_eq!(subscriptions(), 1);
    time.advance(89 * SECOND).await;
    assert_eq!(subscriptions(), 1);
    time.advance(3 * SECOND).await;
    settle().await;
    assert_eq!(subscriptions(), 2);
    // The new one says nothing at all.
    time.advance(14 * SECOND).await;
    settle().await;
    assert!(subscriptions() >= 3 && sync.health().streams[0].failures >= 2);
    for event in [Scripted::specs("rubbish".into()), Ok(StreamEvent::NoUpdate { time_ms: 2 })] {
        let before = subscriptions();
        scripted.say(event);
        while subscriptions() == before {
            time.advance(SECOND).await;
            settle().await;
        }
    }
    scripted.say(Scripted::specs(specs(2, false)));
    sync.subscribe().wait_for(|time| *time == 2).await.unwrap();
    assert!(!gate(&store));
    // A good end is an end all the same.
    let before = subscriptions();
    scripted.ends.store(true, Ordering::Relaxed);
    scripted.say(Err(()));
    scripted.say(Scripted::specs(specs(3, true)));
    while *sync.subscribe().borrow() != 3 {
        time.advance(SECOND).await;
        settle().await;
    }
    assert!(subscriptions() > before && gate(&store));
}

#[tokio::test]
async fn nothing_goes_on_after_the_end() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1, true));
    for shut_down in [true, false] {
        let scripted = Arc::new(Scripted::default());
        scripted.refuses.store(true, Ordering::Relaxed);
        let (source, exchanges) = single(&server);
        let store = empty();
        let sources = SpecSources::new().then(source).with_stream(Arc::new(Stream(Arc::clone(&scripted))));
        let sync = start(options(), &store, sources);
        sync.initialize().await;
        time.advance(20 * SECOND).await;
        settle().await;
        // A poller that waits to go on ends as well.
        sync.pause_polling();
        time.advance(60 * SECOND).await;
        if shut_down {
            let begun = tokio::time::Instant::now();
            sync.shutdown(60 * SECOND).await;
            assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
            assert!(!sync.sync_now().await.success);
        } else {
            drop(sync);
        }
        settle().await;
        let (polled, subscribed) = (exchanges.count(), scripted.subscriptions.load(Ordering::Relaxed));
        time.advance(600 * SECOND).await;
        settle().await;
        assert_eq!((exchanges.count(), scripted.subscriptions.load(Ordering::Relaxed)), (polled, subscribed));
        assert!(gate(&store));
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "tasks are left");
    }
}

#[tokio::test(start_paused = true)]
async fn specs_that_were_held_are_freed_in_the_background() {
    let source = Arc::new(BootstrapSpecSource::new(specs(1, true).into_bytes(), clock()));
    let store = empty();
    let sync = start(options(), &store, SpecSources::new().then(source.clone()));
    sync.initialize().await;
    let held = store.load_full();
    source.set(specs(2, false).into_bytes());
    assert!(sync.sync_now().await.updated);
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!((store.free_replaced(), held.ruleset().meta().time), (1, 1));
    let looked_at = Arc::downgrade(&held);
    drop(held);
    assert!(looked_at.upgrade().is_some(), "freed by the reader");
    tokio::time::sleep(70 * SECOND).await;
    assert!(looked_at.upgrade().is_none());
}

#[tokio::test]
async fn a_new_bootstrap_counts_when_asked_for() {
    let source = Arc::new(BootstrapSpecSource::new(specs(1, true).into_bytes(), clock()));
    let store = empty();
    let sync = start(options(), &store, SpecSources::new().then(source.clone()));
    sync.initialize().await;
    source.set(specs(2, false).into_bytes());
    assert!(sync.sync_now().await.updated && !gate(&store));
    let server = FakeStatsig::start().unwrap();
    let _ = network(&server);
}

#[tokio::test(start_paused = true)]
async fn health_says_why_a_source_fails_when_and_what_comes_next() {
    let network = Told::network(|_| Err(down()));
    let slow = Told::new(adapter(), |_| Err(down().with_retry_after(Some(100 * SECOND))));
    let sync = start(options(), &empty(), SpecSources::new().then(network.clone()).then(slow));
    sync.initialize().await;
    tokio::time::sleep(60 * SECOND).await;
    let of = |name: &str| sync.health().sources.into_iter().find(|source| source.name == name).unwrap();
    let (network_health, other) = (of("network"), of("other"));
    assert!(network_health.failures > 3 && network_health.last_error.unwrap().contains("down"));
    assert!(network_health.last_failure.unwrap() <= 11 * SECOND && network_health.next_attempt.unwrap() <= 10 * SECOND);
    assert!(other.next_attempt.unwrap() > 30 * SECOND, "{:?}", other.next_attempt);
    *network.answer.lock().unwrap() = Box::new(gives(SpecOrigin::Network, 90));
    reaches(&sync, 90).await;
    tokio::time::sleep(100 * SECOND).await;
    let health = of("network");
    assert_eq!((health.failures, health.last_error), (0, None));
    assert!(health.last_failure.unwrap() > 90 * SECOND, "it is remembered");
    sync.shutdown(SECOND).await;
    assert_eq!(of("network").next_attempt, None);
}
