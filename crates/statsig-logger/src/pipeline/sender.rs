//! The task that cuts batches and sends them: when, and what remains at the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use statsig_background::{GuardedObserver, TaskSupervisor, UniformRandom};
use statsig_core::{Clock, Delivery, EventSink};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};

use super::Disk;
use super::backoff::DeliveryBackoff;
use super::concurrency::DeliveryConcurrency;
use super::options::PipelineOptions;
use super::queue::Queue;
use crate::batch::BatchLimits;
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Least time that a sink gets for its end.
const LEAST_CLOSE: Duration = Duration::from_millis(100);
/// Longest time that a disk gets to take what is left at the end.
const LAST_STAND: Duration = Duration::from_secs(2);

/// What the sending task works with.
pub(super) struct Parts<E> {
    pub(super) queue: Arc<Queue<E>>,
    pub(super) sink: Arc<dyn EventSink>,
    pub(super) disk: Option<Arc<Disk>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: PipelineOptions,
}

impl<E> Clone for Parts<E> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            sink: Arc::clone(&self.sink),
            disk: self.disk.clone(),
            clock: Arc::clone(&self.clock),
            options: self.options.clone(),
        }
    }
}

impl<E: QueuedEvent> Parts<E> {
    pub(super) fn limits(&self, batch_events: usize) -> BatchLimits {
        let level = self.queue.tuning.compression_level();
        BatchLimits { events: batch_events, raw_bytes: self.options.batch_bytes, level }
    }

    /// What brings everything to the disk that is left at the end; for a blocking thread.
    fn last_stand(&self) -> Option<impl FnOnce() + Send + use<E>> {
        let (disk, queue) = (self.disk.clone()?, Arc::clone(&self.queue));
        let (limits, created_ms) = (self.limits(self.queue.tuning.batch_events()), self.clock.now_ms());
        Some(move || disk.last_stand(&queue, &limits, created_ms))
    }
}

/// Saves what can be saved if the runtime ends before the pipeline does.
pub(super) struct Rescue<E: QueuedEvent>(pub(super) Parts<E>);

impl<E: QueuedEvent> Drop for Rescue<E> {
    fn drop(&mut self) {
        let is_over = || {
            let shelf = &self.0.queue.books().shelf;
            shelf.closed || shelf.stopped
        };
        if self.0.disk.is_none() || is_over() {
            return;
        }
        self.0.queue.close();
        // The runtime has no blocking threads any more.
        let Some(last_stand) = self.0.last_stand() else { return };
        let (done, is_done) = mpsc::channel();
        let thread = std::thread::Builder::new().name("statsig-last-stand".to_owned()).spawn(move || {
            last_stand();
            // Who waited may have lost patience.
            let _ = done.send(());
        });
        if thread.is_ok() {
            let _ = is_done.recv_timeout(LAST_STAND);
        }
        if !is_over() {
            self.0.queue.stage();
            let events = {
                let mut books = self.0.queue.books();
                books.abandon_disk();
                books.give_up(DropCause::Shutdown)
            };
            self.0.queue.release_events(&events);
        }
    }
}

/// Reports the end of the pipeline when it is dropped.
struct EndNotice(watch::Sender<bool>);

impl Drop for EndNotice {
    fn drop(&mut self) {
        // The pipeline itself may be gone.
        let _ = self.0.send(true);
    }
}

/// Spawns the sending task, which runs until the pipeline is shut down and restarts after a panic.
pub(super) fn spawn_sender<E: QueuedEvent>(rescue: Rescue<E>, end: watch::Sender<bool>, runtime: &Handle) {
    let tasks = TaskSupervisor::new(runtime, GuardedObserver::default(), UniformRandom::new(None));
    // Dropped in this order when the task ends, also where the runtime ends first.
    let owned = (rescue, EndNotice(end), AtomicBool::new(false));
    tasks.spawn_worker("event-sender", move |_| {
        let (Rescue(parts), _, has_started) = &owned;
        if has_started.swap(true, Ordering::Relaxed) {
            parts.queue.books().recover();
        }
        Sender::new(parts.clone()).run()
    });
}

pub(super) struct Sender<E> {
    pub(super) queue: Arc<Queue<E>>,
    pub(super) disk: Option<Arc<Disk>>,
    pub(super) options: PipelineOptions,
    pub(super) parts: Parts<E>,
    pub(super) backoff: DeliveryBackoff,
    pub(super) concurrency: DeliveryConcurrency,
    pub(super) deliveries: JoinSet<Delivery>,
    /// The batch of each delivery.
    pub(super) batches: HashMap<Id, [u8; 16]>,
    /// When the spool was looked after last.
    pub(super) maintained: Instant,
}

