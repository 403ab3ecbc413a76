//! The joints of the workspace: small traits between evaluation and the rest of the world.
//!
//! `statsig-core` calls them and never implements anything with I/O behind them. All are
//! object-safe and `Send + Sync`. Those without `async` are called from application threads:
//! implementations must answer from memory, without blocking. Those with `async` belong to
//! background tasks, and no particular runtime is assumed.

mod clock;
mod data_store;
mod event_sink;
mod id_list_lookup;
mod noop_sink;
mod override_adapter;
mod spec_source;

pub use clock::{Clock, FixedClock};
pub use data_store::{
    AppendOutcome, ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, EntryVersion,
    InMemoryDataStore, KeySchema, PutMode, PutOutcome, StoreEntry, StoreFormat, StoreHealth, StoreKey, StoreKeys,
    StorePath, StoreResponse,
};
pub use event_sink::{BatchEncoding, Delivery, EventBatch, EventSink, SinkError};
pub use id_list_lookup::{ID_HASH_LENGTH, IdHash, IdListLookup, InMemoryIdLists, id_hash};
pub use noop_sink::NoopSink;
pub use override_adapter::{ExperimentOverride, OverrideAdapter};
pub use spec_source::{SpecSourceKind, SpecUpdate};
