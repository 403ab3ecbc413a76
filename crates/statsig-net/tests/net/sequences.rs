//! What happens one after the other when things go wrong: `docs/protocol/network.md#sequences`, row by
//! row, against servers on loopback and with a clock that only the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{
    DataStore, IdListLookup, InMemoryDataStore, KeySchema, Snapshot, SnapshotStore, SpecOrigin, SpecSource,
    StoreFormat, StoreKeys, StorePath, StreamEvent, id_hash,
};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists, StoredIdLists};
use statsig_net::sources::DataStoreSpecSource;
use statsig_net::{
    InitializeDetails, PollingState, RulesetTarget, SpecSources, SpecSync, StoreWriter, StreamState, SyncOptions,
    SyncReport,
};
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{
    KEY, Scripted, Stream, clock, key, network, once, settle, single, specs, specs_with_checksum, until,
    watched_network,
};

const SECOND: Duration = Duration::from_secs(1);

/// A client, and the times of all specs that came into force.
struct Client {
    sync: SpecSync,
    store: Arc<SnapshotStore>,
    times: Arc<Mutex<Vec<u64>>>,
}

impl Client {
    fn start(sources: SpecSources, change: impl FnOnce(&mut SyncOptions)) -> Self {
        let times = Arc::new(Mutex::new(Vec::new()));
        let mut options = SyncOptions::default();
        options.jitter_seed = Some(1);
        options.on_update = Some({
            let times = Arc::clone(&times);
            Arc::new(move |updated| times.lock().unwrap().push(updated.time))
        });
        change(&mut options);
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let sync = SpecSync::new(options, RulesetTarget::new(Arc::clone(&store)), sources, clock(), &Handle::current());
        Self { sync, store, times }
    }

    fn times(&self) -> Vec<u64> {
        self.times.lock().unwrap().clone()
    }

    fn source(&self) -> SpecOrigin {
        self.store.load().source().clone()
    }

    async fn reaches(&self, time: u64) {
        self.sync.subscribe().wait_for(|now| *now == time).await.unwrap();
    }
}

fn told(details: &InitializeDetails) -> Vec<String> {
    details.attempts.iter().map(|attempt| format!("{} {}", attempt.source, kind_of(&attempt.outcome))).collect()
}

fn outcomes(report: &SyncReport) -> Vec<String> {
    report.attempts.iter().map(|attempt| format!("{} {}", attempt.source, kind_of(&attempt.outcome))).collect()
}

/// An outcome without its details.
fn kind_of(outcome: &statsig_net::AttemptOutcome) -> &'static str {
    use statsig_net::AttemptOutcome::{Applied, Failed, Older, Pending, Unchanged};
    match outcome {
        Applied => "applied",
        Unchanged => "unchanged",
        Older => "older",
        Pending => "pending",
        Failed { .. } => "failed",
        _ => "other",
    }
}

fn store_key() -> Arc<str> {
    StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name
}

async fn put(store: &InMemoryDataStore, document: &str) {
    store.set(&store_key(), document, None).await.unwrap();
}

async fn stored(store: &InMemoryDataStore) -> Option<String> {
    store.get(&store_key()).await.unwrap().result
}

fn from(store: &Arc<InMemoryDataStore>) -> Arc<dyn SpecSource> {
    let store = Arc::clone(store) as Arc<dyn DataStore>;
    Arc::new(DataStoreSpecSource::new(store, &key(), KeySchema::Hashed, clock()))
}

fn all_down(server: &FakeStatsig, fault: Option<Fault>) {
    for endpoint in [Endpoint::SpecsV2, Endpoint::IdLists, Endpoint::IdListFile] {
        server.fail_always(endpoint, fault.clone());
    }
}

