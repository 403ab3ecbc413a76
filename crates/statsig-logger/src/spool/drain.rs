//! Reading: handing out batches, taking them back, settling them.

use std::io;

use uuid::Uuid;

use super::error::SpoolError;
use super::format::{Ack, OUTCOME_DAMAGED, OUTCOME_DROPPED, RECORD_HEADER_LEN, RecordHeader, body_sum};
use super::inner::{Inner, Lease};
use super::medium::is_medium_error;
use super::payload::batch_of;
use super::record::{AckOutcome, Settled, SpooledBatch};
use super::segment::{EntryState, SegmentKey};
use super::stats::DropCause;

/// Why a record cannot be handed out.
enum ReadProblem {
    /// It is not what was written.
    Corrupt,
    /// The file system failed.
    Io(SpoolError),
}

impl Inner {
    pub(super) fn next_batch(&mut self) -> Result<Option<SpooledBatch>, SpoolError> {
        self.check_usable()?;
        self.retry_unreadable();
        while let Some((key, index, created_ms)) = self.oldest_ready() {
            if self.is_outdated(key.instance, created_ms) {
                self.drop_entry(key, index, DropCause::MaxAge);
                continue;
            }
            match self.read_entry(key, index) {
                Ok(batch) if self.leases.contains_key(&batch.id) => {
                    // Appended twice under one id, against the rules. One of them is delivered.
                    self.drop_entry(key, index, DropCause::Duplicate);
                }
                Ok(batch) => {
                    self.set_readable(key, index);
                    if let Some(segment) = self.segment_mut(key) {
                        segment.set_state(index, EntryState::InFlight);
                    }
                    self.leases.insert(batch.id, Lease::Entry { key, index });
                    self.stats.in_flight.add(batch.event_count);
                    return Ok(Some(batch));
                }
                Err(ReadProblem::Corrupt) => {
                    self.stats.corrupt_records += 1;
                    self.keep_damaged_entry(key, index);
                    self.drop_entry(key, index, DropCause::Corrupt);
                }
                Err(ReadProblem::Io(error)) => {
                    self.reader = None;
                    self.stats.read_errors += 1;
                    if matches!(&error, SpoolError::Io { source, .. } if is_medium_error(source)) {
                        self.set_unreadable(key, index);
                    }
                    return Err(error);
                }
            }
        }
        Ok(self.next_in_limbo())
    }

    /// Returns the record to hand out next: the oldest of those at the head of an instance.
    pub(super) fn oldest_ready(&mut self) -> Option<(SegmentKey, usize, u64)> {
        let mut oldest: Option<(SegmentKey, usize, u64)> = None;
        for (&instance, content) in &mut self.instances {
            let head = content.segments.iter_mut().find(|(_, segment)| segment.has_ready());
            let Some((&seq, segment)) = head else {
                continue;
            };
            let Some(index) = segment.first_ready() else {
                continue;
            };
            let created_ms = segment.entry(index).map_or(0, |entry| entry.created_ms);
            // Ties go to the adopted instance: our own comes first in the map.
            if oldest.is_none_or(|(_, _, known)| created_ms <= known) {
                oldest = Some((SegmentKey { instance, seq }, index, created_ms));
            }
        }
        oldest
    }

