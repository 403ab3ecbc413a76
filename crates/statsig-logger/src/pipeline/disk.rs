//! What blocking threads do for the pipeline: everything that touches the spool.
//!
//! One job at a time, in the order of the books. After each call the books are brought up to the
//! accounts of the spool, in the same turn under their lock as the batch moves, so that the
//! accounts of the pipeline hold at every moment, whatever the spool evicted, adopted or found
//! damaged in the call.

mod counts;
mod store;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use statsig_core::{BatchEncoding, EventBatch};
use tokio::time::Instant;

use self::counts::{enter_damage, enter_drops, enter_gauges};
use self::store::note_failure;
use super::SpoolMode;
use super::books::{Books, Kind};
use super::held::{DiskCopy, Fate, Held};
use super::queue::Queue;
use super::shelf::{Order, Task};
use super::spool_damage::SpoolDamage;
use super::spooled::{handed_out, id, record};
use crate::batch::{BatchLimits, encode, split};
use crate::event::QueuedEvent;
use crate::ledger::DropCause;
use crate::spool::{AckOutcome, FsyncPolicy, Settled, Spool, SpoolErrorKind, SpoolStats};

/// Events that are encoded at once at the end.
const LAST_CUT: usize = 10_000;

pub(super) struct Disk {
    spool: Spool,
    mode: SpoolMode,
    /// The accounts of the spool as the books know them; locked as long as a job works.
    known: Mutex<SpoolStats>,
}

impl Disk {
    /// Takes over a spool, and enters what it holds as recovered.
    pub(super) fn new<E: QueuedEvent>(spool: Spool, mode: SpoolMode, queue: &Queue<E>) -> Self {
        let known = spool.stats();
        let mut books = queue.books();
        enter_drops(&mut books, &SpoolStats::default(), &known);
        enter_damage(&mut books, &known);
        enter_gauges(&mut books, &known);
        books.shelf.recovered = known.pending.events + known.dropped.total().events;
        let now = Instant::now();
        if let Some(outage) = spool.outage() {
            tracing::warn!(
                error = outage.error,
                "failed to open the spool; events stay in memory, and it is tried again once a minute"
            );
            books.shelf.may_warn(now);
            books.shelf.unopened = true;
            books.shelf.history.failed(outage.error, now);
            books.shelf.failed(now, Some(outage.retry_after));
        }
        books.shelf.note_state(now);
        Self { spool, mode, known: Mutex::new(known) }
    }

    pub(super) fn writes_ahead(&self) -> bool {
        self.mode == SpoolMode::WriteAhead
    }

    /// How soon what was written wants an fsync, if that is left to us.
    pub(super) fn sync_interval(&self) -> Option<Duration> {
        match self.spool.options().fsync {
            FsyncPolicy::Interval { every, .. } => Some(every),
            _ => None,
        }
    }

    /// Does everything that is to be done.
    pub(super) fn work<E: QueuedEvent>(&self, queue: &Queue<E>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.work_on(queue, &mut known);
        queue.wake.notify_one();
    }

    /// Brings everything to the disk that is not delivered, gives up what does not fit there, and
    /// closes the spool.
    pub(super) fn last_stand<E: QueuedEvent>(&self, queue: &Queue<E>, limits: &BatchLimits, created_ms: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.books().shelf.closed {
            return;
        }
        queue.stage();
        queue.books().abandon_cut(DropCause::Shutdown);
        for kind in Kind::BOTH {
            loop {
                let events = queue.books().begin_cut(kind, LAST_CUT);
                let encoded = encode(&events, limits, &queue.ids, created_ms);
                queue.release_events(&events);
                queue.books().end_cut(encoded);
                if events.is_empty() {
                    break;
                }
            }
        }
        // What cannot be found any more must not be reported as spooled, and what is written now must be found.
        let checked = self.spool.check_files();
        drop(self.entered(queue, &mut known, checked.as_ref().err().filter(|_| self.spool.outage().is_none())));
        queue.books().store_everything();
        self.work_on(queue, &mut known);
        let events = queue.books().give_up(DropCause::Shutdown);
        queue.release_events(&events);
        if let Err(error) = self.spool.close() {
            tracing::warn!(%error, "the spool did not close in order");
        }
        let mut books = queue.books();
        self.enter(&mut books, &mut known);
        books.shelf.closed = true;
        books.synced();
    }

