//! What can go wrong while a client is built or updated.

use std::fmt;

/// Why a client could not be built or updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options contradict each other or lack something; all problems are listed.
    #[error("the client is misconfigured: {0}")]
    Misconfigured(Misconfiguration),
    /// The config specs cannot be used.
    #[error("the config specs cannot be used")]
    Specs(#[from] statsig_core::Error),
    /// The thread for background work could not be started.
    #[cfg(any(feature = "net", feature = "logger"))]
    #[error("the thread for background work cannot be started")]
    Runtime(#[source] std::io::Error),
    /// Addresses, certificates or the key cannot be used.
    #[cfg(feature = "net")]
    #[error("the network cannot be set up")]
    Network(#[source] statsig_net::Error),
    /// The folder for events that cannot be delivered cannot be used.
    #[cfg(feature = "spool")]
    #[error("the spool of events cannot be opened")]
    Spool(#[source] statsig_logger::spool::SpoolError),
}

impl Error {
    /// Whether the same call may succeed later: only if the system was short of something.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Misconfigured(_) | Self::Specs(_) => false,
            #[cfg(any(feature = "net", feature = "logger"))]
            Self::Runtime(_) => true,
            #[cfg(feature = "net")]
            Self::Network(error) => error.is_retryable(),
            #[cfg(feature = "spool")]
            Self::Spool(error) => !matches!(error, statsig_logger::spool::SpoolError::InvalidOptions { .. }),
        }
    }
}

/// All that is wrong with a client's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfiguration {
    pub(crate) problems: Vec<String>,
}

impl Misconfiguration {
    /// One sentence for each problem.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for Misconfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}
