//! What sources of config specs hand over.
//!
//! The traits that do so are [`SpecSource`](super::SpecSource), which is asked, and
//! [`SpecStream`](super::SpecStream), which tells.

use std::fmt;
use std::sync::Arc;

use super::StoreFormat;

/// Where the specs in force came from; the first part of every evaluation's reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpecSourceKind {
    /// Nothing was loaded yet.
    #[default]
    Uninitialized,
    /// A load is under way, and nothing was there before.
    Loading,
    /// Every source failed.
    NoValues,
    /// A document that the application supplied.
    Bootstrap,
    /// Statsig's servers, or a proxy in their place.
    Network,
    /// A data store or another adapter, by name.
    Adapter(Arc<str>),
}

impl SpecSourceKind {
    /// Whether there are specs at all.
    #[must_use]
    pub fn has_values(&self) -> bool {
        !matches!(self, Self::Uninitialized | Self::NoValues)
    }
}

impl fmt::Display for SpecSourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uninitialized => f.write_str("Uninitialized"),
            Self::Loading => f.write_str("Loading"),
            Self::NoValues => f.write_str("NoValues"),
            Self::Bootstrap => f.write_str("Bootstrap"),
            Self::Network => f.write_str("Network"),
            Self::Adapter(name) => write!(f, "Adapter({name})"),
        }
    }
}

/// A document of config specs, as a source delivers it.
#[derive(Clone)]
#[non_exhaustive]
pub struct SpecUpdate {
    /// The document, byte for byte as the source has it once transfer compression is undone.
    pub document: Vec<u8>,
    /// How the document is written. The core reads JSON: whoever applies updates decodes the other first.
    pub format: StoreFormat,
    /// Where it came from.
    pub source: SpecSourceKind,
    /// The address or the place in it, for reports: `https://api.example.com/v2`, say. Never a secret.
    pub origin: Option<Arc<str>>,
    /// When it was received, in milliseconds since 1970.
    pub received_at_ms: u64,
    /// Whether the document is, as its source says, the difference to the one that the
    /// [cursor](super::SpecCursor) told of. Such a one is of no use to anybody else, and never stored.
    pub is_delta: bool,
    /// Most bytes that the document may have once it is decoded, as the options of its source say; `None` for the limit
    /// of whoever applies it.
    pub max_decoded: Option<usize>,
}

impl SpecUpdate {
    /// A JSON document from a source.
    #[must_use]
    pub fn new(document: Vec<u8>, source: SpecSourceKind, received_at_ms: u64) -> Self {
        Self {
            document,
            format: StoreFormat::PlainText,
            source,
            origin: None,
            received_at_ms,
            is_delta: false,
            max_decoded: None,
        }
    }

    /// The same update, written in another way.
    #[must_use]
    pub fn with_format(mut self, format: StoreFormat) -> Self {
        self.format = format;
        self
    }

    /// The same update, as a difference or a whole.
    #[must_use]
    pub fn with_delta(mut self, is_delta: bool) -> Self {
        self.is_delta = is_delta;
        self
    }

    /// The same update, with the most bytes that it may have once it is decoded.
    #[must_use]
    pub fn with_max_decoded(mut self, max_decoded: Option<usize>) -> Self {
        self.max_decoded = max_decoded;
        self
    }

    /// The same update, with the place that it came from.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.origin = Some(origin.into());
        self
    }
}

/// Shows the size of the document, not the document.
impl fmt::Debug for SpecUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpecUpdate")
            .field("document_bytes", &self.document.len())
            .field("format", &self.format)
            .field("source", &self.source)
            .field("origin", &self.origin)
            .field("received_at_ms", &self.received_at_ms)
            .field("is_delta", &self.is_delta)
            .finish()
    }
}
