//! Batches as entries of a stream, and the answers of Redis about them.

use std::sync::Arc;

use redis::Value;
use statsig_adapters::{BatchEncoding, EventBatch, FlushType, SdkMetadata};

/// An entry of a stream.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place.
    pub(super) at: String,
    /// The batch; `None` if it cannot be read.
    pub(super) batch: Option<EventBatch>,
}

/// The identity of a batch, as keys and fields spell it.
pub(super) fn id_text(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

/// The word for an encoding; `None` for one that is unknown here.
pub(super) fn encoding_word(encoding: BatchEncoding) -> Option<&'static str> {
    match encoding {
        BatchEncoding::Identity => Some("identity"),
        BatchEncoding::Gzip => Some("gzip"),
        _ => None,
    }
}

/// Values of fields that a batch does not hold as bytes, for [`fields`].
pub(super) struct FieldTexts {
    pub(super) id: String,
    created: String,
    count: String,
    raw_len: String,
    metadata: Option<Vec<u8>>,
}

impl FieldTexts {
    pub(super) fn of(batch: &EventBatch) -> Self {
        Self {
            id: id_text(&batch.id),
            created: batch.created_ms.to_string(),
            count: batch.event_count.to_string(),
            raw_len: batch.raw_len.to_string(),
            metadata: batch.metadata.as_ref().map(|metadata| metadata.to_json()),
        }
    }

    /// Returns the bytes of the metadata.
    pub(super) fn metadata_len(&self) -> usize {
        self.metadata.as_ref().map_or(0, Vec::len)
    }
}

/// Returns names and values of the fields of a batch.
pub(super) fn fields<'a>(batch: &'a EventBatch, encoding: &'static str, texts: &'a FieldTexts) -> Vec<&'a [u8]> {
    let FieldTexts { id, created, count, raw_len, metadata } = texts;
    let mut fields: Vec<&[u8]> = vec![b"id", id.as_bytes(), b"t", created.as_bytes(), b"n", count.as_bytes()];
    fields.extend([b"enc", encoding.as_bytes(), b"raw", raw_len.as_bytes()]);
    fields.extend([&b"flush"[..], batch.flush_type.as_str().as_bytes(), b"body", &batch.body]);
    if let Some(metadata) = metadata {
        fields.extend([&b"sdk"[..], metadata]);
    }
    fields
}

/// Returns the cause of a batch by its protocol name; the usual one for an unknown name.
fn flush_type(name: &str) -> FlushType {
    use FlushType::{Limit, Manual, ScheduledFullBatch, ScheduledMaxTime, Shutdown};
    let all = [ScheduledMaxTime, ScheduledFullBatch, Limit, Manual, Shutdown];
    all.into_iter().find(|flush| flush.as_str() == name).unwrap_or_default()
}

/// Reads the answer of XREADGROUP for one stream.
pub(super) fn read_entries(answer: Value) -> Option<Vec<Entry>> {
    let streams = match answer {
        Value::Nil => return Some(Vec::new()),
        Value::Array(streams) => streams,
        _ => return None,
    };
    let mut entries = Vec::new();
    for stream in streams {
        let [_, list] = items(stream)?;
        entries.extend(entry_list(list)?);
    }
    Some(entries)
}

/// Reads the answer of XAUTOCLAIM: where to go on, and what was claimed.
pub(super) fn claimed_entries(answer: Value) -> Option<(String, Vec<Entry>)> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.into_iter();
    let cursor = text(parts.next()?)?;
    Some((cursor, entry_list(parts.next()?)?))
}

fn entry_list(list: Value) -> Option<Vec<Entry>> {
    let Value::Array(list) = list else { return None };
    // Before Redis 7 a claimed entry that was deleted is nil.
    list.into_iter().filter(|entry| !matches!(entry, Value::Nil)).map(entry).collect()
}

fn entry(entry: Value) -> Option<Entry> {
    let [at, fields] = items(entry)?;
    let fields = match fields {
        Value::Array(fields) => fields,
        _ => Vec::new(),
    };
    Some(Entry { at: text(at)?, batch: batch(fields) })
}

