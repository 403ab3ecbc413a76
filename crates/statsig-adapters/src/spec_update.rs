//! Payloads of config specs, with their version and origin.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{SpecVersion, StoreFormat};

/// Origin of config specs; the first part of every evaluation's reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpecOrigin {
    /// Nothing was loaded yet.
    #[default]
    Uninitialized,
    /// The first load is under way, and nothing was there before.
    Loading,
    /// Every source failed.
    NoValues,
    /// A payload that the application supplied.
    Bootstrap,
    /// Statsig's servers, or a proxy in their place.
    Network,
    /// A data store, a file or another adapter, by name.
    Adapter(Arc<str>),
}

impl SpecOrigin {
    /// Returns whether there are specs: not before and during the first load, and not after its failure.
    ///
    /// ```
    /// use statsig_adapters::SpecOrigin;
    ///
    /// assert!(SpecOrigin::Bootstrap.has_specs());
    /// assert!(!SpecOrigin::Loading.has_specs());
    /// ```
    #[must_use]
    pub fn has_specs(&self) -> bool {
        !matches!(self, Self::Uninitialized | Self::Loading | Self::NoValues)
    }

    /// Returns whether the reason of an evaluation names the origin and what was found, as in
    /// `Loading:Unrecognized`, rather than the origin alone.
    #[must_use]
    pub fn has_values(&self) -> bool {
        !matches!(self, Self::Uninitialized | Self::NoValues)
    }
}

impl fmt::Display for SpecOrigin {
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

/// Distance of a source or stream from Statsig's servers.
///
/// The reach, not the name, decides what an answer proves and what becomes of a payload:
///
/// | | `Upstream` | `Shared` | `Local` |
/// | --- | --- | --- | --- |
/// | its answers prove contact with the network | yes | no | no |
/// | its payloads are written back to the data store | yes | no | no |
/// | is used in local mode | no | yes | yes |
/// | a live stream of it slows all polls down | yes | no | of itself |
/// | may be asked for deltas | yes | no | no |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reach {
    /// Statsig's servers, or a proxy in their place.
    Upstream,
    /// A store that several processes share.
    Shared,
    /// This machine or this process: a file, a bootstrap payload.
    Local,
}

/// Encoding of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// JSON text.
    #[default]
    Json,
    /// The vendor's binary form (`statsig-br`): protobuf messages, compressed with Brotli.
    Protobuf,
}

impl PayloadFormat {
    /// Returns the name in keys, headers and files: `plain_text` or `statsig-br`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "plain_text",
            Self::Protobuf => "statsig-br",
        }
    }
}

impl From<PayloadFormat> for StoreFormat {
    fn from(format: PayloadFormat) -> Self {
        match format {
            PayloadFormat::Json => Self::PlainText,
            PayloadFormat::Protobuf => Self::StatsigBr,
        }
    }
}

impl From<StoreFormat> for PayloadFormat {
    fn from(format: StoreFormat) -> Self {
        match format {
            StoreFormat::PlainText => Self::Json,
            StoreFormat::StatsigBr => Self::Protobuf,
        }
    }
}

/// A payload of config specs, as a source or stream delivers it.
///
/// Cloning shares the payload's bytes.
#[derive(Clone)]
#[non_exhaustive]
pub struct SpecUpdate {
    /// Bytes of the payload as the source holds it, with the compression of the transfer removed.
    pub payload: Bytes,
    /// Encoding of the payload.
    pub format: PayloadFormat,
    /// Version of the payload, if the source has read it already.
    pub version: Option<SpecVersion>,
    /// Version that the payload is a delta to; `None` for a full payload. A delta is useless without its base, and is
    /// never stored.
    pub delta_base: Option<SpecVersion>,
    /// Origin that evaluations report.
    pub origin: SpecOrigin,
    /// Distance of the source from Statsig's servers.
    pub reach: Reach,
    /// Address or place that the payload came from, for reports.
    pub address: Option<Arc<str>>,
    /// Time of reception, in milliseconds since 1970.
    pub received_at_ms: u64,
    /// Largest size of the payload after decompression, in bytes, by the options of its source; `None` for no limit of
    /// its own. It matters for the binary form, which is decompressed after the source.
    pub max_bytes: Option<usize>,
}

impl SpecUpdate {
    /// Returns a full JSON payload of unread version.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>, origin: SpecOrigin, reach: Reach, received_at_ms: u64) -> Self {
        Self {
            payload: payload.into(),
            format: PayloadFormat::Json,
            version: None,
            delta_base: None,
            origin,
            reach,
            address: None,
            received_at_ms,
            max_bytes: None,
        }
    }

    /// Sets the format.
    #[must_use]
    pub fn with_format(mut self, format: PayloadFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the version, as read from the payload or stated beside it.
    #[must_use]
    pub fn with_version(mut self, version: Option<SpecVersion>) -> Self {
        self.version = version;
        self
    }

    /// Marks the payload as a delta to a version, or as a full payload.
    #[must_use]
    pub fn with_delta_base(mut self, base: Option<SpecVersion>) -> Self {
        self.delta_base = base;
        self
    }

    /// Sets a limit for the decompressed payload, in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: Option<usize>) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets the address or place that the payload came from.
    #[must_use]
    pub fn with_address(mut self, address: impl Into<Arc<str>>) -> Self {
        self.address = Some(address.into());
        self
    }
}

/// Shows the size of the payload, not its content.
impl fmt::Debug for SpecUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpecUpdate")
            .field("payload_bytes", &self.payload.len())
            .field("format", &self.format)
            .field("version", &self.version)
            .field("delta_base", &self.delta_base)
            .field("origin", &self.origin)
            .field("reach", &self.reach)
            .field("address", &self.address)
            .field("received_at_ms", &self.received_at_ms)
            .finish_non_exhaustive()
    }
}
