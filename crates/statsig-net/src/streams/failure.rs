//! Failures of streams as typed errors.

use std::time::Duration;

use statsig_core::{SourceError, SourceErrorKind};

use crate::error::Error;
use crate::mask::mask;

/// Pause after an answer that the peer has no such stream: a new version of it may have one.
pub(super) const NO_SUCH_STREAM_PAUSE: Duration = Duration::from_secs(600);
/// Characters of a peer's text that are shown.
const SHOWN_CHARS: usize = 200;

/// Returns a peer's text for an error: in one line, bounded, without secrets.
pub(super) fn foreign(text: &str) -> String {
    // Bounded before it is searched, with room for a secret that crosses the limit.
    let beginning: String = text.chars().take(4 * SHOWN_CHARS).collect();
    mask(&beginning).chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect()
}

/// Returns the error of a subscription or a fetch.
///
/// A certificate file that cannot be used may be about to be replaced: the peer counts as unreachable, and is tried
/// again. Never is less encryption used than configured.
pub(super) fn source_error(error: Error) -> SourceError {
    match error {
        Error::File { .. } | Error::Tls { .. } | Error::Client(_) => {
            SourceError::new(SourceErrorKind::Unreachable, error)
        }
        Error::Status { status: 404 | 405 | 426 | 501, retry_after, .. } => {
            SourceError::new(SourceErrorKind::Refused, error)
                .with_retry_after(Some(retry_after.unwrap_or(NO_SUCH_STREAM_PAUSE)))
        }
        Error::Status { status: 429, retry_after, .. } => {
            SourceError::new(SourceErrorKind::Failing, error).with_retry_after(retry_after)
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<u64>) -> SourceError {
        let retry_after = retry_after.map(Duration::from_secs);
        source_error(Error::Status { host: "proxy".into(), status, sample: String::new(), retry_after })
    }

    #[test]
    fn refusals_have_kinds_and_pauses() {
        for (code, asked, kind, pause) in [
            (400, None, SourceErrorKind::Refused, None),
            (401, None, SourceErrorKind::Refused, None),
            (403, None, SourceErrorKind::Refused, None),
            (404, None, SourceErrorKind::Refused, Some(600)),
            (426, Some(7), SourceErrorKind::Refused, Some(7)),
            (429, Some(7), SourceErrorKind::Failing, Some(7)),
            (503, Some(7), SourceErrorKind::Failing, Some(7)),
            (500, None, SourceErrorKind::Failing, None),
        ] {
            let error = status(code, asked);
            assert_eq!((error.kind(), error.retry_after()), (kind, pause.map(Duration::from_secs)), "{code}");
            assert_eq!(error.is_retryable(), kind == SourceErrorKind::Failing, "{code}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_tried_again() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = source_error(Error::File { path: "ca.pem".into(), source });
        assert!(error.kind() == SourceErrorKind::Unreachable && error.is_retryable());
    }

    #[test]
    fn foreign_text_is_bounded_masked_and_in_one_line() {
        let text = foreign(&format!("a\nb secret-AbCdEfGhIjKlMn {}", "x".repeat(5_000)));
        assert!(text.starts_with("a b secret-*****") && text.chars().count() == 200, "{text}");
    }
}
