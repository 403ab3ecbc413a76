//! Appending: segments, records, and the byte bound before them.

use std::borrow::Cow;

use super::error::SpoolError;
use super::format::{RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader, body_sum};
use super::inner::{Inner, Lease, OWN, Writer};
use super::options::FsyncPolicy;
use super::payload::{payload_len, payload_of};
use super::record::{Durability, Receipt, SpoolRecord};
use super::segment::{Entry, EntryState, Segment, SegmentKey, segment_path};

impl Inner {
    pub(super) fn append(&mut self, record: &SpoolRecord<'_>, in_flight: bool) -> Result<Receipt, SpoolError> {
        self.check_usable()?;
        let (header, payload) = self.encode_record(record)?;
        if self.leases.contains_key(&record.id) {
            return Err(SpoolError::AlreadyInFlight { id: record.id });
        }
        self.rehome_limbo()?;
        self.prepare_segment(header.record_len())?;
        self.write_record(&header, &payload)?;
        let synced = self.sync_if_due();
        if let Err(error) = synced
            && self.options.fsync == FsyncPolicy::EveryBatch
        {
            self.withdraw_limbo();
            return Err(error);
        }
        self.stats.appended.add(record.event_count);
        self.stats.pending.add(record.event_count);
        if in_flight {
            self.lease_newest(record);
        }
        let unsynced = match &self.writer {
            Some(writer) => writer.len > writer.synced_len,
            None => true,
        };
        let durable = self.syncs() && !unsynced && self.limbo.is_empty();
        Ok(Receipt { id: record.id, durability: if durable { Durability::Synced } else { Durability::Written } })
    }

    /// Makes sure that there is an active segment.
    pub(super) fn probe(&mut self) -> Result<(), SpoolError> {
        self.check_usable()?;
        self.rehome_limbo()?;
        self.prepare_segment(0)
    }

