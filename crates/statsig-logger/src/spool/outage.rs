//! Reasons why a spool is not open.

use std::error::Error;
use std::time::Duration;

use statsig_background::{error_chain, truncated};

/// Longest text of an error.
const MOST_ERROR_CHARS: usize = 200;

/// Reason why a spool could not be opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolOutage {
    /// The last error with its causes, at most 200 characters.
    pub error: String,
    /// Time from that error to the next try.
    pub retry_after: Duration,
}

/// Returns an error with its causes, cut at a length that fits a log line.
pub(crate) fn text_of(error: &(dyn Error + 'static)) -> String {
    truncated(&error_chain(error), MOST_ERROR_CHARS)
}
