//! What the client does beside logging: metrics, reports, callbacks; and when it logs nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig::{
    Clock, CustomEvent, Delivery, ErrorReport, ErrorReporter, EventBatch, EventSink, FixedClock, Observer, SinkError,
    Statsig, Tag,
};

use super::support::{Logged, NOW, specs, user};

#[derive(Default)]
struct Metrics(Mutex<BTreeMap<String, u64>>);

impl Metrics {
    fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Observer for Metrics {
    fn increment(&self, name: &str, by: u64, tags: &[Tag<'_>]) {
        let tags: String = tags.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        *self.0.lock().unwrap().entry(format!("{name}{tags}")).or_default() += by;
    }

    fn distribution(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        assert!(value >= 0.0);
        self.increment(name, 1, tags);
    }

    fn error(&self, tag: &str, _message: &str) {
        *self.0.lock().unwrap().entry(format!("error {tag}")).or_default() += 1;
    }
}

#[derive(Default)]
struct Reports(Mutex<Vec<ErrorReport>>);

#[async_trait::async_trait]
impl ErrorReporter for Reports {
    async fn report(&self, report: &ErrorReport) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(report.clone());
        Ok(())
    }
}

/// Refuses everything.
struct Refusing;

#[async_trait::async_trait]
impl EventSink for Refusing {
    async fn deliver(&self, _: &EventBatch) -> Delivery {
        Delivery::reject("no")
    }
}

#[test]
fn the_observer_hears_of_what_was_delivered() {
    let metrics = Arc::new(Metrics::default());
    let logged = Logged::with(specs(|_| ()), |builder| builder.observer(metrics.clone()));
    for _ in 0..5 {
        let _ = logged.statsig.check_gate(&user(), "new_checkout");
    }
    logged.statsig.identify(&user());
    let report = logged.statsig.shutdown_blocking(Duration::from_secs(60)).events;
    assert_eq!((report.delivered, report.failed, report.pending), (2, 0, 0));
    assert_eq!(metrics.of("events_successfully_sent_count"), 2);
    assert_eq!(metrics.of("events_deduped_count"), 4);
    assert!(metrics.of("log_event.latency is_success=true") > 0);
    assert_eq!(logged.sink.take().len(), 2);
}

#[test]
fn lost_events_are_reported() {
    let (metrics, reports) = (Arc::new(Metrics::default()), Arc::new(Reports::default()));
    let statsig = Statsig::builder()
        .bootstrap(specs(|_| ()))
        .clock(Arc::new(FixedClock(NOW)))
        .event_sink(Arc::new(Refusing))
        .event_queue_bounds(3, 1 << 20)
        .observer(metrics.clone())
        .error_reporter(reports.clone())
        .build()
        .unwrap();
    for at in 0..5 {
        statsig.log_custom_event(&user(), &CustomEvent::new("e").value(at));
    }
    let report = statsig.shutdown_blocking(Duration::from_secs(60)).events;
    assert_eq!((report.delivered, report.failed), (0, 3));
    assert_eq!(metrics.of("events_dropped_count cause=queue_events"), 2);
    assert_eq!(metrics.of("events_dropped_count cause=rejected"), 3);
    assert_eq!(metrics.of("error statsig::log_event_failed"), 1);
    let reports = reports.0.lock().unwrap();
    let told: Vec<_> = reports.iter().map(|report| (report.tag, report.extra[0].1.as_str())).collect();
    assert_eq!(told, [("statsig::log_event_dropped_event_count", "2"), ("statsig::log_event_failed", "3")]);
    let overflow: Vec<_> = reports[0].extra.iter().map(|(name, _)| *name).collect();
    assert_eq!(overflow, ["eventCount", "loggingInterval", "batchSize", "maxPendingBatches", "flushType"]);
    let stats = statsig.event_stats();
    assert!(stats.is_balanced() && stats.accepted == 5 && stats.dropped.total() == 5, "{stats:?}");
}

#[test]
fn observers_reporters_and_callbacks_that_panic_harm_nothing() {
    struct Panics;
    impl Observer for Panics {
        fn increment(&self, _: &str, _: u64, _: &[Tag<'_>]) {
            panic!("observer");
        }
    }
    let logged = Logged::with(specs(|_| ()), |builder| {
        builder.observer(Arc::new(Panics)).events_flushed_callback(|_| panic!("callback"))
    });
    logged.statsig.identify(&user());
    assert!(logged.statsig.flush_events_blocking(Duration::from_secs(60)).is_complete());
    logged.statsig.identify(&user());
    let report = logged.statsig.shutdown_blocking(Duration::from_secs(60)).events;
    assert_eq!(report.delivered, 1);
    assert_eq!(logged.sink.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn metrics_go_on_after_a_panic() {
    struct Broken(Arc<AtomicBool>);
    impl Clock for Broken {
        fn now_ms(&self) -> i64 {
            assert!(!self.0.swap(false, Ordering::Relaxed), "as the test wants it");
            NOW
        }
    }
    let (breaks, metrics) = (Arc::new(AtomicBool::new(false)), Arc::new(Metrics::default()));
    let clock = Arc::new(Broken(Arc::clone(&breaks)));
    let logged = Logged::with(specs(|_| ()), |builder| builder.clock(clock).observer(metrics.clone()));
    let hears_of = async |events: u64| {
        for _ in 0..120 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if metrics.of("events_deduped_count") == events {
                return;
            }
        }
        panic!("nothing was heard");
    };
    (0..2).for_each(|_| drop(logged.statsig.get_feature_gate(&user(), "new_checkout")));
    hears_of(1).await;
    // With nothing left to be cut, only the metrics ask for the time.
    assert!(logged.statsig.flush_events(Duration::from_secs(60)).await.is_complete());
    breaks.store(true, Ordering::Relaxed);
    while breaks.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(logged.statsig.get_feature_gate(&user(), "new_checkout"));
    hears_of(2).await;
}

#[test]
fn a_shutdown_does_not_wait_for_a_reporter_that_hangs() {
    struct Hangs;
    #[async_trait::async_trait]
    impl ErrorReporter for Hangs {
        async fn report(&self, _: &ErrorReport) -> Result<(), SinkError> {
            std::future::pending().await
        }
    }
    let builder = Statsig::builder().bootstrap(specs(|_| ())).event_sink(Arc::new(Refusing));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let statsig = builder.error_reporter(Arc::new(Hangs)).build().unwrap();
        statsig.identify(&user());
        let begin = tokio::time::Instant::now();
        let report = statsig.shutdown(Duration::from_secs(3)).await.events;
        assert_eq!((report.failed, report.pending), (1, 0));
        assert!(begin.elapsed() <= Duration::from_millis(3_010), "{:?}", begin.elapsed());
    });
}

#[test]
fn after_a_shutdown_events_are_counted_and_no_longer_reported() {
    let reports = Arc::new(Reports::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let logged = Logged::with(specs(|_| ()), |builder| builder.error_reporter(reports.clone()));
        let _ = logged.statsig.shutdown(Duration::from_secs(3)).await;
        logged.statsig.identify(&user());
        tokio::time::advance(Duration::from_secs(120)).await;
        let _ = logged.statsig.flush_events(Duration::from_secs(3)).await;
        assert_eq!(logged.statsig.event_stats().dropped.get(statsig::DropCause::Shutdown), 1);
    });
    assert_eq!(reports.0.lock().unwrap().len(), 0);
}

