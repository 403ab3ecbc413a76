//! Undoes gzip, which people and scripts put where config specs are expected.
//!
//! In: a document from a file, a data store or the application. Out: the same, decompressed within a limit if it
//! begins like gzip.

use std::io;

use bytes::Bytes;

use crate::transport::decode::{DecodeError, decode};

/// Most bytes of a document, decompressed, unless its source has another limit.
pub(super) const MAX_BYTES: usize = 256 << 20;
/// From here on work leaves the thread that polls, in bytes.
const LARGE: usize = 64 << 10;

/// Returns a document, decompressed if it is gzip.
///
/// # Errors
/// If the gzip data is damaged, or more than `limit` bytes come out.
pub(super) async fn unpacked(document: Bytes, limit: usize) -> io::Result<Bytes> {
    if !document.starts_with(b"\x1f\x8b") {
        return Ok(document);
    }
    // A few bytes of gzip may be many of text.
    off_thread(LARGE, move || decode(document, "gzip", limit)).await?.map_err(|error| match error {
        DecodeError::TooLarge => invalid(format!("gzip data of more than {limit} bytes, decompressed")),
        DecodeError::Broken(error) => invalid(format!("damaged gzip data: {error}")),
    })
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Runs work for so many bytes, on a blocking thread if it takes long.
///
/// # Errors
/// If the runtime ends before the work does.
pub(super) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if bytes < LARGE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(raw: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(raw).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn gzip_is_undone_within_the_limit_and_anything_else_is_left_alone() {
        let raw = vec![b' '; 1 << 20];
        assert_eq!(unpacked(gzip(&raw).into(), raw.len()).await.unwrap(), raw);
        let error = unpacked(gzip(&raw).into(), raw.len() - 1).await.unwrap_err().to_string();
        assert_eq!(error, "gzip data of more than 1048575 bytes, decompressed");
        let error = unpacked(gzip(&raw)[..50].to_vec().into(), raw.len()).await.unwrap_err().to_string();
        assert!(error.starts_with("damaged gzip data: "), "{error}");
        for other in [&b""[..], b"{}", b"\x1f", b"\xEF\xBB\xBF{}"] {
            assert_eq!(unpacked(other.to_vec().into(), 1).await.unwrap(), other);
        }
    }
}
