//! Tools that check an evaluation engine: against recorded results, and on made-up projects.
//!
//! The project keeps a corpus: config specs, users, a plan of what to evaluate, and what the
//! official Statsig server core answered. [`conformance`] reads that corpus, and compares an
//! engine's own answers with it, field by field. [`generate`] makes up projects and users from a
//! stream of bytes, for property tests, fuzzers and benchmarks. A [`MemorySink`] keeps the events that a
//! client logs. [`specs`] builds config specs from code, for tests that need a project of their own.
//! [`contracts`] holds the tests that every implementation of an adapter trait has to pass.
//! `server` (feature `server`) is a fake of Statsig's endpoints on loopback, which fails in the ways
//! that a test orders.
//!
//! It is a library, so that anyone who builds on the engine (a binding, a fork, a service that
//! speaks the same protocol) can hold their own build against the same corpus.

pub mod conformance;
pub mod generate;
mod memory_sink;
pub mod observe;
#[cfg(feature = "redis-server")]
pub mod redis_server;
#[cfg(feature = "server")]
pub mod server;
pub mod specs;

pub use memory_sink::MemorySink;
pub use statsig_core::testing as contracts;
