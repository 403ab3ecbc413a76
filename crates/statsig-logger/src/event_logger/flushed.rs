//! Telling the application what became of each attempt to deliver a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};

use super::options::FlushedCallback;
use crate::body::{self, BodyError};

/// Most attempts that wait for the callback; what comes then goes by unheard.
const MOST_WAITING: usize = 256;

/// An attempt to deliver a batch, as the callback `on_events_flushed` sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FlushedBatch {
    /// Whether the destination has the events now.
    pub success: bool,
    /// Number of events.
    pub event_count: u32,
    /// Number of attempts before this one.
    pub attempt: u32,
    /// Why not, if it has them not.
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
}

impl FlushedSink {
    pub(super) fn new(inner: Arc<dyn EventSink>, callback: Arc<FlushedCallback>) -> Self {
        let (calls, flushed) = sync_channel::<FlushedBatch>(MOST_WAITING);
        let call_all = move || {
            for batch in flushed {
                if catch_unwind(AssertUnwindSafe(|| callback(&batch))).is_err() {
                    tracing::error!("the callback for flushed events panicked");
                }
            }
        };
        match std::thread::Builder::new().name("statsig-callback".to_owned()).spawn(call_all) {
            Ok(_) => Self { inner, calls: Some(calls) },
            Err(error) => {
                tracing::error!(%error, "no thread for the callback for flushed events");
                Self { inner, calls: None }
            }
        }
    }

    fn call(&self, flushed: FlushedBatch) {
        let Some(calls) = &self.calls else { return };
        if let Err(TrySendError::Full(_)) = calls.try_send(flushed) {
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
            Delivery::Retry { reason, .. } | Delivery::Reject { reason } => Some(reason.to_string()),
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
