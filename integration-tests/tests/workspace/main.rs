//! Tests of the workspace as a whole, in one binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod conformance;
mod corpus;
mod explanations;
mod redis_fleet;
mod truth_tables;
mod v1_agrees;
mod worked_examples;
