//! Decides when to fetch from which source: a state machine without I/O, timers or a clock of its own.
//!
//! Times are durations since the schedule began. A cycle of fetches asks [`PollSchedule::next_source`] for the next
//! source until there is none, and records each outcome with [`PollSchedule::record`].

use std::time::Duration;

use statsig_background::{Backoff, UniformRandom};
use statsig_core::{Reach, SourceErrorKind, SpecTrigger};

use super::outcome::AttemptOutcome;
use super::stream_health::FeedState;

/// Share by which pauses between polls vary.
const JITTER: f64 = 0.1;
/// Least pause of a backoff.
const LEAST_BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause that a source may ask for, unless polls back off for longer anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Intervals of polls.
#[derive(Debug, Clone, Copy)]
pub(super) struct PollTiming {
    /// Pause between polls.
    pub(super) interval: Duration,
    /// Pause between polls while they are only a safety net.
    pub(super) slow_interval: Duration,
    /// Longest pause while polls fail.
    pub(super) longest_backoff: Duration,
    /// Number of failed polls in a row that includes the fallback each time.
    pub(super) fallback_every: u32,
}

/// Facts about the rest of the engine, as of now.
#[derive(Debug, Clone)]
pub(super) struct SyncView {
    /// Time since the schedule began.
    pub(super) now: Duration,
    /// Whether polls are only a safety net.
    pub(super) is_slow: bool,
    /// Whether the current specs are too old to end a cycle with.
    pub(super) is_stale: bool,
    /// State of the feed of each polled source.
    pub(super) feeds: Vec<FeedState>,
}

/// When to fetch from which source.
#[derive(Debug)]
pub(super) struct PollSchedule {
    timing: PollTiming,
    random: UniformRandom,
    /// The polled sources, then the fallback.
    sources: Vec<SourceSchedule>,
    polled: usize,
    /// Whether upstream sources are left out.
    is_offline: bool,
    /// Cycles in a row in which upstream sources failed.
    cycles_without_upstream: u32,
    /// Cycles in a row in which every source failed.
    failed_cycles: u32,
    next_poll: Option<Duration>,
}

#[derive(Debug)]
struct SourceSchedule {
    reach: Reach,
    last: Option<Duration>,
    failures: u32,
    /// End of the pause: the server asked for one, or the source fails while others answer.
    not_before: Option<Duration>,
    /// Whether the server asked for the pause.
    is_pause_asked_for: bool,
}

/// One cycle of fetches.
#[derive(Debug)]
pub(super) struct Cycle {
    trigger: SpecTrigger,
    /// Whether a stream announced a change.
    is_hinted: bool,
    next: usize,
    is_past_polled: bool,
    /// Whether an upstream source, or any source where there is none, was reached; `None` if none was fetched from.
    upstream: Option<bool>,
    failed: Vec<usize>,
    fetches: usize,
    is_answered: bool,
    is_enough: bool,
}

impl Cycle {
    pub(super) fn new(trigger: SpecTrigger, is_hinted: bool) -> Self {
        Self {
            trigger,
            is_hinted,
            next: 0,
            is_past_polled: false,
            upstream: None,
            failed: Vec::new(),
            fetches: 0,
            is_answered: false,
            is_enough: false,
        }
    }

    fn is_regular(&self) -> bool {
        self.trigger == SpecTrigger::Background
    }
}

impl PollSchedule {
    /// Returns a schedule for polled sources, and for a fallback.
    pub(super) fn new(
        timing: PollTiming,
        polled: &[Reach],
        fallback: Option<Reach>,
        is_offline: bool,
        random: UniformRandom,
    ) -> Self {
        let source =
            |reach| SourceSchedule { reach, last: None, failures: 0, not_before: None, is_pause_asked_for: false };
        Self {
            timing,
            random,
            sources: polled.iter().copied().chain(fallback).map(source).collect(),
            polled: polled.len(),
            is_offline,
            cycles_without_upstream: 0,
            failed_cycles: 0,
            next_poll: None,
        }
    }

