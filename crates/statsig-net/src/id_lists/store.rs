//! ID lists in a data store: a source, and the copy that is left there.
//!
//! Contents stand there in one of two forms. *Files*, which is what we write: the raw file as the server
//! has it, under its file ID, read on from where a reader is. *Whole lists*, which other SDKs write: the
//! members alone, under the list's name. A whole list is no part of a file and says nothing about
//! who left. So it is given out as a file of its own, whose ID is the digest of what is in it: a list that
//! changed is another file, and is read afresh, as is that of the server once it can be had.

mod copied;
mod whole;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{
    DataStore, DataStoreError, DataStoreErrorKind, IdListChunk, IdListEntry, IdListManifest, IdListReader,
    IdListSource, KeySchema, SourceError, SourceErrorKind, StoreFormat, StoreKey, StoreKeys, StorePath,
};
use tokio::time::Instant;

use crate::secret::{SdkKey, chain_of};
use crate::sources::other;
use copied::{Copied, leave};
use whole::WholeLists;

/// Puts a data store beside another source: what that one gives is left in the store, and read from
/// there by processes that start.
///
/// The manifest comes from the other source, and from the store while that has not given one yet: a
/// process that starts with nothing but the store has lists, and lists never go back to what the store
/// has. A file is read from the store when its list is new to
/// this process; of one that grows, only the other source gives the end alone, and is asked first.
///
/// Where the store has a manifest and not the file of a list, it may have the list itself, as other SDKs
/// leave it: `id_list::{name}`, one line for each member. The manifest may then be an array of names.
/// Such lists are read, never written, and from the store alone.
///
/// The store has been prepared by whoever reads the config specs from it.
pub struct StoredIdLists {
    store: Arc<dyn DataStore>,
    keys: StoreKeys,
    /// How the SDK key may appear in names; the manifest is written under the first.
    schemas: [KeySchema; 2],
    /// Lists that stand in the store as a whole.
    wholes: WholeLists,
    origin: Option<Arc<dyn IdListSource>>,
    writes: bool,
    /// Whether the other source has given a manifest: that of the store may be older.
    has_begun: AtomicBool,
    /// When the files were last kept from expiring.
    kept: Mutex<Option<Instant>>,
}

/// How often files in the store are kept from expiring: those of lists that do not change are not written
/// otherwise.
const KEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Files that are kept by one call.
const KEEP_AT_ONCE: usize = 64;

impl std::fmt::Debug for StoredIdLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = self.origin.as_ref().map(|origin| origin.name());
        f.debug_struct("StoredIdLists").field("origin", &origin).finish_non_exhaustive()
    }
}

impl StoredIdLists {
    /// A store before a source. With `writes`, leaves in the store what the source gave, under the names
    /// of this schema, unless the store [is only read](DataStore::is_read_only); the names of the other
    /// are read as well.
    #[must_use]
    pub fn new(
        store: Arc<dyn DataStore>,
        key: &SdkKey,
        schema: KeySchema,
        origin: Arc<dyn IdListSource>,
        writes: bool,
    ) -> Self {
        let writes = writes && !store.is_read_only();
        Self { writes, ..Self::with(store, key, [schema, other(schema)], Some(origin)) }
    }

    /// What is in a store for a key, in whichever schema, and nothing else. Writes nothing.
    #[must_use]
    pub fn alone(store: Arc<dyn DataStore>, key: &SdkKey) -> Self {
        Self::with(store, key, [KeySchema::Hashed, KeySchema::Prefix], None)
    }

    fn with(
        store: Arc<dyn DataStore>,
        key: &SdkKey,
        schemas: [KeySchema; 2],
        origin: Option<Arc<dyn IdListSource>>,
    ) -> Self {
        Self {
            store,
            keys: StoreKeys::new(key.expose()),
            schemas,
            wholes: WholeLists::default(),
            origin,
            writes: false,
            has_begun: AtomicBool::new(false),
            kept: Mutex::default(),
        }
    }

    /// The manifest in the store, if there is one that can be read.
    async fn stored_manifest(&self) -> Result<IdListManifest, SourceError> {
        let mut reason = SourceError::new(SourceErrorKind::Empty, "the data store has no manifest of ID lists");
        for schema in self.schemas {
            match self.get(&self.manifest_key(schema).name).await {
                Ok(Some(json)) => match whole::parse(&json) {
                    Ok(manifest) => return self.with_wholes(manifest, schema).await,
                    Err(error) => reason = SourceError::new(SourceErrorKind::Invalid, error),
                },
                Ok(None) => {}
                Err(error) => reason = SourceError::new(SourceErrorKind::Unreachable, error),
            }
        }
        Err(reason)
    }

