//! Regular polls, and those on demand.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::{SpecSource, SpecSourceKind, SpecTrigger};
use tokio::time::{Instant, sleep_until};

use super::Inner;
use super::details::{AttemptOutcome, SourceAttempt};
use super::health::Worker;
use super::options::SpecSources;
use super::supervise::supervise;
use crate::deadline;

/// How much pauses between polls vary.
const JITTER: f64 = 0.1;
/// Least pause of a backoff.
const LEAST_BACKOFF: Duration = Duration::from_secs(1);
/// Longer pauses than a timer takes.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);
/// Longest pause that a source may ask for, unless polls back off for longer anyway.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

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
    /// Whether a source answered, if only that it has nothing (see [`is_answer`]).
    pub(super) answered: bool,
}

/// What came of rounds so far.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The polled sources, then the fallback.
    sources: Vec<Asked>,
    /// Rounds in a row in which sources of the network were asked in vain.
    without_network: u32,
    /// Rounds in a row in which all were asked in vain.
    in_vain: u32,
    /// When the next regular poll is due.
    next_poll: Option<Instant>,
}

/// What came of questions to one source.
#[derive(Debug, Clone, Default)]
struct Asked {
    last: Option<Instant>,
    failures: u32,
    /// End of its pause: the server asked for one, or it fails while others answer.
    not_before: Option<Instant>,
    /// Whether the server asked for the pause.
    asked_for_pause: bool,
}

impl Rounds {
    pub(super) fn new(sources: &SpecSources) -> Self {
        let count = sources.polled.len() + usize::from(sources.fallback.is_some());
        Self { sources: vec![Asked::default(); count], without_network: 0, in_vain: 0, next_poll: None }
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
    supervise(inner, "specs-poller", move |inner, worker| async move {
        let pause = first.saturating_sub(started.elapsed());
        poll(&inner, worker, pause).await;
    });
}

/// Polls for ever, first after a pause.
async fn poll(inner: &Arc<Inner>, worker: Worker, mut pause: Duration) {
    let mut slow = inner.books.slow.subscribe();
    let mut paused = inner.paused.subscribe();
    inner.books.takes_it_calmly();
    loop {
        let mut hinted = false;
        let was_slow = *slow.borrow_and_update();
        let until = Instant::now() + pause.min(LONGEST);
        inner.books.next_poll(until);
        inner.rounds().next_poll = Some(until);
        tokio::select! {
            biased;
            () = inner.ended() => return,
            () = inner.wake.notified() => hinted = true,
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
        if !hinted {
            tokio::select! {
                biased;
                () = inner.ended() => return,
                polling = paused.wait_for(|paused| !*paused) => if polling.is_err() {
                    return;
                },
                () = inner.wake.notified() => hinted = true,
            }
        }
        let report = inner.cycle(SpecTrigger::Background, hinted).await;
        if report.success {
            inner.books.succeeded(worker);
        }
        pause = inner.pause_after(&report);
    }
}

impl Inner {
    /// The pause after a poll.
    fn pause_after(&self, report: &SyncReport) -> Duration {
        let options = &self.options;
        let interval = if *self.books.slow.borrow() { options.slow_poll_interval } else { options.poll_interval };
        let pause = self.random.around(interval, JITTER);
        // Sources that fail beside one that answers have pauses of their own.
        if report.answered {
            return pause;
        }
        let rounds = self.rounds();
        // Behind a live stream polls are a safety net, at their own rate.
        let is_backoff = rounds.in_vain > 0 && !*self.books.slow.borrow();
        let pause = if is_backoff { self.backoff(rounds.in_vain) } else { pause };
        // Nobody is to be asked before the first who may be.
        let polled = self.sources.polled.len();
        let sources = rounds.sources.iter().take(if polled == 0 { 1 } else { polled });
        let now = Instant::now();
        let left_alone =
            sources.map(|own| own.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now)));
        pause.max(left_alone.min().unwrap_or_default())
    }