    /// Returns the pause before the first poll.
    ///
    /// It is uniform within the interval if the current specs came from an upstream source, so that a fleet that was
    /// started at once does not poll at once. Other specs may be old, and are followed by a poll at once.
    pub(super) fn first_pause(&self, current: Option<Reach>) -> Duration {
        if current == Some(Reach::Upstream) { self.random.up_to(self.timing.interval) } else { Duration::ZERO }
    }

    /// Returns a pause at the regular rate, or at the slow one.
    pub(super) fn pause(&self, is_slow: bool) -> Duration {
        let interval = if is_slow { self.timing.slow_interval } else { self.timing.interval };
        self.random.around(interval, JITTER)
    }

    /// Sets the time of the next poll.
    pub(super) fn set_next_poll(&mut self, at: Duration) {
        self.next_poll = Some(at);
    }

    /// Returns the time of the next poll.
    pub(super) fn next_poll(&self) -> Option<Duration> {
        self.next_poll
    }

    /// Returns the earliest time at which a poll may fetch from each source.
    pub(super) fn next_attempts(&self) -> Vec<Option<Duration>> {
        let at = |source: &SourceSchedule| self.next_poll.map(|next| source.not_before.map_or(next, |at| at.max(next)));
        self.sources.iter().map(at).collect()
    }

    /// Returns the next source of a cycle, by its index: a polled source in order until one suffices, then the
    /// fallback if it is due.
    pub(super) fn next_source(&mut self, cycle: &mut Cycle, view: &SyncView) -> Option<usize> {
        while !cycle.is_enough && cycle.next < self.polled {
            let index = cycle.next;
            cycle.next += 1;
            if !self.is_left_out(index, cycle, view) {
                return Some(index);
            }
        }
        if std::mem::replace(&mut cycle.is_past_polled, true) {
            return None;
        }
        self.back_off_beside_answers(cycle, view.now);
        match cycle.upstream {
            Some(true) => self.cycles_without_upstream = 0,
            Some(false) => self.cycles_without_upstream = self.cycles_without_upstream.saturating_add(1),
            None => {}
        }
        self.is_fallback_due(cycle, view).then_some(self.polled)
    }

    /// Records the outcome of a fetch within a cycle.
    pub(super) fn record(&mut self, cycle: &mut Cycle, index: usize, outcome: &AttemptOutcome, view: &SyncView) {
        let Some(reach) = self.sources.get(index).map(|source| source.reach) else { return };
        let is_answered = is_answer(outcome, reach);
        cycle.fetches += 1;
        cycle.is_answered |= is_answered;
        self.note_answer(index, outcome, is_answered, view.now);
        if index >= self.polled {
            return;
        }
        // Without an upstream source the fallback is for those that there are.
        if reach == Reach::Upstream || !self.polls_upstream() {
            cycle.upstream = Some(cycle.upstream.unwrap_or(false) || outcome.is_success());
        }
        if !is_answered {
            cycle.failed.push(index);
        }
        // A store that is polled because its feed is quiet does not stand in for the upstream.
        let has_feed = view.feeds.get(index).is_some_and(|feed| *feed != FeedState::None);
        let is_extra = *outcome == AttemptOutcome::Unchanged && has_feed;
        cycle.is_enough = !is_extra && is_enough(outcome, cycle, view);
    }

    /// Ends a cycle; returns the pause until the next poll.
    pub(super) fn finish(&mut self, cycle: &Cycle, view: &SyncView) -> Duration {
        if cycle.is_answered {
            self.failed_cycles = 0;
        } else if cycle.fetches > 0 {
            self.failed_cycles = self.failed_cycles.saturating_add(1);
        }
        let pause = self.pause(view.is_slow);
        // Sources that fail beside one that answers have pauses of their own.
        if cycle.is_answered {
            return pause;
        }
        // Behind a live stream polls are a safety net, at their own rate.
        let is_backoff = self.failed_cycles > 0 && !view.is_slow;
        let pause = if is_backoff { self.backoff(self.failed_cycles) } else { pause };
        // The next poll is not before the first source may be fetched from.
        let sources = self.sources.iter().take(if self.polled == 0 { 1 } else { self.polled });
        let left = sources.map(|source| source.not_before.map_or(Duration::ZERO, |at| at.saturating_sub(view.now)));
        pause.max(left.min().unwrap_or_default())
    }

