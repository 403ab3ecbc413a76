//! What an observer hears, against `docs/protocol/network.md#metrics`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{Clock, Observer, Snapshot, SnapshotStore, SpecOrigin, SpecSource, StreamEvent, Tag};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists};
use statsig_net::{RulesetTarget, SpecSources, SpecSync, StreamState, SyncOptions};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{HandClock, KEY, NOW, Scripted, Stream, clock, network, settle, specs, until, watched_network};

const SECOND: Duration = Duration::from_secs(1);

/// Keeps all that it hears as text, for instance `count config_no_update 1 source=Network`.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn write(&self, kind: &str, name: &str, value: &str, tags: &[Tag<'_>]) {
        let tags: String = tags.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.0.lock().unwrap().push(format!("{kind} {name} {value}{tags}"));
    }

    /// All that begins so, since the last time; `#` stands for a time that nobody knows.
    fn take(&self, start: &str) -> Vec<String> {
        let mut all = self.0.lock().unwrap();
        assert!(!all.iter().any(|line| line.contains("fGhIjKl")), "the key: {all:?}");
        let (found, rest): (Vec<_>, Vec<_>) = all.drain(..).partition(|line| line.starts_with(start));
        *all = rest;
        found
    }
}

impl Observer for Heard {
    fn increment(&self, name: &str, by: u64, tags: &[Tag<'_>]) {
        self.write("count", name, &by.to_string(), tags);
    }
    fn gauge(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        self.write("gauge", name, &value.to_string(), tags);
    }
    fn distribution(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        assert!(value.is_finite() && value >= 0.0, "{name} {value}");
        let value = if name.ends_with("latency") { "#".to_owned() } else { value.to_string() };
        self.write("distribution", name, &value, tags);
    }
    fn error(&self, tag: &str, message: &str) {
        self.write("error", tag, message, &[]);
    }
}

/// Panics at whatever it hears.
struct Deaf;

impl Observer for Deaf {
    fn increment(&self, _: &str, _: u64, _: &[Tag<'_>]) {
        panic!("as the test wants it");
    }
    fn gauge(&self, _: &str, _: f64, _: &[Tag<'_>]) {
        panic!("as the test wants it");
    }
    fn distribution(&self, _: &str, _: f64, _: &[Tag<'_>]) {
        panic!("as the test wants it");
    }
    fn error(&self, _: &str, _: &str) {
        panic!("as the test wants it");
    }
}

fn empty() -> Arc<SnapshotStore> {
    Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)))
}

fn options(observer: &Arc<impl Observer + 'static>) -> SyncOptions {
    let mut options = SyncOptions::default();
    options.observer = Some(Arc::clone(observer) as Arc<dyn Observer>);
    options.jitter_seed = Some(1);
    options
}

fn start(options: SyncOptions, store: &Arc<SnapshotStore>, sources: SpecSources, clock: Arc<dyn Clock>) -> SpecSync {
    SpecSync::new(options, RulesetTarget::new(Arc::clone(store)), sources, clock, &Handle::current())
}

#[tokio::test]
async fn a_start_and_every_question_are_heard() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    let (heard, wall) = (Arc::new(Heard::default()), HandClock::at(NOW));
    server.publish_specs(specs(5, true));
    let source = network(&server).with_observer(heard.clone()).spec_source();
    let sync = start(options(&heard), &empty(), SpecSources::new().then(Arc::new(source)), wall.clone());
    sync.initialize().await;
    settle().await;
    let (api, host) = (format!("{}/v2", server.url()), server.address());
    let populated = "init_success=true store_populated=true timed_out=false source=Network";
    assert_eq!(
        heard.take("distribution initialization"),
        [format!("distribution initialization 0 {populated} init_source_api={api}")]
    );
    let asked = |trigger: &str, outcome: &str| {
        format!("count config_sync_count 1 source=Network name=network trigger={trigger} {outcome}")
    };
    assert_eq!(heard.take("count config_sync_count"), [asked("initial", "outcome=applied error=none")]);
    // There was nothing to propagate to.
    assert_eq!(heard.take("distribution config_propagation_diff"), Vec::<String>::new());
    let request = |status: &str, success: bool| {
        format!(
            "distribution network_request.latency # request_path=/v2/download_config_specs source_service={host} status_code={status} is_success={success}"
        )
    };
    assert_eq!(heard.take("distribution network_request.latency"), [request("200", true)]);
    assert_eq!(heard.take("distribution config_sync_overall.latency").len(), 1);

