//! Nothing is delivered by a forked child.
//!
//! What is pending there are copies of what the parent delivers. Most often nobody drives the tasks of the
//! child's copy; but a program that forks within its runtime does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};

use statsig_background::ForkGuard;

const INHERITED: &str = "this process was forked off, and what is pending is its parent's to deliver";

/// A sink that takes nothing outside of the process that it was made in.
pub(super) struct OwnProcessSink {
    inner: Arc<dyn EventSink>,
    process: ForkGuard,
}

impl OwnProcessSink {
    pub(super) fn new(inner: Arc<dyn EventSink>) -> Self {
        Self { inner, process: ForkGuard::new() }
    }
}

#[async_trait]
impl EventSink for OwnProcessSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        if self.process.is_inherited() {
            return Delivery::retry(INHERITED);
        }
        self.inner.deliver(batch).await
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        if self.process.is_inherited() {
            return Err(INHERITED.into());
        }
        self.inner.flush(within).await
    }

    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        if self.process.is_inherited() {
            return Ok(());
        }
        self.inner.close(within).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use statsig_core::BatchEncoding;

    use super::*;

    /// Counts what it is asked.
    #[derive(Default)]
    struct Counting(AtomicU32);

    #[async_trait]
    impl EventSink for Counting {
        async fn deliver(&self, _: &EventBatch) -> Delivery {
            self.0.fetch_add(1, Ordering::Relaxed);
            Delivery::Delivered
        }
        async fn flush(&self, _: Duration) -> Result<(), SinkError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        async fn close(&self, _: Duration) -> Result<(), SinkError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[tokio::test]
    async fn in_a_forked_child_nothing_reaches_the_sink() {
        let counting = Arc::new(Counting::default());
        let batch = EventBatch::new([0; 16], 0, 1, *b"[]", BatchEncoding::Identity, 2);
        let elsewhere = OwnProcessSink { inner: counting.clone(), process: ForkGuard::inherited() };
        assert!(elsewhere.deliver(&batch).await.is_retryable());
        assert!(elsewhere.flush(Duration::ZERO).await.is_err() && elsewhere.close(Duration::ZERO).await.is_ok());
        assert_eq!(counting.0.load(Ordering::Relaxed), 0);
        let here = OwnProcessSink::new(counting.clone());
        assert!(here.deliver(&batch).await.is_delivered());
        assert!(here.flush(Duration::ZERO).await.is_ok() && here.close(Duration::ZERO).await.is_ok());
        assert_eq!(counting.0.load(Ordering::Relaxed), 3);
    }
}
