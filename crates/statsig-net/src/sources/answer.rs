//! Answers of sources, and the version of what they hold.

use statsig_core::{KeySchema, PayloadFormat, SourceError, SourceErrorKind, SpecFetch, SpecUpdate, SpecVersion};

/// Returns the answer of a source that holds a full payload: `Unchanged` if the client holds the same.
///
/// Reads the version of the payload where the client holds one and the source has not read it.
pub(super) fn answer_with(update: SpecUpdate, held: Option<&SpecVersion>) -> Result<SpecFetch, SourceError> {
    if update.payload.is_empty() {
        return Err(SourceError::new(SourceErrorKind::Empty, "the payload is empty"));
    }
    let Some(held) = held else { return Ok(SpecFetch::Updated(update)) };
    let version = update.version.clone().or_else(|| version_of(&update.payload, update.format));
    match &version {
        // An older payload is handed on, so that the engine sees that this source is behind.
        Some(version) if version == held && version.checksum.is_some() => Ok(SpecFetch::Unchanged),
        _ => Ok(SpecFetch::Updated(update.with_version(version))),
    }
}

/// Reads the version of a payload; `None` if it has none, or this build cannot read its format.
pub(crate) fn version_of(payload: &[u8], format: PayloadFormat) -> Option<SpecVersion> {
    match format {
        PayloadFormat::Json => SpecVersion::of_json(payload),
        #[cfg(feature = "proto")]
        PayloadFormat::Protobuf => crate::proto::head::version(payload),
        #[allow(unreachable_patterns, reason = "the enum may grow")]
        _ => None,
    }
}

/// Returns the key schema that other writers may use.
pub(crate) fn other(schema: KeySchema) -> KeySchema {
    if schema == KeySchema::Prefix { KeySchema::Hashed } else { KeySchema::Prefix }
}
