//! Beginning, end, and everything in between, row by row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use statsig::{
    DataSource, EvaluationOptions, InitializeDetails, NoopSink, ReadyPolicy, SpecOrigin, Statsig, StatsigBuilder,
};
use statsig_core::{Reach, SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecUpdate};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};
use statsig_testkit::specs::{GateBuilder, ProjectBuilder};
use tokio::sync::Notify;

use super::support::{Logged, user};

const LONG: Duration = Duration::from_secs(60);

fn project(time: u64) -> Vec<u8> {
    ProjectBuilder::new().time(time).gate(GateBuilder::on("gate")).build()
}

fn builder(server: &FakeStatsig) -> StatsigBuilder {
    Statsig::builder().sdk_key("secret-test").api(server.url()).init_timeout(LONG)
}

fn reason(statsig: &Statsig) -> String {
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    statsig.get_feature_gate_with_options(&user("ada"), "gate", quietly).details().reason()
}

/// A source that answers when it is let, or panics.
struct Held {
    go: Notify,
    asked: AtomicU32,
    panics: bool,
}

impl Held {
    fn new(panics: bool) -> Arc<Self> {
        Arc::new(Self { go: Notify::new(), asked: AtomicU32::new(0), panics })
    }
}

#[async_trait::async_trait]
impl SpecSource for Held {
    fn name(&self) -> &str {
        "held"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Held".into())
    }
    fn reach(&self) -> Reach {
        Reach::Local
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.panics {
            std::panic::panic_any("of the application");
        }
        self.go.notified().await;
        Ok(SpecFetch::Updated(SpecUpdate::new(project(5), self.origin(), self.reach(), 0)))
    }
}

fn on(source: &Arc<Held>) -> StatsigBuilder {
    let source = DataSource::Custom(Arc::clone(source) as Arc<dyn SpecSource>);
    Statsig::builder().initialize_sources([source]).config_sync_sources([])
}

#[tokio::test]
async fn before_and_while_it_loads_checks_give_their_defaults() {
    let source = Held::new(false);
    let statsig = on(&source).build().unwrap();
    assert_eq!(reason(&statsig), "Uninitialized");
    assert!(!statsig.is_initialized() && statsig.get_initialize_details().is_none());
    let loading = tokio::spawn({
        let statsig = statsig.clone();
        async move { statsig.initialize().await }
    });
    while source.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reason(&statsig), "Loading:Unrecognized");
    assert!(!statsig.is_initialized());
    source.go.notify_one();
    let details = loading.await.unwrap();
    assert!(details.init_success && details.is_config_spec_ready, "{details:?}");
    assert_eq!(reason(&statsig), "Adapter(Held):Recognized");
    assert_eq!((statsig.is_initialized(), statsig.get_initialize_details()), (true, Some(details)));
}

#[tokio::test]
async fn a_second_initialize_does_nothing_and_tells_the_same() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(project(5));
    let statsig = builder(&server).build().unwrap();
    let (first, beside) = tokio::join!(statsig.initialize(), statsig.initialize());
    let later = statsig.initialize().await;
    assert_eq!((&first, &first), (&beside, &later));
    assert_eq!(server.requests_to(Endpoint::SpecsV2).len(), 1);
    // Also after a shutdown.
    statsig.shutdown(LONG).await;
    assert_eq!(statsig.initialize().await, first);
    assert!(statsig.is_initialized());
}

#[tokio::test]
async fn a_network_that_fails_is_no_failure_of_the_start_and_polls_go_on() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(400, String::new())));
    let statsig = builder(&server).build().unwrap();
    let details = statsig.initialize().await;
    assert!(details.init_success && !details.is_config_spec_ready && details.error.is_some(), "{details:?}");
    assert_eq!((&details.source, reason(&statsig).as_str()), (&SpecOrigin::NoValues, "NoValues"));
    server.publish_specs(project(5));
    server.fail_always(Endpoint::SpecsV2, None);
    assert!(statsig.ready(ReadyPolicy::Any, LONG).await, "by a poll");
    assert_eq!(reason(&statsig), "Network:Recognized");
}

