//! Telling the application what became of each attempt to deliver a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};

use super::options::FlushedCallback;
use crate::body::{self, BodyError};

/// Most attempts that wait for the callback, and most bytes of their batches; what comes then goes
/// by unheard.
const MOST_WAITING: usize = 256;
const MOST_WAITING_BYTES: usize = 32 << 20;

/// An attempt to deliver a batch, as the callback `on_events_flushed` sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FlushedBatch {
    /// Whether the destination has the events now, and says so.
    pub success: bool,
    /// Number of events.
    pub event_count: u32,
    /// Number of attempts before this one.
    pub attempt: u32,
    /// Reason the batch was not delivered, if it failed.
    pub error: Option<String>,
    batch: EventBatch,
}

impl FlushedBatch {
    /// The events as JSON. Decodes the batch: costs about as much as encoding it.
    ///
    /// # Errors
    /// If the batch is not what it should be.
    pub fn events(&self) -> Result<Vec<Value>, BodyError> {
        let raw = body::decoded(&self.batch)?;
        serde_json::from_slice(&raw).map_err(BodyError::Json)
    }
}

/// A sink that calls back after each attempt of another.
///
/// On a thread of its own, one call after another, so that a callback that takes its time holds up
/// neither deliveries nor the threads of the runtime.
pub(super) struct FlushedSink {
    inner: Arc<dyn EventSink>,
    /// `None` if there could be no thread.
    calls: Option<SyncSender<FlushedBatch>>,
    /// Bytes of the batches that wait.
    waiting: Arc<AtomicUsize>,
}

impl FlushedSink {
    pub(super) fn new(inner: Arc<dyn EventSink>, callback: Arc<FlushedCallback>) -> Self {
        let (calls, flushed) = sync_channel::<FlushedBatch>(MOST_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let heard = Arc::clone(&waiting);
        let call_all = move || {
            for batch in flushed {
                heard.fetch_sub(batch.batch.body.len(), Ordering::Relaxed);
                if catch_unwind(AssertUnwindSafe(|| callback(&batch))).is_err() {
                    tracing::error!("the callback for flushed events panicked");
                }
            }
        };
        match std::thread::Builder::new().name("statsig-callback".to_owned()).spawn(call_all) {
            Ok(_) => Self { inner, calls: Some(calls), waiting },
            Err(error) => {
                tracing::error!(%error, "no thread for the callback for flushed events");
                Self { inner, calls: None, waiting }
            }
        }
    }

    fn call(&self, flushed: FlushedBatch) {
        let Some(calls) = &self.calls else { return };
        let bytes = flushed.batch.body.len();
        // One is always heard, whatever its size.
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before + bytes <= MOST_WAITING_BYTES;
        if !fits || calls.try_send(flushed).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            tracing::warn!("the callback for flushed events is too slow: an attempt goes by unheard");
        }
    }
}

#[async_trait]
impl EventSink for FlushedSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let outcome = self.inner.deliver(batch).await;
        let error = match &outcome {
            Delivery::Delivered => None,
            Delivery::Retry { reason, .. }
            | Delivery::Refused { reason, .. }
            | Delivery::Unconfirmed { reason }
            | Delivery::Reject { reason } => Some(reason.to_string()),
            Delivery::TooLarge => Some("the batch is too large".to_owned()),
        };
        let flushed = FlushedBatch {
            success: outcome.is_delivered(),
            event_count: batch.event_count,
            attempt: batch.attempt,
            error,
            batch: batch.clone(),
        };
        self.call(flushed);
        outcome
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.flush(within).await
    }

    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.close(within).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use statsig_core::{BatchEncoding, NoopSink};

    use super::*;

    #[tokio::test]
    async fn a_callback_that_hangs_holds_a_bounded_number_of_batches() {
        let batch = |bytes: usize| EventBatch::new([0; 16], 0, 1, vec![b' '; bytes], BatchEncoding::Identity, bytes);
        let (go, gate) = channel::<()>();
        let (sender, heard) = channel();
        let gate = Mutex::new(gate);
        let callback = move |flushed: &FlushedBatch| {
            sender.send(flushed.batch.body.len()).unwrap();
            let _ = gate.lock().unwrap().recv();
        };
        let sink = FlushedSink::new(Arc::new(NoopSink), Arc::new(callback));
        let first = 1;
        assert!(sink.deliver(&batch(first)).await.is_delivered());
        // The callback hangs in the first from here on; the next fits whatever its size.
        assert_eq!(heard.recv(), Ok(first));
        let sizes = [MOST_WAITING_BYTES + 5, 2, 3];
        for bytes in sizes {
            assert!(sink.deliver(&batch(bytes)).await.is_delivered());
        }
        drop((go, sink));
        assert_eq!(heard.iter().collect::<Vec<_>>(), [sizes[0]]);
    }
}
