//! Shared parts of the background tasks of a Statsig-compatible SDK.
//!
//! | item | purpose |
//! | --- | --- |
//! | [`TaskSupervisor`] | runs tasks, restarts them after a panic, ends them together |
//! | [`Backoff`] | growing pauses after failures, with full jitter |
//! | [`UniformRandom`] | uniform random numbers for jitter and sampling |
//! | [`ForkGuard`] | detects a forked child, and keeps tasks and locks out of it |
//! | [`GuardedObserver`] | reports metrics to an observer that may panic |
//! | [`SystemClock`] | the operating system's wall clock |
//! | [`error_chain`] | an error and its sources in one bounded line |
//! | [`FileSystem`] | private files, folder locks and fsync; with test doubles (feature `testing`) |
//! | [`new_uuid_v7`], [`UuidSequence`] | time-ordered identifiers without a process-wide lock |
//!
//! This crate knows nothing of config specs, evaluation or events.

mod backoff;
mod clock;
mod error_chain;
mod file_system;
mod fork;
mod identifier;
mod observer;
mod random;
mod supervisor;

pub use backoff::Backoff;
pub use clock::SystemClock;
pub use error_chain::{MAX_ERROR_CHARS, error_chain, error_chain_with, truncated};
#[cfg(any(test, feature = "testing"))]
pub use file_system::testing;
pub use file_system::{
    FileHandle, FileLock, FileSystem, FolderItem, OsFileSystem, read_regular_file, remove_abandoned_files,
    write_private_file,
};
pub use fork::{ForkGuard, InOwnProcess};
pub use identifier::{UuidSequence, new_uuid_v7};
pub use observer::GuardedObserver;
pub use random::UniformRandom;
pub use supervisor::{StopSignal, TaskSupervisor, Worker, WorkerHealth};