    fn read_entry(&mut self, key: SegmentKey, index: usize) -> Result<SpooledBatch, ReadProblem> {
        let segment = self.segment(key).ok_or(ReadProblem::Corrupt)?;
        let entry = *segment.entry(index).ok_or(ReadProblem::Corrupt)?;
        let (path, salt) = (segment.path.clone(), segment.salt);
        let failed = |error: io::Error| match error.kind() {
            // Somebody deleted it; it will not come back.
            io::ErrorKind::NotFound => ReadProblem::Corrupt,
            _ => ReadProblem::Io(SpoolError::io("read", &path, error)),
        };
        if self.reader.as_ref().is_none_or(|(open, _)| *open != key) {
            self.reader = Some((key, self.fs.open(&path).map_err(failed)?));
        }
        let Some((_, file)) = self.reader.as_mut() else {
            return Err(ReadProblem::Corrupt);
        };
        let offset = u64::from(entry.offset);
        let mut head = [0; RECORD_HEADER_LEN];
        // The length was checked against the size of the file when the record was indexed.
        let mut body = vec![0; usize::try_from(entry.body_len).unwrap_or(0)];
        let head_len = file.read_at(offset, &mut head).map_err(failed)?;
        let body_at = offset + RECORD_HEADER_LEN as u64;
        let body_len = file.read_at(body_at, &mut body).map_err(failed)?;
        if head_len < head.len() || body_len < body.len() {
            return Err(ReadProblem::Corrupt);
        }
        let header = RecordHeader::decode(&head, salt).ok_or(ReadProblem::Corrupt)?;
        let same = header.body_len == entry.body_len
            && header.event_count == entry.event_count
            && header.body_sum == body_sum(&body);
        if !same {
            return Err(ReadProblem::Corrupt);
        }
        batch_of(&header, entry.attempts, body).ok_or(ReadProblem::Corrupt)
    }

    fn keep_damaged_entry(&mut self, key: SegmentKey, index: usize) {
        let Some(segment) = self.segment(key) else { return };
        let Some(entry) = segment.entry(index) else { return };
        let (path, start) = (segment.path.clone(), u64::from(entry.offset));
        let range = start..start + entry.record_len();
        // Without its file, there is nothing to keep.
        if self.fs.exists(&path).unwrap_or(false) {
            self.keep_damaged(key, &path, range);
        }
    }

    fn next_in_limbo(&mut self) -> Option<SpooledBatch> {
        let record = self.limbo.iter_mut().find(|record| !record.in_flight)?;
        let header = record.header;
        // Written by this process, so it can be read.
        let batch = batch_of(&header, record.attempts, record.body.clone())?;
        record.in_flight = true;
        self.leases.insert(header.id, Lease::Limbo);
        self.stats.in_flight.add(header.event_count);
        Some(batch)
    }

    /// Puts a batch in flight back to its place, with more attempts.
    pub(super) fn put_back(&mut self, id: Uuid, attempts: u16) -> Result<Settled, SpoolError> {
        self.check_usable()?;
        let lease = self.leases.remove(&id);
        let (events, settled) = match lease {
            None => return Err(SpoolError::NotInFlight { id }),
            Some(Lease::Entry { key, index }) => {
                let Some(segment) = self.segment_mut(key) else {
                    return Err(SpoolError::NotInFlight { id });
                };
                segment.set_state(index, EntryState::Ready);
                let events = segment.entry_mut(index).map_or(0, |entry| {
                    entry.attempts = entry.attempts.saturating_add(attempts);
                    entry.event_count
                });
                (events, Settled::Kept)
            }
            Some(Lease::Limbo) => {
                let record = self.limbo.iter_mut().find(|record| record.header.id == id);
                let events = record.map_or(0, |record| {
                    record.in_flight = false;
                    record.attempts = record.attempts.saturating_add(attempts);
                    record.header.event_count
                });
                (events, Settled::Kept)
            }
            Some(Lease::Evicted { events, cause }) => {
                self.stats.pending.remove(events);
                self.stats.dropped_by(cause).add(events);
                (events, Settled::Evicted)
            }
        };
        self.stats.in_flight.remove(events);
        Ok(settled)
    }

