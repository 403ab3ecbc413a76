//! Cutting events into encoded batches.
//!
//! Each event is written to a buffer and from there into the compressor, so a batch never exists
//! uncompressed, and an event is turned into JSON once, whatever becomes of its batch.

mod gzip;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use statsig_background::UuidSequence;
use statsig_core::{BatchEncoding, EventBatch};

use self::gzip::Gzip;
use crate::body::{self, BodyError};
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// How batches are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Most events in a batch.
    pub(crate) events: usize,
    /// Most bytes of the array before compression.
    pub(crate) raw_bytes: usize,
    /// gzip level; 0 leaves batches as they are.
    pub(crate) level: u32,
}

/// A batch, and which of the events that it was cut from are in it: all in the range but those that
/// failed.
pub(crate) struct EncodedBatch {
    pub(crate) batch: EventBatch,
    pub(crate) places: Range<usize>,
}

/// What a number of events became.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) batches: Vec<EncodedBatch>,
    /// Places of the events that are in no batch, in order.
    pub(crate) failed: Vec<(usize, DropCause)>,
}

/// Encodes events in order. An event that alone is over the limit is failed as too large.
pub(crate) fn encode<E: QueuedEvent>(
    events: &[E],
    limits: &BatchLimits,
    ids: &UuidSequence,
    created_ms: i64,
) -> Encoded {
    let mut encoded = Encoded::default();
    let mut open = OpenBatch::new(0, limits.level);
    let mut text = Vec::with_capacity(1_024);
    for (place, event) in events.iter().enumerate() {
        text.clear();
        let written = catch_unwind(AssertUnwindSafe(|| event.write_json(&mut text))).is_ok();
        if !written || text.is_empty() {
            encoded.failed.push((place, DropCause::Unencodable));
            continue;
        }
        // The brackets.
        if text.len() + 2 > limits.raw_bytes {
            encoded.failed.push((place, DropCause::TooLarge));
            continue;
        }
        // A comma and the closing bracket.
        let full = open.raw_len + text.len() + 2 > limits.raw_bytes || open.events as usize >= limits.events;
        if full && open.events > 0 {
            let next = OpenBatch::new(place, limits.level);
            std::mem::replace(&mut open, next).finish(place, ids, created_ms, &mut encoded);
        }
        open.add(&text);
    }
    open.finish(events.len(), ids, created_ms, &mut encoded);
    encoded
}

/// Cuts a batch in two, the first half with the smaller number of events; both get new ids.
///
/// `Ok(None)` if there are not two events in it.
pub(crate) fn split(batch: &EventBatch, level: u32, ids: &UuidSequence) -> Result<Option<[EventBatch; 2]>, BodyError> {
    let raw = body::decoded(batch)?;
    let events = body::events(&raw)?;
    if events.len() != batch.event_count as usize {
        return Err(BodyError::Length);
    }
    if events.len() < 2 {
        return Ok(None);
    }
    let level = if batch.encoding == BatchEncoding::Identity { 0 } else { level.max(1) };
    let (first, second) = events.split_at(events.len() / 2);
    let half = |events: &[&serde_json::value::RawValue]| {
        let mut open = OpenBatch::new(0, level);
        for event in events {
            open.add(event.get().as_bytes());
        }
        open.close(ids, batch.created_ms).with_attempt(batch.attempt).with_metadata(batch.metadata.clone())
    };
    Ok(Some([half(first), half(second)]))
}

/// A batch that is being written.
struct OpenBatch {
    out: Output,
    events: u32,
    raw_len: usize,
    start: usize,
}

enum Output {
    Plain(Vec<u8>),
    Gzip(Box<Gzip>),
}

impl OpenBatch {
    fn new(start: usize, level: u32) -> Self {
        let out = match level {
            0 => Output::Plain(Vec::new()),
            level => Output::Gzip(Gzip::begin(level.min(9))),
        };
        Self { out, events: 0, raw_len: 1, start }
    }

