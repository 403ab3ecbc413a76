//! Health of the synchronisation of ID lists.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::options::IdListReport;

/// Pause between two warnings about lists that go on failing.
const WARN_EVERY: Duration = Duration::from_secs(120);

/// Health of an [`IdListSync`](super::IdListSync).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListHealth {
    /// Result of the last round; all empty before the first.
    pub last_round: IdListReport,
    /// What the last round failed at: the manifest, or the first failing list with the reason. Without secrets; `None`
    /// once every list is up to date.
    pub error: Option<String>,
    /// Time since the last round that failed. It stays when later rounds succeed.
    pub last_failure: Option<Duration>,
    /// Lists that fail, by name; the first 100.
    pub failing: Vec<FailingIdList>,
    /// Time since a round last brought every list up to date.
    pub last_success: Option<Duration>,
    /// Rounds in a row that did not.
    pub failures: u32,
    /// Time until the next round, which tries again what failed; zero while a round is under way. `None` before the
    /// first pause, and after a shutdown.
    pub next_round: Option<Duration>,
    /// Number of lists.
    pub lists: usize,
    /// Whether rounds go on; not so after a shutdown.
    pub running: bool,
    /// Rounds that panicked; the next one comes all the same.
    pub restarts: u64,
}

/// A list that cannot be brought up to date. It stays as it is until a round succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailingIdList {
    /// Its name.
    pub name: String,
    /// The reason, as of the last round.
    pub error: String,
    /// Rounds in a row that failed for this list.
    pub failures: u32,
    /// Time since the first of them.
    pub since: Duration,
}

/// Notes about rounds.
#[derive(Debug, Default)]
pub(super) struct RoundLog {
    last: IdListReport,
    succeeded: Option<Instant>,
    failed: Option<Instant>,
    failures: u32,
    /// Failing lists: rounds in a row, and the first of them.
    failing: BTreeMap<String, (u32, Instant)>,
    warned: Option<Instant>,
    pub(super) next: Option<Instant>,
    pub(super) restarts: u64,
}

impl RoundLog {
    /// Notes the result of a round, and logs it: one warning at first and every two minutes while rounds fail.
    pub(super) fn note(&mut self, report: &IdListReport) {
        let now = Instant::now();
        let mut failing = std::mem::take(&mut self.failing);
        if report.success {
            for (name, reason) in &report.failed {
                let (failures, since) = failing.remove(name).unwrap_or((0, now));
                tracing::debug!(list = name, error = reason, failures = failures + 1, "failed to update an ID list");
                self.failing.insert(name.clone(), (failures.saturating_add(1), since));
            }
        } else {
            // Nothing is known about single lists.
            self.failing = failing;
        }
        for (list, problem) in report.problems.iter().filter(|noted| !self.last.problems.contains(noted)) {
            tracing::warn!(list, problem, "an ID list has a problem");
        }
        match report.summary() {
            Some(error) => {
                self.failures = self.failures.saturating_add(1);
                self.failed = Some(now);
                if self.warned.is_none_or(|warned| now.duration_since(warned) >= WARN_EVERY) {
                    self.warned = Some(now);
                    let (failures, lists) = (self.failures, report.failed_count);
                    tracing::warn!(error, failures, lists, "failed to update ID lists; they stay as they are");
                }
            }
            None => {
                if self.warned.take().is_some() {
                    tracing::info!(after = self.failures, "ID lists are up to date again");
                }
                (self.succeeded, self.failures) = (Some(now), 0);
            }
        }
        self.last.clone_from(report);
    }

    /// Returns whether the last round left a file unfinished, and got further with it.
    pub(super) fn has_unfinished(&self) -> bool {
        self.last.unfinished > 0
    }

    /// Health as of now.
    pub(super) fn health(&self, lists: usize, running: bool) -> IdListHealth {
        let reasons: BTreeMap<&str, &str> =
            self.last.failed.iter().map(|(name, reason)| (&**name, &**reason)).collect();
        let failing = self.failing.iter().map(|(name, (failures, since))| FailingIdList {
            name: name.clone(),
            error: reasons.get(&**name).copied().unwrap_or("no manifest of ID lists").to_owned(),
            failures: *failures,
            since: since.elapsed(),
        });
        IdListHealth {
            error: self.last.summary(),
            last_failure: self.failed.map(|at| at.elapsed()),
            failing: failing.collect(),
            last_success: self.succeeded.map(|at| at.elapsed()),
            failures: self.failures,
            next_round: self.next.filter(|_| running).map(|at| at.saturating_duration_since(Instant::now())),
            lists,
            running,
            restarts: self.restarts,
            last_round: self.last.clone(),
        }
    }
}
