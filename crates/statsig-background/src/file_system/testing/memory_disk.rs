//! A disk in memory that tells what is written from what is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory_file_system::MemoryFileSystem;

/// Source of decisions for a power failure: given `n`, returns a number below it (0 if `n` is 0).
pub type Randomness<'a> = &'a mut dyn FnMut(u64) -> u64;

/// Index of the root folder.
const ROOT: usize = 0;

/// A disk shared by simulated processes.
///
/// Files and folders have two states: what a process sees, and what would be there after a power
/// failure. [`FileHandle::sync`](crate::FileHandle::sync) and
/// [`FileSystem::sync_dir`](crate::FileSystem::sync_dir) copy the first to the second. Renames are
/// durable at once, as in a journal. A failed fsync behaves as on most kernels: what it should have
/// written is not durable, also after a later fsync that succeeds.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<DiskState>>,
}

pub(super) struct DiskState {
    pub(super) nodes: Vec<DiskNode>,
    /// Locked files, with the process that holds each.
    pub(super) locks: HashMap<usize, u32>,
    alive: BTreeSet<u32>,
    next_process: u32,
    failing_syncs: u32,
}

pub(super) enum DiskNode {
    Dir(MemoryFolder),
    File(MemoryContent),
}

#[derive(Default)]
pub(super) struct MemoryFolder {
    pub(super) children: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
}

#[derive(Default)]
pub(super) struct MemoryContent {
    pub(super) data: Vec<u8>,
    durable: Vec<u8>,
    /// Parts of `data` that a failed fsync has lost.
    lost: Vec<Range<usize>>,
}

impl Default for DiskState {
    fn default() -> Self {
        Self {
            nodes: vec![DiskNode::Dir(MemoryFolder::default())],
            locks: HashMap::new(),
            alive: BTreeSet::new(),
            next_process: 1,
            failing_syncs: 0,
        }
    }
}

impl MemoryDisk {
    /// Returns an empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a process: the file system as it sees it.
    #[must_use]
    pub fn process(&self) -> MemoryFileSystem {
        let mut state = self.state();
        let process = state.next_process;
        state.next_process += 1;
        state.alive.insert(process);
        MemoryFileSystem::new(self.clone(), process)
    }

    /// Lets the next `count` fsyncs of files fail and lose their data.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Ends a process as `kill -9` does: its locks go, what it has written stays.
    pub fn kill(&self, process: u32) {
        let mut state = self.state();
        state.alive.remove(&process);
        state.locks.retain(|_, holder| *holder != process);
    }

    /// Cuts the power: all processes end, and each change that was not synced may be lost.
    ///
    /// The bytes of a file beyond its last fsync are kept up to a random length, and may be damaged.
    pub fn power_failure(&self, random: Randomness<'_>) {
        let mut state = self.state();
        state.alive.clear();
        state.locks.clear();
        for node in &mut state.nodes {
            match node {
                DiskNode::Dir(dir) => dir.lose_power(random),
                DiskNode::File(file) => file.lose_power(random),
            }
        }
    }

    /// Changes the content of a file, durably, behind the back of all processes.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.state();
        let node = state.resolve(path)?;
        let file = state.file_mut(node)?;
        change(&mut file.data);
        file.durable.clone_from(&file.data);
        file.lost.clear();
        Ok(())
    }

    /// Returns the paths of all files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let state = self.state();
        let mut files = Vec::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, node)) = open.pop() {
            match state.nodes.get(node) {
                Some(DiskNode::Dir(dir)) => {
                    open.extend(dir.children.iter().map(|(name, &child)| (format!("{path}/{name}"), child)))
                }
                Some(DiskNode::File(_)) => files.push(path),
                None => {}
            }
        }
        files.sort_unstable();
        files
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DiskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk").finish_non_exhaustive()
    }
}

impl DiskState {
    /// Fails for a process that has ended.
    pub(super) fn check_alive(&self, process: u32) -> io::Result<()> {
        if self.alive.contains(&process) { Ok(()) } else { Err(io::Error::other("this process has been killed")) }
    }

    pub(super) fn resolve(&self, path: &Path) -> io::Result<usize> {
        let mut node = ROOT;
        for name in names(path) {
            node = *self.dir(node)?.children.get(name).ok_or_else(not_found)?;
        }
        Ok(node)
    }

