//! Streams that config specs are pushed by.

use std::sync::Arc;

use async_trait::async_trait;

use super::{DataStore, Reach, SourceError, SpecOrigin, SpecRequest, SpecUpdate};

/// Event of a subscription.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A payload, or a delta with its base.
    Specs(SpecUpdate),
    /// Nothing is newer than a time: the first event of a source that has no more than the version of the request,
    /// and later its sign of life.
    NoUpdate {
        /// Time of the specs that the source has, in milliseconds since 1970; 0 if it has none.
        time_ms: u64,
    },
    /// Something may have changed, and sources should be polled: the hint of a stream that carries no payloads.
    Changed,
}

/// A stream that pushes config specs.
///
/// A stream opens subscriptions and knows nothing of failover: the supervisor that uses it decides when to connect
/// again, how long to wait, and whether to poll meanwhile.
///
/// # Duties of an implementor
///
/// - **The first event comes without a change**: the payload if it is newer than the version of the request,
///   [`NoUpdate`](StreamEvent::NoUpdate) or [`Changed`](StreamEvent::Changed) otherwise. It shows that the
///   subscription works.
/// - **Silence has a limit.** A source without news repeats `NoUpdate`, well within a minute and a half, unless
///   [`is_quiet`](Self::is_quiet) says otherwise.
/// - **Only the newest counts.** Payloads that came while nobody waited for the next event may be left out, except
///   the last.
/// - **A delta names its base** ([`SpecUpdate::delta_base`]), and comes only if the request accepts deltas. The first
///   one refers to the version of the request, a later one to the payload sent before it.
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
/// use std::sync::{Mutex, mpsc};
/// use statsig_adapters::{
///     Reach, SourceError, SourceErrorKind, SpecOrigin, SpecRequest, SpecStream, SpecSubscription, SpecUpdate,
///     StreamEvent,
/// };
///
/// # async fn receive(_: &mut mpsc::Receiver<Vec<u8>>) -> Option<Vec<u8>> { None }
/// struct ChannelStream(Mutex<Option<mpsc::Receiver<Vec<u8>>>>);
///
/// struct Subscription {
///     payloads: mpsc::Receiver<Vec<u8>>,
///     is_greeted: bool,
/// }
///
/// #[async_trait::async_trait]
/// impl SpecStream for ChannelStream {
///     fn name(&self) -> &str {
///         "channel"
///     }
///
///     fn origin(&self) -> SpecOrigin {
///         SpecOrigin::Adapter("Channel".into())
///     }
///
///     fn reach(&self) -> Reach {
///         Reach::Local
///     }
///
///     fn is_quiet(&self) -> bool {
///         true
///     }
///
///     async fn subscribe(&self, _: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
///         let taken = self.0.lock().ok().and_then(|mut slot| slot.take());
///         let payloads = taken.ok_or_else(|| SourceError::new(SourceErrorKind::Refused, "only one subscriber"))?;
///         Ok(Box::new(Subscription { payloads, is_greeted: false }))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl SpecSubscription for Subscription {
///     async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
///         if !std::mem::replace(&mut self.is_greeted, true) {
///             return Ok(Some(StreamEvent::Changed));
///         }
///         let payload = receive(&mut self.payloads).await;
///         let origin = SpecOrigin::Adapter("Channel".into());
///         Ok(payload.map(|payload| StreamEvent::Specs(SpecUpdate::new(payload, origin, Reach::Local, 0))))
///     }
/// }
/// ```
#[async_trait]
pub trait SpecStream: Send + Sync {
    /// Returns a short name for reports and logs, the same at every call.
    fn name(&self) -> &str;

    /// Returns the origin that evaluations report for specs from here.
    fn origin(&self) -> SpecOrigin;

    /// Returns the distance of the stream's source from Statsig's servers, the same at every call.
    fn reach(&self) -> Reach;

    /// Opens a subscription for a client that holds the version of the request.
    ///
    /// # Errors
    /// If the source cannot be reached or refuses. [`Misconfigured`](super::SourceErrorKind::Misconfigured) ends the
    /// attempts: no subscription will ever come about.
    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError>;

    /// Returns whether long silence is normal: nothing repeats `NoUpdate`. By default no, and a silent subscription
    /// counts as broken.
    fn is_quiet(&self) -> bool {
        false
    }

    /// Returns the data stores that the stream follows; none by default.
    ///
    /// Others may use them too: the user of the stream shuts each of them down once, after all that share it have
    /// ended.
    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        Vec::new()
    }

    /// Releases what the stream holds for itself. Nothing by default.
    ///
    /// Called once, after the last subscription was dropped. Leaves its [data stores](Self::data_stores) open.
    async fn close(&self) {}
}

/// An open subscription of a [`SpecStream`].
#[async_trait]
pub trait SpecSubscription: Send {
    /// Waits for the next event; `None` after the source ended the subscription in good order.
    ///
    /// # Errors
    /// If the subscription broke; it is not used any more.
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError>;
}
