//! Payloads of records: the body of a batch, after the metadata of its SDK if it has any.
//!
//! With metadata, a payload is the length of the metadata as `u32`, the metadata as JSON, and the body.

use std::borrow::Cow;
use std::sync::Arc;

use statsig_core::SdkMetadata;

use super::format::{KIND_BATCH, KIND_BATCH_WITH_METADATA, RecordHeader};
use super::record::{Encoding, SpoolRecord, SpooledBatch};

/// Bytes of the length of the metadata.
const LENGTH_BYTES: usize = 4;

/// Returns kind and payload of a record; copies the body only to put metadata before it.
pub(super) fn payload_of<'a>(body: &'a [u8], metadata: Option<&SdkMetadata>) -> (u8, Cow<'a, [u8]>) {
    let Some(metadata) = metadata.map(SdkMetadata::to_json) else { return (KIND_BATCH, Cow::Borrowed(body)) };
    // Metadata has a bound far below 4 GiB; without it, the length of the whole record is refused.
    let length = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
    let payload = [&length.to_le_bytes()[..], &metadata, body].concat();
    (KIND_BATCH_WITH_METADATA, Cow::Owned(payload))
}

/// Returns the length of the payload of a record.
pub(super) fn payload_len(record: &SpoolRecord<'_>) -> usize {
    record.metadata.map_or(0, |metadata| LENGTH_BYTES + metadata.to_json().len()) + record.body.len()
}

/// Returns the batch of a record; `None` if the payload is not what the header says.
pub(super) fn batch_of(header: &RecordHeader, attempts: u16, mut payload: Vec<u8>) -> Option<SpooledBatch> {
    let metadata = match header.kind {
        KIND_BATCH => None,
        KIND_BATCH_WITH_METADATA => {
            let length = payload.first_chunk::<LENGTH_BYTES>()?;
            let end = LENGTH_BYTES.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            let metadata = SdkMetadata::from_json(payload.get(LENGTH_BYTES..end)?)?;
            payload.drain(..end);
            Some(Arc::new(metadata))
        }
        _ => return None,
    };
    Some(SpooledBatch {
        id: header.id,
        created_ms: header.created_ms,
        event_count: header.event_count,
        encoding: Encoding::from_code(header.encoding)?,
        attempts,
        metadata,
        body: payload,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn header(kind: u8, payload: &[u8]) -> RecordHeader {
        RecordHeader {
            id: Uuid::from_u128(7),
            created_ms: 5,
            event_count: 1,
            body_len: payload.len() as u32,
            body_sum: 0,
            attempts: 0,
            encoding: 0,
            kind,
        }
    }

    #[test]
    fn metadata_and_body_are_read_back() {
        let metadata = SdkMetadata::new().with_sdk_type("py-server").with_statsig_metadata("{\"a\": 1}").unwrap();
        for metadata in [None, Some(SdkMetadata::new()), Some(metadata)] {
            for body in [&b""[..], b"[1]"] {
                let (kind, payload) = payload_of(body, metadata.as_ref());
                let batch = batch_of(&header(kind, &payload), 3, payload.into_owned()).unwrap();
                assert_eq!((batch.body.as_slice(), batch.metadata.as_deref()), (body, metadata.as_ref()));
                assert_eq!((batch.attempts, batch.event_count), (3, 1));
            }
        }
    }

    #[test]
    fn payloads_that_are_not_what_the_header_says_are_refused() {
        let (kind, payload) = payload_of(b"[1]", Some(&SdkMetadata::new().with_sdk_type("x")));
        for len in 0..payload.len() - 3 {
            assert_eq!(batch_of(&header(kind, &payload), 0, payload[..len].to_vec()), None, "{len}");
        }
        assert_eq!(batch_of(&header(kind, b"[1]"), 0, b"\xff\xff\xff\xff[1]".to_vec()), None);
        assert_eq!(batch_of(&header(2, b"[1]"), 0, b"[1]".to_vec()), None);
    }
}
