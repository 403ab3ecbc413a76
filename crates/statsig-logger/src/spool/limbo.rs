//! Limbo: records whose fsync failed, between the segment that cannot be trusted and the next.
//!
//! They come from the copy that is kept of unsynced data. They wait in memory, deliverable, until
//! they are written to a new segment and synced there; only then are their first bytes cut off.

use uuid::Uuid;

use super::error::SpoolError;
use super::format::{OUTCOME_DROPPED, RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN};
use super::inner::{Inner, Lease, LimboRecord};
use super::segment::{Entry, EntryState, SegmentKey};

impl Inner {
    /// Seals the active segment and takes what is not synced out of it into memory.
    pub(super) fn abandon_unsynced(&mut self, key: SegmentKey) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        self.reader = None;
        let Some(segment) = self.segment_mut(key) else {
            return;
        };
        let taken = segment.split_off(writer.synced_len);
        segment.held = true;
        let salt = segment.salt;
        self.holding = true;
        for (_, entry) in taken {
            if entry.state == EntryState::Settled {
                continue;
            }
            let start = u64::from(entry.offset) - writer.synced_len;
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let body_len = usize::try_from(entry.body_len).unwrap_or(usize::MAX);
            let copy = writer.tail.get(start..).unwrap_or_default();
            let header = copy.first_chunk::<RECORD_HEADER_LEN>().and_then(|bytes| RecordHeader::decode(bytes, salt));
            let body = copy.get(RECORD_HEADER_LEN..).and_then(|rest| rest.get(..body_len));
            // The copy is what was written, so both are there.
            let (Some(header), Some(body)) = (header, body) else {
                continue;
            };
            let in_flight = entry.state == EntryState::InFlight;
            if in_flight {
                self.leases.insert(header.id, Lease::Limbo);
            }
            self.limbo.push(LimboRecord {
                header,
                body: body.to_vec(),
                attempts: entry.attempts,
                in_flight,
                copies: vec![(key, entry.offset)],
            });
        }
    }

    /// Writes records that wait in memory at the start of a new segment and syncs them.
    ///
    /// Until that has worked, they stay in memory.
    pub(super) fn rehome_limbo(&mut self) -> Result<(), SpoolError> {
        if self.limbo.is_empty() {
            self.release_held();
            return Ok(());
        }
        self.seal();
        self.begin_segment()?;
        let Some(key) = self.active() else {
            return Ok(());
        };
        let salt = self.segment(key).map_or(0, |segment| segment.salt);
        let (bytes, entries) = self.encode_limbo(salt);
        if let Err(error) = self.write_synced(key, &bytes) {
            self.abandon_rehoming(key, &entries);
            return Err(error);
        }
        for (id, entry) in entries {
            let Some(segment) = self.segment_mut(key) else {
                break;
            };
            let index = segment.push(entry);
            if entry.state == EntryState::InFlight {
                self.leases.insert(id, Lease::Entry { key, index });
            }
        }
        let moved: Vec<_> = self.limbo.drain(..).flat_map(|r| r.copies).collect();
        self.release_held();
        for (copy, offset) in moved {
            // Where it could not be cut off. Without its id: the batch is wanted.
            let left = self.segment(copy).is_some_and(|segment| segment.disk_len > u64::from(offset));
            if left {
                let _ = self.settle_copy(copy, offset, Uuid::nil(), OUTCOME_DROPPED);
            }
        }
        Ok(())
    }

    /// Encodes what waits, for the start of a segment of this salt, with its future entries.
    fn encode_limbo(&self, salt: u32) -> (Vec<u8>, Vec<(Uuid, Entry)>) {
        let mut bytes = Vec::new();
        let mut entries = Vec::with_capacity(self.limbo.len());
        for record in &self.limbo {
            let offset = SEGMENT_HEADER_LEN + bytes.len();
            bytes.extend_from_slice(&record.header.encode(salt));
            bytes.extend_from_slice(&record.body);
            let entry = Entry {
                created_ms: record.header.created_ms,
                offset: u32::try_from(offset).unwrap_or(u32::MAX),
                body_len: record.header.body_len,
                event_count: record.header.event_count,
                attempts: record.attempts,
                state: if record.in_flight { EntryState::InFlight } else { EntryState::Ready },
            };
            entries.push((record.header.id, entry));
        }
        (bytes, entries)
    }

    /// Deletes a segment that could not be synced either, or notes what may be left in it.
    fn abandon_rehoming(&mut self, key: SegmentKey, entries: &[(Uuid, Entry)]) {
        let header_len = SEGMENT_HEADER_LEN as u64;
        let cut = self.writer.take().is_some_and(|mut writer| writer.file.truncate(header_len).is_ok());
        let _ = self.remove_segment(key);
        if let Some(segment) = self.segment_mut(key) {
            if cut {
                segment.disk_len = header_len;
            } else {
                for (record, (_, entry)) in self.limbo.iter_mut().zip(entries) {
                    record.copies.push((key, entry.offset));
                }
            }
        }
    }

    /// Writes bytes at the start of the active segment and syncs the file.
    fn write_synced(&mut self, key: SegmentKey, bytes: &[u8]) -> Result<(), SpoolError> {
        let path = self.segment(key).map_or_else(|| self.own_dir(), |segment| segment.path.clone());
        let Some(writer) = self.writer.as_mut() else {
            return Ok(());
        };
        if let Err(error) = writer.file.append(bytes) {
            return Err(self.write_error("write", &path, error));
        }
        writer.len += bytes.len() as u64;
        let synced = writer.file.sync();
        writer.synced_len = writer.len;
        let len = writer.len;
        if let Some(segment) = self.segment_mut(key) {
            segment.disk_len = len;
        }
        if let Err(error) = synced {
            self.stats.failed_syncs += 1;
            return Err(SpoolError::sync(&path, error));
        }
        Ok(())
    }

    /// Gives up the record whose fsync failed: its caller still has it.
    pub(super) fn withdraw_limbo(&mut self) {
        self.limbo.clear();
        self.release_held();
    }

    /// Cuts from sealed segments what has found a place elsewhere.
    fn release_held(&mut self) {
        if !std::mem::take(&mut self.holding) {
            return;
        }
        for key in self.segment_keys() {
            let Some(segment) = self.segment_mut(key) else {
                continue;
            };
            if !segment.held {
                continue;
            }
            segment.held = false;
            let len = segment
                .entries()
                .last()
                .map_or(SEGMENT_HEADER_LEN as u64, |entry| u64::from(entry.offset) + entry.record_len());
            let (path, spent) = (segment.path.clone(), segment.is_spent());
            if spent {
                let _ = self.remove_segment(key);
            } else if let Ok(mut file) = self.fs.open(&path)
                && file.truncate(len).is_ok()
                && let Some(segment) = self.segment_mut(key)
            {
                segment.disk_len = len;
            }
        }
    }
}
