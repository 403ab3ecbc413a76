//! What sources of config specs hand over.

use std::fmt;
use std::sync::Arc;

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
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpecUpdate {
    /// The document, v2 or v1.
    pub document: Vec<u8>,
    /// Where it came from.
    pub source: SpecSourceKind,
    /// When it was received, in milliseconds since 1970.
    pub received_at_ms: u64,
}

impl SpecUpdate {
    /// A document from a source.
    #[must_use]
    pub fn new(document: Vec<u8>, source: SpecSourceKind, received_at_ms: u64) -> Self {
        Self { document, source, received_at_ms }
    }
}
