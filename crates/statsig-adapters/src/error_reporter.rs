//! Where the client's own errors are reported.

use async_trait::async_trait;

use super::SinkError;

/// An error of the client's own, in the terms of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReport {
    /// What happened: `statsig::log_event_failed` (batches were given up) or
    /// `statsig::log_event_dropped_event_count` (events were dropped at overload).
    pub tag: &'static str,
    /// One line for people; no user data, no secret.
    pub message: String,
    /// Details by name.
    pub extra: Vec<(&'static str, String)>,
}

impl ErrorReport {
    /// A report without details.
    #[must_use]
    pub fn new(tag: &'static str, message: impl Into<String>) -> Self {
        Self { tag, message: message.into(), extra: Vec::new() }
    }

    /// The same report with one more detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.extra.push((name, value.to_string()));
        self
    }
}

/// Reports errors of the client to the project's vendor or to the application's own monitoring
/// (`docs/protocol/events.md#error-reports`).
///
/// Called from a background task, rarely. A report that fails is not repeated. Nothing is reported
/// unless the application sets a reporter.
#[async_trait]
pub trait ErrorReporter: Send + Sync {
    /// Makes one attempt to report an error. Must end in bounded time.
    ///
    /// # Errors
    /// If it was not delivered. The text goes to logs: no secret.
    async fn report(&self, report: &ErrorReport) -> Result<(), SinkError>;
}
