//! Pauses between attempts after failures.

use std::time::Duration;

use statsig_background::{Backoff, UniformRandom};
use tokio::time::Instant;

/// The pause after failures, for all batches together: a destination that fails one fails others.
#[derive(Debug)]
pub(super) struct DeliveryBackoff {
    backoff: Backoff,
    cap: Duration,
    failures: u32,
    /// No attempt before; `true` if the destination asked for it.
    until: Option<(Instant, bool)>,
    random: UniformRandom,
}

impl DeliveryBackoff {
    pub(super) fn new(base: Duration, cap: Duration, seed: Option<u64>) -> Self {
        let (backoff, random) = (Backoff::new(base, 2.0, cap), UniformRandom::new(seed));
        Self { backoff, cap, failures: 0, until: None, random }
    }

    /// Notes a failure, and chooses the pause: full jitter, but no shorter than asked for. Returns
    /// whether the failure counts.
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) -> bool {
        // Attempts made at the same time fail for the same reason: they count once.
        let counts = self.until(now).is_none();
        if counts {
            self.failures = self.failures.saturating_add(1);
        }
        let jittered = self.pause_after(self.failures);
        let pause = match asked {
            // A little more, so that those who were told the same do not come together.
            Some(asked) => {
                let asked = asked.min(self.cap);
                asked.saturating_add(self.random.up_to(asked / 10)).min(self.cap).max(jittered)
            }
            None => jittered,
        };
        let until = (now + pause, asked.is_some());
        // Of attempts made at the same time, the longest pause counts.
        self.until = Some(self.until.map_or(until, |known| (known.0.max(until.0), known.1 | until.1)));
        counts
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// Ends the pause, unless the destination asked for it.
    pub(super) fn hurry(&mut self) {
        self.until = self.until.filter(|&(_, asked)| asked);
    }

    /// Ends the pause, whoever asked for it.
    pub(super) fn disregard(&mut self) {
        self.until = None;
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The end of the pause, if it is not over.
    pub(super) fn until(&mut self, now: Instant) -> Option<Instant> {
        self.until = self.until.filter(|&(until, _)| until > now);
        self.until.map(|(until, _)| until)
    }

    /// Returns the pause after a number of failures in a row: full jitter.
    pub(super) fn pause_after(&self, failures: u32) -> Duration {
        self.random.up_to(self.backoff.longest_pause(failures))
    }

    /// Returns the numbers that spread pauses.
    pub(super) fn random(&self) -> &UniformRandom {
        &self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_cap_and_are_spread() {
        let now = Instant::now();
        for failures in 1..=40_u32 {
            let most = SECOND.saturating_mul(1 << (failures - 1).min(20)).min(60 * SECOND);
            let pauses: Vec<Duration> = (0..200)
                .map(|seed| {
                    let mut backoff = DeliveryBackoff::new(SECOND, 60 * SECOND, Some(seed));
                    for _ in 1..failures {
                        backoff.failed(now, None);
                        backoff.disregard();
                    }
                    backoff.failed(now, None);
                    backoff.until(now).map_or(Duration::ZERO, |until| until - now)
                })
                .collect();
            assert!(pauses.iter().all(|&pause| pause <= most));
            assert!(pauses.iter().any(|&pause| pause < most / 10) && pauses.iter().any(|&pause| pause > most * 9 / 10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_attempts_made_together_count_once() {
        let now = Instant::now();
        let mut backoff = DeliveryBackoff::new(SECOND, 60 * SECOND, Some(1));
        let counted = (0..50).filter(|_| backoff.failed(now, None)).count();
        assert_eq!(counted, 1);
        assert!(backoff.until(now).is_some_and(|until| until <= now + SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_destination_asks_for_is_kept_up_to_the_cap() {
        let now = Instant::now();
        let mut backoff = DeliveryBackoff::new(SECOND, 60 * SECOND, Some(1));
        backoff.failed(now, Some(7 * SECOND));
        backoff.hurry();
        let until = backoff.until(now).unwrap();
        assert!(until >= now + 7 * SECOND && until <= now + 8 * SECOND);
        for asked in [3_600 * SECOND, Duration::MAX] {
            backoff.failed(now, Some(asked));
            assert_eq!(backoff.until(now), Some(now + 60 * SECOND));
        }
        assert_eq!(backoff.until(now + 61 * SECOND), None);
        backoff.failed(now, None);
        backoff.hurry();
        assert_eq!(backoff.until(now), None);
        assert!(backoff.is_failing());
        backoff.succeeded();
        assert!(!backoff.is_failing());
    }
}
