//! The task that cuts batches and sends them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Clock, Delivery, EventSink};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backoff::Backoff;
use super::books::Kind;
use super::options::PipelineOptions;
use super::queue::Queue;
use crate::batch::{BatchLimits, encode, split};
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Pause before a task that panicked is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Least time that a sink gets for its end.
const LEAST_CLOSE: Duration = Duration::from_millis(100);

/// Runs the sending task until the pipeline is shut down, again if it panics.
pub(super) async fn supervise<E: QueuedEvent>(
    queue: Arc<Queue<E>>,
    sink: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    options: PipelineOptions,
    end: watch::Sender<bool>,
) {
    loop {
        let sender = Sender::new(Arc::clone(&queue), Arc::clone(&sink), Arc::clone(&clock), options.clone());
        match tokio::spawn(sender.run()).await {
            Err(error) if error.is_panic() => {
                queue.books().recover();
                tracing::error!("the task that sends events panicked, and is started again");
                sleep(RESTART_PAUSE).await;
            }
            // Done, or the runtime ends.
            _ => break,
        }
    }
    // Nobody is left who listens, perhaps.
    let _ = end.send(true);
}

struct Sender<E> {
    queue: Arc<Queue<E>>,
    sink: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    options: PipelineOptions,
    backoff: Backoff,
    deliveries: JoinSet<Delivery>,
    /// The batch of each delivery.
    batches: HashMap<Id, [u8; 16]>,
}

impl<E: QueuedEvent> Sender<E> {
    fn new(queue: Arc<Queue<E>>, sink: Arc<dyn EventSink>, clock: Arc<dyn Clock>, options: PipelineOptions) -> Self {
        let backoff = Backoff::new(options.backoff_base, options.backoff_cap, options.jitter_seed);
        Self { queue, sink, clock, options, backoff, deliveries: JoinSet::new(), batches: HashMap::new() }
    }

