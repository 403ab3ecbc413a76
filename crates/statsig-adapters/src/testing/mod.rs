//! Contract tests: the duties of each adapter trait, checked on an implementation.
//!
//! The tests of `async` traits bring no runtime: run them on the runtime that the implementation needs. Each
//! test takes a fresh instance with a working destination, and panics where the implementation breaks a duty.

#![allow(clippy::panic, reason = "a broken contract fails as tests do")]

mod data_store;
mod event_sink;
mod id_list_source;
mod polling;
mod spec_source;
mod spec_stream;
mod spec_target;

pub use data_store::data_store_contract;
pub use event_sink::event_sink_contract;
pub use id_list_source::id_list_source_contract;
pub use spec_source::spec_source_contract;
pub use spec_stream::spec_stream_contract;
pub use spec_target::spec_target_contract;
