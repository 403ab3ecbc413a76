//! What can go wrong on the way.

use std::path::PathBuf;
use std::time::Duration;

use statsig_core::{SourceError, SourceErrorKind};

/// What can go wrong while something is set up or fetched.
///
/// Messages name hosts and files, never a key or a whole address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Options contradict each other or lack something. All problems are listed.
    #[error("misconfigured: {}", problems.join("; "))]
    Misconfigured {
        /// One sentence for each problem.
        problems: Vec<String>,
    },
    /// A certificate, a key or another file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {what}")]
    Tls {
        /// What failed.
        what: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection came about: no such host, nobody listens, a failed handshake.
    #[error("cannot connect to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the exchange with {host} broke off")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No whole answer in time.
    #[error("{host} did not answer within {limit:?}")]
    TimedOut {
        /// The host.
        host: String,
        /// The time that it had.
        limit: Duration,
    },
    /// More came than the limit allows.
    #[error("the answer of {host} exceeds {limit} bytes{}", if *decoded { " decompressed" } else { "" })]
    TooLarge {
        /// The host.
        host: String,
        /// The limit in bytes.
        limit: usize,
        /// Whether the limit is that after decompression.
        decoded: bool,
    },
    /// The answer cannot be decompressed.
    #[error("the answer of {host} cannot be decompressed as {encoding}")]
    Decompression {
        /// The host.
        host: String,
        /// The content coding.
        encoding: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server points elsewhere, where we do not go.
    #[error("{host} redirects, and we do not follow: {why}")]
    Redirect {
        /// The host.
        host: String,
        /// Why not.
        why: &'static str,
    },
    /// The server answers with an error.
    #[error("{host} answers {status}{}", if sample.is_empty() { String::new() } else { format!(": {sample}") })]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer, if it is text; secrets are masked.
        sample: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Connections are the parent's of this process, which was forked off; ours have to be set up anew.
    #[error("{host} is not asked: the connections are those of the process that this one was forked off from")]
    Inherited {
        /// The host.
        host: String,
    },
    /// The network is switched off by an option.
    #[error("the network is switched off")]
    NetworkDisabled,
}

/// Kinds of [`Error`], for matching without looking at messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something was set up wrongly.
    Misconfigured,
    /// The peer cannot be reached, or the exchange broke off.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The peer answers with an error.
    Status,
    /// What came cannot be used.
    Invalid,
    /// The network is switched off, or the parent's of a forked child.
    Disabled,
}

/// Statuses that no further attempt within seconds will change.
const FINAL_STATUSES: [u16; 8] = [400, 401, 403, 404, 405, 413, 429, 501];

impl Error {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Misconfigured { .. } | Self::File { .. } | Self::Tls { .. } | Self::Client(_) => {
                ErrorKind::Misconfigured
            }
            Self::Connect { .. } | Self::Broken { .. } => ErrorKind::Unreachable,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Status { .. } => ErrorKind::Status,
            Self::TooLarge { .. } | Self::Decompression { .. } | Self::Redirect { .. } => ErrorKind::Invalid,
            Self::NetworkDisabled | Self::Inherited { .. } => ErrorKind::Disabled,
        }
    }

    /// Whether the same request may succeed within seconds.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::TimedOut { .. } | Self::Decompression { .. } => true,
            Self::Status { status, .. } => !FINAL_STATUSES.contains(status),
            _ => false,
        }
    }

    /// How long the peer asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        let kind = match (error.kind(), error.is_retryable()) {
            (ErrorKind::Misconfigured, _) => SourceErrorKind::Misconfigured,
            (ErrorKind::Unreachable, _) => SourceErrorKind::Unreachable,
            (ErrorKind::TimedOut, _) => SourceErrorKind::TimedOut,
            (ErrorKind::Status, true) => SourceErrorKind::Failing,
            (ErrorKind::Status, false) => SourceErrorKind::Refused,
            (ErrorKind::Invalid, _) => SourceErrorKind::Invalid,
            (ErrorKind::Disabled, _) => SourceErrorKind::Disabled,
        };
        let (retryable, after) = (error.is_retryable(), error.retry_after());
        Self::new(kind, error).with_retryable(retryable).with_retry_after(after)
    }
}
