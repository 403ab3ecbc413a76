//! Counts of the spool, entered in the ledger of the pipeline.

use tokio::time::Instant;

use super::{Books, Disk, Queue, SpoolDamage};
use crate::event::QueuedEvent;
use crate::ledger::DropCause;
use crate::spool::{SpoolError, SpoolStats, text_of};

impl Disk {
    /// The books, brought up to the accounts of the spool.
    pub(super) fn entered<'q, E: QueuedEvent>(
        &self,
        queue: &'q Queue<E>,
        known: &mut SpoolStats,
        error: Option<&SpoolError>,
    ) -> std::sync::MutexGuard<'q, Books<E>> {
        let mut books = queue.books();
        self.enter(&mut books, known);
        if let Some(error) = error {
            books.shelf.failures += 1;
            let now = Instant::now();
            if let SpoolError::Unavailable { retry_after, .. } = error {
                books.shelf.failed(now, Some(*retry_after));
            }
            warn(&mut books, now, error);
        }
        books
    }

    pub(super) fn enter<E>(&self, books: &mut Books<E>, known: &mut SpoolStats) {
        let stats = self.spool.stats();
        if books.shelf.unopened && self.spool.outage().is_none() {
            books.shelf.unopened = false;
            books.shelf.works();
            books.shelf.note_state(Instant::now());
        }
        books.shelf.recovered += stats.recovered.events - known.recovered.events;
        enter_drops(books, known, &stats);
        enter_damage(books, &stats);
        enter_gauges(books, &stats);
        *known = stats;
    }
}

pub(super) fn enter_drops<E>(books: &mut Books<E>, known: &SpoolStats, stats: &SpoolStats) {
    let damaged = |stats: &SpoolStats| {
        let dropped = stats.dropped;
        dropped.corrupt.events + dropped.unreadable.events + dropped.duplicate.events
    };
    let full = stats.dropped.max_bytes.events - known.dropped.max_bytes.events;
    let expired = stats.dropped.max_age.events - known.dropped.max_age.events;
    let damaged = damaged(stats) - damaged(known);
    for (cause, events) in
        [(DropCause::SpoolFull, full), (DropCause::SpoolExpired, expired), (DropCause::SpoolDamaged, damaged)]
    {
        if events > 0 {
            tracing::warn!(events, %cause, "the spool gave up events");
            books.dropped.add(cause, events);
            books.lost_from_disk(events);
        }
    }
}

pub(super) fn enter_damage<E>(books: &mut Books<E>, stats: &SpoolStats) {
    let damage = SpoolDamage {
        corrupt_records: stats.corrupt_records,
        corrupt_segments: stats.corrupt_segments,
        truncated_tails: stats.truncated_tails,
        foreign_segments: stats.foreign_segments,
        read_errors: stats.read_errors,
    };
    let before = std::mem::replace(&mut books.shelf.damage, damage);
    if before != damage {
        books.shelf.damage_warnings.warn(&before, &damage, Instant::now());
    }
}

pub(super) fn enter_gauges<E>(books: &mut Books<E>, stats: &SpoolStats) {
    books.shelf.events = stats.pending.events;
    books.shelf.at_rest = stats.pending.batches.saturating_sub(stats.in_flight.batches);
    books.shelf.bytes = stats.disk_bytes;
    books.shelf.oldest_ms = stats.oldest_created_ms;
}

pub(super) fn warn<E>(books: &mut Books<E>, now: Instant, error: &SpoolError) {
    let error = text_of(error);
    books.shelf.history.failed(error.clone(), now);
    if books.shelf.may_warn(now) {
        let failures = books.shelf.failures;
        tracing::warn!(
            error,
            failures,
            "the spool fails; batches of events stay where they are, and it is tried again"
        );
    }
}