    /// Returns the pause after a number of failures in a row: full jitter with a limit that doubles with each, but at
    /// least [`LEAST_BACKOFF`].
    fn backoff(&self, failures: u32) -> Duration {
        let base = self.timing.interval.saturating_mul(2);
        let limit = Backoff::new(base, 2.0, self.timing.longest_backoff).longest_pause(failures.max(1));
        self.random.up_to(limit).max(LEAST_BACKOFF.min(limit))
    }

    fn polls_upstream(&self) -> bool {
        self.sources.iter().take(self.polled).any(|source| source.reach == Reach::Upstream)
    }

    fn is_left_out(&self, index: usize, cycle: &Cycle, view: &SyncView) -> bool {
        let Some(source) = self.sources.get(index) else { return true };
        let is_spared = || !cycle.is_hinted && self.is_spared(index, source, view);
        self.is_offline && source.reach == Reach::Upstream
            || cycle.is_regular() && (self.has_pause(index, view.now) || is_spared())
    }

    fn has_pause(&self, index: usize, now: Duration) -> bool {
        self.sources.get(index).and_then(|source| source.not_before).is_some_and(|until| now < until)
    }

    /// Returns whether a poll at the regular rate may leave a source out, because its feed brings its changes, and the
    /// last fetch was not long ago.
    fn is_spared(&self, index: usize, source: &SourceSchedule, view: &SyncView) -> bool {
        !view.is_slow
            && source.last.is_some_and(|last| view.now.saturating_sub(last) < self.timing.slow_interval)
            && view.feeds.get(index) == Some(&FeedState::SparesPolls)
    }

    /// Makes sources that fail beside one that answers back off one by one.
    fn back_off_beside_answers(&mut self, cycle: &mut Cycle, now: Duration) {
        if !cycle.is_answered {
            return;
        }
        for index in cycle.failed.drain(..) {
            let failures = self.sources[index].failures;
            let until = now.saturating_add(self.backoff(failures));
            let source = &mut self.sources[index];
            source.not_before = source.not_before.max(Some(until));
        }
    }

    fn is_fallback_due(&self, cycle: &Cycle, view: &SyncView) -> bool {
        if self.sources.len() == self.polled || cycle.is_enough || self.is_offline {
            return false;
        }
        if !cycle.is_regular() {
            return true;
        }
        let is_due = match cycle.upstream {
            Some(false) => self.cycles_without_upstream.is_multiple_of(self.timing.fallback_every),
            // The specs of the polled sources do not suffice.
            Some(true) => true,
            None => self.polled == 0 || !self.polls_upstream() && view.is_stale,
        };
        is_due && !self.has_pause(self.polled, view.now)
    }

    /// Records the time of a fetch, and the pause that a server asked for.
    fn note_answer(&mut self, index: usize, outcome: &AttemptOutcome, is_answered: bool, now: Duration) {
        let longest = self.timing.longest_backoff.max(LONGEST_RETRY_AFTER);
        let source = &mut self.sources[index];
        (source.last, source.not_before, source.is_pause_asked_for) = (Some(now), None, false);
        let is_back = is_answered && std::mem::take(&mut source.failures) > 0;
        if !is_answered {
            source.failures = source.failures.saturating_add(1);
        }
        if let AttemptOutcome::Failed { retry_after: Some(pause), .. } = outcome {
            // A little more than asked for, so that clients with the same answer do not come together.
            let pause = (*pause).min(longest);
            source.not_before = Some(now.saturating_add(pause).saturating_add(self.random.up_to(pause / 10)));
            source.is_pause_asked_for = true;
        }
        if is_back {
            // The cause may be over for the others too.
            for other in self.sources.iter_mut().filter(|other| !other.is_pause_asked_for) {
                (other.not_before, other.failures) = (None, other.failures.min(1));
            }
        }
    }
}

