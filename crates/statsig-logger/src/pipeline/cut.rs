//! Cuts waiting events into batches, or compacts those for which there is no room.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::books::{Books, Kind};
use super::sender::Sender;
use crate::batch::encode;
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Events of different metadata that are cut at once.
const GROUPED_AT_ONCE: usize = 20_000;
/// Exposures that are compacted between two looks at the deliveries.
const COMPACTED_AT_ONCE: usize = 4_096;

impl<E: QueuedEvent> Sender<E> {
    /// Cuts batches if it is time and there is room for them. Returns whether it did.
    pub(super) async fn cut(&mut self) -> bool {
        let (full, waiting) = (self.queue.tuning.batch_events(), self.queue.len());
        let batch_events = self.queue.tuning.batch_events_for(waiting);
        // Grouped events become as many batches as there are groups, whatever their number.
        let full = if self.options.is_grouped { full.max(GROUPED_AT_ONCE) } else { full };
        let (kind, events) = {
            let room = self.room(&self.queue.books());
            if room == 0 {
                return false;
            }
            // A grown batch is sent before the next one is encoded.
            let most = match self.options.is_grouped {
                true => full,
                false if batch_events > full => batch_events,
                false => room.saturating_mul(full),
            };
            if waiting >= full {
                self.queue.stage();
            }
            let mut books = self.queue.books();
            let due = |kind: Kind| {
                let staged = &books.staged[kind as usize];
                let asked = staged.cut_before.saturating_sub(staged.first) as usize;
                let whole = staged.events.len() / full * full;
                asked.max(whole).min(most)
            };
            let staged = |kind: Kind| books.staged[kind as usize].events.len();
            let larger = |count: &dyn Fn(Kind) -> usize| {
                let [exposures, customs] = Kind::BOTH.map(|kind| (kind, count(kind)));
                if customs.1 > exposures.1 { customs } else { exposures }
            };
            let (kind, events) = match larger(&due) {
                (_, 0) if staged(Kind::Exposure) + staged(Kind::Custom) >= full => larger(&staged),
                due => due,
            };
            if events == 0 {
                return false;
            }
            (kind, books.begin_cut(kind, events))
        };
        let limits = self.parts.limits(batch_events);
        tracing::trace!(?kind, events = events.len(), "cutting batches");
        let created_ms = self.parts.clock.now_ms();
        let queue = Arc::clone(&self.queue);
        let span = tracing::debug_span!("statsig.encode", events = events.len());
        let encoded = spawn_blocking(move || {
            let _entered = span.entered();
            let encoded = encode(&events, &limits, &queue.ids, created_ms);
            queue.release_events(&events);
            encoded
        });
        match encoded.await {
            Ok(encoded) => self.queue.books().end_cut(encoded),
            Err(_) => self.queue.books().abandon_cut(DropCause::Unencodable),
        }
        true
    }

    /// Compacts exposures of a backlog that takes an eighth of the queue's memory and for which
    /// there is no room in batches. Returns whether more may be left.
    pub(super) async fn compact(&self) -> bool {
        let queue = Arc::clone(&self.queue);
        if queue.bytes() < self.options.queue_bytes / 8 || !queue.tuning.is_backlog(queue.len()) {
            return false;
        }
        spawn_blocking(move || queue.compact(COMPACTED_AT_ONCE)).await.unwrap_or(false)
    }

    /// Number of batches that there is room for in memory.
    fn room(&self, books: &Books<E>) -> usize {
        let most = self.options.retry_queue_size.saturating_add(self.concurrency.growth());
        let bytes: usize = books.held().map(|held| held.batch.body.len()).sum();
        if self.disk.is_none() {
            // Batches in pauses of their own do not hold up others, as long as they are not too large.
            let paused = books.waiting.iter().filter(|held| held.history.paused_until().is_some()).count();
            let waiting = if bytes < self.options.queue_bytes / 2 { paused } else { 0 };
            return most.saturating_sub(books.waiting.len() + books.flying.len() - waiting);
        }
        if bytes < self.options.queue_bytes / 2 { most } else { 0 }
    }
}