    sync.pause_polling();
    sync.sync_now().await;
    assert_eq!(heard.take("count config_no_update"), ["count config_no_update 1 source=Network name=network"]);
    // Changed a second and a half ago.
    let changed = u64::try_from(NOW).unwrap();
    wall.set(NOW + 1_500);
    server.publish_specs(specs(changed, false));
    sync.sync_now().await;
    assert_eq!(
        heard.take("distribution config_propagation_diff"),
        [format!("distribution config_propagation_diff 1500 source=Network source_api={api}")]
    );
    heard.take("distribution network_request.latency");
    for (fault, kind, status) in [
        (Fault::Status(500, KEY.into()), "failing", "500"),
        (Fault::Status(401, KEY.into()), "refused", "401"),
        (Fault::Close, "unreachable", "none"),
        (Fault::Body(b"{\"time\":".to_vec()), "invalid", "200"),
    ] {
        heard.take("count config_sync_count");
        server.fail_once(Endpoint::SpecsV2, fault);
        sync.sync_now().await;
        assert_eq!(heard.take("count config_sync_count"), [asked("manual", &format!("outcome=failed error={kind}"))]);
        assert_eq!(heard.take("distribution network_request.latency"), [request(status, status == "200")]);
    }
    // One warning for all of them.
    assert_eq!(heard.take("error statsig::config_sync").len(), 1);
    time.advance(130 * SECOND).await;
    server.fail_once(Endpoint::SpecsV2, Fault::Status(500, String::new()));
    sync.sync_now().await;
    assert_eq!(heard.take("error statsig::config_sync").len(), 1);
    sync.shutdown(SECOND).await;
}

#[tokio::test]
async fn a_start_whose_time_was_up_is_heard_then() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Hang));
    let heard = Arc::new(Heard::default());
    let mut options = options(&heard);
    options.init_timeout = Some(SECOND);
    let sources = SpecSources::new().then(Arc::new(network(&server).spec_source()) as Arc<dyn SpecSource>);
    let sync = Arc::new(start(options, &empty(), sources, clock()));
    let details = tokio::spawn({
        let sync = Arc::clone(&sync);
        async move { sync.initialize().await }
    });
    server.wait_for_requests(Endpoint::SpecsV2, 1).await;
    time.advance(SECOND + Duration::from_millis(100)).await;
    assert!(details.await.unwrap().timed_out);
    settle().await;
    assert_eq!(
        heard.take("distribution initialization"),
        [
            "distribution initialization 1100 init_success=false store_populated=false timed_out=true source=Loading init_source_api="
        ]
    );
    time.advance(60 * SECOND).await;
    assert_eq!(heard.take("distribution initialization"), Vec::<String>::new());
}

#[tokio::test]
async fn rounds_of_id_lists_are_heard() {
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("one", "f1", 1, "+12345678\n+abcdefgh\n");
    server.publish_id_list("two", "f2", 1, "broken");
    let heard = Arc::new(Heard::default());
    let mut options = IdListOptions::default();
    options.observer = Some(heard.clone());
    let source = Arc::new(network(&server).with_observer(heard.clone()).id_list_source(false));
    let sync = IdListSync::start(options, Arc::new(IdLists::new()), source, &Handle::current());
    sync.sync_now().await;
    let round = "distribution id_lists_sync_overall.latency #";
    assert_eq!(
        heard.take("distribution id_lists"),
        [format!("{round} id_list_manifest_success=true lists_success=false")]
    );
    for line in [
        "count id_list_manifest_download_success 1",
        "count id_lists_changed_count 1",
        "count id_lists_failed_count 1",
        "gauge id_list_count 1",
        "gauge id_list_ids 2",
    ] {
        assert_eq!(heard.take(line), [line]);
    }
    assert_eq!(heard.take("gauge id_list_bytes").len(), 1);
    let mut paths: Vec<String> = heard.take("distribution network_request.latency");
    paths.iter_mut().for_each(|line| *line = line.split(['=', ' ']).nth(4).unwrap().to_owned());
    assert_eq!(paths, ["/v1/get_id_lists", "/v1/download_id_list_file", "/v1/download_id_list_file"]);

    server.fail_once(Endpoint::IdLists, Fault::Status(500, String::new()));
    sync.sync_now().await;
    assert_eq!(
        heard.take("distribution id_lists"),
        [format!("{round} id_list_manifest_success=false lists_success=false")]
    );
    assert_eq!(heard.take("count id_list_manifest"), ["count id_list_manifest_download_failure 1"]);
}