    /// Returns the pause after so many failures in a row: uniform up to a limit that doubles with each failure and
    /// ends at the longest backoff (full jitter), but never below [`LEAST_BACKOFF`].
    fn backoff(&self, failures: u32) -> Duration {
        let limit = self.options.poll_interval.saturating_mul(1_u32 << failures.clamp(1, 16));
        let limit = limit.min(self.options.longest_poll_backoff());
        self.random.up_to(limit).max(LEAST_BACKOFF.min(limit))
    }

    /// Returns the time until a poll may ask each polled source, by its name.
    pub(super) fn next_attempts(&self) -> Vec<(String, Duration)> {
        let rounds = self.rounds();
        let Some(next) = rounds.next_poll.filter(|_| !self.is_ending()) else { return Vec::new() };
        let polled = self.sources.polled.iter().chain(&self.sources.fallback).zip(&rounds.sources);
        polled
            .map(|(source, own)| {
                let at = own.not_before.map_or(next, |not_before| not_before.max(next));
                (source.name().to_owned(), at.saturating_duration_since(Instant::now()))
            })
            .collect()
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the polled sources once around, one round at a time. After a hint that there is news, also
    /// those that tell of changes themselves.
    pub(super) async fn cycle(self: &Arc<Self>, trigger: SpecTrigger, hinted: bool) -> SyncReport {
        let _turn = self.cycle.lock().await;
        let begun = Instant::now();
        let mut report = SyncReport::default();
        let (enough, network) = self.ask_polled(trigger, hinted, begun, &mut report).await;
        let failed = {
            let mut rounds = self.rounds();
            match network {
                Some(true) => rounds.without_network = 0,
                Some(false) => rounds.without_network = rounds.without_network.saturating_add(1),
                None => {}
            }
            rounds.without_network
        };
        if let Some(fallback) = &self.sources.fallback
            && !enough
            && !self.options.local_mode
            && !self.is_ending()
        {
            let due = match network {
                _ if trigger != SpecTrigger::Background => true,
                Some(false) => failed.is_multiple_of(self.options.fallback_every),
                // What they have is not good enough.
                Some(true) => true,
                None => self.sources.polled.is_empty() || !self.polls_network() && self.is_stale(),
            };
            let index = self.sources.polled.len();
            if due && (trigger != SpecTrigger::Background || !self.is_left_alone(index)) {
                self.ask_in_cycle(&**fallback, index, trigger, begun, &mut report).await;
            }
        }
        let mut rounds = self.rounds();
        if report.answered {
            rounds.in_vain = 0;
        } else if !report.attempts.is_empty() {
            rounds.in_vain = rounds.in_vain.saturating_add(1);
        }
        report
    }

    /// Asks the polled sources until one has news, or word that there are none. Tells whether that is
    /// enough, and whether the network was reached if it was asked.
    async fn ask_polled(
        &self,
        trigger: SpecTrigger,
        hinted: bool,
        begun: Instant,
        report: &mut SyncReport,
    ) -> (bool, Option<bool>) {
        let by_itself = trigger == SpecTrigger::Background;
        let polls_network = self.polls_network();
        let mut network = None;
        let mut failed = Vec::new();
        let mut enough = false;
        for (index, source) in self.sources.polled.iter().enumerate() {
            if self.is_ending() {
                return (true, network);
            }
            let kind = source.kind();
            if by_itself && (self.is_left_alone(index) || !hinted && self.is_spared(index, &kind)) {
                continue;
            }
            if by_itself && !source.wants_polling().await {
                continue;
            }
            if self.options.local_mode && kind == SpecSourceKind::Network {
                continue;
            }
            let outcome = self.ask_in_cycle(&**source, index, trigger, begun, report).await;
            // Without a source on the network the fallback is for those that there are.
            if kind == SpecSourceKind::Network || !polls_network {
                network = Some(network.unwrap_or(false) || outcome.is_success());
            }
            if !is_answer(&outcome, &kind) {
                failed.push(index);
            }
            // A store that is polled because its feed is quiet does not stand in for the network.
            let is_extra = outcome == AttemptOutcome::Unchanged && self.books.has_live_feed(&kind);
            if !is_extra && self.is_enough(&outcome, trigger) {
                enough = true;
                break;
            }
        }
        if report.answered {
            // Rounds go on at their pace; those that fail back off one by one.
            let mut rounds = self.rounds();
            for index in failed {
                let Some(own) = rounds.sources.get_mut(index) else { continue };
                let until = deadline::from_now(self.backoff(own.failures));
                own.not_before = own.not_before.max(Some(until));
            }
        }
        (enough, network)
    }

    fn polls_network(&self) -> bool {
        self.sources.polled.iter().any(|source| source.kind() == SpecSourceKind::Network)
    }

    /// Whether a source is not to be asked yet.
    fn is_left_alone(&self, index: usize) -> bool {
        let rounds = self.rounds();
        rounds.sources.get(index).and_then(|own| own.not_before).is_some_and(|until| Instant::now() < until)
    }

    /// Returns whether a poll may pass over a source because its feed brings its changes, and it was asked not long
    /// ago: at the regular rate polls are for others.
    fn is_spared(&self, index: usize, kind: &SpecSourceKind) -> bool {
        let last = self.rounds().sources.get(index).and_then(|own| own.last);
        !*self.books.slow.borrow()
            && last.is_some_and(|last| last.elapsed() < self.options.slow_poll_interval)
            && self.books.spares_polls(kind, self.options.poll_interval)
    }

    async fn ask_in_cycle(
        &self,
        source: &dyn SpecSource,
        index: usize,
        trigger: SpecTrigger,
        begun: Instant,
        report: &mut SyncReport,
    ) -> AttemptOutcome {
        let mut attempt = SourceAttempt::pending(source.name(), begun.elapsed());
        let answer = self.ask(source, trigger).await;
        if answer.outcome == AttemptOutcome::Unchanged && source.kind() == SpecSourceKind::Network {
            self.acceptor.slots().confirm();
        }
        report.answered |= is_answer(&answer.outcome, &source.kind());
        self.note_answer(index, &answer.outcome, is_answer(&answer.outcome, &source.kind()));
        attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
        (attempt.apply_duration, attempt.bytes) = (answer.apply_duration, answer.bytes);
        attempt.outcome = answer.outcome.clone();
        report.updated |= answer.outcome == AttemptOutcome::Applied;
        report.success |= answer.outcome.is_success();
        report.attempts.push(attempt);
        answer.outcome
    }

    /// Notes when a source was asked, and until when it has a pause.
    fn note_answer(&self, index: usize, outcome: &AttemptOutcome, is_answer: bool) {
        let longest = self.options.longest_poll_backoff().max(LONGEST_ASKED);
        let mut rounds = self.rounds();
        let Some(own) = rounds.sources.get_mut(index) else { return };
        let now = Instant::now();
        (own.last, own.not_before, own.asked_for_pause) = (Some(now), None, false);
        let is_back = is_answer && std::mem::take(&mut own.failures) > 0;
        if !is_answer {
            own.failures = own.failures.saturating_add(1);
        }
        if let AttemptOutcome::Failed { retry_after: Some(asked), .. } = outcome {
            // A little more than asked, so that those who were told the same do not come together.
            let asked = (*asked).min(longest);
            own.not_before = Some(deadline::after(now, asked.saturating_add(self.random.up_to(asked / 10))));
            own.asked_for_pause = true;
        }
        if is_back {
            // Whatever was in the way may be over for the others too.
            for other in rounds.sources.iter_mut().filter(|other| !other.asked_for_pause) {
                (other.not_before, other.failures) = (None, other.failures.min(1));
            }
        }
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
        self.cycle(SpecTrigger::Manual, true).await
    }
}

/// Returns whether an outcome is the answer of a source that works: a success, or the word of a store or a file that
/// it has nothing, or nothing of use, yet. Such a source is asked at the regular rate, so that it is read soon after
/// somebody fills or repairs it.
fn is_answer(outcome: &AttemptOutcome, kind: &SpecSourceKind) -> bool {
    use statsig_core::SourceErrorKind::{Empty, Invalid};
    match outcome {
        AttemptOutcome::Failed { kind: Empty | Invalid, retryable: false, .. } => *kind != SpecSourceKind::Network,
        outcome => outcome.is_success(),
    }
}
