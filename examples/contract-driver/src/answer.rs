//! What goes back.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender};

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
}

/// The kinds of failures, as the protocol names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A line that is no request.
    MalformedRequest,
    /// A line that is too long.
    LineTooLong,
    /// A field that is missing or of another type.
    InvalidField,
    /// An operation or an option that this build does not have.
    Unsupported,
    /// An option of `create` that is unknown or wrong.
    InvalidOption,
    /// Config specs that cannot be used.
    InvalidSpecs,
    /// There is no client of that name.
    NoSuchClient,
    /// There is a client of that name already.
    ClientExists,
    /// What was waited for did not come in time.
    Timeout,
    /// Something else: a disk, a thread.
    Failed,
}

impl FailureKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed_request",
            Self::LineTooLong => "line_too_long",
            Self::InvalidField => "invalid_field",
            Self::Unsupported => "unsupported",
            Self::InvalidOption => "invalid_option",
            Self::InvalidSpecs => "invalid_specs",
            Self::NoSuchClient => "no_such_client",
            Self::ClientExists => "client_exists",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// With the causes of an error behind it.
    pub fn of(kind: FailureKind, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            message.push_str(": ");
            message.push_str(&error.to_string());
            source = error.source();
        }
        Self { kind, message }
    }
}

/// The result of an operation: JSON of one line.
pub type Answer = Result<Box<RawValue>, Failure>;

/// A result, as JSON.
pub fn json(value: impl Serialize) -> Answer {
    serde_json::value::to_raw_value(&value).map_err(|error| Failure::of(FailureKind::Failed, &error))
}

/// The result of what has none.
pub fn nothing() -> Answer {
    json(Value::Null)
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a Value,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// Where answers are handed in, from any thread; waits while too many are on their way.
#[derive(Debug, Clone)]
pub struct Answers {
    lines: SyncSender<Vec<u8>>,
}

impl Answers {
    pub fn new(lines: SyncSender<Vec<u8>>) -> Self {
        Self { lines }
    }

    /// Hands in an answer; `false` if nobody reads answers any more.
    pub fn send(&self, id: &Value, answer: &Answer) -> bool {
        let line = match answer {
            Ok(result) => Line { id, ok: true, result: Some(result), error: None },
            Err(failure) => {
                let error = json!({"kind": failure.kind.name(), "message": failure.message});
                Line { id, ok: false, result: None, error: Some(error) }
            }
        };
        // An id came from JSON, and the rest is text: both can be written.
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        self.lines.send(line).is_ok()
    }
}

/// Writes answers until the last sender is gone, each at once.
pub fn write_all(lines: &Receiver<Vec<u8>>, mut out: impl Write) -> io::Result<()> {
    while let Ok(line) = lines.recv() {
        out.write_all(&line)?;
        out.flush()?;
    }
    Ok(())
}
