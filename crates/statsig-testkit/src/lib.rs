//! Spec builders, generators, fakes and real servers for the tests of a Statsig-compatible SDK.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`specs`] | builds config specs from code |
//! | [`generate`] | generates projects and users from a stream of bytes, for property tests, fuzzers and benchmarks |
//! | [`MemorySink`] | keeps the events that a client logs |
//! | [`observe`] | keeps the metrics that a client reports |
//! | [`contracts`] | contract tests that every implementation of an adapter trait must pass |
//! | `server` (feature `server`) | a fake of Statsig's endpoints on loopback, with faults to order, and certificates for it |
//! | `stream_server` (feature `stream-servers`) | streaming forward proxies on loopback (gRPC, WebSocket, server-sent events), with faults to order |
//! | `redis_server` (feature `redis-server`) | real `redis-server` processes: single, cluster, with sentinels |
//!
//! Depends on the evaluator and the adapter traits only, so that every other crate can use it in its tests.

pub mod generate;
mod memory_sink;
pub mod observe;
#[cfg(feature = "redis-server")]
pub mod redis_server;
#[cfg(feature = "server")]
pub mod server;
pub mod specs;
#[cfg(feature = "stream-servers")]
pub mod stream_server;

pub use memory_sink::MemorySink;
pub use statsig_core::testing as contracts;
