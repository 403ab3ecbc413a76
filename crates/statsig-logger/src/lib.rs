//! Exposures and custom events for Statsig-compatible SDKs.
//!
//! What happens to an exposure, from the check to the server:
//!
//! | step | here |
//! | --- | --- |
//! | made from a result, or from a read of a layer | [`EventLogger`], which does all of this |
//! | logged a moment ago? | [`ExposureDedupe`], by [`ExposureKey`] |
//! | sampled by the project? | [`ExposureSampler`] |
//! | queued, cut into batches, sent and sent again | [`EventPipeline`], for events that implement [`QueuedEvent`] |
//! | delivered | an [`EventSink`](statsig_core::EventSink): [`JsonlFileSink`] here, others elsewhere |
//!
//! Events of other SDKs, which are JSON already, go through a [`RawEventQueue`] in place of an [`EventLogger`].
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `spool` | [`spool`]: batches on disk, kept across outages, restarts and `kill -9` |
//! | `testing` | in-memory disk and fault injection for tests (with `spool`) |

mod batch;
mod body;
mod dedupe;
mod delivery_health;
mod event;
mod event_logger;
mod exposure_key;
mod jsonl_sink;
mod lanes;
mod ledger;
mod pipeline;
mod raw_events;
mod sampling;
#[cfg(feature = "spool")]
pub mod spool;

pub use body::BodyError;
pub use dedupe::ExposureDedupe;
pub use delivery_health::DeliveryHealth;
pub use event::QueuedEvent;
pub use event_logger::{
    CustomEvent, EventLogger, EventLoggerOptions, EventValue, ExposureCounts, ExposureOrigin, FlushedBatch, LayerWatch,
    LogLineLevel,
};
pub use exposure_key::{ExposureKey, ExposureKind, ExposureParts, exposure_hash};
pub use jsonl_sink::{JsonlError, JsonlFileSink};
pub use ledger::{DropCause, DropCounts, EventStats, FlushReport};
pub use pipeline::{EventPipeline, PipelineOptions, PipelineTuning};
#[cfg(feature = "spool")]
pub use pipeline::{SpoolHealth, SpoolMode, SpoolState};
pub use raw_events::{RawEventError, RawEventQueue};
pub use sampling::{ExposureSampler, SamplingInput, SamplingMark, SamplingMode};
