//! Each source against a real peer: a server on loopback, a folder, a store.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::testing::{spec_source_contract, spec_stream_contract};
use statsig_core::{
    DataStore, DataStoreError, InMemoryDataStore, KeySchema, Reach, SourceError, SourceErrorKind, SpecFetch,
    SpecOrigin, SpecRequest, SpecSource, SpecTrigger, SpecUpdate, SpecVersion, StoreFormat, StoreKeys, StorePath,
    StoreResponse,
};
use statsig_net::sources::{BootstrapSpecSource, DataStoreSpecSource, FileSpecSource, LastKnownGood, SourceChain};
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault, FrozenTime};

use crate::common::{KEY, clock, key, network, network_with, specs, watched_network};

fn held(time: u64, trigger: SpecTrigger) -> SpecRequest {
    SpecRequest::new((time > 0).then(|| SpecVersion::new(time, None)), trigger).with_protobuf(cfg!(feature = "proto"))
}

fn document(fetched: Result<SpecFetch, SourceError>) -> Vec<u8> {
    match fetched {
        Ok(SpecFetch::Updated(update)) => update.payload.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn kind(fetched: Result<SpecFetch, SourceError>) -> SourceErrorKind {
    fetched.unwrap_err().kind()
}

#[tokio::test]
async fn http_keeps_the_contract() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    for coding in [None, Some(Coding::Gzip), Some(Coding::Brotli)] {
        server.compress(coding);
        let update = spec_source_contract(&network(&server).spec_source()).await;
        assert_eq!(update.payload, specs(5, true).as_bytes());
        assert_eq!(update.address.as_deref(), Some(format!("{}/v2", server.url()).as_str()));
    }
}

#[tokio::test]
async fn http_says_who_asks_and_what_is_held() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    let source = network(&server).spec_source();
    source.fetch(&SpecRequest::default().with_protobuf(cfg!(feature = "proto"))).await.unwrap();
    let held = SpecVersion::new(5, Some("12&3"));
    let again = source
        .fetch(&SpecRequest::new(Some(held), SpecTrigger::Background).with_protobuf(cfg!(feature = "proto")))
        .await;
    assert!(matches!(again, Ok(SpecFetch::Unchanged)));

    let [first, second] = &server.requests()[..] else { panic!() };
    assert_eq!(first.method, "GET");
    assert!(first.target.starts_with(&format!("/v2/download_config_specs/{KEY}.json")), "{}", first.target);
    assert_eq!((first.query("sinceTime"), first.query("checksum")), (None, None));
    assert_eq!((second.query("sinceTime"), second.query("checksum")), (Some("5"), Some("12%263")));
    let codings = if cfg!(feature = "proto") { "statsig-br, gzip, deflate, br" } else { "gzip, deflate, br" };
    for (name, value) in [
        ("statsig-api-key", KEY),
        ("statsig-sdk-type", "rust-server-oss"),
        ("statsig-client-time", "1790000000000"),
        ("x-request-service", "tests"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    assert!(first.header("accept-encoding").unwrap().starts_with(codings));
    assert_eq!(first.header("statsig-supports-proto").is_some(), cfg!(feature = "proto"));
    assert_eq!(first.header("content-type"), None);
    assert_eq!(first.header("statsig-server-session-id"), second.header("statsig-server-session-id"));
    assert!(first.header("user-agent").unwrap().ends_with("statsig-service/tests"));
}

#[tokio::test]
async fn http_answers_by_status() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    let source = network(&server).spec_source();
    use SourceErrorKind::{Empty, Failing, Refused, Unreachable};
    let rows = [
        (400, Some((Refused, false))),
        (401, Some((Refused, false))),
        (403, Some((Refused, false))),
        (404, Some((Refused, false))),
        (429, Some((Refused, false))),
        (501, Some((Refused, false))),
        (408, Some((Failing, true))),
        (500, Some((Failing, true))),
        (503, Some((Failing, true))),
        (599, Some((Failing, true))),
        (204, None),
        (304, None),
    ];
    for (status, expected) in rows {
        server.fail_always(Endpoint::SpecsV1, Some(Fault::Status(status, "<h1>no</h1>".into())));
        server.fail_always(Endpoint::SpecsV2, Some(Fault::StatusWith(status, "x-nothing", String::new())));
        let fetched = source.fetch(&held(3, SpecTrigger::Manual)).await;
        match expected {
            None => {
                assert!(matches!(fetched, Ok(SpecFetch::Unchanged)), "{status}");
                assert_eq!(kind(source.fetch(&SpecRequest::default()).await), Empty, "{status}");
            }
            Some(expected) => {
                let error = fetched.unwrap_err();
                assert_eq!((error.kind(), error.is_retryable()), expected, "{status}");
            }
        }
    }
    for body in [r#"{"has_updates":false}"#, "", " { \"has_updates\" : false, \"x\": [1] } "] {
        server.fail_always(Endpoint::SpecsV2, Some(Fault::Body(body.into())));
        assert!(matches!(source.fetch(&held(3, SpecTrigger::Manual)).await, Ok(SpecFetch::Unchanged)), "{body}");
        assert_eq!(kind(source.fetch(&SpecRequest::default()).await), Empty);
    }
    // What is not JSON is for the asking side to judge, whatever its type.
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Typed("text/html", b"<html>".to_vec())));
    assert_eq!(document(source.fetch(&held(3, SpecTrigger::Manual)).await), b"<html>");
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Close));
    assert_eq!(kind(source.fetch(&held(3, SpecTrigger::Manual)).await), Unreachable);
}

