//! The copy of a file that is left in the store while it is read from elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{
    AppendOutcome, DataStore, DataStoreError, DataStoreErrorKind, IdListChunk, IdListReader, SourceError,
};

use crate::secret::chain_of;

/// Least and most bytes that are appended at once: in between, half as many as the store has already.
const AT_ONCE: (usize, usize) = (1 << 20, 16 << 20);

/// Reads a file from elsewhere, and appends what comes to the copy in the store.
pub(super) struct Copied {
    reader: Box<dyn IdListReader>,
    store: Arc<dyn DataStore>,
    key: Arc<str>,
    /// Length of the file.
    size: u64,
    /// Bytes that were read and are not in the store yet.
    pending: IdListChunk,
}

impl Copied {
    pub(super) fn new(reader: Box<dyn IdListReader>, store: Arc<dyn DataStore>, key: Arc<str>, size: u64) -> Self {
        Self { reader, store, key, size, pending: IdListChunk::default() }
    }

    async fn write(&mut self) {
        let chunk = std::mem::take(&mut self.pending);
        if chunk.bytes.is_empty() {
            return;
        }
        if let Err(error) = leave(&*self.store, &self.key, &chunk).await {
            tracing::debug!(error = %chain_of(&error), "failed to copy a part of an ID list to the data store");
        }
    }
}

#[async_trait]
impl IdListReader for Copied {
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError> {
        let result = self.reader.next().await;
        let Ok(Some(piece)) = &result else {
            self.write().await;
            return result;
        };
        if self.pending.bytes.is_empty() {
            self.pending.start = piece.start;
        }
        self.pending.bytes.extend_from_slice(&piece.bytes);
        let enough = usize::try_from(self.pending.start / 2).unwrap_or(usize::MAX).clamp(AT_ONCE.0, AT_ONCE.1);
        let end = piece.start + piece.bytes.len() as u64;
        if self.pending.bytes.len() >= enough || end >= self.size {
            self.write().await;
        }
        result
    }
}

/// Appends a part of a file to the copy in the store, as far as the copy reaches up to it and lacks it.
pub(super) async fn leave(store: &dyn DataStore, key: &str, chunk: &IdListChunk) -> Result<(), DataStoreError> {
    let AppendOutcome::LengthDiffers { len } = store.append(key, chunk.start, &chunk.bytes).await? else {
        return Ok(());
    };
    let end = chunk.start + chunk.bytes.len() as u64;
    if chunk.start > len || end <= len {
        return Ok(());
    }
    if chunk.start == 0 {
        // Better than the shorter copy that is there, whatever that holds.
        return match store.set_bytes(key, &chunk.bytes, None).await {
            Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented => {
                store.set(key, &String::from_utf8_lossy(&chunk.bytes), None).await
            }
            done => done,
        };
    }
    // The copy ends within this part of a file that only grows.
    let lacking = usize::try_from(len - chunk.start).ok().and_then(|from| chunk.bytes.get(from..)).unwrap_or_default();
    store.append(key, len, lacking).await.map(drop)
}
