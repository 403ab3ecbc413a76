//! Decides whether a fetch accepts a delta, is full, or ignores the version held:
//! `docs/protocol/network.md#deltas`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use statsig_core::SpecTrigger;

/// Least time between two full payloads that are fetched because deltas made no progress, in milliseconds.
const BETWEEN_FULL: i64 = 300_000;

/// Decides what upstream sources are asked for, by the outcomes of earlier deltas.
#[derive(Debug, Default)]
pub(super) struct DeltaPolicy {
    enabled: bool,
    /// Deltas in a row without progress after which a poll fetches everything; 0 is never.
    threshold: u32,
    state: Mutex<DeltaState>,
}

#[derive(Debug, Default)]
struct DeltaState {
    /// A delta did not fit, and no full payload came since.
    suspended: bool,
    /// Deltas of regular polls in a row without progress.
    without_progress: u32,
    /// Time of the last fetch of everything because of them, in milliseconds since 1970.
    full_fetched_at: Option<i64>,
}

/// Extent of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FetchExtent {
    /// A delta to the version held, or a newer full payload.
    Delta,
    /// A newer full payload.
    Newer,
    /// A full payload of any version.
    Everything,
}

/// Outcome of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeltaOutcome {
    /// The delta led to later specs.
    Progress,
    /// The delta did not lead to later specs.
    NoProgress,
    /// The delta does not fit the current specs.
    Mismatch,
}

impl DeltaPolicy {
    pub(super) fn new(enabled: bool, threshold: u32) -> Self {
        Self { enabled, threshold, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, DeltaState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the base for deltas is to be retained.
    pub(super) fn enabled(&self) -> bool {
        self.enabled
    }

    /// Returns whether a subscription accepts deltas.
    pub(super) fn allows_streamed(&self, has_base: bool) -> bool {
        self.enabled && has_base && !self.state().suspended
    }

    /// Returns the extent of the next fetch, with or without a base for deltas.
    pub(super) fn extent(&self, trigger: SpecTrigger, has_base: bool, now_ms: i64) -> FetchExtent {
        if !self.enabled {
            return FetchExtent::Newer;
        }
        let mut state = self.state();
        if trigger == SpecTrigger::Background && self.threshold > 0 && state.without_progress >= self.threshold {
            // A clock that was set back says nothing about how long ago it was.
            let due = state.full_fetched_at.is_none_or(|at| now_ms < at || now_ms - at >= BETWEEN_FULL);
            if due {
                state.full_fetched_at = Some(now_ms);
                return FetchExtent::Everything;
            }
        }
        if has_base && !state.suspended { FetchExtent::Delta } else { FetchExtent::Newer }
    }

    /// Records the outcome of a delta; `trigger` is `None` for a streamed one.
    pub(super) fn record_delta(&self, trigger: Option<SpecTrigger>, outcome: DeltaOutcome) {
        let mut state = self.state();
        state.suspended |= outcome == DeltaOutcome::Mismatch;
        match outcome {
            DeltaOutcome::Progress => state.without_progress = 0,
            _ if trigger == Some(SpecTrigger::Background) => {
                state.without_progress = state.without_progress.saturating_add(1)
            }
            _ => {}
        }
    }

    /// Records that a full payload came and could be used.
    pub(super) fn record_full(&self) {
        let mut state = self.state();
        (state.suspended, state.without_progress) = (false, 0);
    }

    /// Records that an upstream source has nothing new.
    pub(super) fn record_unchanged(&self) {
        self.state().without_progress = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: SpecTrigger = SpecTrigger::Background;

    fn without_progress(deltas: &DeltaPolicy, times: u32) {
        for _ in 0..times {
            deltas.record_delta(Some(POLL), DeltaOutcome::NoProgress);
        }
    }

    #[test]
    fn deltas_need_the_option_and_a_base() {
        for (enabled, has_base, extent) in
            [(false, true, FetchExtent::Newer), (true, false, FetchExtent::Newer), (true, true, FetchExtent::Delta)]
        {
            assert_eq!(DeltaPolicy::new(enabled, 10).extent(POLL, has_base, 0), extent);
        }
    }

    #[test]
    fn a_mismatch_suspends_deltas_until_a_full_payload_comes() {
        let deltas = DeltaPolicy::new(true, 10);
        deltas.record_delta(Some(POLL), DeltaOutcome::Mismatch);
        assert_eq!(deltas.extent(POLL, true, 0), FetchExtent::Newer);
        deltas.record_unchanged();
        assert_eq!(deltas.extent(POLL, true, 0), FetchExtent::Newer);
        deltas.record_full();
        assert_eq!(deltas.extent(POLL, true, 0), FetchExtent::Delta);
    }

    #[test]
    fn deltas_without_progress_end_in_a_full_payload() {
        let deltas = DeltaPolicy::new(true, 3);
        without_progress(&deltas, 2);
        assert_eq!(deltas.extent(POLL, true, 1_000), FetchExtent::Delta);
        without_progress(&deltas, 1);
        assert_eq!(deltas.extent(SpecTrigger::Manual, true, 1_000), FetchExtent::Delta, "only regular polls");
        assert_eq!(deltas.extent(POLL, true, 1_000), FetchExtent::Everything);
        // At most once in five minutes, whatever comes of it, unless the clock was set back.
        assert_eq!(deltas.extent(POLL, true, 300_999), FetchExtent::Delta);
        assert_eq!(deltas.extent(POLL, true, 301_000), FetchExtent::Everything);
        assert_eq!(deltas.extent(POLL, true, 500), FetchExtent::Everything);
        assert_eq!(deltas.extent(POLL, true, 501), FetchExtent::Delta);
        deltas.record_full();
        assert_eq!(deltas.extent(POLL, true, 1_000_000), FetchExtent::Delta);
    }

    #[test]
    fn deltas_that_count_as_without_progress() {
        let everything = |outcome: fn(&DeltaPolicy)| {
            let deltas = DeltaPolicy::new(true, 3);
            without_progress(&deltas, 2);
            outcome(&deltas);
            without_progress(&deltas, 1);
            deltas.extent(POLL, true, 0) == FetchExtent::Everything
        };
        assert!(everything(|_| {}));
        assert!(everything(|deltas| deltas.record_delta(Some(SpecTrigger::Manual), DeltaOutcome::NoProgress)));
        assert!(!everything(|deltas| deltas.record_delta(Some(SpecTrigger::Manual), DeltaOutcome::Progress)));
        assert!(!everything(DeltaPolicy::record_unchanged));
        assert!(!everything(DeltaPolicy::record_full));
    }

    #[test]
    fn a_threshold_of_zero_is_never() {
        let deltas = DeltaPolicy::new(true, 0);
        without_progress(&deltas, 1_000);
        assert_eq!(deltas.extent(POLL, true, 0), FetchExtent::Delta);
    }
}
