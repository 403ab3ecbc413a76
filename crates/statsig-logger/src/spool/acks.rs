//! Acknowledgement files: one beside each segment.

use super::error::SpoolError;
use super::inner::{AckWriter, Inner};
use super::options::FsyncPolicy;
use super::segment::{SegmentKey, whole_acks};

impl Inner {
    /// Writes the acknowledgements that a segment has not written yet.
    ///
    /// What cannot be written stays queued.
    pub(super) fn write_acks(&mut self, key: SegmentKey) -> Result<(), SpoolError> {
        let Some(segment) = self.segment(key) else {
            return Ok(());
        };
        if segment.backlog.is_empty() {
            return Ok(());
        }
        let path = segment.ack_path.clone();
        self.open_acks(key)?;
        let keeps_copy = self.syncs();
        let every_batch = self.options.fsync == FsyncPolicy::EveryBatch;
        let Some(segment) =
            self.instances.get_mut(&key.instance).and_then(|instance| instance.segments.get_mut(&key.seq))
        else {
            return Ok(());
        };
        let Some(writer) = self.ack_writer.as_mut() else {
            return Ok(());
        };
        if let Err(error) = writer.file.append(&segment.backlog) {
            // Part of it may be there. Opening again cuts off a torn end, and twice is harmless.
            self.close_acks();
            return Err(self.write_error("write", &path, error));
        }
        segment.ack_len += segment.backlog.len() as u64;
        if keeps_copy {
            writer.unsynced.append(&mut segment.backlog);
        } else {
            segment.backlog.clear();
        }
        if every_batch {
            self.sync_acks()?;
            self.sync_dirs()?;
        }
        Ok(())
    }

    /// Writes all queued acknowledgements, and syncs them if asked to.
    pub(super) fn persist_acks(&mut self, sync: bool) -> Result<(), SpoolError> {
        let mut result = Ok(());
        for key in self.segment_keys() {
            result = result.and(self.write_acks(key));
        }
        if sync {
            result = result.and(self.sync_acks());
        }
        result
    }

    /// Syncs the open acknowledgement file.
    pub(super) fn sync_acks(&mut self) -> Result<(), SpoolError> {
        let keeps_copy = self.syncs();
        let Some(mut writer) = self.ack_writer.take() else {
            return Ok(());
        };
        if keeps_copy && writer.unsynced.is_empty() {
            self.ack_writer = Some(writer);
            return Ok(());
        }
        let Err(error) = writer.file.sync() else {
            writer.unsynced.clear();
            self.ack_writer = Some(writer);
            return Ok(());
        };
        self.stats.failed_syncs += 1;
        let (path, ack_len) = self
            .segment(writer.key)
            .map_or_else(|| (self.own_dir(), 0), |segment| (segment.ack_path.clone(), segment.ack_len));
        // Written once more they are dirty again, so the next fsync is about them.
        let base = ack_len.saturating_sub(writer.unsynced.len() as u64);
        let rewritten = writer.file.rewrite(base, &writer.unsynced);
        self.ack_writer = Some(writer);
        if rewritten.is_err() {
            self.close_acks();
        }
        Err(SpoolError::sync(&path, error))
    }

    /// Opens the acknowledgement file of a segment, closing another.
    fn open_acks(&mut self, key: SegmentKey) -> Result<(), SpoolError> {
        if self.ack_writer.as_ref().is_some_and(|writer| writer.key == key) {
            return Ok(());
        }
        if self.ack_writer.as_ref().is_some_and(|writer| !writer.unsynced.is_empty()) {
            // On a failure the other segment has them queued again.
            self.sync_acks()?;
        }
        self.ack_writer = None;
        let Some(segment) = self.segment(key) else {
            return Ok(());
        };
        let path = segment.ack_path.clone();
        let mut file = match self.fs.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match self.fs.create(&path) {
                Ok(file) => {
                    let parent = path.parent().map(std::path::Path::to_path_buf);
                    self.dirty_dirs.extend(parent);
                    file
                }
                Err(error) => return Err(self.write_error("create", &path, error)),
            },
            Err(error) => return Err(self.write_error("open", &path, error)),
        };
        let checked = file.size().and_then(|len| {
            let whole = whole_acks(len);
            if whole < len {
                file.truncate(whole)?;
            }
            Ok(whole)
        });
        let len = match checked {
            Ok(len) => len,
            Err(error) => return Err(self.write_error("open", &path, error)),
        };
        if let Some(segment) = self.segment_mut(key) {
            segment.ack_len = len;
        }
        self.ack_writer = Some(AckWriter { key, file, unsynced: Vec::new() });
        Ok(())
    }

    /// Closes the acknowledgement file, queueing again what is not known to be on the disk.
    pub(super) fn close_acks(&mut self) {
        let Some(writer) = self.ack_writer.take() else {
            return;
        };
        if let Some(segment) = self.segment_mut(writer.key) {
            let mut queue = writer.unsynced;
            queue.append(&mut segment.backlog);
            segment.backlog = queue;
        }
    }
}
