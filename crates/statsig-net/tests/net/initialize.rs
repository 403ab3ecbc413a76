//! The first load: which sources are up, and what the client does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{
    Clock, DataStore, EvaluationContext, EvaluationSettings, InMemoryDataStore, KeySchema, Reach, Snapshot,
    SnapshotStore, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate,
    StatsigUser, StoreFormat, StoreKeys, StorePath,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource, LastKnownGood};
use statsig_net::{
    AttemptOutcome, ClientIdentity, InitializeDetails, Network, NetworkOptions, ReadyPolicy, RulesetTarget, SdkKey,
    SpecSources, SpecSync, StoreWriter, SyncOptions,
};
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::common::{Counting, KEY, NOW, clock, key, network, specs, specs_with_checksum};

const SECOND: Duration = Duration::from_secs(1);

fn empty() -> Arc<SnapshotStore> {
    Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)))
}

fn options() -> SyncOptions {
    let mut options = SyncOptions::default();
    options.sdk_key = Some(key());
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

/// Each source that was asked, with what became of it in short.
fn told(details: &InitializeDetails) -> Vec<String> {
    let outcome = |outcome: &AttemptOutcome| match outcome {
        AttemptOutcome::Failed { kind, .. } => kind.to_string(),
        other => format!("{other:?}"),
    };
    details.attempts.iter().map(|attempt| format!("{} {}", attempt.source, outcome(&attempt.outcome))).collect()
}

fn bootstrap(document: &str) -> Arc<dyn SpecSource> {
    Arc::new(BootstrapSpecSource::new(document.to_owned(), clock()))
}

async fn stored(document: &str) -> Arc<InMemoryDataStore> {
    let store = Arc::new(InMemoryDataStore::new());
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    store.set(&name, document, None).await.unwrap();
    store
}

fn store_source(store: &Arc<InMemoryDataStore>) -> Arc<dyn SpecSource> {
    Arc::new(DataStoreSpecSource::new(Arc::clone(store) as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock()))
}

#[tokio::test]
async fn the_first_source_that_can_be_used_ends_the_load() {
    let good = specs(5, true);
    let other_project = good.replacen('{', r#"{"hashed_sdk_key_used":"1","#, 1);
    // What the network answers, what the store holds, what the bootstrap is; what is told.
    let nothing = r#"{"has_updates":false}"#;
    type Row<'a> = (Fault, &'a str, &'a str, &'a [&'a str], bool);
    let rows: [Row<'_>; 8] = [
        (Fault::Body(good.clone().into()), "", "", &["network Applied"], true),
        (Fault::Close, &good, "", &["network unreachable", "data-store Applied"], true),
        (
            Fault::Status(500, KEY.into()),
            "",
            &good,
            &["network failing", "data-store empty", "bootstrap Applied"],
            true,
        ),
        (
            Fault::Status(401, String::new()),
            "{}",
            &good,
            &["network refused", "data-store invalid", "bootstrap Applied"],
            true,
        ),
        (
            Fault::Body(nothing.into()),
            nothing,
            nothing,
            &["network empty", "data-store empty", "bootstrap empty"],
            false,
        ),
        (Fault::Garbage, "garbage", "[]", &["network unreachable", "data-store invalid", "bootstrap invalid"], false),
        (
            Fault::Body(other_project.clone().into()),
            &other_project,
            &good,
            &["network invalid", "data-store invalid", "bootstrap Applied"],
            true,
        ),
        (Fault::Cut(10), "", "", &["network unreachable", "data-store empty", "bootstrap empty"], false),
    ];
    for (fault, in_store, document, expected, ready) in rows {
        let server = FakeStatsig::start().unwrap();
        server.publish_specs(good.clone());
        server.fail_always(Endpoint::SpecsV2, Some(fault.clone()));
        let (store, kept) = (empty(), stored(in_store).await);
        let mut sources = SpecSources::new();
        sources.initial = vec![Arc::new(network(&server).spec_source()), store_source(&kept), bootstrap(document)];
        let sync = start(options(), &store, sources);
        let details = sync.initialize().await;
        assert_eq!(told(&details), expected, "{fault:?}: {details:?}");
        assert_eq!((details.is_config_spec_ready, store.holds_specs(), gate(&store)), (ready, ready, ready));
        assert!(details.init_success && !details.timed_out);
        assert_eq!(details.error.is_some(), expected.len() > 1);
        assert!(!format!("{details:?}").contains("fGhIjKl"), "{details:?}");
        let source = if ready { details.source.clone() } else { SpecOrigin::NoValues };
        assert_eq!((store.load().source(), &details.source), (&source, &source));
        sync.shutdown(SECOND).await;
    }
}

#[tokio::test]
async fn details_say_where_specs_came_from_and_how_old_they_are() {
    let server = FakeStatsig::start().unwrap();
    let document = specs_with_checksum(5, true, "77");
    server.publish_specs(document.clone());
    server.compress(Some(Coding::Gzip));
    let (store, folder) = (empty(), tempfile::tempdir().unwrap());
    let mut sources = SpecSources::new().then(Arc::new(network(&server).spec_source()));
    sources.last_known_good = Some(LastKnownGood::new(folder.path(), &key()));
    let sync = start(options(), &store, sources.clone());
    let (first, second) = tokio::join!(sync.initialize(), sync.initialize());
    assert_eq!(first, second);
    assert_eq!(first.specs_time, 5);
    assert!(first.data_age.is_some() && first.data_age <= sync.health().data_age, "known, and the same later on");
    assert_eq!(first.source_api.as_deref(), Some(format!("{}/v2", server.url()).as_str()));
    assert_eq!(first.attempts[0].bytes, document.len());
    assert!(sync.ready(ReadyPolicy::Any, Duration::ZERO).await);
    assert_eq!(server.requests().len(), 1);
    // Gives the writer its time.
    sync.shutdown(60 * SECOND).await;
    assert_eq!(sync.health().kept, (1, 0));

    // Next time, an hour later, nobody is there.
    server.stop();
    let store = empty();
    let later = crate::common::HandClock::at(NOW + 3_600_000);
    let sync = SpecSync::new(options(), RulesetTarget::new(Arc::clone(&store)), sources, later, &Handle::current());
    let details = sync.initialize().await;
    assert_eq!(told(&details), ["network unreachable", "last-known-good Applied"]);
    assert_eq!(details.data_age, Some(3_600 * SECOND));
    assert_eq!(details.source, SpecOrigin::Adapter("LastKnownGood".into()));
    assert!(gate(&store));
}

#[tokio::test]
async fn a_silent_source_does_not_eat_the_time_of_the_next() {
    let time = FrozenTime::start();
    let (silent, server) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    server.publish_specs(specs(5, true));
    silent.fail_always(Endpoint::SpecsV2, Some(Fault::Hang));
    let store = empty();
    let mut sources = SpecSources::new();
    sources.initial = vec![Arc::new(network(&silent).spec_source()), Arc::new(network(&server).spec_source())];
    let mut options = options();
    options.init_timeout = Some(4 * SECOND);
    let sync = Arc::new(start(options, &store, sources));
    let details = tokio::spawn({
        let sync = Arc::clone(&sync);
        async move { sync.initialize().await }
    });
    silent.wait_for_requests(Endpoint::SpecsV2, 1).await;
    time.advance(Duration::from_millis(1_900)).await;
    assert_eq!(server.requests().len(), 0);
    time.advance(Duration::from_millis(200)).await;
    let details = details.await.unwrap();
    assert_eq!(told(&details), ["network Pending", "network Applied"]);
    assert!(!details.timed_out && gate(&store));
}

/// A source that answers after a while.
struct After(Duration, String);

#[async_trait::async_trait]
impl SpecSource for After {
    fn name(&self) -> &str {
        "slow"
    }

    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Network
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        tokio::time::sleep(self.0).await;
        Ok(SpecFetch::Updated(SpecUpdate::new(self.1.clone().into_bytes(), self.origin(), self.reach(), 0)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedged_start_ends_with_the_freshest() {
    let ms = Duration::from_millis;
    // When the first source answers and with what; then how it ends, the second having the time 5.
    for (after, time, took, outcome, ends_with) in [
        (ms(900), 9, ms(900), "slow Applied", 9),
        (ms(1_500), 9, ms(1_500), "slow Applied", 9),
        (ms(1_500), 3, ms(1_500), "slow Older", 5),
        (ms(9_000), 9, ms(2_000), "slow Pending", 5),
    ] {
        let store = empty();
        let mut sources = SpecSources::new();
        let second = After(Duration::ZERO, specs(5, true));
        sources.initial = vec![Arc::new(After(after, specs(time, false))), Arc::new(second)];
        let mut options = options();
        options.hedge_after = Some(SECOND);
        let begun = Instant::now();
        let sync = start(options, &store, sources);
        let details = sync.initialize().await;
        assert_eq!((told(&details)[0].as_str(), details.specs_time), (outcome, ends_with));
        // Timers strike up to a millisecond late.
        assert!(begun.elapsed() >= took && begun.elapsed() < took + ms(10), "{:?}", begun.elapsed());
        // What comes later counts as well.
        let newest = time.max(if after > SECOND { 5 } else { 0 });
        sync.subscribe().wait_for(|time| *time == newest).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_does_not_outlast_the_start() {
    let store = empty();
    let mut sources = SpecSources::new();
    let [silent, second] = [After(60 * SECOND, specs(9, false)), After(Duration::ZERO, specs(5, true))];
    sources.initial = vec![Arc::new(silent), Arc::new(second)];
    let mut options = options();
    (options.init_timeout, options.hedge_after) = (Some(3 * SECOND), Some(2 * SECOND));
    let begun = Instant::now();
    let details = start(options, &store, sources).initialize().await;
    assert!(!details.timed_out && details.init_success, "{details:?}");
    // Asked after half of the time, it leaves the other a quarter.
    assert!(begun.elapsed() < 3 * SECOND - SECOND / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn when_the_time_is_up_loading_goes_on() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    server.fail_once(Endpoint::SpecsV2, Fault::Late(Duration::from_millis(300)));
    let store = empty();
    let sources = SpecSources::new().then(Arc::new(network(&server).spec_source()));
    let mut options = options();
    options.init_timeout = Some(SECOND);
    let sync = Arc::new(start(options, &store, sources));
    let details = tokio::spawn({
        let sync = Arc::clone(&sync);
        async move { sync.initialize().await }
    });
    server.wait_for_requests(Endpoint::SpecsV2, 1).await;
    time.advance(SECOND + Duration::from_millis(100)).await;
    let details = details.await.unwrap();
    assert!(details.timed_out && !details.init_success && !details.is_config_spec_ready);
    assert_eq!(details.error.as_deref(), Some("network did not answer within 1.1 s"));
    let attempt = &details.attempts[0];
    assert_eq!(attempt.outcome.error(), Some("no answer yet; the source is still being asked"));
    assert_eq!(attempt.duration, SECOND + Duration::from_millis(100));
    assert_eq!(
        (told(&details), details.duration),
        (vec!["network Pending".to_owned()], SECOND + Duration::from_millis(100))
    );
    assert_eq!(store.load().source(), &SpecOrigin::Loading);
    assert!(sync.ready(ReadyPolicy::Any, Duration::from_secs(1_000)).await && gate(&store));
}

#[tokio::test]
async fn statsigs_own_servers_are_asked_behind_a_proxy_that_fails() {
    let (proxy, statsig) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    statsig.publish_specs(specs(5, true));
    proxy.publish_specs(specs(4, true));
    let faults = [
        None,
        Some(Fault::Status(400, String::new())),
        Some(Fault::Status(500, String::new())),
        Some(Fault::Body(b"{".to_vec())),
        Some(Fault::Cut(30)),
        Some(Fault::Close),
    ];
    for (fault, coding) in faults.iter().flat_map(|fault| [(fault, None), (fault, Some(Coding::Gzip))]) {
        proxy.fail_always(Endpoint::SpecsV2, fault.clone());
        proxy.compress(coding);
        let (store, asked) = (empty(), statsig.requests().len());
        let mut sources = SpecSources::new().then(Arc::new(network(&proxy).spec_source()));
        sources.fallback = Some(Arc::new(network(&statsig).spec_source()));
        let details = start(options(), &store, sources).initialize().await;
        let attempts = if fault.is_some() { 2 } else { 1 };
        assert!(details.is_config_spec_ready && gate(&store), "{fault:?} {coding:?}");
        // One that is well hides the fallback.
        assert_eq!(
            (details.attempts.len(), statsig.requests().len() - asked, details.fallback_spec_used),
            (attempts, attempts - 1, attempts == 2),
            "{fault:?} {coding:?}"
        );
    }
}

/// How a source of the matrix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Empty,
    Broken,
    /// Good, an hour late.
    Slow,
}

struct Moody(Mood, u64);

#[async_trait::async_trait]
impl SpecSource for Moody {
    fn name(&self) -> &str {
        "moody"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Moody".into())
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        match self.0 {
            Mood::Empty => return Err(SourceError::new(SourceErrorKind::Empty, "nothing")),
            Mood::Broken => {
                return Ok(SpecFetch::Updated(SpecUpdate::new(b"{".to_vec(), self.origin(), self.reach(), 0)));
            }
            Mood::Slow => tokio::time::sleep(3_600 * SECOND).await,
            Mood::Good => {}
        }
        Ok(SpecFetch::Updated(SpecUpdate::new(specs(self.1, true).into_bytes(), self.origin(), self.reach(), 0)))
    }
    async fn wants_polling(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn every_order_of_sources_in_every_state() {
    const MOODS: [Mood; 4] = [Mood::Good, Mood::Empty, Mood::Broken, Mood::Slow];
    for n in 0..64 {
        let moods = [MOODS[n / 16], MOODS[n / 4 % 4], MOODS[n % 4]];
        let store = empty();
        let mut sources = SpecSources::new();
        sources.initial =
            moods.iter().zip(1..).map(|(mood, time)| Arc::new(Moody(*mood, time)) as Arc<dyn SpecSource>).collect();
        let sync = start(options(), &store, sources);
        let details = sync.initialize().await;
        // The first good one, whatever stands before it; what is slow costs its share, and counts later.
        let good = moods.iter().position(|mood| *mood == Mood::Good);
        let waits = moods[..good.unwrap_or(3)].contains(&Mood::Slow);
        assert_eq!(details.specs_time, good.map_or(0, |at| at as u64 + 1), "{moods:?}");
        assert_eq!(details.is_config_spec_ready, good.is_some(), "{moods:?}");
        assert_eq!(details.timed_out, good.is_none() && waits, "{moods:?}");
        let limit = if waits { 10 * SECOND + Duration::from_millis(1) } else { Duration::ZERO };
        assert!(details.duration <= limit, "{moods:?}: {:?}", details.duration);
        tokio::time::sleep(3_700 * SECOND).await;
        let asked = details.attempts.len();
        let late = moods[..asked].iter().rposition(|mood| *mood == Mood::Slow).map_or(0, |at| at as u64 + 1);
        assert_eq!(store.load().ruleset().meta().time, late.max(details.specs_time), "{moods:?}");
        sync.shutdown(SECOND).await;
    }
}

#[tokio::test]
async fn clients_of_two_projects_share_nothing() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(InMemoryDataStore::new());
    for (key, at) in [("secret-one", 5), ("secret-two", 6)] {
        let key = SdkKey::new(key);
        server.publish_specs(specs(at, true));
        let mut endpoints = NetworkOptions::default();
        endpoints.endpoints.api = Some(server.url());
        let network = Network::new(endpoints, ClientIdentity::new(key.clone()).unwrap(), clock()).unwrap();
        let mut sources = SpecSources::new().then(Arc::new(network.spec_source()));
        sources.write_back = Some(StoreWriter::new(Counting::to(&kept), &key, KeySchema::Hashed));
        sources.last_known_good = Some(LastKnownGood::new(folder.path(), &key));
        let store = empty();
        let sync = start(SyncOptions::default(), &store, sources);
        assert_eq!(sync.initialize().await.specs_time, at);
        sync.shutdown(60 * SECOND).await;
    }
    let asked = server.requests();
    assert_eq!(
        asked.iter().map(|request| request.header("statsig-api-key").unwrap()).collect::<Vec<_>>(),
        ["secret-one", "secret-two"]
    );
    assert_ne!(asked[0].header("statsig-server-session-id"), asked[1].header("statsig-server-session-id"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    for (key, at) in [("secret-one", 5), ("secret-two", 6)] {
        let name = StoreKeys::new(key).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
        assert_eq!(kept.get(&name).await.unwrap().result, Some(specs(at, true)));
    }
}

#[tokio::test]
async fn local_mode_makes_no_connection() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    let kept = stored(&specs(5, true)).await;
    for with_store in [true, false] {
        let store = empty();
        let mut sources = SpecSources::new().then(Arc::new(network(&server).spec_source()));
        sources.fallback = Some(Arc::new(network(&server).spec_source()));
        if with_store {
            sources = sources.then(store_source(&kept));
        }
        let mut options = options();
        options.local_mode = true;
        let sync = start(options, &store, sources);
        let details = sync.initialize().await;
        assert!(details.init_success && details.is_config_spec_ready == with_store);
        assert_eq!(details.error, None);
        time.advance(60 * SECOND).await;
        sync.sync_now().await;
    }
    assert_eq!((server.connections(), server.requests().len()), (0, 0));
}

#[tokio::test]
async fn what_comes_from_the_network_is_shared_and_nothing_else() {
    let server = FakeStatsig::start().unwrap();
    let document = specs(7, true);
    server.publish_specs(document.clone());
    let keys = StoreKeys::new(KEY);
    let name = keys.key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("specs.json");
    std::fs::write(&file, specs(9, true)).unwrap();
    // Whence specs come, what the store held, what it holds then.
    let from_network: Arc<dyn SpecSource> = Arc::new(network(&server).spec_source());
    let from_file: Arc<dyn SpecSource> = Arc::new(FileSpecSource::new(&file, clock()));
    let newer = specs(8, true);
    for (source, held, expected) in [
        (&from_network, "", &*document),
        (&from_network, "garbage", &document),
        (&from_network, &newer, &newer),
        (&from_file, "", ""),
        (&bootstrap(&specs(9, true)), "", ""),
    ] {
        let (store, kept) = (empty(), stored(held).await);
        let mut sources = SpecSources::new();
        sources.initial = vec![Arc::clone(source)];
        sources.write_back = Some(StoreWriter::new(Counting::to(&kept), &key(), KeySchema::Hashed));
        let sync = start(options(), &store, sources);
        assert!(sync.initialize().await.is_config_spec_ready);
        sync.shutdown(60 * SECOND).await;
        let found = kept.get(&name).await.unwrap().result.unwrap_or_default();
        assert_eq!(found, expected, "{}", source.name());
    }
}

/// Panics at every question but the last of a few.
struct Fragile(AtomicU32);

#[async_trait::async_trait]
impl SpecSource for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Bootstrap
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) > 2, "as the test wants it");
        Err(SourceError::new(SourceErrorKind::Empty, "nothing"))
    }
}

#[tokio::test(start_paused = true)]
async fn sources_and_listeners_that_panic_take_nothing_down() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    options.on_update = Some(Arc::new({
        let heard = Arc::clone(&heard);
        move |updated| {
            heard.lock().unwrap().push((updated.previous_time, updated.time, updated.update.payload.len()));
            panic!("as the test wants it");
        }
    }));
    let store = empty();
    let later = Arc::new(BootstrapSpecSource::new(specs(5, true).into_bytes(), clock()));
    let fragile = Arc::new(Fragile(AtomicU32::new(0)));
    let mut sources = SpecSources::new().then(fragile.clone());
    sources.initial.push(later.clone());
    let sync = start(options, &store, sources);
    let details = sync.initialize().await;
    assert_eq!(told(&details), ["fragile failing", "bootstrap Applied"]);
    assert_eq!(*heard.lock().unwrap(), [(0, 5, specs(5, true).len())]);
    // The poller panics twice and comes back.
    while fragile.0.load(Ordering::Relaxed) < 4 {
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(sync.health().panics, 4);
}
