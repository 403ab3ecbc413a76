//! Typed errors of gRPC statuses.

use std::error::Error as StdError;

use statsig_core::{SourceError, SourceErrorKind};
use tonic::{Code, Status};

use super::super::connect::Connector;
use super::super::failure::{NO_SUCH_STREAM_PAUSE, foreign};
use super::codec::Unreadable;

/// Beginning of the message with which tonic refuses a message that is too large after decompression.
const TOO_LARGE_DECOMPRESSED: &str = "Error decompressing: size limit";
/// Beginning of its messages about frames that break the protocol.
const PROTOCOL_ERRORS: [&str; 3] = ["protocol error", "Unexpected EOF", "Error decompressing"];

/// Returns the error for a status that ended a call.
///
/// | status | kind | retryable |
/// | --- | --- | --- |
/// | connection lost, `CANCELLED`, `UNAVAILABLE` | unreachable | yes |
/// | `DEADLINE_EXCEEDED` | timed out | yes |
/// | `PERMISSION_DENIED`, `UNAUTHENTICATED`, `INVALID_ARGUMENT`, `NOT_FOUND`, `FAILED_PRECONDITION`, `ALREADY_EXISTS` | refused | no |
/// | `UNIMPLEMENTED` | refused, for 10 minutes | no |
/// | unreadable or too large, `OUT_OF_RANGE`, `DATA_LOSS` | invalid | no |
/// | `RESOURCE_EXHAUSTED`, `UNKNOWN`, `INTERNAL`, `ABORTED`, `OK` without a message | failing | yes |
pub(super) fn error_of(status: &Status, connector: &Connector) -> SourceError {
    let host = connector.host();
    if let Some(source) = status.source() {
        if find::<Unreadable>(source) {
            return SourceError::new(SourceErrorKind::Invalid, format!("{host}: {source}"));
        }
        if find::<hyper::Error>(source) || find::<std::io::Error>(source) {
            return SourceError::new(SourceErrorKind::Unreachable, connector.broken(source));
        }
    }
    let message = status.message();
    let is_protocol_error = PROTOCOL_ERRORS.iter().any(|beginning| message.starts_with(beginning));
    let (kind, pause) = match status.code() {
        Code::Cancelled | Code::Unavailable => (SourceErrorKind::Unreachable, None),
        Code::DeadlineExceeded => (SourceErrorKind::TimedOut, None),
        Code::PermissionDenied
        | Code::Unauthenticated
        | Code::InvalidArgument
        | Code::NotFound
        | Code::FailedPrecondition
        | Code::AlreadyExists => (SourceErrorKind::Refused, None),
        Code::Unimplemented => (SourceErrorKind::Refused, Some(NO_SUCH_STREAM_PAUSE)),
        Code::OutOfRange | Code::DataLoss => (SourceErrorKind::Invalid, None),
        Code::ResourceExhausted if message.starts_with(TOO_LARGE_DECOMPRESSED) => (SourceErrorKind::Invalid, None),
        Code::Internal if is_protocol_error => (SourceErrorKind::Invalid, None),
        Code::ResourceExhausted | Code::Unknown | Code::Internal | Code::Aborted | Code::Ok => {
            (SourceErrorKind::Failing, None)
        }
    };
    let text = match foreign(message) {
        text if text.is_empty() => format!("{host} ended the call with {}", name(status.code())),
        text => format!("{host} ended the call with {}: {text}", name(status.code())),
    };
    SourceError::new(kind, text).with_retry_after(pause)
}

fn find<E: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<E>())
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

/// Returns the name of a status in the protocol.
const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
