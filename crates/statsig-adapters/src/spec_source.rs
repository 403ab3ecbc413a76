//! Where config specs are pulled from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{DataStore, SourceError, SpecSourceKind, SpecUpdate};

/// What the asking side has: a source need not send it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpecCursor {
    /// When the project last changed, as far as known, in milliseconds since 1970; 0 if nothing is known.
    pub time: u64,
    /// The checksum of the document held, if the server sent one.
    pub checksum: Option<Arc<str>>,
    /// Whether the difference to the document held is as good as a whole one.
    pub accept_deltas: bool,
}

impl SpecCursor {
    /// A cursor at a time, with the checksum of the document held.
    #[must_use]
    pub fn new(time: u64, checksum: Option<&str>) -> Self {
        let checksum = checksum.filter(|checksum| !checksum.is_empty()).map(Arc::from);
        Self { time, checksum, accept_deltas: false }
    }

    /// The same cursor of one who can also make use of a [difference](super::SpecUpdate::is_delta), or
    /// cannot (as by default).
    #[must_use]
    pub fn with_deltas(mut self, accept_deltas: bool) -> Self {
        self.accept_deltas = accept_deltas;
        self
    }
}

/// Why a source is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpecTrigger {
    /// The client starts.
    #[default]
    Initial,
    /// A poll is due.
    Background,
    /// The application wants to know now.
    Manual,
}

/// A question to a [`SpecSource`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpecRequest {
    /// What the asking side has.
    pub cursor: SpecCursor,
    /// Why it asks.
    pub trigger: SpecTrigger,
}

impl SpecRequest {
    /// A question by one who has what the cursor says.
    #[must_use]
    pub fn new(cursor: SpecCursor, trigger: SpecTrigger) -> Self {
        Self { cursor, trigger }
    }
}

/// The answer of a [`SpecSource`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SpecFetch {
    /// It has nothing newer than the cursor.
    Unchanged,
    /// It has nothing as new as the cursor: others may well have something newer.
    Behind,
    /// It has this.
    Updated(SpecUpdate),
}

/// Gives config specs when asked: pull.
///
/// A source fetches bytes. It does not judge, compile or keep them: the asking side decides whether
/// a document is newer than what it has, and a bad one never replaces a good one.
///
/// # Duties of an implementor
///
/// - **Nothing held, nothing unchanged.** Asked with a cursor at time 0, a source gives a document
///   or an error ([`Empty`](super::SourceErrorKind::Empty) if it has none), nothing else.
/// - **`Unchanged` is a promise** that the source was reached and has nothing newer than the cursor;
///   it ends a round of questions. One that knows that it lags behind says `Behind`. One that cannot
///   tell gives its document: receiving it again is harmless.
/// - **Errors are typed.** Retryable is what seconds may heal; see [`SourceError`].
/// - **Bounded.** At most so many bytes are read as the source's own options say, and every attempt
///   has a time limit of its own; a shorter one of the asking side comes on top.
/// - **One attempt a call**, or a few in quick succession; waiting for the next poll is not the
///   source's business.
/// - **No blocking** of the thread that polls the future.
///
/// # Cancel safety
///
/// The future is dropped when a time limit or a shutdown says so. The source is usable afterwards.
///
/// # Contract test
///
/// `statsig_adapters::testing::spec_source_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// A source that takes documents from some key/value client:
///
/// ```
/// use statsig_adapters::{
///     SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecSourceKind, SpecUpdate,
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
///     fn kind(&self) -> SpecSourceKind {
///         SpecSourceKind::Adapter("KeyValue".into())
///     }
///
///     async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
///         let found = self.client.get(&self.key).await;
///         match found.map_err(|error| SourceError::new(SourceErrorKind::Unreachable, error))? {
///             Some((time, _)) if request.cursor.time > 0 && time <= request.cursor.time => Ok(SpecFetch::Unchanged),
///             Some((_, document)) => Ok(SpecFetch::Updated(SpecUpdate::new(document, self.kind(), 0))),
///             None => Err(SourceError::new(SourceErrorKind::Empty, "no such key")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait SpecSource: Send + Sync {
    /// A short name for reports and logs, the same at every call: `network`, `data-store`.
    fn name(&self) -> &str;

    /// What evaluations say about the origin of specs from here.
    fn kind(&self) -> SpecSourceKind;

    /// Gives the specs, if they are newer than the cursor of the request.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or has nothing.
    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError>;

    /// Whether regular polls shall ask this source; by default, yes. A bootstrap text has no news.
    async fn wants_polling(&self) -> bool {
        true
    }

    /// The data stores that the source reads; none by default. Others may use them too, so whoever uses the
    /// source shuts each of them down, once, when all that share it have ended.
    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        Vec::new()
    }

    /// Ends what the source holds for itself: connections, watchers. Nothing by default. Called once, after
    /// the last `fetch`. Leaves its [data stores](Self::data_stores) open.
    async fn close(&self) {}
}
