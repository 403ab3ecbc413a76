//! Spares a server that does not answer, and callers the waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_background::UniformRandom;
use tokio::time::Instant;

/// Failures in a row that open the breaker, and over how long.
const FAILURES: u32 = 5;
const SPAN: Duration = Duration::from_millis(500);
/// Between two probes: half of the outage so far, so that what the breaker adds to an outage is at
/// most half of it, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When the first of them was.
    since: Option<Instant>,
    /// Until when nothing is tried, and why.
    open: Option<(Instant, Box<str>)>,
    /// Somebody tries whether it works again.
    probing: bool,
}

/// The right to one attempt. Dropped without a result, it changes nothing.
pub(crate) struct Turn<'b> {
    breaker: &'b Breaker,
    settled: bool,
}

impl Breaker {
    /// Whether an attempt makes sense; the last failure if not.
    pub(crate) fn admit(&self) -> Result<(), Box<str>> {
        let mut state = self.lock();
        let State { open, probing, .. } = &mut *state;
        match open {
            Some((until, why)) if *probing || Instant::now() < *until => Err(why.clone()),
            Some(_) => {
                *probing = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The turn of who was admitted.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { breaker: self, settled: false }
    }

    /// That the server was seen to work. Says whether the breaker was open until now.
    pub(crate) fn reset(&self) -> bool {
        std::mem::take(&mut *self.lock()).open.is_some()
    }

    /// The last failure, while the breaker is open.
    pub(crate) fn is_open(&self) -> Option<Box<str>> {
        self.lock().open.as_ref().map(|(_, why)| why.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Says whether the breaker was open until now.
    pub(crate) fn succeeded(mut self) -> bool {
        self.settled = true;
        self.breaker.reset()
    }

    /// Says whether the breaker opened by this.
    pub(crate) fn failed(mut self, why: String) -> bool {
        self.settled = true;
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        state.probing = false;
        let since = *state.since.get_or_insert_with(Instant::now);
        // A blip may fail many commands at once.
        if state.failures < FAILURES || since.elapsed() < SPAN {
            return false;
        }
        let pause = (since.elapsed() / 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let until = Instant::now() + jittered(pause);
        state.open.replace((until, why.into())).is_none()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.breaker.lock().probing = false;
        }
    }
}

/// Returns a uniform duration between half and the whole of a time, so that a fleet does not come back as one.
pub(crate) fn jittered(time: Duration) -> Duration {
    let half = time / 2;
    half + UniformRandom::new(None).up_to(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_after_failures_probes_once_and_closes() {
        let breaker = Breaker::default();
        for _ in 0..2 * FAILURES {
            assert!(breaker.admit().is_ok());
            assert!(!breaker.turn().failed("blip".to_owned()));
        }
        assert!(breaker.admit().is_ok(), "they may all have one cause");
        tokio::time::advance(SPAN).await;
        assert!(breaker.turn().failed("down".to_owned()), "now it opens");
        assert_eq!(breaker.admit().unwrap_err().as_ref(), "down");
        tokio::time::advance(SHORTEST_PAUSE).await;
        assert!(breaker.admit().is_ok(), "one probes");
        let probe = breaker.turn();
        assert!(breaker.admit().is_err(), "only one");
        drop(probe);
        assert!(breaker.admit().is_ok(), "who gives up lets the next one probe");
        tokio::time::advance(2 * LONGEST_PAUSE).await;
        assert!(!breaker.turn().failed("still down".to_owned()), "it was open");
        tokio::time::advance(LONGEST_PAUSE / 2 - SPAN).await;
        assert!(breaker.admit().is_err(), "the pause grows");
        tokio::time::advance(LONGEST_PAUSE / 2 + SPAN).await;
        assert!(breaker.admit().is_ok(), "but not for ever");
        assert!(breaker.turn().succeeded() && !breaker.turn().succeeded());
        assert!(breaker.is_open().is_none() && breaker.admit().is_ok());
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        for _ in 0..1_000 {
            let time = jittered(Duration::from_secs(1));
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&time), "{time:?}");
        }
    }
}