#[tokio::test]
async fn http_polls_try_again_and_other_questions_do_not() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, String::new())));
    let (network, mut exchanges) = watched_network(&server, |_| {});
    let source = Arc::new(network.spec_source());
    for trigger in [SpecTrigger::Initial, SpecTrigger::Manual] {
        assert_eq!(kind(source.fetch(&held(3, trigger)).await), SourceErrorKind::Failing);
    }
    assert_eq!(server.requests().len(), 2);

    let poll = |source: &Arc<statsig_net::sources::HttpSpecSource>| {
        let source = Arc::clone(source);
        tokio::spawn(async move { source.fetch(&held(3, SpecTrigger::Background)).await })
    };
    let polled = poll(&source);
    exchanges.next(&time).await;
    for (shortest, longest) in [(160, 240), (320, 480), (640, 960)] {
        // Measured in steps of a tenth of a second.
        let pause = exchanges.next(&time).await.as_millis();
        assert!(pause >= shortest && pause <= longest + 100, "{pause}");
    }
    assert_eq!(kind(polled.await.unwrap()), SourceErrorKind::Failing);
    assert_eq!(server.requests().len(), 6);

    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(403, String::new())));
    assert_eq!(kind(poll(&source).await.unwrap()), SourceErrorKind::Refused);
    assert_eq!(server.requests().len(), 7);

    // A server that asks for a pause gets it.
    server.fail_always(Endpoint::SpecsV2, Some(Fault::StatusWith(503, "retry-after", "9".into())));
    let error = poll(&source).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (SourceErrorKind::Failing, Some(Duration::from_secs(9))));
    assert_eq!(server.requests().len(), 8);
    // One that hangs is known to after one time limit.
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Hang));
    let begun = tokio::time::Instant::now();
    let polled = poll(&source);
    exchanges.begins(&time).await;
    server.wait_for_requests(Endpoint::SpecsV2, 9).await;
    while !polled.is_finished() {
        time.advance(Duration::from_millis(500)).await;
    }
    assert_eq!(kind(polled.await.unwrap()), SourceErrorKind::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(13) && server.requests().len() == 9);
}

#[tokio::test]
async fn http_turns_to_version_1_where_version_2_is_unknown() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(5, true));
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(404, String::new())));
    let source = network(&server).spec_source();
    for _ in 0..2 {
        assert_eq!(document(source.fetch(&SpecRequest::default()).await), specs(5, true).as_bytes());
    }
    assert_eq!((server.requests_to(Endpoint::SpecsV2).len(), server.requests_to(Endpoint::SpecsV1).len()), (1, 2));

    // Who names a version gets that one.
    let strict = network_with(&server, |options| {
        options.endpoints.specs_url = Some(format!("{}/v2/download_config_specs/", server.url()));
    });
    assert_eq!(kind(strict.spec_source().fetch(&SpecRequest::default()).await), SourceErrorKind::Refused);
    assert_eq!(server.requests_to(Endpoint::SpecsV1).len(), 2);
}

#[tokio::test]
async fn statsigs_own_servers_are_a_fallback_for_others_only() {
    let server = FakeStatsig::start().unwrap();
    assert_eq!(network(&server).fallback_spec_source().unwrap().name(), "statsig-network");
    assert!(network_with(&server, |options| options.endpoints.api = None).fallback_spec_source().is_none());
}

#[tokio::test]
async fn bootstrap_keeps_the_contract() {
    let source = BootstrapSpecSource::new(specs(5, true).into_bytes(), clock());
    assert_eq!(spec_source_contract(&source).await.origin, SpecOrigin::Bootstrap);
    assert!(!source.wants_polling().await);
    source.set(specs(6, true).into_bytes());
    assert_eq!(document(source.fetch(&held(5, SpecTrigger::Manual)).await), specs(6, true).as_bytes());
    source.set(&b""[..]);
    assert_eq!(kind(source.fetch(&SpecRequest::default()).await), SourceErrorKind::Empty);
}

