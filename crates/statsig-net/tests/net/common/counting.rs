//! A data store that counts who opens and closes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use statsig_core::{ChangeFeed, DataStore, DataStoreError, InMemoryDataStore, StoreKey, StorePath, StoreResponse};

/// A way to a store in memory that counts its shutdowns, and may hang at them. Other ways to the same values
/// stay open.
#[derive(Default)]
pub struct Counting {
    pub store: InMemoryDataStore,
    pub shutdowns: AtomicU32,
    pub hangs: AtomicBool,
    /// Calls that came after a shutdown.
    pub late: AtomicU32,
}

impl Counting {
    pub fn to(values: &InMemoryDataStore) -> Arc<Self> {
        Arc::new(Self { store: values.clone(), ..Self::default() })
    }
    pub fn shutdowns(&self) -> u32 {
        assert_eq!(self.late.load(Ordering::Relaxed), 0, "used after it was shut down");
        self.shutdowns.load(Ordering::Relaxed)
    }
    fn used(&self) -> &InMemoryDataStore {
        self.late.fetch_add(u32::from(self.shutdowns.load(Ordering::Relaxed) > 0), Ordering::Relaxed);
        &self.store
    }
}

#[async_trait::async_trait]
impl DataStore for Counting {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        self.used().initialize().await
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        // To close a connection takes more than a moment.
        tokio::task::yield_now().await;
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.used().get(key).await
    }
    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.used().set(key, value, time).await
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        true
    }
    async fn watch(&self, keys: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        self.used().watch(keys).await
    }
}
