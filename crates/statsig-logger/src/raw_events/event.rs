//! Events that are JSON already.

use std::sync::Arc;

use serde_json::value::RawValue;
use statsig_core::SdkMetadata;

use crate::event::QueuedEvent;

/// Bytes around an event: its allocation, its place in the queue, and its share of a batch.
const AROUND: usize = 96;

/// An event as it was written by the SDK that logged it.
#[derive(Debug)]
pub(super) struct RawEvent {
    json: Box<str>,
    metadata: Arc<SdkMetadata>,
    /// Memory that is shared with events of the same call, counted once.
    shared_bytes: usize,
}

impl QueuedEvent for RawEvent {
    /// All events are treated alike: none gives way for another one.
    fn is_exposure(&self) -> bool {
        false
    }

    fn cost_bytes(&self) -> usize {
        size_of::<Self>() + AROUND + self.json.len() + self.shared_bytes
    }

    fn sdk_metadata(&self) -> Option<&Arc<SdkMetadata>> {
        Some(&self.metadata)
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.json.as_bytes());
    }
}

/// Returns the events of a JSON array, or the one of a JSON object.
pub(super) fn events_of(json: &[u8], metadata: &Arc<SdkMetadata>) -> Result<Vec<RawEvent>, serde_json::Error> {
    let values: Vec<&RawValue> = match json.trim_ascii_start().first() {
        Some(b'{') => vec![serde_json::from_slice(json)?],
        _ => serde_json::from_slice(json)?,
    };
    let event = |(place, value): (usize, &&RawValue)| RawEvent {
        // Copies, so that no event keeps a whole request in memory.
        json: value.get().into(),
        metadata: Arc::clone(metadata),
        shared_bytes: if place == 0 { size_of::<SdkMetadata>() + metadata.len_bytes() } else { 0 },
    };
    Ok(values.iter().enumerate().map(event).collect())
}
