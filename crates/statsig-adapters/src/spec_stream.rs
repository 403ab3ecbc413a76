//! Where config specs are pushed from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{DataStore, SourceError, SpecCursor, SpecSourceKind, SpecUpdate};

/// What a subscription delivers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A document.
    Specs(SpecUpdate),
    /// There is nothing newer than this time, in milliseconds since 1970: the first answer of a
    /// source that has no more than the cursor, and later its sign of life.
    NoUpdate {
        /// The time of what the source has.
        time: u64,
    },
    /// Something may have changed, and whoever wants to know shall ask: the hint of a source that
    /// tells of changes without their content.
    Changed,
}

/// Tells of config specs when there are new ones: push.
///
/// A stream opens subscriptions and knows nothing of failover: when to connect again, how long to
/// wait and whether to poll meanwhile is decided by the supervisor that uses it.
///
/// # Duties of an implementor
///
/// - **The first event comes without a change**: the document if it is newer than the cursor,
///   [`NoUpdate`](StreamEvent::NoUpdate) or [`Changed`](StreamEvent::Changed) otherwise. It tells
///   that the subscription works.
/// - **Silence has a limit.** A source that has nothing to say repeats `NoUpdate`, well within a
///   minute and a half, or says with [`is_quiet`](Self::is_quiet) that it does not.
/// - **Only the newest counts.** Documents that came while nobody asked for the next event may be
///   left out, except the last.
/// - **Bounded**: messages and buffers have a limit.
/// - **No blocking** of the thread that polls the future.
///
/// # Cancel safety
///
/// Both futures may be dropped at any time. That of [`SpecSubscription::next`] is dropped often, and
/// loses no event by it. Dropping a subscription ends it.
///
/// # Contract test
///
/// `statsig_adapters::testing::spec_stream_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// A stream over a channel of the application's own:
///
/// ```
/// use std::sync::{Arc, Mutex, mpsc};
/// use statsig_adapters::{
///     SourceError, SourceErrorKind, SpecCursor, SpecSourceKind, SpecStream, SpecSubscription, SpecUpdate, StreamEvent,
/// };
///
/// # async fn receive(_: &mut mpsc::Receiver<Vec<u8>>) -> Option<Vec<u8>> { None }
/// struct ChannelStream(Mutex<Option<mpsc::Receiver<Vec<u8>>>>);
///
/// struct Subscription {
///     documents: mpsc::Receiver<Vec<u8>>,
///     greeted: bool,
/// }
///
/// #[async_trait::async_trait]
/// impl SpecStream for ChannelStream {
///     fn name(&self) -> &str {
///         "channel"
///     }
///
///     fn kind(&self) -> SpecSourceKind {
///         SpecSourceKind::Adapter("Channel".into())
///     }
///
///     fn is_quiet(&self) -> bool {
///         true
///     }
///
///     async fn subscribe(&self, _cursor: &SpecCursor) -> Result<Box<dyn SpecSubscription>, SourceError> {
///         let taken = self.0.lock().ok().and_then(|mut slot| slot.take());
///         let documents = taken.ok_or_else(|| SourceError::new(SourceErrorKind::Refused, "only one subscriber"))?;
///         Ok(Box::new(Subscription { documents, greeted: false }))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl SpecSubscription for Subscription {
///     async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
///         if !std::mem::replace(&mut self.greeted, true) {
///             return Ok(Some(StreamEvent::Changed));
///         }
///         let document = receive(&mut self.documents).await;
///         let kind = SpecSourceKind::Adapter("Channel".into());
///         Ok(document.map(|document| StreamEvent::Specs(SpecUpdate::new(document, kind, 0))))
///     }
/// }
/// ```
#[async_trait]
pub trait SpecStream: Send + Sync {
    /// A short name for reports and logs, the same at every call.
    fn name(&self) -> &str;

    /// What evaluations say about the origin of specs from here.
    fn kind(&self) -> SpecSourceKind;

    /// Opens a subscription for one who has what the cursor says.
    ///
    /// # Errors
    /// When the source cannot be reached or refuses.
    async fn subscribe(&self, cursor: &SpecCursor) -> Result<Box<dyn SpecSubscription>, SourceError>;

    /// Whether long silence is normal here: nobody repeats `NoUpdate`. By default no, and a silent
    /// subscription is taken for dead.
    fn is_quiet(&self) -> bool {
        false
    }

    /// The data stores that the stream follows; none by default. Others may use them too, so whoever uses the
    /// stream shuts each of them down, once, when all that share it have ended.
    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        Vec::new()
    }

    /// Ends what the stream holds for itself. Nothing by default. Called once, after the last subscription
    /// has been dropped. Leaves its [data stores](Self::data_stores) open.
    async fn close(&self) {}
}

/// An open subscription of a [`SpecStream`].
#[async_trait]
pub trait SpecSubscription: Send {
    /// Waits for the next event; `None` when the source ended the subscription in good order.
    ///
    /// # Errors
    /// When the subscription broke; it is not used any more.
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError>;
}
