//! Waiting for specs that are good enough, and what health tells of sources and workers.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    DataStore, InMemoryDataStore, KeySchema, Snapshot, SnapshotStore, SpecOrigin, StoreFormat, StoreKeys, StorePath,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, LastKnownGood};
use statsig_net::{ReadyPolicy, RulesetTarget, SpecSources, SpecSync, SyncOptions};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{HandClock, KEY, NOW, Scripted, Stream, clock, key, network, specs, until};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(100_000);

fn start_at(clock: Arc<HandClock>, sources: SpecSources) -> Arc<SpecSync> {
    let mut options = SyncOptions::default();
    options.jitter_seed = Some(1);
    let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
    Arc::new(SpecSync::new(options, RulesetTarget::new(store), sources, clock, &Handle::current()))
}

fn start(sources: SpecSources) -> Arc<SpecSync> {
    start_at(clock(), sources)
}

/// A store with specs, before the network.
async fn store_then(server: &FakeStatsig) -> SpecSources {
    let store = Arc::new(InMemoryDataStore::new());
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    store.set(&name, &specs(5, true), None).await.unwrap();
    let source = DataStoreSpecSource::new(store as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
    SpecSources::new().then(Arc::new(source)).then(Arc::new(network(server).spec_source()))
}

async fn is(sync: &SpecSync, policies: [ReadyPolicy; 3]) -> [bool; 3] {
    let [any, fresh, aged] = policies;
    [
        sync.ready(any, Duration::ZERO).await,
        sync.ready(fresh, Duration::ZERO).await,
        sync.ready(aged, Duration::ZERO).await,
    ]
}

const POLICIES: [ReadyPolicy; 3] = [ReadyPolicy::Any, ReadyPolicy::Fresh, ReadyPolicy::MaxAge(SECOND)];

#[tokio::test]
async fn what_a_store_holds_is_fresh_once_the_network_has_confirmed_it() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(400, String::new())));
    let sync = start(store_then(&server).await);
    assert_eq!(is(&sync, POLICIES).await, [false; 3], "nothing has begun");
    assert!(sync.initialize().await.is_config_spec_ready);
    assert_eq!(is(&sync, POLICIES).await, [true, false, false]);
    assert_eq!(sync.health().data_age, None, "nobody knows how old they are");
    assert_eq!(sync.initialize().await.data_age, None, "the details say the same");

    let waits = tokio::spawn({
        let sync = Arc::clone(&sync);
        async move { sync.ready(ReadyPolicy::Fresh, LONG).await }
    });
    server.fail_always(Endpoint::SpecsV2, None);
    let report = sync.sync_now().await;
    assert!(report.success && !report.updated, "confirmed, nothing new: {report:?}");
    assert!(waits.await.unwrap());
    assert_eq!(is(&sync, POLICIES).await, [true; 3]);
    assert_eq!(sync.health().data_age, Some(Duration::ZERO));

    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(400, String::new())));
    sync.pause_polling();
    time.advance(2 * SECOND).await;
    assert_eq!(is(&sync, POLICIES).await, [true, true, false], "older than a second now");
    assert!(sync.ready(ReadyPolicy::MaxAge(3 * SECOND), Duration::ZERO).await);
    assert_eq!(sync.health().data_age, Some(2 * SECOND));
}

#[tokio::test]
async fn the_copy_of_the_last_run_is_as_old_as_it_is() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    let folder = tempfile::tempdir().unwrap();
    let mut sources = SpecSources::new().then(Arc::new(network(&server).spec_source()));
    sources.last_known_good = Some(LastKnownGood::new(folder.path(), &key()));
    let sync = start(sources.clone());
    sync.initialize().await;
    sync.shutdown(60 * SECOND).await;
    server.stop();

    let sync = start_at(HandClock::at(NOW + 3_600_000), sources);
    assert!(sync.initialize().await.is_config_spec_ready);
    assert_eq!(is(&sync, POLICIES).await, [true, false, false]);
    assert_eq!(sync.health().data_age, Some(3_600 * SECOND));
    assert_eq!(sync.health().last_contact, None);
    assert!(sync.ready(ReadyPolicy::MaxAge(3_600 * SECOND), Duration::ZERO).await);
}

#[tokio::test]
async fn without_a_network_any_source_is_as_good_as_it_gets() {
    let bootstrap = BootstrapSpecSource::new(specs(5, true).into_bytes(), clock());
    let sync = start(SpecSources::new().then(Arc::new(bootstrap)));
    assert!(sync.initialize().await.is_config_spec_ready);
    assert!(sync.ready(ReadyPolicy::Fresh, Duration::ZERO).await);
}

