//! The joints of the workspace: small traits between evaluation and the rest of the world.
//!
//! `statsig-core` calls them and never implements anything with I/O behind them. All are
//! object-safe and `Send + Sync`. Those without `async` are called from application threads:
//! implementations must answer from memory, without blocking. Those with `async` belong to
//! background tasks, and no particular runtime is assumed.

mod clock;
mod data_store;
mod error_reporter;
mod event_sink;
mod id_list_lookup;
mod id_list_source;
mod in_memory_storage;
mod layer_observer;
mod noop_sink;
mod observer;
mod override_adapter;
mod persistent_storage;
mod source_error;
mod spec_source;
mod spec_stream;
mod spec_update;

pub use clock::{Clock, FixedClock};
pub use data_store::{
    AppendOutcome, ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, EntryVersion,
    InMemoryDataStore, KeySchema, PutMode, PutOutcome, StoreEntry, StoreFormat, StoreHealth, StoreKey, StoreKeys,
    StorePath, StoreResponse, TouchOutcome,
};
pub use error_reporter::{ErrorReport, ErrorReporter};
pub use event_sink::{BatchEncoding, Delivery, EventBatch, EventSink, FlushType, SinkError};
pub use id_list_lookup::{ID_HASH_LENGTH, IdHash, IdListLookup, InMemoryIdLists, id_hash};
pub use id_list_source::{IdListChunk, IdListEntry, IdListManifest, IdListSource};
pub use in_memory_storage::InMemoryPersistentStorage;
pub use layer_observer::LayerObserver;
pub use noop_sink::NoopSink;
pub use observer::{Observer, Tag};
pub use override_adapter::{ExperimentOverride, OverrideAdapter};
pub use persistent_storage::{PersistentStorage, StorageError};
pub use source_error::{SourceError, SourceErrorKind};
pub use spec_source::{SpecCursor, SpecFetch, SpecRequest, SpecSource, SpecTrigger};
pub use spec_stream::{SpecStream, SpecSubscription, StreamEvent};
pub use spec_update::{SpecSourceKind, SpecUpdate};
