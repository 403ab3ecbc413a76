//! Integration tests of this crate, in one binary.
#![allow(clippy::expect_used, clippy::panic, clippy::use_debug, reason = "helpers of tests may fail like tests")]

mod pipeline_kill;
mod spool_arbitrary_bytes;
mod spool_faults;
mod spool_kill;
mod spool_properties;
