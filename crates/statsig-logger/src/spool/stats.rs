//! The accounts of the spool.

/// Number of batches and of the events in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Batches.
    pub batches: u64,
    /// Events in these batches.
    pub events: u64,
}

impl Tally {
    pub(super) fn add(&mut self, events: u32) {
        self.batches += 1;
        self.events += u64::from(events);
    }

    pub(super) fn remove(&mut self, events: u32) {
        self.batches = self.batches.saturating_sub(1);
        self.events = self.events.saturating_sub(u64::from(events));
    }

    fn plus(self, other: Self) -> Self {
        Self { batches: self.batches + other.batches, events: self.events + other.events }
    }
}

/// Batches that the spool itself gave up, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropTallies {
    /// Evicted because of `max_bytes`.
    pub max_bytes: Tally,
    /// Older than `max_age`.
    pub max_age: Tally,
    /// Damaged on disk.
    pub corrupt: Tally,
    /// Refused by the medium, time and again for minutes.
    pub unreadable: Tally,
    /// Appended under the id of another batch, which was in flight when this one was met.
    pub duplicate: Tally,
}

impl DropTallies {
    /// Returns the sum over all causes.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.max_bytes.plus(self.max_age).plus(self.corrupt).plus(self.unreadable).plus(self.duplicate)
    }
}

/// Cause of a drop, to pick the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DropCause {
    MaxBytes,
    MaxAge,
    Corrupt,
    Unreadable,
    Duplicate,
}

/// State and history of a spool since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolStats {
    /// Not settled yet, in flight or not.
    pub pending: Tally,
    /// Handed out, and neither acknowledged nor released. Part of `pending`.
    pub in_flight: Tally,
    /// Accepted by `append`.
    pub appended: Tally,
    /// Found unsettled in what dead processes left.
    pub recovered: Tally,
    /// Acknowledged as delivered.
    pub delivered: Tally,
    /// Acknowledged as rejected, whether or not `dead/` had room.
    pub dead_lettered: Tally,
    /// Acknowledged as discarded.
    pub discarded: Tally,
    /// Acknowledged as replaced.
    pub replaced: Tally,
    /// Given up by the spool.
    pub dropped: DropTallies,
    /// Bytes of all segment and acknowledgement files.
    pub disk_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Creation time of the oldest batch not in flight, in ms since the epoch.
    pub oldest_created_ms: Option<u64>,
    /// Instances of dead processes taken over.
    pub adopted_instances: u64,
    /// Ends of segments cut off because a write had been interrupted.
    pub truncated_tails: u64,
    /// Segments in which damage was found when they were adopted.
    pub corrupt_segments: u64,
    /// Records that failed a check. A damaged stretch whose headers are unreadable counts as one record.
    pub corrupt_records: u64,
    /// Segments left alone because a newer version wrote them.
    pub foreign_segments: u64,
    /// Writes refused because the disk was full.
    pub disk_full: u64,
    /// Other writes that failed.
    pub write_errors: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// fsyncs that failed.
    pub failed_syncs: u64,
    /// Rejected batches that could not be written to `dead/`.
    pub dead_write_errors: u64,
}

impl SpoolStats {
    /// Returns what came in and what it became; the two are always equal.
    #[must_use]
    pub fn balance(&self) -> (Tally, Tally) {
        let came = self.appended.plus(self.recovered);
        let became = self
            .pending
            .plus(self.delivered)
            .plus(self.dead_lettered)
            .plus(self.discarded)
            .plus(self.replaced)
            .plus(self.dropped.total());
        (came, became)
    }

    pub(super) fn dropped_by(&mut self, cause: DropCause) -> &mut Tally {
        match cause {
            DropCause::MaxBytes => &mut self.dropped.max_bytes,
            DropCause::MaxAge => &mut self.dropped.max_age,
            DropCause::Corrupt => &mut self.dropped.corrupt,
            DropCause::Unreadable => &mut self.dropped.unreadable,
            DropCause::Duplicate => &mut self.dropped.duplicate,
        }
    }
}
