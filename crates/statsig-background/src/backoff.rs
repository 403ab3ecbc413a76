//! Growing pauses after failures.

use std::time::Duration;

use crate::random::UniformRandom;

/// Growing pauses after failures, with full jitter.
///
/// The n-th failure in a row is followed by a pause drawn uniformly from zero to
/// `base × multiplier^(n-1)`, at most `cap`. A peer that asks for a longer pause (`Retry-After`) gets it, up to
/// a limit that the caller states.
///
/// ```
/// use std::time::Duration;
/// use statsig_background::{Backoff, UniformRandom};
///
/// let random = UniformRandom::new(Some(1));
/// let mut backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(10));
/// assert!(backoff.fail(&random) <= Duration::from_secs(1));
/// assert!(backoff.fail(&random) <= Duration::from_secs(2));
/// assert_eq!(backoff.failures(), 2);
/// backoff.succeed();
/// assert_eq!(backoff.failures(), 0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    base: Duration,
    multiplier: f64,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// Returns a backoff without failures. A multiplier below 1 or not finite counts as 1.
    #[must_use]
    pub fn new(base: Duration, multiplier: f64, cap: Duration) -> Self {
        let multiplier = if multiplier.is_finite() { multiplier.max(1.0) } else { 1.0 };
        Self { base, multiplier, cap, failures: 0 }
    }

    /// Counts a failure and returns the pause that follows it.
    pub fn fail(&mut self, random: &UniformRandom) -> Duration {
        self.failures = self.failures.saturating_add(1);
        random.up_to(self.longest_pause())
    }

    /// Counts a failure after which the peer asked for a pause of at least `asked`, of which at most
    /// `longest_asked` is granted. Returns the pause: up to a tenth longer, so that clients that were asked at
    /// the same time do not return at the same time.
    pub fn fail_with_request(&mut self, random: &UniformRandom, asked: Duration, longest_asked: Duration) -> Duration {
        let own = self.fail(random);
        let granted = asked.min(longest_asked);
        granted.saturating_add(random.up_to(granted / 10)).max(own)
    }

    /// Forgets all failures.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Returns the number of failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the upper bound of the current pause; zero without failures.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        let Some(exponent) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let exponent = i32::try_from(exponent).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.multiplier.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_to_the_cap_and_are_spread() {
        let random = UniformRandom::new(Some(1));
        for failures in 1..=40_i32 {
            let bound = Duration::from_secs_f64(2_f64.powi(failures - 1).min(60.0));
            let pauses: Vec<Duration> = (0..200)
                .map(|_| {
                    let mut backoff = Backoff::new(SECOND, 2.0, 60 * SECOND);
                    for _ in 1..failures {
                        let _ = backoff.fail(&random);
                    }
                    backoff.fail(&random)
                })
                .collect();
            assert!(pauses.iter().all(|pause| *pause <= bound), "{failures}");
            assert!(pauses.iter().any(|pause| *pause < bound / 10), "{failures}");
            assert!(pauses.iter().any(|pause| *pause > bound * 9 / 10), "{failures}");
        }
    }

    #[test]
    fn the_peers_request_is_granted_up_to_a_limit() {
        let random = UniformRandom::new(Some(1));
        let mut backoff = Backoff::new(SECOND, 2.0, 60 * SECOND);
        for (asked, least, most) in [(7, 7_000, 7_700), (100, 30_000, 33_000), (0, 0, 4_000)] {
            let pause = backoff.fail_with_request(&random, asked * SECOND, 30 * SECOND).as_millis();
            assert!((least..=most).contains(&pause), "{asked} s: {pause} ms");
        }
        let _ = backoff.fail_with_request(&random, Duration::MAX, Duration::MAX);
    }

    #[test]
    fn impossible_parameters_do_not_overflow() {
        let random = UniformRandom::new(Some(1));
        for multiplier in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let mut backoff = Backoff::new(Duration::MAX, multiplier, Duration::MAX);
            for _ in 0..5 {
                let _ = backoff.fail(&random);
            }
        }
        let mut backoff = Backoff::new(SECOND, 2.0, SECOND);
        backoff.failures = u32::MAX;
        assert!(backoff.fail(&random) <= SECOND);
    }
}
