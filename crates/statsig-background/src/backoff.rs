//! Growing pauses after failures.

use std::time::Duration;

/// Bounds of the pauses after failures in a row.
///
/// The n-th failure is followed by a pause of at most `base × multiplier^(n-1)`, and at most `cap`. Callers draw the
/// pause itself with [`UniformRandom::up_to`](crate::UniformRandom::up_to): full jitter.
///
/// ```
/// use std::time::Duration;
/// use statsig_background::{Backoff, UniformRandom};
///
/// let backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(10));
/// assert_eq!(backoff.longest_pause(3), Duration::from_secs(4));
/// assert_eq!(backoff.longest_pause(30), Duration::from_secs(10));
/// let pause = UniformRandom::new(None).up_to(backoff.longest_pause(3));
/// # assert!(pause <= Duration::from_secs(4));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    base: Duration,
    multiplier: f64,
    cap: Duration,
}

impl Backoff {
    /// Returns a backoff. A multiplier below 1 or not finite counts as 1.
    #[must_use]
    pub fn new(base: Duration, multiplier: f64, cap: Duration) -> Self {
        let multiplier = if multiplier.is_finite() { multiplier.max(1.0) } else { 1.0 };
        Self { base, multiplier, cap }
    }

    /// Returns the longest pause after a number of failures in a row; zero without failures.
    #[must_use]
    pub fn longest_pause(&self, failures: u32) -> Duration {
        let Some(exponent) = failures.checked_sub(1) else { return Duration::ZERO };
        let exponent = i32::try_from(exponent).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.multiplier.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::UniformRandom;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_to_the_cap_and_are_spread() {
        let random = UniformRandom::new(Some(1));
        let backoff = Backoff::new(SECOND, 2.0, 60 * SECOND);
        for failures in 1..=40_u32 {
            let bound = Duration::from_secs_f64(2_f64.powi(failures as i32 - 1).min(60.0));
            let pauses: Vec<Duration> = (0..200).map(|_| random.up_to(backoff.longest_pause(failures))).collect();
            assert!(pauses.iter().all(|pause| *pause <= bound), "{failures}");
            assert!(pauses.iter().any(|pause| *pause < bound / 10), "{failures}");
            assert!(pauses.iter().any(|pause| *pause > bound * 9 / 10), "{failures}");
        }
        assert_eq!(backoff.longest_pause(0), Duration::ZERO);
    }

    #[test]
    fn impossible_parameters_do_not_overflow() {
        for multiplier in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let backoff = Backoff::new(Duration::MAX, multiplier, Duration::MAX);
            for failures in [1, 2, 5, u32::MAX] {
                assert_eq!(backoff.longest_pause(failures), Duration::MAX);
            }
        }
        assert_eq!(Backoff::new(SECOND, 2.0, SECOND).longest_pause(u32::MAX), SECOND);
    }
}
