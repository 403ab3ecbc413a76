//! Reads the layout of the vendor's Redis adapter for Node: one hash for everything, a field for each key, values
//! compressed with zlib and written in Base64.
//!
//! Read only, and only if no key of a request holds anything in the usual layouts: so teams can move over service by
//! service, and nobody else pays for it.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::cmd;
use statsig_adapters::{DataStoreError, DataStoreErrorKind, SpecVersion, StoreEntry, StoreFormat, StoreKey};

use super::Call;
use super::judge::version_of;
use crate::codec::{self, off_thread, too_large};
use crate::op::Op;

/// Name of the hash, unless its writers chose another.
const HASH: &str = "statsig-redis";
/// From here on work leaves the thread that polls: what was compressed is many times as large.
const LARGE: usize = 16 << 10;

impl Call<'_> {
    /// Reads the entries of some keys out of the hash, those that are there.
    ///
    /// One that is not written as the adapter does is given as it is: whoever reads it may judge.
    pub(super) async fn node_entries<'k>(
        &self,
        keys: &'k [StoreKey],
    ) -> Result<Vec<(&'k StoreKey, StoreEntry)>, DataStoreError> {
        let texts = keys.iter().filter(|key| key.format == StoreFormat::PlainText);
        let found = join_all(texts.map(async |key| (key, self.node_entry(key).await))).await;
        found.into_iter().filter_map(|(key, entry)| entry.transpose().map(|entry| Ok((key, entry?)))).collect()
    }

    async fn node_entry(&self, key: &StoreKey) -> Result<Option<StoreEntry>, DataStoreError> {
        let name = self.names.value(HASH);
        let mut length = cmd("HSTRLEN");
        length.arg(&name).arg(&*key.name);
        let length: usize = match self.link.attempt(Op::Peek, &length, self.deadline).await {
            Ok(length) => length,
            // Something else has the name, or this user may not look at it: nobody shares anything there.
            Err(failure) if matches!(failure.code(), Some("WRONGTYPE" | "NOPERM")) => 0,
            Err(failure) => return Err(failure.into_error(Op::Get)),
        };
        if length == 0 {
            return Ok(None);
        }
        if length > self.max_value_bytes {
            return Err(too_large(self.max_value_bytes));
        }
        let mut get = cmd("HMGET");
        get.arg(&name).arg(&*key.name);
        let [value]: [Option<Vec<u8>>; 1] = self.query(Op::Get, &get).await?;
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
        self.counters.bytes_read.add(value.len() as u64);
        self.measure_payload("read", &key.name, value.len());
        let (limit, format) = (self.max_value_bytes, key.format);
        let read = move || {
            let payload = decoded(value, limit)?;
            let version = version_of(&payload, format, None);
            Ok::<_, DataStoreError>((payload, version))
        };
        let size = if length >= LARGE { usize::MAX } else { length };
        let (payload, version) = off_thread(size, read).await??;
        let entry = StoreEntry::new(payload, format, SpecVersion::default()).with_version(version);
        Ok(Some(entry.with_key(Arc::clone(&key.name))))
    }
}

/// Undoes Base64 and zlib within a limit; gives back what is not Base64.
fn decoded(value: Vec<u8>, limit: usize) -> Result<Vec<u8>, DataStoreError> {
    let Some(compressed) = from_base64(&value) else { return Ok(value) };
    let damaged = |error: std::io::Error| {
        let reason = format!("Redis: a value of the Node adapter is damaged: {error}");
        DataStoreError::new(DataStoreErrorKind::Malformed, reason)
    };
    codec::read_within(flate2::read::ZlibDecoder::new(&*compressed), limit, damaged)
}

/// Reads Base64 in the standard alphabet, with or without padding and line ends; `None` if it is something else.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    for &letter in text.iter().filter(|letter| !letter.is_ascii_whitespace()) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_all_lengths_is_read() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\r\nYg==\n", "foob")]
        {
            assert_eq!(from_base64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for text in ["{}", "a-b_", "Zm9v!", "Zm==9v"] {
            assert_eq!(from_base64(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_decoded_within_the_limit(value: Vec<u8>, letters in "[A-Za-z0-9+/=]{0,64}") {
            for value in [value, letters.into_bytes()] {
                let as_it_is = value.clone();
                if let Ok(payload) = decoded(value, 40) {
                    assert!(payload.len() <= 40 || payload == as_it_is);
                }
            }
        }
    }
}
