//! The limit of a source holds after it, and damaged deltas are refused.

use std::sync::Arc;

use proptest::prelude::*;
use statsig_core::{
    DataStore, DataStoreError, FixedClock, InMemoryDataStore, KeySchema, Snapshot, SnapshotStore, SpecOrigin,
    SpecSource, StoreFormat, StoreKey, StoreKeys, StorePath, StoreResponse,
};
use statsig_testkit::server::FakeStatsig;

use super::compressed;
use super::differences::{TIME, difference, gates, whole};
use crate::proto::{Decoded, decode};
use crate::sources::DataStoreSpecSource;
use crate::{ClientIdentity, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources, SpecSync, SyncOptions};

/// A store whose values are bounded.
struct Bounded(InMemoryDataStore);

#[async_trait::async_trait]
impl DataStore for Bounded {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.0.get(key).await
    }
    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.0.set(key, value, time).await
    }
    async fn get_bytes(&self, key: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        self.0.get_bytes(key).await
    }
    fn max_value_bytes(&self) -> Option<usize> {
        Some(LIMIT)
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        false
    }
}

const LIMIT: usize = 1_000_000;

#[tokio::test]
async fn binary_payloads_keep_to_the_limit_of_their_source() {
    let bomb = crate::proto::head::bomb(5, 20 * LIMIT);
    assert!(bomb.len() < 10_000);
    let server = FakeStatsig::start().unwrap();
    server.publish_binary_specs(bomb.clone(), 5);
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    options.max_specs_bytes = LIMIT;
    let (key, clock) = (SdkKey::new("secret-k"), Arc::new(FixedClock(0)));
    let network = Network::new(options, ClientIdentity::new(key.clone()).unwrap(), clock.clone()).unwrap();
    let store = Bounded(InMemoryDataStore::new());
    let name: StoreKey = StoreKeys::new("secret-k").key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
    store.0.set_bytes(&name.name, &bomb, None).await.unwrap();
    let stored = DataStoreSpecSource::new(Arc::new(store), &key, KeySchema::Hashed, clock.clone());
    for source in [Arc::new(network.spec_source()) as Arc<dyn SpecSource>, Arc::new(stored)] {
        let specs = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let sources = SpecSources::new().then(source);
        let runtime = tokio::runtime::Handle::current();
        let sync = SpecSync::new(SyncOptions::default(), RulesetTarget::new(specs), sources, clock.clone(), &runtime);
        let details = sync.initialize().await;
        let outcome = format!("{:?}", details.attempts[0].outcome);
        assert!(outcome.contains("exceeds 1000000 bytes"), "{outcome}");
    }
}

proptest! {
    #[test]
    fn damaged_deltas_are_refused_or_give_json(
        at in any::<prop::sample::Index>(),
        mask in 1_u8..,
        cut in any::<prop::sample::Index>(),
        limit in 50_usize..2_000,
    ) {
        let base = decode(&whole(TIME, &gates(&[("one", 1, "a"), ("two", 2, "b")])), 1 << 20, None).unwrap().parts.unwrap();
        let delta = difference(TIME + 1, &["two"], &["one"], &gates(&[("two", 3, "c")]));
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut brotli_decompressor::Decompressor::new(&*delta, 4096), &mut plain).unwrap();
        // Damaged below the compression, where it is not found by that.
        let at = at.index(plain.len());
        plain[at] ^= mask;
        for damaged in [plain.clone(), plain[..cut.index(plain.len())].to_vec()] {
            if let Ok(Decoded { json, .. }) = decode(&compressed(&damaged), limit, Some(&base)) {
                prop_assert!(json.len() <= limit + 1);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
            }
        }
    }
}
