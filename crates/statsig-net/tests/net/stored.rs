//! Entries of a data store that cannot be used, compressed ones, and times from the future.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    Clock, DataStore, DataStoreError, EntryRequest, InMemoryDataStore, KeySchema, PutMode, Reach, Snapshot,
    SnapshotStore, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecTrigger,
    SpecUpdate, SpecVersion, StoreEntry, StoreFormat, StoreKey, StoreKeys, StorePath, StoreResponse,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource};
use statsig_net::{AttemptOutcome, RulesetTarget, SpecSources, SpecSync, StoreWriter, SyncOptions};
use tokio::runtime::Handle;

use crate::common::{KEY, NOW, clock, key, specs, until};

const SECOND: Duration = Duration::from_secs(1);

fn place(schema: KeySchema) -> StoreKey {
    StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, schema)
}

async fn leave(store: &InMemoryDataStore, schema: KeySchema, value: impl AsRef<[u8]>) {
    store.set_bytes(&place(schema).name, value.as_ref(), None).await.unwrap();
}

fn source(store: impl DataStore + 'static) -> DataStoreSpecSource {
    DataStoreSpecSource::new(Arc::new(store), &key(), KeySchema::Hashed, clock())
}

async fn ask(source: &impl SpecSource, held: u64) -> Result<SpecFetch, SourceError> {
    source.fetch(&SpecRequest::new((held > 0).then(|| SpecVersion::new(held, None)), SpecTrigger::Background)).await
}

