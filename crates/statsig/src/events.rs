//! Everything to implement an [`EventSink`] or an [`ErrorReporter`].
//!
//! Pass them to [`StatsigBuilder::event_sink`](crate::StatsigBuilder::event_sink) and
//! [`StatsigBuilder::error_reporter`](crate::StatsigBuilder::error_reporter). The attribute of their async methods is
//! [`macro@async_trait`].

pub use async_trait::async_trait;
pub use statsig_adapters::{
    BatchEncoding, Delivery, ErrorReport, ErrorReporter, EventBatch, EventSink, FlushType, NoopSink, SdkMetadata,
    SdkMetadataError, SinkError,
};