#[test]
fn long_names_of_unknown_gates_count_against_the_memory() {
    let logged = Logged::with(specs(|_| ()), |builder| builder.event_queue_bounds(1_000, 1 << 20));
    let long = "x".repeat(100_000);
    for at in 0..100 {
        assert!(!logged.statsig.check_gate(&user(), &format!("{at}{long}")));
    }
    let stats = logged.statsig.event_stats();
    assert_eq!((stats.pending, stats.dropped.get(statsig::DropCause::QueueBytes)), (10, 90));
}

#[test]
fn each_attempt_calls_back() {
    let (sender, attempts) = std::sync::mpsc::channel();
    let fails = AtomicBool::new(true);
    struct FailsOnce(AtomicBool);
    #[async_trait::async_trait]
    impl EventSink for FailsOnce {
        async fn deliver(&self, _: &EventBatch) -> Delivery {
            if self.0.swap(false, Ordering::Relaxed) { Delivery::retry("busy") } else { Delivery::Delivered }
        }
    }
    let statsig = Statsig::builder()
        .bootstrap(specs(|_| ()))
        .clock(Arc::new(FixedClock(NOW)))
        .event_sink(Arc::new(FailsOnce(fails)))
        .events_flushed_callback(move |batch| {
            let name = batch.events().unwrap()[0]["eventName"].clone();
            sender.send((batch.success, batch.event_count, batch.attempt, batch.error.clone(), name)).unwrap();
        })
        .build()
        .unwrap();
    statsig.identify(&user());
    assert!(statsig.flush_events_blocking(Duration::from_secs(60)).is_complete());
    let name = serde_json::json!("statsig::identify");
    let limit = Duration::from_secs(60);
    assert_eq!(attempts.recv_timeout(limit).unwrap(), (false, 1, 0, Some("busy".to_owned()), name.clone()));
    assert_eq!(attempts.recv_timeout(limit).unwrap(), (true, 1, 1, None, name));
}

#[test]
fn nothing_is_kept_in_local_mode_or_with_logging_off() {
    for local in [true, false] {
        let logged = Logged::with(specs(|_| ()), |builder| {
            if local { builder.disable_network(true) } else { builder.disable_all_logging(true) }
        });
        assert!(logged.statsig.check_gate(&user(), "new_checkout"));
        logged.statsig.identify(&user());
        let quietly = statsig::EvaluationOptions::new().disable_exposure_logging(true);
        let _ = logged.statsig.check_gate_with_options(&user(), "new_checkout", quietly);
        assert_eq!(logged.events(), Vec::<serde_json::Value>::new());
        assert_eq!(logged.statsig.event_stats(), statsig::EventStats::default());
    }
}

#[test]
fn options_that_make_no_sense_are_refused_all_at_once() {
    let builder = Statsig::builder()
        .event_queue_size(0)
        .retry_queue_size(0)
        .event_queue_bounds(0, 0)
        .exposure_dedupe_max_keys(0)
        .event_flush_interval(Duration::MAX);
    let Err(statsig::Error::Misconfigured(found)) = builder.build() else { panic!("it was built") };
    let named = |option: &str| found.problems().iter().filter(|problem| problem.contains(option)).count();
    let options =
        ["bootstrap", "event_queue_size", "retry_queue_size", "event_queue_bounds", "exposure_dedupe_max_keys"];
    assert_eq!(options.map(named), [1, 1, 1, 2, 1], "{found}");
    assert_eq!((named("event_flush_interval"), found.problems().len()), (1, 7));
}
