//! Sticky assignments in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use foldhash::fast::RandomState;

use super::{PersistentStorage, StorageError};
use crate::sticky::{StickyValues, UserPersistedValues};

/// A [`PersistentStorage`] that forgets everything with the process.
///
/// For tests, and for programs with few users: it grows with each user that is assigned, and drops
/// none by itself. Calls wait for each other, for as long as a map takes to change.
#[derive(Default)]
pub struct InMemoryPersistentStorage {
    users: Mutex<HashMap<String, UserPersistedValues, RandomState>>,
}

impl InMemoryPersistentStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is kept under a key; [`PersistentStorage::load`] without `async`.
    #[must_use]
    pub fn values(&self, key: &str) -> UserPersistedValues {
        self.users().get(key).cloned().unwrap_or_default()
    }

    /// Number of keys with values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users().len()
    }

    /// Whether it keeps nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each call changes the map in one step, so that a panic of another one leaves it whole.
    fn users(&self) -> MutexGuard<'_, HashMap<String, UserPersistedValues, RandomState>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PersistentStorage for InMemoryPersistentStorage {
    async fn load(&self, key: &str) -> Result<UserPersistedValues, StorageError> {
        Ok(self.values(key))
    }

    fn save(&self, key: &str, config_name: &str, values: StickyValues) {
        self.users().entry(key.to_owned()).or_default().insert(config_name, values);
    }

    fn delete(&self, key: &str, config_name: &str) {
        let mut users = self.users();
        if let Some(values) = users.get_mut(key) {
            values.remove(config_name);
            if values.is_empty() {
                users.remove(key);
            }
        }
    }
}

/// Shows how many users there are, not which.
impl std::fmt::Debug for InMemoryPersistentStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemoryPersistentStorage").field("keys", &self.len()).finish()
    }
}
