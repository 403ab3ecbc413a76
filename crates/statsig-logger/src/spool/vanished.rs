//! Files of the spool that somebody else has deleted while it was open.

use super::error::SpoolError;
use super::inner::{Inner, Lease};
use super::segment::SegmentKey;
use super::stats::DropCause;

impl Inner {
    /// Counts as lost what is in segments that are gone, and makes folder and lock again.
    ///
    /// # Errors
    /// If folder or lock cannot be made; what is lost is counted all the same.
    pub(super) fn check_files(&mut self) -> Result<(), SpoolError> {
        self.checked_files_ms = self.clock.monotonic_ms();
        for key in self.segment_keys() {
            let gone = self.segment(key).is_some_and(|segment| matches!(self.fs.exists(&segment.path), Ok(false)));
            if gone {
                self.forget_vanished(key);
            }
        }
        let dir = self.own_dir();
        if matches!(self.fs.exists(&dir), Ok(false)) {
            self.fs
                .ensure_dir(&dir)
                .and_then(|()| self.fs.make_private(&self.key_dir))
                .and_then(|()| self.fs.make_private(&dir))
                .map_err(|error| SpoolError::io("create", &dir, error))?;
            self.dirty_dirs.insert(self.key_dir.clone());
            self.dirty_dirs.insert(self.options.dir.clone());
        }
        let path = self.lock_path();
        if matches!(self.fs.exists(&path), Ok(false)) {
            // Without its file, the lock keeps nobody from adopting the folder.
            let lock = self.fs.try_lock(&path).map_err(|error| SpoolError::io("lock", &path, error))?;
            if let Some(lock) = lock {
                self.lock = Some(lock);
            }
        }
        Ok(())
    }

    fn forget_vanished(&mut self, key: SegmentKey) {
        if self.active() == Some(key) {
            self.writer = None;
        }
        if self.reader.as_ref().is_some_and(|(open, _)| *open == key) {
            self.reader = None;
        }
        if self.ack_writer.as_ref().is_some_and(|writer| writer.key == key) {
            self.ack_writer = None;
        }
        let segment = self.instances.get_mut(&key.instance).and_then(|instance| instance.segments.remove(&key.seq));
        let Some(segment) = segment else { return };
        let _ = self.fs.remove_file(&segment.ack_path);
        self.count_gone(key, segment.entries(), DropCause::Corrupt);
        if segment.has_open() {
            self.stats.corrupt_segments += 1;
            self.stats.corrupt_records +=
                segment.entries().iter().filter(|entry| entry.state.is_waiting()).count() as u64;
        }
        self.remove_drained_instance(key.instance);
    }

    /// Counts what was open in a segment that is gone. What is in flight is counted by how that ends.
    pub(super) fn count_gone(&mut self, key: SegmentKey, entries: &[super::segment::Entry], cause: DropCause) {
        for entry in entries.iter().filter(|entry| entry.state.is_waiting()) {
            self.stats.pending.remove(entry.event_count);
            self.stats.dropped_by(cause).add(entry.event_count);
        }
        for lease in self.leases.values_mut() {
            if let Lease::Entry { key: of, index } = *lease
                && of == key
            {
                let events = entries.get(index).map_or(0, |entry| entry.event_count);
                *lease = Lease::Evicted { events, cause };
            }
        }
    }
}
