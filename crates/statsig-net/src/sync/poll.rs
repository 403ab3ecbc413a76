//! Regular polls, and those on demand.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{SpecSource, SpecSourceKind, SpecTrigger};
use tokio::time::{Instant, sleep_until};

use super::Inner;
use super::details::{AttemptOutcome, SourceAttempt};
use super::supervise::supervise;

/// How much pauses between polls vary.
const JITTER: f64 = 0.1;
/// Longer pauses than a timer takes.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

/// What a round of questions came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SyncReport {
    /// Whether new specs came into force.
    pub updated: bool,
    /// Whether a source was reached that has nothing that cannot be used.
    pub success: bool,
    /// The sources that were asked, in order.
    pub attempts: Vec<SourceAttempt>,
}

impl SyncReport {
    /// The longest time that a source asks to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        let asked = self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            AttemptOutcome::Failed { retry_after, .. } => *retry_after,
            _ => None,
        });
        asked.max()
    }
}

/// Spawns the poller, if there is something to poll.
pub(super) fn spawn(inner: &Arc<Inner>) {
    if inner.sources.polled.is_empty() && inner.sources.fallback.is_none() {
        return;
    }
    inner.books.polling_begins();
    let first = if inner.store.holds_specs() && *inner.store.load().source() == SpecSourceKind::Network {
        // A fleet that was started at once shall not poll at once.
        inner.random.up_to(inner.options.poll_interval)
    } else {
        // No specs, or some that a store or a file has kept for who knows how long.
        Duration::ZERO
    };
    let started = Instant::now();
    supervise(inner, "specs-poller", move |inner| async move {
        let pause = first.saturating_sub(started.elapsed());
        poll(&inner, pause).await;
    });
}

/// Polls for ever, first after a pause.
async fn poll(inner: &Arc<Inner>, mut pause: Duration) {
    let mut slow = inner.books.slow.subscribe();
    let mut paused = inner.paused.subscribe();
    inner.books.takes_it_calmly();
    loop {
        let was_slow = *slow.borrow_and_update();
        let until = Instant::now() + pause.min(LONGEST);
        tokio::select! {
            biased;
            () = inner.ended() => return,
            () = inner.wake.notified() => {}
            Ok(()) = slow.changed() => {
                if inner.books.takes_it_calmly() {
                    let regular = inner.random.around(inner.options.poll_interval, JITTER);
                    pause = until.saturating_duration_since(Instant::now()).min(regular);
                    continue;
                }
                if was_slow || !*slow.borrow() {
                    // The last stream gave up: poll at once, then at the regular rate.
                } else {
                    pause = inner.random.around(inner.options.slow_poll_interval, JITTER);
                    continue;
                }
            }
            () = sleep_until(until) => {}
        }
        tokio::select! {
            biased;
            () = inner.ended() => return,
            polling = paused.wait_for(|paused| !*paused) => if polling.is_err() {
                return;
            },
        }
        let report = inner.cycle(SpecTrigger::Background).await;
        pause = inner.pause_after(&report);
    }
}

impl Inner {
    /// The pause after a poll.
    fn pause_after(&self, report: &SyncReport) -> Duration {
        let options = &self.options;
        let interval = if *self.books.slow.borrow() { options.slow_poll_interval } else { options.poll_interval };
        let pause = self.random.around(interval, JITTER);
        if report.success {
            return pause;
        }
        // While everything fails, up to twice as long with each failure, and no longer than the limit.
        let failures = self.books.failures().clamp(1, 16);
        let room = options.max_poll_backoff.saturating_sub(interval);
        let more = interval.saturating_mul((1_u32 << (failures - 1)) - 1).min(room);
        let pause = pause + self.random.up_to(more);
        let asked =
            report.retry_after().unwrap_or_default().min(options.max_poll_backoff.max(Duration::from_secs(300)));
        // A little more than asked, so that those who were told the same do not come together.
        pause.max(asked + self.random.up_to(asked / 10))
    }

    /// Asks the polled sources once around, one round at a time.
    pub(super) async fn cycle(self: &Arc<Self>, trigger: SpecTrigger) -> SyncReport {
        let _turn = self.cycle.lock().await;
        let begun = Instant::now();
        let mut report = SyncReport::default();
        for source in &self.sources.polled {
            if self.is_ending() {
                return report;
            }
            let name = source.name();
            if trigger == SpecTrigger::Background && !source.wants_polling().await {
                continue;
            }
            if self.options.local_mode && source.kind() == SpecSourceKind::Network {
                continue;
            }
            let outcome = self.ask_in_cycle(&**source, name, trigger, begun, &mut report).await;
            if self.is_enough(&outcome, trigger) {
                return report;
            }
        }
        if let Some(fallback) = &self.sources.fallback {
            let failures = self.books.failures();
            let due = trigger != SpecTrigger::Background || failures.is_multiple_of(self.options.fallback_every);
            if due && !self.options.local_mode && !self.is_ending() {
                self.ask_in_cycle(&**fallback, fallback.name(), trigger, begun, &mut report).await;
            }
        }
        report
    }

    async fn ask_in_cycle(
        &self,
        source: &dyn SpecSource,
        name: &str,
        trigger: SpecTrigger,
        begun: Instant,
        report: &mut SyncReport,
    ) -> AttemptOutcome {
        let mut attempt = SourceAttempt::pending(name, begun.elapsed());
        let answer = self.ask(source, trigger).await;
        if answer.outcome == AttemptOutcome::Unchanged && source.kind() == SpecSourceKind::Network {
            self.acceptor.slots().confirm();
        }
        attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
        (attempt.apply_duration, attempt.bytes) = (answer.apply_duration, answer.bytes);
        attempt.outcome = answer.outcome.clone();
        report.updated |= answer.outcome == AttemptOutcome::Applied;
        report.success |= answer.outcome.is_success();
        report.attempts.push(attempt);
        answer.outcome
    }

    /// Whether a round may end with this answer.
    fn is_enough(&self, outcome: &AttemptOutcome, trigger: SpecTrigger) -> bool {
        match outcome {
            AttemptOutcome::Applied => !self.is_stale(),
            AttemptOutcome::Unchanged => trigger == SpecTrigger::Background && !self.is_stale(),
            // A source that lags behind must not hide the others.
            _ => false,
        }
    }

    /// Whether the specs in force are too old to be content with.
    fn is_stale(&self) -> bool {
        let options = &self.options;
        let too_old = options.out_of_sync_threshold.is_some_and(|threshold| {
            let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
            let age = now.saturating_sub(self.store.load().ruleset().meta().time);
            Duration::from_millis(age) > threshold
        });
        let silent = options
            .max_silence
            .is_some_and(|limit| self.books.network_contact().is_none_or(|contact| contact.elapsed() > limit));
        too_old || silent
    }

    pub(super) async fn sync_now(self: &Arc<Self>) -> SyncReport {
        if self.is_ending() {
            return SyncReport::default();
        }
        self.cycle(SpecTrigger::Manual).await
    }
}