/// A batch from the names and values of its fields.
fn batch(fields: Vec<Value>) -> Option<EventBatch> {
    let (mut id, mut created, mut count, mut encoding, mut raw_len, mut body) = (None, None, None, None, None, None);
    let (mut flush, mut metadata) = (FlushType::default(), None);
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else { return None };
        if name == b"body" {
            body = Some(value);
            continue;
        }
        if name == b"sdk" {
            // Without it, the batch would be delivered under another identity.
            metadata = Some(Arc::new(SdkMetadata::from_json(&value)?));
            continue;
        }
        let value = String::from_utf8(value).ok()?;
        match name.as_slice() {
            b"id" if value.len() == 32 => id = u128::from_str_radix(&value, 16).ok(),
            b"t" => created = value.parse().ok(),
            b"n" => count = value.parse().ok(),
            b"flush" => flush = flush_type(&value),
            b"raw" => raw_len = value.parse().ok(),
            b"enc" => {
                encoding = match value.as_str() {
                    "identity" => Some(BatchEncoding::Identity),
                    "gzip" => Some(BatchEncoding::Gzip),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    let batch = EventBatch::new(id?.to_be_bytes(), created?, count?, body?, encoding?, raw_len?);
    Some(batch.with_flush_type(flush).with_metadata(metadata))
}

fn items<const N: usize>(value: Value) -> Option<[Value; N]> {
    match value {
        Value::Array(items) => items.try_into().ok(),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn fields(changed: &str, value: Option<&str>) -> Vec<Value> {
        let id = "0190000000007000800000000000000f";
        [("id", id), ("t", "-5"), ("n", "2"), ("enc", "gzip"), ("raw", "9"), ("body", "\u{1f}"), ("new", "?")]
            .into_iter()
            .filter_map(|(name, usual)| Some((name, if name == changed { value? } else { usual })))
            .flat_map(|(name, value)| [bulk(name), bulk(value)])
            .collect()
    }

    #[test]
    fn metadata_of_another_sdk_is_read_back() {
        let metadata = SdkMetadata::new().with_sdk_type("js").with_statsig_metadata("{\"a\":1}").unwrap();
        for metadata in [None, Some(Arc::new(metadata))] {
            let written = EventBatch::new([7; 16], 5, 1, *b"[1]", BatchEncoding::Identity, 3).with_metadata(metadata);
            let texts = FieldTexts::of(&written);
            let values = super::fields(&written, "identity", &texts).into_iter();
            let read = batch(values.map(|value| Value::BulkString(value.to_vec())).collect()).unwrap();
            assert_eq!((read.metadata, read.id), (written.metadata, written.id));
        }
        let unreadable = [fields("", None), vec![bulk("sdk"), bulk("[]")]].concat();
        assert!(batch(unreadable).is_none(), "it must not be delivered as another SDK");
    }

    #[test]
    fn batches_are_read_whole_or_not_at_all() {
        let read = batch(fields("", None)).unwrap();
        assert_eq!((id_text(&read.id), read.created_ms), ("0190000000007000800000000000000f".to_owned(), -5));
        assert_eq!((read.event_count, read.raw_len, &*read.body), (2, 9, &b"\x1f"[..]));
        assert_eq!((read.encoding, read.flush_type), (BatchEncoding::Gzip, FlushType::ScheduledMaxTime));
        for flush in [FlushType::Limit, FlushType::Shutdown, FlushType::Manual, FlushType::ScheduledFullBatch] {
            let named = [fields("", None), vec![bulk("flush"), bulk(flush.as_str())]].concat();
            assert_eq!(batch(named).map(|batch| batch.flush_type), Some(flush));
        }
        for (name, value) in [
            ("id", Some("0190")),
            ("id", Some("+19000000000700080000000000000zz")),
            ("n", Some("-1")),
            ("n", Some("99999999999")),
            ("enc", Some("br")),
            ("raw", Some("")),
            ("body", None),
            ("t", None),
        ] {
            assert!(batch(fields(name, value)).is_none(), "{name} {value:?}");
        }
    }

    #[test]
    fn unusual_answers_are_no_entries() {
        assert!(read_entries(Value::Nil).unwrap().is_empty());
        let entry = Value::Array(vec![bulk("1-1"), Value::Nil]);
        let claimed = Value::Array(vec![bulk("0-0"), Value::Array(vec![entry, Value::Nil])]);
        let (cursor, entries) = claimed_entries(claimed).unwrap();
        assert_eq!((cursor.as_str(), entries.len(), entries[0].batch.is_none()), ("0-0", 1, true));
        for answer in [Value::Okay, Value::Int(1), Value::Array(vec![Value::Nil])] {
            assert!(read_entries(answer.clone()).is_none() && claimed_entries(answer).is_none());
        }
    }
}
