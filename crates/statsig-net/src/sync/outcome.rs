//! Outcomes of fetches and of cycles of fetches.

use std::time::Duration;

use statsig_core::{Admission, SourceError, SourceErrorKind};

use crate::secret::chain_of;

/// Outcome of one fetch from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The source returned specs that are current now.
    Applied,
    /// The source has nothing newer than the current specs.
    Unchanged,
    /// The specs of the source are older than the current ones.
    Older,
    /// The source has not answered yet, and other sources are fetched from.
    Pending,
    /// The source returned nothing that can be used.
    Failed {
        /// Kind of the failure.
        kind: SourceErrorKind,
        /// The error and its causes in one line, without secrets.
        error: String,
        /// Whether the failure may end within seconds.
        retryable: bool,
        /// Pause that the source asks for.
        retry_after: Option<Duration>,
    },
    /// Nothing was fetched, for this reason.
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

    pub(super) fn of(admission: &Admission) -> Self {
        match admission {
            Admission::Applied(_) => Self::Applied,
            Admission::Older(_) => Self::Older,
            Admission::Rejected(rejection) => Self::failed(&rejection.error),
            _ => Self::Unchanged,
        }
    }

    /// Returns whether the source was reached and returned nothing that cannot be used.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged | Self::Older)
    }

    /// Returns the outcome in a word, and the kind of the failure, for metrics.
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

    /// Returns the failure, or that there is no answer yet; `None` for a success.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Pending => Some("no answer yet; the source is still being asked"),
            Self::Skipped(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns the error of a source that answered, or was given up.
    pub(super) fn failure(&self) -> Option<&str> {
        if matches!(self, Self::Failed { .. }) { self.error() } else { None }
    }
}

/// One fetch from a source, with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceAttempt {
    /// Name of the source.
    pub source: String,
    /// Outcome of the fetch.
    pub outcome: AttemptOutcome,
    /// Time from the beginning of the load or cycle to the fetch.
    pub started_after: Duration,
    /// Time from the fetch to current specs; until now if there is no answer yet.
    pub duration: Duration,
    /// Part of it that decoding, compiling and judging took.
    pub apply_duration: Duration,
    /// Size of the payload in bytes, with the compression of the transfer removed.
    pub bytes: usize,
}

impl SourceAttempt {
    /// Returns the entry of a load or cycle without fetches, with the reason.
    pub(super) fn none(reason: &'static str) -> Self {
        Self { outcome: AttemptOutcome::Skipped(reason), ..Self::pending("all", Duration::ZERO) }
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

/// Report of one cycle of fetches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SyncReport {
    /// Whether new specs became current.
    pub updated: bool,
    /// Whether a source was reached and returned nothing that cannot be used.
    pub success: bool,
    /// The fetches, in order.
    pub attempts: Vec<SourceAttempt>,
}

impl SyncReport {
    /// Returns the report of a cycle without fetches, with the reason.
    #[must_use]
    pub fn not_asked(reason: &'static str) -> Self {
        Self { attempts: vec![SourceAttempt::none(reason)], ..Self::default() }
    }

    pub(super) fn push(&mut self, attempt: SourceAttempt) {
        self.updated |= attempt.outcome == AttemptOutcome::Applied;
        self.success |= attempt.outcome.is_success();
        self.attempts.push(attempt);
    }
}
