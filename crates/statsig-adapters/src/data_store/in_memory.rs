//! A store in memory.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::read::is_better;
use super::{
    ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome,
    StoreEntry, StoreHealth, StoreKey, StorePath, StoreResponse, TouchOutcome,
};
use crate::SpecVersion;

/// Most hints that wait in one feed; what comes on top becomes one [`ChangeHint::Subscribed`].
const WAITING_HINTS: usize = 64;

/// A [`DataStore`] in memory: for tests, for documentation, and for clients of one process that
/// share a download. Clones share their values. Knows the versions of entries, and notifies watchers.
///
/// ```
/// use statsig_adapters::{DataStore, EntryRequest, InMemoryDataStore, PutMode, StoreEntry, StoreFormat, StoreKey};
///
/// # async fn example() -> Result<(), statsig_adapters::DataStoreError> {
/// let store = InMemoryDataStore::new();
/// let key = StoreKey::legacy_specs();
/// let entry = StoreEntry::json(br#"{"has_updates": true, "time": 5}"#.to_vec());
/// store.put_entry(&key.name, &entry, PutMode::IfNewer).await?;
/// assert!(store.get_entry(&EntryRequest::new([key])).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct InMemoryDataStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    values: HashMap<Box<str>, Value>,
    feeds: Vec<Weak<Mutex<Hints>>>,
    closed: bool,
}

#[derive(Clone)]
struct Value {
    bytes: Bytes,
    version: Option<SpecVersion>,
    time: Option<u64>,
}

struct Hints {
    keys: Vec<StoreKey>,
    waiting: VecDeque<ChangeHint>,
    waker: Option<Waker>,
    closed: bool,
}

impl InMemoryDataStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn open(&self) -> Result<MutexGuard<'_, Shared>, DataStoreError> {
        let shared = lock(&self.shared);
        if shared.closed {
            return Err(DataStoreError::new(DataStoreErrorKind::Closed, "the in-memory data store is shut down"));
        }
        Ok(shared)
    }

    fn read(&self, key: &str) -> Result<Option<Value>, DataStoreError> {
        Ok(self.open()?.values.get(key).filter(|value| !value.bytes.is_empty()).cloned())
    }

    fn write(&self, key: &str, bytes: &[u8], time: Option<u64>) -> Result<(), DataStoreError> {
        self.open()?
            .put(key, Value { bytes: Bytes::copy_from_slice(bytes), version: SpecVersion::of_json(bytes), time });
        Ok(())
    }
}

/// Shows no key and no value.
impl fmt::Debug for InMemoryDataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryDataStore").field("values", &lock(&self.shared).values.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn put(&mut self, key: &str, value: Value) {
        let lcut = value.version.as_ref().map(|version| version.time_ms);
        self.values.insert(key.into(), value);
        self.feeds.retain(|feed| {
            let Some(feed) = feed.upgrade() else { return false };
            let mut hints = lock(&feed);
            if let Some(key) = hints.keys.iter().find(|watched| &*watched.name == key) {
                let hint = ChangeHint::Changed { key: Arc::clone(&key.name), lcut };
                if hints.waiting.len() >= WAITING_HINTS {
                    hints.waiting.clear();
                    hints.waiting.push_back(ChangeHint::Subscribed);
                } else {
                    hints.waiting.push_back(hint);
                }
                if let Some(waker) = hints.waker.take() {
                    waker.wake();
                }
            }
            true
        });
    }
}

