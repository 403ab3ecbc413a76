//! Jumps of the clock, and what they mean for the age of batches.
//!
//! The time of day is compared with the time that passes. If they differ by more than a minute from one call to the
//! next, the clock was set, or the machine slept:
//!
//! - batches of this process keep the age that they had: it is measured by the time that passed;
//! - batches of other processes are only known by the time of day. They are not given up for their age until the clock
//!   has run without a jump for 10 minutes (or `max_age`, if that is shorter), counted from the opening of the spool.
//!   A clock that starts wrong and is set right within that time costs nothing.

use super::inner::{Inner, OWN};

/// Least difference that is a jump.
const JUMP_MS: u64 = 60_000;
/// Time without a jump after which the clock is believed.
const STEADY_MS: u64 = 10 * 60_000;
/// Earlier times of day come from a clock that was never set: 1 January 2015.
const NEVER_SET_MS: u64 = 1_420_070_400_000;

/// Readings of the clocks at the last call.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockWatch {
    now_ms: u64,
    monotonic_ms: u64,
    steady_since_ms: u64,
}

impl ClockWatch {
    pub(super) fn new(now_ms: u64, monotonic_ms: u64) -> Self {
        Self { now_ms, monotonic_ms, steady_since_ms: monotonic_ms }
    }

    /// Compares the clocks, and returns by how much the time of day has jumped, in ms.
    fn observe(&mut self, now_ms: u64, monotonic_ms: u64) -> i64 {
        let expected_ms = self.now_ms.saturating_add(monotonic_ms.saturating_sub(self.monotonic_ms));
        (self.now_ms, self.monotonic_ms) = (now_ms, monotonic_ms);
        if now_ms.abs_diff(expected_ms) < JUMP_MS {
            return 0;
        }
        self.steady_since_ms = monotonic_ms;
        let by_ms = i64::try_from(now_ms.abs_diff(expected_ms)).unwrap_or(i64::MAX);
        if now_ms < expected_ms { -by_ms } else { by_ms }
    }

    fn is_steady(&self, for_ms: u64) -> bool {
        self.monotonic_ms.saturating_sub(self.steady_since_ms) >= for_ms
    }
}

impl Inner {
    /// Looks at the clocks; to be done in each call.
    pub(super) fn observe_clock(&mut self) {
        let jump_ms = self.clock_watch.observe(self.clock.now_ms(), self.clock.monotonic_ms());
        if jump_ms == 0 {
            return;
        }
        let own = self.instances.get_mut(&OWN);
        for segment in own.into_iter().flat_map(|own| own.segments.values_mut()) {
            segment.shift_times(jump_ms);
        }
    }

    /// Says whether a batch of this creation time is over the age limit. The future is young.
    pub(super) fn is_outdated(&self, instance: u32, created_ms: u64) -> bool {
        let age = self.clock.now_ms().saturating_sub(created_ms);
        let limit = self.options.max_age_ms();
        age > limit && (instance == OWN || self.clock_watch.is_steady(STEADY_MS.min(limit)))
    }

    /// The creation time by which the age of an adopted batch is measured.
    pub(super) fn believable(&self, created_ms: u64) -> u64 {
        if created_ms < NEVER_SET_MS { self.clock.now_ms() } else { created_ms }
    }
}
