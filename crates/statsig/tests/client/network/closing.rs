//! A data store is the client's to shut down, once, when nobody uses it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use statsig::{DataSource, DataStore, InMemoryDataStore};
use statsig_core::{ChangeFeed, DataStoreError, StoreKey, StorePath, StoreResponse};
use statsig_testkit::server::FakeStatsig;

use super::{LONG, builder, specs};

#[derive(Default)]
struct Counting {
    store: InMemoryDataStore,
    shutdowns: AtomicU32,
    late: AtomicU32,
}

impl Counting {
    fn used(&self) -> &InMemoryDataStore {
        self.late.fetch_add(self.shutdowns.load(Ordering::Relaxed), Ordering::Relaxed);
        &self.store
    }
}

#[async_trait::async_trait]
impl DataStore for Counting {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        self.used().initialize().await
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
        self.store.shutdown().await
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

#[test]
fn wherever_it_is_used() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    server.publish_id_list("vip", "file-1", 1, "+xsKJ5J6c\n");
    let lists = || [vec![DataSource::Network], vec![DataSource::DataStore, DataSource::Network]];
    for (initial, polled) in lists().into_iter().flat_map(|initial| lists().map(|polled| (initial.clone(), polled))) {
        let store = Arc::new(Counting::default());
        let which = format!("{initial:?}, {polled:?}");
        let client = builder(&server).data_store(store.clone());
        let client = client.initialize_sources(initial).config_sync_sources(polled).build().unwrap();
        assert!(client.initialize_blocking().is_config_spec_ready, "{which}");
        let _ = (client.shutdown_blocking(LONG), client.shutdown_blocking(LONG));
        let counts = [&store.shutdowns, &store.late].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 0], "shutdowns, and calls after it: {which}");
    }
}

#[test]
fn nothing_begins_after_the_end() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    server.publish_id_list("vip", "file-1", 1, "+xsKJ5J6c\n");
    let client = builder(&server).build().unwrap();
    let _ = client.shutdown_blocking(LONG);
    assert!(!client.initialize_blocking().is_config_spec_ready);
    assert!(client.health().id_lists.is_none_or(|lists| !lists.running));
    assert_eq!(server.requests().len(), 0);
}