    pub(super) fn ack(&mut self, id: Uuid, outcome: AckOutcome) -> Result<Settled, SpoolError> {
        self.check_usable()?;
        let Some(&lease) = self.leases.get(&id) else {
            return Err(SpoolError::NotInFlight { id });
        };
        if outcome == AckOutcome::Replaced && self.syncs() {
            // Else a power failure could keep this note and lose the replacements. This may move
            // the batch itself, so its lease is looked up again.
            self.sync_records()?;
        }
        let lease = self.leases.get(&id).copied().unwrap_or(lease);
        if outcome == AckOutcome::Rejected {
            self.bury(id, lease);
        }
        self.leases.remove(&id);
        let (events, result) = match lease {
            Lease::Entry { key, index } => {
                let events =
                    self.segment(key).and_then(|segment| segment.entry(index)).map_or(0, |entry| entry.event_count);
                let written = self.settle(key, index, id, outcome.code());
                (events, written.map(|()| Settled::Kept))
            }
            Lease::Limbo => {
                let at = self.limbo.iter().position(|record| record.header.id == id);
                let record = at.map(|at| self.limbo.remove(at));
                let events = record.as_ref().map_or(0, |r| r.header.event_count);
                let mut written = Ok(());
                for (copy, offset) in record.into_iter().flat_map(|r| r.copies) {
                    written = written.and(self.settle_copy(copy, offset, id, outcome.code()));
                }
                (events, written.map(|()| Settled::Kept))
            }
            Lease::Evicted { events, .. } => (events, Ok(Settled::Evicted)),
        };
        self.stats.in_flight.remove(events);
        self.stats.pending.remove(events);
        match outcome {
            AckOutcome::Delivered => self.stats.delivered.add(events),
            AckOutcome::Rejected => self.stats.dead_lettered.add(events),
            AckOutcome::Discarded => self.stats.discarded.add(events),
            AckOutcome::Replaced => self.stats.replaced.add(events),
        }
        result
    }

    /// Writes a rejected batch to `dead/`, if it can still be read.
    fn bury(&mut self, id: Uuid, lease: Lease) {
        let batch = match lease {
            Lease::Entry { key, index } => self.read_entry(key, index).ok(),
            Lease::Limbo => {
                let record = self.limbo.iter().find(|record| record.header.id == id);
                record.and_then(|record| batch_of(&record.header, record.attempts, record.body.clone()))
            }
            Lease::Evicted { .. } => None,
        };
        let buried = batch.is_some_and(|batch| self.write_dead(&batch).is_ok());
        if !buried {
            self.stats.dead_write_errors += 1;
        }
    }

    /// Drops a record that waits, and counts it.
    pub(super) fn drop_entry(&mut self, key: SegmentKey, index: usize, cause: DropCause) {
        let events = self.segment(key).and_then(|segment| segment.entry(index)).map_or(0, |entry| entry.event_count);
        self.stats.pending.remove(events);
        self.stats.dropped_by(cause).add(events);
        // Without its id: another record of the same batch may still be wanted. A note that cannot
        // be written is tried again later.
        let outcome = if cause == DropCause::Corrupt { OUTCOME_DAMAGED } else { OUTCOME_DROPPED };
        let _ = self.settle(key, index, Uuid::nil(), outcome);
    }

    /// Notes that the bytes at an offset, which are no longer indexed, need no delivery.
    pub(super) fn settle_copy(
        &mut self,
        key: SegmentKey,
        offset: u32,
        id: Uuid,
        outcome: u8,
    ) -> Result<(), SpoolError> {
        let Some(segment) = self.segment_mut(key) else {
            return Ok(());
        };
        segment.push_ack(Ack { offset, id, outcome });
        self.write_acks(key)
    }

    /// Notes that a record needs no delivery, and deletes the segment if it was the last.
    fn settle(&mut self, key: SegmentKey, index: usize, id: Uuid, outcome: u8) -> Result<(), SpoolError> {
        let active = self.active() == Some(key);
        let Some(segment) = self.segment_mut(key) else {
            return Ok(());
        };
        let offset = segment.entry(index).map_or(0, |entry| entry.offset);
        segment.set_state(index, EntryState::Settled);
        segment.push_ack(Ack { offset, id, outcome });
        let spent = segment.is_spent() && !active;
        let written = self.write_acks(key);
        if spent && self.remove_segment(key).is_ok() {
            // Nothing is left that could be delivered again.
            return Ok(());
        }
        written
    }
}
