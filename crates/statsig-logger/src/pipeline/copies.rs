//! Copies on disk of batches that stay in memory: of attempts that take long, and of writes that take too long.
//!
//! A copy is in flight for the spool until the batch is delivered, released or given up. While it is being written the
//! batch goes its way; where it has got to is looked up when the write is over.

use std::time::Duration;

use tokio::time::Instant;

use super::books::Books;
use super::held::{DiskCopy, Fate, Held};
use super::shelf::{Order, Shelf};
use crate::ledger::DropCause;

/// Age at which a batch that is in memory only is written. With the time that a disk takes, it is there within a second.
const COPY_AFTER: Duration = Duration::from_millis(750);
/// Longest time that anything waits for the disk.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(2);

impl Shelf {
    /// Says whether the disk does not answer.
    pub(super) fn is_hanging(&self) -> bool {
        self.hanging
    }

    /// Returns the time at which the present task counts as hanging, if it does not already.
    pub(super) fn hangs_at(&self) -> Option<Instant> {
        self.began.filter(|_| self.working && !self.hanging).map(|began| began + HANGS_AFTER)
    }

    /// Cancels the copy of a batch, unless it is being written.
    pub(super) fn cancel_copy(&mut self, id: [u8; 16]) {
        self.copies.retain(|batch| batch.id != id);
    }

    /// Remembers a batch that is given up while it is being written: the disk may have it in the end.
    pub(super) fn give_up_copy(&mut self, held: &Held, cause: DropCause) {
        if self.copying == Some(held.batch.id) {
            self.given_up = Some((held.batch.id, held.events(), cause));
        }
    }

    fn needs_copy(&self, held: &Held) -> bool {
        let id = held.batch.id;
        held.disk_copy == DiskCopy::None && self.copying != Some(id) && self.copies.iter().all(|batch| batch.id != id)
    }
}

impl<E> Books<E> {
    /// Orders copies of batches that have been in memory only for too long.
    pub(super) fn order_copies(&mut self, now: Instant) {
        let late = |held: &&Held| held.since + COPY_AFTER <= now && self.shelf.needs_copy(held);
        let batches: Vec<_> =
            self.flying.values().chain(&self.waiting).filter(late).map(|held| held.batch.clone()).collect();
        self.shelf.copies.extend(batches);
    }

    /// Returns the time at which the next batch needs a copy.
    pub(super) fn copy_at(&self) -> Option<Instant> {
        let in_memory = self.flying.values().chain(&self.waiting).filter(|held| self.shelf.needs_copy(held));
        in_memory.map(|held| held.since + COPY_AFTER).min()
    }

    /// Notes that a batch in memory is on disk, too; `false` if it is not in memory any more.
    pub(super) fn has_copy(&mut self, id: [u8; 16], disk_copy: DiskCopy) -> bool {
        let is_it = |held: &Held| held.batch.id == id && !held.is_on_disk();
        let in_hand = self.flying.values_mut().chain(&mut self.waiting).find(|held| is_it(held));
        if let Some(held) = in_hand {
            held.disk_copy = disk_copy;
            return true;
        }
        let Some(at) = self.shelf.orders.iter().position(|(held, _)| is_it(held)) else { return false };
        let Some((mut held, order)) = self.shelf.orders.remove(at) else { return false };
        held.disk_copy = disk_copy;
        match order {
            Order::Store if held.is_on_disk() => self.shelf.orders.insert(at, (held, Order::Release)),
            Order::Store | Order::StoreAndSend => self.waiting.push_back(held),
            order => self.shelf.orders.insert(at, (held, order)),
        }
        true
    }

    /// Stops waiting for a disk whose present task takes too long. Says whether that is new.
    pub(super) fn leave_hanging_disk(&mut self, now: Instant) -> bool {
        let is_new = self.shelf.hangs_at().is_some_and(|at| at <= now);
        if is_new {
            self.shelf.hanging = true;
            self.shelf.failures += 1;
            self.shelf.history.failed("a call has not returned within 2 seconds".to_owned(), now);
            self.shelf.note_state(now);
            self.reclaim_task();
        }
        if self.shelf.hanging {
            self.reclaim_orders();
        }
        is_new
    }

    /// Gives the disk no further task at the end, and takes back what it has not done.
    pub(super) fn abandon_disk(&mut self) {
        self.shelf.stopped = true;
        if self.shelf.began.is_some() && !self.shelf.hanging {
            self.shelf.hanging = true;
            self.reclaim_task();
        }
        self.synced();
    }

    /// Takes back the batch that a hanging task is about.
    fn reclaim_task(&mut self) {
        let Some((mut held, order)) = self.shelf.doing.take() else { return self.synced() };
        match order {
            Order::Store | Order::StoreAndSend => {
                // The disk may take it in the end.
                self.shelf.copying = Some(held.batch.id);
                self.waiting.push_front(held);
            }
            Order::Bury if !held.is_on_disk() => self.settle(&held, Some(held.refusal_cause())),
            order => {
                let given_up = matches!(order, Order::Bury | Order::Discard(_));
                self.inform(&held, if given_up { Fate::Failed } else { Fate::Spooled });
                held.tickets.clear();
                self.shelf.doing = Some((held, order));
            }
        }
        self.synced();
    }

    /// Takes back the batches that wait for a hanging task to end, as far as they can do without the disk.
    fn reclaim_orders(&mut self) {
        self.shelf.copies.clear();
        self.shelf.wanted = 0;
        self.synced();
        for (mut held, order) in std::mem::take(&mut self.shelf.orders) {
            match order {
                Order::Store | Order::StoreAndSend => self.waiting.push_back(held),
                Order::Bury if !held.is_on_disk() => self.settle(&held, Some(held.refusal_cause())),
                Order::Release if self.closing.is_none() && !held.batch.body.is_empty() => {
                    held.batch.attempt = held.batch.attempt.saturating_add(1);
                    match held.disk_copy {
                        DiskCopy::Drained => self.shelf.fetched.push_back(held),
                        _ => self.waiting.push_back(held),
                    }
                }
                order => {
                    if order != Order::Forget {
                        let given_up = matches!(order, Order::Bury | Order::Discard(_));
                        self.inform(&held, if given_up { Fate::Failed } else { Fate::Spooled });
                        held.tickets.clear();
                    }
                    self.shelf.orders.push_back((held, order));
                }
            }
        }
    }
}
