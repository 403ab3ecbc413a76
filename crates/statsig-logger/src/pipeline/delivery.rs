//! Attempts to deliver, and what follows from how they ended.

use std::sync::Arc;

use statsig_core::{Delivery, FlushType};
use tokio::task::{Id, JoinError, spawn_blocking};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::held::{DiskCopy, Held};
use super::sender::Sender;
use super::shelf::Order;
use crate::batch::split;
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Most attempts at a time with batches of the spool.
pub(super) const MOST_DRAINED: usize = 2;

impl<E: QueuedEvent> Sender<E> {
    /// Sends waiting batches, as many at a time as may be.
    pub(super) fn launch(&mut self, now: Instant) {
        if self.backoff.until(now).is_some() {
            return;
        }
        let failing = self.backoff.is_failing();
        let mut books = self.queue.books();
        loop {
            let drained = books.flying.values().filter(|held| held.disk_copy == DiskCopy::Drained).count();
            let others = books.flying.len() - drained;
            // One at a time while attempts fail, whatever it is.
            let [may_send, may_drain] = if failing {
                [others + drained == 0; 2]
            } else {
                [others < self.options.parallel_deliveries, drained < MOST_DRAINED]
            };
            let next = books.waiting.front().filter(|_| may_send).is_some();
            let held = if next {
                books.waiting.pop_front()
            } else if may_drain {
                books.shelf.fetched.pop_front()
            } else {
                None
            };
            let Some(held) = held else { return };
            let sink = Arc::clone(&self.parts.sink);
            let flush_type = if books.closing.is_some() {
                FlushType::Shutdown
            } else if !held.tickets.is_empty() {
                FlushType::Manual
            } else if held.batch.event_count as usize >= self.queue.tuning.batch_events() {
                FlushType::ScheduledFullBatch
            } else {
                FlushType::ScheduledMaxTime
            };
            let (batch, limit) = (held.batch.clone().with_flush_type(flush_type), self.options.delivery_timeout);
            let span = tracing::debug_span!(
                "statsig.deliver",
                events = batch.event_count,
                bytes = batch.body.len(),
                attempt = batch.attempt,
                flush = flush_type.as_str(),
            );
            let attempt = async move {
                match timeout(limit, sink.deliver(&batch)).await {
                    Ok(outcome) => outcome,
                    Err(elapsed) => Delivery::retry(elapsed),
                }
            };
            let task = self.deliveries.spawn(attempt.instrument(span));
            self.batches.insert(task.id(), held.batch.id);
            books.flying.insert(held.batch.id, held);
        }
    }

    /// Notes how a delivery ended.
    pub(super) async fn settle(&mut self, ended: Result<(Id, Delivery), JoinError>) {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some(id) = self.batches.remove(&task) else { return };
        let on_disk = self.queue.books().flying.get(&id).is_some_and(Held::is_on_disk);
        if matches!(outcome, Some(Delivery::TooLarge)) && !on_disk {
            return self.halve(id).await;
        }
        let mut books = self.queue.books();
        let Some(mut held) = books.flying.remove(&id) else { return };
        // It may have been written since.
        let on_disk = held.is_on_disk();
        let (events, attempt) = (held.batch.event_count, held.batch.attempt);
        let mut asked = None;
        match outcome {
            Some(Delivery::Delivered) => {
                self.backoff.succeeded();
                books.passed += 1;
                books.delivered_at = Some(Instant::now());
                books.shelf.release_suspects();
                return books.settle_delivered(held);
            }
            Some(Delivery::TooLarge) => return books.shelf.order(held, Order::Split),
            Some(Delivery::Reject { reason }) => {
                tracing::warn!(events, attempt, %reason, "the destination refused a batch of events");
                return match self.disk {
                    Some(_) => books.shelf.order(held, Order::Bury),
                    None => books.settle(&held, Some(DropCause::Rejected)),
                };
            }
            Some(Delivery::Retry { after, reason }) => {
                tracing::debug!(events, attempt, %reason, "a batch of events was not delivered");
                asked = after;
            }
            _ => {
                tracing::error!(events, attempt, "the event sink panicked");
                books.sink_panics += 1;
            }
        }
        books.retries += 1;
        held.strike(books.passed);
        if on_disk {
            drop(books);
            return self.leave_to_disk(held, asked);
        }
        self.backoff.failed(Instant::now(), asked);
        held.batch.attempt = attempt.saturating_add(1);
        if self.disk.is_some() && held.disk_copy == DiskCopy::None && books.shelf.takes_batches(Instant::now()) {
            return books.shelf.order(held, Order::Store);
        }
        if held.strikes >= self.options.max_attempts {
            tracing::warn!(events, attempt, "a batch of events was given up");
            return books.settle(&held, Some(DropCause::Attempts));
        }
        // Behind the others, or one that never passes would hold them up.
        books.waiting.push_back(held);
    }

    /// Puts halves in the place of a batch that is too large. It counts as on its way meanwhile.
    async fn halve(&mut self, id: [u8; 16]) {
        let Some(batch) = self.queue.books().flying.get(&id).map(|held| held.batch.clone()) else { return };
        let level = self.queue.tuning.compression_level();
        let halves = spawn_blocking(move || split(&batch, level)).await;
        let mut books = self.queue.books();
        let Some(held) = books.flying.remove(&id) else { return };
        if held.is_on_disk() {
            // It was written meanwhile.
            return books.shelf.order(held, Order::Split);
        }
        match halves {
            Ok(Ok(Some(batches))) => {
                books.splits += 1;
                for half in held.halves(batches).into_iter().rev() {
                    books.waiting.push_front(half);
                }
            }
            Ok(Ok(None)) => books.settle(&held, Some(DropCause::TooLarge)),
            _ => books.settle(&held, Some(DropCause::Unencodable)),
        }
    }
}
