//! Batches as the spool knows them.

use statsig_core::{BatchEncoding, EventBatch};
use uuid::Uuid;

use crate::spool::{Encoding, SpoolRecord, SpooledBatch};

pub(super) fn id(batch: &EventBatch) -> Uuid {
    Uuid::from_bytes(batch.id)
}

pub(super) fn record(batch: &EventBatch) -> SpoolRecord<'_> {
    SpoolRecord {
        id: id(batch),
        created_ms: u64::try_from(batch.created_ms).unwrap_or(0),
        event_count: batch.event_count,
        encoding: match batch.encoding {
            BatchEncoding::Gzip => Encoding::Gzip,
            _ => Encoding::Raw,
        },
        attempts: u16::try_from(batch.attempt).unwrap_or(u16::MAX),
        metadata: batch.metadata.as_deref(),
        body: &batch.body,
    }
}

/// A batch as the spool had it; as an error if its encoding is none that we know.
pub(super) fn handed_out(spooled: SpooledBatch) -> Result<EventBatch, EventBatch> {
    let encoding = match spooled.encoding {
        Encoding::Gzip => BatchEncoding::Gzip,
        _ => BatchEncoding::Identity,
    };
    let raw_len = match spooled.body.last_chunk() {
        // A gzip member ends with the length of its content.
        Some(length) if encoding == BatchEncoding::Gzip => {
            usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX)
        }
        _ => spooled.body.len(),
    };
    let created_ms = i64::try_from(spooled.created_ms).unwrap_or(i64::MAX);
    let batch =
        EventBatch::new(spooled.id.into_bytes(), created_ms, spooled.event_count, spooled.body, encoding, raw_len)
            .with_attempt(u32::from(spooled.attempts))
            .with_metadata(spooled.metadata);
    if matches!(spooled.encoding, Encoding::Raw | Encoding::Gzip) { Ok(batch) } else { Err(batch) }
}
