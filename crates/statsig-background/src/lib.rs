//! What the background tasks of a Statsig-compatible SDK share.
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
//! | [`new_uuid_v7`] | time-ordered identifiers without a process-wide lock |
//!
//! This crate knows nothing of config specs, evaluation or events.

mod backoff;
mod clock;
mod error_chain;
mod fork;
mod identifier;
mod observer;
mod random;
mod supervisor;

pub use backoff::Backoff;
pub use clock::SystemClock;
pub use error_chain::{MAX_ERROR_CHARS, error_chain, error_chain_with, truncated};
pub use fork::{ForkGuard, InOwnProcess};
pub use identifier::new_uuid_v7;
pub use observer::GuardedObserver;
pub use random::UniformRandom;
pub use supervisor::{StopSignal, TaskSupervisor, Worker, WorkerHealth};
