//! What happens to events behind the queue, and the accounts of it.
//!
//! All of it is under one lock, which application threads meet only when they flush or when the
//! queue is full. Where an event moves from one place to the other, both change under the lock, so
//! that at no moment it is counted twice or not at all.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::time::Instant;

use super::held::{DiskCopy, Fate, Held};
use super::shelf::{Order, Shelf};
use super::tickets::Ticket;
use crate::batch::Encoded;
use crate::delivery_health::DeliveryRecord;
use crate::event::QueuedEvent;
use crate::ledger::{DropCause, DropCounts};

/// Exposures or other events: they are never in one batch, so that the others can give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Exposure,
    Custom,
}

impl Kind {
    pub(super) const BOTH: [Self; 2] = [Self::Exposure, Self::Custom];
}

/// Events of one kind that were taken from the queue, numbered in this order for good.
#[derive(Debug)]
pub(super) struct Staged<E> {
    pub(super) events: VecDeque<E>,
    /// Number of the first of them.
    pub(super) first: u64,
    /// Those with a lower number are to be cut, whether or not they fill a batch.
    pub(super) cut_before: u64,
    /// Events with a lower number are compact.
    compact_before: u64,
}

impl<E> Staged<E> {
    pub(super) fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

/// The events that are being encoded.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) kind: Kind,
    pub(super) numbers: Range<u64>,
}

#[derive(Debug)]
pub(super) struct Books<E> {
    pub(super) staged: [Staged<E>; 2],
    pub(super) encoding: Option<Cut>,
    pub(super) waiting: VecDeque<Held>,
    /// On their way, by batch id.
    pub(super) flying: HashMap<[u8; 16], Held>,
    pub(super) shelf: Shelf,
    pub(super) tickets: Vec<Ticket>,
    pub(super) next_ticket: u64,
    /// When to give up, once a shutdown began.
    pub(super) closing: Option<Instant>,
    /// Nobody is left who could wait.
    pub(super) abandoned: bool,
    /// A flush wants the pause to end.
    pub(super) hurry: bool,
    pub(super) delivered: u64,
    /// Those of `delivered` that the destination did not confirm.
    pub(super) unconfirmed: u64,
    pub(super) dropped: DropCounts,
    pub(super) batches_delivered: u64,
    /// When the sink last took a batch.
    pub(super) delivered_at: Option<Instant>,
    /// Failures of attempts, and the next attempt.
    pub(super) record: DeliveryRecord,
    /// Attempts that passed.
    pub(super) passed: u64,
    pub(super) retries: u64,
    pub(super) splits: u64,
    pub(super) sink_panics: u64,
    pub(super) sender_restarts: u64,
}

impl<E> Books<E> {
    pub(super) fn new() -> Self {
        Self {
            staged: Kind::BOTH.map(|_| Staged { events: VecDeque::new(), first: 0, cut_before: 0, compact_before: 0 }),
            encoding: None,
            waiting: VecDeque::new(),
            flying: HashMap::new(),
            shelf: Shelf::default(),
            tickets: Vec::new(),
            next_ticket: 0,
            closing: None,
            abandoned: false,
            hurry: false,
            delivered: 0,
            unconfirmed: 0,
            dropped: DropCounts::default(),
            batches_delivered: 0,
            delivered_at: None,
            record: DeliveryRecord::default(),
            passed: 0,
            retries: 0,
            splits: 0,
            sink_panics: 0,
            sender_restarts: 0,
        }
    }

