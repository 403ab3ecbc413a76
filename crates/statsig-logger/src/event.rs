//! Events as the pipeline knows them.

use std::sync::Arc;

use statsig_core::SdkMetadata;

/// An event that waits to be encoded.
///
/// It is made on the application's thread and written as JSON on a background thread, so it best
/// holds shared handles rather than texts.
///
/// ```
/// use statsig_logger::QueuedEvent;
///
/// struct Purchase { cents: u32 }
///
/// impl QueuedEvent for Purchase {
///     fn is_exposure(&self) -> bool {
///         false
///     }
///     fn cost_bytes(&self) -> usize {
///         size_of::<Self>()
///     }
///     fn write_json(&self, out: &mut Vec<u8>) {
///         out.extend_from_slice(format!(r#"{{"eventName":"purchase","value":{}}}"#, self.cents).as_bytes());
///     }
/// }
/// ```
pub trait QueuedEvent: Send + 'static {
    /// Returns whether it is an exposure. Other events are dropped before exposures.
    fn is_exposure(&self) -> bool;

    /// Returns the memory that it holds while it waits, in bytes, as far as it is not shared with others. Must
    /// not change, except that [`compact`](Self::compact) may reduce it.
    fn cost_bytes(&self) -> usize;

    /// Reduces the memory that the event holds, if possible. Called at most once, on a background
    /// thread, for exposures that wait while the destination takes no further batches. Does nothing
    /// by default.
    fn compact(&mut self) {}

    /// Returns the metadata of the SDK that logged the event, if it is not the one that delivers it. Events of different metadata
    /// are never in one batch. None by default.
    fn sdk_metadata(&self) -> Option<&Arc<SdkMetadata>> {
        None
    }

    /// Appends the event as one JSON value. If it panics, the event is dropped and counted, and
    /// what it had written is discarded.
    fn write_json(&self, out: &mut Vec<u8>);
}
