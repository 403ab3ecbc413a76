//! Options of the event logger.

use std::fmt;
use std::sync::Arc;

use statsig_core::{ErrorReporter, Observer};

use super::flushed::FlushedBatch;
use crate::pipeline::PipelineOptions;

/// Hears of every attempt to deliver a batch.
pub(super) type FlushedCallback = dyn Fn(&FlushedBatch) + Send + Sync;

/// What is logged and how, beyond the [`PipelineOptions`].
#[derive(Clone)]
#[non_exhaustive]
pub struct EventLoggerOptions {
    /// Queue, batches and attempts.
    pub pipeline: PipelineOptions,
    /// Exposures that are remembered so that they are not logged twice a minute. 16 bytes each, up
    /// to the next power of two. Default 100,000.
    pub exposure_dedupe_max_keys: usize,
    /// What the SDK calls itself in forwarded log lines. Default `rust-server-oss`.
    pub sdk_type: String,
    /// Receives metrics and errors. Default none.
    pub observer: Option<Arc<dyn Observer>>,
    /// Reports lost events upstream. Default none.
    pub error_reporter: Option<Arc<dyn ErrorReporter>>,
    pub(super) events_flushed: Option<Arc<FlushedCallback>>,
}

impl EventLoggerOptions {
    /// Calls back after every attempt to deliver a batch, on a thread of its own, one after another.
    /// A callback that panics is logged; deliveries do not wait for it, and while 256 attempts or
    /// 32 MiB of batches wait for it, further ones go by unheard.
    #[must_use]
    pub fn on_events_flushed(mut self, callback: impl Fn(&FlushedBatch) + Send + Sync + 'static) -> Self {
        self.events_flushed = Some(Arc::new(callback));
        self
    }
}

impl Default for EventLoggerOptions {
    fn default() -> Self {
        Self {
            pipeline: PipelineOptions::default(),
            exposure_dedupe_max_keys: 100_000,
            sdk_type: "rust-server-oss".to_owned(),
            observer: None,
            error_reporter: None,
            events_flushed: None,
        }
    }
}

impl fmt::Debug for EventLoggerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoggerOptions")
            .field("pipeline", &self.pipeline)
            .field("exposure_dedupe_max_keys", &self.exposure_dedupe_max_keys)
            .field("sdk_type", &self.sdk_type)
            .field("observer", &self.observer.is_some())
            .field("error_reporter", &self.error_reporter.is_some())
            .field("events_flushed", &self.events_flushed.is_some())
            .finish()
    }
}
