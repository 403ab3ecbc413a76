//! Looking into the body of a batch.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::value::RawValue;
use statsig_core::{BatchEncoding, EventBatch};

/// Longest array that is decoded, whatever the batch says.
const MOST_RAW_BYTES: usize = 256 << 20;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Compressed in a way that is not supported.
    #[error("the body of the batch has an unsupported encoding")]
    UnsupportedEncoding,
    /// Not what it says it is compressed with.
    #[error("the body of the batch cannot be decompressed")]
    Compression(#[source] std::io::Error),
    /// Longer or shorter than the batch says.
    #[error("the body of the batch does not have the length that the batch says")]
    Length,
    /// Not a JSON array.
    #[error("the body of the batch is not a JSON array")]
    Json(#[source] serde_json::Error),
}

/// The JSON array of a batch, decoded; at most as long as the batch says.
pub(crate) fn decoded(batch: &EventBatch) -> Result<Cow<'_, [u8]>, BodyError> {
    let raw = match batch.encoding {
        BatchEncoding::Identity => Cow::Borrowed(&*batch.body),
        BatchEncoding::Gzip => {
            if batch.raw_len > MOST_RAW_BYTES {
                return Err(BodyError::Length);
            }
            // Not the promised length at once: a batch may lie, and growing costs little.
            let mut raw = Vec::with_capacity(batch.raw_len.min(1 << 20));
            MultiGzDecoder::new(&*batch.body)
                .take(batch.raw_len as u64 + 1)
                .read_to_end(&mut raw)
                .map_err(BodyError::Compression)?;
            Cow::Owned(raw)
        }
        _ => return Err(BodyError::UnsupportedEncoding),
    };
    if raw.len() == batch.raw_len { Ok(raw) } else { Err(BodyError::Length) }
}

/// The events of a decoded array, as they are written in it.
pub(crate) fn events(raw: &[u8]) -> Result<Vec<&RawValue>, BodyError> {
    serde_json::from_slice(raw).map_err(BodyError::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(body: &[u8], encoding: BatchEncoding, raw_len: usize) -> EventBatch {
        EventBatch::new([0; 16], 0, 1, body, encoding, raw_len)
    }

    #[test]
    fn bodies_that_are_not_what_they_say() {
        let bomb = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::Write::write_all(&mut encoder, &vec![b' '; 1 << 20]).unwrap();
            encoder.finish().unwrap()
        };
        type Expected = fn(&BodyError) -> bool;
        let rows: [(EventBatch, Expected); 5] = [
            (batch(b"[]", BatchEncoding::Identity, 3), |error| matches!(error, BodyError::Length)),
            (batch(&bomb, BatchEncoding::Gzip, 10), |error| matches!(error, BodyError::Length)),
            (batch(&bomb, BatchEncoding::Gzip, usize::MAX), |error| matches!(error, BodyError::Length)),
            (batch(b"[]", BatchEncoding::Gzip, 2), |error| matches!(error, BodyError::Compression(_))),
            (batch(&bomb[..40], BatchEncoding::Gzip, 1 << 20), |error| matches!(error, BodyError::Compression(_))),
        ];
        for (batch, expected) in rows {
            let error = decoded(&batch).unwrap_err();
            assert!(expected(&error), "{error:?}");
        }
        assert_eq!(decoded(&batch(&bomb, BatchEncoding::Gzip, 1 << 20)).unwrap().len(), 1 << 20);
    }

    #[test]
    fn events_are_found_as_they_are_written() {
        let found = events(b" [ {\"a\": 1.0e2} ,\"x\\u0041\",[ 1 ]]").unwrap();
        let texts: Vec<&str> = found.iter().map(|event| event.get()).collect();
        assert_eq!(texts, ["{\"a\": 1.0e2}", "\"x\\u0041\"", "[ 1 ]"]);
        for text in ["{}", "[1,]", "", "[1] 2"] {
            assert!(matches!(events(text.as_bytes()), Err(BodyError::Json(_))), "{text}");
        }
    }
}