#[tokio::test]
async fn a_start_that_takes_too_long_says_so_and_goes_on() {
    let source = Held::new(false);
    let statsig = on(&source).init_timeout(Duration::from_millis(10)).build().unwrap();
    let details = statsig.initialize().await;
    assert!(details.timed_out && !details.init_success && !details.is_config_spec_ready, "{details:?}");
    source.go.notify_one();
    assert!(statsig.ready(ReadyPolicy::Any, LONG).await);
    assert_eq!(reason(&statsig), "Adapter(Held):Recognized");
}

#[tokio::test]
async fn a_source_that_panics_is_one_that_failed() {
    let source = Held::new(true);
    let statsig = on(&source).build().unwrap();
    let details = statsig.initialize().await;
    assert!(details.init_success && !details.is_config_spec_ready, "{details:?}");
    assert!(matches!(
        &details.attempts[0].outcome,
        statsig::AttemptOutcome::Failed { kind: SourceErrorKind::Failing, .. }
    ));
    assert!(statsig.is_initialized());
}

#[test]
fn local_mode_is_no_failure() {
    for key in ["secret-test", "any", ""] {
        let statsig = Statsig::builder().sdk_key(key).bootstrap(project(5)).disable_network(true).build().unwrap();
        let details = statsig.initialize_blocking();
        assert!(details.init_success && details.is_config_spec_ready && details.error.is_none(), "{details:?}");
        assert_eq!(reason(&statsig), "Bootstrap:Recognized");
        let without = Statsig::builder().sdk_key(key).disable_network(true).build().unwrap();
        let details = without.initialize_blocking();
        assert!(details.init_success && !details.is_config_spec_ready, "{details:?}");
    }
}

/// A client that has nothing to load, too, can be initialized.
#[test]
fn a_bootstrap_document_alone_is_ready_at_once() {
    let statsig = Statsig::builder().bootstrap(project(5)).build().unwrap();
    assert!(statsig.is_initialized());
    let details = statsig.initialize_blocking();
    assert!(details.init_success && details.is_config_spec_ready, "{details:?}");
    assert_eq!((&details.source, details.specs_time), (&SpecOrigin::Bootstrap, 5));
    assert!(statsig.ready_blocking(ReadyPolicy::Fresh, LONG));
    assert!(statsig.ready_blocking(ReadyPolicy::MaxAge(LONG), LONG));
    let with_events = Statsig::builder().bootstrap(project(5)).event_sink(Arc::new(NoopSink)).build().unwrap();
    let details = with_events.initialize_blocking();
    assert!(details.init_success && details.source == SpecOrigin::Bootstrap, "{details:?}");
}

#[test]
fn an_empty_name_is_an_unknown_one() {
    let logged = Logged::new(&ProjectBuilder::new());
    assert!(!logged.statsig.check_gate(&user("ada"), ""));
    assert_eq!(logged.statsig.get_dynamic_config(&user("ada"), "").details().reason(), "Bootstrap:Unrecognized");
    assert_eq!(logged.exposures(), ["gate ", "config "]);
}

#[test]
fn after_a_shutdown_checks_answer_from_memory_and_log_nothing() {
    let logged = Logged::new(&ProjectBuilder::new().gate(GateBuilder::on("gate")));
    let first = logged.statsig.shutdown_blocking(LONG);
    assert!(logged.statsig.check_gate(&user("ada"), "gate"));
    logged.statsig.log_event(&user("ada"), "late", None, None);
    assert_eq!(logged.statsig.shutdown_blocking(LONG), first, "a second one waits for the first");
    let stats = logged.statsig.event_stats();
    assert_eq!((stats.delivered, stats.pending), (0, 0), "{stats:?}");
    assert!(stats.is_balanced());
}

/// Never, not even without having been initialized.
#[test]
fn a_shutdown_never_fails() {
    let server = FakeStatsig::start().unwrap();
    let statsig = builder(&server).build().unwrap();
    statsig.shutdown_blocking(LONG);
    let details: InitializeDetails = statsig.initialize_blocking();
    assert!(!details.init_success && !details.is_config_spec_ready, "{details:?}");
    assert!(server.requests().is_empty(), "nothing begins after the end");
}

