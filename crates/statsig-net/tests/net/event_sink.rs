//! Events to a server on loopback.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::testing::event_sink_contract;
use statsig_core::{
    BatchEncoding, CompileLimits, Delivery, EventBatch, EventSink, Reach, SdkMetadata, Snapshot, SnapshotStore,
    SpecOrigin, SpecUpdate,
};
use statsig_net::EventSinkOptions;
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault, FrozenTime};

use crate::common::{KEY, network, network_with, specs, watched_network};

fn batch(attempt: u32) -> EventBatch {
    let body = br#"[{"eventName":"a"},{"eventName":"b"}]"#;
    EventBatch::new([7; 16], 0, 2, &body[..], BatchEncoding::Identity, body.len()).with_attempt(attempt)
}

#[tokio::test]
async fn keeps_the_contract() {
    let server = FakeStatsig::start().unwrap();
    let sink = network(&server).event_sink(EventSinkOptions::default());
    let delivered = event_sink_contract(&sink).await;
    let mut names: Vec<String> =
        server.events().iter().map(|event| event["eventName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    let expected: u32 = delivered.iter().map(|batch| batch.event_count).sum();
    assert_eq!(names.len(), expected as usize);
}

#[tokio::test]
async fn requests_say_what_they_hold() {
    let server = FakeStatsig::start().unwrap();
    let mut options = EventSinkOptions::default();
    options.flushing_interval = Some(Duration::from_secs(60));
    options.batch_size = Some(500);
    let compiler = options.language_version.replace("3.14".into()).unwrap();
    assert!(compiler.starts_with("1.") && compiler.split('.').count() >= 3, "{compiler}");
    let snapshots = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
    options.snapshots = Some(Arc::clone(&snapshots));
    let sink = network(&server).event_sink(options);
    assert!(sink.deliver(&batch(3)).await.is_delivered());

    let sent = &server.requests()[0];
    assert_eq!((&*sent.method, &*sent.target), ("POST", "/v1/log_event"));
    for (name, value) in [
        ("statsig-api-key", KEY),
        ("statsig-sdk-type", "rust-server-oss"),
        ("statsig-sdk-version", env!("CARGO_PKG_VERSION")),
        ("statsig-client-time", "1790000000000"),
        ("x-request-service", "tests"),
        ("statsig-event-count", "2"),
        ("statsig-retry-count", "3"),
        ("statsig-retry", "3"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("content-length", &sent.body.len().to_string()),
    ] {
        assert_eq!(sent.header(name), Some(value), "{name}");
    }
    let body = sent.json().unwrap();
    let session = sent.header("statsig-server-session-id").unwrap();
    let expected = serde_json::json!({
        "events": [{"eventName": "a"}, {"eventName": "b"}],
        "statsigMetadata": {"sdkType": "rust-server-oss", "sdkVersion": env!("CARGO_PKG_VERSION"), "sessionID": session,
            "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "languageVersion": "3.14", "service_name": "tests", "flushingIntervalMs": 60_000, "batchSize": 500, "flushType": "scheduled:max_time"},
    });
    assert_eq!(body.to_string(), expected.to_string());

    // The project may have the compression switched off.
    let document = specs(1, true).replacen('{', r#"{"sdk_flags":{"stop_log_event_compression":true},"#, 1);
    let update = SpecUpdate::new(document.into_bytes(), SpecOrigin::Network, Reach::Upstream, 0);
    snapshots.apply(&update, &CompileLimits::default()).unwrap();
    assert!(sink.deliver(&batch(0)).await.is_delivered());
    let plain = &server.requests()[1];
    assert_eq!((plain.header("content-encoding"), plain.json().unwrap()), (None, expected));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn metadata_of_another_sdk_replaces_that_of_this_one() {
    let server = FakeStatsig::start().unwrap();
    let sink = network(&server).event_sink(EventSinkOptions::default());
    let json = r#"{"sdkType":"py-server","sdkVersion":"0.71.6","sessionID":"theirs","flushType":"limit","x":1.5}"#;
    let metadata = SdkMetadata::new().with_service_name("shop").with_statsig_metadata(json).unwrap();
    assert!(sink.deliver(&batch(0).with_metadata(Some(Arc::new(metadata)))).await.is_delivered());
    // What no header can carry is left out, and nothing of this SDK takes its place.
    let metadata = SdkMetadata::new().with_sdk_type("a\nb");
    assert!(sink.deliver(&batch(0).with_metadata(Some(Arc::new(metadata)))).await.is_delivered());

    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    for (name, value) in [
        ("statsig-api-key", Some(KEY)),
        ("statsig-client-time", Some("1790000000000")),
        ("statsig-sdk-type", Some("py-server")),
        ("statsig-sdk-version", Some("0.71.6")),
        ("statsig-server-session-id", Some("theirs")),
        ("x-request-service", Some("shop")),
        ("statsig-event-count", Some("2")),
    ] {
        assert_eq!(first.header(name), value, "{name}");
    }
    let body = first.json().unwrap();
    assert_eq!(body["statsigMetadata"].to_string(), json);
    assert_eq!(body["events"].as_array().map(Vec::len), Some(2));
    for name in ["statsig-sdk-type", "statsig-sdk-version", "statsig-server-session-id", "x-request-service"] {
        assert_eq!(second.header(name), None, "{name}");
    }
    assert_eq!(second.json().unwrap()["statsigMetadata"], serde_json::json!({"sdkType": "a\nb"}));
}

#[tokio::test]
async fn outcomes_by_answer() {
    let server = FakeStatsig::start().unwrap();
    let sink = network(&server).event_sink(EventSinkOptions::default());
    type Expected = fn(&Delivery) -> bool;
    let delivered: Expected = Delivery::is_delivered;
    let retry: Expected = |delivery| matches!(delivery, Delivery::Retry { after: None, .. });
    let later: Expected =
        |delivery| matches!(delivery, Delivery::Retry { after: Some(after), .. } if after.as_secs() == 9);
    let much_later: Expected =
        |delivery| matches!(delivery, Delivery::Retry { after: Some(after), .. } if after.as_secs() == 86_400);
    let unconfirmed: Expected = |delivery| matches!(delivery, Delivery::Unconfirmed { .. });
    let refused: Expected = |delivery| matches!(delivery, Delivery::Refused { after: None, .. });
    let refused_until: Expected =
        |delivery| matches!(delivery, Delivery::Refused { after: Some(after), .. } if after.as_secs() == 9);
    let split: Expected = |delivery| matches!(delivery, Delivery::TooLarge);
    let body = |text: &str| Fault::Body(text.into());
    let status = |status| Fault::Status(status, format!("<b>{KEY}</b>"));
    let mut rows = vec![
        (body(r#"{"success":true}"#), delivered),
        (body(r#"{"success":null}"#), delivered),
        (body("{}"), delivered),
        (body(""), unconfirmed),
        (body("OK"), unconfirmed),
        (body("[]"), unconfirmed),
        (Fault::Typed("text/html", b"<html>Log in</html>".to_vec()), unconfirmed),
        (status(204), unconfirmed),
        (status(299), unconfirmed),
        (Fault::Bomb(Coding::Gzip, 8 << 20), unconfirmed),
        (Fault::Endless, unconfirmed),
        (Fault::Cut(3), unconfirmed),
        (body(r#"{"success":false}"#), retry),
        (status(413), split),
        (status(429), retry),
        (Fault::StatusWith(429, "retry-after", "9".into()), later),
        (Fault::StatusWith(503, "retry-after", "9".into()), later),
        (Fault::StatusWith(503, "retry-after", "18446744073709551616".into()), much_later),
        (Fault::StatusWith(403, "retry-after", "9".into()), refused_until),
        (Fault::StatusWith(302, "location", "/elsewhere".into()), retry),
        (Fault::StatusWith(307, "location", "https://elsewhere.example/".into()), retry),
        (status(304), retry),
        (Fault::Close, retry),
        (Fault::Garbage, retry),
    ];
    rows.extend([400, 401, 403, 405, 501].map(|code| (status(code), refused)));
    rows.extend([404, 408, 418, 500, 502, 503, 504, 522, 524, 599].map(|code| (status(code), retry)));
    for (fault, expected) in rows {
        server.fail_once(Endpoint::Events, fault.clone());
        let outcome = sink.deliver(&batch(0)).await;
        assert!(expected(&outcome), "{fault:?}: {outcome:?}");
        let text = format!("{outcome:?}");
        assert!(!text.contains("fGhIjK") && !text.contains("<b>") && text.len() < 300, "{text}");
    }
    let single = EventBatch::new([7; 16], 0, 1, &b"[1]"[..], BatchEncoding::Identity, 3);
    server.fail_once(Endpoint::Events, status(413));
    assert!(refused(&sink.deliver(&single).await), "a single event cannot be halved");
    let gone = FakeStatsig::start().unwrap();
    let sink = network(&gone).event_sink(EventSinkOptions::default());
    gone.stop();
    assert!(retry(&sink.deliver(&batch(0)).await));
}

#[tokio::test]
async fn an_attempt_has_an_end() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::Events, Some(Fault::Hang));
    let (network, _) = watched_network(&server, |_| {});
    let sink = network.event_sink(EventSinkOptions::default());
    let delivery = tokio::spawn(async move { sink.deliver(&batch(0)).await });
    server.wait_for_requests(Endpoint::Events, 1).await;
    time.advance(Duration::from_millis(9_900)).await;
    assert!(!delivery.is_finished());
    time.advance(Duration::from_millis(200)).await;
    assert!(delivery.await.unwrap().is_retryable());
}

#[tokio::test]
async fn a_batch_that_nobody_can_read_is_rejected_at_once() {
    let server = FakeStatsig::start().unwrap();
    let sink = network_with(&server, |_| {}).event_sink(EventSinkOptions::default());
    let lie = EventBatch::new([7; 16], 0, 2, &b"not gzip"[..], BatchEncoding::Gzip, 10);
    assert!(matches!(sink.deliver(&lie).await, Delivery::Reject { .. }));
    assert_eq!(server.requests().len(), 0);
}