    /// All batches that are in memory, whether or not they are on disk, too.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.waiting.iter().chain(self.flying.values()).chain(self.shelf.held())
    }

    pub(super) fn in_batches(&self) -> u64 {
        let in_memory: u64 = self.held().filter(|held| !held.is_on_disk()).map(Held::events).sum();
        in_memory + self.shelf.on_disk()
    }

    fn unbatched(&self) -> u64 {
        let staged: usize = self.staged.iter().map(|staged| staged.events.len()).sum();
        let encoding = self.encoding.as_ref().map_or(0, |cut| cut.numbers.end - cut.numbers.start);
        staged as u64 + encoding
    }

    pub(super) fn pending(&self) -> u64 {
        self.unbatched() + self.in_batches()
    }

    /// Time of the next attempt with a batch that is in memory or in the spool.
    pub(super) fn next_attempt(&self, now: Instant, paused: Option<Instant>) -> Option<Instant> {
        if !self.flying.is_empty() {
            return Some(now);
        }
        let resumed = self.waiting.iter().map(|held| held.history.paused_until().unwrap_or(now));
        let at_rest = (self.shelf.at_rest > 0 || !self.shelf.fetched.is_empty()).then_some(now);
        let first = resumed.chain(at_rest).chain(self.shelf.next_due()).min()?;
        Some(first.max(now).max(paused.unwrap_or(now)))
    }

    /// Whether something is left to be done for events that do not rest on disk.
    pub(super) fn is_busy(&self) -> bool {
        let in_hand = !self.waiting.is_empty() || !self.flying.is_empty();
        // What is on a disk that does not answer has to wait for the next process.
        let at_disk = self.shelf.held().any(|held| !self.shelf.is_hanging() || !held.is_on_disk());
        self.unbatched() > 0 || in_hand || at_disk
    }

    /// Asks for everything staged to be cut.
    pub(super) fn cut_all(&mut self) {
        for staged in &mut self.staged {
            staged.cut_before = staged.end();
        }
    }

    /// Takes up to so many events of a kind for encoding, one cut at a time.
    pub(super) fn begin_cut(&mut self, kind: Kind, events: usize) -> Vec<E> {
        let staged = &mut self.staged[kind as usize];
        let taken: Vec<E> = staged.events.drain(..events.min(staged.events.len())).collect();
        let start = staged.first;
        staged.first += taken.len() as u64;
        self.encoding = Some(Cut { kind, numbers: start..staged.first });
        taken
    }

    /// Takes over what a cut became.
    pub(super) fn end_cut(&mut self, encoded: Encoded) {
        let Some(cut) = self.encoding.take() else { return };
        for (place, cause) in &encoded.failed {
            let number = cut.numbers.start + *place as u64;
            self.drop_numbers(cut.kind, number..number + 1, *cause);
        }
        for part in encoded.batches {
            let tickets = self.tickets.iter().filter_map(|ticket| {
                let before = ticket.before[cut.kind as usize].saturating_sub(cut.numbers.start);
                let before = usize::try_from(before).unwrap_or(usize::MAX);
                let events = u32::try_from(part.places.count_before(before)).unwrap_or(u32::MAX);
                (events > 0).then_some((ticket.id, events))
            });
            let tickets = tickets.collect();
            self.waiting.push_back(Held { tickets, ..Held::new(part.batch, DiskCopy::None) });
        }
        self.resolve_tickets();
    }

    /// Gives up a cut that did not come to its end.
    pub(super) fn abandon_cut(&mut self, cause: DropCause) {
        if let Some(cut) = self.encoding.take() {
            self.drop_numbers(cut.kind, cut.numbers, cause);
            self.resolve_tickets();
        }
    }

    /// Takes back what a sending task left that panicked.
    pub(super) fn recover(&mut self) {
        self.sender_restarts += 1;
        self.abandon_cut(DropCause::Unencodable);
        for held in std::mem::take(&mut self.flying).into_values() {
            match held.disk_copy {
                DiskCopy::Drained => self.shelf.order(held, Order::Release),
                _ => self.waiting.push_back(held),
            }
        }
    }

    /// Compacts up to so many staged exposures and returns the bytes that this released; `None` if
    /// all are compact.
    pub(super) fn compact(&mut self, most: usize) -> Option<usize>
    where
        E: QueuedEvent,
    {
        let staged = &mut self.staged[Kind::Exposure as usize];
        let start = staged.compact_before.saturating_sub(staged.first) as usize;
        let end = start.saturating_add(most).min(staged.events.len());
        if start >= end {
            return None;
        }
        staged.compact_before = staged.first + end as u64;
        let compacted = staged.events.range_mut(start..end).map(|event| {
            let bytes = event.cost_bytes();
            // An event that panics here is written, or dropped and counted, with its batch.
            let _ = catch_unwind(AssertUnwindSafe(|| event.compact()));
            bytes.saturating_sub(event.cost_bytes())
        });
        Some(compacted.sum())
    }

    /// Drops the oldest custom event that is staged.
    pub(super) fn evict_custom(&mut self, cause: DropCause) -> Option<E> {
        let staged = &mut self.staged[Kind::Custom as usize];
        let event = staged.events.pop_front()?;
        let number = staged.first;
        staged.first += 1;
        self.drop_numbers(Kind::Custom, number..number + 1, cause);
        self.resolve_tickets();
        Some(event)
    }

    /// Notes that the sink has a batch, or else why it never will.
    pub(super) fn settle(&mut self, held: &Held, dropped: Option<DropCause>) {
        match dropped {
            None => {
                self.delivered += held.events();
                if held.history.ends_unconfirmed() {
                    self.unconfirmed += held.events();
                }
                self.batches_delivered += 1;
                self.inform(held, Fate::Delivered);
            }
            Some(cause) => {
                self.dropped.add(cause, held.events());
                self.inform(held, Fate::Failed);
            }
        }
    }

    /// Gives up everything that is not on disk, and returns the events that had not been encoded.
    pub(super) fn give_up(&mut self, cause: DropCause) -> Vec<E> {
        self.record.next_attempt = None;
        let mut events = Vec::new();
        for kind in Kind::BOTH {
            let staged = &mut self.staged[kind as usize];
            let numbers = staged.first..staged.end();
            staged.first = numbers.end;
            events.extend(staged.events.drain(..));
            self.drop_numbers(kind, numbers, cause);
        }
        self.abandon_cut(cause);
        let flying = std::mem::take(&mut self.flying).into_values();
        let mut left: Vec<Held> = std::mem::take(&mut self.waiting).into_iter().chain(flying).collect();
        left.append(&mut self.shelf.clear());
        for held in &mut left {
            if held.is_on_disk() {
                self.inform(held, Fate::Spooled);
            } else if held.history.was_unconfirmed() {
                // The destination answered with success, and there is no time left to have it confirmed.
                held.history.end_unconfirmed();
                self.settle(held, None);
            } else {
                let cause = if held.history.was_refused() { DropCause::Refused } else { cause };
                self.shelf.give_up_copy(held, cause);
                self.settle(held, Some(cause));
            }
        }
        self.resolve_tickets();
        events
    }

    fn drop_numbers(&mut self, kind: Kind, numbers: Range<u64>, cause: DropCause) {
        self.dropped.add(cause, numbers.end - numbers.start);
        for ticket in &mut self.tickets {
            let before = ticket.before[kind as usize].min(numbers.end);
            ticket.settle(before.saturating_sub(numbers.start), Fate::Failed);
        }
    }
}