    async fn run(mut self) {
        let mut cut_at = self.next_interval();
        loop {
            let now = Instant::now();
            if now >= cut_at {
                self.queue.stage();
                self.queue.books().cut_all();
                cut_at = self.next_interval();
            }
            self.take_orders();
            if self.is_over(now) {
                return self.end().await;
            }
            self.launch(now);
            if self.cut().await {
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
    fn next_interval(&mut self) -> Instant {
        let less = self.options.batch_interval.mul_f64(self.backoff.fraction() / 5.0);
        Instant::now() + (self.options.batch_interval - less)
    }

    fn take_orders(&mut self) {
        let mut books = self.queue.books();
        if std::mem::take(&mut books.hurry) {
            if books.closing.is_some() {
                self.backoff.disregard();
            } else {
                self.backoff.hurry();
            }
        }
    }

    /// Whether everything is done after a shutdown began, or its time is up.
    fn is_over(&self, now: Instant) -> bool {
        let books = self.queue.books();
        books.abandoned || books.closing.is_some_and(|closing| now >= closing || books.pending() == 0)
    }

    fn wake_at(&mut self, cut_at: Instant) -> Instant {
        let paused = self.backoff.until(Instant::now());
        let books = self.queue.books();
        let retry_at = paused.filter(|_| !books.waiting.is_empty());
        [Some(cut_at), retry_at, books.closing].into_iter().flatten().min().unwrap_or(cut_at)
    }

    /// Sends waiting batches, as many at a time as may be.
    fn launch(&mut self, now: Instant) {
        if self.backoff.until(now).is_some() {
            return;
        }
        let most = if self.backoff.is_failing() { 1 } else { self.options.parallel_deliveries };
        let mut books = self.queue.books();
        while books.flying.len() < most {
            let Some(held) = books.waiting.pop_front() else { return };
            let (sink, batch, limit) = (Arc::clone(&self.sink), held.batch.clone(), self.options.delivery_timeout);
            let task = self.deliveries.spawn(async move {
                match timeout(limit, sink.deliver(&batch)).await {
                    Ok(outcome) => outcome,
                    Err(elapsed) => Delivery::retry(elapsed),
                }
            });
            self.batches.insert(task.id(), held.batch.id);
            books.flying.insert(held.batch.id, held);
        }
    }

    /// Cuts batches if it is time and there is room for them. Whether it did.
    async fn cut(&mut self) -> bool {
        let full = self.options.batch_events;
        let (kind, events) = {
            let held = |books: &super::books::Books<E>| books.waiting.len() + books.flying.len();
            let room = self.options.retry_queue_size.saturating_sub(held(&self.queue.books()));
            if room == 0 {
                return false;
            }
            if self.queue.len() >= full {
                self.queue.stage();
            }
            let mut books = self.queue.books();
            let due = |kind: Kind| {
                let staged = &books.staged[kind as usize];
                let asked = staged.cut_before.saturating_sub(staged.first) as usize;
                let whole = staged.events.len() / full * full;
                asked.max(whole).min(room * full)
            };
            let staged = |kind: Kind| books.staged[kind as usize].events.len();
            let most = |count: &dyn Fn(Kind) -> usize| {
                let [exposures, customs] = Kind::BOTH.map(|kind| (kind, count(kind)));
                if customs.1 > exposures.1 { customs } else { exposures }
            };
            let (kind, events) = match most(&due) {
                (_, 0) if staged(Kind::Exposure) + staged(Kind::Custom) >= full => most(&staged),
                due => due,
            };
            if events == 0 {
                return false;
            }
            (kind, books.begin_cut(kind, events))
        };
        let limits =
            BatchLimits { events: full, raw_bytes: self.options.batch_bytes, level: self.options.compression_level };
        tracing::trace!(?kind, events = events.len(), "cutting batches");
        let created_ms = self.clock.now_ms();
        let queue = Arc::clone(&self.queue);
        let encoded = spawn_blocking(move || {
            let encoded = encode(&events, &limits, created_ms);
            queue.release_events(&events);
            encoded
        });
        match encoded.await {
            Ok(encoded) => self.queue.books().end_cut(encoded),
            Err(_) => self.queue.books().abandon_cut(),
        }
        true
    }

    /// Notes how a delivery ended.
    async fn settle(&mut self, ended: Result<(Id, Delivery), JoinError>) {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some(id) = self.batches.remove(&task) else { return };
        if matches!(outcome, Some(Delivery::TooLarge)) {
            return self.halve(id).await;
        }
        let mut books = self.queue.books();
        let Some(mut held) = books.flying.remove(&id) else { return };
        let (events, attempt) = (held.batch.event_count, held.batch.attempt);
        let mut asked = None;
        match outcome {
            Some(Delivery::Delivered) => {
                self.backoff.succeeded();
                return books.settle(&held, None);
            }
            Some(Delivery::Reject { reason }) => {
                tracing::warn!(events, attempt, %reason, "the destination refused a batch of events");
                return books.settle(&held, Some(DropCause::Rejected));
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
        self.backoff.failed(Instant::now(), asked);
        books.retries += 1;
        // The first failure counts; later ones only if others passed in between, for then it is
        // this batch that is at fault, and not the destination.
        if held.passed_then != Some(books.batches_delivered) {
            held.strikes += 1;
            held.passed_then = Some(books.batches_delivered);
        }
        if held.strikes >= self.options.max_attempts {
            tracing::warn!(events, attempt, "a batch of events was given up");
            return books.settle(&held, Some(DropCause::Attempts));
        }
        held.batch.attempt = attempt.saturating_add(1);
        // Behind the others, or one that never passes would hold them up.
        books.waiting.push_back(held);
    }

    /// Puts halves in the place of a batch that is too large. It counts as on its way meanwhile.
    async fn halve(&mut self, id: [u8; 16]) {
        let Some(batch) = self.queue.books().flying.get(&id).map(|held| held.batch.clone()) else { return };
        let level = self.options.compression_level;
        let halves = spawn_blocking(move || split(&batch, level)).await;
        let mut books = self.queue.books();
        let Some(held) = books.flying.remove(&id) else { return };
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

    /// Gives up what is left, and closes the sink.
    async fn end(mut self) {
        self.deliveries.shutdown().await;
        self.queue.stage();
        let (events, left) = {
            let mut books = self.queue.books();
            let left = books.closing.map_or(Duration::ZERO, |closing| closing - Instant::now().min(closing));
            (books.give_up(DropCause::Shutdown), left)
        };
        self.queue.release_events(&events);
        let left = left.max(LEAST_CLOSE);
        match timeout(left, self.sink.close(left)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the event sink did not close"),
            Err(_) => tracing::warn!("the event sink did not close in time"),
        }
    }
}