    /// Returns the folder of a path, and the name in it.
    pub(super) fn resolve_parent<'p>(&self, path: &'p Path) -> io::Result<(usize, &'p str)> {
        let name = names(path).last().ok_or_else(not_found)?;
        let parent = self.resolve(path.parent().unwrap_or(Path::new("")))?;
        Ok((parent, name))
    }

    pub(super) fn dir(&self, node: usize) -> io::Result<&MemoryFolder> {
        match self.nodes.get(node) {
            Some(DiskNode::Dir(dir)) => Ok(dir),
            Some(DiskNode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn dir_mut(&mut self, node: usize) -> io::Result<&mut MemoryFolder> {
        match self.nodes.get_mut(node) {
            Some(DiskNode::Dir(dir)) => Ok(dir),
            Some(DiskNode::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn file_mut(&mut self, node: usize) -> io::Result<&mut MemoryContent> {
        match self.nodes.get_mut(node) {
            Some(DiskNode::File(file)) => Ok(file),
            Some(DiskNode::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    /// Adds a file or folder and returns its index.
    pub(super) fn insert(&mut self, parent: usize, name: &str, node: DiskNode) -> io::Result<usize> {
        let index = self.nodes.len();
        self.dir_mut(parent)?.children.insert(name.to_owned(), index);
        self.nodes.push(node);
        Ok(index)
    }

    pub(super) fn sync_file(&mut self, node: usize) -> io::Result<()> {
        let failing = self.failing_syncs > 0;
        self.failing_syncs = self.failing_syncs.saturating_sub(1);
        let file = self.file_mut(node)?;
        if failing {
            let kept = file.durable.len().min(file.data.len());
            file.lost.push(kept..file.data.len());
            return Err(io::Error::other("injected fsync failure"));
        }
        file.durable.clone_from(&file.data);
        for lost in &file.lost {
            if let Some(hole) = file.durable.get_mut(lost.clone()) {
                hole.fill(0);
            }
        }
        Ok(())
    }

    /// Moves an entry, durably.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.resolve_parent(from)?;
        let (to_dir, to_name) = self.resolve_parent(to)?;
        let source = self.dir_mut(from_dir)?;
        let node = source.children.remove(from_name).ok_or_else(not_found)?;
        source.durable.remove(from_name);
        let target = self.dir_mut(to_dir)?;
        target.children.insert(to_name.to_owned(), node);
        target.durable.insert(to_name.to_owned(), node);
        Ok(())
    }
}

impl MemoryFolder {
    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.children);
    }

    fn lose_power(&mut self, random: Randomness<'_>) {
        let mut names: BTreeSet<String> = self.children.keys().cloned().collect();
        names.extend(self.durable.keys().cloned());
        for name in names {
            if self.children.get(&name) != self.durable.get(&name) && random(2) == 0 {
                match self.durable.get(&name) {
                    Some(&node) => self.children.insert(name, node),
                    None => self.children.remove(&name),
                };
            }
        }
        self.durable.clone_from(&self.children);
    }
}

impl MemoryContent {
    pub(super) fn truncate(&mut self, len: usize) {
        self.data.truncate(len);
        self.lost.retain_mut(|lost| {
            lost.end = lost.end.min(len);
            lost.start < lost.end
        });
    }

    /// Writes over bytes, which makes them dirty again, also if an fsync had lost them.
    pub(super) fn rewrite(&mut self, start: usize, bytes: &[u8]) {
        let end = start.saturating_add(bytes.len());
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(target) = self.data.get_mut(start..end) {
            target.copy_from_slice(bytes);
        }
        let lost = std::mem::take(&mut self.lost);
        for range in lost {
            self.lost.push(range.start..range.end.min(start));
            self.lost.push(range.start.max(end)..range.end);
        }
        self.lost.retain(|range| range.start < range.end);
    }

    fn lose_power(&mut self, random: Randomness<'_>) {
        let synced = self.durable.len();
        if self.data.len() > synced {
            let fresh = self.data.len() - synced;
            let kept = usize::try_from(random(fresh as u64 + 1)).unwrap_or(0);
            let tail = self.data.get(synced..synced + kept).unwrap_or_default();
            self.durable.extend_from_slice(tail);
            if kept > 0 && random(2) == 0 {
                let at = synced + usize::try_from(random(kept as u64)).unwrap_or(0);
                if let Some(byte) = self.durable.get_mut(at) {
                    *byte ^= 1 << random(8);
                }
            }
        } else if self.data.len() < synced && random(2) == 0 {
            self.durable.truncate(self.data.len());
        }
        for lost in &self.lost {
            if let Some(hole) = self.durable.get_mut(lost.clone()) {
                hole.fill(0);
            }
        }
        self.data.clone_from(&self.durable);
        self.lost.clear();
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
