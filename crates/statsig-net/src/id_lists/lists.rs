//! All lists, as evaluations see them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use statsig_core::{IdHash, IdListLookup};

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

    /// Bytes of all files that were read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.table.load().values().map(|list| list.read_bytes).sum()
    }

    /// Puts a list in the place of the one of its name. Several may be put at once.
    pub(super) fn put(&self, name: &str, list: List) {
        let list = Arc::new(list);
        let old = self.table.rcu(|table| {
            let mut table = Table::clone(table);
            table.insert(name.into(), Arc::clone(&list));
            table
        });
        self.replaced().push(old);
    }

    /// Leaves only lists of which this is true. Returns how many went.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) -> usize {
        let mut table = Table::clone(&self.table.load());
        let before = table.len();
        table.retain(|name, _| keep(name));
        let gone = before - table.len();
        if gone > 0 {
            let old = self.table.swap(Arc::new(table));
            self.replaced().push(old);
        }
        gone
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
            let list = List { set: IdSet::default(), file_id: "f".into(), creation_time: 1, read_bytes: 0, shrunk: 0 };
            lists.put("one", list);
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
