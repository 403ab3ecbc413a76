//! Everything to implement a [`SpecSource`], a [`SpecStream`] or an [`IdListSource`].
//!
//! Pass a source to [`DataSource::Custom`](crate::DataSource::Custom), and a stream to
//! [`StatsigBuilder::spec_stream`](crate::StatsigBuilder::spec_stream). The attribute of their async methods is
//! [`async_trait`].

pub use async_trait::async_trait;
pub use statsig_adapters::{
    AcceptedEncodings, Bytes, DataStore, IdListChunk, IdListEntry, IdListManifest, IdListReader, IdListSource,
    PayloadFormat, PayloadShape, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource,
    SpecStream, SpecSubscription, SpecTrigger, SpecUpdate, SpecVersion, StreamEvent, recognise,
};