#[tokio::test]
async fn files_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let source = FileSpecSource::in_folder(folder.path(), &key(), clock());
    assert_eq!(kind(source.fetch(&SpecRequest::default()).await), SourceErrorKind::Empty);
    let path = folder.path().join(format!(
        "{}_specs.json",
        KEY.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    ));
    std::fs::write(&path, specs(5, true)).unwrap();
    assert_eq!(spec_source_contract(&source).await.origin, SpecOrigin::Adapter("FileBased".into()));
    assert_eq!(kind(source.clone().with_max_bytes(10).fetch(&SpecRequest::default()).await), SourceErrorKind::Invalid);
    assert_eq!(
        kind(FileSpecSource::new(folder.path(), clock()).fetch(&SpecRequest::default()).await),
        SourceErrorKind::Failing
    );
}

#[tokio::test(start_paused = true)]
async fn file_watchers_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("specs.json");
    let stream = FileSpecSource::new(&path, clock()).stream();
    let mut time = 0;
    // Replaced, or written in place.
    let last = spec_stream_contract(&stream, || {
        time += 1;
        if time % 2 == 0 {
            std::fs::write(&path, specs(1 << time, true)).unwrap();
        } else {
            let new = folder.path().join("new.json");
            std::fs::write(&new, specs(1 << time, true)).unwrap();
            std::fs::rename(new, &path).unwrap();
        }
    })
    .await;
    assert_eq!(last.unwrap().payload, specs(1 << time, true).as_bytes());
}

#[tokio::test]
async fn the_last_known_good_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let kept = LastKnownGood::new(folder.path().join("made/when/needed"), &key());
    assert_eq!(kind(kept.fetch(&SpecRequest::default()).await), SourceErrorKind::Empty);
    for time in [4, 5] {
        let update = SpecUpdate::new(specs(time, true).into_bytes(), SpecOrigin::Network, Reach::Upstream, 17);
        kept.keep(Arc::new(update)).await.unwrap();
    }
    let update = spec_source_contract(&kept).await;
    assert_eq!((update.payload, update.received_at_ms), (specs(5, true).into_bytes().into(), 17));
    assert!(!kept.path().to_str().unwrap().contains("AbCdE"));
    let files = std::fs::read_dir(kept.path().parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1, "a temporary file is left");
    let other = LastKnownGood::new(kept.path().parent().unwrap(), &statsig_net::SdkKey::new("secret-other"));
    assert_eq!(kind(other.fetch(&SpecRequest::default()).await), SourceErrorKind::Empty);

    let whole = std::fs::read(kept.path()).unwrap();
    for damaged in [&whole[..whole.len() - 1], &whole[..20], &whole[1..], b"", &[b'x'; 5_000]] {
        std::fs::write(kept.path(), damaged).unwrap();
        assert_eq!(kind(kept.fetch(&SpecRequest::default()).await), SourceErrorKind::Invalid);
    }
}

#[tokio::test]
async fn data_stores_keep_the_contract() {
    for schema in [KeySchema::Hashed, KeySchema::Prefix] {
        for path in [StorePath::SpecsV2, StorePath::SpecsV1] {
            let store = Arc::new(InMemoryDataStore::new());
            let source = DataStoreSpecSource::new(Arc::clone(&store) as Arc<dyn DataStore>, &key(), schema, clock());
            assert_eq!(kind(source.fetch(&SpecRequest::default()).await), SourceErrorKind::Empty);
            let name = StoreKeys::new(KEY).key(&path, StoreFormat::PlainText, schema).name;
            store.set(&name, &specs(5, true), None).await.unwrap();
            let update = spec_source_contract(&source).await;
            assert_eq!(
                (update.origin, update.address.as_deref()),
                (SpecOrigin::Adapter("DataStore".into()), Some("datastore"))
            );
        }
    }
}

/// A store of one value that takes text only, and fails at first.
struct TextStore(std::sync::atomic::AtomicU32);

#[async_trait::async_trait]
impl DataStore for TextStore {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Err(DataStoreError::new(statsig_core::DataStoreErrorKind::Unavailable, "not yet")),
            _ => Ok(()),
        }
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        Ok(StoreResponse::new(key.contains("/v2/").then(|| specs(5, true))))
    }
    async fn set(&self, _: &str, _: &str, _: Option<u64>) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn support_polling_updates_for(&self, path: &StorePath) -> bool {
        *path != StorePath::SpecsV2
    }
}

