//! Config specs in the vendor's binary form.
//!
//! A Brotli stream of length-delimited `SpecsEnvelope` messages, ended by one of kind `DONE`. It is
//! rewritten into a JSON document of version 2, which then goes the way of every other: one engine,
//! one set of rules. An entity that cannot be read is left out and reported by the log.
//!
//! Differences to an earlier document are never asked for; a document that holds one is refused.

mod convert;
pub(crate) mod head;
mod messages;
#[cfg(test)]
mod tests;

use std::io::Read;

use prost::Message;
use prost::bytes::Bytes;

use self::messages::{Kind, SpecsEnvelope};

/// Why config specs in binary form cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BinarySpecsError(ProtoError);

/// Rewrites config specs in the vendor's binary form (`statsig-br`) as JSON of version 2, for tools that
/// look at them: clients do this by themselves. A document that is JSON already is given back.
///
/// At most `limit` bytes are decompressed, and about as many are written. Takes time in proportion.
///
/// # Errors
/// If the document is damaged, too large, or only the difference to another one.
pub fn binary_specs_to_json(document: &[u8], limit: usize) -> Result<Vec<u8>, BinarySpecsError> {
    to_json(document, limit).map_err(BinarySpecsError)
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtoError {
    #[error("the document exceeds {0} bytes decompressed")]
    TooLarge(usize),
    #[error("the document cannot be decompressed")]
    Compression(#[source] std::io::Error),
    #[error("the document ends in the middle, after {0} parts")]
    Cut(usize),
    #[error("part {part} of the document cannot be read")]
    Part {
        part: usize,
        #[source]
        source: prost::DecodeError,
    },
    #[error("part {part} of the document is of an unspecified kind")]
    NoKind { part: usize },
    #[error("the document holds a mere difference to another one")]
    Delta,
    #[error("the head of the document cannot be read")]
    Head(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the document has no head")]
    NoHead,
}

/// Rewrites a binary document as JSON of version 2. At most `limit` bytes are decompressed, and about
/// as many are written.
pub(crate) fn to_json(document: &[u8], limit: usize) -> Result<Vec<u8>, ProtoError> {
    if document.trim_ascii_start().starts_with(b"{") {
        // Where nothing is new, servers say so in JSON, whatever the headers promise.
        return Ok(document.to_vec());
    }
    let mut raw = Vec::with_capacity(document.len().saturating_mul(4).min(limit).min(16 << 20));
    let decoder = brotli_decompressor::Decompressor::new(document, 16 << 10);
    let end = decoder.take(limit as u64 + 1).read_to_end(&mut raw);
    if raw.len() > limit {
        return Err(ProtoError::TooLarge(limit));
    }
    let mut rest = Bytes::from(raw);
    let mut json = convert::Document::default();
    for part in 0.. {
        if rest.is_empty() {
            // What came before a failure is looked at first: it may be complete.
            end.map_err(ProtoError::Compression)?;
            return Err(ProtoError::Cut(part));
        }
        let envelope =
            SpecsEnvelope::decode_length_delimited(&mut rest).map_err(|source| ProtoError::Part { part, source })?;
        match Kind::try_from(envelope.kind) {
            Ok(Kind::Done) => break,
            Ok(Kind::Unknown) => return Err(ProtoError::NoKind { part }),
            Ok(Kind::CopyPrev | Kind::Deletions | Kind::Checksums) => return Err(ProtoError::Delta),
            Ok(kind) => json.add(kind, &envelope)?,
            // A kind of the future: whoever sends it does not count on us.
            Err(_) => {
                tracing::debug!(kind = envelope.kind, "a part of the config specs is of a kind that we do not know")
            }
        }
    }
    json.finish()
}
