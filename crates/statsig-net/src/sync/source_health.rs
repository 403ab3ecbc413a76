//! Health of sources, and the records behind it.

use std::time::Duration;

use statsig_core::Reach;
use tokio::time::Instant;

use super::outcome::AttemptOutcome;

/// Pause between two warnings about one failure that goes on.
const WARN_EVERY: Duration = Duration::from_secs(120);
/// How long an upstream source may answer with older specs only, until that is worth a warning.
const OLDER_LIMIT: Duration = Duration::from_secs(300);

/// Health of one source or stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SourceHealth {
    /// Name of the source.
    pub name: String,
    /// Number of fetches so far.
    pub questions: u64,
    /// Time since the last answer that can be used, with or without news.
    pub last_success: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure, without secrets; `None` after a success.
    pub last_error: Option<String>,
    /// Time since the oldest fetch without an answer began, with all its attempts: a source that hangs shows here
    /// first. `None` if there is none.
    pub asking_for: Option<Duration>,
    /// Time since the last failure, also after a success; `None` if there was none.
    pub last_failure: Option<Duration>,
    /// Time until a poll may fetch from it again; `None` if it is not polled. A stream or a call may be sooner, and a
    /// source earlier in the list may make it needless.
    pub next_attempt: Option<Duration>,
    /// Time since the source began to answer only with specs older than the current ones; `None` if its last answer was
    /// not older.
    pub older_for: Option<Duration>,
    /// Whether an upstream source has answered only with older specs for 5 minutes: a proxy that is not kept up to date,
    /// or the address of another environment.
    pub is_behind: bool,
}

/// Records of one source or stream.
#[derive(Debug)]
pub(super) struct SourceRecord {
    health: SourceHealth,
    /// Beginnings of the fetches that have no answer yet.
    fetching: Vec<Instant>,
    succeeded: Option<Instant>,
    failed: Option<Instant>,
    /// Time of the last warning.
    warned: Option<Instant>,
    /// Whether a warning was logged, and no recovery.
    is_in_trouble: bool,
    older_since: Option<Instant>,
}

impl SourceRecord {
    pub(super) fn new(name: &str) -> Self {
        Self {
            health: SourceHealth { name: name.to_owned(), ..SourceHealth::default() },
            fetching: Vec::new(),
            succeeded: None,
            failed: None,
            warned: None,
            is_in_trouble: false,
            older_since: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.health.name
    }

    pub(super) fn fetch_begins(&mut self, now: Instant) {
        self.fetching.push(now);
    }

    pub(super) fn fetch_ends(&mut self, begun: Instant) {
        if let Some(at) = self.fetching.iter().position(|since| *since == begun) {
            self.fetching.swap_remove(at);
        }
    }

    /// Records an outcome; returns a message if it is worth a warning, which is logged here.
    pub(super) fn note(&mut self, reach: Reach, outcome: &AttemptOutcome, now: Instant) -> Option<String> {
        self.health.questions += 1;
        match outcome {
            AttemptOutcome::Failed { error, .. } => self.note_failure(error, now),
            AttemptOutcome::Pending | AttemptOutcome::Skipped(_) => None,
            AttemptOutcome::Older => {
                self.note_success(now);
                self.note_older(reach, now)
            }
            _ => {
                self.note_success(now);
                if std::mem::take(&mut self.health.is_behind) {
                    tracing::info!(source = self.name(), "source serves current config specs again");
                }
                self.older_since = None;
                None
            }
        }
    }

    fn note_failure(&mut self, error: &str, now: Instant) -> Option<String> {
        let health = &mut self.health;
        health.failures = health.failures.saturating_add(1);
        health.last_error = Some(error.to_owned());
        self.failed = Some(now);
        let (source, failures) = (&*health.name, health.failures);
        if self.warned.is_some_and(|warned| now.duration_since(warned) < WARN_EVERY) {
            tracing::debug!(source, error, failures, "failed to synchronise config specs");
            return None;
        }
        (self.warned, self.is_in_trouble) = (Some(now), true);
        tracing::warn!(source, error, failures, "failed to synchronise config specs");
        Some(format!("{source}: {error}"))
    }

    fn note_success(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_in_trouble) {
            let failures = self.health.failures;
            tracing::info!(source = self.name(), failures, "config specs are synchronised again");
        }
        (self.health.failures, self.health.last_error) = (0, None);
        self.succeeded = Some(now);
    }

    /// Records specs older than the current ones; an upstream source gets one warning after [`OLDER_LIMIT`].
    fn note_older(&mut self, reach: Reach, now: Instant) -> Option<String> {
        let since = *self.older_since.get_or_insert(now);
        let older_for = now.duration_since(since);
        if reach != Reach::Upstream || older_for < OLDER_LIMIT || self.health.is_behind {
            return None;
        }
        self.health.is_behind = true;
        let (source, seconds) = (self.name(), older_for.as_secs());
        tracing::warn!(
            source,
            seconds,
            "source serves only config specs older than the current ones; the client keeps the newer ones"
        );
        Some(format!("{source}: only config specs older than the current ones for {seconds} s"))
    }

    /// Returns the health as of now.
    pub(super) fn health(&self, now: Instant, next_attempt: Option<Duration>) -> SourceHealth {
        SourceHealth {
            last_success: self.succeeded.map(|at| now.duration_since(at)),
            asking_for: self.fetching.iter().min().map(|since| now.duration_since(*since)),
            last_failure: self.failed.map(|at| now.duration_since(at)),
            older_for: self.older_since.map(|since| now.duration_since(since)),
            next_attempt,
            ..self.health.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_source_that_is_behind_for_five_minutes_is_reported_once() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut record = SourceRecord::new("network");
        let older = |record: &mut SourceRecord, seconds| {
            record.note(Reach::Upstream, &AttemptOutcome::Older, at(seconds)).is_some()
        };
        assert!(!older(&mut record, 0) && !older(&mut record, 299));
        assert!(!record.health(at(299), None).is_behind);
        assert!(older(&mut record, 300), "worth a warning");
        assert!(!older(&mut record, 310) && !older(&mut record, 5_000), "only one");
        let health = record.health(at(5_000), None);
        assert_eq!((health.is_behind, health.older_for), (true, Some(Duration::from_secs(5_000))));
        assert_eq!(health.failures, 0);
        // A failure in between changes nothing; a current answer ends it.
        let failed = AttemptOutcome::Skipped("off");
        record.note(Reach::Upstream, &failed, at(5_001));
        assert!(record.health(at(5_001), None).is_behind);
        record.note(Reach::Upstream, &AttemptOutcome::Unchanged, at(5_002));
        let health = record.health(at(5_002), None);
        assert_eq!((health.is_behind, health.older_for), (false, None));
        assert!(!older(&mut record, 5_003) && older(&mut record, 5_303), "it counts from the beginning again");
    }

    #[test]
    fn a_store_that_is_behind_is_no_reason_for_a_warning() {
        let begin = Instant::now();
        let mut record = SourceRecord::new("data-store");
        for seconds in [0, 1_000, 2_000] {
            let now = begin + Duration::from_secs(seconds);
            assert_eq!(record.note(Reach::Shared, &AttemptOutcome::Older, now), None);
            assert!(!record.health(now, None).is_behind);
        }
    }
}