    /// The bytes of a file from a place on, if the store has all that the manifest announces.
    async fn stored_file(&self, key: &StoreKey, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(entry.size)) else {
            return Err(SourceError::new(SourceErrorKind::Invalid, "the file is larger than this machine can hold"));
        };
        match self.get(&key.name).await {
            Ok(Some(mut file)) if file.len() >= to && from <= to => {
                file.truncate(to);
                Ok(IdListChunk::new(start, file.split_off(from)))
            }
            Ok(_) => Err(SourceError::new(SourceErrorKind::Empty, "the data store lacks a part of the file")),
            Err(error) => Err(SourceError::new(SourceErrorKind::Unreachable, error)),
        }
    }

    fn manifest_key(&self, schema: KeySchema) -> StoreKey {
        self.keys.key(&StorePath::IdListManifest, StoreFormat::PlainText, schema)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, DataStoreError> {
        let found = match self.store.get_bytes(key).await {
            Ok(response) => response.result,
            Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented => {
                self.store.get(key).await?.result.map(String::into_bytes)
            }
            Err(error) => return Err(error),
        };
        Ok(found.filter(|bytes| !bytes.is_empty()))
    }

    fn is_time_to_keep(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = kept.is_none_or(|at| at.elapsed() >= KEEP_EVERY);
        if is_due {
            *kept = Some(Instant::now());
        }
        is_due
    }

    /// Keeps the files of a manifest from expiring, as far as they are there.
    async fn keep(&self, manifest: &IdListManifest) {
        let named = manifest.entries.iter().filter(|entry| !entry.url.is_empty() && !entry.file_id.is_empty());
        let files: Vec<StoreKey> = named.map(|entry| StoreKey::id_list_file(&entry.url, &entry.file_id)).collect();
        for group in files.chunks(KEEP_AT_ONCE) {
            if let Err(error) = self.store.touch(group).await {
                tracing::debug!(error = %chain_of(&error), "files of ID lists could not be kept in the store");
                return;
            }
        }
    }
}

#[async_trait]
impl IdListSource for StoredIdLists {
    fn name(&self) -> &str {
        "data-store"
    }

    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        let Some(origin) = &self.origin else { return self.stored_manifest().await };
        let error = match origin.manifest().await {
            Ok(manifest) => {
                self.has_begun.store(true, Ordering::Relaxed);
                let key = self.manifest_key(self.schemas[0]);
                if self.writes
                    && manifest.unreadable.is_empty()
                    && let Err(error) = self.store.set(&key.name, &manifest.to_json(), None).await
                {
                    tracing::debug!(error = %chain_of(&error), "the manifest of ID lists could not be shared");
                }
                if self.writes && self.is_time_to_keep() {
                    self.keep(&manifest).await;
                }
                return Ok(manifest);
            }
            Err(error) if self.has_begun.load(Ordering::Relaxed) => return Err(error),
            Err(error) => error,
        };
        self.stored_manifest().await.map_err(|_| error)
    }

    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        if let Some(schema) = whole::place(entry) {
            return self.read_whole(entry, schema, start).await;
        }
        let key = StoreKey::id_list_file(&entry.url, &entry.file_id);
        let Some(origin) = &self.origin else { return self.stored_file(&key, entry, start).await };
        if start == 0
            && let Ok(chunk) = self.stored_file(&key, entry, start).await
        {
            return Ok(chunk);
        }
        match origin.read(entry, start).await {
            Ok(chunk) => {
                if self.writes
                    && let Err(error) = leave(&*self.store, &key.name, &chunk).await
                {
                    tracing::debug!(error = %chain_of(&error), "an ID list could not be shared");
                }
                Ok(chunk)
            }
            Err(error) if start > 0 => self.stored_file(&key, entry, start).await.map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    async fn open(&self, entry: &IdListEntry, start: u64) -> Result<Box<dyn IdListReader>, SourceError> {
        let Some(origin) = self.origin.as_ref().filter(|_| whole::place(entry).is_none()) else {
            return Ok(self.read(entry, start).await?.into());
        };
        let key = StoreKey::id_list_file(&entry.url, &entry.file_id);
        if start == 0
            && let Ok(chunk) = self.stored_file(&key, entry, start).await
        {
            return Ok(chunk.into());
        }
        match origin.open(entry, start).await {
            Ok(reader) if self.writes => {
                let store = Arc::clone(&self.store);
                Ok(Box::new(Copied::new(reader, store, key.name, entry.size)))
            }
            Ok(reader) => Ok(reader),
            Err(error) if start > 0 => match self.stored_file(&key, entry, start).await {
                Ok(chunk) => Ok(chunk.into()),
                Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}
