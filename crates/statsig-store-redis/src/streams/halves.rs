//! A batch in two.

use std::borrow::Cow;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;
use statsig_adapters::{BatchEncoding, EventBatch};
use statsig_background::new_uuid_v7;

/// Longest array that is decoded, whatever the batch says.
const MOST_RAW_BYTES: usize = 256 << 20;

/// Cuts a batch in two, the first half with the smaller number of events; both get new ids. `None` if
/// it holds a single event, or is not what it says.
pub(super) fn halves(batch: &EventBatch) -> Option<[EventBatch; 2]> {
    if batch.event_count < 2 {
        return None;
    }
    let raw = decoded(batch)?;
    let events: Vec<&RawValue> = serde_json::from_slice(&raw).ok()?;
    if events.len() != batch.event_count as usize {
        return None;
    }
    let (first, second) = events.split_at(events.len() / 2);
    Some([half(batch, first)?, half(batch, second)?])
}

fn decoded(batch: &EventBatch) -> Option<Cow<'_, [u8]>> {
    match batch.encoding {
        BatchEncoding::Identity => Some(Cow::Borrowed(&batch.body)),
        BatchEncoding::Gzip if batch.raw_len <= MOST_RAW_BYTES => {
            let mut raw = Vec::new();
            MultiGzDecoder::new(&*batch.body).take(batch.raw_len as u64 + 1).read_to_end(&mut raw).ok()?;
            (raw.len() == batch.raw_len).then_some(Cow::Owned(raw))
        }
        _ => None,
    }
}

fn half(batch: &EventBatch, events: &[&RawValue]) -> Option<EventBatch> {
    let mut raw = Vec::new();
    for event in events {
        raw.push(if raw.is_empty() { b'[' } else { b',' });
        raw.extend_from_slice(event.get().as_bytes());
    }
    raw.push(b']');
    let raw_len = raw.len();
    let body = match batch.encoding {
        BatchEncoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&raw).ok()?;
            encoder.finish().ok()?
        }
        _ => raw,
    };
    let (id, count) = (new_uuid_v7(batch.created_ms).into_bytes(), u32::try_from(events.len()).ok()?);
    let half = EventBatch::new(id, batch.created_ms, count, body, batch.encoding, raw_len);
    Some(half.with_flush_type(batch.flush_type).with_metadata(batch.metadata.clone()))
}

#[cfg(test)]
mod tests {
    use statsig_adapters::FlushType;

    use super::*;

    fn batch(events: u32, body: &[u8], encoding: BatchEncoding) -> EventBatch {
        let raw_len = body.len();
        let body = match encoding {
            BatchEncoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            _ => body.to_vec(),
        };
        EventBatch::new([7; 16], 5, events, body, encoding, raw_len).with_flush_type(FlushType::Limit)
    }

    #[test]
    fn halves_hold_what_the_whole_held() {
        for encoding in [BatchEncoding::Identity, BatchEncoding::Gzip] {
            let whole = batch(3, br#"[{"a": 1.50}, "b" ,[ ]]"#, encoding);
            let parts = halves(&whole).unwrap();
            let texts = parts.each_ref().map(|part| String::from_utf8(decoded(part).unwrap().into_owned()).unwrap());
            assert_eq!(texts, [r#"[{"a": 1.50}]"#, r#"["b",[ ]]"#]);
            for (part, (count, text)) in parts.iter().zip([(1, &texts[0]), (2, &texts[1])]) {
                assert_eq!((part.event_count, part.raw_len, part.encoding), (count, text.len(), encoding));
                assert_eq!((part.created_ms, part.flush_type), (5, FlushType::Limit));
                assert!(part.id != whole.id);
            }
            assert!(parts[0].id != parts[1].id && halves(&parts[0]).is_none() && halves(&parts[1]).is_some());
        }
    }

    #[test]
    fn batches_that_are_not_what_they_say_stay_whole() {
        let mut lies = batch(2, b"[1,2]", BatchEncoding::Gzip);
        lies.raw_len = 4;
        assert!(halves(&lies).is_none());
        for (events, body) in [(1, "[1]"), (3, "[1,2]"), (2, "{}"), (2, "[1,2")] {
            assert!(halves(&batch(events, body.as_bytes(), BatchEncoding::Identity)).is_none(), "{body}");
        }
        let mut damaged = batch(2, b"[1,2]", BatchEncoding::Identity);
        damaged.encoding = BatchEncoding::Gzip;
        assert!(halves(&damaged).is_none());
    }
}
