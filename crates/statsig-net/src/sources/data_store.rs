//! A data store that processes share.

mod feed;
mod search;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use statsig_core::{
    Clock, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, KeySchema, Reach, SourceError, SourceErrorKind,
    SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate, SpecVersion, StoreFormat, StoreKey, StoreKeys,
    StorePath,
};
use tokio::sync::OnceCell;

pub use self::feed::DataStoreSpecStream;
pub(crate) use self::search::is_usable;
use self::search::{Given, Search};
use super::answer_with;
use crate::secret::SdkKey;

/// Returns the origin of specs from a data store.
fn origin() -> SpecOrigin {
    SpecOrigin::Adapter("DataStore".into())
}

/// Gives the newest entry of a data store.
///
/// Judges each key by itself: an entry that is not config specs, or that the client refused, hides no other, and a
/// time from the future comes after every other. Reads gzip. Fails with
/// [`Invalid`](SourceErrorKind::Invalid) if nothing else is there.
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
    seen: Mutex<Option<SpecVersion>>,
    /// The entry that was given last: one that the client does not hold afterwards was refused.
    given: Mutex<Option<Given>>,
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
            given: Mutex::default(),
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

    async fn read(&self, held: Option<&SpecVersion>) -> Result<SpecFetch, SourceError> {
        self.prepare().await?;
        let known = held.cloned();
        let refused = self.given().clone().filter(|given| held.is_none_or(|held| !given.is_held(held)));
        let mut found = self.search(known.clone(), None).await?;
        if let Some(refused) = refused
            && found.best.as_ref().is_some_and(|best| best.given() == refused)
            && let Ok(other) = self.search(known.clone(), Some(&refused)).await
            && other.best.is_some()
        {
            // What was refused is given again only if there is nothing else, so that its failure shows.
            found = other;
        }
        match (found, held) {
            (Search { best: Some(best), .. }, _) => {
                self.has_seen(&best.version);
                *self.given() = Some(best.given());
                let update = SpecUpdate::new(best.document, origin(), Reach::Shared, self.clock.unix_ms());
                let update = update.with_format(best.format.into()).with_version(Some(best.version));
                let update = update.with_address("datastore").with_max_bytes(self.store.max_value_bytes());
                answer_with(update, held)
            }
            (Search { trouble: Some(trouble), rest, .. }, Some(held)) => {
                // Another form that has what is held makes up for it.
                let has_it = self.has_what_is_held(&rest, held).await.unwrap_or(false);
                if has_it { Ok(SpecFetch::Unchanged) } else { Err(trouble) }
            }
            (Search { trouble: Some(trouble), .. }, None) => Err(trouble),
            (_, Some(held)) => self.nothing_newer(held).await,
            (_, None) => Err(SourceError::new(SourceErrorKind::Empty, "the data store has no entry")),
        }
    }

    fn given(&self) -> std::sync::MutexGuard<'_, Option<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_seen(&self, version: &SpecVersion) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = Some(self.clock.unix_ms());
        if seen.as_ref().is_none_or(|seen| version.cmp_time(seen, now_ms).is_ge()) {
            *seen = Some(version.clone());
        }
    }

    /// Whether the store had what is held when it was last seen, also under another time; `None` if
    /// nothing was seen in it yet.
    fn had(&self, held: &SpecVersion) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref()?;
        let is_same = seen.checksum.is_some() && seen.checksum.as_deref() == held.checksum.as_deref();
        Some(is_same || seen.time_ms >= held.time_ms)
    }

    /// Tells whether the store has what is held, or lags behind. If that came from elsewhere, the store
    /// is asked, each time until it has caught up.
    async fn nothing_newer(&self, held: &SpecVersion) -> Result<SpecFetch, SourceError> {
        let had = self.had(held);
        if had == Some(true) {
            return Ok(SpecFetch::Unchanged);
        }
        // At first whatever it has, then only what is as new as what is held.
        let earlier = had.map(|_| SpecVersion::new(held.time_ms.saturating_sub(1), None));
        let has_it = self.has(&self.keys, earlier, held).await?;
        Ok(if has_it { SpecFetch::Unchanged } else { SpecFetch::Behind })
    }

    /// Returns whether one of some keys has what is held, or something as new.
    async fn has_what_is_held(&self, keys: &[StoreKey], held: &SpecVersion) -> Result<bool, SourceError> {
        self.has(keys, Some(SpecVersion::new(held.time_ms.saturating_sub(1), None)), held).await
    }

    async fn has(
        &self,
        keys: &[StoreKey],
        earlier: Option<SpecVersion>,
        held: &SpecVersion,
    ) -> Result<bool, SourceError> {
        let request = EntryRequest::new(keys).unless_known(earlier).at(self.clock.unix_ms());
        let Some(entry) = self.store.get_entry(&request).await.map_err(error_of)? else { return Ok(false) };
        let Ok(found) = search::judge(entry, self.limit()).await else { return Ok(false) };
        self.has_seen(&found.version);
        Ok(self.had(held) == Some(true))
    }

    /// Most bytes of a document, decompressed.
    fn limit(&self) -> usize {
        self.store.max_value_bytes().unwrap_or(super::unpack::MAX_BYTES)
    }
}

#[async_trait]
impl SpecSource for DataStoreSpecSource {
    fn name(&self) -> &str {
        "data-store"
    }

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Shared
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        self.reader.read(request.version.as_ref()).await
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

    use statsig_core::{SpecStream, StreamEvent};

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
        let mut subscription = source.stream().subscribe(&SpecRequest::default()).await.unwrap();
        let mut next = async || match subscription.next().await.unwrap().unwrap() {
            StreamEvent::Specs(update) => update.version,
            StreamEvent::NoUpdate { time_ms } => Some(SpecVersion::new(time_ms, None)),
            _ => None,
        };
        assert_eq!(next().await, Some(SpecVersion::new(5, Some("a"))));
        // The same once more is no news.
        put(document(5, "a")).await;
        assert_eq!(next().await, Some(SpecVersion::new(5, None)));
        put(document(6, "b")).await;
        assert_eq!(next().await, Some(SpecVersion::new(6, Some("b"))));
        put(document(6, "b")).await;
        assert_eq!(next().await, Some(SpecVersion::new(6, None)));
    }
}