    /// Returns header and payload of a record.
    fn encode_record<'a>(&self, record: &SpoolRecord<'a>) -> Result<(RecordHeader, Cow<'a, [u8]>), SpoolError> {
        let limit = self.options.max_body_bytes();
        let too_large = |len| SpoolError::TooLarge { id: record.id, len, limit };
        // Before anything is copied.
        if record.body.len() > limit {
            return Err(too_large(payload_len(record)));
        }
        let (kind, payload) = payload_of(record.body, record.metadata);
        if payload.len() > limit {
            return Err(too_large(payload.len()));
        }
        let header = RecordHeader {
            id: record.id,
            created_ms: record.created_ms,
            event_count: record.event_count,
            body_len: u32::try_from(payload.len()).map_err(|_| too_large(payload.len()))?,
            body_sum: body_sum(&payload),
            attempts: record.attempts,
            encoding: record.encoding.code(),
            kind,
        };
        Ok((header, payload))
    }

    /// Makes sure that there is an active segment with room for a record.
    fn prepare_segment(&mut self, record_len: u64) -> Result<(), SpoolError> {
        let full = self.writer.as_ref().is_some_and(|writer| writer.len + record_len > self.options.segment_bytes);
        if full {
            if self.syncs() {
                self.sync_active()?;
            }
            // A failed fsync has begun a new segment already.
            let still_full =
                self.writer.as_ref().is_some_and(|writer| writer.len + record_len > self.options.segment_bytes);
            if still_full {
                self.seal();
            }
        }
        self.make_room(record_len + SEGMENT_HEADER_LEN as u64)?;
        if self.writer.is_none() {
            self.begin_segment()?;
        }
        Ok(())
    }

    /// Closes the active segment; it is deleted if nothing in it is open.
    pub(super) fn seal(&mut self) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        let key = SegmentKey { instance: OWN, seq: writer.seq };
        let unsynced = writer.len > writer.synced_len;
        if let Some(segment) = self.segment_mut(key) {
            segment.unsynced = unsynced;
            if segment.is_spent() {
                // What cannot be deleted now is swept later.
                let _ = self.remove_segment(key);
            }
        }
    }

    /// Creates the next segment and makes it the active one.
    pub(super) fn begin_segment(&mut self) -> Result<(), SpoolError> {
        let dir = self.own_dir();
        let seq = self.next_seq;
        let path = segment_path(&dir, seq);
        let header = SegmentHeader {
            created_ms: self.clock.now_ms(),
            // The last 32 bits of a UUIDv7 are random.
            salt: statsig_background::new_uuid_v7(0).as_u64_pair().1 as u32,
        };
        let created = match self.fs.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Somebody has deleted the folder.
                self.check_files()?;
                self.fs.create(&path)
            }
            created => created,
        };
        let mut file = match created {
            Ok(file) => file,
            Err(error) => return Err(self.write_error("create", &path, error)),
        };
        // Whatever becomes of the file, its name is not used again.
        self.next_seq += 1;
        self.dirty_dirs.insert(dir);
        if let Err(error) = file.append(&header.encode()) {
            let _ = self.fs.remove_file(&path);
            return Err(self.write_error("write", &path, error));
        }
        if self.syncs()
            && let Err(error) = self.sync_dirs()
        {
            let _ = self.fs.remove_file(&path);
            return Err(error);
        }
        let len = SEGMENT_HEADER_LEN as u64;
        let segment = Segment::new(path, header.salt, header.created_ms, len);
        if let Some(own) = self.instances.get_mut(&OWN) {
            own.segments.insert(seq, segment);
        }
        self.writer = Some(Writer {
            seq,
            file,
            len,
            // The header is synced with the first records.
            synced_len: len,
            tail: Vec::new(),
        });
        Ok(())
    }

    /// Writes a record at the end of the active segment and indexes it.
    fn write_record(&mut self, header: &RecordHeader, body: &[u8]) -> Result<(), SpoolError> {
        let Some(key) = self.active() else {
            return Ok(());
        };
        let salt = self.segment(key).map_or(0, |segment| segment.salt);
        self.scratch.clear();
        self.scratch.extend_from_slice(&header.encode(salt));
        self.scratch.extend_from_slice(body);
        let keeps_tail = self.syncs();
        let Some(writer) = self.writer.as_mut() else {
            return Ok(());
        };
        let offset = writer.len;
        if let Err(error) = writer.file.append(&self.scratch) {
            return Err(self.abandon_write(error));
        }
        writer.len += self.scratch.len() as u64;
        if keeps_tail {
            writer.tail.extend_from_slice(&self.scratch);
        }
        let len = writer.len;
        if let Some(segment) = self.segment_mut(key) {
            segment.disk_len = len;
            segment.push(Entry {
                created_ms: header.created_ms,
                // Segments are at most 1 GiB long.
                offset: u32::try_from(offset).unwrap_or(u32::MAX),
                body_len: header.body_len,
                event_count: header.event_count,
                attempts: header.attempts,
                state: EntryState::Ready,
            });
        }
        Ok(())
    }

    /// Cuts off what a failed write may have left, and seals the segment.
    fn abandon_write(&mut self, source: std::io::Error) -> SpoolError {
        let Some(key) = self.active() else {
            return SpoolError::io("write", &self.own_dir(), source);
        };
        let path = self.segment(key).map_or_else(|| self.own_dir(), |segment| segment.path.clone());
        let error = self.write_error("write", &path, source);
        if let Some(writer) = self.writer.as_mut() {
            let len = writer.len;
            // If this fails too, recovery finds a record that is longer than the file, or one that
            // nobody was told of.
            let _ = writer.file.truncate(len);
        }
        if self.syncs() {
            // Earlier records wait for an fsync that a sealed segment would not get.
            let _ = self.sync_active();
        }
        self.seal_if_active(key);
        error
    }

    fn seal_if_active(&mut self, key: SegmentKey) {
        if self.active() == Some(key) {
            self.seal();
        }
    }

    /// Marks the batch appended last as in flight.
    fn lease_newest(&mut self, record: &SpoolRecord<'_>) {
        let lease = if let Some(newest) = self.limbo.last_mut() {
            newest.in_flight = true;
            Lease::Limbo
        } else {
            let Some(key) = self.active() else { return };
            let Some(segment) = self.segment_mut(key) else {
                return;
            };
            let Some(index) = segment.entries().len().checked_sub(1) else {
                return;
            };
            segment.set_state(index, EntryState::InFlight);
            Lease::Entry { key, index }
        };
        self.leases.insert(record.id, lease);
        self.stats.in_flight.add(record.event_count);
    }
}
