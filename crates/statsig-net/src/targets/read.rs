//! Decodes payloads into JSON that can be compiled.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use statsig_core::{PayloadFormat, SpecUpdate};

/// Entities of a payload, which a later delta refers to.
#[cfg(feature = "proto")]
pub(super) type DeltaBase = crate::proto::Document;
/// This build reads no format that has deltas.
#[cfg(not(feature = "proto"))]
pub(super) type DeltaBase = std::convert::Infallible;

/// A payload as JSON.
#[derive(Debug)]
pub(super) struct DecodedPayload<'a> {
    pub(super) json: Cow<'a, [u8]>,
    pub(super) base: Option<Arc<DeltaBase>>,
    /// Whether the payload is a delta to the base.
    pub(super) is_delta: bool,
}

/// Reason why a payload cannot be decoded.
#[derive(Debug)]
pub(super) struct DecodeFailure {
    pub(super) reason: Box<dyn Error + Send + Sync>,
    /// Whether the payload is a delta that does not fit the base.
    pub(super) is_mismatch: bool,
}

/// Decodes a payload, which may be a delta to `base`. At most `limit` bytes are decompressed.
pub(super) fn decode<'a>(
    update: &'a SpecUpdate,
    limit: usize,
    base: Option<&DeltaBase>,
) -> Result<DecodedPayload<'a>, DecodeFailure> {
    let refused = |reason: &str| DecodeFailure { reason: reason.into(), is_mismatch: update.delta_base.is_some() };
    #[cfg(not(feature = "proto"))]
    let _ = (limit, base);
    match update.format {
        PayloadFormat::Json if update.delta_base.is_some() => Err(refused("deltas in JSON are not supported")),
        PayloadFormat::Json => Ok(DecodedPayload { json: Cow::Borrowed(&update.payload), base: None, is_delta: false }),
        #[cfg(feature = "proto")]
        PayloadFormat::Protobuf => {
            let decoded = crate::proto::decode(&update.payload, limit, base)
                .map_err(|error| DecodeFailure { is_mismatch: error.is_about_difference(), reason: error.into() })?;
            Ok(DecodedPayload {
                json: Cow::Owned(decoded.json),
                base: decoded.parts.map(Arc::new),
                is_delta: decoded.is_delta,
            })
        }
        #[allow(unreachable_patterns, reason = "the enum may grow")]
        _ => Err(refused("this build does not read this format of config specs")),
    }
}
