//! Attempts to deliver, and what follows from their outcomes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Delivery, FlushType, SinkError};
use tokio::task::{Id, JoinError, spawn_blocking};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::books::Books;
use super::held::{DiskCopy, Fate, Held};
use super::sender::Sender;
use super::shelf::Order;
use crate::batch::split;
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Most attempts at a time with batches of the spool.
pub(super) const MOST_DRAINED: usize = 2;
/// Failures of its own after which a batch gets pauses of its own.
pub(super) const AT_FAULT: u32 = 2;
/// Time between two warnings that the destination does not confirm.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// A failed attempt that is to be repeated.
struct Failure {
    /// Pause that the destination asks for.
    asked: Option<Duration>,
    /// Whether the destination refused the batch.
    refused: bool,
}

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
                [others < self.concurrency.limit(), drained < MOST_DRAINED]
            };
            let held = match next_waiting(&books.waiting, now).filter(|_| may_send) {
                Some(at) => books.waiting.remove(at),
                None if may_drain => next_fetched(&mut books, now),
                None => None,
            };
            let Some(held) = held else {
                let has_backlog = !books.waiting.is_empty() || self.queue.tuning.is_backlog(self.queue.len());
                return self.concurrency.started(others, has_backlog);
            };
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
                    Err(_) => Delivery::retry(format!("no outcome within {limit:?}")),
                }
            };
            let task = self.deliveries.spawn(attempt.instrument(span));
            self.batches.insert(task.id(), held.batch.id);
            books.flying.insert(held.batch.id, held);
        }
    }

    /// Records the outcome of an attempt.
    pub(super) async fn settle(&mut self, ended: Result<(Id, Delivery), JoinError>) {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some(id) = self.batches.remove(&task) else { return };
        let queue = Arc::clone(&self.queue);
        let on_disk = queue.books().flying.get(&id).is_some_and(Held::is_on_disk);
        if matches!(outcome, Some(Delivery::TooLarge)) && !on_disk {
            return self.halve(id).await;
        }
        let mut books = queue.books();
        let Some(held) = books.flying.remove(&id) else { return };
        let (events, attempt) = (held.batch.event_count, held.batch.attempt);
        match outcome {
            Some(Delivery::Delivered) => {
                books.record.succeeded();
                if held.disk_copy != DiskCopy::Drained {
                    self.concurrency.succeeded();
                }
                self.passed(&mut books, held);
            }
            Some(Delivery::Unconfirmed { reason }) => self.unconfirmed(&mut books, held, &reason),
            Some(Delivery::TooLarge) => books.shelf.order(held, Order::Split),
            Some(Delivery::Reject { reason }) => {
                tracing::warn!(events, attempt, %reason, "the event sink rejected a batch of events; it is dropped");
                books.record.failed(&*reason);
                self.give_up(&mut books, held);
            }
            Some(Delivery::Retry { after, reason }) => {
                tracing::debug!(events, attempt, %reason, "a batch of events was not delivered");
                books.record.failed(&*reason);
                self.failed(&mut books, held, &Failure { asked: after, refused: false });
            }
            Some(Delivery::Refused { after, reason }) => {
                books.record.failed(&*reason);
                self.refused(&mut books, held, after, &reason);
            }
            None => {
                tracing::error!(events, attempt, "the event sink panicked");
                books.sink_panics += 1;
                books.record.failed_by("the event sink panicked".to_owned());
                self.failed(&mut books, held, &Failure { asked: None, refused: false });
            }
        }
    }

    /// Settles a batch that the destination has.
    fn passed(&mut self, books: &mut Books<E>, held: Held) {
        self.backoff.succeeded();
        books.passed += 1;
        books.delivered_at = Some(Instant::now());
        books.shelf.release_suspects();
        books.settle_delivered(held);
    }

    /// Drops a batch for good. With a spool, it is kept in `dead/`.
    fn give_up(&self, books: &mut Books<E>, held: Held) {
        match self.disk {
            Some(_) => books.shelf.order(held, Order::Bury),
            None => books.settle(&held, Some(held.refusal_cause())),
        }
    }

    /// Has a batch confirmed that the destination may have, or counts it as delivered after the
    /// third attempt. Other batches go on meanwhile: a proxy that never confirms is no outage.
    fn unconfirmed(&mut self, books: &mut Books<E>, mut held: Held, reason: &SinkError) {
        let (events, attempt, now) = (held.batch.event_count, held.batch.attempt, Instant::now());
        books.record.failed(&**reason);
        if books.record.may_warn_unconfirmed(now, WARNING_INTERVAL) {
            tracing::warn!(
                events,
                attempt,
                %reason,
                "the event endpoint answers without confirming that it took a batch; \
                 each batch is sent up to three times within a minute and then counted as delivered, unconfirmed"
            );
        }
        let pause = held.history.unconfirmed(self.options.confirmation_window, self.backoff.random().fraction());
        let Some(pause) = pause else { return self.passed(books, held) };
        books.retries += 1;
        held.batch.attempt = attempt.saturating_add(1);
        let is_closing = books.closing.is_some();
        if !is_closing {
            held.history.pause_until(now + pause);
        }
        match held.disk_copy {
            DiskCopy::Fresh | DiskCopy::Drained if is_closing => books.shelf.order(held, Order::Release),
            DiskCopy::Fresh | DiskCopy::Drained => {
                books.inform(&held, Fate::Spooled);
                books.shelf.put_aside(Held { tickets: Vec::new(), ..held }, Some(now + pause));
            }
            DiskCopy::None if is_closing && self.may_store(books, &held) => {
                books.shelf.order(held, Order::Store);
            }
            DiskCopy::None | DiskCopy::Impossible if is_closing => {
                // Nobody is left to have it confirmed.
                held.history.end_unconfirmed();
                self.passed(books, held);
            }
            DiskCopy::None | DiskCopy::Impossible => books.waiting.push_back(held),
        }
    }

    /// Keeps a batch that the destination refuses, or drops it after the last refusal.
    fn refused(&mut self, books: &mut Books<E>, mut held: Held, asked: Option<Duration>, reason: &SinkError) {
        let (events, attempt) = (held.batch.event_count, held.batch.attempt);
        let is_first = !held.history.was_refused();
        if held.history.refused(Instant::now(), self.options.refusal_window) {
            tracing::warn!(events, attempt, %reason, "the destination went on refusing a batch of events; it is dropped");
            return self.give_up(books, held);
        }
        let can_rest = held.is_on_disk() || self.may_store(books, &held);
        if books.closing.is_some() && !can_rest {
            tracing::warn!(events, attempt, %reason, "the destination refuses a batch of events at shutdown; it is dropped");
            return books.settle(&held, Some(DropCause::Refused));
        }
        if is_first {
            let retried_for = self.options.refusal_window;
            tracing::warn!(events, ?retried_for, %reason, "the destination refuses a batch of events; it is retried");
        }
        self.failed(books, held, &Failure { asked, refused: true });
    }

    /// Whether the spool takes a batch that is in memory.
    fn may_store(&self, books: &Books<E>, held: &Held) -> bool {
        self.disk.is_some() && held.disk_copy == DiskCopy::None && books.shelf.takes_batches(Instant::now())
    }

    /// Keeps a batch for another attempt.
    fn failed(&mut self, books: &mut Books<E>, mut held: Held, failure: &Failure) {
        let (events, attempt, now) = (held.batch.event_count, held.batch.attempt, Instant::now());
        books.retries += 1;
        held.strike(books.passed);
        if held.is_on_disk() {
            return self.leave_to_disk(books, held, failure.asked);
        }
        held.batch.attempt = attempt.saturating_add(1);
        if self.may_store(books, &held) {
            self.back_off(now, failure.asked);
            return books.shelf.order(held, Order::Store);
        }
        if failure.refused && held.strikes >= AT_FAULT && failure.asked.is_none() {
            // It is this batch that is refused, and others pass.
            held.history.pause_until(now + self.own_pause(held.strikes));
            return books.waiting.push_back(held);
        }
        self.back_off(now, failure.asked);
        if held.strikes >= self.options.max_attempts && !held.history.was_refused() {
            tracing::warn!(events, attempt, "a batch of events failed too often while others passed; it is dropped");
            return books.settle(&held, Some(DropCause::Attempts));
        }
        // Behind the others, or one that never passes would hold them up.
        books.waiting.push_back(held);
    }

    /// Chooses the pause after a failure, and reduces the number of deliveries at a time.
    pub(super) fn back_off(&mut self, now: Instant, asked: Option<Duration>) {
        if self.backoff.failed(now, asked) {
            self.concurrency.failed();
        }
    }

    /// Returns the pause of a batch that fails while others pass.
    pub(super) fn own_pause(&self, strikes: u32) -> Duration {
        self.backoff.pause_after(strikes.saturating_sub(AT_FAULT).saturating_add(1))
    }

    /// Puts halves in the place of a batch that is too large. It counts as on its way meanwhile.
    async fn halve(&mut self, id: [u8; 16]) {
        let Some(batch) = self.queue.books().flying.get(&id).map(|held| held.batch.clone()) else { return };
        let level = self.queue.tuning.compression_level();
        let queue = Arc::clone(&self.queue);
        let halves = spawn_blocking(move || split(&batch, level, &queue.ids)).await;
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

/// Returns the place of the next waiting batch: one that was never refused before those that were.
fn next_waiting(waiting: &VecDeque<Held>, now: Instant) -> Option<usize> {
    let due = |refused: bool| {
        waiting.iter().position(|held| held.history.was_refused() == refused && held.history.is_due(now))
    };
    due(false).or_else(|| due(true))
}

/// Takes the next batch of the spool that is due, and puts aside those that are not.
fn next_fetched<E>(books: &mut Books<E>, now: Instant) -> Option<Held> {
    loop {
        let held = books.shelf.fetched.pop_front()?;
        match held.history.paused_until().filter(|&until| until > now) {
            None => return Some(held),
            until => books.shelf.put_aside(held, until),
        }
    }
}