#[tokio::test]
async fn data_stores_may_take_text_only_and_start_late() {
    let source = DataStoreSpecSource::new(Arc::new(TextStore(0.into())), &key(), KeySchema::Hashed, clock());
    assert_eq!(kind(source.fetch(&SpecRequest::default()).await), SourceErrorKind::Unreachable);
    assert_eq!(document(source.fetch(&SpecRequest::default()).await), specs(5, true).as_bytes());
    assert!(!source.wants_polling().await);
}

#[tokio::test]
async fn data_store_feeds_keep_the_contract() {
    let store = Arc::new(InMemoryDataStore::new());
    let name = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed).name;
    let source = DataStoreSpecSource::new(Arc::clone(&store) as Arc<dyn DataStore>, &key(), KeySchema::Hashed, clock());
    let mut time = 0;
    let last = spec_stream_contract(&source.stream(), || {
        time += 1;
        let (store, name) = (Arc::clone(&store), Arc::clone(&name));
        // The in-memory store never waits.
        let mut set = std::pin::pin!(async move { store.set(&name, &specs(time, true), None).await.unwrap() });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(set.as_mut(), &mut context).is_ready());
    })
    .await;
    assert_eq!(last.unwrap().payload, specs(time, true).as_bytes());
}

#[tokio::test]
async fn chains_give_the_first_success() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, KEY.into())));
    let http = Arc::new(network(&server).spec_source());
    let bootstrap = Arc::new(BootstrapSpecSource::new(specs(5, true).into_bytes(), clock()));
    let chain = SourceChain::new("mirrors", SpecOrigin::Bootstrap, vec![http.clone(), bootstrap]);
    spec_source_contract(&chain).await;
    let failing = SourceChain::new("mirrors", SpecOrigin::Network, vec![http]);
    let error = failing.fetch(&SpecRequest::default()).await.unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("network: ") && text.contains("500") && !text.contains("fGhIjK"), "{text}");
    let empty = SourceChain::new("none", SpecOrigin::Network, vec![]);
    assert_eq!(kind(empty.fetch(&SpecRequest::default()).await), SourceErrorKind::Misconfigured);
}

/// What a store says to reads of bytes, and how often it was read.
struct Bytes {
    answer: fn() -> Result<Option<Vec<u8>>, DataStoreError>,
    reads: std::sync::atomic::AtomicU32,
    text_reads: std::sync::atomic::AtomicU32,
}

#[async_trait::async_trait]
impl DataStore for Bytes {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        self.text_reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(StoreResponse::new(key.contains("plain_text").then(|| specs(5, true))))
    }
    async fn set(&self, _: &str, _: &str, _: Option<u64>) -> Result<(), DataStoreError> {
        Ok(())
    }
    async fn get_bytes(&self, _: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (self.answer)().map(StoreResponse::new)
    }
    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        true
    }
}

#[tokio::test]
async fn text_is_read_where_bytes_are_not_implemented_and_nowhere_else() {
    use statsig_core::DataStoreErrorKind::{Denied, Timeout, Unavailable};
    type Row = (fn() -> Result<Option<Vec<u8>>, DataStoreError>, Result<(), SourceErrorKind>);
    let rows: [Row; 6] = [
        (|| Err(DataStoreError::bytes_not_implemented()), Ok(())),
        (|| Ok(Some(specs(6, true).into_bytes())), Ok(())),
        (|| Ok(None), Err(SourceErrorKind::Empty)),
        (|| Err(DataStoreError::new(Unavailable, "gone")), Err(SourceErrorKind::Unreachable)),
        (|| Err(DataStoreError::new(Timeout, "slow")), Err(SourceErrorKind::TimedOut)),
        (|| Err(DataStoreError::new(Denied, "no")), Err(SourceErrorKind::Refused)),
    ];
    for (row, (answer, expected)) in rows.into_iter().enumerate() {
        let store = Arc::new(Bytes { answer, reads: 0.into(), text_reads: 0.into() });
        let keys = StoreKeys::new(KEY);
        let plain = keys.key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed);
        let source = DataStoreSpecSource::with_keys(store.clone(), vec![plain], clock());
        match (source.fetch(&SpecRequest::default()).await, expected) {
            (Ok(fetched), Ok(())) => {
                assert_eq!(document(Ok(fetched)), specs(if row == 0 { 5 } else { 6 }, true).as_bytes());
            }
            (fetched, Err(expected)) => assert_eq!(kind(fetched), expected, "row {row}"),
            (fetched, Ok(())) => assert!(fetched.is_ok(), "row {row}"),
        }
        let reads = [&store.reads, &store.text_reads].map(|reads| reads.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(reads, [1, u32::from(row == 0)], "reads of bytes and of text, row {row}");
    }
}
