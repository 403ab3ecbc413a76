//! A data store that processes share.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use statsig_core::{
    ChangeFeed, ChangeHint, Clock, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, EntryVersion,
    KeySchema, SourceError, SourceErrorKind, SpecCursor, SpecFetch, SpecRequest, SpecSource, SpecSourceKind,
    SpecStream, SpecSubscription, SpecUpdate, StoreEntry, StoreFormat, StoreKey, StoreKeys, StorePath, StreamEvent,
};
use tokio::sync::OnceCell;

use super::{now, version_of, whole};
use crate::secret::SdkKey;

/// What evaluations say about specs from a data store.
fn kind() -> SpecSourceKind {
    SpecSourceKind::Adapter("DataStore".into())
}

/// Gives the newest entry of a data store.
///
/// Looks under the keys of version 2 and version 1, of one [`KeySchema`] and then of the other: the
/// official forward proxy writes [`KeySchema::Prefix`]. Prepares the store at the
/// first question, and again at later ones while that fails. Whether it is polled, the store says
/// (`support_polling_updates_for`), once. Never shuts the store down: [`SpecSync`](crate::SpecSync) does.
#[derive(Clone)]
pub struct DataStoreSpecSource {
    reader: Arc<Reader>,
}

struct Reader {
    store: Arc<dyn DataStore>,
    keys: Arc<[StoreKey]>,
    clock: Arc<dyn Clock>,
    ready: OnceCell<()>,
    polled: OnceCell<bool>,
    /// The newest entry that was seen in the store.
    seen: Mutex<Option<EntryVersion>>,
}

impl std::fmt::Debug for DataStoreSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataStoreSpecSource").finish_non_exhaustive()
    }
}

impl DataStoreSpecSource {
    /// A source of what SDKs and proxies store for a key, that of a schema before that of the other.
    #[must_use]
    pub fn new(store: Arc<dyn DataStore>, key: &SdkKey, schema: KeySchema, clock: Arc<dyn Clock>) -> Self {
        let keys = StoreKeys::new(key.expose());
        let mut places = Vec::new();
        for schema in [schema, super::other(schema)] {
            if cfg!(feature = "proto") {
                places.push(keys.key(&StorePath::SpecsV2, StoreFormat::StatsigBr, schema));
            }
            places.push(keys.key(&StorePath::SpecsV2, StoreFormat::PlainText, schema));
            places.push(keys.key(&StorePath::SpecsV1, StoreFormat::PlainText, schema));
        }
        Self::with_keys(store, places, clock)
    }

    /// A source of what stands under some keys, best first.
    #[must_use]
    pub fn with_keys(store: Arc<dyn DataStore>, keys: Vec<StoreKey>, clock: Arc<dyn Clock>) -> Self {
        let reader = Reader {
            store,
            keys: keys.into(),
            clock,
            ready: OnceCell::new(),
            polled: OnceCell::new(),
            seen: Mutex::default(),
        };
        Self { reader: Arc::new(reader) }
    }

    /// A stream of what is stored from now on, for stores that tell of changes.
    #[must_use]
    pub fn stream(&self) -> DataStoreSpecStream {
        DataStoreSpecStream { reader: Arc::clone(&self.reader) }
    }
}

impl Reader {
    async fn prepare(&self) -> Result<(), SourceError> {
        self.ready.get_or_try_init(|| self.store.initialize()).await.copied().map_err(error_of)
    }

    async fn read(&self, cursor: &SpecCursor) -> Result<SpecFetch, SourceError> {
        self.prepare().await?;
        let known =
            (cursor.time > 0).then(|| EntryVersion::new(cursor.time, cursor.checksum.as_deref().map(str::to_owned)));
        // Without a known version first: whether the store has nothing, or nothing new, matters.
        let request = EntryRequest::new(Arc::clone(&self.keys)).unless_known(known.clone());
        let Some(entry) = self.store.get_entry(&request).await.map_err(error_of)? else {
            return match known {
                Some(_) => self.nothing_newer(cursor).await,
                None => Err(SourceError::new(SourceErrorKind::Empty, "the data store has no entry")),
            };
        };
        self.has_seen(&entry);
        if entry.is_delta {
            return Err(SourceError::new(SourceErrorKind::Invalid, "the data store holds a mere difference"));
        }
        let update =
            SpecUpdate::new(entry.bytes, kind(), now(&*self.clock)).with_max_bytes(self.store.max_value_bytes());
        whole(update.with_format(entry.format).with_origin("datastore"), cursor)
    }

    fn has_seen(&self, entry: &StoreEntry) {
        let Some(own) = &entry.version else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_none_or(|seen| own.lcut >= seen.lcut) {
            *seen = Some(own.clone());
        }
    }

    /// Whether the store had what is held when it was last seen, also under another time; `None` if
    /// nothing was seen in it yet.
    fn had(&self, cursor: &SpecCursor) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref()?;
        let is_same = seen.checksum.is_some() && seen.checksum.as_deref() == cursor.checksum.as_deref();
        Some(is_same || seen.lcut >= cursor.time)
    }

    /// Tells whether the store has what is held, or lags behind. If that came from elsewhere, the store
    /// is asked, each time until it has caught up.
    async fn nothing_newer(&self, cursor: &SpecCursor) -> Result<SpecFetch, SourceError> {
        let had = self.had(cursor);
        if had == Some(true) {
            return Ok(SpecFetch::Unchanged);
        }
        // At first whatever it has, then only what is as new as what is held.
        let earlier = had.map(|_| EntryVersion::new(cursor.time - 1, None));
        let request = EntryRequest::new(Arc::clone(&self.keys)).unless_known(earlier);
        let Some(entry) = self.store.get_entry(&request).await.map_err(error_of)? else {
            return Ok(SpecFetch::Behind);
        };
        self.has_seen(&entry);
        Ok(if self.had(cursor) == Some(true) { SpecFetch::Unchanged } else { SpecFetch::Behind })
    }
}

