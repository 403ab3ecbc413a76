//! Flush, shutdown and drop: where the events are, whatever drives the application.

use std::sync::Arc;
use std::time::Duration;

use statsig::{Delivery, EventBatch, EventSink, FixedClock, Getters, Statsig};
use statsig_testkit::MemorySink;
use tokio::sync::Semaphore;

use super::support::{Logged, NOW, specs, user};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn works_without_a_runtime_and_after_shutdown() {
    let logged = Logged::new();
    let layer = logged.statsig.get_layer(&user(), "home_layer");
    assert!(logged.statsig.check_gate(&user(), "new_checkout"));
    assert_eq!(logged.statsig.shutdown_blocking(LONG).events.delivered, 1);
    assert!(logged.statsig.check_gate(&user(), "for_testers"), "checks go on");
    assert_eq!(layer.get_string("title", ""), "Test");
    assert_eq!(logged.statsig.shutdown_blocking(LONG).events.delivered, 1, "told once more");
    assert_eq!(logged.sink.take().len(), 1, "and log nothing");
    assert!(logged.statsig.event_stats().is_balanced());
}

#[tokio::test]
async fn runs_on_the_callers_runtime() {
    let logged = Logged::new();
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(before > 0, "the client's tasks are here");
    logged.statsig.identify(&user());
    let report = logged.statsig.flush_events(LONG).await;
    assert_eq!((report.delivered, report.failed, report.pending), (1, 0, 0));
    assert!(logged.statsig.shutdown(LONG).await.events.is_complete());
}

#[test]
fn a_client_can_be_built_inside_one_runtime_and_dropped_inside_another() {
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outside = Logged::new();
    build().block_on(async {
        outside.statsig.identify(&user());
        let report = outside.statsig.flush_events(LONG).await;
        assert_eq!(report.delivered, 1);
        drop(outside);
    });
}

/// Delivers when it is let, and tells when it was closed.
struct Gated {
    inner: MemorySink,
    open: Semaphore,
    closed: std::sync::Mutex<Option<std::sync::mpsc::Sender<usize>>>,
}

#[async_trait::async_trait]
impl EventSink for Gated {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let Ok(_permit) = self.open.acquire().await else { return Delivery::retry("closed") };
        self.inner.deliver(batch).await
    }

    async fn close(&self, _: Duration) -> Result<(), statsig::SinkError> {
        if let Some(sender) = self.closed.lock().unwrap().take() {
            let _ = sender.send(self.inner.take().len());
        }
        Ok(())
    }
}

fn gated() -> (Statsig, Arc<Gated>, std::sync::mpsc::Receiver<usize>) {
    let (sender, closed) = std::sync::mpsc::channel();
    let sink = Arc::new(Gated {
        inner: MemorySink::default(),
        open: Semaphore::new(0),
        closed: std::sync::Mutex::new(Some(sender)),
    });
    let builder = Statsig::builder().bootstrap(specs(|_| ())).clock(Arc::new(FixedClock(NOW)));
    (builder.event_sink(sink.clone()).build().unwrap(), sink, closed)
}

#[test]
fn a_client_that_is_dropped_delivers_in_the_background() {
    let (statsig, sink, closed) = gated();
    let layer = statsig.get_layer(&user(), "home_layer");
    statsig.identify(&user());
    drop(statsig);
    sink.open.add_permits(8);
    assert_eq!(closed.recv_timeout(LONG).unwrap(), 1);
    assert_eq!(layer.get_string("title", ""), "Test", "a layer outlives its client");
}

#[test]
fn a_flush_that_cannot_end_says_what_is_pending() {
    let (statsig, sink, _closed) = gated();
    statsig.identify(&user());
    let report = statsig.flush_events_blocking(Duration::from_millis(50));
    assert_eq!((report.delivered, report.failed, report.pending), (0, 0, 1));
    sink.open.add_permits(8);
    assert!(statsig.flush_events_blocking(LONG).is_complete());
    let stats = statsig.event_stats();
    assert!(stats.is_balanced() && stats.delivered == 1, "{stats:?}");
}

