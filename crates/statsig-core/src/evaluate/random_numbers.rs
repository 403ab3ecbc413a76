//! Random numbers that an evaluation draws.
//!
//! The core has no entropy of its own: it also runs where there is none. Two parts of an evaluation draw numbers: a
//! contextual bandit that explores, and the recording of sessions in a client-initialize response.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::FixedState;

use super::context::EvaluationContext;

/// Step of the sequence: 2^64 divided by the golden ratio (SplitMix64).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Source of the random numbers of an evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RandomNumbers {
    /// A sequence that all evaluations of the process share, mixed with the time.
    Sequence,
    /// The same number at every draw.
    Seed(u64),
    /// A function of the application.
    Function(fn() -> u64),
}

impl EvaluationContext<'_> {
    /// Returns 64 uniform random bits.
    pub(crate) fn random_bits(&self) -> u64 {
        static DRAWS: AtomicU64 = AtomicU64::new(0);
        match self.random_numbers {
            RandomNumbers::Seed(seed) => FixedState::with_seed(seed).hash_one(seed),
            RandomNumbers::Function(random) => random(),
            RandomNumbers::Sequence => {
                let draw = DRAWS.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP);
                mixed(mixed(self.clock.now_ms().cast_unsigned()).wrapping_add(draw))
            }
        }
    }

    /// Returns a uniform random number in `0.0..1.0`.
    #[allow(clippy::cast_precision_loss)] // 53 bits are exact
    pub(crate) fn random_fraction(&self) -> f64 {
        (self.random_bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Finalizer of SplitMix64.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use statsig_adapters::{FixedClock, SpecOrigin};

    use crate::{EvaluationContext, EvaluationSettings, Snapshot, StatsigUser};

    fn with_context<R>(read: impl FnOnce(EvaluationContext<'_>) -> R) -> R {
        let snapshot = Arc::new(Snapshot::empty(SpecOrigin::Bootstrap));
        let (user, settings, clock) = (StatsigUser::new(), EvaluationSettings::new(), FixedClock(1_700_000_000_000));
        read(EvaluationContext::new(&snapshot, &user, &settings, &clock))
    }

    #[test]
    fn a_sequence_is_uniform_although_the_clock_stands_still() {
        with_context(|context| {
            let mut tenths = [0_u32; 10];
            for _ in 0..10_000 {
                let drawn = context.random_fraction();
                assert!((0.0..1.0).contains(&drawn));
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position below 10
                let tenth = (drawn * 10.0) as usize;
                tenths[tenth] += 1;
            }
            assert!(tenths.iter().all(|count| (800..1_200).contains(count)), "{tenths:?}");
        });
    }

    #[test]
    fn a_seed_repeats_its_number_and_a_function_is_called_for_each() {
        with_context(|context| {
            let (one, other) = (context.with_seed(1), context.with_seed(2));
            assert_eq!(one.random_bits(), one.random_bits());
            assert_ne!(one.random_bits(), other.random_bits());
            assert_eq!(context.with_random_numbers(|| u64::MAX >> 1).random_bits(), u64::MAX >> 1);
            assert!((context.with_random_numbers(|| u64::MAX).random_fraction() - 1.0).abs() < 1e-9);
            assert!(context.with_random_numbers(|| u64::MAX).random_fraction() < 1.0);
        });
    }
}
