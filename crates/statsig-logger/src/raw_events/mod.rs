//! Queues events of other SDKs, which are JSON already.

mod event;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{Clock, EventSink, SdkMetadata, SdkMetadataError};
use tokio::runtime::Handle;

use self::event::{RawEvent, events_of};
use crate::delivery_health::DeliveryHealth;
use crate::ledger::{DropCause, EventStats, FlushReport};
use crate::pipeline::{EventPipeline, PipelineOptions};

/// Reason why a [`RawEventQueue`] did not accept events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawEventError {
    /// The bytes are neither a JSON object nor a JSON array. Nothing is counted.
    #[error("cannot read events: expected a JSON object or array")]
    Json(#[source] serde_json::Error),
    /// The metadata is too large. Nothing is counted.
    #[error("cannot accept events")]
    Metadata(#[from] SdkMetadataError),
    /// The queue has no room for all of the events, is disabled or shut down. They are counted as dropped with this
    /// cause; the sender may keep them and try again.
    #[error("cannot accept {events} events: {cause}")]
    Dropped {
        /// Number of events, none of which was accepted.
        events: usize,
        /// Cause of the drop.
        cause: DropCause,
    },
}

/// Queues events that are JSON already, with the metadata of the SDK that logged them.
///
/// Made for a forward proxy: what an SDK sent to `/v1/log_event` is delivered with the batches, retries, spool and
/// [counts](EventStats) of an [`EventPipeline`], and under the identity of that SDK. Events are delivered as they were
/// written, in the order of one thread; events of different metadata are never in one batch.
///
/// One queue serves one SDK key, to which its sink and its spool belong. Two bounds limit it:
/// [`queue_events`](PipelineOptions::queue_events), and [`queue_bytes`](PipelineOptions::queue_bytes) over text,
/// metadata and about 150 bytes around each event. A call is accepted as a whole or refused as a whole, and nothing
/// that was accepted gives way to later events. While batches wait for the destination, they hold up to the same number of bytes again.
///
/// Batches are cut after [`batch_interval`](PipelineOptions::batch_interval), or when 20,000 events wait, so that
/// many SDKs with few events each fill their batches as far as possible.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use statsig_core::{FixedClock, NoopSink, SdkMetadata};
/// use statsig_logger::RawEventQueue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Handle::current();
/// let clock = Arc::new(FixedClock(1_700_000_000_000));
/// let queue = RawEventQueue::start(RawEventQueue::default_options(), Arc::new(NoopSink), clock, &runtime);
/// let metadata = Arc::new(SdkMetadata::new().with_sdk_type("py-server").with_sdk_version("0.71.6"));
/// let accepted = queue.log(br#"[{"eventName":"a","time":1},{"eventName":"b","time":2}]"#, &metadata)?;
/// assert_eq!(accepted, 2);
/// let report = queue.shutdown(Duration::from_secs(3)).await;
/// assert_eq!((report.delivered, report.failed), (2, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RawEventQueue {
    pipeline: EventPipeline<RawEvent>,
}

impl RawEventQueue {
    /// Returns the default options: batches of 500 events, 1 MiB or 1 second, in a queue of 250,000 events or 64 MiB.
    ///
    /// All other options are those of [`PipelineOptions::default`].
    #[must_use]
    pub fn default_options() -> PipelineOptions {
        let mut options = PipelineOptions::default();
        options.batch_interval = Duration::from_secs(1);
        options.batch_bytes = 1 << 20;
        options
    }

    /// Starts the sending task on a runtime. See [`EventPipeline::start`].
    #[must_use]
    pub fn start(options: PipelineOptions, sink: Arc<dyn EventSink>, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        Self { pipeline: EventPipeline::start(options.grouped(), sink, clock, runtime) }
    }

    /// Starts the sending task with a spool, which keeps metadata with the events. See
    /// [`EventPipeline::start_with_spool`].
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn start_with_spool(
        options: PipelineOptions,
        spool: crate::spool::Spool,
        mode: crate::pipeline::SpoolMode,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        Self { pipeline: EventPipeline::start_with_spool(options.grouped(), spool, mode, sink, clock, runtime) }
    }

    /// Accepts one event, a JSON object, or the events of a JSON array. Returns their number.
    ///
    /// Elements of an array may be any JSON values; they are delivered as they are. The text is copied. Never waits
    /// for the sink.
    ///
    /// # Errors
    /// [`RawEventError`]; none of the events is accepted then.
    pub fn log(&self, json: &[u8], metadata: &Arc<SdkMetadata>) -> Result<usize, RawEventError> {
        metadata.check_size()?;
        let events = events_of(json, metadata).map_err(RawEventError::Json)?;
        let count = events.len();
        if count > 0 {
            self.pipeline.log_all(events).map_err(|cause| RawEventError::Dropped { events: count, cause })?;
        }
        Ok(count)
    }

    /// Switches the queue off or on again. What is pending is delivered all the same.
    pub fn set_disabled(&self, disabled: bool) {
        self.pipeline.set_disabled(disabled);
    }

    /// Delivers what was accepted before this call. See [`EventPipeline::flush`].
    pub async fn flush(&self, within: Duration) -> FlushReport {
        self.pipeline.flush(within).await
    }

    /// Accepts no further events, and delivers what is pending or leaves it to the spool. See
    /// [`EventPipeline::shutdown`].
    pub async fn shutdown(&self, within: Duration) -> FlushReport {
        self.pipeline.shutdown(within).await
    }

    /// Returns the counts of one moment. Events of refused calls are accepted and dropped there.
    #[must_use]
    pub fn stats(&self) -> EventStats {
        self.pipeline.stats()
    }

    /// Returns the last failure of a delivery and the time of the next attempt.
    #[must_use]
    pub fn delivery_health(&self) -> DeliveryHealth {
        self.pipeline.delivery_health()
    }

    /// Returns the health of the spool; `None` without one. Never waits for the disk.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn spool_health(&self) -> Option<crate::pipeline::SpoolHealth> {
        self.pipeline.spool_health()
    }
}