    fn add(&mut self, text: &[u8]) {
        self.write(if self.events == 0 { b"[" } else { b"," });
        self.write(text);
        self.raw_len += text.len() + usize::from(self.events > 0);
        self.events += 1;
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.out {
            Output::Plain(out) => out.extend_from_slice(bytes),
            Output::Gzip(out) => out.write(bytes),
        }
    }

    fn finish(self, end: usize, ids: &UuidSequence, created_ms: i64, encoded: &mut Encoded) {
        if self.events > 0 {
            let places = self.start..end;
            encoded.batches.push(EncodedBatch { batch: self.close(ids, created_ms), places });
        }
    }

    fn close(mut self, ids: &UuidSequence, created_ms: i64) -> EventBatch {
        self.write(b"]");
        let (body, encoding): (Arc<[u8]>, _) = match self.out {
            Output::Plain(out) => (out.into(), BatchEncoding::Identity),
            Output::Gzip(out) => (out.finish(|body| body.into()), BatchEncoding::Gzip),
        };
        let id = ids.next(created_ms).into_bytes();
        EventBatch::new(id, created_ms, self.events, body, encoding, self.raw_len + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes so many letters as a JSON string; 0 panics.
    struct Letters(usize);

    impl QueuedEvent for Letters {
        fn is_exposure(&self) -> bool {
            true
        }
        fn cost_bytes(&self) -> usize {
            self.0
        }
        fn write_json(&self, out: &mut Vec<u8>) {
            out.push(b'"');
            assert!(self.0 > 0, "as the test wants it");
            out.extend(std::iter::repeat_n(b'x', self.0));
            out.push(b'"');
        }
    }

    fn texts(batch: &EventBatch) -> Vec<usize> {
        let raw = body::decoded(batch).unwrap();
        body::events(&raw).unwrap().iter().map(|event| event.get().len() - 2).collect()
    }

    #[test]
    fn cut_by_events_and_by_bytes_with_nothing_lost() {
        for level in [0, 6] {
            let limits = BatchLimits { events: 3, raw_bytes: 20, level };
            // 16 letters are 18 bytes and 20 with brackets; 17 are too many.
            let sizes = [1, 1, 1, 1, 16, 17, 7, 6, 0, 7, 7];
            let encoded = encode(&sizes.map(Letters), &limits, &UuidSequence::new(), 5);
            let cut: Vec<_> = encoded.batches.iter().map(|cut| (texts(&cut.batch), cut.places.clone())).collect();
            assert_eq!(
                cut,
                [
                    (vec![1; 3], 0..3),
                    (vec![1], 3..4),
                    (vec![16], 4..6),
                    (vec![7, 6], 6..9),
                    (vec![7], 9..10),
                    (vec![7], 10..11)
                ]
            );
            assert_eq!(encoded.failed, [(5, DropCause::TooLarge), (8, DropCause::Unencodable)]);
            for EncodedBatch { batch, .. } in &encoded.batches {
                assert!(batch.raw_len <= 20 && batch.created_ms == 5 && batch.attempt == 0);
                assert_eq!(batch.id[6] >> 4, 7, "a UUID version 7");
            }
        }
    }

    #[test]
    fn halves_hold_what_the_whole_held() {
        let ids = UuidSequence::new();
        for level in [0, 6] {
            let limits = BatchLimits { events: 9, raw_bytes: 1_000, level };
            let encoded = encode(&[1, 2, 3, 4, 5].map(Letters), &limits, &UuidSequence::new(), 5);
            let whole = encoded.batches[0].batch.clone().with_attempt(2);
            let [first, second] = split(&whole, 6, &ids).unwrap().unwrap();
            assert_eq!((texts(&first), texts(&second)), (vec![1, 2], vec![3, 4, 5]));
            assert_eq!((first.event_count, second.event_count, first.attempt, first.created_ms), (2, 3, 2, 5));
            assert!(first.id != second.id && first.id != whole.id && first.encoding == whole.encoding);
            assert_eq!(split(&split(&first, 6, &ids).unwrap().unwrap()[0], 6, &ids).unwrap().map(|_| ()), None);
        }
    }
}
