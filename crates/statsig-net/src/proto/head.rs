//! Reads the envelope of a binary payload.

use std::io::Read;

use prost::Message;
use serde::Deserialize;
use statsig_core::{Envelope, SpecVersion, StorePath};

use super::ProtoError;
use super::messages::{Kind, SpecsEnvelope, SpecsTopLevel};

/// Most bytes that are decompressed in search of the head, which comes first.
const MOST: u64 = 16 << 20;
/// Bytes that are decompressed at once.
const STEP: u64 = 16 << 10;

/// The time and the checksum of a binary document; `None` if it has no head, or says that it has no updates.
///
/// Decompresses as much as it takes to find the head.
pub(crate) fn version(document: &[u8]) -> Option<SpecVersion> {
    if document.trim_ascii_start().starts_with(b"{") {
        return SpecVersion::of_json(document);
    }
    let mut decoder = brotli_decompressor::Decompressor::new(document, STEP as usize).take(MOST);
    let mut raw = Vec::new();
    loop {
        // What came before a failure is looked at first.
        let read = decoder.by_ref().take(STEP).read_to_end(&mut raw);
        let mut rest = &*raw;
        while let Some(part) = part(&mut rest) {
            match Kind::try_from(part.kind) {
                Ok(Kind::TopLevel) => return envelope_of(&part).map(|envelope| envelope.version),
                Ok(Kind::Done) => return None,
                _ => {}
            }
        }
        if !read.is_ok_and(|bytes| bytes > 0) {
            return None;
        }
        let read_already = raw.len() - rest.len();
        raw.drain(..read_already);
    }
}

/// Takes one part off the front, if all of it is there.
fn part(rest: &mut &[u8]) -> Option<SpecsEnvelope> {
    let mut ahead = *rest;
    let part = SpecsEnvelope::decode_length_delimited(&mut ahead).ok()?;
    *rest = ahead;
    Some(part)
}

/// Reads the envelope of a binary payload, and skips its specs.
///
/// Decompresses all of it, at most `limit` bytes, in constant memory: a payload that was cut off is refused.
///
/// # Errors
/// If the payload is damaged, too large, a delta, or has no head.
pub(crate) fn envelope(payload: &[u8], limit: usize) -> Result<Envelope, ProtoError> {
    let mut decoder = brotli_decompressor::Decompressor::new(payload, STEP as usize);
    let mut raw = Vec::new();
    let (mut envelope, mut bytes, mut parts) = (None, 0_usize, 0_usize);
    loop {
        let before = raw.len();
        // What came before a failure is looked at first.
        let read = decoder.by_ref().take(STEP).read_to_end(&mut raw);
        bytes = bytes.saturating_add(raw.len() - before);
        let mut rest = &*raw;
        while let Some(part) = part(&mut rest) {
            match Kind::try_from(part.kind) {
                Ok(Kind::TopLevel) => envelope = envelope_of(&part),
                Ok(Kind::Done) => return envelope.ok_or(ProtoError::NoHead),
                Ok(Kind::CopyPrev) => return Err(ProtoError::NoBase),
                Ok(Kind::Unknown) => return Err(ProtoError::NoKind { part: parts }),
                _ => {}
            }
            parts += 1;
        }
        match read {
            Ok(0) => return Err(ProtoError::Cut(parts)),
            Ok(_) if bytes > limit => return Err(ProtoError::TooLarge(limit)),
            Ok(_) => {}
            Err(error) => return Err(ProtoError::Compression(error)),
        }
        let read_already = raw.len() - rest.len();
        raw.drain(..read_already);
    }
}

/// Reads the head of a payload; `None` if it cannot be read, or says that nothing is new.
fn envelope_of(part: &SpecsEnvelope) -> Option<Envelope> {
    #[derive(Default, Deserialize)]
    struct Rest {
        checksum: Option<String>,
        hashed_sdk_key_used: Option<String>,
    }
    let head = SpecsTopLevel::decode(part.data.clone()?).ok().filter(|head| head.has_updates)?;
    let rest: Rest = serde_json::from_slice(&head.rest).unwrap_or_default();
    let checksum = Some(head.checksum).filter(|checksum| !checksum.is_empty()).or(rest.checksum);
    let version = SpecVersion::new(head.time, checksum.as_deref());
    Some(Envelope::new(version, StorePath::SpecsV2).with_hashed_sdk_key(rest.hashed_sdk_key_used))
}

/// A document with nothing but a head, for tests.
#[cfg(test)]
pub(crate) fn document(time: u64, checksum: &str) -> Vec<u8> {
    tests::compressed(&[tests::head(time, checksum, "{}"), tests::part(Kind::Done, Vec::new())].concat())
}

/// A payload with a head and a long part that is no message, for tests.
#[cfg(test)]
pub(crate) fn bomb(time: u64, bytes: usize) -> Vec<u8> {
    tests::compressed(&[tests::head(time, "a", "{}"), vec![b' '; bytes]].concat())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    pub(super) fn compressed(parts: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(parts).unwrap();
        out
    }

    pub(super) fn part(kind: Kind, data: Vec<u8>) -> Vec<u8> {
        SpecsEnvelope { kind: kind as i32, data: Some(data.into()), ..SpecsEnvelope::default() }
            .encode_length_delimited_to_vec()
    }

    pub(super) fn head(time: u64, checksum: &str, rest: &str) -> Vec<u8> {
        let (checksum, rest) = (checksum.to_owned(), rest.as_bytes().to_vec().into());
        let head = SpecsTopLevel { has_updates: true, time, checksum, rest, ..SpecsTopLevel::default() };
        part(Kind::TopLevel, head.encode_to_vec())
    }

    fn known(time: u64, checksum: &str) -> Option<SpecVersion> {
        Some(SpecVersion::new(time, Some(checksum)))
    }

    #[test]
    fn the_head_is_found_wherever_it_is_and_nothing_after_it_matters() {
        assert_eq!(version(&document(5, "c")), known(5, "c"));
        let other = part(Kind::FeatureGate, vec![7; 100_000]);
        let late = [other.clone(), head(6, "d", ""), other.clone()].concat();
        assert_eq!(version(&compressed(&late)), known(6, "d"));
        let mut cut = compressed(&[head(7, "e", ""), other].concat());
        cut.truncate(cut.len() - 3);
        assert_eq!(version(&cut), known(7, "e"));
        assert_eq!(version(&compressed(&head(8, "", r#"{"checksum":"f"}"#))), known(8, "f"));
        assert_eq!(version(&compressed(&head(9, "", ""))), Some(SpecVersion::new(9, None)));
    }

    #[test]
    fn it_is_what_the_whole_document_says() {
        for (checksum, rest) in [("c", r#"{"checksum":"other"}"#), ("", r#"{"checksum":"f"}"#), ("", "")] {
            let document = compressed(&[head(5, checksum, rest), part(Kind::Done, Vec::new())].concat());
            let json = super::super::to_json(&document, 1 << 20).unwrap();
            assert_eq!(version(&document), SpecVersion::of_json(&json), "{checksum:?} {rest}");
        }
    }

    #[test]
    fn what_has_no_head_has_no_version() {
        assert_eq!(version(b""), None);
        assert_eq!(version(b"nonsense"), None);
        assert_eq!(version(&compressed(&part(Kind::Done, Vec::new()))), None);
        assert_eq!(version(&compressed(&part(Kind::FeatureGate, vec![7; 50_000]))), None);
        assert_eq!(version(br#"{"has_updates":false}"#), None);
    }
}
