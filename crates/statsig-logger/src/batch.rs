//! Cutting events into encoded batches.
//!
//! Each event is written to a buffer and from there into the compressor, so a batch never exists
//! uncompressed, and an event is turned into JSON once, whatever becomes of its batch.

mod gzip;

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use statsig_background::UuidSequence;
use statsig_core::{BatchEncoding, EventBatch, SdkMetadata};

use self::gzip::Gzip;
use crate::body::{self, BodyError};
use crate::event::QueuedEvent;
use crate::ledger::DropCause;

/// Limits of the batches that are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Most events in a batch.
    pub(crate) events: usize,
    /// Most bytes of the array before compression.
    pub(crate) raw_bytes: usize,
    /// gzip level; 0 leaves batches as they are.
    pub(crate) level: u32,
}

/// A batch, and the places of its events among those that it was cut from.
pub(crate) struct EncodedBatch {
    pub(crate) batch: EventBatch,
    pub(crate) places: Places,
}

/// Places of events in increasing order, as ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places(Vec<Range<usize>>);

impl Places {
    /// Adds a place behind the others.
    fn push(&mut self, place: usize) {
        match self.0.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => self.0.push(place..place + 1),
        }
    }

    /// Returns the number of places before another one.
    pub(crate) fn count_before(&self, end: usize) -> usize {
        self.0.iter().map(|range| range.end.min(end).saturating_sub(range.start)).sum()
    }
}

/// Result of encoding a number of events.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) batches: Vec<EncodedBatch>,
    /// Places of the events that are in no batch, in order.
    pub(crate) failed: Vec<(usize, DropCause)>,
}

/// Encodes events: in order, apart for each metadata of an SDK. An event that alone is over the limit is failed as too
/// large.
pub(crate) fn encode<E: QueuedEvent>(
    events: &[E],
    limits: &BatchLimits,
    ids: &UuidSequence,
    created_ms: i64,
) -> Encoded {
    let mut encoder =
        Encoder { events, limits, ids, created_ms, text: Vec::with_capacity(1_024), encoded: Encoded::default() };
    if events.iter().all(|event| event.sdk_metadata().is_none()) {
        encoder.encode(0..events.len(), None);
    } else {
        for (metadata, places) in groups(events) {
            encoder.encode(places.into_iter(), metadata);
        }
        // Batches in the order of their groups, failures in the order of events.
        encoder.encoded.failed.sort_unstable_by_key(|(place, _)| *place);
    }
    encoder.encoded
}

/// Events of one metadata, by their places.
type Group<'e> = (Option<&'e Arc<SdkMetadata>>, Vec<usize>);

/// Groups events by equal metadata, in the order of the first event of each.
fn groups<E: QueuedEvent>(events: &[E]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Option<&SdkMetadata>, usize> = HashMap::new();
    let mut last: Option<(*const SdkMetadata, usize)> = None;
    for (place, event) in events.iter().enumerate() {
        let metadata = event.sdk_metadata();
        let pointer = metadata.map_or(std::ptr::null(), Arc::as_ptr);
        // Events of one request share their metadata, and follow each other.
        let group = match last {
            Some((same, group)) if same == pointer => group,
            _ => *known.entry(metadata.map(|metadata| &**metadata)).or_insert(groups.len()),
        };
        last = Some((pointer, group));
        match groups.get_mut(group) {
            Some((_, places)) => places.push(place),
            None => groups.push((metadata, vec![place])),
        }
    }
    groups
}

struct Encoder<'a, E> {
    events: &'a [E],
    limits: &'a BatchLimits,
    ids: &'a UuidSequence,
    created_ms: i64,
    /// The event that is being written.
    text: Vec<u8>,
    encoded: Encoded,
}

