//! Statistics of the synchronisation: contacts, outcomes, writes, panics.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::Reach;
use tokio::sync::watch;
use tokio::time::Instant;

use super::outcome::AttemptOutcome;
use super::persist_health::{PersistHealth, PersistLog};
use super::source_health::{SourceHealth, SourceRecord};
use crate::metrics::{Metrics, SyncLabels};

/// Counts of a [`SpecSync`](crate::SpecSync).
#[derive(Debug, Clone, Default)]
pub(super) struct SyncCounts {
    pub(super) last_contact: Option<Instant>,
    pub(super) last_upstream_contact: Option<Instant>,
    pub(super) last_update: Option<Instant>,
    pub(super) failures: u32,
    pub(super) last_error: Option<String>,
    pub(super) questions: u64,
    pub(super) applied: u64,
    pub(super) older: u64,
    pub(super) kept: (u64, u64),
    pub(super) panics: u64,
}

/// Statistics that all parts of the engine record.
pub(super) struct SyncStats {
    records: Mutex<SyncRecords>,
    /// Reported to without the lock on the records.
    metrics: Metrics,
    /// Counts successful contacts with sources.
    contacts: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct SyncRecords {
    counts: SyncCounts,
    sources: Vec<SourceRecord>,
    persistence: Vec<PersistLog>,
}

impl SyncRecords {
    fn source(&mut self, name: &str) -> &mut SourceRecord {
        let at = self.sources.iter().position(|source| source.name() == name).unwrap_or_else(|| {
            self.sources.push(SourceRecord::new(name));
            self.sources.len() - 1
        });
        &mut self.sources[at]
    }
}

/// A fetch that has no answer yet; ends when dropped.
pub(super) struct FetchInProgress<'a> {
    stats: &'a SyncStats,
    source: &'a str,
    since: Instant,
}

impl Drop for FetchInProgress<'_> {
    fn drop(&mut self) {
        self.stats.records().source(self.source).fetch_ends(self.since);
    }
}

impl SyncStats {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { records: Mutex::default(), metrics, contacts: watch::Sender::new(0) }
    }

    fn records(&self) -> MutexGuard<'_, SyncRecords> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Records a fetch, until the returned value is dropped.
    pub(super) fn fetch_begins<'a>(&'a self, source: &'a str) -> FetchInProgress<'a> {
        let since = Instant::now();
        self.records().source(source).fetch_begins(since);
        FetchInProgress { stats: self, source, since }
    }

    /// Records the outcome of a fetch, or of what a stream brought, and its duration.
    ///
    /// The client's own earlier copy proves no contact.
    pub(super) fn note(
        &self,
        labels: SyncLabels<'_>,
        is_own_copy: bool,
        outcome: &AttemptOutcome,
        duration: Option<Duration>,
    ) {
        let (word, kind) = outcome.words();
        self.metrics.sync(labels, word, kind, duration);
        let (warning, is_contact) = {
            let mut records = self.records();
            records.counts.note(labels, is_own_copy, outcome);
            (records.source(labels.name).note(labels.reach, outcome, Instant::now()), outcome.is_success())
        };
        if is_contact {
            self.notify_waiters();
        }
        if let Some(message) = warning {
            self.metrics.error("statsig::config_sync", &message);
        }
    }

    /// Wakes those who wait for a contact: one came, or one will never come.
    pub(super) fn notify_waiters(&self) {
        self.contacts.send_modify(|contacts| *contacts += 1);
    }

    /// Follows contacts.
    pub(super) fn contacts(&self) -> watch::Receiver<u64> {
        self.contacts.subscribe()
    }

    /// Records a write of an accepted payload, or why it failed and when it is repeated.
    pub(super) fn persisted(&self, place: &'static str, written: Result<(), &str>, retry_after: Option<Duration>) {
        {
            let mut records = self.records();
            match written {
                Ok(()) => records.counts.kept.0 += 1,
                Err(_) => records.counts.kept.1 += 1,
            }
            let at = records.persistence.iter().position(|log| log.place() == place).unwrap_or_else(|| {
                records.persistence.push(PersistLog::new(place));
                records.persistence.len() - 1
            });
            records.persistence[at].note(written, retry_after);
        }
        self.metrics.kept(place, written.is_ok());
    }

    /// Records a panic of a source.
    pub(super) fn panicked(&self, source: &str) {
        self.records().counts.panics += 1;
        self.metrics.panicked(source);
    }

    pub(super) fn counts(&self) -> SyncCounts {
        self.records().counts.clone()
    }

    pub(super) fn last_upstream_contact(&self) -> Option<Instant> {
        self.records().counts.last_upstream_contact
    }

    pub(super) fn last_contact(&self) -> Option<Instant> {
        self.records().counts.last_contact
    }

    /// Returns the health of each source; `next_attempt` returns the time until a source is polled, by its name.
    pub(super) fn sources(&self, next_attempt: impl Fn(&str) -> Option<Duration>) -> Vec<SourceHealth> {
        let now = Instant::now();
        let records = self.records();
        records.sources.iter().map(|source| source.health(now, next_attempt(source.name()))).collect()
    }

    pub(super) fn persistence(&self) -> Vec<PersistHealth> {
        self.records().persistence.iter().map(PersistLog::health).collect()
    }
}

impl SyncCounts {
    fn note(&mut self, labels: SyncLabels<'_>, is_own_copy: bool, outcome: &AttemptOutcome) {
        let now = Instant::now();
        self.questions += 1;
        match outcome {
            AttemptOutcome::Failed { error, .. } => {
                self.failures = self.failures.saturating_add(1);
                self.last_error = Some(format!("{}: {error}", labels.name));
            }
            AttemptOutcome::Pending | AttemptOutcome::Skipped(_) => {}
            success => {
                (self.failures, self.last_error) = (0, None);
                if !is_own_copy {
                    self.last_contact = Some(now);
                }
                if labels.reach == Reach::Upstream {
                    self.last_upstream_contact = Some(now);
                }
                match success {
                    AttemptOutcome::Applied => {
                        self.applied += 1;
                        self.last_update = Some(now);
                    }
                    AttemptOutcome::Older => self.older += 1,
                    _ => {}
                }
            }
        }
    }
}
