//! What the sending task leaves to the disk, and what it has fetched from there.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::books::Books;
use super::copies::HANGS_AFTER;
use super::delivery::{AT_FAULT, MOST_DRAINED};
use super::held::{DiskCopy, Held};
use super::sender::Sender;
use super::shelf::Order;
use crate::event::QueuedEvent;

/// Time between two looks after the spool while nothing happens there.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);
/// The least, whatever the fsync policy says.
const LEAST_INTERVAL: Duration = Duration::from_millis(20);

impl<E: QueuedEvent> Sender<E> {
    /// Decides what goes to the disk and what comes from there, and starts a job for it.
    pub(super) fn use_disk(&mut self, now: Instant) {
        let Some(disk) = &self.disk else { return };
        let ahead = disk.writes_ahead();
        let failing = self.backoff.is_failing();
        let paused = self.backoff.until(now).is_some();
        let queue = Arc::clone(&self.queue);
        let mut books = queue.books();
        if books.leave_hanging_disk(now) && books.shelf.may_warn(now) {
            tracing::warn!("the disk of the spool does not answer; events are delivered from memory until it does");
        }
        if books.shelf.takes_batches(now) {
            self.shelve(&mut books, failing, ahead, now);
            books.order_copies(now);
        }
        books.shelf.release_due(now);
        if books.closing.is_some() {
            books.shelf.wanted = 0;
            for held in std::mem::take(&mut books.shelf.fetched) {
                books.shelf.order(held, Order::Release);
            }
        } else if !paused && books.shelf.unreadable_until.is_none_or(|until| until <= now) {
            fetch(&mut books, failing);
        }
        if now >= self.maintain_at(&books) {
            self.maintained = now;
            books.shelf.maintain = true;
        }
        if books.wants_job() {
            books.shelf.working = true;
            books.shelf.began = Some(now);
            let (disk, queue) = (Arc::clone(disk), Arc::clone(&queue));
            spawn_blocking(move || disk.work(&queue));
        }
    }

    /// When to use the disk again, if nothing happens before.
    pub(super) fn disk_at(&self, books: &Books<E>) -> Option<Instant> {
        self.disk.as_ref()?;
        let shelf = &books.shelf;
        let in_memory = !books.waiting.is_empty() || !books.flying.is_empty();
        let store_at = shelf.down_until().filter(|_| in_memory);
        let fetch_at = shelf.unreadable_until.filter(|_| shelf.at_rest > 0);
        let now = Instant::now();
        let copy_at = books.copy_at().filter(|_| shelf.takes_batches(now));
        let soon = [store_at, fetch_at].into_iter().flatten().filter(|&at| at > now);
        let due = [copy_at, shelf.hangs_at(), shelf.next_due()].into_iter().flatten();
        soon.chain(due).chain([self.maintain_at(books)]).min()
    }

    fn maintain_at(&self, books: &Books<E>) -> Instant {
        let interval = self.disk.as_ref().and_then(|disk| disk.sync_interval()).filter(|_| books.shelf.dirty);
        self.maintained + interval.unwrap_or(IDLE_INTERVAL).clamp(LEAST_INTERVAL, IDLE_INTERVAL)
    }

    /// Has batches written: ahead, if they would have to wait, or if memory is half full.
    ///
    /// One that has waited for the disk for too long is not written ahead any more.
    fn shelve(&self, books: &mut Books<E>, failing: bool, ahead: bool, now: Instant) {
        let most_bytes = self.options.queue_bytes / 2;
        let mut bytes = self.queue.bytes() + books.waiting.iter().map(|held| held.batch.body.len()).sum::<usize>();
        let mut stay = Vec::new();
        for held in std::mem::take(&mut books.waiting) {
            let order = match held.disk_copy {
                DiskCopy::Fresh | DiskCopy::Drained => Order::Release,
                DiskCopy::None => Order::Store,
                DiskCopy::Impossible => {
                    stay.push(held);
                    continue;
                }
            };
            if failing || bytes > most_bytes {
                bytes = bytes.saturating_sub(held.batch.body.len());
                books.shelf.order(held, order);
            } else if ahead && held.disk_copy == DiskCopy::None && now < held.since + HANGS_AFTER {
                books.shelf.order(held, Order::StoreAndSend);
            } else {
                stay.push(held);
            }
        }
        books.waiting.extend(stay);
    }

    /// Leaves a batch that is on disk there, after an attempt that failed.
    ///
    /// The spool hands out its oldest batch first, so one that never passes would hold up the
    /// others. It is kept back until another one was tried: if that fails, too, it is not its
    /// fault, and it goes back to its place; if that passes time and again, the batch gets pauses
    /// of its own.
    pub(super) fn leave_to_disk(&mut self, books: &mut Books<E>, mut held: Held, asked: Option<Duration>) {
        let now = Instant::now();
        if held.disk_copy == DiskCopy::Fresh {
            self.back_off(now, asked);
            held.strikes = 0;
            return books.shelf.order(held, Order::Release);
        }
        if held.strikes >= AT_FAULT && asked.is_none() {
            let pause = self.own_pause(held.strikes);
            return books.shelf.put_aside(held, Some(now + pause));
        }
        self.back_off(now, asked);
        books.shelf.release_suspects();
        books.shelf.put_aside(held, None);
    }
}

/// Asks for batches of the spool, as many as can be sent.
fn fetch<E>(books: &mut Books<E>, failing: bool) {
    let most = if failing { usize::from(books.flying.is_empty() && books.waiting.is_empty()) } else { MOST_DRAINED };
    let drained = books.flying.values().filter(|held| held.disk_copy == DiskCopy::Drained).count();
    if books.shelf.is_aside_full() {
        books.shelf.wanted = 0;
        return;
    }
    let room = most.saturating_sub(drained + books.shelf.fetched.len());
    if room > 0 && books.shelf.at_rest == 0 && books.shelf.has_suspects() {
        books.shelf.release_suspects();
    }
    // One that is being released is there when the job comes to it.
    let there = usize::try_from(books.shelf.at_rest).unwrap_or(usize::MAX);
    books.shelf.wanted = room.min(there);
}
