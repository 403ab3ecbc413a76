//! The traits that join the crates of a Statsig-compatible SDK, and the types that they carry.
//!
//! A data store, a source of config specs, a stream, an event sink or an observer of your own implements one
//! of these traits. This crate holds no evaluation, does no I/O and needs no runtime, so that an implementation
//! compiles without the rest of the SDK.
//!
//! | trait | purpose |
//! | --- | --- |
//! | [`SpecSource`] | returns config specs on request |
//! | [`SpecStream`] | pushes config specs as they change |
//! | [`SpecTarget`] | consumes accepted payloads |
//! | [`DataStore`] | shares payloads between processes |
//! | [`IdListSource`] | returns the manifest and the files of ID lists |
//! | [`EventSink`] | delivers batches of events |
//! | [`Observer`] | receives metrics |
//! | [`ErrorReporter`] | receives errors of background tasks |
//! | [`Clock`] | returns the wall-clock time |
//!
//! All traits are object-safe and `Send + Sync`. Their documentation lists the duties of an implementation, and
//! the module `testing` (feature `testing`) has a contract test for each.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `store-keys` | no | `StoreKeys`: the names of an SDK key's values in a store; adds SHA-256 |
//! | `testing` | no | `testing`: contract tests for implementations; adds `store-keys` |

mod byte_order_mark;
mod clock;
mod data_store;
mod delivery;
mod error_reporter;
mod event_sink;
mod id_list_manifest;
mod id_list_source;
mod json_fields;
mod json_key;
mod noop_sink;
mod observer;
mod payload;
mod sdk_metadata;
mod source_error;
mod spec_source;
mod spec_stream;
mod spec_target;
mod spec_update;
mod spec_version;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;

pub use byte_order_mark::without_byte_order_mark;
pub use bytes::Bytes;
pub use clock::{Clock, FixedClock};
#[cfg(any(test, feature = "store-keys"))]
pub use data_store::StoreKeys;
pub use data_store::{
    AppendOutcome, ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest,
    InMemoryDataStore, KeySchema, PutMode, PutOutcome, StoreEntry, StoreFormat, StoreHealth, StoreKey, StorePath,
    StoreResponse, TouchOutcome,
};
pub use delivery::{Delivery, SinkError};
pub use error_reporter::{ErrorReport, ErrorReporter};
pub use event_sink::{BatchEncoding, EventBatch, EventSink, FlushType};
pub use id_list_manifest::{IdListEntry, IdListManifest};
pub use id_list_source::{IdListChunk, IdListReader, IdListSource};
pub use noop_sink::NoopSink;
pub use observer::{Observer, Tag};
pub use payload::{OuterFields, PayloadShape, read_outer_fields, recognise};
pub use sdk_metadata::{SdkMetadata, SdkMetadataError};
pub use source_error::{SourceError, SourceErrorKind};
pub use spec_source::{AcceptedEncodings, SpecFetch, SpecRequest, SpecSource, SpecTrigger};
pub use spec_stream::{SpecStream, SpecSubscription, StreamEvent};
pub use spec_target::{
    Admission, AdmissionRules, AppliedPayload, CurrentSpecs, Envelope, Rejection, RejectionCause, SpecTarget,
};
pub use spec_update::{PayloadFormat, Reach, SpecOrigin, SpecUpdate};
pub use spec_version::{SpecVersion, VersionOrder};
pub use time::{MAX_TIME_AHEAD_MS, is_future};
