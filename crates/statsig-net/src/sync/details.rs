//! What `initialize` tells.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Snapshot, SourceError, SourceErrorKind, SpecSourceKind};
use tokio::time::{Instant, sleep_until};

use super::Inner;
use super::poll::SyncReport;
use crate::deadline;
use crate::secret::chain_of;

/// What became of a question to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It gave specs that are in force now.
    Applied,
    /// It has nothing newer than what is in force.
    Unchanged,
    /// What it has is older than what is in force.
    Older,
    /// It has not answered yet, and others are asked.
    Pending,
    /// It gave nothing that can be used.
    Failed {
        /// What kind of trouble it is.
        kind: SourceErrorKind,
        /// The error and its causes in one line, without secrets.
        error: String,
        /// Whether seconds may heal it.
        retryable: bool,
        /// How long the source asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It was not asked, for this reason.
    Skipped(&'static str),
}

impl AttemptOutcome {
    pub(super) fn failed(error: &SourceError) -> Self {
        Self::Failed {
            kind: error.kind(),
            error: chain_of(error),
            retryable: error.is_retryable(),
            retry_after: error.retry_after(),
        }
    }

    /// Whether the source was reached and has nothing that cannot be used.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged | Self::Older)
    }

    /// The outcome in a word, and the kind of the failure: for metrics.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Applied => ("applied", "none"),
            Self::Unchanged => ("unchanged", "none"),
            Self::Older => ("older", "none"),
            Self::Pending => ("pending", "none"),
            Self::Skipped(_) => ("skipped", "none"),
            Self::Failed { kind, .. } => ("failed", kind.as_str()),
        }
    }

    /// Returns what went wrong, or that there is no answer yet; `None` for a success.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Pending => Some("no answer yet; the source is still being asked"),
            Self::Skipped(why) => Some(why),
            _ => None,
        }
    }

    /// Returns the error of a source that answered, or was given up.
    fn failure(&self) -> Option<&str> {
        if matches!(self, Self::Failed { .. }) { self.error() } else { None }
    }
}

/// A question to a source, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceAttempt {
    /// The source's name.
    pub source: String,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// When it was asked, measured from the beginning.
    pub started_after: Duration,
    /// How long it took, from the question to specs in force; until now if there is no answer yet.
    pub duration: Duration,
    /// How much of that it took to judge, decode and compile.
    pub apply_duration: Duration,
    /// Size of the document in bytes, transfer compression undone.
    pub bytes: usize,
}

impl SourceAttempt {
    /// No source was asked, for this reason.
    fn none(why: &'static str) -> Self {
        Self { outcome: AttemptOutcome::Skipped(why), ..Self::pending("all", Duration::ZERO) }
    }

    pub(super) fn pending(source: &str, started_after: Duration) -> Self {
        Self {
            source: source.to_owned(),
            outcome: AttemptOutcome::Pending,
            started_after,
            duration: Duration::ZERO,
            apply_duration: Duration::ZERO,
            bytes: 0,
        }
    }
}

/// How the first load went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InitializeDetails {
    /// How long `initialize` took.
    pub duration: Duration,
    /// Whether everything runs: not so if the time was up, or the client was shut down before. Says
    /// nothing about specs.
    pub init_success: bool,
    /// Whether there are specs.
    pub is_config_spec_ready: bool,
    /// Whether there are ID lists; `None` where nobody asked for them.
    pub is_id_list_ready: Option<bool>,
    /// Whether the time was up; loading goes on then.
    pub timed_out: bool,
    /// Where the specs in force came from.
    pub source: SpecSourceKind,
    /// The address, or the place, that they came from.
    pub source_api: Option<Arc<str>>,
    /// When the project last changed, as far as the specs in force know, in milliseconds since 1970.
    pub specs_time: u64,
    /// How long ago the specs in force were known to be the latest, when `initialize` returned: the same as
    /// [`SyncHealth::data_age`](super::SyncHealth::data_age). `None` without specs, and where nobody knows: for a
    /// bootstrap document or a data store, until the network is reached.
    pub data_age: Option<Duration>,
    /// Whether the fallback was asked.
    pub fallback_spec_used: bool,
    /// The last error, also where a later source did better. Where the time was up and no source failed: which ones did
    /// not answer.
    pub error: Option<String>,
    /// Every source that was asked, in order.
    pub attempts: Vec<SourceAttempt>,
}

