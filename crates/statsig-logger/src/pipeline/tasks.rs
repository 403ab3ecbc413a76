//! Tasks of the blocking threads: which is next, and where its batch goes if it fails.

use tokio::time::Instant;

use super::books::Books;
use super::held::{Fate, Held};
use super::shelf::{Order, Task};

impl<E> Books<E> {
    /// Whether there is work for a blocking thread, and none at it.
    pub(super) fn wants_job(&self) -> bool {
        let shelf = &self.shelf;
        let batches = !shelf.orders.is_empty() || !shelf.copies.is_empty();
        let work = batches || shelf.wanted > 0 || shelf.maintain || self.awaits_sync();
        work && !shelf.working && !shelf.stopped && !shelf.closed
    }

    /// Takes the next task of a job; with `None` the job is over.
    pub(super) fn next_task(&mut self, now: Instant) -> Option<Task> {
        let task = self.choose_task();
        self.shelf.began = task.as_ref().map(|_| now);
        self.shelf.working = task.is_some();
        task
    }

    fn choose_task(&mut self) -> Option<Task> {
        let shelf = &mut self.shelf;
        if shelf.closed {
            return None;
        }
        // At the end, what was delivered is still forgotten, or the next process would deliver it again.
        let at = shelf.orders.iter().position(|(_, order)| !shelf.stopped || *order == Order::Forget);
        if let Some((held, order)) = at.and_then(|at| shelf.orders.remove(at)) {
            let batch = held.batch.clone();
            let task = Task::Batch(batch, held.disk_copy, order);
            shelf.doing = Some((held, order));
            shelf.dirty = true;
            return Some(task);
        }
        if shelf.stopped {
            return None;
        }
        if let Some(batch) = shelf.copies.pop_front() {
            shelf.copying = Some(batch.id);
            shelf.dirty = true;
            return Some(Task::Copy(batch));
        }
        if shelf.wanted > 0 {
            shelf.wanted -= 1;
            return Some(Task::Fetch);
        }
        if std::mem::take(&mut shelf.maintain) {
            shelf.dirty = false;
            return Some(Task::Maintain);
        }
        self.awaits_sync().then_some(Task::Sync)
    }

    /// Takes the batch back that a job has worked on; `None` if the job took too long, and others have it.
    pub(super) fn done(&mut self) -> Option<Held> {
        self.shelf.doing.take().map(|(held, _)| held)
    }

    /// Notes that the sink has taken a batch. If the spool has it, the spool is told later.
    pub(super) fn settle_delivered(&mut self, mut held: Held) {
        self.settle(&held, None);
        if held.is_on_disk() {
            self.shelf.unacknowledged += held.events();
            held.tickets.clear();
            held.batch.body = [].into();
            self.shelf.order(held, Order::Forget);
        } else {
            self.shelf.cancel_copy(held.batch.id);
        }
    }

    /// Takes back that a batch was delivered, since the spool has it all the same.
    pub(super) fn unsettle_delivered(&mut self, held: &Held) {
        self.delivered = self.delivered.saturating_sub(held.events());
        if held.history.ends_unconfirmed() {
            self.unconfirmed = self.unconfirmed.saturating_sub(held.events());
        }
        self.batches_delivered = self.batches_delivered.saturating_sub(1);
    }

    /// Puts back to the queue what was to be written, since the spool does not take it.
    pub(super) fn unstore(&mut self) {
        self.shelf.copies.clear();
        let orders = std::mem::take(&mut self.shelf.orders);
        for (held, order) in orders {
            match order {
                Order::Store | Order::StoreAndSend => self.waiting.push_back(held),
                order => self.shelf.orders.push_back((held, order)),
            }
        }
    }

    /// Notes that a job ended in a panic: what it worked on is where it was before.
    pub(super) fn abandon_job(&mut self, now: Instant) {
        self.shelf.working = false;
        self.shelf.began = None;
        self.shelf.hanging = false;
        self.shelf.copying = None;
        // Not at once again.
        self.shelf.failed(now, None);
        self.shelf.unreadable(now);
        self.synced();
        if let Some((held, order)) = self.shelf.doing.take() {
            match order {
                Order::Store | Order::StoreAndSend => self.waiting.push_back(held),
                Order::Bury if !held.is_on_disk() => self.settle(&held, Some(held.refusal_cause())),
                Order::Forget => {
                    self.shelf.unacknowledged -= held.events().min(self.shelf.unacknowledged);
                    self.unsettle_delivered(&held);
                }
                // It is on disk, and stays there.
                _ => self.inform(&held, Fate::Spooled),
            }
        }
    }

    /// Moves everything that is in memory only to the disk, in the order of age.
    pub(super) fn store_everything(&mut self) {
        self.shelf.copies.clear();
        let flying = std::mem::take(&mut self.flying).into_values();
        let mut left: Vec<Held> = flying.chain(std::mem::take(&mut self.waiting)).collect();
        // Ids begin with a time.
        left.sort_by_key(|held| held.batch.id);
        left.extend(std::mem::take(&mut self.shelf.fetched));
        for held in left {
            let order = if held.is_on_disk() { Order::Release } else { Order::Store };
            self.shelf.order(held, order);
        }
    }
}
