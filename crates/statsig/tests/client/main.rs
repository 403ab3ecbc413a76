//! Integration tests of this crate, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::field_reassign_with_default,
    reason = "helpers of tests may fail like tests"
)]

#[cfg(all(feature = "logger", feature = "net"))]
mod adapters;
mod concurrent_updates;
#[cfg(feature = "logger")]
mod events;
#[cfg(all(feature = "logger", feature = "net"))]
mod network;
#[cfg(feature = "logger")]
mod prepared_names;
#[cfg(feature = "logger")]
mod shared;
#[cfg(all(feature = "logger", feature = "net"))]
mod tables;
