//! Contract tests: what every implementation of an adapter trait must do, ours or a third party's.
//!
//! Those of traits that wait are `async` functions without a runtime of their own: run them on whatever runtime the
//! implementation needs. Each is called with a fresh instance and a working destination, and panics, as tests do,
//! where the contract is broken.

#![allow(clippy::panic, reason = "a broken contract fails as tests do")]

mod data_store;
mod event_sink;
mod id_list_lookup;
mod id_list_source;
mod override_adapter;
mod persistent_storage;
mod polling;
mod spec_source;
mod spec_stream;

pub use data_store::data_store_contract;
pub use event_sink::event_sink_contract;
pub use id_list_lookup::id_list_lookup_contract;
pub use id_list_source::id_list_source_contract;
pub use override_adapter::override_adapter_contract;
pub use persistent_storage::persistent_storage_contract;
pub use spec_source::spec_source_contract;
pub use spec_stream::spec_stream_contract;
