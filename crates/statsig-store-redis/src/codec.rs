//! Stored bytes to payloads and back.
//!
//! A compressed value says so itself, by its first four bytes: no JSON text begins with them. Fields
//! beside the value are not asked, since other writers leave them as they are.

use std::borrow::Cow;

use statsig_adapters::{DataStoreError, DataStoreErrorKind};

use crate::error::malformed;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// From here on work leaves the thread that polls.
const LARGE: usize = 256 << 10;

/// Whether a value looks compressed.
pub(crate) fn is_compressed(value: &[u8]) -> bool {
    value.starts_with(&ZSTD_MAGIC)
}

/// Gives back the payload of a stored value that is text, of at most so many bytes.
pub(crate) async fn decode(stored: Vec<u8>, limit: usize) -> Result<Vec<u8>, DataStoreError> {
    if !is_compressed(&stored) {
        return Ok(stored);
    }
    off_thread(stored.len(), move || decompress(&stored, limit)).await?
}

/// Undoes gzip, which people and scripts put where text is expected; gives back everything else as it is, also gzip
/// data that is damaged or too large: whoever reads it says why.
pub(crate) async fn unzipped(payload: Vec<u8>, limit: usize) -> Result<Vec<u8>, DataStoreError> {
    if !payload.starts_with(&GZIP_MAGIC) {
        return Ok(payload);
    }
    // A few bytes may become many.
    off_thread(LARGE, move || {
        let damaged = |error: std::io::Error| malformed(&format!("gzip data is damaged: {error}"));
        let text = read_within(flate2::read::MultiGzDecoder::new(&*payload), limit, damaged);
        text.unwrap_or(payload)
    })
    .await
}

/// Reads at most so many bytes.
pub(crate) fn read_within(
    from: impl std::io::Read,
    limit: usize,
    damaged: impl FnOnce(std::io::Error) -> DataStoreError,
) -> Result<Vec<u8>, DataStoreError> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(from, limit as u64 + 1), &mut bytes).map_err(damaged)?;
    if bytes.len() > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

/// What to store for a text, and the word for it.
pub(crate) async fn encode(payload: &[u8], compress: bool) -> Result<(Cow<'_, [u8]>, &'static str), DataStoreError> {
    if !compress {
        return Ok((Cow::Borrowed(payload), "none"));
    }
    let owned = payload.to_vec();
    let compressed = off_thread(payload.len(), move || compressed(&owned)).await??;
    Ok((Cow::Owned(compressed), "zstd"))
}

/// Runs work for that many bytes, elsewhere if it takes long.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DataStoreError> {
    if bytes < LARGE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| DataStoreError::new(DataStoreErrorKind::Other, "work on a value was abandoned"))
}

/// That a value is larger than allowed.
pub(crate) fn too_large(limit: usize) -> DataStoreError {
    DataStoreError::new(DataStoreErrorKind::TooLarge, format!("Redis: the value has more than {limit} bytes"))
}

#[cfg(feature = "zstd")]
fn compressed(payload: &[u8]) -> Result<Vec<u8>, DataStoreError> {
    zstd::bulk::compress(payload, 3).map_err(|error| malformed(&format!("a value cannot be compressed: {error}")))
}

#[cfg(not(feature = "zstd"))]
fn compressed(_payload: &[u8]) -> Result<Vec<u8>, DataStoreError> {
    Err(DataStoreError::new(DataStoreErrorKind::Invalid, "compression needs the feature `zstd`"))
}

#[cfg(feature = "zstd")]
fn decompress(stored: &[u8], limit: usize) -> Result<Vec<u8>, DataStoreError> {
    let failed = |error: std::io::Error| malformed(&format!("a compressed value is damaged: {error}"));
    read_within(zstd::stream::read::Decoder::with_buffer(stored).map_err(failed)?, limit, failed)
}

#[cfg(not(feature = "zstd"))]
fn decompress(_stored: &[u8], _limit: usize) -> Result<Vec<u8>, DataStoreError> {
    Err(malformed("a value is compressed, and this build lacks the feature `zstd`"))
}

#[cfg(all(test, feature = "zstd"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn texts_survive_compression_within_the_limit() {
        let text = "{\"time\": 1, \"a\": \"b\"}".repeat(50_000).into_bytes();
        let (stored, codec) = encode(&text, true).await.unwrap();
        assert!(codec == "zstd" && stored.len() * 10 < text.len());
        assert_eq!(decode(stored.to_vec(), text.len()).await.unwrap(), text);
        let error = decode(stored.to_vec(), text.len() - 1).await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::TooLarge);
        let error = decode(stored[..100].to_vec(), text.len()).await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::Malformed);
        assert_eq!(decode(b"{}".to_vec(), 1).await.unwrap(), b"{}");
    }
}