#[tokio::test]
async fn a_cold_start_with_everything_down_but_the_store() {
    let time = FrozenTime::start();
    let (proxy, statsig) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    let kept = Arc::new(InMemoryDataStore::new());
    put(&kept, &specs(100, true)).await;
    let lists_of = || {
        let origin = Arc::new(network(&proxy).id_list_source(false));
        let source = StoredIdLists::new(kept.clone(), &key(), KeySchema::Hashed, origin, true);
        let lists = Arc::new(IdLists::new());
        let sync =
            IdListSync::start(IdListOptions::default(), Arc::clone(&lists), Arc::new(source), &Handle::current());
        (lists, sync)
    };
    // Another host has been here before.
    let hash = id_hash("u");
    proxy.publish_id_list("vip", "f", 1, format!("+{}\n", std::str::from_utf8(&hash).unwrap()));
    assert!(lists_of().1.sync_now().await.success);
    all_down(&proxy, Some(Fault::Close));
    all_down(&statsig, Some(Fault::Close));
    let before = proxy.requests_to(Endpoint::SpecsV2).len();

    let (source, mut exchanges) = watched_network(&proxy, |_| {});
    let source: Arc<dyn SpecSource> = Arc::new(source.spec_source());
    let mut sources = SpecSources::new();
    sources.initial = vec![from(&kept), Arc::clone(&source)];
    sources.polled = vec![source];
    sources.fallback = Some(once(network(&statsig).spec_source()));
    sources.write_back = Some(StoreWriter::new(kept.clone(), &key(), KeySchema::Hashed));
    let client = Client::start(sources, |_| {});
    // The store answers, so the network is not tried.
    let details = client.sync.initialize().await;
    assert_eq!(told(&details), ["data-store applied"]);
    assert!(details.init_success && details.is_config_spec_ready);
    assert_eq!(client.source(), SpecOrigin::Adapter("DataStore".into()));
    assert_eq!(proxy.requests_to(Endpoint::SpecsV2).len(), before);
    // The manifest and the files come from the store as well.
    let (lists, sync) = lists_of();
    let report = sync.sync_now().await;
    assert!(report.success && report.failed.is_empty() && lists.contains("vip", &hash));

    // Polls: four attempts each, 200, 400 and 800 ms apart; the fifth in vain asks Statsig itself.
    for failures in 1..=5 {
        exchanges.next(&time).await;
        for pause in [200, 400, 800] {
            let pause = Duration::from_millis(pause);
            let waited = exchanges.next(&time).await;
            assert!(waited >= pause.mul_f64(0.8) && waited <= pause.mul_f64(1.2) + SECOND / 5, "{waited:?}");
        }
        until(|| client.sync.health().failures >= failures).await;
        if failures == 5 {
            statsig.wait_for_requests(Endpoint::SpecsV2, 1).await;
        }
        assert_eq!(statsig.requests().len(), usize::from(failures == 5));
    }
    assert_eq!(client.times(), [100]);

    // Recovery: the first answer comes into force and is shared.
    all_down(&proxy, None);
    proxy.publish_specs(specs(120, false));
    exchanges.next(&time).await;
    client.reaches(120).await;
    until(|| client.sync.health().failures == 0).await;
    assert_eq!((client.times(), client.source()), (vec![100, 120], SpecOrigin::Network));
    while stored(&kept).await != Some(specs(120, false)) {
        settle().await;
    }
}

#[tokio::test]
async fn a_cold_start_with_an_empty_store_polls_at_once() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    all_down(&server, Some(Fault::Close));
    let (source, mut exchanges) = single(&server);
    let kept = Arc::new(InMemoryDataStore::new());
    let mut sources = SpecSources::new();
    (sources.initial, sources.polled) = (vec![from(&kept), Arc::clone(&source)], vec![source]);
    let client = Client::start(sources, |_| {});
    let details = client.sync.initialize().await;
    assert_eq!(told(&details), ["data-store failed", "network failed"]);
    assert!(!details.is_config_spec_ready);
    assert_eq!(client.source(), SpecOrigin::NoValues);
    assert!(exchanges.next(&time).await <= SECOND, "at once, not after an interval");
    // Then after a second up to the interval, at random, while all fails.
    let pause = exchanges.next(&time).await;
    assert!(pause >= SECOND && pause <= 11 * SECOND, "{pause:?}");
}

