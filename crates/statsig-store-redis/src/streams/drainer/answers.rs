//! Answers of the destination to the attempts with one batch.

use std::time::Duration;

use tokio::time::Instant;

/// Pauses before the second and the third attempt of a batch that was not confirmed.
const CONFIRMATION_PAUSES: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(30)];

/// Refusals and unconfirmed answers that a batch got from this drainer.
#[derive(Debug, Default)]
pub(super) struct Answers {
    refused_at: Option<Instant>,
    unconfirmed: usize,
}

impl Answers {
    /// Records a refusal. Returns whether the batch was refused for a whole `window`, which counts
    /// from the first refusal.
    pub(super) fn refused(&mut self, window: Duration) -> bool {
        self.refused_at.get_or_insert_with(Instant::now).elapsed() >= window
    }

    /// Records an unconfirmed answer. Returns the pause before the next attempt, or `None` after the
    /// last one. `longest` limits the pause.
    pub(super) fn unconfirmed(&mut self, longest: Duration) -> Option<Duration> {
        let pause = CONFIRMATION_PAUSES.get(self.unconfirmed)?;
        self.unconfirmed += 1;
        Some((*pause).min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_end_and_unconfirmed_answers_are_counted() {
        let (mut answers, window) = (Answers::default(), Duration::from_secs(600));
        assert!(!answers.refused(window));
        tokio::time::advance(window - Duration::from_millis(1)).await;
        assert!(!answers.refused(window));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(answers.refused(window) && Answers::default().refused(Duration::ZERO));
        let longest = Duration::from_secs(20);
        let pauses = [(); 4].map(|()| answers.unconfirmed(longest).map(|pause| pause.as_secs()));
        assert_eq!(pauses, [Some(15), Some(20), None, None]);
    }
}
