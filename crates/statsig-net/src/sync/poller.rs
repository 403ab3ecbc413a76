//! Polls sources by the schedule, and on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_background::Worker;
use statsig_core::{Clock, Reach, SpecSource, SpecTrigger};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::fetcher::Fetcher;
use super::outcome::{AttemptOutcome, SourceAttempt, SyncReport};
use super::schedule::{Cycle, PollSchedule, SyncView};
use super::stream_health::{FeedState, StreamStates};
use crate::deadline;

/// Longest pause between two polls: longer ones are more than a timer takes.
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400 * 365);

/// Ages from which on a poll goes on to the next source although one succeeded.
#[derive(Debug, Clone, Copy)]
pub(super) struct StalenessLimits {
    /// Age of the specs' own time.
    pub(super) out_of_sync: Option<Duration>,
    /// Time without contact with an upstream source.
    pub(super) max_silence: Option<Duration>,
}

/// Polls sources.
pub(super) struct Poller {
    /// The polled sources, then the fallback.
    sources: Vec<Arc<dyn SpecSource>>,
    fetcher: Fetcher,
    streams: Arc<StreamStates>,
    schedule: Mutex<PollSchedule>,
    interval: Duration,
    staleness: StalenessLimits,
    clock: Arc<dyn Clock>,
    /// Begin of the schedule's time.
    epoch: Instant,
    /// Wakes the poller: a stream announced a change.
    wake: Arc<Notify>,
    paused: watch::Sender<bool>,
    /// Held while a cycle runs.
    cycle: tokio::sync::Mutex<()>,
}

impl Poller {
    #[allow(clippy::too_many_arguments, reason = "each part of the engine gets its inputs and nothing else")]
    pub(super) fn new(
        sources: Vec<Arc<dyn SpecSource>>,
        schedule: PollSchedule,
        fetcher: Fetcher,
        streams: Arc<StreamStates>,
        wake: Arc<Notify>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        staleness: StalenessLimits,
    ) -> Self {
        Self {
            sources,
            fetcher,
            streams,
            schedule: Mutex::new(schedule),
            interval,
            staleness,
            clock,
            epoch: Instant::now(),
            wake,
            paused: watch::Sender::new(false),
            cycle: tokio::sync::Mutex::new(()),
        }
    }

    /// Returns whether there is anything to poll.
    pub(super) fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    pub(super) fn set_paused(&self, is_paused: bool) {
        self.paused.send_replace(is_paused);
    }

    pub(super) fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// Returns the pause before the first poll.
    pub(super) fn first_pause(&self) -> Duration {
        let acceptor = &self.fetcher.acceptor;
        self.schedule().first_pause(acceptor.reach().filter(|_| acceptor.has_specs()))
    }

    /// Polls until the end, first after a pause.
    pub(super) async fn run(&self, worker: &Worker, mut pause: Duration) {
        let mut slow = self.streams.slow();
        let mut paused = self.paused.subscribe();
        self.streams.take_needs_no_poll();
        let stop = worker.stop_signal();
        loop {
            let mut is_hinted = false;
            let was_slow = *slow.borrow_and_update();
            let until = Instant::now() + pause.min(LONGEST_PAUSE);
            self.schedule().set_next_poll(until.saturating_duration_since(self.epoch));
            tokio::select! {
                biased;
                () = stop.stopped() => return,
                () = self.wake.notified() => is_hinted = true,
                Ok(()) = slow.changed() => {
                    let is_slow = *slow.borrow();
                    if self.streams.take_needs_no_poll() {
                        let regular = self.schedule().pause(false);
                        pause = until.saturating_duration_since(Instant::now()).min(regular);
                        continue;
                    }
                    if !was_slow && is_slow {
                        pause = self.schedule().pause(true);
                        continue;
                    }
                    // The last stream gave up: poll at once, then at the regular rate.
                }
                () = sleep_until(until) => {}
            }
            if !is_hinted {
                tokio::select! {
                    biased;
                    () = stop.stopped() => return,
                    polling = paused.wait_for(|paused| !*paused) => if polling.is_err() {
                        return;
                    },
                    () = self.wake.notified() => is_hinted = true,
                }
            }
            let report;
            (report, pause) = self.cycle(SpecTrigger::Background, is_hinted).await;
            if report.success {
                worker.report_success();
            }
        }
    }

    /// Fetches from the polled sources until one suffices; returns the pause until the next poll.
    ///
    /// After a hint, also from those whose feed spares polls. Waits for a cycle that is under way.
    pub(super) async fn cycle(&self, trigger: SpecTrigger, is_hinted: bool) -> (SyncReport, Duration) {
        let _turn = self.cycle.lock().await;
        let begun = Instant::now();
        let mut report = SyncReport::default();
        let mut cycle = Cycle::new(trigger, is_hinted);
        while !self.fetcher.stop.is_stopping() {
            let view = self.view();
            let Some(index) = self.schedule().next_source(&mut cycle, &view) else { break };
            let Some(source) = self.sources.get(index) else { break };
            if trigger == SpecTrigger::Background && !source.wants_polling().await {
                continue;
            }
            let mut attempt = SourceAttempt::pending(source.name(), begun.elapsed());
            let result = self.fetcher.fetch(&**source, trigger).await;
            if result.outcome == AttemptOutcome::Unchanged && source.reach() == Reach::Upstream {
                self.fetcher.acceptor.confirm();
            }
            let view = self.view();
            self.schedule().record(&mut cycle, index, &result.outcome, &view);
            attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
            (attempt.outcome, attempt.apply_duration, attempt.bytes) =
                (result.outcome, result.apply_duration, result.bytes);
            report.push(attempt);
        }
        let view = self.view();
        let pause = self.schedule().finish(&cycle, &view);
        (report, pause)
    }

    fn schedule(&self) -> MutexGuard<'_, PollSchedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> SyncView {
        let feed = |source: &Arc<dyn SpecSource>| -> FeedState {
            self.streams.feed_of(&(source.origin(), source.reach()), self.interval)
        };
        SyncView {
            now: self.epoch.elapsed(),
            is_slow: self.streams.is_slow(),
            is_stale: self.is_stale(),
            feeds: self.sources.iter().map(feed).collect(),
        }
    }

    /// Returns whether the current specs are too old to end a cycle with.
    fn is_stale(&self) -> bool {
        let is_too_old = self.staleness.out_of_sync.is_some_and(|threshold| {
            let now = self.clock.unix_ms();
            Duration::from_millis(now.saturating_sub(self.fetcher.acceptor.time_ms())) > threshold
        });
        let is_silent = self.staleness.max_silence.is_some_and(|limit| {
            self.fetcher.stats.last_upstream_contact().is_none_or(|contact| contact.elapsed() > limit)
        });
        is_too_old || is_silent
    }

    /// Returns the time until the next poll; `None` before the first one is due.
    pub(super) fn next_poll(&self) -> Option<Duration> {
        self.schedule().next_poll().map(|at| self.until(at))
    }

    /// Returns the time until a poll may fetch from a source, by its name.
    pub(super) fn next_attempt(&self, name: &str) -> Option<Duration> {
        let attempts = self.schedule().next_attempts();
        let index = self.sources.iter().position(|source| source.name() == name)?;
        attempts.get(index).copied().flatten().map(|at| self.until(at))
    }

    fn until(&self, at: Duration) -> Duration {
        deadline::after(self.epoch, at).saturating_duration_since(Instant::now())
    }
}
