//! A file system that fails on command.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::file_system::{FileHandle, FileLock, FileSystem, FolderItem};

/// Operation of a [`FileSystem`] or of one of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileOperation {
    /// [`FileSystem::ensure_dir`].
    EnsureDir,
    /// [`FileSystem::make_private`].
    MakePrivate,
    /// [`FileSystem::sync_dir`].
    SyncDir,
    /// [`FileSystem::list`].
    List,
    /// [`FileSystem::create`].
    Create,
    /// [`FileSystem::open`] and [`FileSystem::open_to_read`].
    Open,
    /// [`FileSystem::rename`].
    Rename,
    /// [`FileSystem::remove_file`].
    RemoveFile,
    /// [`FileSystem::remove_dir`].
    RemoveDir,
    /// [`FileSystem::try_lock`] and [`FileHandle::try_lock`].
    Lock,
    /// [`FileSystem::exists`].
    Exists,
    /// [`FileHandle::append`].
    Append,
    /// [`FileHandle::rewrite`].
    Rewrite,
    /// [`FileHandle::read_at`].
    Read,
    /// [`FileHandle::truncate`].
    Truncate,
    /// [`FileHandle::sync`].
    Sync,
    /// [`FileHandle::size`].
    Size,
    /// [`FileHandle::modified`].
    Modified,
}

impl FileOperation {
    /// Every operation.
    pub const ALL: [Self; 18] = [
        Self::EnsureDir,
        Self::MakePrivate,
        Self::SyncDir,
        Self::List,
        Self::Create,
        Self::Open,
        Self::Rename,
        Self::RemoveFile,
        Self::RemoveDir,
        Self::Lock,
        Self::Exists,
        Self::Append,
        Self::Rewrite,
        Self::Read,
        Self::Truncate,
        Self::Sync,
        Self::Size,
        Self::Modified,
    ];
}

/// A way in which an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFault {
    /// Fails before it does anything, with this kind of error.
    Error(io::ErrorKind),
    /// [`FileOperation::Append`] writes this many bytes, at most all, and then fails as the disk is full.
    ShortWrite(usize),
    /// [`FileOperation::Append`] writes this many bytes, at most all, and then fails with an I/O error.
    TornWrite(usize),
    /// [`FileOperation::Read`] succeeds with one bit of the result flipped.
    BitFlip,
    /// Waits until [`FaultyFileSystem::heal`], and then succeeds.
    Hang,
}

impl FileFault {
    /// The disk is full.
    pub const DISK_FULL: Self = Self::Error(io::ErrorKind::StorageFull);
    /// The device failed (`EIO`).
    pub const IO_ERROR: Self = Self::Error(io::ErrorKind::Other);

    fn error(self) -> io::Error {
        match self {
            Self::Error(kind) => io::Error::new(kind, "injected fault"),
            Self::ShortWrite(_) => io::Error::new(io::ErrorKind::StorageFull, "injected fault"),
            Self::TornWrite(_) | Self::BitFlip | Self::Hang => io::Error::other("injected fault"),
        }
    }
}

#[derive(Debug)]
struct Rule {
    op: FileOperation,
    fault: FileFault,
    skip: u32,
    times: u32,
}

#[derive(Debug, Default)]
struct Rules {
    list: Mutex<Vec<Rule>>,
    changed: Condvar,
    waiting: AtomicUsize,
}

/// Wraps a file system; what was injected fails, the rest passes through.
pub struct FaultyFileSystem {
    below: Arc<dyn FileSystem>,
    rules: Arc<Rules>,
    forked: AtomicBool,
}

impl FaultyFileSystem {
    /// Wraps a file system, without faults so far.
    #[must_use]
    pub fn new(below: Arc<dyn FileSystem>) -> Self {
        Self { below, rules: Arc::default(), forked: AtomicBool::new(false) }
    }

    /// Lets the next `times` operations of a sort fail, after `skip` more that succeed.
    pub fn inject(&self, op: FileOperation, fault: FileFault, skip: u32, times: u32) {
        self.rules().push(Rule { op, fault, skip, times });
    }

    /// Lets all operations of a sort fail from now on.
    pub fn break_down(&self, op: FileOperation, fault: FileFault) {
        self.inject(op, fault, 0, u32::MAX);
    }

