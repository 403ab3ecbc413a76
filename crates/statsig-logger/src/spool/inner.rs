//! State of an open spool; the other modules add the procedures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use statsig_background::{FileHandle, FileLock, FileSystem, new_uuid_v7};
use uuid::Uuid;

use super::clock::SpoolClock;
use super::error::SpoolError;
use super::format::RecordHeader;
use super::jumps::ClockWatch;
use super::options::{FsyncPolicy, SpoolOptions};
use super::segment::{Segment, SegmentKey};
use super::stats::{DropCause, SpoolStats};
use super::unreadable::FailedReads;

/// Ordinal of our own instance; adopted ones follow.
pub(super) const OWN: u32 = 0;
/// Times a new instance is tried when its lock is lost in a race.
const CREATE_TRIES: u32 = 8;

/// Folder with segments: our own, or one that was adopted.
pub(super) struct Instance {
    pub(super) dir: PathBuf,
    pub(super) segments: BTreeMap<u64, Segment>,
}

/// End of the active segment.
pub(super) struct Writer {
    pub(super) seq: u64,
    pub(super) file: Box<dyn FileHandle>,
    pub(super) len: u64,
    pub(super) synced_len: u64,
    /// Copy of what follows `synced_len`, unless the policy is `Never`.
    pub(super) tail: Vec<u8>,
}

/// Open acknowledgement file; one at a time.
pub(super) struct AckWriter {
    pub(super) key: SegmentKey,
    pub(super) file: Box<dyn FileHandle>,
    /// Copy of what is not synced, unless the policy is `Never`.
    pub(super) unsynced: Vec<u8>,
}

/// Record whose fsync failed, waiting in memory for a place.
pub(super) struct LimboRecord {
    pub(super) header: RecordHeader,
    pub(super) body: Vec<u8>,
    pub(super) attempts: u16,
    pub(super) in_flight: bool,
    /// Where it was written, and may still be.
    pub(super) copies: Vec<(SegmentKey, u32)>,
}

/// Where a batch in flight belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    Entry {
        key: SegmentKey,
        index: usize,
    },
    Limbo,
    /// Its segment was evicted.
    Evicted {
        events: u32,
        cause: DropCause,
    },
}

pub(super) struct Inner {
    pub(super) options: SpoolOptions,
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) clock: Arc<dyn SpoolClock>,
    pub(super) key_dir: PathBuf,
    pub(super) name: String,
    /// Held until the spool is closed.
    pub(super) lock: Option<Box<dyn FileLock>>,
    pub(super) process_id: u32,
    pub(super) instances: BTreeMap<u32, Instance>,
    pub(super) next_instance: u32,
    /// Adopted folders, and segments of them, that could not be read yet; without segments, not even listed.
    pub(super) unread: BTreeMap<PathBuf, Option<BTreeSet<u64>>>,
    pub(super) next_seq: u64,
    pub(super) writer: Option<Writer>,
    pub(super) reader: Option<(SegmentKey, Box<dyn FileHandle>)>,
    pub(super) ack_writer: Option<AckWriter>,
    pub(super) limbo: Vec<LimboRecord>,
    /// Whether some segment is `held`.
    pub(super) holding: bool,
    pub(super) leases: HashMap<Uuid, Lease>,
    /// Folders with changes that are not synced.
    pub(super) dirty_dirs: BTreeSet<PathBuf>,
    pub(super) last_sync_ms: u64,
    pub(super) last_adoption_ms: u64,
    /// Time of the last look for deleted files, on the clock that only passes.
    pub(super) checked_files_ms: u64,
    pub(super) clock_watch: ClockWatch,
    pub(super) failed_reads: BTreeMap<(SegmentKey, usize), FailedReads>,
    /// Buffer for encoding, kept to spare allocations.
    pub(super) scratch: Vec<u8>,
    pub(super) stats: SpoolStats,
}

impl Inner {
    pub(super) fn open(
        options: SpoolOptions,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn SpoolClock>,
    ) -> Result<Self, SpoolError> {
        let key_dir = options.dir.join(&options.key_hash);
        fs.ensure_dir(&options.dir).map_err(|error| SpoolError::io("create", &options.dir, error))?;
        fs.ensure_dir(&key_dir)
            .and_then(|()| fs.make_private(&key_dir))
            .map_err(|error| SpoolError::io("create", &key_dir, error))?;
        let (name, lock) = create_instance(&*fs, &key_dir, clock.now_ms())?;
        let own = Instance { dir: key_dir.join(&name), segments: BTreeMap::new() };
        let (now, monotonic_ms) = (clock.now_ms(), clock.monotonic_ms());
        let mut dirty_dirs = BTreeSet::from([options.dir.clone(), key_dir.clone()]);
        dirty_dirs.extend(options.dir.parent().map(PathBuf::from));
        dirty_dirs.retain(|dir| !dir.as_os_str().is_empty());
        let mut inner = Self {
            process_id: fs.process_id(),
            options,
            fs,
            clock,
            key_dir,
            name,
            lock: Some(lock),
            instances: BTreeMap::from([(OWN, own)]),
            next_instance: OWN + 1,
            unread: BTreeMap::new(),
            next_seq: 1,
            writer: None,
            reader: None,
            ack_writer: None,
            limbo: Vec::new(),
            holding: false,
            leases: HashMap::new(),
            dirty_dirs,
            last_sync_ms: now,
            last_adoption_ms: now,
            checked_files_ms: monotonic_ms,
            clock_watch: ClockWatch::new(now, monotonic_ms),
            failed_reads: BTreeMap::new(),
            scratch: Vec::new(),
            stats: SpoolStats::default(),
        };
        // Neither is a reason not to start: what fails here is tried again.
        if inner.adopt_orphans().is_err() {
            inner.stats.read_errors += 1;
        }
        let _ = inner.make_room(0);
        Ok(inner)
    }

