//! The object around the events.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use statsig_core::{BatchEncoding, EventBatch, FlushType, SdkMetadata};

use super::EventSinkOptions;
use crate::identity::ClientIdentity;

/// Most bytes of a batch before compression: far more than a pipeline cuts.
const MOST_RAW_BYTES: usize = 64 << 20;

const HEAD: &[u8] = br#"{"events":"#;
const TAIL: &[u8] = br#","statsigMetadata":"#;

/// Why a batch cannot be sent by anyone, ever.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the encoding of the batch is not supported")]
    UnsupportedEncoding,
    #[error("the body of the batch cannot be decompressed")]
    Compression(#[source] io::Error),
    #[error("the body of the batch does not have the length that the batch says")]
    Length,
}

/// Returns the end of the body of a batch of another SDK: its `statsigMetadata` as it was received.
///
/// Without one, the identifying fields; nothing is added if these are unknown as well.
pub(super) fn forwarded_metadata(metadata: &SdkMetadata) -> Vec<u8> {
    if let Some(json) = metadata.statsig_metadata() {
        return [TAIL, json.as_bytes(), b"}"].concat();
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Known<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        sdk_type: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sdk_version: Option<&'a str>,
        #[serde(rename = "sessionID", skip_serializing_if = "Option::is_none")]
        session_id: Option<&'a str>,
    }
    let (sdk_type, sdk_version, session_id) = (metadata.sdk_type(), metadata.sdk_version(), metadata.session_id());
    match serde_json::to_vec(&Known { sdk_type, sdk_version, session_id }) {
        Ok(known) if known != b"{}" => [TAIL, &known, b"}"].concat(),
        _ => b"}".to_vec(),
    }
}

/// Returns the end of the body of a batch of this SDK: everything that is known about it, in the order of the
/// official one.
pub(super) fn metadata(identity: &ClientIdentity, options: &EventSinkOptions, flush_type: FlushType) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        sdk_type: &'a str,
        sdk_version: &'a str,
        #[serde(rename = "sessionID")]
        session_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        os: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        arch: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        language_version: Option<&'a str>,
        #[serde(rename = "service_name", skip_serializing_if = "Option::is_none")]
        service_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        flushing_interval_ms: Option<u128>,
        #[serde(skip_serializing_if = "Option::is_none")]
        batch_size: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_pending_batches: Option<usize>,
        flush_type: &'static str,
    }
    let metadata = Metadata {
        sdk_type: identity.sdk_type(),
        sdk_version: identity.sdk_version(),
        session_id: identity.session_id(),
        os: options.os.as_deref(),
        arch: options.arch.as_deref(),
        language_version: options.language_version.as_deref(),
        service_name: identity.service_name(),
        flushing_interval_ms: options.flushing_interval.map(|interval| interval.as_millis()),
        batch_size: options.batch_size,
        max_pending_batches: options.max_pending_batches,
        flush_type: flush_type.as_str(),
    };
    // Texts and numbers: nothing that cannot be written.
    let json = serde_json::to_vec(&metadata).unwrap_or_else(|_| b"{}".to_vec());
    [TAIL, &json, b"}"].concat()
}

/// The whole body: the events of the batch between head and tail, compressed by a level, or plain.
pub(super) fn wrap(batch: &EventBatch, tail: &[u8], level: u32) -> Result<Vec<u8>, BodyError> {
    if batch.raw_len > MOST_RAW_BYTES {
        return Err(BodyError::Length);
    }
    let room = if level > 0 { batch.body.len() + batch.raw_len / 8 } else { batch.raw_len };
    let out = Vec::with_capacity(room + HEAD.len() + tail.len() + 64);
    if level == 0 {
        return fill(out, batch, tail);
    }
    let encoder = fill(GzEncoder::new(out, Compression::new(level.min(9))), batch, tail)?;
    encoder.finish().map_err(BodyError::Compression)
}

fn fill<W: Write>(mut out: W, batch: &EventBatch, tail: &[u8]) -> Result<W, BodyError> {
    let write = |out: &mut W, bytes: &[u8]| out.write_all(bytes).map_err(BodyError::Compression);
    write(&mut out, HEAD)?;
    let copied = match batch.encoding {
        BatchEncoding::Identity => {
            write(&mut out, &batch.body)?;
            batch.body.len() as u64
        }
        BatchEncoding::Gzip => {
            // No more than the batch says: it may lie.
            let mut decoder = MultiGzDecoder::new(&*batch.body).take(batch.raw_len as u64 + 1);
            io::copy(&mut decoder, &mut out).map_err(BodyError::Compression)?
        }
        _ => return Err(BodyError::UnsupportedEncoding),
    };
    if copied != batch.raw_len as u64 {
        return Err(BodyError::Length);
    }
    write(&mut out, tail)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(raw: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(raw).unwrap();
        encoder.finish().unwrap()
    }

    fn batch(body: &[u8], encoding: BatchEncoding, raw_len: usize) -> EventBatch {
        EventBatch::new([0; 16], 0, 1, body, encoding, raw_len)
    }

    #[test]
    fn events_stand_in_one_object_in_one_member() {
        let raw = br#"[{"eventName":"a"}]"#;
        for (body, encoding) in [(raw.to_vec(), BatchEncoding::Identity), (gzip(raw), BatchEncoding::Gzip)] {
            for level in [0, 1, 6, 9, 99] {
                let wrapped = wrap(&batch(&body, encoding, raw.len()), br#","x":1}"#, level).unwrap();
                let mut plain = Vec::new();
                match level {
                    0 => plain = wrapped,
                    // Reads one member only, as some servers do.
                    _ => {
                        flate2::read::GzDecoder::new(&*wrapped).read_to_end(&mut plain).unwrap();
                    }
                }
                assert_eq!(plain, br#"{"events":[{"eventName":"a"}],"x":1}"#);
            }
        }
    }

    #[test]
    fn metadata_of_another_sdk_stays_as_it_was_received() {
        let tail = |metadata: &SdkMetadata| String::from_utf8(forwarded_metadata(metadata)).unwrap();
        let json = r#"{ "sdkType":"js", "n": 1.0e2 }"#;
        let whole = SdkMetadata::new().with_sdk_type("header").with_statsig_metadata(json).unwrap();
        assert_eq!(tail(&whole), format!(",\"statsigMetadata\":{json}}}"));
        let headers = SdkMetadata::new().with_sdk_type("js \"x").with_session_id("s").with_service_name("shop");
        assert_eq!(tail(&headers), r#","statsigMetadata":{"sdkType":"js \"x","sessionID":"s"}}"#);
        assert_eq!(tail(&SdkMetadata::new()), "}");
    }

    #[test]
    fn batches_that_are_not_what_they_say_are_refused() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        for (body, encoding, raw_len) in [
            (&b"[]"[..], BatchEncoding::Identity, 3),
            (&bomb, BatchEncoding::Gzip, 10),
            (&bomb, BatchEncoding::Gzip, usize::MAX),
            (b"[]", BatchEncoding::Gzip, 2),
            (&bomb[..40], BatchEncoding::Gzip, 1 << 20),
        ] {
            assert!(wrap(&batch(body, encoding, raw_len), b"}", 6).is_err());
        }
    }
}