    fn work_on<E: QueuedEvent>(&self, queue: &Queue<E>, known: &mut SpoolStats) {
        let mut job = Job { queue, over: false };
        loop {
            let task = self.next_task(queue);
            match task {
                None => break,
                Some(Task::Batch(batch, disk_copy, order)) => self.carry_out(queue, known, &batch, disk_copy, order),
                Some(Task::Copy(batch)) => {
                    let result = self.spool.append_in_flight(&record(&batch));
                    self.end_copy(queue, known, &batch, result);
                }
                Some(Task::Fetch) => self.fetch(queue, known),
                Some(Task::Sync) => {
                    let result = self.spool.sync();
                    let mut books = self.entered(queue, known, result.as_ref().err());
                    // Whether or not it worked: what the disk refuses, waiting does not change.
                    books.synced();
                }
                Some(Task::Maintain) => {
                    let result = self.spool.maintain();
                    let is_due = {
                        let books = self.entered(queue, known, result.as_ref().err());
                        let until = books.shelf.down_until().filter(|_| result.is_ok());
                        until.is_some_and(|until| until <= Instant::now())
                    };
                    if is_due {
                        // Else nobody would know that it works again until a batch has to be written.
                        let result = self.spool.probe();
                        let mut books = self.entered(queue, known, None);
                        match result {
                            Ok(()) => books.shelf.works(),
                            Err(error) => note_failure(&mut books, &error),
                        }
                        books.shelf.note_state(Instant::now());
                    }
                }
            }
        }
        job.over = true;
    }

    /// The next task, after the last one has returned.
    fn next_task<E: QueuedEvent>(&self, queue: &Queue<E>) -> Option<Task> {
        let mut books = queue.books();
        if std::mem::take(&mut books.shelf.hanging) {
            tracing::info!("spool answers again");
            books.shelf.note_state(Instant::now());
        }
        books.next_task(Instant::now())
    }

    fn carry_out<E: QueuedEvent>(
        &self,
        queue: &Queue<E>,
        known: &mut SpoolStats,
        batch: &EventBatch,
        disk_copy: DiskCopy,
        order: Order,
    ) {
        let on_disk = matches!(disk_copy, DiskCopy::Fresh | DiskCopy::Drained);
        match order {
            Order::Store => self.store(queue, known, batch, false),
            Order::StoreAndSend => self.store(queue, known, batch, true),
            Order::Forget => self.acknowledge(queue, known, batch, AckOutcome::Delivered, None),
            Order::Bury if on_disk => self.acknowledge(queue, known, batch, AckOutcome::Rejected, None),
            Order::Bury => self.bury(queue, known, batch),
            Order::Discard(cause) => self.acknowledge(queue, known, batch, AckOutcome::Discarded, Some(cause)),
            Order::Release => {
                let result = self.spool.release(id(batch));
                let mut books = self.entered(queue, known, None);
                if let Some(held) = books.done() {
                    let evicted = matches!(result, Ok(Settled::Evicted));
                    books.inform(&held, if evicted { Fate::Failed } else { Fate::Spooled });
                }
            }
            Order::Split => self.split(queue, known, batch),
        }
    }

