//! The first load: sources in order, or overlapping, within a time.
//!
//! One source is fetched from at a time; the next one as well when the one before fails, or takes longer than its
//! share. No fetch is cut off: the first answer that can be used ends the load, and a later one counts if it is newer.
//! With a hedge, the load waits a little for the fetches that have begun, and ends with the newest specs of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_background::{InOwnProcess, TaskSupervisor};
use statsig_core::{Reach, SourceError, SourceErrorKind, SpecSource, SpecTrigger};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fetcher::{FetchResult, Fetcher};
use super::outcome::{AttemptOutcome, SourceAttempt};
use crate::deadline;

/// Loads specs for the first time.
pub(super) struct InitialLoad {
    pub(super) sources: Vec<Arc<dyn SpecSource>>,
    pub(super) fetcher: Fetcher,
    pub(super) tasks: TaskSupervisor,
    pub(super) init_timeout: Option<Duration>,
    pub(super) hedge_after: Option<Duration>,
    /// Whether upstream sources are left out.
    pub(super) is_offline: bool,
    /// Fetches so far, in the order of the sources.
    pub(super) attempts: Arc<Mutex<Vec<SourceAttempt>>>,
}

fn locked(attempts: &Mutex<Vec<SourceAttempt>>) -> MutexGuard<'_, Vec<SourceAttempt>> {
    attempts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InitialLoad {
    /// Fetches from the sources until there are specs or all have failed.
    pub(super) async fn run(&self) {
        let begun = Instant::now();
        let (answers, mut answered) = mpsc::unbounded_channel();
        let mut waiting = 0_usize;
        let mut next = 0;
        loop {
            if next < self.sources.len() && self.begin_fetch(begun, next, &answers) {
                waiting += 1;
            }
            next += 1;
            // The last source may use the remaining time.
            let to_come = self.sources.len().saturating_sub(next);
            let share = if to_come > 0 { self.share(begun, to_come) } else { None };
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
                    () = self.fetcher.stop.stopped() => return,
                    Some(is_success) = answered.recv() => {
                        waiting -= 1;
                        if is_success {
                            return self.wait_for_newer(begun, waiting, answered).await;
                        }
                        if next < self.sources.len() {
                            break;
                        }
                    }
                    () = &mut overdue => break,
                }
            }
            if next >= self.sources.len() && waiting == 0 {
                return;
            }
        }
    }

    /// Waits for further answers, as long as the hedge is, and not for all the time that is left.
    async fn wait_for_newer(&self, begun: Instant, waiting: usize, mut answered: mpsc::UnboundedReceiver<bool>) {
        let Some(hedge) = self.hedge_after else { return };
        let left = self.init_timeout.map(|limit| limit.saturating_sub(begun.elapsed()));
        let hedge = left.map_or(hedge, |left| hedge.min(left / 2));
        let until = sleep_until(deadline::from_now(hedge));
        tokio::pin!(until);
        for _ in 0..waiting {
            tokio::select! {
                biased;
                () = self.fetcher.stop.stopped() => return,
                _ = answered.recv() => {}
                () = &mut until => return,
            }
        }
    }

    /// Returns the time until the next source is fetched from as well, with a number of sources to come.
    fn share(&self, begun: Instant, to_come: usize) -> Option<Duration> {
        let even = self.init_timeout.map(|limit| {
            let left = limit.saturating_sub(begun.elapsed());
            left / u32::try_from(to_come + 1).unwrap_or(u32::MAX)
        });
        match (even, self.hedge_after) {
            (Some(even), Some(hedge)) => Some(even.min(hedge)),
            (one, other) => one.or(other),
        }
    }

    /// Fetches from a source in a task of its own; returns `false` if the source is left out.
    fn begin_fetch(&self, begun: Instant, index: usize, answers: &mpsc::UnboundedSender<bool>) -> bool {
        let source = Arc::clone(&self.sources[index]);
        let mut attempt = SourceAttempt::pending(source.name(), begun.elapsed());
        let is_left_out = self.is_offline && source.reach() == Reach::Upstream;
        if is_left_out {
            attempt.outcome = AttemptOutcome::Skipped("the network is switched off");
        }
        locked(&self.attempts).push(attempt.clone());
        if is_left_out {
            return false;
        }
        let (fetcher, runtime) = (self.fetcher.clone(), self.tasks.runtime().clone());
        let (attempts, answers) = (Arc::clone(&self.attempts), answers.clone());
        self.tasks.spawn(async move {
            let fetch = {
                let (fetcher, source) = (fetcher.clone(), Arc::clone(&source));
                runtime.spawn(InOwnProcess::new(async move { fetcher.fetch(&*source, SpecTrigger::Initial).await }))
            };
            let result = fetch.await.unwrap_or_else(|error| {
                if error.is_panic() {
                    fetcher.stats.panicked(source.name());
                }
                FetchResult::failed(&SourceError::new(SourceErrorKind::Failing, "the source failed unexpectedly"))
            });
            let is_success = fetcher.acceptor.has_specs() && result.outcome.is_success();
            attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
            (attempt.outcome, attempt.apply_duration, attempt.bytes) =
                (result.outcome, result.apply_duration, result.bytes);
            if let Some(listed) = locked(&attempts).get_mut(index) {
                *listed = attempt;
            }
            let _ = answers.send(is_success);
        });
        true
    }
}
