//! All lists, as evaluations see them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use statsig_core::{IdHash, IdListEntry, IdListLookup};

use super::set::IdSet;

/// What is known about one list.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) set: IdSet,
    pub(super) file_id: Arc<str>,
    pub(super) creation_time: i64,
    /// How many bytes of the file are in the set.
    pub(super) read_bytes: u64,
    /// Rounds in a row in which the file was shorter than what was read of it.
    pub(super) shrunk: u32,
    /// Rounds in a row in which the file had nothing behind what was read of it, though more was announced.
    pub(super) stalled: u32,
    /// The announced length at which the file was last read again from its beginning; 0 if it was not.
    pub(super) restarted_at: u64,
}

impl List {
    /// A list of which nothing was read yet.
    pub(super) fn new(entry: &IdListEntry) -> Self {
        Self {
            set: IdSet::default(),
            file_id: entry.file_id.as_str().into(),
            creation_time: entry.creation_time,
            read_bytes: 0,
            shrunk: 0,
            stalled: 0,
            restarted_at: 0,
        }
    }
}

pub(super) type Table = BTreeMap<Arc<str>, Arc<List>>;

/// How one list is, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdListStatus {
    /// Its name.
    pub name: String,
    /// How many IDs it has.
    pub len: usize,
    /// How many bytes of its file were read.
    pub read_bytes: u64,
    /// How many bytes of memory it takes.
    pub memory_bytes: usize,
}

/// Sums over all lists.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) lists: usize,
    pub(super) ids: usize,
    pub(super) memory_bytes: usize,
    pub(super) read_bytes: u64,
}

/// All ID lists of a project. Readers take no lock, and see each list before or after a change, never
/// in between.
///
/// Nor do they free what was replaced: that is done between the changes.
#[derive(Debug, Default)]
pub struct IdLists {
    table: ArcSwap<Table>,
    /// Tables that were replaced and may still be looked into.
    replaced: Mutex<Vec<Arc<Table>>>,
}

impl IdLists {
    /// No lists yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many lists there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.load().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.load().is_empty()
    }

    /// Every list, sorted by name.
    #[must_use]
    pub fn status(&self) -> Vec<IdListStatus> {
        let table = self.table.load();
        let status = table.iter().map(|(name, list)| IdListStatus {
            name: name.to_string(),
            len: list.set.len(),
            read_bytes: list.read_bytes,
            memory_bytes: list.set.bytes(),
        });
        status.collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<List>> {
        self.table.load().get(name).cloned()
    }

    /// Sums over all lists: their number, the IDs in them, the memory that they take, and the bytes of files read.
    pub(super) fn totals(&self) -> Totals {
        let table = self.table.load();
        let mut totals = Totals { lists: table.len(), ..Totals::default() };
        for list in table.values() {
            totals.ids += list.set.len();
            totals.memory_bytes += list.set.bytes();
            totals.read_bytes = totals.read_bytes.saturating_add(list.read_bytes);
        }
        totals
    }

    /// Puts lists in the place of those of their names, all at once. Copies the table: to be called for many lists
    /// together, on a thread that may block.
    pub(super) fn publish(&self, changed: Vec<(Arc<str>, List)>) {
        if changed.is_empty() {
            return;
        }
        let changed: Vec<_> = changed.into_iter().map(|(name, list)| (name, Arc::new(list))).collect();
        let old = self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.extend(changed.iter().cloned());
            table
        });
        self.replaced().push(old);
    }

    /// Removes all lists but those of which this is true. Returns the number of lists removed.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) -> usize {
        let gone: Vec<Arc<str>> = self.table.load().keys().filter(|name| !keep(name)).cloned().collect();
        if !gone.is_empty() {
            let old = self.table.rcu(|table| {
                let mut table = Table::clone(table);
                gone.iter().for_each(|name| drop(table.remove(name)));
                table
            });
            self.replaced().push(old);
        }
        gone.len()
    }

    /// Frees replaced tables that nobody looks into any more. Takes milliseconds for the largest lists.
    pub(super) fn free_replaced(&self) {
        let unused: Vec<_> = self.replaced().extract_if(.., |table| Arc::strong_count(table) == 1).collect();
        drop(unused);
    }

    fn replaced(&self) -> MutexGuard<'_, Vec<Arc<Table>>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdListLookup for IdLists {
    fn contains(&self, list: &str, id: &IdHash) -> bool {
        self.table.load().get(list).is_some_and(|list| list.set.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_never_free_lists() {
        let lists = IdLists::new();
        let put = || {
            lists.publish(vec![("one".into(), List::new(&IdListEntry::new("one", "m:", "f", 0)))]);
            Arc::downgrade(&lists.get("one").unwrap())
        };
        let first = put();
        // Somebody looks into it while it is replaced.
        let looking = lists.table.load();
        let second = put();
        lists.free_replaced();
        drop(looking);
        assert!(first.strong_count() > 0, "freed by a reader");
        lists.free_replaced();
        assert_eq!((first.strong_count(), second.strong_count()), (0, 1));
        assert_eq!(lists.retain(|_| false), 1);
        lists.free_replaced();
        assert_eq!((second.strong_count(), lists.replaced().len()), (0, 0));
    }
}
