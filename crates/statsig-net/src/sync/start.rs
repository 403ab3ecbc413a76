//! The first load: sources in order, or overlapping, within a time.
//!
//! One source is asked at a time; the next one as well when the one before fails, or keeps us waiting
//! for longer than its share. Nobody is cut off: whoever answers first with something that can be used
//! ends the load, and what comes later counts if it is newer. With a hedge, those who were asked too are
//! waited for a little before the load ends, so that it ends with the freshest.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use statsig_core::{
    SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecSourceKind, SpecTrigger, UpdateOutcome,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Inner;
use super::accept::Way;
use super::details::{AttemptOutcome, SourceAttempt};
use crate::deadline;
use crate::metrics::Asked;
use statsig_background::InOwnProcess;

impl Inner {
    /// Asks the sources of the start until specs are in force or all have failed.
    pub(super) async fn load(self: &Arc<Self>) {
        let begun = Instant::now();
        let sources = self.sources.at_start();
        let (answers, mut answered) = mpsc::unbounded_channel();
        let mut waiting = 0_usize;
        let mut next = 0;
        loop {
            if next < sources.len() && self.ask_at_start(begun, next, &sources[next].0, &answers) {
                waiting += 1;
            }
            next += 1;
            // The last one gets all the time that it wants.
            let share = if next < sources.len() { self.share(begun, sources.len() - next) } else { None };
            let overdue = async {
                match share {
                    Some(share) => sleep_until(deadline::from_now(share)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(overdue);
            while waiting > 0 {
                tokio::select! {
                    biased;
                    () = self.ended() => return,
                    Some(success) = answered.recv() => {
                        waiting -= 1;
                        if success {
                            return self.wait_for_fresher(begun, waiting, answered).await;
                        }
                        if next < sources.len() {
                            break;
                        }
                    }
                    () = &mut overdue => break,
                }
            }
            if next >= sources.len() && waiting == 0 {
                return;
            }
        }
    }

    /// Waits for so many more answers, as long as the hedge is, and not for all the time that is left.
    async fn wait_for_fresher(&self, begun: Instant, waiting: usize, mut answered: mpsc::UnboundedReceiver<bool>) {
        let Some(hedge) = self.options.hedge_after else { return };
        let left = self.options.init_timeout.map(|limit| limit.saturating_sub(begun.elapsed()));
        let hedge = left.map_or(hedge, |left| hedge.min(left / 2));
        let until = sleep_until(deadline::from_now(hedge));
        tokio::pin!(until);
        for _ in 0..waiting {
            tokio::select! {
                biased;
                () = self.ended() => return,
                _ = answered.recv() => {}
                () = &mut until => return,
            }
        }
    }

    /// How long to wait before the next source is asked as well, when so many are still to come.
    fn share(&self, begun: Instant, to_come: usize) -> Option<Duration> {
        let even = self.options.init_timeout.map(|limit| {
            let left = limit.saturating_sub(begun.elapsed());
            left / u32::try_from(to_come + 1).unwrap_or(u32::MAX)
        });
        match (even, self.options.hedge_after) {
            (Some(even), Some(hedge)) => Some(even.min(hedge)),
            (one, other) => one.or(other),
        }
    }

    /// Asks a source in a task of its own; `false` if it is not to be asked.
    fn ask_at_start(
        self: &Arc<Self>,
        begun: Instant,
        index: usize,
        source: &Arc<dyn SpecSource>,
        answers: &mpsc::UnboundedSender<bool>,
    ) -> bool {
        let mut attempt = SourceAttempt::pending(source.name(), begun.elapsed());
        let skipped = self.options.local_mode && source.kind() == SpecSourceKind::Network;
        if skipped {
            attempt.outcome = AttemptOutcome::Skipped("the network is switched off");
        }
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).push(attempt.clone());
        if skipped {
            return false;
        }
        let (inner, source, answers) = (Arc::clone(self), Arc::clone(source), answers.clone());
        self.spawn(async move {
            let ask = {
                let (inner, source) = (Arc::clone(&inner), Arc::clone(&source));
                let runtime = inner.runtime.clone();
                runtime.spawn(InOwnProcess::new(async move { inner.ask(&*source, SpecTrigger::Initial).await }))
            };
            let answer = ask.await.unwrap_or_else(|error| {
                if error.is_panic() {
                    inner.books.panicked(source.name());
                }
                Answer::failed(&SourceError::new(SourceErrorKind::Failing, "the source failed unexpectedly"))
            });
            let success = inner.store.holds_specs() && answer.outcome.is_success();
            attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
            (attempt.outcome, attempt.apply_duration, attempt.bytes) =
                (answer.outcome, answer.apply_duration, answer.bytes);
            if let Some(listed) = inner.attempts.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
                *listed = attempt;
            }
            let _ = answers.send(success);
        });
        true
    }

    /// Asks a source, and puts in force what it gives.
    pub(super) async fn ask(&self, source: &dyn SpecSource, trigger: SpecTrigger) -> Answer {
        let begun = Instant::now();
        let question = self.acceptor.question(&source.kind(), trigger);
        let request = SpecRequest::new(question.cursor.clone(), trigger);
        let _asking = self.books.asking(source.name());
        let fetched = tokio::select! {
            biased;
            () = self.ended() => {
                // Nobody's failure.
                return Answer::failed(&SourceError::new(SourceErrorKind::Disabled, "the client is shut down"));
            }
            fetched = source.fetch(&request) => fetched,
        };
        let answer = match fetched {
            Ok(SpecFetch::Updated(update)) => {
                let bytes = update.document.len();
                let judged = self.acceptor.accept(update, Way::Asked(trigger, question)).await;
                let outcome = match &judged.result {
                    Ok(outcome) => outcome_of(*outcome),
                    Err(error) => AttemptOutcome::failed(error),
                };
                Answer { outcome, apply_duration: judged.duration, bytes }
            }
            Ok(_) if request.cursor.time == 0 => {
                Answer::failed(&SourceError::new(SourceErrorKind::Empty, "the source says that nothing is new"))
            }
            Ok(SpecFetch::Behind) => {
                Answer { outcome: AttemptOutcome::Older, apply_duration: Duration::ZERO, bytes: 0 }
            }
            Ok(_) => {
                if source.kind() == SpecSourceKind::Network {
                    self.acceptor.nothing_new();
                }
                Answer { outcome: AttemptOutcome::Unchanged, apply_duration: Duration::ZERO, bytes: 0 }
            }
            Err(error) => Answer::failed(&error),
        };
        let trigger = match trigger {
            SpecTrigger::Initial => "initial",
            SpecTrigger::Background => "background",
            _ => "manual",
        };
        let asked = Asked { name: source.name(), kind: &source.kind(), trigger };
        self.books.note(asked, &answer.outcome, Some(begun.elapsed()));
        answer
    }
}

/// What became of a question.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: AttemptOutcome,
    pub(super) apply_duration: Duration,
    pub(super) bytes: usize,
}

impl Answer {
    fn failed(error: &SourceError) -> Self {
        Self { outcome: AttemptOutcome::failed(error), apply_duration: Duration::ZERO, bytes: 0 }
    }
}

pub(super) fn outcome_of(outcome: UpdateOutcome) -> AttemptOutcome {
    match outcome {
        UpdateOutcome::Applied => AttemptOutcome::Applied,
        UpdateOutcome::Older => AttemptOutcome::Older,
        _ => AttemptOutcome::Unchanged,
    }
}
