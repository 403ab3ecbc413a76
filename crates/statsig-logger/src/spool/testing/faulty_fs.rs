//! File system that fails on command.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::spool::{DirItem, SpoolFile, SpoolFs, SpoolLock};

/// Operation of a [`SpoolFs`] or of one of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsOp {
    /// [`SpoolFs::ensure_dir`].
    EnsureDir,
    /// [`SpoolFs::make_private`].
    MakePrivate,
    /// [`SpoolFs::sync_dir`].
    SyncDir,
    /// [`SpoolFs::list`].
    List,
    /// [`SpoolFs::create`].
    Create,
    /// [`SpoolFs::open`].
    Open,
    /// [`SpoolFs::rename`].
    Rename,
    /// [`SpoolFs::remove_file`].
    RemoveFile,
    /// [`SpoolFs::remove_dir`].
    RemoveDir,
    /// [`SpoolFs::try_lock`].
    Lock,
    /// [`SpoolFs::exists`].
    Exists,
    /// [`SpoolFile::append`].
    Append,
    /// [`SpoolFile::rewrite`].
    Rewrite,
    /// [`SpoolFile::read_at`].
    Read,
    /// [`SpoolFile::truncate`].
    Truncate,
    /// [`SpoolFile::sync`].
    Sync,
    /// [`SpoolFile::size`].
    Size,
}

impl FsOp {
    /// Every operation.
    pub const ALL: [Self; 17] = [
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
    ];
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Fails before it does anything, with this kind of error.
    Error(io::ErrorKind),
    /// [`FsOp::Append`] writes this many bytes, at most all, and then fails as the disk is full.
    ShortWrite(usize),
    /// [`FsOp::Append`] writes this many bytes, at most all, and then fails with an I/O error.
    TornWrite(usize),
    /// [`FsOp::Read`] succeeds with one bit of the result flipped.
    BitFlip,
    /// Waits until [`FaultyFs::heal`], and then succeeds.
    Hang,
}

impl Fault {
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
    op: FsOp,
    fault: Fault,
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
pub struct FaultyFs {
    below: Arc<dyn SpoolFs>,
    rules: Arc<Rules>,
    forked: AtomicBool,
}

impl FaultyFs {
    /// Wraps a file system, without faults so far.
    #[must_use]
    pub fn new(below: Arc<dyn SpoolFs>) -> Self {
        Self { below, rules: Arc::default(), forked: AtomicBool::new(false) }
    }

    /// Lets the next `times` operations of a sort fail, after `skip` more that succeed.
    pub fn inject(&self, op: FsOp, fault: Fault, skip: u32, times: u32) {
        self.rules().push(Rule { op, fault, skip, times });
    }

    /// Lets all operations of a sort fail from now on.
    pub fn break_down(&self, op: FsOp, fault: Fault) {
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

    /// Returns the number of operations that wait in a [`Fault::Hang`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rules.waiting.load(Ordering::SeqCst)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, op: FsOp) -> io::Result<()> {
        match due(&self.rules, op) {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }

    fn wrap(&self, file: Box<dyn SpoolFile>) -> Box<dyn SpoolFile> {
        Box::new(FaultyFile { below: file, rules: Arc::clone(&self.rules) })
    }
}

/// Takes the fault that an operation meets, if any, after waiting if it is to hang.
fn due(rules: &Rules, op: FsOp) -> Option<Fault> {
    let mut list = rules.list.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = take_due(&mut list, op);
    if fault == Some(Fault::Hang) {
        rules.waiting.fetch_add(1, Ordering::SeqCst);
        while list.iter().any(|rule| rule.op == op && rule.fault == Fault::Hang) {
            list = rules.changed.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        rules.waiting.fetch_sub(1, Ordering::SeqCst);
        return None;
    }
    fault
}

fn take_due(rules: &mut [Rule], op: FsOp) -> Option<Fault> {
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

impl SpoolFs for FaultyFs {
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FsOp::EnsureDir)?;
        self.below.ensure_dir(dir)
    }

    fn make_private(&self, dir: &Path) -> io::Result<()> {
        self.check(FsOp::MakePrivate)?;
        self.below.make_private(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FsOp::SyncDir)?;
        self.below.sync_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirItem>> {
        self.check(FsOp::List)?;
        self.below.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        self.check(FsOp::Create)?;
        Ok(self.wrap(self.below.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        self.check(FsOp::Open)?;
        Ok(self.wrap(self.below.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(FsOp::Rename)?;
        self.below.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check(FsOp::RemoveFile)?;
        self.below.remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(FsOp::RemoveDir)?;
        self.below.remove_dir(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn SpoolLock>>> {
        self.check(FsOp::Lock)?;
        self.below.try_lock(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.check(FsOp::Exists)?;
        self.below.exists(path)
    }

    fn process_id(&self) -> u32 {
        let shift = u32::from(self.forked.load(Ordering::SeqCst));
        self.below.process_id().wrapping_add(shift)
    }
}

struct FaultyFile {
    below: Box<dyn SpoolFile>,
    rules: Arc<Rules>,
}

impl FaultyFile {
    fn check(&self, op: FsOp) -> io::Result<()> {
        match due(&self.rules, op) {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }
}

impl SpoolFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match due(&self.rules, FsOp::Append) {
            None => self.below.append(bytes),
            Some(fault) => {
                if let Fault::ShortWrite(keep) | Fault::TornWrite(keep) = fault {
                    let keep = keep.min(bytes.len());
                    self.below.append(bytes.get(..keep).unwrap_or(bytes))?;
                }
                Err(fault.error())
            }
        }
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check(FsOp::Rewrite)?;
        self.below.rewrite(offset, bytes)
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match due(&self.rules, FsOp::Read) {
            None => self.below.read_at(offset, buf),
            Some(Fault::BitFlip) => {
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
        self.check(FsOp::Truncate)?;
        self.below.truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check(FsOp::Sync)?;
        self.below.sync()
    }

    fn size(&mut self) -> io::Result<u64> {
        self.check(FsOp::Size)?;
        self.below.size()
    }
}