    /// Fails if the spool is closed or belongs to a parent process.
    pub(super) fn check_usable(&self) -> Result<(), SpoolError> {
        if self.fs.process_id() != self.process_id {
            return Err(SpoolError::ForeignProcess);
        }
        if self.lock.is_none() {
            return Err(SpoolError::Closed);
        }
        Ok(())
    }

    /// Returns the accounts with the gauges filled in.
    pub(super) fn snapshot(&mut self) -> SpoolStats {
        let mut stats = self.stats;
        stats.disk_bytes = self.disk_bytes();
        let segments: usize = self.instances.values().map(|i| i.segments.len()).sum();
        stats.segments = segments as u64;
        stats.oldest_created_ms = self
            .oldest_ready()
            .map(|(_, _, created_ms)| created_ms)
            .or_else(|| self.limbo.first().map(|record| record.header.created_ms));
        stats
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments().map(Segment::bytes).sum()
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.instances.values().flat_map(|i| i.segments.values())
    }

    pub(super) fn segment_keys(&self) -> Vec<SegmentKey> {
        let mut keys = Vec::new();
        for (&instance, content) in &self.instances {
            keys.extend(content.segments.keys().map(|&seq| SegmentKey { instance, seq }));
        }
        keys
    }

    pub(super) fn segment(&self, key: SegmentKey) -> Option<&Segment> {
        self.instances.get(&key.instance)?.segments.get(&key.seq)
    }

    pub(super) fn segment_mut(&mut self, key: SegmentKey) -> Option<&mut Segment> {
        self.instances.get_mut(&key.instance)?.segments.get_mut(&key.seq)
    }

    pub(super) fn own_dir(&self) -> PathBuf {
        self.key_dir.join(&self.name)
    }

    pub(super) fn dead_dir(&self) -> PathBuf {
        self.key_dir.join(super::dead::DIR)
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        lock_path(&self.key_dir, &self.name)
    }

    /// Key of the segment that is being written.
    pub(super) fn active(&self) -> Option<SegmentKey> {
        self.writer.as_ref().map(|writer| SegmentKey { instance: OWN, seq: writer.seq })
    }

    /// Says whether data is ever forced to the disk without being asked.
    pub(super) fn syncs(&self) -> bool {
        self.options.fsync != FsyncPolicy::Never
    }

    /// Syncs the folders that changed.
    pub(super) fn sync_dirs(&mut self) -> Result<(), SpoolError> {
        let optional = self.options.dir.parent().map(PathBuf::from);
        while let Some(dir) = self.dirty_dirs.first().cloned() {
            match self.fs.sync_dir(&dir) {
                Ok(()) => {}
                // A drained folder may be gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The parent of the spool may not be ours to open.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && Some(&dir) == optional.as_ref() => {}
                Err(error) => {
                    self.stats.failed_syncs += 1;
                    return Err(SpoolError::sync(&dir, error));
                }
            }
            self.dirty_dirs.remove(&dir);
        }
        Ok(())
    }

    /// Counts a failed write and wraps its error.
    pub(super) fn write_error(
        &mut self,
        operation: &'static str,
        path: &std::path::Path,
        source: io::Error,
    ) -> SpoolError {
        let error = SpoolError::io(operation, path, source);
        match error {
            SpoolError::DiskFull { .. } => self.stats.disk_full += 1,
            _ => self.stats.write_errors += 1,
        }
        error
    }
}

/// Path of the lock of an instance. It is beside the folder, not in it, so that a folder can be
/// moved while its lock is held.
pub(super) fn lock_path(key_dir: &std::path::Path, instance: &str) -> PathBuf {
    key_dir.join(format!("{instance}.lock"))
}

/// Creates a locked instance.
///
/// A cleaner that saw our lock file before we had locked it may have removed it. So the folder is
/// created only once the lock is held and its file still there; only its holder removes it.
fn create_instance(
    fs: &dyn FileSystem,
    key_dir: &std::path::Path,
    now_ms: u64,
) -> Result<(String, Box<dyn FileLock>), SpoolError> {
    for _ in 0..CREATE_TRIES {
        let name = new_uuid_v7(i64::try_from(now_ms).unwrap_or(i64::MAX)).to_string();
        let path = lock_path(key_dir, &name);
        let lock = fs.try_lock(&path).map_err(|error| SpoolError::io("lock", &path, error))?;
        let present = fs.exists(&path).map_err(|error| SpoolError::io("inspect", &path, error))?;
        let Some(lock) = lock.filter(|_| present) else {
            continue;
        };
        let dir = key_dir.join(&name);
        if let Err(error) = fs.ensure_dir(&dir).and_then(|()| fs.make_private(&dir)) {
            let _ = fs.remove_file(&path);
            return Err(SpoolError::io("create", &dir, error));
        }
        return Ok((name, lock));
    }
    Err(SpoolError::io("lock", key_dir, io::Error::new(io::ErrorKind::WouldBlock, "lost the race for a lock file")))
}
