//! What happens beside the events: counters, metrics, reports of losses.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use statsig_background::{GuardedObserver, TaskSupervisor, UniformRandom};
use statsig_core::{ErrorReport, ErrorReporter, FlushType, Observer};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{EventLogger, ExposureCounts};
use crate::ledger::{DropCause, EventStats};
use crate::pipeline::PipelineOptions;

/// How often metrics and losses are looked at.
const TURN: Duration = Duration::from_secs(10);
/// Least and longest time from one report of the counters to the next: timers take no more.
const COUNTERS_EVERY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(86_400 * 365));
/// Longest report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest turn: there are at most two reports in it.
const ALL_REPORTS: Duration = Duration::from_secs(21);

/// What the turns of the background task remember.
pub(super) struct Housekeeping {
    observer: GuardedObserver,
    reporter: Option<Arc<dyn ErrorReporter>>,
    counters_every: Duration,
    batch_events: usize,
    retry_queue_size: usize,
    told: Mutex<Told>,
    restarts: AtomicU64,
    /// When the background task last had a turn.
    turned: Mutex<Option<Instant>>,
    /// `true` once the logger is shut down.
    over: watch::Sender<bool>,
}

/// The figures of the last turn.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    events: EventStats,
    exposures: ExposureCounts,
    now_ms: u64,
}

impl Housekeeping {
    pub(super) fn new(
        observer: GuardedObserver,
        reporter: Option<Arc<dyn ErrorReporter>>,
        pipeline: &PipelineOptions,
    ) -> Self {
        Self {
            observer,
            reporter,
            counters_every: pipeline.batch_interval.clamp(COUNTERS_EVERY.0, COUNTERS_EVERY.1),
            batch_events: pipeline.batch_events,
            retry_queue_size: pipeline.retry_queue_size,
            told: Mutex::default(),
            restarts: AtomicU64::new(0),
            turned: Mutex::default(),
            over: watch::Sender::new(false),
        }
    }

    /// The background task does not wait for its next turn any more.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Time since the background task last had a turn.
    pub(super) fn last_turn(&self) -> Option<Duration> {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// How often the background task panicked and was started again.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Hands the observer what changed since the last turn, and returns what is to be reported.
    fn turn(&self, figures: impl FnOnce() -> Told) -> Vec<ErrorReport> {
        let (before, now) = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock: of two turns at once, the later one must have the later figures.
            let now = figures();
            (std::mem::replace(&mut *told, now), now)
        };
        let reports = self.losses(&before.events, &now.events);
        for report in &reports {
            tracing::warn!(tag = report.tag, "{}", report.message);
        }
        self.observer.report(|observer| tell(observer, &before, &now, &reports));
        reports
    }

    /// One report for events that found no room, one for those that were given up later.
    fn losses(&self, before: &EventStats, now: &EventStats) -> Vec<ErrorReport> {
        let (mut overflow, mut failed, mut causes) = (0, 0, Vec::new());
        for (cause, count) in now.dropped.iter() {
            let lost = count.saturating_sub(before.dropped.get(cause));
            match cause {
                // The application's own wish.
                DropCause::Disabled => {}
                DropCause::QueueEvents | DropCause::QueueBytes => overflow += lost,
                _ if lost == 0 => {}
                _ => {
                    failed += lost;
                    causes.push(format!("{cause}: {lost}"));
                }
            }
        }
        let mut reports = Vec::new();
        if overflow > 0 {
            let message = format!("{overflow} events were dropped because the queue was full");
            reports.push(
                ErrorReport::new("statsig::log_event_dropped_event_count", message)
                    .with("eventCount", overflow)
                    .with("loggingInterval", self.counters_every.as_millis())
                    .with("batchSize", self.batch_events)
                    .with("maxPendingBatches", self.retry_queue_size)
                    .with("flushType", FlushType::Limit.as_str()),
            );
        }
        if failed > 0 {
            let message = format!("{failed} events were given up ({})", causes.join(", "));
            let at_the_end = now.dropped.get(DropCause::Shutdown) > before.dropped.get(DropCause::Shutdown);
            let flush_type = if at_the_end { FlushType::Shutdown } else { FlushType::ScheduledMaxTime };
            reports.push(
                ErrorReport::new("statsig::log_event_failed", message)
                    .with("eventCount", failed)
                    .with("flushType", flush_type.as_str()),
            );
        }
        reports
    }

