//! The background task, with options that make no sense.

use std::sync::atomic::{AtomicU64, Ordering};

use statsig_core::{FixedClock, NoopSink, Observer, Tag};

use super::*;

#[derive(Default)]
struct Gauges(AtomicU64);

impl Observer for Gauges {
    fn gauge(&self, name: &str, _: f64, _: &[Tag<'_>]) {
        if name == "events_queue_depth" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_observer_hears_of_it_whatever_the_interval() {
    for interval in [Duration::ZERO, Duration::from_secs(60), Duration::MAX] {
        let gauges = Arc::new(Gauges::default());
        let mut options = EventLoggerOptions { observer: Some(gauges.clone()), ..EventLoggerOptions::default() };
        options.pipeline.batch_interval = interval;
        let clock = Arc::new(FixedClock(1_790_000_000_000));
        let settings = EvaluationSettings::new();
        let logger = EventLogger::start(options, settings, Arc::new(NoopSink), clock, &Handle::current());
        logger.not_exposed("a");
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert!(gauges.0.load(Ordering::Relaxed) >= 3, "{interval:?}");
        assert_eq!(logger.stats().accepted, u64::from(interval.is_zero()), "the counters, once an interval");
    }
}
