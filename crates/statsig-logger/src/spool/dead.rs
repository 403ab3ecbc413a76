//! `dead/`: batches that the server refuses, kept for inspection within a byte bound.
//!
//! Each is a segment of its own with one record, so the tools that read segments read these. Damaged bytes of segments
//! are kept beside them, as they were found. The
//! folder is shared by the processes of a key: files are written whole and renamed into place, and
//! their names begin with a time, so that the oldest is the first.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::error::SpoolError;
use super::format::{RecordHeader, SegmentHeader, body_sum};
use super::inner::Inner;
use super::payload::payload_of;
use super::record::SpooledBatch;
use super::segment::SegmentKey;

/// Bytes copied at once.
const COPY_CHUNK: usize = 64 << 10;

/// Name of the folder.
pub(super) const DIR: &str = "dead";

impl Inner {
    pub(super) fn write_dead(&mut self, batch: &SpooledBatch) -> Result<(), SpoolError> {
        let (kind, payload) = payload_of(&batch.body, batch.metadata.as_deref());
        let header = RecordHeader {
            id: batch.id,
            created_ms: batch.created_ms,
            event_count: batch.event_count,
            body_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            body_sum: body_sum(&payload),
            attempts: batch.attempts,
            encoding: batch.encoding.code(),
            kind,
        };
        let created_ms = self.clock.now_ms();
        let salt = batch.id.as_u64_pair().1 as u32;
        let mut bytes = SegmentHeader { created_ms, salt }.encode().to_vec();
        bytes.extend_from_slice(&header.encode(salt));
        bytes.extend_from_slice(&payload);

        self.prepare_dead(bytes.len() as u64)?;
        let dir = self.dead_dir();
        let path = dir.join(format!("{:013}-{}.log", batch.created_ms, batch.id));
        let temporary = path.with_extension("tmp");
        // An earlier attempt may have left its beginning.
        let _ = self.fs.remove_file(&temporary);
        let written = self.fs.create(&temporary).and_then(|mut file| {
            file.append(&bytes)?;
            if self.syncs() {
                file.sync()?;
            }
            Ok(())
        });
        let renamed = written.and_then(|()| self.fs.rename(&temporary, &path));
        if let Err(error) = renamed {
            let _ = self.fs.remove_file(&temporary);
            return Err(self.write_error("write", &temporary, error));
        }
        self.dirty_dirs.insert(dir);
        if self.syncs() { self.sync_dirs() } else { Ok(()) }
    }

    /// Moves a segment without any intact record to `dead/`.
    pub(super) fn quarantine(&mut self, path: &Path, key: SegmentKey) -> Result<(), SpoolError> {
        let len = self.fs.open(path).and_then(|mut file| file.size());
        self.prepare_dead(len.map_err(|error| SpoolError::io("inspect", path, error))?)?;
        let name = format!("{:013}-corrupt-{}-{}-{}.log", self.clock.now_ms(), self.name, key.instance, key.seq);
        let target = self.dead_dir().join(name);
        self.fs.rename(path, &target).map_err(|error| SpoolError::io("move", path, error))
    }

    /// Copies damaged bytes of a segment to `dead/`, as many as fit there.
    ///
    /// The name says which place of which segment they come from.
    pub(super) fn keep_damaged(&mut self, key: SegmentKey, path: &Path, range: Range<u64>) {
        let len = (range.end - range.start).min(self.options.dead_max_bytes);
        if len == 0 {
            return;
        }
        let folder = self.instances.get(&key.instance).and_then(|instance| instance.dir.file_name());
        let folder = folder.unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{:013}-damaged-{folder}-{}-{}.bin", self.clock.now_ms(), key.seq, range.start);
        let target = self.dead_dir().join(name);
        let copied = self.prepare_dead(len).and_then(|()| {
            let copy = || -> io::Result<()> {
                let mut from = self.fs.open(path)?;
                let mut to = self.fs.create(&target)?;
                let mut chunk = vec![0; COPY_CHUNK];
                let mut at = range.start;
                while at < range.start + len {
                    let wanted = usize::try_from(range.start + len - at).unwrap_or(COPY_CHUNK).min(COPY_CHUNK);
                    let slot = chunk.get_mut(..wanted).unwrap_or_default();
                    let count = from.read_at(at, slot)?;
                    if count == 0 {
                        break;
                    }
                    to.append(slot.get(..count).unwrap_or_default())?;
                    at += count as u64;
                }
                Ok(())
            };
            copy().map_err(|error| self.write_error("write", &target, error))
        });
        if copied.is_err() {
            self.stats.dead_write_errors += 1;
        }
    }

    /// Makes room for a file in `dead/`, creating the folder if needed.
    fn prepare_dead(&mut self, needed: u64) -> Result<(), SpoolError> {
        let bound = self.options.dead_max_bytes;
        let dir = self.dead_dir();
        if needed > bound {
            let error = io::Error::new(io::ErrorKind::FileTooLarge, "over `dead_max_bytes`");
            return Err(SpoolError::io("write to", &dir, error));
        }
        self.fs
            .ensure_dir(&dir)
            .and_then(|()| self.fs.make_private(&dir))
            .map_err(|error| SpoolError::io("create", &dir, error))?;
        self.dirty_dirs.insert(self.key_dir.clone());
        let mut items = self.fs.list(&dir).map_err(|error| SpoolError::io("list", &dir, error))?;
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let mut total: u64 = items.iter().map(|item| item.len).sum();
        for item in items {
            if total.saturating_add(needed) <= bound {
                break;
            }
            let path = dir.join(&item.name);
            match self.fs.remove_file(&path) {
                Ok(()) => {}
                // Another process of this key was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(SpoolError::io("delete", &path, error)),
            }
            total -= item.len;
        }
        Ok(())
    }
}

/// Bytes of a file in `dead/` beyond the body of its batch.
#[cfg(test)]
pub(super) const OVERHEAD: usize = super::format::SEGMENT_HEADER_LEN + super::format::RECORD_HEADER_LEN;
