//! What may change while the pipeline runs.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::options::{A_DAY, LEAST_INTERVAL, PipelineOptions};

/// Changes of a running pipeline's options; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineTuning {
    /// As [`PipelineOptions::batch_events`].
    pub batch_events: Option<usize>,
    /// As [`PipelineOptions::batch_interval`]; in force after the current interval. What is written
    /// ahead keeps its shorter one.
    pub batch_interval: Option<Duration>,
    /// Whether batches are compressed, at the level of the options.
    pub compress: Option<bool>,
}

/// The options in force, of those that may change.
#[derive(Debug)]
pub(super) struct Tuning {
    batch_events: AtomicUsize,
    /// Maximum number of events in a batch while a backlog waits, if `batch_events` is not larger.
    backlog_batch_events: usize,
    batch_interval_ms: AtomicU64,
    level: AtomicU32,
    /// The level of the options.
    usual_level: u32,
    /// The interval is not to grow beyond this.
    longest_ms: u64,
}

impl Tuning {
    pub(super) fn new(options: &PipelineOptions) -> Self {
        let interval_ms = millis(options.batch_interval);
        Self {
            batch_events: AtomicUsize::new(options.batch_events),
            backlog_batch_events: options.backlog_batch_events,
            batch_interval_ms: AtomicU64::new(interval_ms),
            level: AtomicU32::new(options.compression_level),
            usual_level: options.compression_level,
            longest_ms: if options.keeps_interval { interval_ms } else { u64::MAX },
        }
    }

    pub(super) fn apply(&self, tuning: PipelineTuning) {
        if let Some(events) = tuning.batch_events {
            self.batch_events.store(events.clamp(1, u32::MAX as usize), Ordering::Relaxed);
        }
        if let Some(interval) = tuning.batch_interval {
            let interval_ms = millis(interval.clamp(LEAST_INTERVAL, A_DAY)).min(self.longest_ms);
            self.batch_interval_ms.store(interval_ms, Ordering::Relaxed);
        }
        if let Some(compress) = tuning.compress {
            self.level.store(if compress { self.usual_level } else { 0 }, Ordering::Relaxed);
        }
    }

    pub(super) fn batch_events(&self) -> usize {
        self.batch_events.load(Ordering::Relaxed)
    }

    /// Returns whether more than two batches of the normal size wait.
    pub(super) fn is_backlog(&self, waiting_events: usize) -> bool {
        waiting_events > self.batch_events().saturating_mul(2)
    }

    /// Returns the maximum number of events in a batch that is cut while so many events wait.
    pub(super) fn batch_events_for(&self, waiting_events: usize) -> usize {
        let normal = self.batch_events();
        if self.is_backlog(waiting_events) { normal.max(self.backlog_batch_events) } else { normal }
    }

    pub(super) fn batch_interval(&self) -> Duration {
        Duration::from_millis(self.batch_interval_ms.load(Ordering::Relaxed))
    }

    pub(super) fn compression_level(&self) -> u32 {
        self.level.load(Ordering::Relaxed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
