//! What can go wrong in the spool.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Failure of a spool operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The options contradict themselves or a limit; every problem is listed.
    #[error("invalid spool options: {}", problems.join("; "))]
    InvalidOptions {
        /// One sentence for each problem.
        problems: Vec<String>,
    },
    /// There is no room: disk, quota or file size limit. Keep the batch in memory and try later.
    #[error("no space left to {operation} `{}`", path.display())]
    DiskFull {
        /// What was attempted.
        operation: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file system refused or failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// Data could not be made durable, and could not be moved to where it can.
    #[error("cannot make `{}` durable", path.display())]
    SyncFailed {
        /// The file or folder concerned.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The batch does not fit a segment, now or ever. Split it.
    #[error("batch {id} has {len} bytes, a segment takes {limit}")]
    TooLarge {
        /// The batch.
        id: Uuid,
        /// Bytes of its body.
        len: usize,
        /// The longest body that a segment takes.
        limit: usize,
    },
    /// The batch is not in flight: never handed out, already settled, or unknown.
    #[error("batch {id} is not in flight")]
    NotInFlight {
        /// The batch.
        id: Uuid,
    },
    /// A batch of this id is in flight; ids must be unique.
    #[error("batch {id} is already in flight")]
    AlreadyInFlight {
        /// The batch.
        id: Uuid,
    },
    /// The spool could not be opened yet; see [`Spool::open_or_retry`](super::Spool::open_or_retry).
    #[error("spool is not open: {error}")]
    Unavailable {
        /// Reason why it could not be opened, at most 200 characters.
        error: String,
        /// Time until the next try.
        retry_after: std::time::Duration,
        /// `true` if this call has tried.
        tried: bool,
    },
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
    /// The spool was opened by the parent of this process; a child has to open its own.
    #[error("the spool belongs to the process that opened it")]
    ForeignProcess,
}

/// Coarse class of a [`SpoolError`], for metrics and decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpoolErrorKind {
    /// Misconfiguration.
    Options,
    /// No room on the disk.
    DiskFull,
    /// Any other failure of the file system.
    Io,
    /// Data that could not be made durable.
    Sync,
    /// A call that does not fit the batch or the state of the spool.
    Usage,
}

impl SpoolError {
    /// Classifies the error.
    #[must_use]
    pub fn kind(&self) -> SpoolErrorKind {
        match self {
            Self::InvalidOptions { .. } => SpoolErrorKind::Options,
            Self::DiskFull { .. } => SpoolErrorKind::DiskFull,
            Self::Io { .. } | Self::Unavailable { .. } => SpoolErrorKind::Io,
            Self::SyncFailed { .. } => SpoolErrorKind::Sync,
            Self::TooLarge { .. }
            | Self::NotInFlight { .. }
            | Self::AlreadyInFlight { .. }
            | Self::Closed
            | Self::ForeignProcess => SpoolErrorKind::Usage,
        }
    }

    /// Says whether the same call may succeed later without anyone changing anything here.
    ///
    /// True for a full disk, a failed fsync and transient I/O; false for wrong use and for what
    /// only an operator can mend, such as permissions or a read-only or vanished folder.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::SyncFailed { .. } | Self::Unavailable { .. } => true,
            Self::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::NotADirectory
            ),
            _ => false,
        }
    }

    /// Wraps an error of the file system, telling a full disk from the rest.
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { operation, path, source }
            }
            _ => Self::Io { operation, path, source },
        }
    }

    /// Wraps the error of an fsync.
    pub(super) fn sync(path: &Path, source: io::Error) -> Self {
        Self::SyncFailed { path: path.to_path_buf(), source }
    }
}
