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
    /// The config specs may be sound, but this client does not take them: they were made for another SDK key.
    #[cfg(feature = "net")]
    #[error("the config specs are refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client belongs to the process that this one was forked off from.
    #[cfg(any(feature = "net", feature = "logger"))]
    #[error(
        "the client was built before this process was forked off, and keeps the specs that it had: build another client in this process"
    )]
    Inherited,
    /// There is a shared client already: use [`Statsig::shared`](crate::Statsig::shared), or
    /// [`remove_shared`](crate::Statsig::remove_shared) before building another.
    #[error("there is a shared client already: use `Statsig::shared`, or call `Statsig::remove_shared` first")]
    SharedInstanceExists,
    /// The thread for background work could not be started.
    #[cfg(any(feature = "net", feature = "logger"))]
    #[error("the thread for background work cannot be started")]
    Runtime(#[source] std::io::Error),
    /// Addresses, certificates or the key cannot be used.
    #[cfg(feature = "net")]
    #[error("the network cannot be set up")]
    Network(#[source] statsig_net::Error),
    /// The options of the spool contradict themselves or a limit. A folder that cannot be used is no error: see
    /// [`Health::spool`](crate::Health::spool).
    #[cfg(feature = "spool")]
    #[error("the options of the event spool cannot be used")]
    Spool(#[source] statsig_logger::spool::SpoolError),
}

impl Error {
    /// Whether the same call may succeed later: only if the system was short of something.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Misconfigured(_) | Self::Specs(_) | Self::SharedInstanceExists => false,
            #[cfg(feature = "net")]
            Self::Refused(_) => false,
            #[cfg(any(feature = "net", feature = "logger"))]
            Self::Inherited => false,
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

/// Most bytes of one problem: room for the words of the longest, and for 200 of the user's.
const MOST_BYTES: usize = 600;
/// Most problems that are listed.
const MOST_PROBLEMS: usize = 50;

impl Misconfiguration {
    /// Lists problems, each once and shortened where it is long.
    pub(crate) fn new(problems: Vec<String>) -> Self {
        let mut listed: Vec<String> = Vec::new();
        let mut further = 0_usize;
        for mut problem in problems {
            shorten(&mut problem, MOST_BYTES);
            if listed.contains(&problem) {
                continue;
            }
            if listed.len() < MOST_PROBLEMS {
                listed.push(problem);
            } else {
                further += 1;
            }
        }
        if further > 0 {
            listed.push(format!("and {further} more"));
        }
        Self { problems: listed }
    }

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

/// Cuts a text to a number of bytes, and marks where.
pub(crate) fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
}

/// Problems of a client's options, collected so that all are reported at once.
#[derive(Default)]
pub(crate) struct Obstacles {
    /// Options that are missing, wrong, or contradict each other.
    pub(crate) problems: Vec<String>,
    /// What failed beside them.
    failed: Option<Error>,
}

impl Obstacles {
    /// Adds an error, whose own list of problems joins the others.
    pub(crate) fn note(&mut self, error: Error) {
        match error {
            Error::Misconfigured(found) => self.problems.extend(found.problems),
            #[cfg(feature = "net")]
            Error::Network(statsig_net::Error::Misconfigured { problems }) => self.problems.extend(problems),
            error if self.failed.is_none() => self.failed = Some(error),
            error => self.problems.push(chain_of(&error)),
        }
    }

    /// An error unless there is nothing in the way. An error that is alone stays what it is.
    pub(crate) fn check(mut self) -> Result<(), Error> {
        match self.failed {
            None if self.problems.is_empty() => Ok(()),
            Some(error) if self.problems.is_empty() => Err(error),
            failed => {
                self.problems.extend(failed.map(|error| chain_of(&error)));
                Err(Error::Misconfigured(Misconfiguration::new(self.problems)))
            }
        }
    }
}

// Not that of `statsig-background`, which a client without features does not depend on.
/// Returns an error and its causes in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |chain, cause| format!("{chain}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_listed_once_and_bounded() {
        let many: Vec<String> = (0..1_000).map(|number| format!("{} {}", number / 2, "é".repeat(1_000))).collect();
        let listed = Misconfiguration::new(many);
        assert_eq!(listed.problems().len(), MOST_PROBLEMS + 1);
        assert_eq!(listed.problems().last().map(String::as_str), Some("and 900 more"));
        assert!(listed.to_string().len() < (MOST_PROBLEMS + 1) * (MOST_BYTES + 10));
    }
}
