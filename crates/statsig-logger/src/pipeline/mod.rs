//! From a logged event to a delivered batch.
//!
//! ```text
//! threads ──▶ stripes ──▶ stage ──▶ encode ──▶ waiting ──▶ on its way ──▶ delivered
//!              │  bounded  │  (blocking thread)   ▲ ▲            │ │
//!              │           │                      │ └─ retry ────┤ └─ failed, or written ahead ─┐
//!              └───────────┴──▶ dropped{cause}    └─ too large ──┴──▶ dropped{cause}            ▼
//!                                                  (blocking thread)  spool ──▶ on its way, or dropped{cause}
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `queue` | stripes and bounds; what gives way; the snapshot of the accounts |
//! | `books` | everything behind the stripes, and how it ended |
//! | `held`, `history` | a batch in memory; the answers that it got |
//! | `tickets` | who waits for what |
//! | `sender` | the task that cuts, and what remains at the end |
//! | `cut` | cuts batches, of a size that depends on the backlog; compacts what waits |
//! | `delivery` | attempts, and what follows from how they ended |
//! | `backoff` | pauses after failures |
//! | `concurrency` | adapts the number of parallel deliveries |
//! | `drain` | with a spool: what goes there, and what is fetched from there |
//! | `shelf` | with a spool: its part of the books |
//! | `tasks` | with a spool: what blocking threads do next |
//! | `copies` | with a spool: batches that are in memory and on disk, and a disk that hangs |
//! | `spool_health` | with a spool: its state and last error |
//! | `spool_damage` | with a spool: counts of damage, and their warnings |
//! | `disk`, `spooled` | with a spool: what blocking threads do with it |
//!
//! # Invariants
//!
//! 1. An event is in exactly one place; it moves under the locks of both places; every place is
//!    bounded; nothing leaves without being counted. So `accepted + recovered = delivered +
//!    pending + dropped` in every snapshot.
//! 2. Locks are taken in the order stripes, then books, and never held across an `await`. A job
//!    that works with the spool holds no lock of these meanwhile.
//! 3. The spool is only touched by blocking threads, by one at a time: never by a thread that logs
//!    or one that polls tasks.
//! 4. What the spool evicts, adopts or finds damaged is entered in the books under the same lock as
//!    the batch that the call was about.
//! 5. A batch leaves the memory for the disk only after the spool has accepted it, and leaves the
//!    disk only after the sink has.
//! 6. The pipeline never waits for the disk before it accepts an event, and a disk that fails, is
//!    full or hangs costs durability, not delivery: batches stay in memory, within its bounds. One
//!    call of the spool that takes 2 seconds counts as hanging: what waits for it is delivered
//!    from memory, and what it has written in the end is looked up when it returns.
//! 7. While the disk takes batches, none is in memory only for more than a second.
//!
//! What can be lost when is in the table of `SpoolMode`.
//!
//! # How the spool is drained
//!
//! New batches first, on slots of their own; from the spool at most two at a time, oldest first,
//! without a limit of attempts. While attempts fail, one at a time, whatever it is, after pauses
//! that both kinds share; new batches then go to the disk at once, since a first attempt would
//! only have to wait. A batch that fails while others pass gets pauses of its own, and holds up
//! nobody.

mod backoff;
mod books;
mod concurrency;
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool, nothing is copied"))]
mod copies;
mod cut;
mod delivery;
#[cfg(feature = "spool")]
mod disk;
#[cfg(not(feature = "spool"))]
#[path = "no_disk.rs"]
mod disk;
mod drain;
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool, no batch is on disk"))]
mod held;
mod history;
mod options;
mod queue;
mod sender;
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool, nobody carries out orders"))]
mod shelf;
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool, nothing is damaged"))]
mod spool_damage;
#[cfg_attr(not(feature = "spool"), allow(dead_code, unreachable_pub, reason = "without a spool, it has no health"))]
mod spool_health;
#[cfg(feature = "spool")]
mod spool_mode;
#[cfg(feature = "spool")]
mod spooled;
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool, there are no tasks"))]
mod tasks;
#[cfg(test)]
mod tests;
mod tickets;
mod tuning;

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Clock, EventSink};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use self::disk::Disk;
pub use self::options::PipelineOptions;
use self::queue::Queue;
use self::sender::{Parts, Rescue};
#[cfg(feature = "spool")]
pub use self::spool_health::{SpoolHealth, SpoolState};
#[cfg(feature = "spool")]
pub use self::spool_mode::SpoolMode;
pub use self::tuning::PipelineTuning;
use crate::delivery_health::DeliveryHealth;
use crate::event::QueuedEvent;
use crate::ledger::{DropCause, EventStats, FlushReport};

/// Part of the time of a shutdown that is left to the disk.
const MOST_FOR_DISK: Duration = Duration::from_millis(500);

