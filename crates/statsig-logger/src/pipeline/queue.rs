//! The bounded queue between application threads and the sending task.
//!
//! Events lie in stripes, each under a lock of its own; a thread keeps to one stripe, so threads
//! rarely meet, and the events of one thread and kind keep their order. The bounds hold for all
//! stripes together, by two counters.
//!
//! When the queue is full, a custom event that comes is dropped. An exposure that comes takes the
//! place of the oldest custom event there is; only if there is none it is dropped itself. Why the
//! one that comes, and not the oldest exposure: the first exposure of a user is what counts in an
//! experiment, and one that is dropped is logged again when its window turns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use statsig_background::{ForkGuard, UuidSequence};
use tokio::sync::Notify;

use super::books::{Books, Kind};
use super::options::PipelineOptions;
use super::tuning::Tuning;
use crate::event::QueuedEvent;
use crate::lanes::{LANES, Padded, own_lane};
use crate::ledger::{DropCause, DropCounts, EventStats};

/// Exposures that are compacted under one lock, within about 20 µs.
const COMPACTED_UNDER_LOCK: usize = 16;

#[derive(Debug)]
struct Content<E> {
    exposures: Vec<E>,
    customs: VecDeque<E>,
    accepted: u64,
    dropped: DropCounts,
}

type Stripe<E> = Padded<Mutex<Content<E>>>;

#[derive(Debug)]
pub(super) struct Queue<E> {
    stripes: Box<[Stripe<E>]>,
    books: Mutex<Books<E>>,
    /// Events and bytes in stripes and staged, and the custom events of them.
    events: AtomicUsize,
    bytes: AtomicUsize,
    customs: AtomicUsize,
    most_events: usize,
    most_bytes: usize,
    pub(super) tuning: Tuning,
    /// The sending task is woken when so many bytes are held.
    wake_bytes: usize,
    disabled: AtomicBool,
    closed: AtomicBool,
    process: ForkGuard,
    /// Identifiers of batches.
    pub(super) ids: UuidSequence,
    /// Wakes the sending task.
    pub(super) wake: Notify,
}