/// Returns whether a cycle may end with an outcome.
fn is_enough(outcome: &AttemptOutcome, cycle: &Cycle, view: &SyncView) -> bool {
    match outcome {
        AttemptOutcome::Applied => !view.is_stale,
        AttemptOutcome::Unchanged => cycle.is_regular() && !view.is_stale,
        // A source that is behind must not hide the others.
        _ => false,
    }
}

/// Returns whether an outcome is the answer of a source that works: a success, or the word of a store or a file that
/// it has nothing, or nothing of use, yet. Such a source is fetched from at the regular rate, so that it is read soon
/// after somebody fills or repairs it.
fn is_answer(outcome: &AttemptOutcome, reach: Reach) -> bool {
    use SourceErrorKind::{Empty, Invalid};
    match outcome {
        AttemptOutcome::Failed { kind: Empty | Invalid, retryable: false, .. } => reach != Reach::Upstream,
        outcome => outcome.is_success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const UNCHANGED: AttemptOutcome = AttemptOutcome::Unchanged;

    fn failed(kind: SourceErrorKind, retry_after: Option<Duration>) -> AttemptOutcome {
        let retryable = kind == SourceErrorKind::Unreachable;
        AttemptOutcome::Failed { kind, error: "failed".to_owned(), retryable, retry_after }
    }

    fn down() -> AttemptOutcome {
        failed(SourceErrorKind::Unreachable, None)
    }

    fn schedule(polled: &[Reach], fallback: Option<Reach>) -> PollSchedule {
        let timing = PollTiming {
            interval: 10 * SECOND,
            slow_interval: 300 * SECOND,
            longest_backoff: 40 * SECOND,
            fallback_every: 5,
        };
        PollSchedule::new(timing, polled, fallback, false, UniformRandom::new(Some(1)))
    }

    fn at(now: Duration) -> SyncView {
        SyncView { now, is_slow: false, is_stale: false, feeds: Vec::new() }
    }

    /// Runs a cycle; returns the sources that were fetched from, and the pause after it.
    fn run(
        schedule: &mut PollSchedule,
        trigger: SpecTrigger,
        view: &SyncView,
        outcome: impl Fn(usize) -> AttemptOutcome,
    ) -> (Vec<usize>, Duration) {
        let mut cycle = Cycle::new(trigger, false);
        let mut fetched = Vec::new();
        while let Some(index) = schedule.next_source(&mut cycle, view) {
            fetched.push(index);
            schedule.record(&mut cycle, index, &outcome(index), view);
        }
        (fetched, schedule.finish(&cycle, view))
    }

    fn poll(schedule: &mut PollSchedule, now: Duration, outcome: impl Fn(usize) -> AttemptOutcome) -> Vec<usize> {
        run(schedule, SpecTrigger::Background, &at(now), outcome).0
    }

    #[test]
    fn a_cycle_ends_at_the_first_source_that_suffices() {
        let mut polls = schedule(&[Reach::Shared, Reach::Upstream], None);
        for (first, fetched) in [
            (AttemptOutcome::Applied, vec![0]),
            (UNCHANGED, vec![0]),
            (AttemptOutcome::Older, vec![0, 1]),
            (failed(SourceErrorKind::Empty, None), vec![0, 1]),
        ] {
            let outcome = |index| if index == 0 { first.clone() } else { UNCHANGED };
            assert_eq!(poll(&mut polls, Duration::ZERO, outcome), fetched, "{first:?}");
        }
        let stale = SyncView { is_stale: true, ..at(Duration::ZERO) };
        assert_eq!(run(&mut polls, SpecTrigger::Background, &stale, |_| UNCHANGED).0, [0, 1]);
        // On demand, `Unchanged` of one source does not hide the others.
        assert_eq!(run(&mut polls, SpecTrigger::Manual, &at(Duration::ZERO), |_| UNCHANGED).0, [0, 1]);
    }

    #[test]
    fn pauses_while_all_fail_are_uniform_up_to_a_limit_that_doubles() {
        for (failures, limit) in [(1, 20), (2, 40), (3, 40), (1_000_000, 40)] {
            let polls = schedule(&[Reach::Upstream], None);
            let pauses: Vec<Duration> = (0..500).map(|_| polls.backoff(failures)).collect();
            let limit = limit * SECOND;
            assert!(pauses.iter().all(|pause| (SECOND..=limit).contains(pause)), "{failures}");
            assert!(pauses.iter().any(|pause| *pause < limit / 8) && pauses.iter().any(|pause| *pause > limit * 7 / 8));
            let mean = pauses.iter().sum::<Duration>() / 500;
            assert!((limit * 2 / 5..limit * 3 / 5).contains(&mean), "{failures}: {mean:?}");
        }
        let mut polls = schedule(&[Reach::Upstream], None);
        for _ in 0..50 {
            let (_, pause) = run(&mut polls, SpecTrigger::Background, &at(Duration::ZERO), |_| down());
            assert!(pause <= 40 * SECOND);
        }
        // One answer, and the regular interval is back.
        let (_, pause) = run(&mut polls, SpecTrigger::Background, &at(Duration::ZERO), |_| UNCHANGED);
        assert!((9 * SECOND..=11 * SECOND).contains(&pause), "{pause:?}");
    }

    #[test]
    fn a_pause_that_the_server_asks_for_is_kept_within_bounds() {
        let mut polls = schedule(&[Reach::Upstream], None);
        for (asked, least, most) in [(60, 60, 67), (100_000, 300, 331)] {
            let busy = failed(SourceErrorKind::Refused, Some(asked * SECOND));
            let (_, pause) = run(&mut polls, SpecTrigger::Manual, &at(Duration::ZERO), |_| busy.clone());
            assert!((least * SECOND..=most * SECOND).contains(&pause), "{pause:?}");
            assert_eq!(poll(&mut polls, (least - 1) * SECOND, |_| UNCHANGED), Vec::<usize>::new());
            assert_eq!(run(&mut polls, SpecTrigger::Manual, &at(SECOND), |_| down()).0, [0], "on demand at once");
        }
    }

    #[test]
    fn a_source_that_fails_beside_one_that_answers_backs_off_alone() {
        let mut polls = schedule(&[Reach::Shared, Reach::Upstream], None);
        let outcome = |index| if index == 0 { down() } else { UNCHANGED };
        let (fetched, pause) = run(&mut polls, SpecTrigger::Background, &at(Duration::ZERO), outcome);
        assert_eq!(fetched, [0, 1]);
        assert!(pause <= 11 * SECOND);
        assert_eq!(poll(&mut polls, SECOND / 2, outcome), [1], "the store pauses for a second at least");
        assert_eq!(poll(&mut polls, 100 * SECOND, outcome), [0, 1]);
        // An empty store works: it is read at the regular rate.
        let empty = |index| if index == 0 { failed(SourceErrorKind::Empty, None) } else { UNCHANGED };
        let mut polls = schedule(&[Reach::Shared, Reach::Upstream], None);
        assert_eq!(poll(&mut polls, Duration::ZERO, empty), [0, 1]);
        assert_eq!(poll(&mut polls, Duration::ZERO, empty), [0, 1]);
    }

    #[test]
    fn every_fifth_failed_poll_in_a_row_includes_the_fallback() {
        let mut polls = schedule(&[Reach::Upstream], Some(Reach::Upstream));
        let included: Vec<bool> = (0..12).map(|_| poll(&mut polls, Duration::ZERO, |_| down()).contains(&1)).collect();
        assert_eq!(included.iter().map(|is| u8::from(*is)).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]);
        poll(&mut polls, Duration::ZERO, |_| UNCHANGED);
        let next: Vec<usize> = (0..4).flat_map(|_| poll(&mut polls, Duration::ZERO, |_| down())).collect();
        assert_eq!(next, [0, 0, 0, 0], "an answer resets the count");
        assert_eq!(run(&mut polls, SpecTrigger::Manual, &at(Duration::ZERO), |_| down()).0, [0, 1]);
    }

    #[test]
    fn a_feed_with_notices_spares_polls_of_its_store() {
        let mut polls = schedule(&[Reach::Shared, Reach::Upstream], None);
        let view = |now, feed, is_slow| SyncView { feeds: vec![feed, FeedState::None], is_slow, ..at(now) };
        let mut fetched = |view: &SyncView| run(&mut polls, SpecTrigger::Background, view, |_| UNCHANGED).0;
        let spares = FeedState::SparesPolls;
        assert_eq!(fetched(&view(Duration::ZERO, spares, false)), [0, 1], "never read before; not enough with a feed");
        assert_eq!(fetched(&view(10 * SECOND, spares, false)), [1]);
        assert_eq!(fetched(&view(20 * SECOND, FeedState::Live, false)), [0, 1], "a quiet feed");
        assert_eq!(fetched(&view(30 * SECOND, spares, true)), [0, 1], "polls as a safety net read all");
        assert_eq!(fetched(&view(330 * SECOND, spares, false)), [0, 1], "long ago");
        assert_eq!(fetched(&view(340 * SECOND, FeedState::None, false)), [0], "without a feed the store suffices");
    }

    #[test]
    fn offline_nothing_upstream_is_fetched_from() {
        let timing = schedule(&[], None).timing;
        let reaches = [Reach::Upstream, Reach::Shared, Reach::Local];
        let mut polls = PollSchedule::new(timing, &reaches, Some(Reach::Upstream), true, UniformRandom::new(Some(1)));
        assert_eq!(run(&mut polls, SpecTrigger::Manual, &at(Duration::ZERO), |_| down()).0, [1, 2]);
    }

    #[test]
    fn the_first_poll_after_upstream_specs_is_spread_over_the_interval() {
        let polls = schedule(&[Reach::Upstream], None);
        for current in [None, Some(Reach::Shared), Some(Reach::Local)] {
            assert_eq!(polls.first_pause(current), Duration::ZERO);
        }
        let pauses: Vec<Duration> = (0..100).map(|_| polls.first_pause(Some(Reach::Upstream))).collect();
        assert!(pauses.iter().all(|pause| *pause <= 10 * SECOND));
        assert!(pauses.iter().any(|pause| *pause < 2 * SECOND) && pauses.iter().any(|pause| *pause > 8 * SECOND));
    }

    proptest::proptest! {
        #[test]
        fn pauses_are_bounded_whatever_happens(outcomes in proptest::collection::vec(0_u8..6, 1..200)) {
            let mut polls = schedule(&[Reach::Shared, Reach::Upstream], Some(Reach::Upstream));
            let mut now = Duration::ZERO;
            for outcome in outcomes {
                let answer = |index: usize| match (outcome, index) {
                    (0, _) => down(),
                    (1, 0) => failed(SourceErrorKind::Empty, None),
                    (2, _) => failed(SourceErrorKind::Refused, Some(3_600 * SECOND)),
                    (3, _) => AttemptOutcome::Older,
                    (4, 1) => AttemptOutcome::Applied,
                    _ => UNCHANGED,
                };
                let (_, pause) = run(&mut polls, SpecTrigger::Background, &at(now), answer);
                proptest::prop_assert!(pause <= 331 * SECOND, "{pause:?}");
                now += pause;
            }
        }
    }
}