/// Longest shutdown that a clock is asked to add.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Queues events, cuts them into batches, and delivers these to an [`EventSink`].
///
/// A batch is cut when 500 events wait or after 60 seconds (both are [options](PipelineOptions)),
/// with up to 3,000 events while more than 1,000 wait, never longer than the sink's destination takes, exposures apart from other events. One that
/// fails is sent again after a pause with full jitter, or when the destination says; one that is
/// too large is sent in halves. One that the destination refuses is retried for
/// [10 minutes](PipelineOptions::refusal_window) and then dropped; one whose delivery the
/// destination does not confirm is sent twice more within
/// [a minute](PipelineOptions::confirmation_window) and then counted as delivered,
/// [unconfirmed](EventStats::unconfirmed). While the destination is down, events wait in the queue, and when
/// that is full, custom events give way before exposures. Everything is counted ([`stats`](Self::stats)).
///
/// Dropping it without [`shutdown`](Self::shutdown) gives up what is pending, or leaves it to the
/// spool, without another attempt. So does the end of its runtime, which may take 2 seconds for it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use statsig_core::{FixedClock, NoopSink};
/// use statsig_logger::{EventPipeline, PipelineOptions, QueuedEvent};
///
/// struct Ping;
///
/// impl QueuedEvent for Ping {
///     fn is_exposure(&self) -> bool {
///         false
///     }
///     fn cost_bytes(&self) -> usize {
///         0
///     }
///     fn write_json(&self, out: &mut Vec<u8>) {
///         out.extend_from_slice(br#"{"eventName":"ping"}"#);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runtime = tokio::runtime::Handle::current();
/// let clock = Arc::new(FixedClock(1_700_000_000_000));
/// let pipeline = EventPipeline::start(PipelineOptions::default(), Arc::new(NoopSink), clock, &runtime);
/// pipeline.log(Ping);
/// let report = pipeline.shutdown(Duration::from_secs(3)).await;
/// assert_eq!((report.delivered, report.failed, report.pending), (1, 0, 0));
/// assert!(pipeline.stats().is_balanced());
/// # }
/// ```
#[derive(Debug)]
pub struct EventPipeline<E: QueuedEvent> {
    queue: Arc<Queue<E>>,
    ended: watch::Receiver<bool>,
    has_disk: bool,
}

impl<E: QueuedEvent> EventPipeline<E> {
    /// Starts the sending task on a runtime, with its timers and blocking threads.
    ///
    /// The clock dates batches. Options that make no sense are raised to the least that works, or
    /// lowered to the most.
    #[must_use]
    pub fn start(options: PipelineOptions, sink: Arc<dyn EventSink>, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        Self::launch(options.sane(), sink, clock, runtime, |_| None)
    }

