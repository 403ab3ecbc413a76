//! Errors: of options, and of Redis as the store reports them.

use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use statsig_adapters::{DataStoreError, DataStoreErrorKind};

use crate::op::Op;

/// Most characters of what Redis says that go into a message.
const DETAIL_CHARS: usize = 160;

/// Why a store cannot be opened: every problem of its options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Redis options are wrong: {}", problems.join("; "))]
#[non_exhaustive]
pub struct OptionsError {
    /// The problems, each in a few words and without secrets.
    pub problems: Vec<String>,
}

impl OptionsError {
    pub(crate) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

/// A failed attempt, before it becomes the error of an operation.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// No answer in time; what for.
    Timeout(&'static str),
    /// The time of the whole operation was over before this command had its own.
    Late,
    /// Redis, or the way to it.
    Redis(RedisError),
    /// The options do not fit the server.
    Invalid(String),
    /// No attempt was made, because too many before it failed.
    Paused(Box<str>),
    /// The store was shut down.
    Closed,
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Failure {
    pub(crate) fn kind(&self) -> DataStoreErrorKind {
        match self {
            Self::Timeout(_) | Self::Late => DataStoreErrorKind::Timeout,
            Self::Redis(error) => kind_of(error),
            Self::Invalid(_) => DataStoreErrorKind::Invalid,
            Self::Paused(_) => DataStoreErrorKind::Unavailable,
            Self::Closed => DataStoreErrorKind::Closed,
        }
    }

    /// The server's word for the error.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Redis(error) => error.code(),
            _ => None,
        }
    }

    /// Whether the connection may be at fault, so that another one is worth a try.
    pub(crate) fn taints_connection(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Redis(error) => {
                error.is_io_error()
                    || error.is_unrecoverable_error()
                    || kind_of(error) == DataStoreErrorKind::ReadOnly
                    // The password may have changed.
                    || self.code().is_some_and(|code| matches!(code, "WRONGPASS" | "NOAUTH"))
            }
            _ => false,
        }
    }

    /// Whether it says something about Redis as a whole, rather than about one command.
    pub(crate) fn is_outage(&self) -> bool {
        if matches!(self, Self::Late) {
            return false;
        }
        let no_login = match self {
            Self::Redis(error) => {
                error.kind() == ErrorKind::AuthenticationFailed
                    || error.code().is_some_and(|code| matches!(code, "WRONGPASS" | "NOAUTH"))
            }
            _ => false,
        };
        no_login || matches!(self.kind(), DataStoreErrorKind::Timeout | DataStoreErrorKind::Unavailable)
    }

    /// The error of an operation on the store.
    pub(crate) fn into_error(self, op: Op) -> DataStoreError {
        DataStoreError::new(self.kind(), format!("Redis: cannot {}: {self}", op.during()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(what) => write!(f, "no answer in time ({what})"),
            Self::Late => f.write_str("no answer in time (several commands)"),
            Self::Redis(error) => f.write_str(&describe(error)),
            Self::Invalid(what) => f.write_str(what),
            Self::Paused(last) => write!(f, "paused after repeated failures, the last: {last}"),
            Self::Closed => f.write_str("the store is shut down"),
        }
    }
}

/// What an answer that is not as it should be means.
pub(crate) fn malformed(what: &str) -> DataStoreError {
    DataStoreError::new(DataStoreErrorKind::Malformed, format!("Redis: {what}"))
}

fn kind_of(error: &RedisError) -> DataStoreErrorKind {
    // Before Redis 7 the error of a command in a script is only part of the text.
    let detail = error.detail().unwrap_or_default();
    match error.code().unwrap_or_default() {
        "WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED" => return DataStoreErrorKind::Denied,
        "OOM" => return DataStoreErrorKind::Full,
        "READONLY" => return DataStoreErrorKind::ReadOnly,
        "WRONGTYPE" => return DataStoreErrorKind::Malformed,
        "NOREPLICAS" | "MISCONF" | "BUSY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "UNBLOCKED" => {
            return DataStoreErrorKind::Unavailable;
        }
        _ if is_missing_right(detail) => return DataStoreErrorKind::Denied,
        _ if detail.contains("OOM command not allowed") => return DataStoreErrorKind::Full,
        _ if detail.contains("READONLY You can't write") => return DataStoreErrorKind::ReadOnly,
        _ => {}
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => DataStoreErrorKind::Denied,
        ErrorKind::Io if error.is_timeout() => DataStoreErrorKind::Timeout,
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => DataStoreErrorKind::Unavailable,
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => DataStoreErrorKind::Malformed,
        ErrorKind::InvalidClientConfig | ErrorKind::Server(ServerErrorKind::CrossSlot) => DataStoreErrorKind::Invalid,
        _ => DataStoreErrorKind::Other,
    }
}

/// Whether an error of a command in a script is about rights. Servers word it in several ways.
fn is_missing_right(detail: &str) -> bool {
    ["can't run this command", "no permissions", "NOPERM", "can't access at least one of the keys"]
        .into_iter()
        .any(|words| detail.contains(words))
}

/// What Redis says, without the arguments that it sometimes repeats, and without what it stores: a reply that cannot be
/// read is named by its kind alone.
fn describe(error: &RedisError) -> String {
    let repeats_value =
        matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType | ErrorKind::Extension);
    let detail = match error.detail().filter(|_| error.code().is_some() || !repeats_value) {
        Some(detail) => detail.to_owned(),
        // The text of an input/output error comes from the operating system or from TLS.
        None if error.is_io_error() => error.to_string(),
        None => String::new(),
    };
    let detail = detail.split(", with args beginning").next().unwrap_or_default();
    let detail: String = detail.chars().filter(|letter| !letter.is_control()).take(DETAIL_CHARS).collect();
    match (error.code().unwrap_or_else(|| error.category()), detail.as_str()) {
        (word, "") => word.to_owned(),
        ("I/O error", detail) => detail.to_owned(),
        (word, detail) => format!("{word}: {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    #[test]
    fn errors_of_commands_in_scripts_keep_their_meaning() {
        for (code, text, kind) in [
            ("NOPERM", "this user has no permissions to run the 'get' command", DataStoreErrorKind::Denied),
            (
                "ERR",
                "The user executing the script can't run this command or subcommand script: 1",
                DataStoreErrorKind::Denied,
            ),
            ("ERR", "The user executing the script can't access at least one of the keys", DataStoreErrorKind::Denied),
            ("ERR", "Error running script: -NOPERM this user has no permissions", DataStoreErrorKind::Denied),
            ("ERR", "Error running script: OOM command not allowed", DataStoreErrorKind::Full),
            ("ERR", "wrong number of arguments", DataStoreErrorKind::Other),
        ] {
            let line = format!("-{code} {text}\r\n");
            let error = match redis::parse_redis_value(line.as_bytes()).and_then(Value::extract_error) {
                Err(error) => error,
                Ok(value) => unreachable!("{value:?}"),
            };
            assert_eq!(kind_of(&error), kind, "{line}");
        }
    }
}