#[tokio::test]
async fn streams_that_break_and_come_back_are_heard() {
    let time = FrozenTime::start();
    let (heard, scripted) = (Arc::new(Heard::default()), Arc::new(Scripted::default()));
    let sources = SpecSources::new().with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let sync = start(options(&heard), &empty(), sources, clock());
    scripted.say(Scripted::specs(specs(1, true)));
    sync.initialize().await;
    until(|| sync.health().streams[0].state == StreamState::Live).await;
    assert_eq!(
        heard.take("count config_sync_count"),
        ["count config_sync_count 1 source=Adapter(Scripted) name=scripted trigger=stream outcome=applied error=none"]
    );
    assert_eq!(heard.take("distribution config_sync_overall"), Vec::<String>::new());
    scripted.refuses.store(true, Ordering::Relaxed);
    scripted.say(Err(()));
    while !sync.health().streams[0].failed_over {
        time.advance(SECOND).await;
        settle().await;
    }
    let failed: Vec<_> =
        (1..=5).map(|n| format!("distribution stream_failed_with_retry_ct {n} stream=scripted")).collect();
    assert_eq!(heard.take("distribution stream_failed_with_retry_ct"), failed);
    assert_eq!(heard.take("count stream_failover"), ["count stream_failover 1 stream=scripted"]);
    assert_eq!(heard.take("count stream_reconnected"), Vec::<String>::new());
    scripted.refuses.store(false, Ordering::Relaxed);
    scripted.say(Ok(StreamEvent::NoUpdate { time_ms: 1 }));
    while sync.health().streams[0].reconnections == 0 {
        time.advance(SECOND).await;
        settle().await;
    }
    assert_eq!(heard.take("count stream_reconnected"), ["count stream_reconnected 1 stream=scripted"]);
    assert_eq!(heard.take("count stream_received_message").len(), 2);
}

#[tokio::test]
async fn an_observer_that_panics_takes_nothing_down() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    server.publish_id_list("one", "f1", 1, "+12345678\n");
    let deaf = Arc::new(Deaf);
    let (network, _exchanges) = watched_network(&server, |_| {});
    let network = network.with_observer(deaf.clone());
    let store = empty();
    let sources = SpecSources::new().then(Arc::new(network.spec_source()));
    let sync = start(options(&deaf), &store, sources, clock());
    assert!(sync.initialize().await.is_config_spec_ready);
    server.publish_specs(specs(6, true));
    assert!(sync.sync_now().await.updated);
    server.fail_once(Endpoint::SpecsV2, Fault::Close);
    assert!(!sync.sync_now().await.success);
    assert_eq!((sync.health().panics, store.load().ruleset().meta().time), (0, 6));
    let mut options = IdListOptions::default();
    options.observer = Some(deaf);
    let source = Arc::new(network.id_list_source(false));
    let lists = IdListSync::start(options, Arc::new(IdLists::new()), source, &Handle::current());
    assert!(lists.sync_now().await.success);
    sync.shutdown(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn panics_are_heard() {
    let heard = Arc::new(Heard::default());
    let mut options = options(&heard);
    options.on_update = Some(Arc::new(|_| panic!("as the test wants it")));
    let bootstrap = statsig_net::sources::BootstrapSpecSource::new(specs(5, true).into_bytes(), clock());
    let sync = start(options, &empty(), SpecSources::new().then(Arc::new(bootstrap)), clock());
    assert!(sync.initialize().await.is_config_spec_ready);
    assert_eq!(
        heard.take("count sdk_exceptions_count"),
        ["count sdk_exceptions_count 1 tag=specs-listener exception=panic"]
    );
}