impl InitializeDetails {
    /// The details of a client that has nothing to load: what it holds is all that there will be.
    #[must_use]
    pub fn without_sources(snapshot: &Snapshot) -> Self {
        let ready = snapshot.source().has_values();
        Self {
            init_success: true,
            is_config_spec_ready: ready,
            source: snapshot.source().clone(),
            specs_time: snapshot.ruleset().meta().time,
            ..Self::default()
        }
    }

    /// The details of a load that was not begun, for this reason: of a client that a forked child has
    /// inherited, for instance.
    #[must_use]
    pub fn not_asked(snapshot: &Snapshot, why: &'static str) -> Self {
        Self {
            is_config_spec_ready: snapshot.source().has_values(),
            source: snapshot.source().clone(),
            specs_time: snapshot.ruleset().meta().time,
            error: Some(why.to_owned()),
            attempts: vec![SourceAttempt::none(why)],
            ..Self::default()
        }
    }
}

impl SyncReport {
    /// The report of a round in which no source was asked, for this reason.
    #[must_use]
    pub fn not_asked(why: &'static str) -> Self {
        Self { attempts: vec![SourceAttempt::none(why)], ..Self::default() }
    }
}

impl Inner {
    /// Tells the observer what `initialize` tells the application, and when it does.
    pub(super) async fn tell_how_it_began(self: Arc<Self>, begun: Instant) {
        let mut initialized = self.initialized.subscribe();
        let limit = self.options.init_timeout;
        let details = tokio::select! {
            biased;
            Ok(details) = initialized.wait_for(Option::is_some) => details.clone(),
            () = self.ended() => None,
            () = async { sleep_until(deadline::after(begun, limit.unwrap_or_default())).await }, if limit.is_some() => {
                Some(self.details(begun, true))
            }
        };
        self.books.metrics.initialization(&details.unwrap_or_else(|| self.details(begun, false)));
    }

    /// The details as of now.
    pub(super) fn details(&self, begun: Instant, timed_out: bool) -> InitializeDetails {
        let mut attempts = self.attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        for attempt in attempts.iter_mut().filter(|attempt| attempt.outcome == AttemptOutcome::Pending) {
            attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
        }
        let snapshot = self.store.load_full();
        let ready = self.store.holds_specs();
        // The attempts are those of the sources at start, in their order.
        let asked = attempts.iter().zip(self.sources.at_start());
        let fallback_spec_used = asked
            .filter(|(attempt, _)| !matches!(attempt.outcome, AttemptOutcome::Skipped(_)))
            .any(|(_, (_, is_fallback))| is_fallback);
        InitializeDetails {
            duration: begun.elapsed(),
            init_success: !timed_out && !self.is_ending(),
            is_config_spec_ready: ready,
            is_id_list_ready: None,
            timed_out,
            source: snapshot.source().clone(),
            source_api: self.acceptor.origin(),
            specs_time: snapshot.ruleset().meta().time,
            data_age: self.data_age(),
            fallback_spec_used,
            error: last_error(&attempts, timed_out),
            attempts,
        }
    }
}

/// Returns the last error of some attempts, or which sources did not answer in time.
fn last_error(attempts: &[SourceAttempt], timed_out: bool) -> Option<String> {
    let failed = attempts.iter().rev().find_map(|attempt| attempt.outcome.failure().map(str::to_owned));
    if failed.is_some() || !timed_out {
        return failed;
    }
    let late = attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Pending);
    let late: Vec<String> = late
        .map(|attempt| format!("{} did not answer within {:.1} s", attempt.source, attempt.duration.as_secs_f64()))
        .collect();
    (!late.is_empty()).then(|| late.join("; "))
}
