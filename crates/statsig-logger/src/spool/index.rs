//! Indexing what was found in an adopted segment, and counting what is lost.

use std::collections::HashSet;
use std::path::PathBuf;

use uuid::Uuid;

use super::format::{Ack, OUTCOME_DAMAGED, RecordHeader};
use super::inner::Inner;
use super::recovery::{Acks, Scan};
use super::segment::{Entry, EntryState, Segment, SegmentKey};

impl Inner {
    /// Counts what of a segment is lost, keeps the damaged bytes, and cuts off a torn end.
    pub(super) fn index(
        &mut self,
        key: SegmentKey,
        scan: &Scan,
        path: PathBuf,
        acks: &Acks,
        known: &mut HashSet<Uuid>,
    ) -> Segment {
        let header = scan.segment;
        let mut segment = Segment::new(path, header.salt, header.created_ms, scan.file_len);
        segment.ack_len = acks.len;
        // Nobody knows how far its process had synced it.
        segment.unsynced = true;
        if scan.unreadable {
            self.stats.read_errors += 1;
            segment.incomplete = true;
        }
        // A note at the offset of a record says that it is settled. Damage without a header may be more than one.
        let is_new = |offset: u64, one_record: bool| {
            let noted = if one_record { &acks.offsets } else { &acks.damaged };
            !u32::try_from(offset).is_ok_and(|offset| noted.contains(&offset))
        };
        let mut damaged = scan.damaged_header && is_new(0, false);
        if damaged {
            segment.push_ack(damaged_at(0));
        }
        for damage in scan.damages.iter().filter(|damage| !damage.unreadable) {
            if !is_new(damage.range.start, damage.header.is_some()) {
                continue;
            }
            damaged = true;
            self.stats.corrupt_records += 1;
            self.keep_damaged(key, &segment.path, damage.range.clone());
            self.count_lost(damage.header, known);
            segment.push_ack(damaged_at(damage.range.start));
        }
        self.stats.corrupt_segments += u64::from(damaged);
        if let Some((offset, header)) = scan.torn
            && is_new(offset, header.is_some())
        {
            self.stats.truncated_tails += 1;
            self.count_lost(header, known);
            match self.fs.open(&segment.path).and_then(|mut file| file.truncate(offset)) {
                Ok(()) => segment.disk_len = offset,
                Err(_) => segment.push_ack(damaged_at(offset)),
            }
        }
        segment
    }

    /// Counts the events of a record that is there in part only, unless the batch is known otherwise.
    pub(super) fn count_lost(&mut self, header: Option<RecordHeader>, known: &mut HashSet<Uuid>) {
        if let Some(header) = header.filter(|header| known.insert(header.id)) {
            self.stats.recovered.add(header.event_count);
            self.stats.dropped.corrupt.add(header.event_count);
        }
    }

    pub(super) fn recover(&mut self, segment: &mut Segment, offset: u32, header: &RecordHeader, open: bool) {
        let state = if open {
            self.stats.recovered.add(header.event_count);
            self.stats.pending.add(header.event_count);
            EntryState::Ready
        } else {
            EntryState::Settled
        };
        segment.push(Entry {
            created_ms: self.believable(header.created_ms),
            offset,
            body_len: header.body_len,
            event_count: header.event_count,
            attempts: header.attempts,
            state,
        });
    }
}

/// The note that damage at an offset was counted.
fn damaged_at(offset: u64) -> Ack {
    // The length of a segment is limited.
    Ack { offset: u32::try_from(offset).unwrap_or(u32::MAX), id: Uuid::nil(), outcome: OUTCOME_DAMAGED }
}
