//! Implements every adapter trait with names of `statsig` alone, and runs a client on them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig::events::{BatchEncoding, Delivery, ErrorReport, ErrorReporter, EventBatch, EventSink, SinkError};
use statsig::sources::{
    Admission, AdmissionRules, CurrentSpecs, IdListChunk, IdListEntry, IdListManifest, IdListReader, IdListSource,
    Reach, Rejection, RejectionCause, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource,
    SpecStream, SpecSubscription, SpecTarget, SpecUpdate, StreamEvent, async_trait,
};
use statsig::store::{
    ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, StoreKey, StorePath, StoreResponse,
};
use statsig::{Clock, DataSource, Observer, Statsig, StatsigUser, Tag};

/// Returns specs of one public gate.
fn specs(time: u64, gate: &str) -> Vec<u8> {
    format!(
        r#"{{"has_updates": true, "time": {time}, "dynamic_configs": {{}}, "layer_configs": {{}},
            "condition_map": {{"1": {{"type": "public", "idType": "userID"}}}},
            "feature_gates": {{"{gate}": {{"type": "feature_gate", "entity": "feature_gate", "salt": "s",
                "enabled": true, "defaultValue": false, "idType": "userID", "rules": [{{"name": "all", "id": "all",
                "passPercentage": 100, "conditions": ["1"], "returnValue": true, "idType": "userID"}}]}}}}}}"#
    )
    .into_bytes()
}

struct Source;

#[async_trait]
impl SpecSource for Source {
    fn name(&self) -> &str {
        "own-source"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Own".into())
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }
    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        if request.version.is_some() {
            return Ok(SpecFetch::Unchanged);
        }
        Ok(SpecFetch::Updated(SpecUpdate::new(specs(1, "from_source"), self.origin(), self.reach(), 1)))
    }
}

/// Delivers one payload, and then stays silent.
struct Stream;

#[async_trait]
impl SpecStream for Stream {
    fn name(&self) -> &str {
        "own-stream"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("OwnStream".into())
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }
    fn is_quiet(&self) -> bool {
        true
    }
    async fn subscribe(&self, _request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        Ok(Box::new(Subscription(Some(SpecUpdate::new(specs(2, "from_stream"), self.origin(), self.reach(), 2)))))
    }
}

struct Subscription(Option<SpecUpdate>);

#[async_trait]
impl SpecSubscription for Subscription {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        match self.0.take() {
            Some(update) => Ok(Some(StreamEvent::Specs(update))),
            None => std::future::pending().await,
        }
    }
}

#[derive(Default)]
struct Store(Mutex<HashMap<String, String>>);

#[async_trait]
impl DataStore for Store {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        if key.is_empty() {
            return Err(DataStoreError::new(DataStoreErrorKind::Invalid, "an empty key"));
        }
        Ok(StoreResponse::new(self.0.lock().unwrap().get(key).cloned()))
    }
    async fn set(&self, key: &str, value: &str, _time: Option<u64>) -> Result<(), DataStoreError> {
        self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
        Ok(())
    }
    async fn support_polling_updates_for(&self, path: &StorePath) -> bool {
        *path == StorePath::IdListManifest
    }
    async fn watch(&self, _keys: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        Ok(Some(Box::new(Feed)))
    }
}

struct Feed;

#[async_trait]
impl ChangeFeed for Feed {
    async fn next(&mut self) -> Option<ChangeHint> {
        std::future::pending().await
    }
}

struct Lists;

#[async_trait]
impl IdListSource for Lists {
    fn name(&self) -> &str {
        "own-lists"
    }
    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        Ok(IdListManifest::new(vec![IdListEntry::new("vips", "", "f", 3)]))
    }
    async fn read(&self, _entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        Ok(IdListChunk::new(start, b"+a\n".to_vec()))
    }
    async fn open(&self, entry: &IdListEntry, start: u64) -> Result<Box<dyn IdListReader>, SourceError> {
        Ok(Box::new(Reader(Some(self.read(entry, start).await?))))
    }
}

struct Reader(Option<IdListChunk>);

#[async_trait]
impl IdListReader for Reader {
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError> {
        Ok(self.0.take())
    }
}

/// Refuses everything.
struct Target;

impl SpecTarget for Target {
    fn current(&self) -> CurrentSpecs {
        CurrentSpecs::new(SpecOrigin::NoValues, None, 0)
    }
    fn admit(&self, _update: &SpecUpdate, _rules: &AdmissionRules<'_>) -> Admission {
        let error = SourceError::new(SourceErrorKind::Invalid, "nothing is accepted here");
        Admission::Rejected(Rejection::new(RejectionCause::Unusable, error))
    }
}

#[derive(Default)]
struct Sink(Mutex<Vec<(BatchEncoding, u32)>>);

#[async_trait]
impl EventSink for Sink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        self.0.lock().unwrap().push((batch.encoding, batch.event_count));
        Delivery::Delivered
    }
    async fn flush(&self, _within: Duration) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Reporter;

#[async_trait]
impl ErrorReporter for Reporter {
    async fn report(&self, _report: &ErrorReport) -> Result<(), SinkError> {
        Ok(())
    }
}

#[derive(Default)]
struct Metrics(AtomicU64);

impl Observer for Metrics {
    fn increment(&self, _name: &str, by: u64, _tags: &[Tag<'_>]) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

struct Time;

impl Clock for Time {
    fn now_ms(&self) -> i64 {
        1_790_000_000_000
    }
}

#[tokio::test]
async fn a_client_runs_on_adapters_written_with_names_of_this_crate_alone() {
    let (sink, metrics, store) = (Arc::new(Sink::default()), Arc::new(Metrics::default()), Arc::new(Store::default()));
    let (applied, mut times) = tokio::sync::mpsc::unbounded_channel();
    let statsig = Statsig::builder()
        .sdk_key("secret-key")
        .initialize_sources([DataSource::Custom(Arc::new(Source))])
        .config_sync_sources([DataSource::Custom(Arc::new(Source))])
        .spec_stream(Arc::new(Stream))
        .data_store(store.clone())
        .enable_id_lists(false)
        .event_sink(sink.clone())
        .error_reporter(Arc::new(Reporter))
        .observer(metrics.clone())
        .clock(Arc::new(Time))
        .rules_updated_callback(move |updated| {
            let _ = applied.send(updated.time);
        })
        .build()
        .unwrap();
    let details = statsig.initialize().await;
    assert!(details.init_success, "{details:?}");
    // The source's payload, then the stream's.
    while tokio::time::timeout(Duration::from_secs(30), times.recv()).await.unwrap() != Some(2) {}
    let user = StatsigUser::with_user_id("u-1");
    assert!(statsig.check_gate(&user, "from_stream") && !statsig.check_gate(&user, "from_source"));
    let report = statsig.shutdown(Duration::from_secs(30)).await;
    assert!(report.events.is_complete(), "{report:?}");
    assert_eq!(sink.0.lock().unwrap().iter().map(|(_, events)| events).sum::<u32>(), 2);
    assert!(metrics.0.load(Ordering::Relaxed) > 0);
    // Upstream payloads are written to the store.
    assert!(store.0.lock().unwrap().values().any(|value| value.contains("from_stream")));
    assert!(matches!(Target.current().origin, SpecOrigin::NoValues));
    assert_eq!(Lists.manifest().await.unwrap().entries.len(), 1);
}
