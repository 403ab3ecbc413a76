//! The accounts: where every event is that was ever accepted.

use std::fmt;
use std::time::Duration;

/// Why an event was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// Logging is switched off.
    Disabled,
    /// The queue held as many events as it may.
    QueueEvents,
    /// The queue held as many bytes as it may.
    QueueBytes,
    /// It could not be written as JSON, or its batch could not be read again.
    Unencodable,
    /// Its batch can never be delivered: the sink rejected it for good.
    Rejected,
    /// The destination refused its batch for [as long](crate::PipelineOptions::refusal_window) as a
    /// refused batch is retried, or until the end of the pipeline.
    Refused,
    /// It is larger than the destination takes, alone.
    TooLarge,
    /// Its batch failed time and again while others passed.
    Attempts,
    /// The pipeline was shut down before it was delivered.
    Shutdown,
    /// The spool held as many bytes as it may, and deleted its oldest batches.
    SpoolFull,
    /// Its batch had been in the spool for as long as it may.
    SpoolExpired,
    /// Its batch was damaged in the spool, or could not be read.
    SpoolDamaged,
}

impl DropCause {
    /// All causes.
    pub const ALL: [Self; 12] = [
        Self::Disabled,
        Self::QueueEvents,
        Self::QueueBytes,
        Self::Unencodable,
        Self::Rejected,
        Self::Refused,
        Self::TooLarge,
        Self::Attempts,
        Self::Shutdown,
        Self::SpoolFull,
        Self::SpoolExpired,
        Self::SpoolDamaged,
    ];

    /// The name of the cause in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::QueueEvents => "queue_events",
            Self::QueueBytes => "queue_bytes",
            Self::Unencodable => "unencodable",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Attempts => "attempts",
            Self::Shutdown => "shutdown",
            Self::SpoolFull => "spool_full",
            Self::SpoolExpired => "spool_expired",
            Self::SpoolDamaged => "spool_damaged",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of events not delivered, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropCause::ALL.len()]);

impl DropCounts {
    /// The number for a cause.
    #[must_use]
    pub fn get(&self, cause: DropCause) -> u64 {
        self.0[cause as usize]
    }

    /// The sum over all causes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Causes with their numbers, those with none left out.
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> + '_ {
        DropCause::ALL.into_iter().map(|cause| (cause, self.get(cause))).filter(|&(_, events)| events > 0)
    }

    pub(crate) fn add(&mut self, cause: DropCause, events: u64) {
        self.0[cause as usize] += events;
    }

    /// Takes back events that were not lost after all.
    #[cfg(feature = "spool")]
    pub(crate) fn take_back(&mut self, cause: DropCause, events: u64) {
        self.0[cause as usize] = self.0[cause as usize].saturating_sub(events);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// The accounts of an event pipeline at one moment.
///
/// `accepted + recovered = delivered + pending + dropped` holds in every snapshot: `pending` is not
/// what the others leave, but counted where the events are. Without a spool `recovered` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStats {
    /// Events that were handed to the pipeline.
    pub accepted: u64,
    /// Events that an earlier process had accepted and left in the spool. They are delivered,
    /// pending or dropped like those of this process.
    pub recovered: u64,
    /// Events that the sink has taken, those of `unconfirmed` among them.
    pub delivered: u64,
    /// Those of `delivered` whose destination answered three times with success, but never confirmed
    /// that it has them.
    pub unconfirmed: u64,
    /// Events that are neither delivered nor dropped yet: queued, being encoded, or in batches.
    pub pending: u64,
    /// Those of `pending` that are in batches, waiting or on their way.
    pub pending_in_batches: u64,
    /// Those of `pending_in_batches` that are in the spool, whether or not they are on their way.
    /// After a shutdown, all that is pending.
    pub pending_on_disk: u64,
    /// Memory that events hold which are in no batch yet, in bytes.
    pub queue_bytes: u64,
    /// Events that were given up.
    pub dropped: DropCounts,
    /// Batches that the sink has taken.
    pub batches_delivered: u64,
    /// Attempts that failed and were worth repeating.
    pub retries: u64,
    /// Batches that were too large and were cut in two.
    pub splits: u64,
    /// Attempts that ended in a panic of the sink.
    pub sink_panics: u64,
    /// Times that the sending task panicked and was started again.
    pub sender_restarts: u64,
    /// Times that the task panicked that looks after metrics and sums, and was started again.
    pub housekeeping_restarts: u64,
    /// Time since the sink last took a batch; `None` before the first. The last success of the sending task.
    pub last_delivery: Option<Duration>,
    /// Time since metrics and sums were last looked after, which is done every 10 seconds; `None` before the
    /// first time. The last success of that task.
    pub last_housekeeping: Option<Duration>,
    /// Calls of the spool that failed.
    pub spool_failures: u64,
    /// Bytes of the files of the spool.
    pub spool_bytes: u64,
    /// Records of the spool that were damaged. Where a header is intact, its events are in `dropped` with the cause
    /// `spool_damaged`; else the number of events is unknown, and a damaged stretch counts as one record.
    pub spool_corrupt_records: u64,
    /// Segments of the spool in which damage was found. Their intact records are delivered.
    pub spool_corrupt_segments: u64,
    /// Interrupted writes that were cut off the end of segments.
    pub spool_truncated_tails: u64,
    /// Segments of a newer format, which are left alone.
    pub spool_foreign_segments: u64,
    /// Failed reads of the spool. They are repeated.
    pub spool_read_errors: u64,
    /// When the oldest batch that rests in the spool was cut, in milliseconds since 1970.
    pub spool_oldest_ms: Option<u64>,
}

impl EventStats {
    /// Whether every event is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.accepted + self.recovered == self.delivered + self.pending + self.dropped.total()
    }
}

/// What became of the events that had been accepted when a flush began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct FlushReport {
    /// The sink has taken them.
    pub delivered: u64,
    /// They were given up; [`EventStats::dropped`] says why.
    pub failed: u64,
    /// They are in the spool, forced to the disk as far as it obeys, and are delivered when the
    /// destination takes them, by this process or a later one. Counts what was there before, too.
    pub spooled: u64,
    /// None of these, when the time was up. The pipeline goes on trying unless it is shut down.
    pub pending: u64,
}

impl FlushReport {
    /// Whether everything was delivered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_safe() && self.spooled == 0
    }

    /// Whether everything was delivered or is in the spool.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.failed == 0 && self.pending == 0
    }
}