impl<E: QueuedEvent> Queue<E> {
    pub(super) fn new(options: &PipelineOptions) -> Self {
        let empty =
            || Content { exposures: Vec::new(), customs: VecDeque::new(), accepted: 0, dropped: DropCounts::default() };
        Self {
            stripes: (0..LANES).map(|_| Padded(Mutex::new(empty()))).collect(),
            books: Mutex::new(Books::new()),
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            customs: AtomicUsize::new(0),
            most_events: options.queue_events,
            most_bytes: options.queue_bytes,
            tuning: Tuning::new(options),
            wake_bytes: options.cut_bytes,
            disabled: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            process: ForkGuard::new(),
            ids: UuidSequence::new(),
            wake: Notify::new(),
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books<E>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_disabled(&self, disabled: bool) {
        self.disabled.store(disabled, Ordering::Relaxed);
    }

    /// Accepts no event any more. One that a thread is about to add is staged, or dropped.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Number of events that wait for a batch.
    pub(super) fn len(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes that these hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes an event, or drops and counts it.
    pub(super) fn push(&self, event: E) {
        let own = own_lane();
        if self.disabled.load(Ordering::Relaxed) {
            return self.refuse(own, DropCause::Disabled, 1);
        }
        let (bytes, exposure) = (event.cost_bytes(), event.is_exposure());
        let wakes = loop {
            match self.reserve(1, bytes) {
                Ok(wakes) => break wakes,
                Err(cause) if !(exposure && bytes <= self.most_bytes && self.evict_custom(own, cause)) => {
                    return self.refuse(own, cause, 1);
                }
                Err(_) => {}
            }
        };
        let Some(mut content) = self.lock_to_log(own) else { return self.release(1, bytes) };
        content.accepted += 1;
        // Under the lock: whoever closes stages every stripe afterwards.
        if self.closed.load(Ordering::Relaxed) {
            content.dropped.add(DropCause::Shutdown, 1);
            drop(content);
            return self.release(1, bytes);
        }
        if exposure {
            content.exposures.push(event);
        } else {
            content.customs.push_back(event);
            self.customs.fetch_add(1, Ordering::Relaxed);
        }
        drop(content);
        self.wake_if(wakes);
    }

    /// Takes events that are no exposures, all of them or none. Nothing gives way for them; if they do not fit, they
    /// are dropped and counted, and the cause is returned.
    pub(super) fn push_all(&self, events: Vec<E>) -> Result<(), DropCause> {
        let (own, count) = (own_lane(), events.len());
        if self.disabled.load(Ordering::Relaxed) {
            self.refuse(own, DropCause::Disabled, count);
            return Err(DropCause::Disabled);
        }
        let bytes = events.iter().map(E::cost_bytes).sum();
        let wakes = self.reserve(count, bytes).inspect_err(|cause| self.refuse(own, *cause, count))?;
        let Some(mut content) = self.lock_to_log(own) else {
            self.release(count, bytes);
            return Err(DropCause::Shutdown);
        };
        content.accepted += count as u64;
        // Under the lock: `close` is followed by `stage`, which locks every stripe.
        if self.closed.load(Ordering::Relaxed) {
            content.dropped.add(DropCause::Shutdown, count as u64);
            drop(content);
            self.release(count, bytes);
            return Err(DropCause::Shutdown);
        }
        content.customs.extend(events);
        self.customs.fetch_add(count, Ordering::Relaxed);
        drop(content);
        self.wake_if(wakes);
        Ok(())
    }

    /// Wakes the sending task, or closes the queue of a forked child, which has none.
    fn wake_if(&self, wakes: bool) {
        if wakes && self.process.is_inherited() {
            self.close();
        } else if wakes {
            self.wake.notify_one();
        }
    }

    /// Moves everything from the stripes to the stage.
    pub(super) fn stage(&self) {
        for at in 0..self.stripes.len() {
            let mut content = self.lock(at);
            if content.exposures.is_empty() && content.customs.is_empty() {
                continue;
            }
            let mut books = self.books();
            books.staged[Kind::Exposure as usize].events.extend(content.exposures.drain(..));
            books.staged[Kind::Custom as usize].events.extend(content.customs.drain(..));
            // What an unusual rush needed is given back.
            content.exposures.shrink_to(self.tuning.batch_events());
            content.customs.shrink_to(self.tuning.batch_events());
        }
    }

    /// Compacts up to so many waiting exposures. Returns whether more may be left.
    pub(super) fn compact(&self, most: usize) -> bool {
        self.stage();
        for _ in 0..most.div_ceil(COMPACTED_UNDER_LOCK) {
            let mut books = self.books();
            let Some(released) = books.compact(COMPACTED_UNDER_LOCK) else { return false };
            self.bytes.fetch_sub(released, Ordering::Relaxed);
        }
        true
    }

    /// Gives back the room of events that left the stage.
    pub(super) fn release_events(&self, events: &[E]) {
        let customs = events.iter().filter(|event| !event.is_exposure()).count();
        self.customs.fetch_sub(customs, Ordering::Relaxed);
        self.release(events.len(), events.iter().map(E::cost_bytes).sum());
    }

    /// The accounts, at one moment for all places.
    pub(super) fn stats(&self) -> EventStats {
        // Always in this order, which is also that of `stage`.
        let contents: Vec<_> = (0..self.stripes.len()).map(|at| self.lock(at)).collect();
        let books = self.books();
        let mut stats = EventStats {
            queue_bytes: self.bytes() as u64,
            recovered: books.shelf.recovered,
            delivered: books.delivered,
            unconfirmed: books.unconfirmed,
            pending: books.pending(),
            pending_in_batches: books.in_batches(),
            pending_on_disk: books.shelf.on_disk(),
            dropped: books.dropped,
            batches_delivered: books.batches_delivered,
            last_delivery: books.delivered_at.map(|at| at.elapsed()),
            retries: books.retries,
            splits: books.splits,
            sink_panics: books.sink_panics,
            sender_restarts: books.sender_restarts,
            spool_failures: books.shelf.failures,
            spool_bytes: books.shelf.bytes,
            spool_oldest_ms: books.shelf.oldest_ms,
            spool_corrupt_records: books.shelf.damage.corrupt_records,
            spool_corrupt_segments: books.shelf.damage.corrupt_segments,
            spool_truncated_tails: books.shelf.damage.truncated_tails,
            spool_foreign_segments: books.shelf.damage.foreign_segments,
            spool_read_errors: books.shelf.damage.read_errors,
            ..EventStats::default()
        };
        for content in &contents {
            stats.accepted += content.accepted;
            stats.pending += (content.exposures.len() + content.customs.len()) as u64;
            stats.dropped.add_all(&content.dropped);
        }
        stats
    }

    fn lock(&self, at: usize) -> MutexGuard<'_, Content<E>> {
        self.stripes[at].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for a thread that logs; `None` in a forked child where nobody will ever release the lock.
    fn lock_to_log(&self, at: usize) -> Option<MutexGuard<'_, Content<E>>> {
        self.process.lock(&self.stripes[at].0)
    }

    /// Makes room for events, and returns whether the sending task should look.
    fn reserve(&self, count: usize, bytes: usize) -> Result<bool, DropCause> {
        let events = self.events.fetch_add(count, Ordering::Relaxed);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let cause = if events.saturating_add(count) > self.most_events {
            DropCause::QueueEvents
        } else if held.saturating_add(bytes) > self.most_bytes {
            DropCause::QueueBytes
        } else {
            // Each count is reached by one thread, so one of them wakes the task.
            let batch_events = self.tuning.batch_events();
            let full = match count {
                1 => (events + 1).is_multiple_of(batch_events),
                count => events / batch_events != (events + count) / batch_events,
            };
            return Ok(full || (held < self.wake_bytes && held + bytes >= self.wake_bytes));
        };
        self.release(count, bytes);
        Err(cause)
    }

    fn release(&self, events: usize, bytes: usize) {
        self.events.fetch_sub(events, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn refuse(&self, own: usize, cause: DropCause, count: usize) {
        if let Some(mut content) = self.lock_to_log(own) {
            content.accepted += count as u64;
            content.dropped.add(cause, count as u64);
        }
    }

    /// Drops the oldest custom event: of the stage, or else of one stripe after the other.
    fn evict_custom(&self, own: usize, cause: DropCause) -> bool {
        if self.customs.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let staged = self.process.lock(&self.books).and_then(|mut books| books.evict_custom(cause));
        let event = staged.or_else(|| {
            (0..self.stripes.len()).find_map(|step| {
                let mut content = self.lock_to_log((own + step) % self.stripes.len())?;
                let event = content.customs.pop_front()?;
                content.dropped.add(cause, 1);
                Some(event)
            })
        });
        if let Some(event) = &event {
            self.release_events(std::slice::from_ref(event));
        }
        event.is_some()
    }
}