#[tokio::test]
async fn the_feed_of_a_store_is_no_network_to_wait_for() {
    let kept = Arc::new(InMemoryDataStore::new());
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    kept.set(&name, &specs(5, true), None).await.unwrap();
    let source = DataStoreSpecSource::new(kept as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
    let sync = start(SpecSources::new().with_stream(Arc::new(source.stream())).then(Arc::new(source)));
    assert!(sync.initialize().await.is_config_spec_ready);
    assert!(sync.ready(ReadyPolicy::Fresh, Duration::ZERO).await);
    assert!(sync.health().data_age.is_some());
}

#[tokio::test]
async fn a_shutdown_ends_the_wait() {
    let sync = start(SpecSources::new());
    sync.initialize().await;
    let waits = tokio::spawn({
        let sync = Arc::clone(&sync);
        async move { sync.ready(ReadyPolicy::Any, Duration::MAX).await }
    });
    sync.shutdown(SECOND).await;
    assert!(!waits.await.unwrap());
}

#[tokio::test]
async fn health_tells_of_each_source_and_each_worker() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(400, String::new())));
    let folder = tempfile::tempdir().unwrap();
    let mut sources = store_then(&server).await;
    sources.last_known_good = Some(LastKnownGood::new(folder.path(), &key()));
    let sync = start(sources);
    sync.initialize().await;
    sync.pause_polling();
    let _ = sync.sync_now().await;
    time.advance(SECOND).await;
    let health = sync.health();
    let [store, network] = &health.sources[..] else { panic!("{health:?}") };
    assert_eq!((&*store.name, store.failures, &store.last_error), ("data-store", 0, &None));
    assert_eq!(store.last_success, Some(SECOND));
    assert_eq!((&*network.name, network.last_success), ("network", None));
    assert!(network.failures >= 1 && network.last_error.as_ref().unwrap().contains("400"), "{network:?}");
    assert_eq!(network.questions, u64::from(network.failures));
    let workers: Vec<_> =
        health.workers.iter().map(|worker| (&*worker.name, worker.running, worker.restarts)).collect();
    assert_eq!(
        workers,
        [("specs-keeper last-known-good", true, 0), ("specs-reclaimer", true, 0), ("specs-poller", true, 0)]
    );

    sync.shutdown(60 * SECOND).await;
    assert!(sync.health().workers.iter().all(|worker| !worker.running));
}

/// How long ago a worker succeeded.
fn last_success(sync: &SpecSync, name: &str) -> Option<Duration> {
    let workers = sync.health().workers;
    workers.into_iter().find(|worker| worker.name == name).unwrap().last_success
}

#[tokio::test]
async fn workers_tell_when_they_last_did_what_they_are_there_for() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    let folder = tempfile::tempdir().unwrap();
    let mut sources = SpecSources::new().then(Arc::new(network(&server).spec_source()));
    sources.last_known_good = Some(LastKnownGood::new(folder.path(), &key()));
    let sync = start(sources);
    sync.initialize().await;
    until(|| last_success(&sync, "specs-keeper last-known-good").is_some()).await;
    until(|| last_success(&sync, "specs-reclaimer").is_some()).await;
    assert_eq!(last_success(&sync, "specs-poller"), None, "the first load is not its work");
    let _ = sync.sync_now().await;
    assert_eq!(last_success(&sync, "specs-poller"), None, "nor is what is asked for");
    time.advance(11 * SECOND).await;
    until(|| last_success(&sync, "specs-poller").is_some()).await;
    let keeper = last_success(&sync, "specs-keeper last-known-good");
    assert_eq!(keeper, Some(11 * SECOND), "nothing new was to be kept");

    // A poll that fails is none.
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(400, String::new())));
    let questions = sync.health().questions;
    let then = last_success(&sync, "specs-poller").map(|ago| ago + 11 * SECOND);
    time.advance(11 * SECOND).await;
    until(|| sync.health().questions > questions).await;
    assert_eq!(last_success(&sync, "specs-poller"), then);
    sync.shutdown(LONG).await;
    assert_eq!(last_success(&sync, "specs-poller"), then, "known after the end as well");
}

#[tokio::test(start_paused = true)]
async fn streams_tell_when_they_last_said_something() {
    let scripted = Arc::new(Scripted::default());
    let sync = start(SpecSources::new().with_stream(Arc::new(Stream(Arc::clone(&scripted)))));
    scripted.say(Scripted::specs(specs(5, true)));
    assert!(sync.initialize().await.is_config_spec_ready);
    until(|| last_success(&sync, "specs-stream scripted").is_some()).await;
    scripted.say(Err(()));
    until(|| sync.health().streams[0].failures == 1).await;
    tokio::time::advance(60 * SECOND).await;
    assert_eq!(last_success(&sync, "specs-stream scripted"), Some(60 * SECOND));
    scripted.say(Ok(statsig_core::StreamEvent::NoUpdate { time_ms: 5 }));
    until(|| last_success(&sync, "specs-stream scripted") == Some(Duration::ZERO)).await;
    sync.shutdown(SECOND).await;
}
