//! Options of the pipeline.

use std::time::Duration;

/// How many events are kept, and when they are sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// Events in a batch, and the number of waiting events that makes one be cut. Default 500. While
    /// more than twice as many events wait, batches grow up to
    /// [`backlog_batch_events`](Self::backlog_batch_events).
    pub batch_events: usize,
    /// Maximum number of events in a batch that is cut while more than two batches of
    /// [`batch_events`](Self::batch_events) wait; raised to `batch_events` if smaller. A grown batch
    /// stays within [`batch_bytes`](Self::batch_bytes). Default 3,000.
    pub backlog_batch_events: usize,
    /// Longest time that an event waits for its batch to be cut, 10 ms to a day. Default 60 seconds;
    /// batches are cut up to a fifth earlier, so that a fleet started at once does not send at once.
    pub batch_interval: Duration,
    /// Most bytes of a batch before compression. Default 4 MiB.
    pub batch_bytes: usize,
    /// gzip level, 1 to 9; 0 does not compress. Default 3: exposures get a sixth larger than at 6, at
    /// little more than half of its cost.
    pub compression_level: u32,
    /// Most events that wait for their batch. Default 250,000.
    pub queue_events: usize,
    /// Most bytes that they hold (see `QueuedEvent::cost_bytes`). Default 64 MiB. From an eighth of it
    /// on, exposures that wait for room in batches are compacted (`QueuedEvent::compact`).
    pub queue_bytes: usize,
    /// Most encoded batches in memory, on their way or waiting for another attempt. While there are
    /// so many, further events stay in the queue. Deliveries beyond
    /// [`parallel_deliveries`](Self::parallel_deliveries) do not count. Not with a spool. Default 10.
    pub retry_queue_size: usize,
    /// Number of deliveries at a time, without a backlog; one while they fail. Default 4.
    pub parallel_deliveries: usize,
    /// Maximum number of deliveries at a time while a backlog waits and deliveries succeed; raised
    /// to [`parallel_deliveries`](Self::parallel_deliveries) if smaller. Each success adds one
    /// delivery, a failure halves their number. Default 16.
    pub max_parallel_deliveries: usize,
    /// Most failures of a batch that count against it: those after which other batches passed.
    /// A general outage costs no attempts. Default 6.
    pub max_attempts: u32,
    /// Time for which a batch that the destination refuses is kept and retried, from its first
    /// refusal in this process. A refusal after that time drops it. Default 10 minutes.
    pub refusal_window: Duration,
    /// Time within which a batch is sent twice more whose delivery was not confirmed. Default 1
    /// minute.
    pub confirmation_window: Duration,
    /// Pause after the first failure; doubles with each further one. The actual pause is chosen
    /// evenly between zero and that. Default 1 second.
    pub backoff_base: Duration,
    /// Longest pause, also where the destination asks for a longer one; at most a day. Default 60
    /// seconds.
    pub backoff_cap: Duration,
    /// Longest attempt, if the sink does not give up earlier. Default 30 seconds.
    pub delivery_timeout: Duration,
    /// Seed of the pauses' randomness; random by default.
    pub jitter_seed: Option<u64>,
    /// Bytes of waiting events that make batches be cut. Set by the mode of the spool.
    pub(super) cut_bytes: usize,
    /// Events are grouped by their metadata: many are cut at once, so that groups fill batches.
    pub(super) is_grouped: bool,
    /// The interval is part of a promise, and nothing may make it longer.
    pub(super) keeps_interval: bool,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            batch_events: 500,
            backlog_batch_events: 3_000,
            batch_interval: Duration::from_secs(60),
            batch_bytes: 4 << 20,
            compression_level: 3,
            queue_events: 250_000,
            queue_bytes: 64 << 20,
            retry_queue_size: 10,
            parallel_deliveries: 4,
            max_parallel_deliveries: 16,
            max_attempts: 6,
            refusal_window: Duration::from_secs(10 * 60),
            confirmation_window: Duration::from_secs(60),
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(30),
            jitter_seed: None,
            cut_bytes: usize::MAX,
            is_grouped: false,
            keeps_interval: false,
        }
    }
}

/// Longest interval and pause: as good as for ever, and far from what a clock cannot add.
pub(super) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Shortest interval.
pub(super) const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// How often batches are cut that are written ahead of their first attempt.
#[cfg(feature = "spool")]
const AHEAD_INTERVAL: Duration = Duration::from_millis(250);
#[cfg(feature = "spool")]
const AHEAD_BYTES: usize = 256 << 10;

impl PipelineOptions {
    /// Returns the options for events that are grouped by their metadata.
    pub(crate) fn grouped(mut self) -> Self {
        self.is_grouped = true;
        self
    }

    /// The options as a spool needs them.
    #[cfg(feature = "spool")]
    pub(super) fn with_spool(mut self, mode: super::SpoolMode, most_body_bytes: usize) -> Self {
        // What does not compress grows a little.
        self.batch_bytes = self.batch_bytes.min(most_body_bytes.saturating_sub(most_body_bytes / 1_000 + 64));
        if mode == super::SpoolMode::WriteAhead {
            self.batch_interval = self.batch_interval.min(AHEAD_INTERVAL);
            self.keeps_interval = true;
            self.cut_bytes = AHEAD_BYTES.min(self.queue_bytes / 2).max(1);
        } else {
            self.cut_bytes = (self.queue_bytes / 2).max(1);
        }
        self
    }

    /// The options with every number raised to the least that works, and times of more than a day
    /// lowered to one.
    pub(crate) fn sane(mut self) -> Self {
        self.batch_events = self.batch_events.clamp(1, u32::MAX as usize);
        self.batch_interval = self.batch_interval.clamp(LEAST_INTERVAL, A_DAY);
        self.backlog_batch_events = self.backlog_batch_events.min(u32::MAX as usize);
        self.batch_bytes = self.batch_bytes.max(1_024);
        self.compression_level = self.compression_level.min(9);
        self.queue_events = self.queue_events.max(1);
        self.retry_queue_size = self.retry_queue_size.max(1);
        self.parallel_deliveries = self.parallel_deliveries.max(1);
        self.max_attempts = self.max_attempts.max(1);
        self.confirmation_window = self.confirmation_window.min(A_DAY);
        self.backoff_base = self.backoff_base.clamp(Duration::from_millis(1), A_DAY);
        self.backoff_cap = self.backoff_cap.clamp(self.backoff_base, A_DAY);
        self
    }
}
