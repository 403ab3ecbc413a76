//! A key/value store that processes share, so that a fleet can start without the vendor.

mod entry;
mod error;
mod feed;
mod in_memory;
mod keys;
mod read;
#[cfg(any(test, feature = "store-keys"))]
mod store_keys;

use std::time::Duration;

use async_trait::async_trait;

pub use entry::{AppendOutcome, EntryRequest, PutMode, PutOutcome, StoreEntry, TouchOutcome};
pub use error::{DataStoreError, DataStoreErrorKind};
pub use feed::{ChangeFeed, ChangeHint};
pub use in_memory::InMemoryDataStore;
pub use keys::{KeySchema, StoreFormat, StoreKey, StorePath};
#[cfg(any(test, feature = "store-keys"))]
pub use store_keys::StoreKeys;

/// What [`DataStore::get`] and [`DataStore::get_bytes`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreResponse<T> {
    /// The value. An empty one is none.
    pub result: Option<T>,
    /// What was handed to `set` with it, where a store keeps that. Nobody relies on it.
    pub time: Option<u64>,
}

impl<T> StoreResponse<T> {
    /// A value, or that there is none.
    #[must_use]
    pub fn new(result: Option<T>) -> Self {
        Self { result, time: None }
    }
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreHealth {
    /// The store does not tell.
    Unknown,
    /// It answers.
    Up {
        /// How long it took to answer.
        rtt: Duration,
    },
    /// It answers, but not everything works.
    Degraded {
        /// What does not, without secrets.
        reason: String,
    },
    /// It does not answer.
    Down {
        /// Why, without secrets.
        reason: String,
    },
}

/// A key/value store of config specs and ID lists that processes share.
///
/// With one, a process starts while Statsig's servers are out of reach, starts faster, and may
/// follow updates from the store instead of the network.
///
/// The first seven methods are those of the data stores of other Statsig SDKs, so that a store
/// written for one of them is easily ported. The others have defaults built on these; a store that
/// can do better overrides them.
///
/// # Duties of an implementor
///
/// - **Values are opaque.** They come back byte for byte.
/// - **Never order by `time`.** SDKs disagree on what they pass to [`set`](Self::set). What orders
///   payloads is their own [`SpecVersion`](crate::SpecVersion).
/// - **An end.** Each call has a time limit of its own; start-up waits for reads.
/// - **Absent is no error**, and an empty value is an absent one.
/// - **Heals.** A store that was down when it was opened works once it is back, without a restart.
/// - **No secrets in errors**, and no SDK keys: `statsig|…` keys of [`KeySchema::Prefix`] hold a
///   part of one.
///
/// # Contract test
///
/// `statsig_adapters::testing::data_store_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use statsig_adapters::{DataStore, DataStoreError, StorePath, StoreResponse};
///
/// #[derive(Default)]
/// struct Shelf(Mutex<HashMap<String, String>>);
///
/// #[async_trait::async_trait]
/// impl DataStore for Shelf {
///     async fn initialize(&self) -> Result<(), DataStoreError> {
///         Ok(())
///     }
///
///     async fn shutdown(&self) -> Result<(), DataStoreError> {
///         Ok(())
///     }
///
///     async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
///         Ok(StoreResponse::new(self.0.lock().unwrap().get(key).cloned()))
///     }
///
///     async fn set(&self, key: &str, value: &str, _time: Option<u64>) -> Result<(), DataStoreError> {
///         self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
///         Ok(())
///     }
///
///     async fn support_polling_updates_for(&self, path: &StorePath) -> bool {
///         *path == StorePath::SpecsV2
///     }
/// }
/// ```
#[async_trait]
pub trait DataStore: Send + Sync {
    /// Prepares the store; called once, before anything else.
    ///
    /// # Errors
    /// If the store is of no use now. Others are asked for config specs then; this one is still
    /// asked later.
    async fn initialize(&self) -> Result<(), DataStoreError>;

    /// Gives up connections. Whatever the store holds stays. Calling it twice is fine.
    ///
    /// # Errors
    /// If something was left undone; the store is closed all the same.
    async fn shutdown(&self) -> Result<(), DataStoreError>;

