//! Traits that an evaluation calls: overrides, sticky assignments, ID lists.
//!
//! All are object-safe and `Send + Sync`. Those without `async` are called from application threads and answer
//! from memory, without blocking.

mod id_list_lookup;
mod in_memory_storage;
mod override_adapter;
mod persistent_storage;

pub use id_list_lookup::{ID_HASH_LENGTH, IdHash, IdListLookup, InMemoryIdLists, id_hash};
pub use in_memory_storage::InMemoryPersistentStorage;
pub use override_adapter::{ExperimentOverride, OverrideAdapter};
pub use persistent_storage::{PersistentStorage, StorageError};
