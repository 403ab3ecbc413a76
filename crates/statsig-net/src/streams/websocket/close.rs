//! Ends of a connection as typed results.

use statsig_core::{SourceError, SourceErrorKind};

use super::super::failure::foreign;

/// Returns the result of a subscription that the peer closed with a code.
///
/// | code | result |
/// | --- | --- |
/// | 1000, 1001, 1012, none | end in good order |
/// | 1002, 1003, 1007, 1008, 1009 | invalid |
/// | 1013, 1011, others | failing |
/// | 4400, 4401, 4403 | refused |
/// | 4408 | timed out |
pub(super) fn result(code: Option<u16>, reason: &str, host: &str) -> Result<(), SourceError> {
    let (kind, name) = match code {
        None | Some(1000 | 1001 | 1005 | 1012) => return Ok(()),
        Some(1002 | 1003 | 1007 | 1008) => (SourceErrorKind::Invalid, "protocol error"),
        Some(1009) => (SourceErrorKind::Invalid, "message too big"),
        Some(1013) => (SourceErrorKind::Failing, "busy"),
        Some(4400) => (SourceErrorKind::Refused, "bad request"),
        Some(4401) => (SourceErrorKind::Refused, "SDK key refused"),
        Some(4403) => (SourceErrorKind::Refused, "forbidden"),
        Some(4408) => (SourceErrorKind::TimedOut, "idle"),
        Some(_) => (SourceErrorKind::Failing, "error"),
    };
    let code = code.unwrap_or_default();
    let text = match foreign(reason) {
        reason if reason.is_empty() => format!("{host} closed the stream with {code} ({name})"),
        reason => format!("{host} closed the stream with {code} ({name}): {reason}"),
    };
    Err(SourceError::new(kind, text))
}
