//! Taking over what dead processes left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::SpoolError;
use super::inner::{Inner, Instance, lock_path};
use super::recovery::{Acks, Scan, ScanEnd, Unscannable, read_acks, scan_segment};
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
        let mut result = Ok(());
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
        let items = self.fs.list(&dir).map_err(|error| SpoolError::io("list", &dir, error))?;
        let mut seqs: Vec<(u64, u64)> = items
            .iter()
            .filter(|item| !item.is_dir)
            .filter_map(|item| Some((segment_seq(&item.name)?, item.len)))
            .collect();
        seqs.sort_unstable();

        let instance = self.next_instance;
        self.next_instance += 1;
        let content = Instance { dir: dir.clone(), segments: BTreeMap::new() };
        self.instances.insert(instance, content);

        // Settled or seen.
        let mut known = HashSet::new();
        let mut scans = Vec::with_capacity(seqs.len());
        for (seq, len) in seqs {
            let path = segment_path(&dir, seq);
            let acks = match read_acks(&*self.fs, &path.with_extension("ack"), &mut known) {
                Ok(acks) => acks,
                Err(_) => {
                    self.stats.read_errors += 1;
                    Acks::default()
                }
            };
            let scan = scan_segment(&*self.fs, &path);
            scans.push((seq, len, path, acks, scan));
        }
        // A batch may be in two segments, if it had to be moved after a failed fsync. Only the
        // later one is known to be good.
        let mut open = BTreeSet::new();
        for (seq, _, _, acks, scan) in scans.iter().rev() {
            for found in scan.iter().flat_map(|scan| scan.records.iter().rev()) {
                let last = known.insert(found.header.id);
                if last && !acks.offsets.contains(&found.offset) {
                    open.insert((*seq, found.offset));
                }
            }
        }
        let last = scans.last().map(|&(seq, ..)| seq);
        for (seq, len, path, acks, scan) in scans {
            let key = SegmentKey { instance, seq };
            match scan {
                Ok(scan) => {
                    let mut segment = self.index(&scan, path, last == Some(seq), len);
                    segment.ack_len = acks.len;
                    // Nobody knows how far its process had synced it.
                    segment.unsynced = true;
                    for found in &scan.records {
                        let open = open.contains(&(seq, found.offset));
                        self.recover(&mut segment, found.offset, &found.header, open);
                    }
                    if let Some(content) = self.instances.get_mut(&instance) {
                        content.segments.insert(seq, segment);
                    }
                }
                Err(problem) => self.set_aside(key, &path, len, problem),
            }
        }
        self.remove_spent(instance);
        self.remove_drained_instance(instance);
        Ok(())
    }

    /// Counts how a segment ended, and cuts off a torn end.
    fn index(&mut self, scan: &Scan, path: PathBuf, is_last: bool, file_len: u64) -> Segment {
        let header = scan.segment;
        let mut segment = Segment::new(path, header.salt, header.created_ms, file_len);
        let torn = scan.end == ScanEnd::Torn || (scan.end == ScanEnd::Damaged && is_last);
        if torn {
            self.stats.truncated_tails += 1;
            let cut = self.fs.open(&segment.path).and_then(|mut file| file.truncate(scan.len));
            if cut.is_ok() {
                segment.disk_len = scan.len;
            }
        } else if scan.end == ScanEnd::Damaged {
            self.stats.corrupt_segments += 1;
        } else if scan.end == ScanEnd::ReadError {
            self.stats.read_errors += 1;
            segment.incomplete = true;
        }
        segment
    }

    fn recover(&mut self, segment: &mut Segment, offset: u32, header: &super::format::RecordHeader, open: bool) {
        let state = if open {
            self.stats.recovered.add(header.event_count);
            self.stats.pending.add(header.event_count);
            EntryState::Ready
        } else {
            EntryState::Settled
        };
        segment.push(Entry {
            created_ms: header.created_ms,
            offset,
            body_len: header.body_len,
            event_count: header.event_count,
            attempts: header.attempts,
            read_failures: 0,
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

    /// Deals with a segment whose header cannot be used.
    fn set_aside(&mut self, key: SegmentKey, path: &Path, len: u64, problem: Unscannable) {
        match problem {
            Unscannable::Empty => {
                // The process ended while it created the segment. Nothing was in it.
                self.stats.truncated_tails += u64::from(len > 0);
                let _ = self.fs.remove_file(path);
            }
            Unscannable::Damaged => {
                self.stats.corrupt_segments += 1;
                if self.quarantine(path, len, key).is_err() {
                    // Without a place to keep it, it would only take up room.
                    let _ = self.fs.remove_file(path);
                }
            }
            Unscannable::UnknownFormat => self.stats.foreign_segments += 1,
            Unscannable::Unreadable => self.stats.read_errors += 1,
        }
    }
}

/// Says whether this is the name of an instance.
fn is_instance(name: &str) -> bool {
    name.len() == 36 && Uuid::try_parse(name).is_ok()
}
