//! Lists that have changed in a round, until they are published together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::lists::{IdLists, List};

/// Changed lists that are published at once: each time, the table of all lists is copied.
const TOGETHER: usize = 100;
/// Longest time that a changed list waits for others.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Lists that have changed, and those of which a part was read. It outlives a round that is given up.
#[derive(Debug)]
pub(super) struct Progress {
    lists: Arc<IdLists>,
    state: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Lists that evaluations are to see.
    changed: BTreeMap<Arc<str>, List>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Lists that evaluations are not to see before their files are read to the end.
    unfinished: BTreeMap<Arc<str>, List>,
}

impl Progress {
    pub(super) fn new(lists: Arc<IdLists>) -> Self {
        Self { lists, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a list of which more was read.
    pub(super) async fn keep(&self, name: &str, list: &List, is_visible: bool) {
        if is_visible {
            self.offer(name.into(), list.clone()).await;
        } else {
            self.state().unfinished.insert(name.into(), list.clone());
        }
    }

    /// Returns the list of which a part of this file was read.
    pub(super) fn unfinished(&self, name: &str, file_id: &str) -> Option<List> {
        self.state().unfinished.get(name).filter(|list| *list.file_id == *file_id).cloned()
    }

    /// Forgets all unfinished lists but those of which this is true.
    pub(super) fn retain_unfinished(&self, keep: impl Fn(&str, &List) -> bool) {
        self.state().unfinished.retain(|name, list| keep(name, list));
    }

    /// Bytes of files in unfinished lists.
    pub(super) fn unfinished_bytes(&self) -> u64 {
        self.state().unfinished.values().map(|list| list.read_bytes).fold(0, u64::saturating_add)
    }

    /// Adds a list for evaluations, and publishes all such lists if there are enough, or one has waited long.
    pub(super) async fn offer(&self, name: Arc<str>, list: List) {
        let is_due = {
            let mut state = self.state();
            state.unfinished.remove(&name);
            state.changed.insert(name, list);
            let since = *state.since.get_or_insert_with(Instant::now);
            state.changed.len() >= TOGETHER || since.elapsed() >= LONGEST_WAIT
        };
        if is_due {
            self.publish().await;
        }
    }

    /// Publishes the lists that wait for it, and frees what they replace, where that disturbs nobody.
    pub(super) async fn publish(&self) {
        let changed = {
            let mut state = self.state();
            state.since = None;
            std::mem::take(&mut state.changed)
        };
        if changed.is_empty() {
            return;
        }
        let lists = Arc::clone(&self.lists);
        let publish = tokio::task::spawn_blocking(move || {
            lists.publish(changed.into_iter().collect());
            lists.free_replaced();
        });
        // Only a runtime that ends lets this fail, and then all goes.
        let _ = publish.await;
    }
}
