//! Taking over what dead processes left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::SpoolError;
use super::format::{Ack, OUTCOME_DAMAGED, RecordHeader};
use super::inner::{Inner, Instance, lock_path};
use super::medium::is_medium_error;
use super::recovery::{Acks, Scan, Unscannable, read_acks, scan_segment};
use super::segment::{Entry, EntryState, Segment, SegmentKey, segment_path, segment_seq};

/// Beginning of the name of an adopted folder; the name of the instance follows.
const ADOPTED: &str = "adopted-";
const LOCK_SUFFIX: &str = ".lock";

impl Inner {
    /// Adopts every instance of this key whose lock can be taken.
    ///
    /// # Errors
    /// The first failure; the other instances have been looked at all the same.
    pub(super) fn adopt_orphans(&mut self) -> Result<(), SpoolError> {
        self.last_adoption_ms = self.clock.now_ms();
        let mut result = self.read_unread();
        let key_dir = self.key_dir.clone();
        let items = self.fs.list(&key_dir).map_err(|error| SpoolError::io("list", &key_dir, error))?;
        let mut names: Vec<&str> = items
            .iter()
            .filter(|item| item.is_dir)
            .map(|item| item.name.as_str())
            .filter(|name| is_instance(name) && *name != self.name)
            .collect();
        // By age, as the names are UUIDv7.
        names.sort_unstable();
        if !names.is_empty() {
            // What is durable must not be moved to a folder that is not.
            self.fs.sync_dir(&key_dir).map_err(|error| {
                self.stats.failed_syncs += 1;
                SpoolError::sync(&key_dir, error)
            })?;
        }
        for name in &names {
            result = result.and(self.adopt(name));
        }
        for item in &items {
            let lone = item
                .name
                .strip_suffix(LOCK_SUFFIX)
                .filter(|name| is_instance(name) && *name != self.name && !names.contains(name));
            if let Some(name) = lone {
                self.remove_lone_lock(name);
            }
        }
        self.expire();
        result
    }

    /// Removes the lock file of an instance that was never completed or is already gone.
    fn remove_lone_lock(&self, name: &str) {
        let path = lock_path(&self.key_dir, name);
        if let Ok(Some(_lock)) = self.fs.try_lock(&path)
            && let Ok(false) = self.fs.exists(&self.key_dir.join(name))
        {
            let _ = self.fs.remove_file(&path);
        }
    }

    fn adopt(&mut self, name: &str) -> Result<(), SpoolError> {
        let path = lock_path(&self.key_dir, name);
        let dir = self.key_dir.join(name);
        let lock = self.fs.try_lock(&path).map_err(|error| SpoolError::io("lock", &path, error))?;
        // Held to the end of this function; the lock file goes before it does.
        let Some(_lock) = lock else {
            return Ok(());
        };
        let result = match self.fs.list(&dir) {
            // Another process has adopted it since we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(SpoolError::io("list", &dir, error)),
            Ok(items) => {
                let mut result = Ok(());
                for item in items {
                    // First what it had adopted itself, so that nothing is nested deeper.
                    if item.is_dir && item.name.starts_with(ADOPTED) {
                        result = result.and(self.move_in(&dir.join(&item.name), &item.name));
                    }
                }
                result.and_then(|()| self.move_in(&dir, &format!("{ADOPTED}{name}")))
            }
        };
        if result.is_ok() {
            let _ = self.fs.remove_file(&path);
        }
        result
    }

    /// Moves a folder below ours, with one rename, and reads what is in it.
    fn move_in(&mut self, from: &Path, name: &str) -> Result<(), SpoolError> {
        let to = self.own_dir().join(name);
        self.fs.rename(from, &to).map_err(|error| SpoolError::io("adopt", from, error))?;
        self.dirty_dirs.insert(self.own_dir());
        self.dirty_dirs.insert(self.key_dir.clone());
        // Its process may have died before it had synced the names of its files.
        self.dirty_dirs.insert(to.clone());
        self.stats.adopted_instances += 1;
        self.read_instance(to)
    }

    /// Reads the segments of a folder and queues what is not settled.
    fn read_instance(&mut self, dir: PathBuf) -> Result<(), SpoolError> {
        let items = match self.fs.list(&dir) {
            Ok(items) => items,
            Err(error) => {
                self.unread.insert(dir.clone(), None);
                return Err(SpoolError::io("list", &dir, error));
            }
        };
        let seqs = items.iter().filter(|item| !item.is_dir).filter_map(|item| segment_seq(&item.name)).collect();
        self.read_segments(dir, seqs);
        Ok(())
    }

