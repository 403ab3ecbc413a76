//! Why a data store could not do what it was asked for.

use std::error::Error;
use std::fmt;

/// Kinds of [`DataStoreError`], for decisions without looking at messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataStoreErrorKind {
    /// The store keeps text only; ask for text instead. No failure of the store.
    BytesNotImplemented,
    /// No connection, or the store is starting, failing over or overloaded.
    Unavailable,
    /// No answer within the time limit.
    Timeout,
    /// Wrong credentials, or a right that is missing.
    Denied,
    /// The store takes no writes: a replica, or a handle that was opened for reading.
    ReadOnly,
    /// No space is left.
    Full,
    /// The value is larger than a limit.
    TooLarge,
    /// What is stored, or what the store answered, cannot be understood.
    Malformed,
    /// The request or the options make no sense to the store.
    Invalid,
    /// [`shutdown`](super::DataStore::shutdown) was called.
    Closed,
    /// Anything else.
    Other,
}

impl DataStoreErrorKind {
    /// Whether time can heal it, so that the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::ReadOnly | Self::Full | Self::Other)
    }
}

/// Why a data store could not do what it was asked for.
///
/// The texts of the error and of its sources go to logs: no secret, no SDK key, no stored value.
#[derive(Debug)]
pub struct DataStoreError {
    kind: DataStoreErrorKind,
    retryable: bool,
    message: Box<str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DataStoreError {
    /// An error whose kind says whether trying again helps.
    pub fn new(kind: DataStoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, retryable: kind.is_retryable(), message: message.into().into_boxed_str(), source: None }
    }

    /// That the store keeps text only.
    #[must_use]
    pub fn bytes_not_implemented() -> Self {
        Self::new(DataStoreErrorKind::BytesNotImplemented, "the data store keeps text only")
    }

    /// The same, with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with another answer to whether trying again helps.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> DataStoreErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for DataStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for DataStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
