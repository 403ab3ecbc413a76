//! The disk in memory as one process sees it.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::memory_disk::{DiskNode, DiskState, MemoryContent, MemoryDisk, MemoryFolder};
use crate::file_system::{FileHandle, FileLock, FileSystem, FolderItem};

/// File system of a simulated process on a [`MemoryDisk`].
///
/// Once the process is killed, every call fails, also on files that were open.
#[derive(Debug)]
pub struct MemoryFileSystem {
    disk: MemoryDisk,
    process: u32,
}

impl MemoryFileSystem {
    pub(super) fn new(disk: MemoryDisk, process: u32) -> Self {
        Self { disk, process }
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(&self) {
        self.disk.kill(self.process);
    }
}

impl FileSystem for MemoryFileSystem {
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        let state = self.disk.state();
        state.check_alive(self.process)?;
        match state.resolve(dir) {
            Ok(node) => return state.dir(node).map(|_| ()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        drop(state);
        if let Some(parent) = dir.parent() {
            self.ensure_dir(parent)?;
        }
        let mut state = self.disk.state();
        let (parent, name) = state.resolve_parent(dir)?;
        state.insert(parent, name, DiskNode::Dir(MemoryFolder::default()))?;
        Ok(())
    }

    fn make_private(&self, _dir: &Path) -> io::Result<()> {
        self.disk.state().check_alive(self.process)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let node = state.resolve(dir)?;
        state.dir_mut(node)?.sync();
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>> {
        let state = self.disk.state();
        state.check_alive(self.process)?;
        let node = state.resolve(dir)?;
        let mut items = Vec::new();
        for (name, &child) in &state.dir(node)?.children {
            let (is_dir, len) = match state.nodes.get(child) {
                Some(DiskNode::File(file)) => (false, file.data.len() as u64),
                _ => (true, 0),
            };
            items.push(FolderItem { name: name.clone(), is_dir, len });
        }
        Ok(items)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let (parent, name) = state.resolve_parent(path)?;
        if state.dir(parent)?.children.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = state.insert(parent, name, DiskNode::File(MemoryContent::default()))?;
        Ok(self.handle(node))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let node = state.resolve(path)?;
        state.file_mut(node)?;
        Ok(self.handle(node))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        state.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let node = state.resolve(path)?;
        state.file_mut(node)?;
        let (parent, name) = state.resolve_parent(path)?;
        state.dir_mut(parent)?.children.remove(name);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let node = state.resolve(dir)?;
        if !state.dir(node)?.children.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (parent, name) = state.resolve_parent(dir)?;
        state.dir_mut(parent)?.children.remove(name);
        Ok(())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        let node = match state.resolve(path) {
            Ok(node) => node,
            Err(_) => {
                let (parent, name) = state.resolve_parent(path)?;
                state.insert(parent, name, DiskNode::File(MemoryContent::default()))?
            }
        };
        let lock = MemoryLock::acquire(&mut state, &self.disk, node, self.process);
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn FileLock>))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.disk.state();
        state.check_alive(self.process)?;
        match state.resolve(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn process_id(&self) -> u32 {
        self.process
    }
}

impl MemoryFileSystem {
    fn handle(&self, node: usize) -> Box<dyn FileHandle> {
        Box::new(MemoryFile { disk: self.disk.clone(), node, process: self.process, lock: None })
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    node: usize,
    process: u32,
    lock: Option<MemoryLock>,
}

impl MemoryFile {
    fn with<T>(&self, call: impl FnOnce(&mut MemoryContent) -> T) -> io::Result<T> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        Ok(call(state.file_mut(self.node)?))
    }
}

impl FileHandle for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|file| file.data.extend_from_slice(bytes))
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with(|file| file.rewrite(start, bytes))
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|file| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = file.data.get(start..).unwrap_or_default();
            let count = rest.len().min(buf.len());
            if let (Some(target), Some(source)) = (buf.get_mut(..count), rest.get(..count)) {
                target.copy_from_slice(source);
            }
            count
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|file| file.truncate(usize::try_from(len).unwrap_or(usize::MAX)))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_alive(self.process)?;
        state.sync_file(self.node)
    }

    fn size(&mut self) -> io::Result<u64> {
        self.with(|file| file.data.len() as u64)
    }

    /// The disk keeps no times.
    fn modified(&mut self) -> io::Result<SystemTime> {
        self.disk.state().check_alive(self.process)?;
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&mut self) -> io::Result<bool> {
        if self.lock.is_none() {
            let mut state = self.disk.state();
            state.check_alive(self.process)?;
            self.lock = MemoryLock::acquire(&mut state, &self.disk, self.node, self.process);
        }
        Ok(self.lock.is_some())
    }
}

struct MemoryLock {
    disk: MemoryDisk,
    node: usize,
    process: u32,
}

impl MemoryLock {
    /// Locks a file; `None` if it is locked.
    fn acquire(state: &mut DiskState, disk: &MemoryDisk, node: usize, process: u32) -> Option<Self> {
        if state.locks.contains_key(&node) {
            return None;
        }
        state.locks.insert(node, process);
        Some(Self { disk: disk.clone(), node, process })
    }
}

impl FileLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.node) == Some(&self.process) {
            state.locks.remove(&self.node);
        }
    }
}
