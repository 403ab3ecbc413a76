//! The version of a binary document, without reading the rest of it.

use std::io::Read;

use prost::Message;
use serde::Deserialize;
use statsig_core::EntryVersion;

use super::messages::{Kind, SpecsEnvelope, SpecsTopLevel};

/// Most bytes that are decompressed in search of the head, which comes first.
const MOST: u64 = 16 << 20;
/// Bytes that are decompressed at once.
const STEP: u64 = 16 << 10;

/// The time and the checksum of a binary document; `None` if it has no head, or says that it has no updates.
///
/// Decompresses as much as it takes to find the head.
pub(crate) fn version(document: &[u8]) -> Option<EntryVersion> {
    if document.trim_ascii_start().starts_with(b"{") {
        return EntryVersion::of_json(document);
    }
    let mut decoder = brotli_decompressor::Decompressor::new(document, STEP as usize).take(MOST);
    let mut raw = Vec::new();
    loop {
        // What came before a failure is looked at first.
        let read = decoder.by_ref().take(STEP).read_to_end(&mut raw);
        let mut rest = &*raw;
        while let Some(part) = part(&mut rest) {
            match Kind::try_from(part.kind) {
                Ok(Kind::TopLevel) => return version_of(&part),
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

fn version_of(part: &SpecsEnvelope) -> Option<EntryVersion> {
    #[derive(Deserialize)]
    struct Rest {
        checksum: Option<String>,
    }
    let head = SpecsTopLevel::decode(part.data.clone()?).ok().filter(|head| head.has_updates)?;
    let checksum = Some(head.checksum).filter(|checksum| !checksum.is_empty());
    let checksum = checksum.or_else(|| serde_json::from_slice::<Rest>(&head.rest).ok()?.checksum);
    Some(EntryVersion::new(head.time, checksum))
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

    fn known(time: u64, checksum: &str) -> Option<EntryVersion> {
        Some(EntryVersion::new(time, Some(checksum.to_owned())))
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
        assert_eq!(version(&compressed(&head(9, "", ""))), Some(EntryVersion::new(9, None)));
    }

    #[test]
    fn it_is_what_the_whole_document_says() {
        for (checksum, rest) in [("c", r#"{"checksum":"other"}"#), ("", r#"{"checksum":"f"}"#), ("", "")] {
            let document = compressed(&[head(5, checksum, rest), part(Kind::Done, Vec::new())].concat());
            let json = super::super::to_json(&document, 1 << 20).unwrap();
            assert_eq!(version(&document), EntryVersion::of_json(&json), "{checksum:?} {rest}");
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
