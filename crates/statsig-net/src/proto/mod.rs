//! Config specs in the vendor's binary form.
//!
//! A Brotli stream of length-delimited `SpecsEnvelope` messages, ended by one of kind `DONE`. It is
//! rewritten into a JSON document of version 2, which then goes the way of every other: one engine,
//! one set of rules. An entity that cannot be read is left out and reported by the log.
//!
//! A document may be the mere difference to an earlier one: then it is put together with that one, if
//! it was kept ([`Document`]), and refused if not.

mod convert;
mod document;
pub(crate) mod head;
mod messages;
#[cfg(test)]
mod tests;

use std::io::Read;

use prost::Message;
use prost::bytes::Bytes;

pub(crate) use self::document::Document;
use self::document::Reader;
use self::messages::{Kind, SpecsEnvelope};

/// Why config specs in binary form cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BinarySpecsError(ProtoError);

/// Rewrites config specs in the vendor's binary form (`statsig-br`) as JSON of version 2, for tools that
/// look at them: clients do this by themselves. A document that is JSON already is given back.
///
/// At most `limit` bytes are decompressed, and at most as many written. Takes time in proportion.
///
/// # Errors
/// If the document is damaged, too large, or only the difference to another one.
pub fn binary_specs_to_json(document: &[u8], limit: usize) -> Result<Vec<u8>, BinarySpecsError> {
    to_json(document, limit).map_err(BinarySpecsError)
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtoError {
    #[error("the document exceeds {0} bytes, decompressed or as text")]
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
    #[error("the document is the difference to another one, which is not there")]
    NoBase,
    #[error("the difference does not lead to what its checksums say: {0}")]
    Checksum(&'static str),
    #[error("the head of the document cannot be read")]
    Head(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the document has no head")]
    NoHead,
}

impl ProtoError {
    /// Whether a difference was of no use, so that whole documents are to be asked for.
    pub(crate) fn is_about_difference(&self) -> bool {
        matches!(self, Self::NoBase | Self::Checksum(_))
    }
}

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The whole, as JSON of version 2, also where only a difference was sent.
    pub(crate) json: Vec<u8>,
    /// For the next difference; `None` where the document was JSON.
    pub(crate) parts: Option<Document>,
    /// Whether it was the difference to the document held.
    pub(crate) is_delta: bool,
}

/// Rewrites a binary document as JSON of version 2.
fn to_json(document: &[u8], limit: usize) -> Result<Vec<u8>, ProtoError> {
    decode(document, limit, None).map(|decoded| decoded.json)
}

/// Reads a binary document, which may be the difference to the one held. At most `limit` bytes are
/// decompressed, and at most as many written.
pub(crate) fn decode(document: &[u8], limit: usize, held: Option<&Document>) -> Result<Decoded, ProtoError> {
    if document.trim_ascii_start().starts_with(b"{") {
        // Where nothing is new, servers say so in JSON, whatever the headers promise.
        return Ok(Decoded { json: document.to_vec(), parts: None, is_delta: false });
    }
    let mut raw = Vec::with_capacity(document.len().saturating_mul(4).min(limit).min(16 << 20));
    let decoder = brotli_decompressor::Decompressor::new(document, 16 << 10);
    let end = decoder.take(limit as u64 + 1).read_to_end(&mut raw);
    if raw.len() > limit {
        return Err(ProtoError::TooLarge(limit));
    }
    let mut rest = Bytes::from(raw);
    let mut reader = Reader::new(held);
    for part in 0.. {
        if rest.is_empty() {
            // What came before a failure is looked at first: it may be complete.
            end.map_err(ProtoError::Compression)?;
            return Err(ProtoError::Cut(part));
        }
        let unreadable = |source| ProtoError::Part { part, source };
        let envelope = SpecsEnvelope::decode_length_delimited(&mut rest).map_err(unreadable)?;
        match Kind::try_from(envelope.kind) {
            Ok(Kind::Done) => break,
            Ok(Kind::Unknown) => return Err(ProtoError::NoKind { part }),
            Ok(Kind::CopyPrev) => reader.copy()?,
            Ok(Kind::Deletions) => reader.delete(&envelope).map_err(unreadable)??,
            Ok(Kind::Checksums) => reader.expect(&envelope).map_err(unreadable)?,
            Ok(Kind::TopLevel) => reader.head(&envelope)?,
            Ok(kind) => reader.add(kind, envelope),
            // A kind of the future: whoever sends it does not count on us.
            Err(_) => {
                tracing::debug!(kind = envelope.kind, "a part of the config specs is of a kind that we do not know")
            }
        }
    }
    reader.finish(limit)
}
