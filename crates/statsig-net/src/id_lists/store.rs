//! ID lists in a data store: a source, and the copy that is left there.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{
    AppendOutcome, DataStore, DataStoreError, DataStoreErrorKind, IdListChunk, IdListEntry, IdListManifest,
    IdListSource, KeySchema, SourceError, SourceErrorKind, StoreFormat, StoreKey, StoreKeys, StorePath,
};

use crate::secret::{SdkKey, chain_of};

/// Asks a data store for files before another source, and leaves there what that one gave.
///
/// The manifest comes from the other source, and from the store when that fails: a process that
/// starts with nothing but the store has lists.
pub struct StoredIdLists {
    store: Arc<dyn DataStore>,
    manifest_key: StoreKey,
    origin: Arc<dyn IdListSource>,
    writes: bool,
}

impl std::fmt::Debug for StoredIdLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredIdLists").field("origin", &self.origin.name()).finish_non_exhaustive()
    }
}

impl StoredIdLists {
    /// A store before a source. With `writes`, leaves in the store what the source gave.
    #[must_use]
    pub fn new(
        store: Arc<dyn DataStore>,
        key: &SdkKey,
        schema: KeySchema,
        origin: Arc<dyn IdListSource>,
        writes: bool,
    ) -> Self {
        let keys = StoreKeys::new(key.expose());
        let manifest_key = keys.key(&StorePath::IdListManifest, StoreFormat::PlainText, schema);
        Self { store, manifest_key, origin, writes }
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

    /// Leaves a part of a file in the store, if what is there reaches up to it.
    async fn leave(&self, key: &str, chunk: &IdListChunk) -> Result<(), DataStoreError> {
        match self.store.append(key, chunk.start, &chunk.bytes).await? {
            // The whole file: better than whatever is there, unless that is longer.
            AppendOutcome::LengthDiffers { len } if chunk.start == 0 && len < chunk.bytes.len() as u64 => {
                match self.store.set_bytes(key, &chunk.bytes, None).await {
                    Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented => {
                        let text = String::from_utf8_lossy(&chunk.bytes);
                        self.store.set(key, &text, None).await
                    }
                    done => done,
                }
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl IdListSource for StoredIdLists {
    fn name(&self) -> &str {
        "data-store"
    }

    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        let error = match self.origin.manifest().await {
            Ok(manifest) => {
                if self.writes && manifest.unreadable.is_empty() {
                    let stored = self.store.set(&self.manifest_key.name, &manifest.to_json(), None).await;
                    if let Err(error) = stored {
                        tracing::debug!(error = %chain_of(&error), "the manifest of ID lists could not be shared");
                    }
                }
                return Ok(manifest);
            }
            Err(error) => error,
        };
        match self.get(&self.manifest_key.name).await {
            Ok(Some(json)) => IdListManifest::parse(&json).map_err(|_| error),
            _ => Err(error),
        }
    }

    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        let key = StoreKey::id_list_file(&entry.url, &entry.file_id);
        let (from, to) = (usize::try_from(start), usize::try_from(entry.size));
        match (self.get(&key.name).await, from, to) {
            (Ok(Some(mut file)), Ok(from), Ok(to)) if file.len() >= to && from <= to => {
                file.truncate(to);
                Ok(IdListChunk::new(start, file.split_off(from)))
            }
            (_, Err(_), _) | (_, _, Err(_)) => {
                Err(SourceError::new(SourceErrorKind::Invalid, "the file is larger than this machine can hold"))
            }
            _ => {
                let chunk = self.origin.read(entry, start).await?;
                if self.writes
                    && let Err(error) = self.leave(&key.name, &chunk).await
                {
                    tracing::debug!(error = %chain_of(&error), "an ID list could not be shared");
                }
                Ok(chunk)
            }
        }
    }
}
