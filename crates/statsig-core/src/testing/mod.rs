//! Contract tests: what every implementation of an adapter trait must do, ours or a third party's.
//!
//! Each is an `async` function without a runtime of its own; run it on whatever runtime the
//! implementation needs, against a fresh instance with a working destination. It panics, as tests
//! do, where the contract is broken.

#[allow(clippy::panic, reason = "a contract test fails by panicking")]
mod data_store;
mod event_sink;
mod persistent_storage;

pub use data_store::data_store_contract;
pub use event_sink::event_sink_contract;
pub use persistent_storage::persistent_storage_contract;