    /// Reads text.
    ///
    /// # Errors
    /// If the store cannot tell; a value that is not there is no error.
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError>;

    /// Stores text. `time` is whatever the caller has, often the time of day.
    ///
    /// # Errors
    /// If the value may not be stored.
    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError>;

    /// Reads bytes.
    ///
    /// # Errors
    /// As [`get`](Self::get). [`DataStoreErrorKind::BytesNotImplemented`] by default, on which
    /// callers turn to `get`.
    async fn get_bytes(&self, key: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        let _ = key;
        Err(DataStoreError::bytes_not_implemented())
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// As [`set`](Self::set). [`DataStoreErrorKind::BytesNotImplemented`] by default.
    async fn set_bytes(&self, key: &str, value: &[u8], time: Option<u64>) -> Result<(), DataStoreError> {
        let _ = (key, value, time);
        Err(DataStoreError::bytes_not_implemented())
    }

    /// Appends to a value that has a known length in bytes (0: there is none), as the files of ID
    /// lists grow; otherwise leaves it alone.
    ///
    /// By default reads the value, compares, and stores the whole: right for one writer, but not
    /// atomic.
    ///
    /// # Errors
    /// If the value may not have grown.
    async fn append(&self, key: &str, at: u64, tail: &[u8]) -> Result<AppendOutcome, DataStoreError> {
        read::append(self, key, at, tail).await
    }

    /// Returns the most bytes that a value may have, compressed or not; `None`, the default, for no limit. Config specs
    /// in binary form are decompressed by whoever reads them, to no more than this.
    fn max_value_bytes(&self) -> Option<usize> {
        None
    }

    /// Whether values of this kind should be followed in the store, rather than at their origin.
    async fn support_polling_updates_for(&self, path: &StorePath) -> bool;

    /// Reads the newest of some entries; `None` if there is none, or none that is news to the caller.
    ///
    /// Judges entries by what stands beside them, or by their outside, and may give one that cannot be used. A caller
    /// that finds one asks again without its [`key`](StoreEntry::key).
    ///
    /// By default reads every key, as bytes or else as text, and compares the versions that JSON
    /// payloads tell. The version of a payload in another format is unknown: it counts before all
    /// that come after it, as in other SDKs, so name its key before that of JSON.
    ///
    /// # Errors
    /// If a key could not be read and no other held an entry.
    async fn get_entry(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        read::newest(self, request).await
    }

    /// Stores an entry, unless a newer one is there.
    ///
    /// By default reads the stored value, compares, and writes: right for one writer, but not
    /// atomic, and blind for payloads that are not JSON. A stored time
    /// [from the future](crate::SpecVersion::is_future), by the `stored_at_ms` of the entry, orders nothing.
    ///
    /// # Errors
    /// If the entry may not be stored; [`DataStoreErrorKind::Invalid`] if it has no version.
    async fn put_entry(&self, key: &str, entry: &StoreEntry, mode: PutMode) -> Result<PutOutcome, DataStoreError> {
        read::put(self, key, entry, mode).await
    }

    /// Keeps values that are still up to date from expiring, and says whether one is missing. By
    /// default there is nothing to do, and nothing is known.
    ///
    /// # Errors
    /// If some may expire.
    async fn touch(&self, keys: &[StoreKey]) -> Result<TouchOutcome, DataStoreError> {
        let _ = keys;
        Ok(TouchOutcome::Kept)
    }

    /// Whether the store refuses all writes for good, so that nobody need try. Not so by default.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Subscribes to changes of some keys; `None`, the default, if the store has to be polled.
    ///
    /// Does not wait for a connection: the feed says when it is [`Subscribed`](ChangeHint::Subscribed).
    ///
    /// # Errors
    /// If there will never be a subscription.
    async fn watch(&self, keys: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        let _ = keys;
        Ok(None)
    }

    /// How the store is, asked for now and within a short time.
    async fn health(&self) -> StoreHealth {
        StoreHealth::Unknown
    }
}
