//! A batch in memory, and how batches end.

use statsig_core::EventBatch;
use tokio::time::Instant;

use super::history::AnswerHistory;
use crate::ledger::DropCause;

/// Whether a batch is in the spool, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskCopy {
    /// It is in memory only.
    None,
    /// It is in memory only, since the spool never takes it.
    Impossible,
    /// It is in memory as well: it was written ahead of its first attempt, or beside one that takes long.
    Fresh,
    /// It was handed out by the spool.
    Drained,
}

/// How an event ended, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Failed,
    /// It rests in the spool.
    Spooled,
}

/// A batch, and what it means to those who wait.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) batch: EventBatch,
    pub(super) disk_copy: DiskCopy,
    /// Time at which it came to be in memory.
    pub(super) since: Instant,
    /// How many of its first events each ticket waits for.
    pub(super) tickets: Vec<(u64, u32)>,
    /// Failures after which other batches passed.
    pub(super) strikes: u32,
    /// Batches that had passed at its last failure.
    pub(super) passed_then: Option<u64>,
    /// Refusals and unconfirmed answers.
    pub(super) history: AnswerHistory,
}

impl Held {
    pub(super) fn new(batch: EventBatch, disk_copy: DiskCopy) -> Self {
        Self {
            batch,
            disk_copy,
            since: Instant::now(),
            tickets: Vec::new(),
            strikes: 0,
            passed_then: None,
            history: AnswerHistory::default(),
        }
    }

    pub(super) fn events(&self) -> u64 {
        u64::from(self.batch.event_count)
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.disk_copy, DiskCopy::Fresh | DiskCopy::Drained)
    }

    /// Cause under which the batch is dropped if the destination does not take it.
    pub(super) fn refusal_cause(&self) -> DropCause {
        if self.history.was_refused() { DropCause::Refused } else { DropCause::Rejected }
    }

    /// Counts a failure against the batch if it is the first, or if others passed since the last:
    /// then it is this batch that is at fault, and not the destination.
    pub(super) fn strike(&mut self, passed: u64) {
        if self.passed_then != Some(passed) {
            self.strikes += 1;
            self.passed_then = Some(passed);
        }
    }

    /// The halves of this batch, in its place.
    pub(super) fn halves(&self, batches: [EventBatch; 2]) -> [Self; 2] {
        let first_events = batches[0].event_count;
        let mut halves = batches.map(|batch| Self {
            strikes: self.strikes,
            passed_then: self.passed_then,
            history: self.history.of_half(),
            ..Self::new(batch, self.disk_copy)
        });
        for &(ticket, events) in &self.tickets {
            halves[0].tickets.push((ticket, events.min(first_events)));
            halves[1].tickets.push((ticket, events.saturating_sub(first_events)));
        }
        halves
    }
}