    /// Starts a pipeline whose batches outlast outages, restarts and, by the mode, crashes.
    ///
    /// What earlier processes left in the spool is delivered like the rest, oldest first, at most
    /// two batches at a time, as often as it takes until the spool's own limits are reached.
    /// Batches in memory are limited by half of `queue_bytes` instead of by `retry_queue_size`, and
    /// `max_attempts` counts only while the spool fails: then batches stay in memory, with a
    /// warning at most once a minute, and the spool is tried again after 1 to 60 seconds.
    ///
    /// The spool belongs to the pipeline, which closes it at its end. Opening it blocks on the
    /// disk. One of [`Spool::open_or_retry`](crate::spool::Spool::open_or_retry) that is not open yet is opened as soon
    /// as the disk allows it, and delivers then what earlier processes left. Its clock and the pipeline's should tell the same time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// use statsig_core::{FixedClock, NoopSink};
    /// use statsig_background::{OsFileSystem, SystemClock};
    /// use statsig_logger::spool::{Spool, SpoolOptions};
    /// use statsig_logger::{EventPipeline, PipelineOptions, SpoolMode};
    /// # use statsig_logger::QueuedEvent;
    /// # struct Ping;
    /// # impl QueuedEvent for Ping {
    /// #     fn is_exposure(&self) -> bool { false }
    /// #     fn cost_bytes(&self) -> usize { 0 }
    /// #     fn write_json(&self, out: &mut Vec<u8>) { out.extend_from_slice(b"{}"); }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let options = SpoolOptions::new(folder.path(), "0123456789abcdef");
    /// let spool = tokio::task::spawn_blocking(|| Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock)));
    /// let spool = spool.await??;
    /// # let clock = Arc::new(FixedClock(1_790_000_000_000));
    /// let pipeline = EventPipeline::start_with_spool(
    ///     PipelineOptions::default(),
    ///     spool,
    ///     SpoolMode::Overflow,
    ///     Arc::new(NoopSink),
    ///     clock,
    ///     &tokio::runtime::Handle::current(),
    /// );
    /// pipeline.log(Ping);
    /// let report = pipeline.shutdown(Duration::from_secs(3)).await;
    /// assert!(report.is_safe());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn start_with_spool(
        options: PipelineOptions,
        spool: crate::spool::Spool,
        mode: SpoolMode,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let options = options.with_spool(mode, spool.options().max_body_bytes()).sane();
        Self::launch(options, sink, clock, runtime, |queue| Some(Arc::new(Disk::new(spool, mode, queue))))
    }

    fn launch(
        options: PipelineOptions,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
        disk: impl FnOnce(&Queue<E>) -> Option<Arc<Disk>>,
    ) -> Self {
        let queue = Arc::new(Queue::new(&options));
        let (end, ended) = watch::channel(false);
        let disk = disk(&queue);
        let has_disk = disk.is_some();
        let parts = Parts { queue: Arc::clone(&queue), sink, disk, clock, options };
        sender::spawn_sender(Rescue(parts), end, runtime);
        Self { queue, ended, has_disk }
    }

    /// Accepts an event, or drops and counts it: when the queue is full, logging is off, or after
    /// [`shutdown`](Self::shutdown).
    ///
    /// Takes a lock that threads rarely share; never waits for the sink. Allocates when the queue
    /// grows.
    pub fn log(&self, event: E) {
        self.queue.push(event);
    }

    /// Accepts events that are no exposures, all of them or none; returns the cause of their drop.
    pub(crate) fn log_all(&self, events: Vec<E>) -> Result<(), DropCause> {
        self.queue.push_all(events)
    }

    /// Switches logging off or on again. What is pending is delivered all the same.
    pub fn set_disabled(&self, disabled: bool) {
        self.queue.set_disabled(disabled);
    }

    /// Changes how batches are cut from now on.
    pub fn tune(&self, tuning: PipelineTuning) {
        self.queue.tuning.apply(tuning);
        self.queue.wake.notify_one();
    }

    /// Delivers everything that was accepted before this call, and returns when each event of it is
    /// delivered, rests in the spool or is finally given up, or when the time is up.
    ///
    /// What is written ahead of its first attempt is waited for until that has ended. Ends a pause
    /// after failures, unless the destination asked for it. Events that gave way before
    /// the call are not in the report.
    ///
    /// # Cancel safety
    /// The events are sent all the same.
    pub async fn flush(&self, within: Duration) -> FlushReport {
        self.wait_for_all(within, None).await
    }

    /// Accepts no further events, delivers what is pending within a time, leaves the rest to the
    /// spool or else gives it up, and closes spool and sink.
    ///
    /// With a spool, a quarter of the time, at most half a second, is left for the disk, and what
    /// rests there already is not waited for. A disk that hangs is given 2 seconds more. Nothing is
    /// pending in the report: what is neither delivered nor spooled has failed. A second call
    /// waits for the first and reports what was still open then.
    ///
    /// # Cancel safety
    /// The shutdown goes on.
    pub async fn shutdown(&self, within: Duration) -> FlushReport {
        self.queue.close();
        let for_disk = if self.has_disk { (within / 4).min(MOST_FOR_DISK) } else { Duration::ZERO };
        let report = self.wait_for_all(within, Some(Instant::now() + within.min(A_YEAR) - for_disk)).await;
        let mut ended = self.ended.clone();
        // It also ends if the runtime of the task does.
        let _ = ended.wait_for(|ended| *ended).await;
        report
    }

    /// The accounts, of one moment. Takes all locks of the queue for about a microsecond.
    #[must_use]
    pub fn stats(&self) -> EventStats {
        self.queue.stats()
    }

    /// Returns the last failure of a delivery and the time of the next attempt.
    #[must_use]
    pub fn delivery_health(&self) -> DeliveryHealth {
        self.queue.books().record.health()
    }

    /// Returns the health of the spool; `None` without one. Never waits for the disk.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn spool_health(&self) -> Option<SpoolHealth> {
        self.has_disk.then(|| self.queue.books().shelf.health(Instant::now()))
    }

    /// Whether a shutdown began.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    async fn wait_for_all(&self, within: Duration, closing: Option<Instant>) -> FlushReport {
        self.queue.stage();
        let (ticket, report) = {
            let mut books = self.queue.books();
            books.cut_all();
            books.hurry = true;
            books.closing = books.closing.or(closing);
            books.issue_ticket()
        };
        self.queue.wake.notify_one();
        let report = match closing {
            // The task itself gives up in time, and settles everything.
            Some(_) if !*self.ended.borrow() => {
                let mut ended = self.ended.clone();
                tokio::select! {
                    biased;
                    report = report => report.ok(),
                    _ = ended.wait_for(|ended| *ended) => None,
                }
            }
            _ => timeout(within, report).await.ok().and_then(Result::ok),
        };
        report.unwrap_or_else(|| self.queue.books().withdraw_ticket(ticket).unwrap_or_default())
    }
}

impl<E: QueuedEvent> Drop for EventPipeline<E> {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.books().abandoned = true;
        self.queue.wake.notify_one();
    }
}