#[test]
fn a_shutdown_that_cannot_deliver_ends_in_time_and_says_so() {
    let (statsig, _sink, closed) = gated();
    statsig.identify(&user());
    let report = statsig.shutdown_blocking(Duration::from_millis(50)).events;
    assert_eq!((report.delivered, report.failed, report.pending), (0, 1, 0));
    assert_eq!(closed.recv_timeout(LONG).unwrap(), 0);
    assert_eq!(statsig.event_stats().dropped.get(statsig::DropCause::Shutdown), 1);
}

#[test]
fn a_runtime_that_ended_delivers_nothing_and_the_reports_say_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let logged = Logged::with(specs(|_| ()), |builder| builder.runtime(runtime.handle().clone()));
    logged.statsig.identify(&user());
    drop(runtime);
    logged.statsig.identify(&user());
    for report in [logged.statsig.flush_events_blocking(LONG), logged.statsig.shutdown_blocking(LONG).events] {
        assert_eq!((report.delivered, report.pending, report.is_complete()), (0, 2, false));
    }
    assert!(logged.statsig.event_stats().is_balanced());
}

#[test]
fn a_shutdown_may_take_for_ever() {
    let logged = Logged::new();
    logged.statsig.identify(&user());
    assert_eq!(logged.statsig.shutdown_blocking(Duration::MAX).events.delivered, 1);
}

#[test]
fn accounts_are_exact_under_load() {
    let logged = Logged::with(specs(|_| ()), |builder| builder.event_queue_bounds(2_000, 4 << 20));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let statsig = logged.statsig.clone();
            scope.spawn(move || {
                for at in 0..2_000 {
                    let user = statsig::StatsigUser::with_user_id(format!("{thread}-{at}"));
                    let _ = statsig.check_gate(&user, "new_checkout");
                    statsig.log_event(&user, "e", None, None);
                    if at % 100 == 0 {
                        assert!(statsig.event_stats().is_balanced());
                    }
                }
            });
        }
    });
    let _ = logged.statsig.flush_events_blocking(LONG);
    let stats = logged.statsig.event_stats();
    assert!(stats.is_balanced(), "{stats:?}");
    assert_eq!(stats.accepted, 32_000);
    assert_eq!(stats.pending, 0);
    assert_eq!(logged.sink.take().len() as u64, stats.delivered);
}

/// A destination that is down.
struct DownSink;

#[async_trait::async_trait]
impl EventSink for DownSink {
    async fn deliver(&self, _: &EventBatch) -> Delivery {
        Delivery::retry("down")
    }
}

#[test]
fn exposures_of_an_outage_take_less_than_270_bytes_each() {
    // A tenth of the default bounds.
    const USERS: usize = 25_000;
    const BYTES: u64 = (64 << 20) / 10;
    let logged = Logged::with(specs(|_| ()), |builder| {
        builder.event_sink(Arc::new(DownSink)).retry_queue_size(1).event_queue_bounds(USERS, BYTES as usize)
    });
    let user = |at: usize| {
        let field = |name: &str| format!("{name}-{at:0width$}", width = 19 - name.len());
        let user = statsig::StatsigUser::builder().user_id(field("user")).email(field("mail")).ip(field("ip"));
        user.user_agent(field("agent")).country(field("land")).locale(field("lang")).build()
    };
    let deadline = std::time::Instant::now() + LONG;
    for at in 0..USERS {
        let _ = logged.statsig.check_gate(&user(at), "new_checkout");
        // Exposures are compacted on a background thread.
        while at % 100 == 0 && logged.statsig.event_stats().queue_bytes > BYTES - 100 * 700 {
            assert!(std::time::Instant::now() < deadline, "{:?}", logged.statsig.event_stats());
            std::thread::yield_now();
        }
    }
    let stats = logged.statsig.event_stats();
    assert_eq!((stats.accepted, stats.pending, stats.dropped.total()), (USERS as u64, USERS as u64, 0), "{stats:?}");
}
