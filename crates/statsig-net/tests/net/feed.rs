//! The engine without an evaluator: polls and a stream into a feed of a proxy.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    DataStore, EntryRequest, InMemoryDataStore, KeySchema, PayloadFormat, StoreFormat, StoreKeys, StorePath,
};
use statsig_net::{
    AttemptOutcome, PayloadTarget, ReadyPolicy, SpecSources, SpecSync, StoreWriter, StreamState, SyncOptions,
};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};
use tokio::runtime::Handle;

use super::common::{KEY, clock, key, network};
use super::common::{Scripted, Stream, until};

const LONG: Duration = Duration::from_secs(30);

/// Config specs that no evaluator of this version compiles.
fn newer_than_the_evaluator(time: u64) -> String {
    format!(
        r#"{{"has_updates":true,"time":{time},"response_format":"dcs-v9","feature_gates":{{"g":{{"type":7}}}},
        "dynamic_configs":{{}},"layer_configs":{{}},"condition_map":{{"c":{{"type":"telepathy"}}}}}}"#
    )
}

#[tokio::test]
async fn polls_and_a_stream_feed_a_proxy_without_an_evaluator() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(newer_than_the_evaluator(5));
    let scripted = Arc::new(Scripted::default());
    let values = InMemoryDataStore::new();
    let mut sources = SpecSources::new()
        .then(Arc::new(network(&server).spec_source()))
        .with_stream(Arc::new(Stream(Arc::clone(&scripted))));
    let writer = StoreWriter::new(Arc::new(values.clone()), &key(), KeySchema::Hashed).and_schema(KeySchema::Prefix);
    sources.write_back = Some(writer);
    let mut options = SyncOptions::default();
    options.sdk_key = Some(key());
    let target = PayloadTarget::new(&[PayloadFormat::Json]);
    let mut payloads = target.subscribe(PayloadFormat::Json);
    let sync = SpecSync::new(options, target, sources, clock(), &Handle::current());

    let details = sync.initialize().await;
    assert!(details.is_config_spec_ready && details.specs_time == 5, "{details:?}");
    let first = payloads.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(first.payload, newer_than_the_evaluator(5));
    assert!(sync.ready(ReadyPolicy::Fresh, Duration::ZERO).await);

    // A stream brings the next one, byte for byte; the upstream has nothing newer.
    scripted.say(Scripted::specs(newer_than_the_evaluator(7)));
    payloads
        .wait_for(|payload| payload.as_ref().is_some_and(|payload| payload.envelope.version.time_ms == 7))
        .await
        .unwrap();
    until(|| sync.health().streams[0].state == StreamState::Live).await;
    let report = sync.sync_now().await;
    assert_eq!((report.updated, &report.attempts[0].outcome), (false, &AttemptOutcome::Unchanged));

    // A poll brings the one after; another kind of payload is refused.
    server.publish_specs(newer_than_the_evaluator(9));
    assert!(sync.sync_now().await.updated);
    assert_eq!(payloads.borrow_and_update().as_ref().unwrap().envelope.version.time_ms, 9);
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Body(r#"{"message":"Forbidden"}"#.into())));
    let report = sync.sync_now().await;
    assert!(!report.success, "{report:?}");
    assert_eq!(sync.health().specs_time, 9);
    assert!(!payloads.has_changed().unwrap());

    // What was accepted is in the store under both schemas.
    for schema in [KeySchema::Hashed, KeySchema::Prefix] {
        let key = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, schema);
        let request = EntryRequest::new([key]);
        let is_written = async || {
            let entry = values.get_entry(&request).await.unwrap();
            entry.is_some_and(|entry| entry.bytes == newer_than_the_evaluator(9))
        };
        while !is_written().await {
            tokio::task::yield_now().await;
        }
    }
    sync.shutdown(LONG).await;
}