impl<E: QueuedEvent> Sender<E> {
    fn new(parts: Parts<E>) -> Self {
        let options = parts.options.clone();
        Self {
            queue: Arc::clone(&parts.queue),
            disk: parts.disk.clone(),
            backoff: DeliveryBackoff::new(options.backoff_base, options.backoff_cap, options.jitter_seed),
            concurrency: DeliveryConcurrency::new(options.parallel_deliveries, options.max_parallel_deliveries),
            options,
            parts,
            deliveries: JoinSet::new(),
            batches: HashMap::new(),
            maintained: Instant::now(),
        }
    }

    async fn run(mut self) {
        let mut cut_at = self.next_interval();
        loop {
            // Encoding takes milliseconds: deliveries that ended meanwhile make room for others.
            while let Some(ended) = self.deliveries.try_join_next_with_id() {
                self.settle(ended).await;
            }
            let now = Instant::now();
            if now >= cut_at || self.queue.bytes() >= self.options.cut_bytes {
                self.queue.stage();
                self.queue.books().cut_all();
                cut_at = self.next_interval();
            }
            self.take_orders();
            if self.is_over(now) {
                return self.end().await;
            }
            self.use_disk(now);
            self.launch(now);
            if self.cut().await || self.compact().await {
                continue;
            }
            let wake_at = self.wake_at(cut_at);
            tokio::select! {
                () = self.queue.wake.notified() => {}
                Some(ended) = self.deliveries.join_next_with_id() => self.settle(ended).await,
                () = sleep_until(wake_at) => {}
            }
        }
    }

    /// A little less than the interval.
    fn next_interval(&self) -> Instant {
        let interval = self.queue.tuning.batch_interval();
        Instant::now() + (interval - self.backoff.random().up_to(interval / 5))
    }

    fn take_orders(&mut self) {
        let mut books = self.queue.books();
        if std::mem::take(&mut books.hurry) {
            if books.closing.is_some() {
                // There is no later time to wait for.
                books.waiting.iter_mut().for_each(|held| held.history.resume());
            }
            if books.closing.is_some() && self.disk.is_some() {
                // Each batch has one more chance before it is left to the disk.
                self.backoff.succeeded();
            } else if books.closing.is_some() {
                self.backoff.disregard();
            } else {
                self.backoff.hurry();
            }
        }
    }

    /// Whether everything is done after a shutdown began, or its time is up.
    fn is_over(&self, now: Instant) -> bool {
        let books = self.queue.books();
        books.abandoned || books.closing.is_some_and(|closing| now >= closing || !books.is_busy())
    }

    fn wake_at(&mut self, cut_at: Instant) -> Instant {
        let paused = self.backoff.until(Instant::now());
        let now = Instant::now();
        let mut books = self.queue.books();
        let retry_at = paused.filter(|_| !books.waiting.is_empty() || books.shelf.events > 0);
        let resume_at =
            books.waiting.iter().filter_map(|held| held.history.paused_until()).filter(|&at| at > now).min();
        books.record.next_attempt = books.next_attempt(now, paused);
        let disk_at = self.disk_at(&books);
        [Some(cut_at), retry_at, resume_at, disk_at, books.closing].into_iter().flatten().min().unwrap_or(cut_at)
    }

    /// Leaves to the disk what is left, or gives it up, and closes the sink.
    async fn end(mut self) {
        while let Some(ended) = self.deliveries.try_join_next_with_id() {
            self.settle(ended).await;
        }
        self.deliveries.shutdown().await;
        if let Some(last_stand) = self.parts.last_stand() {
            match timeout(LAST_STAND, spawn_blocking(last_stand)).await {
                Ok(Ok(())) => {}
                // The runtime ends at the same time: a thread of our own does it.
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::warn!("the disk did not take the last batches of events in time; they are given up");
                    self.queue.books().abandon_disk();
                }
            }
        }
        self.queue.stage();
        let (events, left) = {
            let mut books = self.queue.books();
            let left = books.closing.map_or(Duration::ZERO, |closing| closing - Instant::now().min(closing));
            (books.give_up(DropCause::Shutdown), left)
        };
        self.queue.release_events(&events);
        let left = left.max(LEAST_CLOSE);
        match timeout(left, self.parts.sink.close(left)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the event sink did not close"),
            Err(_) => tracing::warn!("the event sink did not close in time"),
        }
    }
}
