//! Metrics of attempts to deliver.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_background::GuardedObserver;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};
use tokio::time::Instant;

/// A sink that measures each attempt of another.
pub(super) struct MeasuredSink {
    pub(super) inner: Arc<dyn EventSink>,
    pub(super) observer: GuardedObserver,
}

#[async_trait]
impl EventSink for MeasuredSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let begun = Instant::now();
        let outcome = self.inner.deliver(batch).await;
        let is_success = if outcome.is_delivered() { "true" } else { "false" };
        self.observer.duration("log_event.latency", begun.elapsed(), &[("is_success", is_success)]);
        outcome
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.flush(within).await
    }

    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.close(within).await
    }
}
