//! Randomness that is good enough to spread load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::deadline::scaled;

/// Uniform random numbers (SplitMix64). Not for secrets.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    /// Starts the sequence of a seed, or a random one.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(AtomicU64::new(seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0)))
    }

    /// A uniform number from 0 to 1, 1 excluded.
    pub(crate) fn fraction(&self) -> f64 {
        let mut bits = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A uniform time that differs from the given one by at most this part of it.
    pub(crate) fn around(&self, time: Duration, part: f64) -> Duration {
        scaled(time, 1.0 + part * (2.0 * self.fraction() - 1.0))
    }

    /// A uniform time between zero and the given one: full jitter.
    pub(crate) fn up_to(&self, time: Duration) -> Duration {
        scaled(time, self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_and_stay_in_bounds() {
        let random = Random::new(Some(1));
        let ten = Duration::from_secs(10);
        let around: Vec<f64> = (0..1_000).map(|_| random.around(ten, 0.1).as_secs_f64()).collect();
        assert!(around.iter().all(|time| (9.0..=11.0).contains(time)));
        assert!(around.iter().any(|time| *time < 9.2) && around.iter().any(|time| *time > 10.8));
        let up_to: Vec<f64> = (0..1_000).map(|_| random.up_to(ten).as_secs_f64()).collect();
        assert!(up_to.iter().all(|time| (0.0..=10.0).contains(time)));
        assert!(up_to.iter().any(|time| *time < 0.5) && up_to.iter().any(|time| *time > 9.5));
        assert!(random.around(Duration::MAX, 0.1) > ten && random.up_to(Duration::MAX) > ten);
        assert_ne!(Random::new(None).fraction(), Random::new(None).fraction());
    }
}