impl<E: QueuedEvent> Encoder<'_, E> {
    /// Encodes the events at some places, which have the same metadata.
    fn encode(&mut self, places: impl Iterator<Item = usize>, metadata: Option<&Arc<SdkMetadata>>) {
        // Metadata is sent and stored with the events.
        let around = metadata.map_or(0, |metadata| metadata.to_json().len());
        let most_bytes = self.limits.raw_bytes.saturating_sub(around);
        let mut open: Option<OpenBatch> = None;
        for place in places {
            let Some(event) = self.events.get(place) else { continue };
            self.text.clear();
            let written = catch_unwind(AssertUnwindSafe(|| event.write_json(&mut self.text))).is_ok();
            if !written || self.text.is_empty() {
                self.encoded.failed.push((place, DropCause::Unencodable));
                continue;
            }
            // The brackets.
            if self.text.len() + 2 > most_bytes {
                self.encoded.failed.push((place, DropCause::TooLarge));
                continue;
            }
            // A comma and the closing bracket.
            let is_full = |open: &OpenBatch| {
                open.raw_len + self.text.len() + 2 > most_bytes || open.events as usize >= self.limits.events
            };
            if let Some(full) = open.take_if(|open| is_full(open)) {
                self.finish(full, metadata);
            }
            open.get_or_insert_with(|| OpenBatch::new(self.limits.level)).add(&self.text, place);
        }
        if let Some(last) = open {
            self.finish(last, metadata);
        }
    }

    fn finish(&mut self, mut open: OpenBatch, metadata: Option<&Arc<SdkMetadata>>) {
        let places = std::mem::take(&mut open.places);
        let batch = open.close(self.ids, self.created_ms).with_metadata(metadata.cloned());
        self.encoded.batches.push(EncodedBatch { batch, places });
    }
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
        let mut open = OpenBatch::new(level);
        for (place, event) in events.iter().enumerate() {
            open.add(event.get().as_bytes(), place);
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
    places: Places,
}

enum Output {
    Plain(Vec<u8>),
    Gzip(Box<Gzip>),
}

impl OpenBatch {
    fn new(level: u32) -> Self {
        let out = match level {
            0 => Output::Plain(Vec::new()),
            level => Output::Gzip(Gzip::begin(level.min(9))),
        };
        Self { out, events: 0, raw_len: 1, places: Places::default() }
    }

    fn add(&mut self, text: &[u8], place: usize) {
        self.places.push(place);
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

    /// The range of places without a gap.
    fn one_range(places: &Places) -> Range<usize> {
        let [range] = &places.0[..] else { panic!("{places:?}") };
        range.clone()
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
            let cut: Vec<_> = encoded.batches.iter().map(|cut| (texts(&cut.batch), one_range(&cut.places))).collect();
            assert_eq!(
                cut,
                [
                    (vec![1; 3], 0..3),
                    (vec![1], 3..4),
                    (vec![16], 4..5),
                    (vec![7, 6], 6..8),
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

    /// Events of two SDKs in turn, each with metadata of its own in memory.
    struct Foreign(usize, Arc<SdkMetadata>);

    impl QueuedEvent for Foreign {
        fn is_exposure(&self) -> bool {
            false
        }
        fn cost_bytes(&self) -> usize {
            self.0
        }
        fn sdk_metadata(&self) -> Option<&Arc<SdkMetadata>> {
            Some(&self.1)
        }
        fn write_json(&self, out: &mut Vec<u8>) {
            Letters(self.0).write_json(out);
        }
    }

    #[test]
    fn events_are_grouped_by_equal_metadata() {
        let sdk = |of: usize| Arc::new(SdkMetadata::new().with_sdk_type(of.to_string()));
        let events: Vec<_> = [1, 2, 3, 4, 5, 500, 7].iter().map(|&at| Foreign(at, sdk(at % 2))).collect();
        let limits = BatchLimits { events: 3, raw_bytes: 100, level: 0 };
        let encoded = encode(&events, &limits, &UuidSequence::new(), 5);
        let cut: Vec<_> = encoded
            .batches
            .iter()
            .map(|cut| {
                let sdk = cut.batch.metadata.as_ref().and_then(|metadata| metadata.sdk_type().map(str::to_owned));
                (sdk.unwrap(), texts(&cut.batch), (cut.places.count_before(4), cut.places.count_before(7)))
            })
            .collect();
        let expected = [("1", vec![1, 3, 5], (2, 3)), ("1", vec![7], (0, 1)), ("0", vec![2, 4], (2, 2))];
        assert_eq!(cut, expected.map(|(sdk, texts, counts)| (sdk.to_owned(), texts, counts)));
        assert_eq!(encoded.failed, [(5, DropCause::TooLarge)]);
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
