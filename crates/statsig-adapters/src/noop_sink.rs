//! A sink that discards events.

use async_trait::async_trait;

use super::{Delivery, EventBatch, EventSink};

/// Takes every batch and throws it away; for benchmarks and for applications that want no events.
///
/// The pipeline before it works as ever, so events still cost what they cost, and count as
/// delivered. To save that cost as well, switch logging off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoopSink;

#[async_trait]
impl EventSink for NoopSink {
    async fn deliver(&self, _batch: &EventBatch) -> Delivery {
        Delivery::Delivered
    }
}