    /// Reads what could not be read when it was adopted.
    pub(super) fn read_unread(&mut self) -> Result<(), SpoolError> {
        let mut result = Ok(());
        for (dir, seqs) in std::mem::take(&mut self.unread) {
            match seqs {
                Some(seqs) => self.read_segments(dir, seqs),
                None => result = result.and(self.read_instance(dir)),
            }
        }
        result
    }

    /// Reads segments of a folder, in order, as an instance of their own.
    fn read_segments(&mut self, dir: PathBuf, seqs: BTreeSet<u64>) {
        let instance = self.next_instance;
        self.next_instance += 1;
        let content = Instance { dir: dir.clone(), segments: BTreeMap::new() };
        self.instances.insert(instance, content);

        // Settled or seen.
        let mut known = HashSet::new();
        let mut scans = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let path = segment_path(&dir, seq);
            let acks = match read_acks(&*self.fs, &path.with_extension("ack"), &mut known) {
                Ok(acks) => Some(acks),
                Err(error) if is_medium_error(&error) => {
                    // To deliver twice is better than never.
                    self.stats.read_errors += 1;
                    Some(Acks::default())
                }
                Err(_) => None,
            };
            let scan = match &acks {
                Some(_) => scan_segment(&*self.fs, &path),
                None => Err(Unscannable::Unreadable),
            };
            scans.push((seq, path, acks.unwrap_or_default(), scan));
        }
        // A batch may be in two segments, if it had to be moved after a failed fsync. Only the
        // later one is known to be good.
        let mut open = BTreeSet::new();
        for (seq, _, acks, scan) in scans.iter().rev() {
            for found in scan.iter().flat_map(|scan| scan.records.iter().rev()) {
                let last = known.insert(found.header.id);
                if last && !acks.offsets.contains(&found.offset) {
                    open.insert((*seq, found.offset));
                }
            }
        }
        for (seq, path, acks, scan) in scans {
            let key = SegmentKey { instance, seq };
            match scan {
                Ok(scan) => {
                    let mut segment = self.index(key, &scan, path, &acks, &mut known);
                    for found in &scan.records {
                        let open = open.contains(&(seq, found.offset));
                        self.recover(&mut segment, found.offset, &found.header, open);
                    }
                    if let Some(content) = self.instances.get_mut(&instance) {
                        content.segments.insert(seq, segment);
                    }
                }
                Err(problem) => self.set_aside(key, &dir, &path, problem),
            }
        }
        self.remove_spent(instance);
        self.remove_drained_instance(instance);
    }

    /// Counts what of a segment is lost, keeps the damaged bytes, and cuts off a torn end.
    fn index(
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
    fn count_lost(&mut self, header: Option<RecordHeader>, known: &mut HashSet<Uuid>) {
        if let Some(header) = header.filter(|header| known.insert(header.id)) {
            self.stats.recovered.add(header.event_count);
            self.stats.dropped.corrupt.add(header.event_count);
        }
    }

    fn recover(&mut self, segment: &mut Segment, offset: u32, header: &RecordHeader, open: bool) {
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

    /// Deletes the segments of an instance in which nothing is open.
    fn remove_spent(&mut self, instance: u32) {
        for key in self.segment_keys() {
            let spent = self.segment(key).is_some_and(Segment::is_spent);
            if key.instance == instance && spent {
                // What cannot be deleted now is swept later.
                let _ = self.remove_segment(key);
            }
        }
    }

    /// Deals with a segment of which nothing can be used, now or ever.
    fn set_aside(&mut self, key: SegmentKey, dir: &Path, path: &Path, problem: Unscannable) {
        match problem {
            Unscannable::Empty => {
                // The process ended while it created the segment. Nothing was in it.
                self.stats.truncated_tails += 1;
                let _ = self.fs.remove_file(path);
            }
            Unscannable::Damaged => {
                self.stats.corrupt_segments += 1;
                self.stats.corrupt_records += 1;
                if self.quarantine(path, key).is_err() {
                    // Without a place to keep it, it would only take up room.
                    let _ = self.fs.remove_file(path);
                }
            }
            Unscannable::UnknownFormat => self.stats.foreign_segments += 1,
            Unscannable::Unreadable => {
                self.stats.read_errors += 1;
                let seqs = self.unread.entry(dir.to_path_buf()).or_insert_with(|| Some(BTreeSet::new()));
                seqs.get_or_insert_default().insert(key.seq);
            }
            Unscannable::Gone => {}
        }
    }
}

/// The note that damage at an offset was counted.
fn damaged_at(offset: u64) -> Ack {
    // The length of a segment is limited.
    Ack { offset: u32::try_from(offset).unwrap_or(u32::MAX), id: Uuid::nil(), outcome: OUTCOME_DAMAGED }
}

/// Says whether this is the name of an instance.
fn is_instance(name: &str) -> bool {
    name.len() == 36 && Uuid::try_parse(name).is_ok()
}
