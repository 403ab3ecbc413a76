//! What the defaults of the trait do.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{
    AppendOutcome, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome, StoreEntry,
    StoreFormat,
};
use crate::SpecVersion;

/// Reads all entries of a request and returns the newest that is news.
pub(super) async fn newest<S: DataStore + ?Sized>(
    store: &S,
    request: &EntryRequest,
) -> Result<Option<StoreEntry>, DataStoreError> {
    let mut best: Option<StoreEntry> = None;
    let mut failure = None;
    for key in request.keys.iter() {
        match value(store, &key.name, key.format).await {
            Ok(Some(bytes)) => {
                let entry = entry(bytes, key.format).with_key(Arc::clone(&key.name));
                if best.as_ref().is_none_or(|best| is_better(&entry, best, request.now_ms)) {
                    best = Some(entry);
                }
            }
            Ok(None) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match (best, failure) {
        (Some(entry), _) => Ok(Some(entry).filter(|entry| match (&entry.version, &request.known) {
            (Some(version), Some(known)) => version.is_news_at(known, request.now_ms),
            _ => true,
        })),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// Stores an entry after a look at what is there.
pub(super) async fn put<S: DataStore + ?Sized>(
    store: &S,
    key: &str,
    entry: &StoreEntry,
    mode: PutMode,
) -> Result<PutOutcome, DataStoreError> {
    if entry.is_delta {
        return Ok(PutOutcome::SkippedDelta);
    }
    let Some(version) = &entry.version else {
        return Err(DataStoreError::new(DataStoreErrorKind::Invalid, "a payload without a time cannot be stored"));
    };
    if mode == PutMode::IfNewer
        && entry.format == StoreFormat::PlainText
        && let Some(stored) = value(store, key, entry.format).await?
        && let Some(there) = SpecVersion::of_json(&stored)
    {
        if there.cmp_time(version, entry.stored_at_ms) == Ordering::Greater {
            return Ok(PutOutcome::SkippedOlder { stored_lcut: Some(there.time_ms) });
        }
        if there.time_ms == version.time_ms && stored == entry.bytes {
            return Ok(PutOutcome::Refreshed);
        }
    }
    store_value(store, key, entry.format, &entry.bytes, Some(version.time_ms)).await?;
    Ok(PutOutcome::Written)
}

/// Appends to a value after a look at its length.
pub(super) async fn append<S: DataStore + ?Sized>(
    store: &S,
    key: &str,
    at: u64,
    tail: &[u8],
) -> Result<AppendOutcome, DataStoreError> {
    let mut stored = value(store, key, StoreFormat::PlainText).await?.unwrap_or_default();
    let len = stored.len() as u64;
    if len != at {
        return Ok(AppendOutcome::LengthDiffers { len });
    }
    if !tail.is_empty() {
        stored.extend_from_slice(tail);
        store_value(store, key, StoreFormat::PlainText, &stored, None).await?;
    }
    Ok(AppendOutcome::Appended)
}

/// Stores a value as bytes, or as text where the store takes nothing else.
async fn store_value<S: DataStore + ?Sized>(
    store: &S,
    key: &str,
    format: StoreFormat,
    bytes: &[u8],
    time: Option<u64>,
) -> Result<(), DataStoreError> {
    match store.set_bytes(key, bytes, time).await {
        Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented && format == StoreFormat::PlainText => {
            let text = std::str::from_utf8(bytes).map_err(|error| {
                DataStoreError::new(DataStoreErrorKind::Malformed, "the value is not UTF-8").with_source(error)
            })?;
            store.set(key, text, time).await
        }
        done => done,
    }
}

/// Reads a value as bytes, or as text where the store has nothing else.
async fn value<S: DataStore + ?Sized>(
    store: &S,
    key: &str,
    format: StoreFormat,
) -> Result<Option<Vec<u8>>, DataStoreError> {
    let bytes = match store.get_bytes(key).await {
        Ok(response) => response.result,
        Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented => match format {
            StoreFormat::PlainText => store.get(key).await?.result.map(String::into_bytes),
            // Such a store cannot hold what is not text.
            StoreFormat::StatsigBr => None,
        },
        Err(error) => return Err(error),
    };
    Ok(bytes.filter(|bytes| !bytes.is_empty()))
}

fn entry(bytes: Vec<u8>, format: StoreFormat) -> StoreEntry {
    match format {
        StoreFormat::PlainText => StoreEntry::json(bytes),
        StoreFormat::StatsigBr => StoreEntry::new(bytes, format, SpecVersion::default()).with_version(None),
    }
}

/// Whether an entry from a later key beats that of an earlier one.
pub(super) fn is_better(entry: &StoreEntry, best: &StoreEntry, now_ms: Option<u64>) -> bool {
    match (&entry.version, &best.version) {
        (Some(entry), Some(best)) => entry.cmp_time(best, now_ms) == Ordering::Greater,
        // A JSON text without a version is no payload at all.
        _ => best.version.is_none() && best.format == StoreFormat::PlainText,
    }
}