#[async_trait]
impl SpecSource for DataStoreSpecSource {
    fn name(&self) -> &str {
        "data-store"
    }

    fn kind(&self) -> SpecSourceKind {
        kind()
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        self.reader.read(&request.cursor).await
    }

    async fn wants_polling(&self) -> bool {
        let reader = &self.reader;
        if reader.prepare().await.is_err() {
            // The next poll finds out.
            return true;
        }
        *reader.polled.get_or_init(|| reader.store.support_polling_updates_for(&StorePath::SpecsV2)).await
    }

    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        vec![Arc::clone(&self.reader.store)]
    }
}

/// Tells what is stored in a data store, as it happens.
///
/// For stores with a change feed; on others, subscriptions are refused. Changes are hints: the entry
/// is read from the store each time.
#[derive(Clone)]
pub struct DataStoreSpecStream {
    reader: Arc<Reader>,
}

impl std::fmt::Debug for DataStoreSpecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataStoreSpecStream").finish_non_exhaustive()
    }
}

#[async_trait]
impl SpecStream for DataStoreSpecStream {
    fn name(&self) -> &str {
        "data-store-feed"
    }

    fn kind(&self) -> SpecSourceKind {
        kind()
    }

    async fn subscribe(&self, cursor: &SpecCursor) -> Result<Box<dyn SpecSubscription>, SourceError> {
        self.reader.prepare().await?;
        let feed = self.reader.store.watch(&self.reader.keys).await.map_err(error_of)?;
        let Some(feed) = feed else {
            // No subscription will ever come about.
            return Err(SourceError::new(SourceErrorKind::Misconfigured, "the data store does not tell of changes"));
        };
        let reader = Arc::clone(&self.reader);
        Ok(Box::new(Subscription { reader, feed, cursor: cursor.clone(), unread: false }))
    }

    fn is_quiet(&self) -> bool {
        true
    }

    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        vec![Arc::clone(&self.reader.store)]
    }
}

struct Subscription {
    reader: Arc<Reader>,
    feed: Box<dyn ChangeFeed>,
    cursor: SpecCursor,
    /// There was a hint, and the store was not read since: a wait may have been given up.
    unread: bool,
}

#[async_trait]
impl SpecSubscription for Subscription {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        if !self.unread {
            match self.feed.next().await {
                Some(ChangeHint::Subscribed | ChangeHint::Changed { .. }) => self.unread = true,
                Some(_) => {
                    let reason = "the data store's change feed was interrupted";
                    return Err(SourceError::new(SourceErrorKind::Unreachable, reason));
                }
                None => return Ok(None),
            }
        }
        let read = self.reader.read(&self.cursor).await;
        self.unread = false;
        match read {
            Ok(SpecFetch::Updated(update)) => {
                if let Some(version) = version_of(&update.document, update.format) {
                    self.cursor = SpecCursor::new(version.lcut, version.checksum.as_deref());
                }
                Ok(Some(StreamEvent::Specs(update)))
            }
            Ok(SpecFetch::Behind) => Ok(Some(StreamEvent::NoUpdate { time: 0 })),
            Ok(_) => Ok(Some(StreamEvent::NoUpdate { time: self.cursor.time })),
            Err(error) if error.kind() == SourceErrorKind::Empty => Ok(Some(StreamEvent::NoUpdate { time: 0 })),
            Err(error) => Err(error),
        }
    }
}

fn error_of(error: DataStoreError) -> SourceError {
    use DataStoreErrorKind::{Closed, Denied, Invalid, Malformed, Timeout, TooLarge};
    let kind = match error.kind() {
        Timeout => SourceErrorKind::TimedOut,
        Denied => SourceErrorKind::Refused,
        Malformed | TooLarge => SourceErrorKind::Invalid,
        Invalid => SourceErrorKind::Misconfigured,
        Closed => SourceErrorKind::Disabled,
        _ => SourceErrorKind::Unreachable,
    };
    let retryable = error.is_retryable();
    SourceError::new(kind, error).with_retryable(retryable)
}

#[cfg(all(test, feature = "proto"))]
mod tests {
    use statsig_core::{FixedClock, InMemoryDataStore};

    use super::*;
    use crate::proto::head::document;

    #[tokio::test]
    async fn a_stream_knows_which_binary_document_it_gave_last() {
        let store = Arc::new(InMemoryDataStore::new());
        let key = StoreKeys::new("secret-k").key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
        let put = async |document: Vec<u8>| store.set_bytes(&key.name, &document, None).await.unwrap();
        put(document(5, "a")).await;
        let clock = Arc::new(FixedClock(0));
        let source = DataStoreSpecSource::new(store.clone(), &SdkKey::new("secret-k"), KeySchema::Hashed, clock);
        let mut subscription = source.stream().subscribe(&SpecCursor::default()).await.unwrap();
        let mut next = async || match subscription.next().await.unwrap().unwrap() {
            StreamEvent::Specs(update) => version_of(&update.document, update.format),
            StreamEvent::NoUpdate { time } => Some(EntryVersion::new(time, None)),
            _ => None,
        };
        assert_eq!(next().await, Some(EntryVersion::new(5, Some("a".into()))));
        // The same once more is no news.
        put(document(5, "a")).await;
        assert_eq!(next().await, Some(EntryVersion::new(5, None)));
        put(document(6, "b")).await;
        assert_eq!(next().await, Some(EntryVersion::new(6, Some("b".into()))));
        put(document(6, "b")).await;
        assert_eq!(next().await, Some(EntryVersion::new(6, None)));
    }
}