    /// Makes the reports, and waits for that at most so long; what takes longer goes on.
    async fn report(&self, reports: Vec<ErrorReport>, within: Duration) {
        let Some(reporter) = self.reporter.clone().filter(|_| !reports.is_empty()) else { return };
        // In a task of its own, so that a panic ends nothing else.
        let sent = tokio::spawn(async move {
            for report in &reports {
                match timeout(REPORT_TIMEOUT, reporter.report(report)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(tag = report.tag, %error, "an error was not reported"),
                    Err(_) => tracing::debug!(tag = report.tag, "an error was not reported in time"),
                }
            }
        });
        match timeout(within, sent).await {
            Ok(Err(error)) if error.is_panic() => tracing::error!("the error reporter panicked"),
            _ => {}
        }
    }
}

fn tell(observer: &dyn Observer, before: &Told, now: &Told, reports: &[ErrorReport]) {
    let count = |name: &str, before: u64, now: u64| {
        if now > before {
            observer.increment(name, now - before, &[]);
        }
    };
    count("events_successfully_sent_count", before.events.delivered, now.events.delivered);
    count("events_unconfirmed_count", before.events.unconfirmed, now.events.unconfirmed);
    count("events_deduped_count", before.exposures.deduplicated, now.exposures.deduplicated);
    count("events_sampled_out_count", before.exposures.sampled_out, now.exposures.sampled_out);
    count("log_event.retries", before.events.retries, now.events.retries);
    for (cause, events) in now.events.dropped.iter() {
        let lost = events.saturating_sub(before.events.dropped.get(cause));
        if lost > 0 {
            observer.increment("events_dropped_count", lost, &[("cause", cause.name())]);
        }
    }
    for ((kind, before), (_, now)) in spool_damage(&before.events).into_iter().zip(spool_damage(&now.events)) {
        let found = now.saturating_sub(before);
        if found > 0 {
            observer.increment("spool_damage_count", found, &[("kind", kind)]);
        }
    }
    #[allow(clippy::cast_precision_loss)] // queues are smaller than 2^52
    let gauge = |name: &str, value: u64| observer.gauge(name, value as f64, &[]);
    gauge("events_queue_depth", now.events.pending);
    gauge("events_queue_bytes", now.events.queue_bytes);
    if now.events.spool_oldest_ms.or(before.events.spool_oldest_ms).is_some() {
        // Once it is empty, that is said as well, or the last age would stand for ever.
        let age_ms = now.events.spool_oldest_ms.map_or(0, |oldest_ms| now.now_ms.saturating_sub(oldest_ms));
        gauge("spool_oldest_age_ms", age_ms);
    }
    if now.events.spool_bytes > 0 || before.events.spool_bytes > 0 {
        gauge("spool_bytes", now.events.spool_bytes);
    }
    for report in reports {
        observer.error(report.tag, &report.message);
    }
}

/// Damage in the spool, by kind.
fn spool_damage(stats: &EventStats) -> [(&'static str, u64); 5] {
    [
        ("record", stats.spool_corrupt_records),
        ("segment", stats.spool_corrupt_segments),
        ("truncated_tail", stats.spool_truncated_tails),
        ("foreign_segment", stats.spool_foreign_segments),
        ("read_error", stats.spool_read_errors),
    ]
}

fn figures(logger: &EventLogger) -> Told {
    let now_ms = logger.clock.unix_ms();
    Told { events: logger.stats(), exposures: logger.exposure_counts(), now_ms }
}

/// Spawns the background task, which ends with the logger or its shutdown and restarts after a panic.
pub(super) fn spawn(logger: &Arc<EventLogger>, runtime: &Handle) {
    let housekeeping = &logger.housekeeping;
    let tasks = TaskSupervisor::new(runtime, housekeeping.observer.clone(), UniformRandom::new(None));
    let (logger, over) = (Arc::downgrade(logger), housekeeping.over.subscribe());
    let has_started = AtomicBool::new(false);
    tasks.spawn_worker("event-housekeeping", move |_| {
        if has_started.swap(true, Ordering::Relaxed)
            && let Some(logger) = logger.upgrade()
        {
            logger.housekeeping.restarts.fetch_add(1, Ordering::Relaxed);
        }
        run(logger.clone(), over.clone())
    });
}

/// Whether the logger ends or is gone before the pause is over.
async fn is_over(over: &mut watch::Receiver<bool>, pause: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => true,
        _ = pause => false,
    }
}

