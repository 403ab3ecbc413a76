//! Sources that config specs are pulled from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{DataStore, Reach, SourceError, SpecOrigin, SpecUpdate, SpecVersion};

/// Reason for a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpecTrigger {
    /// The first load.
    #[default]
    Initial,
    /// A poll is due, or a stream subscribes.
    Background,
    /// The application asked for it.
    Manual,
}

/// Content encodings that a transfer may use beside none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AcceptedEncodings {
    /// `gzip`.
    pub gzip: bool,
    /// `deflate`.
    pub deflate: bool,
    /// `br`.
    pub brotli: bool,
    /// `zstd`. A source that cannot decode it does not offer it.
    pub zstd: bool,
}

impl AcceptedEncodings {
    /// All of them.
    pub const ALL: Self = Self { gzip: true, deflate: true, brotli: true, zstd: true };
    /// None: the payload is transferred as it is.
    pub const IDENTITY: Self = Self { gzip: false, deflate: false, brotli: false, zstd: false };
}

impl Default for AcceptedEncodings {
    fn default() -> Self {
        Self::ALL
    }
}

/// One fetch from a [`SpecSource`], or the opening of a subscription to a [`SpecStream`](super::SpecStream).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpecRequest {
    /// Version of the specs that the client holds; `None` if it holds none. A source may answer
    /// [`Unchanged`](SpecFetch::Unchanged) to it.
    pub version: Option<SpecVersion>,
    /// Reason for the fetch.
    pub trigger: SpecTrigger,
    /// True if the answer may be a delta to [`version`](Self::version).
    pub accepts_deltas: bool,
    /// True if the answer may be in [`PayloadFormat::Protobuf`](super::PayloadFormat::Protobuf). JSON is always
    /// accepted.
    pub accepts_protobuf: bool,
    /// Content encodings of the transfer.
    pub encodings: AcceptedEncodings,
}

impl SpecRequest {
    /// Returns a request for a full JSON payload that is newer than a version, in any encoding.
    #[must_use]
    pub fn new(version: Option<SpecVersion>, trigger: SpecTrigger) -> Self {
        Self { version, trigger, ..Self::default() }
    }

    /// Sets whether the answer may be a delta.
    #[must_use]
    pub fn with_deltas(mut self, accepts_deltas: bool) -> Self {
        self.accepts_deltas = accepts_deltas;
        self
    }

    /// Sets whether the answer may be in the binary form.
    #[must_use]
    pub fn with_protobuf(mut self, accepts_protobuf: bool) -> Self {
        self.accepts_protobuf = accepts_protobuf;
        self
    }

    /// Sets the content encodings of the transfer.
    #[must_use]
    pub fn with_encodings(mut self, encodings: AcceptedEncodings) -> Self {
        self.encodings = encodings;
        self
    }

    /// Returns the time of the version held, in milliseconds since 1970; 0 if none is held.
    #[must_use]
    pub fn since_time_ms(&self) -> u64 {
        self.version.as_ref().map_or(0, |version| version.time_ms)
    }
}

/// Answer of a [`SpecSource`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SpecFetch {
    /// The source has nothing newer than the version of the request.
    Unchanged,
    /// The source has only what is older than the version of the request; other sources may have something newer.
    Behind,
    /// The source has this payload.
    Updated(SpecUpdate),
}

/// A source that config specs are pulled from.
///
/// A source fetches bytes. It neither judges nor compiles nor stores them: the engine decides whether a payload is
/// newer than the one held, and a bad one never replaces a good one.
///
/// # Duties of an implementor
///
/// - **Nothing held, nothing unchanged.** To a request without a version a source answers with a payload or an error
///   ([`Empty`](super::SourceErrorKind::Empty) if it has none), nothing else.
/// - **`Unchanged` is a promise** that the source was reached and has nothing newer than the version of the request;
///   it ends a cycle of fetches. A source that knows that it is behind answers `Behind`. One that cannot tell
///   answers with its payload: receiving it again is harmless.
/// - **The reach is true.** Only a source that talks to Statsig's servers, or to a proxy in their place, is
///   [`Reach::Upstream`](super::Reach::Upstream).
/// - **Only what is accepted.** A delta or a binary payload only answers a request that accepts it.
/// - **Errors are typed.** Retryable is what seconds may heal; see [`SourceError`].
/// - **Bounded.** At most as many bytes are read as the source's own options say, and every attempt
///   has a time limit of its own; a shorter one of the engine comes on top.
/// - **One attempt a call**, or a few in quick succession; the engine waits for the next poll.
/// - **No blocking** of the thread that polls the future.
///
/// # Cancel safety
///
/// The future is dropped at a time limit or a shutdown. The source is usable afterwards.
///
/// # Contract test
///
/// `statsig_adapters::testing::spec_source_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// A source that takes payloads from some key/value client:
///
/// ```
/// use statsig_adapters::{
///     Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate,
/// };
///
/// # struct Client;
/// # impl Client { async fn get(&self, _key: &str) -> Result<Option<(u64, Vec<u8>)>, std::io::Error> { Ok(None) } }
/// struct KeyValueSource {
///     client: Client,
///     key: String,
/// }
///
/// #[async_trait::async_trait]
/// impl SpecSource for KeyValueSource {
///     fn name(&self) -> &str {
///         "key-value"
///     }
///
///     fn origin(&self) -> SpecOrigin {
///         SpecOrigin::Adapter("KeyValue".into())
///     }
///
///     fn reach(&self) -> Reach {
///         Reach::Shared
///     }
///
///     async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
///         let found = self.client.get(&self.key).await;
///         match found.map_err(|error| SourceError::new(SourceErrorKind::Unreachable, error))? {
///             Some((time_ms, _)) if time_ms > 0 && time_ms <= request.since_time_ms() => Ok(SpecFetch::Unchanged),
///             Some((_, payload)) => {
///                 Ok(SpecFetch::Updated(SpecUpdate::new(payload, self.origin(), self.reach(), 0)))
///             }
///             None => Err(SourceError::new(SourceErrorKind::Empty, "no such key")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait SpecSource: Send + Sync {
    /// Returns a short name for reports and logs, the same at every call: `network`, `data-store`.
    fn name(&self) -> &str;

    /// Returns the origin that evaluations report for specs from here.
    fn origin(&self) -> SpecOrigin;

    /// Returns the distance of the source from Statsig's servers, the same at every call.
    fn reach(&self) -> Reach;

    /// Fetches the specs, if they are newer than the version of the request.
    ///
    /// # Errors
    /// If the source cannot be reached, refuses, or has nothing.
    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError>;

    /// Returns whether regular polls fetch from the source; by default, yes. A bootstrap payload has no news.
    async fn wants_polling(&self) -> bool {
        true
    }

    /// Returns whether the source holds the client's own earlier payloads; by default, no.
    ///
    /// Such a copy proves no contact with anything, keeps the time of its reception, and is not written to itself.
    fn is_own_copy(&self) -> bool {
        false
    }

    /// Returns the data stores that the source reads; none by default.
    ///
    /// Others may use them too: the user of the source shuts each of them down once, after all that share it have
    /// ended.
    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        Vec::new()
    }

    /// Releases what the source holds for itself: connections, watchers. Nothing by default.
    ///
    /// Called once, after the last `fetch`. Leaves its [data stores](Self::data_stores) open.
    async fn close(&self) {}
}
