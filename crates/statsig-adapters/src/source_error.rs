//! Why a source gave nothing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What kind of trouble a source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// It cannot be reached: no connection, no such host, a broken TLS handshake, a cut answer.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It answers that something is wrong with itself.
    Failing,
    /// It refuses the request: a wrong key, say.
    Refused,
    /// It has nothing.
    Empty,
    /// What it has cannot be used.
    Invalid,
    /// It was set up wrongly; no request was made.
    Misconfigured,
    /// The client is shut down, or must not use the network.
    Disabled,
}

impl SourceErrorKind {
    /// A short name in lower case with dashes, for tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Failing => "failing",
            Self::Refused => "refused",
            Self::Empty => "empty",
            Self::Invalid => "invalid",
            Self::Misconfigured => "misconfigured",
            Self::Disabled => "disabled",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "the source cannot be reached",
            Self::TimedOut => "the source did not answer in time",
            Self::Failing => "the source fails",
            Self::Refused => "the source refuses the request",
            Self::Empty => "the source has nothing",
            Self::Invalid => "what the source has cannot be used",
            Self::Misconfigured => "the source is misconfigured",
            Self::Disabled => "the source is switched off",
        }
    }
}

impl fmt::Display for SourceErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a source of specs or of ID lists gave nothing.
///
/// The texts of the error and of its sources go to logs and reports: no secret, and nothing of a
/// document but a short sample.
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    retryable: bool,
    retry_after: Option<Duration>,
    reason: Box<dyn Error + Send + Sync>,
}

impl SourceError {
    /// An error of a kind. It is retryable if the kind is something that seconds can heal: the
    /// source is unreachable, late or failing.
    #[must_use]
    pub fn new(kind: SourceErrorKind, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        use SourceErrorKind::{Failing, TimedOut, Unreachable};
        let retryable = matches!(kind, Unreachable | TimedOut | Failing);
        Self { kind, retryable, retry_after: None, reason: reason.into() }
    }

    /// The same error, worth another attempt soon or not.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The same error, with how long the source asks to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// Returns the cause, to be told apart by its type.
    #[must_use]
    pub fn into_reason(self) -> Box<dyn Error + Send + Sync> {
        self.reason
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    /// Whether the same request may succeed within seconds. One that is not retryable is made
    /// again all the same when the next regular poll is due: keys get enabled, files get written.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// How long the source asks to be left alone, if it does. Whoever waits puts a limit on it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_seconds_can_heal_are_retryable() {
        use SourceErrorKind::*;
        for kind in [Unreachable, TimedOut, Failing, Refused, Empty, Invalid, Misconfigured, Disabled] {
            let error = SourceError::new(kind, "because");
            assert_eq!(error.is_retryable(), matches!(kind, Unreachable | TimedOut | Failing), "{kind}");
            assert_eq!(error.source().unwrap().to_string(), "because");
            assert_eq!(error.retry_after(), None);
        }
        let busy =
            SourceError::new(Refused, "busy").with_retryable(true).with_retry_after(Some(Duration::from_secs(3)));
        assert!(busy.is_retryable() && busy.retry_after() == Some(Duration::from_secs(3)));
    }
}