async fn run(logger: Weak<EventLogger>, mut over: watch::Receiver<bool>) {
    let Some(every) = logger.upgrade().map(|logger| logger.housekeeping.counters_every) else { return };
    let mut turns = interval(TURN.min(every));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counters_at = Instant::now() + every;
    loop {
        if is_over(&mut over, turns.tick()).await {
            return;
        }
        let Some(logger) = logger.upgrade().filter(|logger| !logger.pipeline.is_closed()) else { return };
        if Instant::now() >= counters_at {
            counters_at = Instant::now() + every;
            logger.push_counters();
        }
        let reports = logger.housekeeping.turn(|| figures(&logger));
        *logger.housekeeping.turned.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        logger.housekeeping.report(reports, ALL_REPORTS).await;
    }
}

/// What is left to tell once the pipeline has ended.
pub(super) async fn last_turn(logger: &EventLogger, within: Duration) {
    let reports = logger.housekeeping.turn(|| figures(logger));
    logger.housekeeping.report(reports, within).await;
}

#[cfg(test)]
mod tests {
    use statsig_core::{EvaluationSettings, FixedClock, NoopSink, Tag};
    use tokio::runtime::Handle;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;
    use crate::EventLoggerOptions;

    struct Turns(UnboundedSender<()>);

    impl Observer for Turns {
        fn gauge(&self, _: &str, _: f64, _: &[Tag<'_>]) {
            let _ = self.0.send(());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn intervals_of_any_length_work() {
        for batch_interval in [Duration::ZERO, Duration::from_secs(60), Duration::MAX] {
            let (turns, mut turned) = unbounded_channel();
            let mut options = EventLoggerOptions { observer: Some(Arc::new(Turns(turns))), ..Default::default() };
            options.pipeline.batch_interval = batch_interval;
            let (sink, clock) = (Arc::new(NoopSink), Arc::new(FixedClock(0)));
            let logger = EventLogger::start(options, EvaluationSettings::new(), sink, clock, &Handle::current());
            for _ in 0..10 {
                timeout(Duration::from_secs(600), turned.recv()).await.unwrap().unwrap();
            }
            assert!(logger.stats().last_housekeeping.is_some_and(|ago| ago <= TURN));
            assert!(logger.shutdown(Duration::from_secs(1)).await.is_complete());
        }
    }

    struct Counters(std::sync::Mutex<Vec<(String, u64, String)>>);

    impl Observer for Counters {
        fn increment(&self, name: &str, value: u64, tags: &[Tag<'_>]) {
            let tag = tags.first().map_or(String::new(), |tag| tag.1.to_owned());
            self.0.lock().unwrap().push((name.to_owned(), value, tag));
        }
    }

    #[test]
    fn damage_in_the_spool_is_a_metric() {
        let counters = Counters(Mutex::default());
        let mut now = Told::default();
        now.events.spool_corrupt_records = 3;
        now.events.spool_truncated_tails = 1;
        tell(&counters, &Told::default(), &now, &[]);
        tell(&counters, &now, &now, &[]);
        let damage = |value, kind: &str| ("spool_damage_count".to_owned(), value, kind.to_owned());
        assert_eq!(*counters.0.lock().unwrap(), [damage(3, "record"), damage(1, "truncated_tail")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_leaves_no_task() {
        let metrics = Handle::current().metrics();
        let before = metrics.num_alive_tasks();
        let (options, settings) = (EventLoggerOptions::default(), EvaluationSettings::new());
        let (sink, clock) = (Arc::new(NoopSink), Arc::new(FixedClock(0)));
        let logger = EventLogger::start(options, settings, sink, clock, &Handle::current());
        tokio::task::yield_now().await;
        assert!(metrics.num_alive_tasks() > before);
        assert!(logger.shutdown(Duration::from_secs(60)).await.is_complete());
        // The clock does not move: a task that sleeps would still be there.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(metrics.num_alive_tasks(), before);
    }
}