#[tokio::test]
async fn a_stream_drops_polling_takes_over_and_the_stream_comes_back() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(100, true));
    let (source, mut exchanges) = single(&server);
    let scripted = Arc::new(Scripted::default());
    let sources = SpecSources::new().then(source).with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let client = Client::start(sources, |_| {});
    let stream = || client.sync.health().streams[0].clone();
    scripted.say(Scripted::specs(specs(100, true)));
    client.sync.initialize().await;
    until(|| stream().state == StreamState::Live).await;
    // Heartbeats keep it alive.
    for _ in 0..2 {
        time.advance(30 * SECOND).await;
        scripted.say(Ok(StreamEvent::NoUpdate { time_ms: 100 }));
        settle().await;
    }
    assert_eq!((stream().state, stream().failures), (StreamState::Live, 0));

    // The connection is reset: pauses of at most 1, 2, 4 and 8 seconds, then polling takes over.
    scripted.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    server.publish_specs(specs(120, false));
    scripted.say(Err(()));
    for (failures, longest) in [(1, 0), (2, 1), (3, 2), (4, 4), (5, 8)] {
        let mut waited = Duration::ZERO;
        while stream().failures < failures {
            time.advance(SECOND / 10).await;
            settle().await;
            waited += SECOND / 10;
        }
        assert!(waited <= longest * SECOND + SECOND / 2, "{failures} failures: {waited:?}");
        assert_eq!(stream().failed_over, failures == 5);
    }
    client.reaches(120).await;
    exchanges.ended(2).await;
    assert_eq!((client.source(), client.sync.health().polling), (SpecOrigin::Network, PollingState::Regular));

    // The proxy is back, and lags behind: it is told what is held, and takes nothing back.
    scripted.refuses.store(false, std::sync::atomic::Ordering::Relaxed);
    scripted.say(Ok(StreamEvent::NoUpdate { time_ms: 110 }));
    while stream().state != StreamState::Live {
        time.advance(SECOND).await;
        settle().await;
    }
    assert_eq!(scripted.cursors.lock().unwrap().last().unwrap().since_time_ms(), 120);
    assert_eq!((stream().failures, stream().reconnections), (0, 1));
    assert_eq!(client.sync.health().polling, PollingState::Slow);
    // It catches up.
    scripted.say(Scripted::specs(specs(130, true)));
    client.reaches(130).await;
    let mut times = client.times();
    times.dedup();
    assert_eq!(times, [100, 120, 130]);
}

