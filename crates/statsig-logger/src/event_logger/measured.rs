//! Telling the observer how long attempts to deliver take.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{Delivery, EventBatch, EventSink, Observer, SinkError};
use tokio::time::Instant;

/// A sink that measures each attempt of another.
pub(super) struct MeasuredSink {
    pub(super) inner: Arc<dyn EventSink>,
    pub(super) observer: Arc<dyn Observer>,
}

#[async_trait]
impl EventSink for MeasuredSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let begun = Instant::now();
        let outcome = self.inner.deliver(batch).await;
        let latency_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let is_success = if outcome.is_delivered() { "true" } else { "false" };
        let tell = || self.observer.distribution("log_event.latency", latency_ms, &[("is_success", is_success)]);
        if catch_unwind(AssertUnwindSafe(tell)).is_err() {
            tracing::error!("the observer panicked");
        }
        outcome
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.flush(within).await
    }

    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        self.inner.close(within).await
    }
}
