//! An event sink that keeps what it is given, for tests.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};

/// Keeps the events of all batches in memory, in the order of their arrival.
///
/// ```
/// use std::sync::Arc;
/// use statsig_testkit::MemorySink;
///
/// let sink = Arc::new(MemorySink::default());
/// // Hand a clone to `Statsig::builder().event_sink(…)`, log, flush, then look:
/// assert!(sink.take().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct MemorySink {
    arrays: Mutex<Vec<Vec<u8>>>,
}

impl MemorySink {
    /// The events that arrived since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Value> {
        let arrays = std::mem::take(&mut *self.arrays.lock().unwrap_or_else(PoisonError::into_inner));
        let parsed = arrays.iter().map(|array| serde_json::from_slice::<Vec<Value>>(array));
        // They were checked when they arrived.
        parsed.flat_map(Result::unwrap_or_default).collect()
    }

    /// The decoded bodies that arrived since the last call: one JSON array for each batch.
    #[must_use]
    pub fn take_bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.arrays.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn decode(batch: &EventBatch) -> std::io::Result<Vec<u8>> {
    match batch.encoding {
        BatchEncoding::Identity => Ok(batch.body.to_vec()),
        BatchEncoding::Gzip => {
            let mut array = Vec::new();
            MultiGzDecoder::new(&*batch.body).take(batch.raw_len as u64).read_to_end(&mut array)?;
            Ok(array)
        }
        _ => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

#[async_trait]
impl EventSink for MemorySink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let array = match decode(batch) {
            Ok(array) => array,
            Err(error) => return Delivery::reject(error),
        };
        if let Err(error) = serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(&array) {
            return Delivery::reject(error);
        }
        self.arrays.lock().unwrap_or_else(PoisonError::into_inner).push(array);
        Delivery::Delivered
    }
}
