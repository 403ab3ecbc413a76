//! How the command ends: exit codes, and errors that carry one.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As asked.
    Clean,
    /// As asked, but there is something that a script should notice.
    Findings,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Clean => Self::SUCCESS,
            Ending::Findings => Self::from(1),
        }
    }
}

/// Which side is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Usage = 2,
    Input = 3,
    Output = 4,
}

/// Why a command failed: a message for people, and an exit code for scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    fault: Fault,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// The command line asks for something that does not go together.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Usage, error: error.into(), hint: None }
    }

    /// Something that was to be read is missing or malformed.
    pub(crate) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Input, error: error.into(), hint: None }
    }

    /// The results cannot be written.
    pub(crate) fn output(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Output, error: error.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether the output's reader has gone away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let kinds = self.error.chain().filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        self.fault == Fault::Output && kinds.into_iter().any(|kind| kind == io::ErrorKind::BrokenPipe)
    }

    /// What a script sees.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.fault as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}
