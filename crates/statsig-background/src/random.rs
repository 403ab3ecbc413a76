//! Uniform random numbers for jitter and sampling.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

/// Uniform random numbers for jitter and sampling. Not for secrets.
///
/// Without a seed, the generator is seeded from the operating system's entropy, so that forked children and
/// threads do not share a sequence. Takes no lock.
///
/// ```
/// use std::time::Duration;
/// use statsig_background::UniformRandom;
///
/// let random = UniformRandom::new(Some(7));
/// assert!((0.0..1.0).contains(&random.fraction()));
/// assert!(random.up_to(Duration::from_secs(3)) <= Duration::from_secs(3));
/// ```
#[derive(Debug)]
pub struct UniformRandom(AtomicU64);

/// Distance of the states of two calls; odd, so that every state is visited.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl UniformRandom {
    /// Returns a generator with a seed, or one seeded by the operating system.
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
        Self(AtomicU64::new(seed))
    }

    /// Returns a number from 0 (included) to 1 (excluded).
    #[must_use]
    pub fn fraction(&self) -> f64 {
        fastrand::Rng::with_seed(self.0.fetch_add(STEP, Ordering::Relaxed)).f64()
    }

    /// Returns a duration between zero and `limit`: full jitter.
    #[must_use]
    pub fn up_to(&self, limit: Duration) -> Duration {
        scaled(limit, self.fraction())
    }

    /// Returns a duration that differs from `mean` by at most the share `spread` of it, 0.0 to 1.0.
    #[must_use]
    pub fn around(&self, mean: Duration, spread: f64) -> Duration {
        scaled(mean, 1.0 + spread.clamp(0.0, 1.0) * (2.0 * self.fraction() - 1.0))
    }
}

/// Multiplies a duration: [`Duration::MAX`] where that does not fit, zero for a factor that is not a number or negative.
fn scaled(duration: Duration, factor: f64) -> Duration {
    if factor.is_nan() || factor <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stay_in_bounds_and_are_spread() {
        let random = UniformRandom::new(Some(1));
        let ten = Duration::from_secs(10);
        let around: Vec<f64> = (0..1_000).map(|_| random.around(ten, 0.1).as_secs_f64()).collect();
        assert!(around.iter().all(|seconds| (9.0..=11.0).contains(seconds)));
        assert!(around.iter().any(|seconds| *seconds < 9.2) && around.iter().any(|seconds| *seconds > 10.8));
        let up_to: Vec<f64> = (0..1_000).map(|_| random.up_to(ten).as_secs_f64()).collect();
        assert!(up_to.iter().all(|seconds| (0.0..=10.0).contains(seconds)));
        assert!(up_to.iter().any(|seconds| *seconds < 0.5) && up_to.iter().any(|seconds| *seconds > 9.5));
    }

    #[test]
    fn the_longest_duration_does_not_overflow() {
        let random = UniformRandom::new(Some(1));
        for _ in 0..100 {
            let _ = random.around(Duration::MAX, 1.0);
            assert!(random.up_to(Duration::MAX) <= Duration::MAX);
        }
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(scaled(Duration::MAX, 1.5), Duration::MAX);
        assert_eq!(scaled(Duration::from_secs(10), 0.5), Duration::from_secs(5));
        for factor in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0] {
            assert_eq!(scaled(Duration::MAX, factor), Duration::ZERO);
        }
        assert_eq!(scaled(Duration::from_secs(1), f64::INFINITY), Duration::MAX);
    }

    #[test]
    fn generators_without_a_seed_have_sequences_of_their_own() {
        let sequence = |random: UniformRandom| (0..4).map(|_| random.fraction().to_bits()).collect::<Vec<_>>();
        assert_ne!(sequence(UniformRandom::new(None)), sequence(UniformRandom::new(None)));
        assert_eq!(sequence(UniformRandom::new(Some(3))), sequence(UniformRandom::new(Some(3))));
    }
}
