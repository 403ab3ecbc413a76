//! Integration tests of this crate, in one binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod client_initialize;
mod explanations_agree;
mod exposures;
mod hostile;
mod overrides;
mod payloads;
mod properties;
mod sticky;