    /// Reports another process id, as if the calls came from a forked child, or no longer.
    pub fn pretend_fork(&self, forked: bool) {
        self.forked.store(forked, Ordering::SeqCst);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.rules().clear();
        self.rules.changed.notify_all();
    }

    /// Returns the number of operations that wait in a [`FileFault::Hang`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rules.waiting.load(Ordering::SeqCst)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, op: FileOperation) -> io::Result<()> {
        match due(&self.rules, op) {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }

    fn wrap(&self, file: Box<dyn FileHandle>) -> Box<dyn FileHandle> {
        Box::new(FaultyFile { below: file, rules: Arc::clone(&self.rules) })
    }
}

/// Takes the fault that an operation meets, if any, after waiting if it is to hang.
fn due(rules: &Rules, op: FileOperation) -> Option<FileFault> {
    let mut list = rules.list.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = take_due(&mut list, op);
    if fault == Some(FileFault::Hang) {
        rules.waiting.fetch_add(1, Ordering::SeqCst);
        while list.iter().any(|rule| rule.op == op && rule.fault == FileFault::Hang) {
            list = rules.changed.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        rules.waiting.fetch_sub(1, Ordering::SeqCst);
        return None;
    }
    fault
}

fn take_due(rules: &mut [Rule], op: FileOperation) -> Option<FileFault> {
    for rule in rules.iter_mut().filter(|rule| rule.op == op) {
        if rule.skip > 0 {
            rule.skip -= 1;
        } else if rule.times > 0 {
            rule.times -= 1;
            return Some(rule.fault);
        }
    }
    None
}

impl FileSystem for FaultyFileSystem {
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FileOperation::EnsureDir)?;
        self.below.ensure_dir(dir)
    }

    fn make_private(&self, dir: &Path) -> io::Result<()> {
        self.check(FileOperation::MakePrivate)?;
        self.below.make_private(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FileOperation::SyncDir)?;
        self.below.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>> {
        self.check(FileOperation::List)?;
        self.below.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.check(FileOperation::Create)?;
        Ok(self.wrap(self.below.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.check(FileOperation::Open)?;
        Ok(self.wrap(self.below.open(path)?))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.check(FileOperation::Open)?;
        Ok(self.wrap(self.below.open_to_read(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(FileOperation::Rename)?;
        self.below.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check(FileOperation::RemoveFile)?;
        self.below.remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FileOperation::RemoveDir)?;
        self.below.remove_dir(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.check(FileOperation::Lock)?;
        self.below.try_lock(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.check(FileOperation::Exists)?;
        self.below.exists(path)
    }

    fn process_id(&self) -> u32 {
        let shift = u32::from(self.forked.load(Ordering::SeqCst));
        self.below.process_id().wrapping_add(shift)
    }
}

struct FaultyFile {
    below: Box<dyn FileHandle>,
    rules: Arc<Rules>,
}

impl FaultyFile {
    fn check(&self, op: FileOperation) -> io::Result<()> {
        match due(&self.rules, op) {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }
}

impl FileHandle for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match due(&self.rules, FileOperation::Append) {
            None => self.below.append(bytes),
            Some(fault) => {
                if let FileFault::ShortWrite(keep) | FileFault::TornWrite(keep) = fault {
                    let keep = keep.min(bytes.len());
                    self.below.append(bytes.get(..keep).unwrap_or(bytes))?;
                }
                Err(fault.error())
            }
        }
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check(FileOperation::Rewrite)?;
        self.below.rewrite(offset, bytes)
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match due(&self.rules, FileOperation::Read) {
            None => self.below.read_at(offset, buf),
            Some(FileFault::BitFlip) => {
                let count = self.below.read_at(offset, buf)?;
                if let Some(byte) = buf.get_mut(count / 2) {
                    *byte ^= 0x10;
                }
                Ok(count)
            }
            Some(fault) => Err(fault.error()),
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.check(FileOperation::Truncate)?;
        self.below.truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check(FileOperation::Sync)?;
        self.below.sync()
    }

    fn size(&mut self) -> io::Result<u64> {
        self.check(FileOperation::Size)?;
        self.below.size()
    }

    fn modified(&mut self) -> io::Result<SystemTime> {
        self.check(FileOperation::Modified)?;
        self.below.modified()
    }

    fn try_lock(&mut self) -> io::Result<bool> {
        self.check(FileOperation::Lock)?;
        self.below.try_lock()
    }
}