    /// Settles a batch that is on disk.
    fn acknowledge<E: QueuedEvent>(
        &self,
        queue: &Queue<E>,
        known: &mut SpoolStats,
        batch: &EventBatch,
        outcome: AckOutcome,
        cause: Option<DropCause>,
    ) {
        let before = known.discarded.events;
        let result = self.spool.ack(id(batch), outcome);
        let mut books = self.entered(queue, known, result.as_ref().err());
        if let Some(cause) = cause {
            let discarded = known.discarded.events - before;
            books.dropped.add(cause, discarded);
        }
        let Some(held) = books.done() else { return };
        let settled = result.as_ref().err().is_none_or(|error| error.kind() != SpoolErrorKind::Usage);
        match outcome {
            AckOutcome::Delivered => {
                books.shelf.unacknowledged -= held.events().min(books.shelf.unacknowledged);
                if !settled {
                    // The spool keeps it, and has it delivered again.
                    books.unsettle_delivered(&held);
                }
            }
            _ if !settled => books.inform(&held, Fate::Spooled),
            AckOutcome::Rejected => books.settle(&held, Some(held.refusal_cause())),
            _ => books.inform(&held, Fate::Failed),
        }
    }

    /// Keeps a refused batch that is not on disk in `dead/`.
    fn bury<E: QueuedEvent>(&self, queue: &Queue<E>, known: &mut SpoolStats, batch: &EventBatch) {
        let written = self.spool.append_in_flight(&record(batch));
        let result = written.and_then(|_| self.spool.ack(id(batch), AckOutcome::Rejected));
        let mut books = self.entered(queue, known, result.as_ref().err());
        if let Some(held) = books.done() {
            books.settle(&held, Some(held.refusal_cause()));
        }
    }

    /// Puts halves in the place of a batch, on disk and on the way.
    fn split<E: QueuedEvent>(&self, queue: &Queue<E>, known: &mut SpoolStats, batch: &EventBatch) {
        let level = if batch.encoding == BatchEncoding::Identity { 0 } else { 6 };
        let halves = match split(batch, level, &queue.ids) {
            Ok(Some(halves)) => halves,
            not_in_two => {
                let cause = if not_in_two.is_ok() { DropCause::TooLarge } else { DropCause::Unencodable };
                return self.acknowledge(queue, known, batch, AckOutcome::Discarded, Some(cause));
            }
        };
        let mut written = Vec::new();
        let mut result = Ok(());
        for half in &halves {
            result = result.and_then(|()| self.spool.append_in_flight(&record(half)).map(|_| written.push(id(half))));
        }
        result = result.and_then(|()| self.spool.ack(id(batch), AckOutcome::Replaced).map(|_| ()));
        let replaced = self.spool.stats().replaced != known.replaced;
        if !replaced {
            for half in written {
                // If the process dies before this, the halves are delivered as well as the whole.
                let _ = self.spool.ack(half, AckOutcome::Discarded);
            }
        }
        let mut books = self.entered(queue, known, result.as_ref().err());
        let Some(held) = books.done() else { return };
        if replaced {
            books.splits += 1;
            let halves = held.halves(halves);
            let place = if held.disk_copy == DiskCopy::Fresh { &mut books.waiting } else { &mut books.shelf.fetched };
            for half in halves.into_iter().rev() {
                place.push_front(half);
            }
        } else {
            // Until the disk has room.
            books.inform(&held, Fate::Spooled);
            let until = Instant::now() + Duration::from_secs(10);
            books.shelf.put_aside(Held { tickets: Vec::new(), ..held }, Some(until));
        }
    }

    fn fetch<E: QueuedEvent>(&self, queue: &Queue<E>, known: &mut SpoolStats) {
        let result = self.spool.next_batch();
        let mut books = self.entered(queue, known, result.as_ref().err());
        match result {
            Ok(Some(batch)) => match handed_out(batch) {
                Ok(batch) => books.shelf.fetched(batch),
                Err(batch) => {
                    let held = Held::new(batch, DiskCopy::Drained);
                    books.shelf.order(held, Order::Discard(DropCause::Unencodable));
                }
            },
            Ok(None) | Err(_) => books.shelf.unreadable(Instant::now()),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("spool", &self.spool).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Notes it if a job does not come to its end: the spool calls code that is not ours.
struct Job<'q, E: QueuedEvent> {
    queue: &'q Queue<E>,
    over: bool,
}

impl<E: QueuedEvent> Drop for Job<'_, E> {
    fn drop(&mut self) {
        if !self.over {
            self.queue.books().abandon_job(Instant::now());
            self.queue.wake.notify_one();
        }
    }
}
