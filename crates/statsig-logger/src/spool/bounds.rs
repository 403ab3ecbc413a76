//! Bounds: deleting segments that are spent or in the way, and batches that are too old.

use std::io;

use uuid::Uuid;

use super::error::SpoolError;
use super::format::{Ack, OUTCOME_DROPPED};
use super::inner::{Inner, OWN};
use super::segment::{EntryState, SegmentKey};
use super::stats::DropCause;

impl Inner {
    /// Deletes oldest segments until `needed` more bytes are within the bound.
    pub(super) fn make_room(&mut self, needed: u64) -> Result<(), SpoolError> {
        while self.disk_bytes().saturating_add(needed) > self.options.max_bytes {
            let Some(key) = self.oldest_segment() else {
                break;
            };
            self.evict(key)?;
        }
        Ok(())
    }

    fn oldest_segment(&self) -> Option<SegmentKey> {
        // By number within an instance, whatever the clock did; by age between instances.
        self.instances
            .iter()
            .filter_map(|(&instance, content)| {
                let (&seq, segment) = content.segments.first_key_value()?;
                Some((segment.created_ms, SegmentKey { instance, seq }))
            })
            .min()
            .map(|(_, key)| key)
    }

    /// Deletes a segment and counts what was open in it.
    fn evict(&mut self, key: SegmentKey) -> Result<(), SpoolError> {
        if self.active() == Some(key) {
            self.seal();
        }
        let entries: Vec<_> = self.segment(key).map(|segment| segment.entries().to_vec()).unwrap_or_default();
        let removed = self.remove_segment(key);
        if self.segment(key).is_some() {
            return removed;
        }
        self.count_gone(key, &entries, DropCause::MaxBytes);
        Ok(())
    }

    /// Deletes the files of a segment and forgets it.
    ///
    /// The acknowledgements go last, and only once the segment is gone for good.
    ///
    /// # Errors
    /// If the segment could not be deleted: it stays. If its deletion could not be synced: it is
    /// forgotten, and its acknowledgements stay on disk.
    pub(super) fn remove_segment(&mut self, key: SegmentKey) -> Result<(), SpoolError> {
        let Some(segment) = self.segment(key) else {
            return Ok(());
        };
        let (path, ack_path) = (segment.path.clone(), segment.ack_path.clone());
        if self.reader.as_ref().is_some_and(|(open, _)| *open == key) {
            self.reader = None;
        }
        match self.fs.remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.write_error("delete", &path, error)),
        }
        if self.ack_writer.as_ref().is_some_and(|writer| writer.key == key) {
            self.ack_writer = None;
        }
        let dir = path.parent().map(std::path::Path::to_path_buf);
        self.dirty_dirs.extend(dir);
        if let Some(instance) = self.instances.get_mut(&key.instance) {
            instance.segments.remove(&key.seq);
        }
        let synced = if self.syncs() { self.sync_dirs() } else { Ok(()) };
        if synced.is_ok() {
            // A leftover is harmless; whoever adopts or closes the folder removes it.
            let _ = self.fs.remove_file(&ack_path);
        }
        self.remove_drained_instance(key.instance);
        synced
    }

    /// Deletes the folder of an adopted instance without segments.
    pub(super) fn remove_drained_instance(&mut self, instance: u32) {
        let Some(content) = self.instances.get(&instance) else {
            return;
        };
        let dir = content.dir.clone();
        // What is not ours to delete keeps the folder.
        if instance != OWN && content.segments.is_empty() && self.clear_acks(&dir).is_ok() {
            let _ = self.fs.remove_dir(&dir);
            self.dirty_dirs.remove(&dir);
            self.instances.remove(&instance);
        }
    }

    /// Deletes acknowledgement files whose segments are gone for good.
    ///
    /// # Errors
    /// If the deletion of the segments cannot be synced; then nothing is deleted.
    pub(super) fn clear_acks(&mut self, dir: &std::path::Path) -> Result<(), SpoolError> {
        if self.syncs() && self.dirty_dirs.contains(dir) {
            self.sync_dirs()?;
        }
        let items = self.fs.list(dir).unwrap_or_default();
        for item in &items {
            let Some(stem) = item.name.strip_suffix(".ack") else {
                continue;
            };
            // A segment that could not be read stays, and needs them.
            let segment = format!("{stem}.log");
            if !item.is_dir && items.iter().all(|other| other.name != segment) {
                let _ = self.fs.remove_file(&dir.join(&item.name));
            }
        }
        Ok(())
    }

    /// Drops all batches over the age limit that are not in flight.
    pub(super) fn expire(&mut self) {
        for key in self.segment_keys() {
            let outdated = self.segment(key).is_some_and(|segment| self.is_outdated(key.instance, segment.created_ms));
            if let Some(segment) = self.segment_mut(key).filter(|segment| outdated && segment.incomplete) {
                // What could not be read in all this time is over the limit as well.
                segment.incomplete = false;
            }
            let suspects = match self.segment(key) {
                Some(segment) if segment.has_open() => segment.min_created_ms,
                _ => continue,
            };
            if !self.is_outdated(key.instance, suspects) {
                continue;
            }
            let outdated: Vec<usize> = self
                .segment(key)
                .map(|segment| segment.entries())
                .unwrap_or_default()
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.state.is_waiting() && self.is_outdated(key.instance, entry.created_ms))
                .map(|(index, _)| index)
                .collect();
            self.expire_entries(key, &outdated);
        }
    }

    fn expire_entries(&mut self, key: SegmentKey, outdated: &[usize]) {
        let active = self.active() == Some(key);
        let Some(segment) = self.segment_mut(key) else {
            return;
        };
        let mut dropped = Vec::with_capacity(outdated.len());
        for &index in outdated {
            let Some(&entry) = segment.entry(index) else {
                continue;
            };
            segment.set_state(index, EntryState::Settled);
            segment.push_ack(Ack { offset: entry.offset, id: Uuid::nil(), outcome: OUTCOME_DROPPED });
            dropped.push(entry.event_count);
        }
        let spent = segment.is_spent() && !active;
        for events in dropped {
            self.stats.pending.remove(events);
            self.stats.dropped.max_age.add(events);
        }
        // What fails is tried again later; until then a restart would find them outdated again.
        if !spent || self.remove_segment(key).is_err() {
            let _ = self.write_acks(key);
        }
    }
}
