//! Batches of events, and the trait of their destinations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::delivery::{Delivery, SinkError};
use crate::sdk_metadata::SdkMetadata;

/// Encoding of the body of an [`EventBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchEncoding {
    /// Plain JSON.
    Identity,
    /// JSON in one gzip member.
    Gzip,
}

/// Cause that made a batch be sent (`flushType` of the protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FlushType {
    /// Its events had waited long enough.
    #[default]
    ScheduledMaxTime,
    /// It was full.
    ScheduledFullBatch,
    /// The queue was full.
    Limit,
    /// The application asked for it.
    Manual,
    /// The client was shut down.
    Shutdown,
}

impl FlushType {
    /// Returns the protocol's name of the cause.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScheduledMaxTime => "scheduled:max_time",
            Self::ScheduledFullBatch => "scheduled:full_batch",
            Self::Limit => "limit",
            Self::Manual => "manual",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Events that are sent together, encoded once and kept through all attempts to deliver them.
///
/// Cloning shares the body.
#[derive(Clone)]
#[non_exhaustive]
pub struct EventBatch {
    /// Identity of the batch, the bytes of a UUID version 7: the same in every attempt, also after
    /// a restart of the process.
    pub id: [u8; 16],
    /// Time at which the batch was cut, in milliseconds since 1970.
    pub created_ms: i64,
    /// Number of events in the body.
    pub event_count: u32,
    /// Number of attempts before this one; 0 at first.
    pub attempt: u32,
    /// The JSON array of the events, encoded. The sink adds what travels with it when it sends.
    pub body: Arc<[u8]>,
    /// Encoding of the body.
    pub encoding: BatchEncoding,
    /// Length of the array in bytes before encoding.
    pub raw_len: usize,
    /// Cause of the present attempt; may differ from attempt to attempt.
    pub flush_type: FlushType,
    /// Metadata of the SDK that logged the events, if it is not the one that delivers them.
    ///
    /// A sink that sends metadata sends this in place of its own; one that stores batches stores it.
    pub metadata: Option<Arc<SdkMetadata>>,
}

impl EventBatch {
    /// Returns a batch before its first attempt, without metadata.
    #[must_use]
    pub fn new(
        id: [u8; 16],
        created_ms: i64,
        event_count: u32,
        body: impl Into<Arc<[u8]>>,
        encoding: BatchEncoding,
        raw_len: usize,
    ) -> Self {
        Self {
            id,
            created_ms,
            event_count,
            attempt: 0,
            body: body.into(),
            encoding,
            raw_len,
            flush_type: FlushType::default(),
            metadata: None,
        }
    }

    /// Returns the same batch with another cause.
    #[must_use]
    pub fn with_flush_type(mut self, flush_type: FlushType) -> Self {
        self.flush_type = flush_type;
        self
    }

    /// Returns the same batch with metadata of the SDK that logged it, or without.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Option<Arc<SdkMetadata>>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Returns the same batch with another number of earlier attempts.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }
}

/// Shows everything but the events: they hold user data.
impl fmt::Debug for EventBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBatch")
            .field("id", &format_args!("{:032x}", u128::from_be_bytes(self.id)))
            .field("event_count", &self.event_count)
            .field("attempt", &self.attempt)
            .field("encoding", &self.encoding)
            .field("encoded_len", &self.body.len())
            .field("raw_len", &self.raw_len)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// Delivers encoded batches of events.
///
/// The event pipeline cuts and encodes batches, decides when to send and to send again, and keeps
/// the accounts; a sink makes one attempt at a time and says what became of it.
///
/// # Duties of an implementor
///
/// - **`Delivered` is final.** Say it only when the destination has the batch as safely as it ever
///   will without further calls; the pipeline forgets the batch. What an acknowledged batch still
///   needs to be durable (an fsync, say) is done by [`flush`](Self::flush), and the documentation of
///   the sink says so.
/// - **Idempotence by `id`.** A batch arrives again if its first attempt was cut short, or if the
///   process died before it was settled, under the same `id` with the same events. Hand the `id`
///   on, or remember what was taken; in any case a batch that comes again is no error.
/// - **Retryable is what time can heal**: no connection, a timeout, a destination that is busy or
///   full, a failure on its side. A destination that refuses the key or the batch is
///   [`Refused`](Delivery::Refused); a batch that can never be sent is
///   [`Reject`](Delivery::Reject)ed. If in doubt, retry: the pipeline bounds how much it keeps, and
///   counts what it drops.
/// - **No loop inside.** One attempt a call. Waiting between attempts is the pipeline's business,
///   which also honours what [`Retry`](Delivery::Retry) asks for.
/// - **An end.** Every attempt has a time limit of its own.
/// - **No blocking** of the thread that polls; files belong on a blocking thread.
/// - **The body is opaque** unless the destination needs to look into it. It may be of any
///   [`BatchEncoding`]; one that the sink cannot handle is rejected.
///
/// # Cancel safety
///
/// The pipeline drops the future of [`deliver`](Self::deliver) when its own time limit or a
/// shutdown says so. The batch may have arrived or not, whole; what must not happen is that a part
/// of it stays, or that the sink is unusable afterwards.
///
/// # Concurrency
///
/// Several batches may be in delivery at once. After [`close`](Self::close) began, `deliver` is not
/// called any more.
///
/// # Contract test
///
/// `statsig_adapters::testing::event_sink_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// A sink that hands batches to another thread:
///
/// ```
/// use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
/// use statsig_adapters::{Delivery, EventBatch, EventSink};
///
/// struct ChannelSink(SyncSender<EventBatch>);
///
/// #[async_trait::async_trait]
/// impl EventSink for ChannelSink {
///     async fn deliver(&self, batch: &EventBatch) -> Delivery {
///         match self.0.try_send(batch.clone()) {
///             Ok(()) => Delivery::Delivered,
///             Err(TrySendError::Full(_)) => Delivery::retry("the channel is full"),
///             Err(TrySendError::Disconnected(_)) => Delivery::reject("nobody listens"),
///         }
///     }
/// }
///
/// let (sender, receiver) = sync_channel(1);
/// let _sink: Box<dyn EventSink> = Box::new(ChannelSink(sender));
/// # drop(receiver);
/// ```
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Makes one attempt to deliver a batch.
    async fn deliver(&self, batch: &EventBatch) -> Delivery;

    /// Makes earlier deliveries durable, within a time.
    ///
    /// Nothing to do by default.
    ///
    /// # Errors
    /// Any failure after which earlier deliveries may not be durable.
    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        let _ = within;
        Ok(())
    }

    /// Ends the sink within a time: [`flush`](Self::flush)es, then gives up what it holds.
    ///
    /// Only flushes by default. Closing twice is fine.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the sink is closed all the same.
    async fn close(&self, within: Duration) -> Result<(), SinkError> {
        self.flush(within).await
    }
}
