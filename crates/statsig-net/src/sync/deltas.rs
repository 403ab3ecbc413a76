//! When the network is asked for differences, and when for whole documents:
//! `docs/protocol/network.md#deltas`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use statsig_core::SpecTrigger;

/// Least time between two whole documents that are asked for because differences lead nowhere, in
/// milliseconds.
const BETWEEN_WHOLE: i64 = 300_000;

/// Decides what to ask for, by what came of it before.
#[derive(Debug)]
pub(super) struct Deltas {
    enabled: bool,
    /// Differences in a row without progress after which everything is asked for; 0 is never.
    threshold: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A difference did not fit, and no whole document came since.
    suspended: bool,
    /// Differences of regular polls in a row that led nowhere.
    in_vain: u32,
    /// When everything was last asked for because of them, in milliseconds since 1970.
    whole_asked_at: Option<i64>,
}

/// What is wanted of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What is newer than what is held, as a difference or a whole.
    Difference,
    /// What is newer than what is held, as a whole.
    Newer,
    /// Whatever there is, as a whole.
    Everything,
}

/// What came of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeltaOutcome {
    /// It led to a later document.
    Progress,
    /// It could be used or not, but led to none.
    InVain,
    /// It does not fit what is held.
    Misfit,
}

impl Deltas {
    pub(super) fn new(enabled: bool, threshold: u32) -> Self {
        Self { enabled, threshold, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the parts of documents are to be kept.
    pub(super) fn enabled(&self) -> bool {
        self.enabled
    }

    /// What to ask the network for, with or without the parts of the document in force.
    pub(super) fn wanted(&self, trigger: SpecTrigger, has_parts: bool, now_ms: i64) -> Wanted {
        if !self.enabled {
            return Wanted::Newer;
        }
        let mut state = self.state();
        if trigger == SpecTrigger::Background && self.threshold > 0 && state.in_vain >= self.threshold {
            // A clock that was set back says nothing about how long ago it was.
            let due = state.whole_asked_at.is_none_or(|at| now_ms < at || now_ms - at >= BETWEEN_WHOLE);
            if due {
                state.whole_asked_at = Some(now_ms);
                return Wanted::Everything;
            }
        }
        if has_parts && !state.suspended { Wanted::Difference } else { Wanted::Newer }
    }

    /// Takes note of what came of a difference.
    pub(super) fn difference(&self, trigger: Option<SpecTrigger>, outcome: DeltaOutcome) {
        let mut state = self.state();
        state.suspended |= outcome == DeltaOutcome::Misfit;
        match outcome {
            DeltaOutcome::Progress => state.in_vain = 0,
            _ if trigger == Some(SpecTrigger::Background) => state.in_vain = state.in_vain.saturating_add(1),
            _ => {}
        }
    }

    /// A whole document came, and could be used.
    pub(super) fn whole(&self) {
        let mut state = self.state();
        (state.suspended, state.in_vain) = (false, 0);
    }

    /// The network says that nothing is new.
    pub(super) fn nothing_new(&self) {
        self.state().in_vain = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: SpecTrigger = SpecTrigger::Background;

    fn in_vain(deltas: &Deltas, times: u32) {
        for _ in 0..times {
            deltas.difference(Some(POLL), DeltaOutcome::InVain);
        }
    }

    #[test]
    fn differences_are_for_those_who_want_them_and_have_the_parts() {
        for (enabled, has_parts, wanted) in
            [(false, true, Wanted::Newer), (true, false, Wanted::Newer), (true, true, Wanted::Difference)]
        {
            assert_eq!(Deltas::new(enabled, 10).wanted(POLL, has_parts, 0), wanted);
        }
    }

    #[test]
    fn a_misfit_suspends_them_until_a_whole_document_comes() {
        let deltas = Deltas::new(true, 10);
        deltas.difference(Some(POLL), DeltaOutcome::Misfit);
        assert_eq!(deltas.wanted(POLL, true, 0), Wanted::Newer);
        deltas.nothing_new();
        assert_eq!(deltas.wanted(POLL, true, 0), Wanted::Newer);
        deltas.whole();
        assert_eq!(deltas.wanted(POLL, true, 0), Wanted::Difference);
    }

    #[test]
    fn those_that_lead_nowhere_end_in_a_whole_document() {
        let deltas = Deltas::new(true, 3);
        in_vain(&deltas, 2);
        assert_eq!(deltas.wanted(POLL, true, 1_000), Wanted::Difference);
        in_vain(&deltas, 1);
        assert_eq!(deltas.wanted(SpecTrigger::Manual, true, 1_000), Wanted::Difference, "only regular polls");
        assert_eq!(deltas.wanted(POLL, true, 1_000), Wanted::Everything);
        // At most once in five minutes, whatever comes of it, unless the clock was set back.
        assert_eq!(deltas.wanted(POLL, true, 300_999), Wanted::Difference);
        assert_eq!(deltas.wanted(POLL, true, 301_000), Wanted::Everything);
        assert_eq!(deltas.wanted(POLL, true, 500), Wanted::Everything);
        assert_eq!(deltas.wanted(POLL, true, 501), Wanted::Difference);
        deltas.whole();
        assert_eq!(deltas.wanted(POLL, true, 1_000_000), Wanted::Difference);
    }

    #[test]
    fn what_counts_as_leading_nowhere() {
        let everything = |outcome: fn(&Deltas)| {
            let deltas = Deltas::new(true, 3);
            in_vain(&deltas, 2);
            outcome(&deltas);
            in_vain(&deltas, 1);
            deltas.wanted(POLL, true, 0) == Wanted::Everything
        };
        assert!(everything(|_| {}));
        assert!(everything(|deltas| deltas.difference(Some(SpecTrigger::Manual), DeltaOutcome::InVain)));
        assert!(!everything(|deltas| deltas.difference(Some(SpecTrigger::Manual), DeltaOutcome::Progress)));
        assert!(!everything(Deltas::nothing_new));
        assert!(!everything(Deltas::whole));
    }

    #[test]
    fn a_threshold_of_zero_is_never() {
        let deltas = Deltas::new(true, 0);
        in_vain(&deltas, 1_000);
        assert_eq!(deltas.wanted(POLL, true, 0), Wanted::Difference);
    }
}