#[tokio::test]
async fn errors_of_the_server_at_start_and_later() {
    let time = FrozenTime::start();
    let html = format!("<html>{}</html>", "x".repeat(5_000));
    let broken = |bytes: &str| Fault::Body(bytes.as_bytes().to_vec());
    for fault in [Fault::Status(500, html), broken(r#"{"has_updates":true,"#), Fault::Cut(40)] {
        let server = FakeStatsig::start().unwrap();
        server.publish_specs(specs(5, true));
        server.compress(Some(Coding::Gzip));
        server.fail_always(Endpoint::SpecsV2, Some(fault.clone()));
        let (source, mut exchanges) = single(&server);
        let client = Client::start(SpecSources::new().then(source), |_| {});
        // At start one attempt: defaults are served, and why is told in few words.
        let details = client.sync.initialize().await;
        assert_eq!(exchanges.count(), 1);
        assert!(!details.is_config_spec_ready);
        assert_eq!(client.source(), SpecOrigin::NoValues);
        let reason = format!("{:?}", details.attempts[0].outcome);
        assert!(reason.len() < 600 && !reason.contains(KEY), "{reason}");
        // Then it is asked again at once.
        assert!(exchanges.next(&time).await <= SECOND, "{fault:?}");

        // Once it recovers, the client has what there is, and keeps it through the next trouble.
        server.fail_always(Endpoint::SpecsV2, None);
        while client.times().is_empty() {
            time.advance(SECOND / 10).await;
            settle().await;
        }
        server.fail_always(Endpoint::SpecsV2, Some(fault));
        server.publish_specs(specs(6, true));
        exchanges.next(&time).await;
        let report = client.sync.sync_now().await;
        assert_eq!(outcomes(&report), ["network failed"]);
        assert_eq!((client.times(), client.source()), (vec![5], SpecOrigin::Network));
        client.sync.shutdown(60 * SECOND).await;
    }
}

#[tokio::test]
async fn a_store_that_is_stale_ahead_or_of_another_project() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(90, false));
    let kept = Arc::new(InMemoryDataStore::new());
    put(&kept, &specs(50, true)).await;
    let (source, mut exchanges) = single(&server);
    // At start the store is enough.
    let mut sources = SpecSources::new();
    (sources.initial, sources.polled) = (vec![from(&kept), Arc::clone(&source)], vec![Arc::clone(&source)]);
    sources.write_back = Some(StoreWriter::new(kept.clone(), &key(), KeySchema::Hashed));
    let client = Client::start(sources, |_| {});
    assert_eq!(client.sync.initialize().await.specs_time, 50);
    // Not polled itself, it is made good for by the network at once, and brought up to date.
    assert!(exchanges.next(&time).await <= SECOND);
    client.reaches(90).await;
    while stored(&kept).await != Some(specs(90, false)) {
        settle().await;
    }
    drop(client);

    // Polled as well, and behind: what is older does not end a round, and takes nothing back.
    put(&kept, &specs(50, true)).await;
    let mut sources = SpecSources::new();
    (sources.initial, sources.polled) = (vec![Arc::clone(&source)], vec![from(&kept), Arc::clone(&source)]);
    let client = Client::start(sources, |_| {});
    assert_eq!(client.sync.initialize().await.specs_time, 90);
    let report = client.sync.sync_now().await;
    assert_eq!(outcomes(&report), ["data-store older", "network unchanged"]);
    // Also by itself: such a store does not hide the network.
    server.publish_specs(specs(95, false));
    exchanges.next(&time).await;
    client.reaches(95).await;
    // Ahead of the network: that takes nothing back either.
    put(&kept, &specs(120, true)).await;
    let report = client.sync.sync_now().await;
    assert_eq!(outcomes(&report), ["data-store applied"]);
    put(&kept, "").await;
    let report = client.sync.sync_now().await;
    assert_eq!(outcomes(&report).last().unwrap(), "network unchanged", "asked since 120, it has nothing newer");
    assert_eq!(client.times(), [90, 95, 120]);

    // Of another project: refused, the next source is asked.
    let other = specs(200, true).replacen('{', r#"{"hashed_sdk_key_used":"1","#, 1);
    put(&kept, &other).await;
    let client = Client::start(SpecSources::new().then(from(&kept)).then(source), |options| {
        options.sdk_key = Some(key());
    });
    let details = client.sync.initialize().await;
    assert_eq!(told(&details), ["data-store failed", "network applied"]);
    assert_eq!(details.specs_time, 95);
}

#[tokio::test]
async fn a_store_that_has_the_same_under_another_time_is_not_behind() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    let at = |time| specs_with_checksum(time, true, "c");
    server.publish_specs(at(200));
    let kept = Arc::new(InMemoryDataStore::new());
    put(&kept, &at(100)).await;
    let (source, mut exchanges) = single(&server);
    for from_store in [true, false] {
        let mut sources = SpecSources::new().then(from(&kept)).then(Arc::clone(&source));
        if !from_store {
            sources.initial = vec![Arc::clone(&source)];
        }
        let client = Client::start(sources, |_| {});
        client.sync.initialize().await;
        // The network says that it is the same at a later time.
        let report = client.sync.sync_now().await;
        assert_eq!(outcomes(&report), ["data-store unchanged", "network unchanged"]);
        // From then on the store is enough, for as long as it may be.
        exchanges.ended(exchanges.count()).await;
        let before = exchanges.count();
        time.advance(120 * SECOND).await;
        settle().await;
        assert_eq!(exchanges.count(), before);
    }
}
