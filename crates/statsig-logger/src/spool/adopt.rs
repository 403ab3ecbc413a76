//! Taking over what dead processes left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::SpoolError;
use super::inner::{Inner, Instance, lock_path};
use super::medium::is_medium_error;
use super::recovery::{Acks, Unscannable, read_acks, scan_segment};
use super::segment::{Segment, SegmentKey, segment_path, segment_seq};

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
                if last && !acks.settles(found.offset, found.header.id) {
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

/// Says whether this is the name of an instance.
fn is_instance(name: &str) -> bool {
    name.len() == 36 && Uuid::try_parse(name).is_ok()
}
