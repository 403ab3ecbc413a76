//! Everything to implement a [`SpecSource`], a [`SpecStream`], an [`IdListSource`] or a [`SpecTarget`].
//!
//! Pass a source to [`DataSource::Custom`](crate::DataSource::Custom), and a stream to
//! [`StatsigBuilder::spec_stream`](crate::StatsigBuilder::spec_stream). The attribute of their async methods is
//! [`macro@async_trait`].

pub use async_trait::async_trait;
pub use statsig_adapters::{
    AcceptedEncodings, Admission, AdmissionRules, AppliedPayload, Bytes, CurrentSpecs, DataStore, Envelope,
    IdListChunk, IdListEntry, IdListManifest, IdListReader, IdListSource, PayloadFormat, PayloadShape, Reach,
    Rejection, RejectionCause, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource,
    SpecStream, SpecSubscription, SpecTarget, SpecTrigger, SpecUpdate, SpecVersion, StorePath, StreamEvent,
    VersionOrder, recognise,
};
