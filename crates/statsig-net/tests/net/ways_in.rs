//! Whatever brings a payload, another kind of payload and one for another key are refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use statsig_core::{
    Admission, DataStore, InMemoryDataStore, KeySchema, Reach, Snapshot, SnapshotStore, SpecOrigin, SpecSource,
    SpecUpdate, StoreFormat, StoreKeys, StorePath,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource};
use statsig_net::{RulesetTarget, SpecSources, SpecSync, SyncOptions};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};
use tokio::runtime::Handle;

use super::common::{KEY, clock, key, network, specs};
use super::common::{Scripted, Stream};

/// Payloads that are not config specs of this project.
fn foreign() -> Vec<String> {
    let of_another_key = specs(9, true).replacen('{', r#"{"hashed_sdk_key_used":"1","#, 1);
    vec![
        r#"{"has_updates":true,"time":9,"hash_used":"djb2","evaluated_keys":{},"sdkParams":{},
            "feature_gates":{"1":{"name":"1","value":true,"rule_id":"r","secondary_exposures":[]}},
            "dynamic_configs":{},"layer_configs":{}}"#
            .to_owned(),
        r#"{"vip":{"name":"vip","size":3,"url":"https://h/v","fileID":"f","creationTime":9}}"#.to_owned(),
        r#"{"message":"Forbidden"}"#.to_owned(),
        of_another_key,
    ]
}

struct Client {
    sync: SpecSync,
    store: Arc<SnapshotStore>,
}

impl Client {
    /// A client that holds specs of time 5.
    async fn holding(sources: SpecSources) -> Self {
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let mut options = SyncOptions::default();
        options.sdk_key = Some(key());
        options.poll_interval = Duration::from_secs(3_600);
        options.slow_poll_interval = Duration::from_secs(3_600);
        let target = RulesetTarget::new(Arc::clone(&store));
        let sync = SpecSync::new(options, target, sources, clock(), &Handle::current());
        assert!(matches!(sync.acceptor().admit(update(specs(5, true))), Admission::Applied(_)));
        Self { sync, store }
    }

    fn time(&self) -> u64 {
        self.store.load().ruleset().meta().time
    }

    /// A fetch from the only source fails and changes nothing.
    async fn refuses_what_is_fetched(&self, way: &str, payload: &str) {
        let report = self.sync.sync_now().await;
        assert!(!report.success && report.attempts.len() == 1, "{way} {payload}: {report:?}");
        assert_eq!(self.time(), 5, "{way} {payload}");
    }
}

fn update(payload: String) -> SpecUpdate {
    SpecUpdate::new(payload.into_bytes(), SpecOrigin::Bootstrap, Reach::Local, 1)
}

fn polled(source: Arc<dyn SpecSource>) -> SpecSources {
    let mut sources = SpecSources::new();
    sources.polled = vec![source];
    sources
}

#[tokio::test]
async fn the_application_supplies_nothing_foreign() {
    let client = Client::holding(SpecSources::new()).await;
    for payload in foreign() {
        let admission = client.sync.acceptor().admit(update(payload.clone()));
        assert!(matches!(admission, Admission::Rejected(_)), "{payload}: {admission:?}");
        assert_eq!(client.time(), 5);
    }
}

#[tokio::test]
async fn a_poll_brings_nothing_foreign() {
    let server = FakeStatsig::start().unwrap();
    let client = Client::holding(polled(Arc::new(network(&server).spec_source()))).await;
    for payload in foreign() {
        server.fail_always(Endpoint::SpecsV2, Some(Fault::Body(payload.clone().into())));
        client.refuses_what_is_fetched("poll", &payload).await;
    }
}

#[tokio::test]
async fn a_bootstrap_source_brings_nothing_foreign() {
    let source = Arc::new(BootstrapSpecSource::new("{}", clock()));
    let client = Client::holding(polled(source.clone())).await;
    for payload in foreign() {
        source.set(payload.clone());
        client.refuses_what_is_fetched("bootstrap", &payload).await;
    }
}

#[tokio::test]
async fn a_file_brings_nothing_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specs.json");
    let client = Client::holding(polled(Arc::new(FileSpecSource::new(&path, clock())))).await;
    for payload in foreign() {
        std::fs::write(&path, &payload).unwrap();
        client.refuses_what_is_fetched("file", &payload).await;
    }
}

#[tokio::test]
async fn a_data_store_brings_nothing_foreign() {
    let store = Arc::new(InMemoryDataStore::new());
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    let source = DataStoreSpecSource::new(store.clone(), &key(), KeySchema::Hashed, clock());
    let client = Client::holding(polled(Arc::new(source))).await;
    for payload in foreign() {
        store.set(&name, &payload, None).await.unwrap();
        client.refuses_what_is_fetched("data store", &payload).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_brings_nothing_foreign() {
    let scripted = Arc::new(Scripted::default());
    let client = Client::holding(SpecSources::new().with_stream(Arc::new(Stream(Arc::clone(&scripted))))).await;
    client.sync.initialize().await;
    for (index, payload) in foreign().into_iter().enumerate() {
        scripted.say(Scripted::specs(payload.clone()));
        // The subscription ends, and the next one names the version that is held.
        while scripted.subscriptions.load(Ordering::Relaxed) as usize <= index + 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(client.time(), 5, "{payload}");
        assert_eq!(scripted.cursors.lock().unwrap().last().unwrap().since_time_ms(), 5);
    }
}
