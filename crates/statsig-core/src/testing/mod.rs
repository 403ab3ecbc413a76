//! Contract tests: the duties of each evaluation hook, checked on an implementation.
//!
//! Each test takes a fresh instance, and panics where the implementation breaks a duty. The contract tests of
//! the other adapter traits are those of `statsig_adapters::testing`, re-exported here.

#![allow(clippy::panic, reason = "a broken contract fails as tests do")]

mod id_list_lookup;
mod override_adapter;
mod persistent_storage;

pub use id_list_lookup::id_list_lookup_contract;
pub use override_adapter::override_adapter_contract;
pub use persistent_storage::persistent_storage_contract;
#[cfg(feature = "testing")]
pub use statsig_adapters::testing::*;
