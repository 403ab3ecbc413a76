//! Answers that a batch got so far, and how long it is kept because of them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Most attempts of a batch that ends unconfirmed.
const MOST_UNCONFIRMED: u32 = 3;
/// Most batches of the spool whose answers are remembered while they are not in memory.
const MOST_REMEMBERED: usize = 4_096;
/// Time after which the answers of a batch that never came back are forgotten, if room is needed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Answers to the attempts of one batch, other than failures.
///
/// It stays with the batch through the retry queue and the spool, as long as the process lives. The
/// time of a refusal counts from the first one: another failure in between does not restart it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AnswerHistory {
    refused_at: Option<Instant>,
    unconfirmed: u32,
    ends_unconfirmed: bool,
    paused_until: Option<Instant>,
}

impl AnswerHistory {
    /// Records a refusal. Returns whether the batch was refused for a whole `window`.
    pub(super) fn refused(&mut self, now: Instant, window: Duration) -> bool {
        now.saturating_duration_since(*self.refused_at.get_or_insert(now)) >= window
    }

    /// Whether the destination ever refused the batch.
    pub(super) fn was_refused(&self) -> bool {
        self.refused_at.is_some()
    }

    /// Records an unconfirmed answer. Returns the pause before the next attempt, or `None` after the
    /// last one.
    ///
    /// Both pauses together stay below `window`, however the uniform `fraction` from 0 to 1 turns
    /// out. They are long, because the usual cause of a short one is over within a minute.
    pub(super) fn unconfirmed(&mut self, window: Duration, fraction: f64) -> Option<Duration> {
        self.unconfirmed += 1;
        let pause = match self.unconfirmed {
            1 => window / 4,
            2.. if self.unconfirmed < MOST_UNCONFIRMED => window / 2,
            _ => {
                self.ends_unconfirmed = true;
                return None;
            }
        };
        Some(pause + (window / 12).mul_f64(fraction))
    }

    /// Whether the destination answered with success at least once, without confirming it.
    pub(super) fn was_unconfirmed(&self) -> bool {
        self.unconfirmed > 0
    }

    /// Ends the batch as delivered, unconfirmed.
    pub(super) fn end_unconfirmed(&mut self) {
        self.ends_unconfirmed = true;
    }

    /// Whether the batch is to be counted as delivered, unconfirmed.
    pub(super) fn ends_unconfirmed(&self) -> bool {
        self.ends_unconfirmed
    }

    /// Keeps the batch back until a time.
    pub(super) fn pause_until(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// Ends the pause of the batch.
    pub(super) fn resume(&mut self) {
        self.paused_until = None;
    }

    /// End of the pause of the batch, if it has one.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Whether the batch may be sent now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.paused_until.is_none_or(|until| until <= now)
    }

    /// History of a half of the batch: it was never sent itself, but the refusals count.
    pub(super) fn of_half(&self) -> Self {
        Self { refused_at: self.refused_at, ..Self::default() }
    }
}

/// Histories of batches that are in the spool and not in memory. Bounded.
#[derive(Debug, Default)]
pub(super) struct RememberedAnswers(HashMap<[u8; 16], (AnswerHistory, Instant)>);

impl RememberedAnswers {
    /// Keeps the history of a batch until the spool hands it out again.
    pub(super) fn remember(&mut self, id: [u8; 16], history: AnswerHistory) {
        if history == AnswerHistory::default() {
            return;
        }
        let now = Instant::now();
        if self.0.len() >= MOST_REMEMBERED {
            self.0.retain(|_, (_, since)| now.saturating_duration_since(*since) < FORGOTTEN_AFTER);
        }
        // The ones that are known are nearest to their end, and make room.
        if self.0.len() < MOST_REMEMBERED || self.0.contains_key(&id) {
            self.0.insert(id, (history, now));
        }
    }

    /// Returns and forgets the history of a batch.
    pub(super) fn recall(&mut self, id: [u8; 16]) -> AnswerHistory {
        self.0.remove(&id).map(|(history, _)| history).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn refusals_count_from_the_first_one() {
        let mut history = AnswerHistory::default();
        let begin = Instant::now();
        assert!(!history.was_refused() && !history.refused(begin, 10 * MINUTE) && history.was_refused());
        assert!(!history.refused(begin + 10 * MINUTE - Duration::from_millis(1), 10 * MINUTE));
        assert!(history.of_half().refused(begin + 10 * MINUTE, 10 * MINUTE));
    }

    #[test]
    fn three_unconfirmed_attempts_fit_into_the_window() {
        for fraction in [0.0, 0.5, 1.0] {
            let mut history = AnswerHistory::default();
            let pauses: Vec<_> = std::iter::from_fn(|| history.unconfirmed(MINUTE, fraction)).collect();
            assert_eq!(pauses.len(), 2);
            let sum: Duration = pauses.iter().sum();
            assert!(sum >= 45 * MINUTE / 60 && sum < 57 * MINUTE / 60, "{pauses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let mut remembered = RememberedAnswers::default();
        let mut history = AnswerHistory::default();
        history.refused(Instant::now(), MINUTE);
        let id = |number: usize| (number as u128).to_be_bytes();
        remembered.remember(id(0), AnswerHistory::default());
        assert!(remembered.0.is_empty());
        for number in 0..2 * MOST_REMEMBERED {
            remembered.remember(id(number), history);
        }
        assert_eq!(remembered.0.len(), MOST_REMEMBERED);
        assert_eq!((remembered.recall(id(1)), remembered.recall(id(1))), (history, AnswerHistory::default()));
        assert_eq!(remembered.recall(id(MOST_REMEMBERED + 1)), AnswerHistory::default());
        // The ones that the spool never handed out again do not take the room for good.
        tokio::time::advance(FORGOTTEN_AFTER).await;
        remembered.remember(id(1), history);
        remembered.remember(id(MOST_REMEMBERED), history);
        assert_eq!(remembered.recall(id(MOST_REMEMBERED)), history);
    }
}