#[test]
fn a_bootstrap_document_is_a_source_in_its_place() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(project(5));
    let other = ProjectBuilder::new().time(9).set("hashed_sdk_key_used", "1").gate(GateBuilder::on("gate")).build();
    // Not listed: not in force.
    let unlisted = builder(&server).bootstrap(project(9)).initialize_sources([DataSource::Network]).build().unwrap();
    assert_eq!(reason(&unlisted), "Uninitialized");
    assert_eq!(unlisted.initialize_blocking().specs_time, 5);
    // Made for another project: not in force, neither beside the network nor alone.
    let foreign = builder(&server).bootstrap(&other).build().unwrap();
    assert_eq!(foreign.initialize_blocking().source, SpecOrigin::Network);
    let refused = Statsig::builder().sdk_key("secret-test").disable_network(true).bootstrap(&other).build();
    assert!(refused.unwrap_err().to_string().contains("another SDK key"));
    let unusable = Statsig::builder().sdk_key("secret-test").disable_network(true).bootstrap("{").build();
    assert!(matches!(unusable, Err(statsig::Error::Specs(_))));
}

#[test]
fn for_ever_is_a_time_like_any_other() {
    let logged = Logged::new(&ProjectBuilder::new().gate(GateBuilder::on("gate")));
    assert!(logged.statsig.check_gate(&user("ada"), "gate"));
    let report = logged.statsig.shutdown_blocking(Duration::MAX);
    assert_eq!(report.events.delivered, 1);
    assert_eq!(logged.statsig.shutdown_blocking(LONG), report, "a second call tells the same");

    let server = FakeStatsig::start().unwrap();
    server.publish_specs(project(5));
    let statsig = builder(&server).init_timeout(Duration::MAX).build().unwrap();
    assert!(statsig.initialize_blocking().init_success && statsig.is_initialized());
    assert!(statsig.ready_blocking(ReadyPolicy::Any, Duration::MAX));
    statsig.shutdown_blocking(Duration::MAX);
}

#[tokio::test]
async fn a_wait_that_is_dropped_keeps_no_client_alive() {
    let dropped = Arc::new(());
    let source = Held::new(false);
    let witness = Arc::clone(&dropped);
    let statsig = on(&source).rules_updated_callback(move |_| drop(Arc::clone(&witness))).build().unwrap();
    let mut wait = Box::pin(statsig.ready(ReadyPolicy::Any, Duration::from_secs(3_600)));
    assert!(still_waits(&mut wait).await, "it waits");
    drop(wait);
    drop(statsig);
    while Arc::strong_count(&dropped) > 1 {
        tokio::task::yield_now().await;
    }
}

/// Polls a future a few times; whether it still waits.
async fn still_waits<F: Future + Unpin>(future: &mut F) -> bool {
    for _ in 0..20 {
        let ended = std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready())
        });
        if ended.await {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// No key, no network: a file alone is followed as well, once, however often it is listed.
#[tokio::test]
async fn a_file_is_watched_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specs.json");
    std::fs::write(&path, project(5)).unwrap();
    let file = || DataSource::File(path.clone());
    let statsig = Statsig::builder().initialize_sources([file()]).config_sync_sources([file()]).build().unwrap();
    assert_eq!(statsig.initialize().await.specs_time, 5);
    let health = statsig.health().specs.unwrap();
    let workers: Vec<&str> = health.workers.iter().map(|worker| &*worker.name).collect();
    assert!(workers.contains(&"specs-stream file-watcher") && workers.contains(&"specs-poller"), "{workers:?}");
    assert_eq!(health.streams.len(), 1, "{:?}", health.streams);
    std::fs::write(&path, project(6)).unwrap();
    assert_eq!(statsig.wait_for_specs(5, LONG).await, Some(6));
}

#[tokio::test]
async fn specs_that_the_application_brings_end_the_wait_for_some() {
    let source = Held::new(false);
    let statsig = on(&source).build().unwrap();
    let (ready, newer) = (
        tokio::spawn({
            let statsig = statsig.clone();
            async move { statsig.ready(ReadyPolicy::Any, LONG).await }
        }),
        tokio::spawn({
            let statsig = statsig.clone();
            async move { statsig.wait_for_specs(3, LONG).await }
        }),
    );
    tokio::task::yield_now().await;
    statsig.update_specs(project(7)).unwrap();
    assert_eq!((ready.await.unwrap(), newer.await.unwrap()), (true, Some(7)));
    assert_eq!(statsig.wait_for_specs(6, Duration::ZERO).await, Some(7));
}