fn document(fetched: Result<SpecFetch, SourceError>) -> String {
    match fetched {
        Ok(SpecFetch::Updated(update)) => String::from_utf8(update.payload.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn error(fetched: Result<SpecFetch, SourceError>) -> String {
    let error = fetched.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (SourceErrorKind::Invalid, false));
    std::error::Error::source(&error).unwrap().to_string()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Values that are no config specs, and what is said of them. Each claims to be newer than everything else here.
fn others() -> [(String, &'static str); 6] {
    let evaluated = r#"{"1":{"name":"1","value":true,"rule_id":"r","secondary_exposures":[]}}"#;
    [
        ("garbage".into(), "not JSON"),
        (r#"{"time":99,"error":"forbidden"}"#.into(), "an error object"),
        (
            format!(
                r#"{{"has_updates":true,"time":99,"feature_gates":{evaluated},"sdkParams":{{}},"hash_used":"none"}}"#
            ),
            "a client-initialize response",
        ),
        (r#"{"has_updates":true,"time":99,"condition_map":{}}"#.into(), "parts missing"),
        ("<html>".into(), "HTML"),
        (specs(99, true)[..60].to_owned(), "damaged JSON"),
    ]
}

/// A store with the required methods only, which does not say under which key an entry stands.
struct Nameless(InMemoryDataStore);

#[async_trait::async_trait]
impl DataStore for Nameless {
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
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        true
    }
    async fn get_entry(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        Ok(self.0.get_entry(request).await?.map(|mut entry| {
            entry.key = None;
            entry
        }))
    }
}

#[tokio::test]
async fn what_cannot_be_used_hides_no_other_entry() {
    for (other, what) in others() {
        let store = InMemoryDataStore::new();
        leave(&store, KeySchema::Hashed, &other).await;
        for held in [0, 5] {
            let reason = error(ask(&source(store.clone()), held).await);
            assert!(reason.contains(what) && reason.contains("plain_text"), "{reason}");
        }
        // The good one stands under another key, and is not even the newest by what others claim.
        leave(&store, KeySchema::Prefix, specs(7, true)).await;
        for held in [0, 5] {
            assert_eq!(document(ask(&source(store.clone()), held).await), specs(7, true), "{other}");
            assert_eq!(document(ask(&source(Nameless(store.clone())), held).await), specs(7, true), "{other}");
        }
        let from_store = source(store.clone());
        assert!(matches!(ask(&from_store, 7).await, Ok(SpecFetch::Updated(_) | SpecFetch::Unchanged)), "{other}");
    }
}

#[tokio::test]
async fn an_entry_that_the_client_refuses_hides_no_other() {
    let store = InMemoryDataStore::new();
    let of_another_project = specs(90, true).replacen('{', r#"{"hashed_sdk_key_used":"1","#, 1);
    leave(&store, KeySchema::Hashed, &of_another_project).await;
    leave(&store, KeySchema::Prefix, specs(7, true)).await;
    let from_store = source(store.clone());
    assert_eq!(document(ask(&from_store, 0).await), of_another_project, "its outside tells nothing");
    assert_eq!(document(ask(&from_store, 0).await), specs(7, true), "it was refused");
    // Once there is nothing else, its failure shows.
    leave(&store, KeySchema::Prefix, "").await;
    assert_eq!(document(ask(&from_store, 7).await), of_another_project);
    assert_eq!(document(ask(&from_store, 7).await), of_another_project);
    // Repaired by the next good one.
    leave(&store, KeySchema::Hashed, specs(91, true)).await;
    assert_eq!(document(ask(&from_store, 7).await), specs(91, true));
}

#[tokio::test]
async fn gzip_and_byte_order_marks_are_read_everywhere() {
    let (text, store) = (specs(7, true), InMemoryDataStore::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specs.json");
    let file = FileSpecSource::new(&path, clock());
    let with_mark = format!("\u{feff}{text}");
    for (value, expected) in
        [(gzip(&text), &text), (with_mark.clone().into_bytes(), &with_mark), (gzip(&with_mark), &with_mark)]
    {
        leave(&store, KeySchema::Hashed, &value).await;
        assert_eq!(document(ask(&source(store.clone()), 0).await), *expected);
        std::fs::write(&path, &value).unwrap();
        assert_eq!(document(ask(&file, 0).await), *expected);
        assert!(matches!(ask(&file, 7).await, Ok(SpecFetch::Updated(_))), "no checksum tells that it is the same");
        assert_eq!(document(ask(&BootstrapSpecSource::new(value, clock()), 0).await), *expected);
    }
    // What is wrong with it is said.
    std::fs::write(&path, &gzip(&text)[..30]).unwrap();
    let reason = error(ask(&file, 0).await);
    assert!(reason.contains("specs.json: damaged gzip data"), "{reason}");
    std::fs::write(&path, gzip(&" ".repeat(10_000))).unwrap();
    let reason = error(ask(&file.clone().with_max_bytes(9_999), 0).await);
    assert!(reason.contains("gzip data of more than 9999 bytes, decompressed"), "{reason}");
    leave(&store, KeySchema::Hashed, &gzip("garbage")).await;
    let reason = error(ask(&source(store), 0).await);
    assert!(reason.contains("text that is not JSON"), "{reason}");
}

#[tokio::test]
async fn integral_floats_count_as_integers() {
    let store = InMemoryDataStore::new();
    for written in ["7.0", "7e0", "0.7e1"] {
        let text = specs(5, true).replacen(r#""time":5"#, &format!(r#""time":{written}"#), 1);
        leave(&store, KeySchema::Hashed, &text).await;
        let target = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let sources = SpecSources::new().then(Arc::new(source(store.clone())));
        let sync = SpecSync::new(
            SyncOptions::default(),
            RulesetTarget::new(Arc::clone(&target)),
            sources,
            clock(),
            &Handle::current(),
        );
        assert_eq!(sync.initialize().await.specs_time, 7, "{written}");
    }
}

#[tokio::test]
async fn an_entry_from_the_future_is_the_last_choice() {
    let store = InMemoryDataStore::new();
    let far = NOW as u64 * 1_000;
    leave(&store, KeySchema::Hashed, specs(far, true)).await;
    assert_eq!(document(ask(&source(store.clone()), 0).await), specs(far, true), "better than nothing");
    assert!(matches!(ask(&source(store.clone()), 5).await, Ok(SpecFetch::Unchanged | SpecFetch::Behind)));
    leave(&store, KeySchema::Prefix, specs(7, true)).await;
    for held in [0, 5] {
        assert_eq!(document(ask(&source(store.clone()), held).await), specs(7, true));
    }
}

#[tokio::test]
async fn a_time_from_the_future_is_never_asked_with() {
    /// Notes the times it is asked with.
    struct Noted(std::sync::Mutex<Vec<u64>>, u64);

    #[async_trait::async_trait]
    impl SpecSource for Noted {
        fn name(&self) -> &str {
            "network"
        }
        fn origin(&self) -> SpecOrigin {
            SpecOrigin::Network
        }
        fn reach(&self) -> Reach {
            Reach::Upstream
        }
        async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
            self.0.lock().unwrap().push(request.since_time_ms());
            let update =
                SpecUpdate::new(specs(self.1, true).into_bytes(), self.origin(), self.reach(), clock().now_ms() as u64);
            Ok(SpecFetch::Updated(update))
        }
    }

    for (time, asked) in [(NOW as u64 * 1_000, 0), (NOW as u64 + 3_600_000, NOW as u64 + 3_600_000)] {
        let network = Arc::new(Noted(std::sync::Mutex::default(), time));
        let target = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let sources = SpecSources::new().then(network.clone());
        let sync =
            SpecSync::new(SyncOptions::default(), RulesetTarget::new(target), sources, clock(), &Handle::current());
        assert_eq!(sync.initialize().await.specs_time, time);
        sync.sync_now().await;
        assert_eq!(*network.0.lock().unwrap(), [0, asked]);
    }
}

#[tokio::test]
async fn the_writer_replaces_what_cannot_be_used() {
    for (other, _) in others() {
        let store = InMemoryDataStore::new();
        leave(&store, KeySchema::Hashed, &other).await;
        let update = SpecUpdate::new(specs(7, true).into_bytes(), SpecOrigin::Network, Reach::Upstream, NOW as u64);
        let mut sources = SpecSources::new().then(Arc::new(Fixed(update)));
        sources.write_back = Some(StoreWriter::new(Arc::new(store.clone()), &key(), KeySchema::Hashed));
        let target = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let sync =
            SpecSync::new(SyncOptions::default(), RulesetTarget::new(target), sources, clock(), &Handle::current());
        let details = sync.initialize().await;
        assert_eq!(details.attempts[0].outcome, AttemptOutcome::Applied);
        let written = async { until(|| sync.health().kept.0 == 1).await };
        tokio::time::timeout(30 * SECOND, written).await.unwrap();
        let found = store.get(&place(KeySchema::Hashed).name).await.unwrap().result;
        assert_eq!(found, Some(specs(7, true)), "instead of {other}");
        // A newer one that can be used stays.
        store
            .put_entry(&place(KeySchema::Hashed).name, &StoreEntry::json(specs(9, true).into_bytes()), PutMode::Force)
            .await
            .unwrap();
        sync.sync_now().await;
        sync.shutdown(SECOND).await;
    }
}

/// A source of the network that gives the same each time.
struct Fixed(SpecUpdate);

#[async_trait::async_trait]
impl SpecSource for Fixed {
    fn name(&self) -> &str {
        "network"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Network
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }
    async fn fetch(&self, _: &SpecRequest) -> Result<SpecFetch, SourceError> {
        Ok(SpecFetch::Updated(self.0.clone()))
    }
}
