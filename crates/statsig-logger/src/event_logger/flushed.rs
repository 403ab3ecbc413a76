//! Telling the application what became of each attempt to deliver a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};

use super::options::FlushedCallback;
use crate::body::{self, BodyError};

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
pub(super) struct FlushedSink {
    pub(super) inner: Arc<dyn EventSink>,
    pub(super) callback: Arc<FlushedCallback>,
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
        let callback = Arc::clone(&self.callback);
        // Not awaited: the next attempt does not wait for the application.
        drop(tokio::task::spawn_blocking(move || {
            if catch_unwind(AssertUnwindSafe(|| callback(&flushed))).is_err() {
                tracing::error!("the callback for flushed events panicked");
            }
        }));
        outcome
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.flush(within).await
    }

    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.close(within).await
    }
}