#[async_trait]
impl DataStore for InMemoryDataStore {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        self.open().map(drop)
    }

    async fn shutdown(&self) -> Result<(), DataStoreError> {
        let mut shared = lock(&self.shared);
        shared.closed = true;
        for feed in shared.feeds.drain(..).filter_map(|feed| feed.upgrade()) {
            let mut hints = lock(&feed);
            hints.closed = true;
            if let Some(waker) = hints.waker.take() {
                waker.wake();
            }
        }
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        let Some(value) = self.read(key)? else { return Ok(StoreResponse::new(None)) };
        let text = String::from_utf8(value.bytes.to_vec()).map_err(|error| {
            DataStoreError::new(DataStoreErrorKind::Malformed, "the stored value is not text")
                .with_source(error.utf8_error())
        })?;
        Ok(StoreResponse { result: Some(text), time: value.time })
    }

    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.write(key, value.as_bytes(), time)
    }

    async fn get_bytes(&self, key: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        let value = self.read(key)?;
        let time = value.as_ref().and_then(|value| value.time);
        Ok(StoreResponse { result: value.map(|value| value.bytes.to_vec()), time })
    }

    async fn set_bytes(&self, key: &str, value: &[u8], time: Option<u64>) -> Result<(), DataStoreError> {
        self.write(key, value, time)
    }

    async fn support_polling_updates_for(&self, _path: &StorePath) -> bool {
        true
    }

    async fn get_entry(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        let mut best: Option<StoreEntry> = None;
        for key in request.keys.iter() {
            let Some(value) = self.read(&key.name)? else { continue };
            let entry = StoreEntry {
                bytes: value.bytes,
                format: key.format,
                version: value.version,
                stored_at_ms: None,
                is_delta: false,
                key: Some(Arc::clone(&key.name)),
            };
            if best.as_ref().is_none_or(|best| is_better(&entry, best, request.now_ms)) {
                best = Some(entry);
            }
        }
        Ok(best.filter(|entry| match (&entry.version, &request.known) {
            (Some(version), Some(known)) => version.is_news_at(known, request.now_ms),
            _ => true,
        }))
    }

    async fn put_entry(&self, key: &str, entry: &StoreEntry, mode: PutMode) -> Result<PutOutcome, DataStoreError> {
        if entry.is_delta {
            return Ok(PutOutcome::SkippedDelta);
        }
        let Some(version) = &entry.version else {
            return Err(DataStoreError::new(DataStoreErrorKind::Invalid, "a payload without a time cannot be stored"));
        };
        let mut shared = self.open()?;
        if mode == PutMode::IfNewer
            && let Some(Value { bytes, version: Some(there), .. }) = shared.values.get(key)
        {
            if there.cmp_time(version, entry.stored_at_ms) == Ordering::Greater {
                return Ok(PutOutcome::SkippedOlder { stored_lcut: Some(there.time_ms) });
            }
            let same = match (&there.checksum, &version.checksum) {
                (Some(there), Some(new)) => there == new,
                _ => *bytes == entry.bytes,
            };
            if there.time_ms == version.time_ms && same {
                return Ok(PutOutcome::Refreshed);
            }
        }
        let value = Value { bytes: entry.bytes.clone(), version: Some(version.clone()), time: Some(version.time_ms) };
        shared.put(key, value);
        Ok(PutOutcome::Written)
    }

    async fn touch(&self, keys: &[StoreKey]) -> Result<TouchOutcome, DataStoreError> {
        for key in keys {
            if self.read(&key.name)?.is_none() {
                return Ok(TouchOutcome::Absent);
            }
        }
        Ok(TouchOutcome::Kept)
    }

    async fn watch(&self, keys: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        let hints = Arc::new(Mutex::new(Hints {
            keys: keys.to_vec(),
            waiting: VecDeque::from([ChangeHint::Subscribed]),
            waker: None,
            closed: false,
        }));
        self.open()?.feeds.push(Arc::downgrade(&hints));
        Ok(Some(Box::new(Feed(hints))))
    }

    async fn health(&self) -> StoreHealth {
        match self.open() {
            Ok(_) => StoreHealth::Up { rtt: Duration::ZERO },
            Err(error) => StoreHealth::Down { reason: error.to_string() },
        }
    }
}

struct Feed(Arc<Mutex<Hints>>);

#[async_trait]
impl ChangeFeed for Feed {
    async fn next(&mut self) -> Option<ChangeHint> {
        poll_fn(|context| {
            let mut hints = lock(&self.0);
            match hints.waiting.pop_front() {
                Some(hint) => Poll::Ready(Some(hint)),
                None if hints.closed => Poll::Ready(None),
                None => {
                    hints.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
