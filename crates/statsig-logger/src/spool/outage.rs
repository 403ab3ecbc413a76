//! Reasons why a spool is not open.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

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

/// An error with its causes, cut at a length that fits a log line.
pub(crate) fn text_of(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let separator = if text.is_empty() { "" } else { ": " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{error}");
        next = error.source();
    }
    match text.char_indices().nth(MOST_ERROR_CHARS) {
        Some((at, _)) => text.split_at(at).0.to_owned(),
        None => text,
    }
}
