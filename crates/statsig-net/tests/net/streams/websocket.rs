//! WebSocket.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{PayloadFormat, SourceErrorKind, SpecStream, SpecVersion, StreamEvent};
use statsig_net::streams::{ProxyStreamOptions, WebSocketSpecStream};
use statsig_testkit::stream_server::{ServedProtocol, StreamFault};

use super::{Transport, address, ends, failure, next, next_specs, refusal, subscribe, subscribe_at, text};
use crate::common::{clock, identity, specs};

pub(super) const WEBSOCKET: Transport = Transport { protocol: ServedProtocol::WebSocket, stream };

fn stream(url: &str, options: ProxyStreamOptions) -> Result<Arc<dyn SpecStream>, statsig_net::Error> {
    Ok(Arc::new(WebSocketSpecStream::new(&address(url), identity(), options, clock())?))
}

super::cases::tests_of!(WEBSOCKET, "wss://", []);

#[tokio::test]
async fn garbage_is_an_error() {
    super::cases::garbage_is_an_error(WEBSOCKET, SourceErrorKind::Invalid).await;
}

#[tokio::test]
async fn both_protocols_are_spoken() {
    let server = WEBSOCKET.server();
    server.without_additions();
    let stream = WebSocketSpecStream::new(&address(&server.url()), identity(), ProxyStreamOptions::default(), clock());
    let stream = stream.unwrap();
    let mut subscription = subscribe(&stream).await.unwrap();
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(1, true).as_bytes());
    assert_eq!(stream.peer().as_deref(), Some("test-host"));
    server.commit(StreamFault::Garbage);
    assert_eq!(failure(&mut *subscription).await.kind(), SourceErrorKind::Invalid);
    let request = &server.requests()[0];
    assert_eq!(request.target, "/v1/stream_config_specs?sinceTime=0&version=2&accept_deltas=true");
    assert_eq!(request.header("sec-websocket-protocol"), Some("statsig-sfp.bin.v1, statsig-sfp.json.v1"));
    assert!(request.header("user-agent").is_some() && request.header("statsig-server-session-id").is_some());
}

#[tokio::test]
async fn refusals_are_typed_and_have_pauses() {
    let server = WEBSOCKET.server();
    let stream = WEBSOCKET.stream(&server);
    for (status, asked, kind, pause) in [
        (400, None, SourceErrorKind::Refused, None),
        (401, None, SourceErrorKind::Refused, None),
        (403, None, SourceErrorKind::Refused, None),
        (404, None, SourceErrorKind::Refused, Some(600)),
        (426, None, SourceErrorKind::Refused, Some(600)),
        (429, Some(7), SourceErrorKind::Failing, Some(7)),
        (503, Some(9), SourceErrorKind::Failing, Some(9)),
        (500, None, SourceErrorKind::Failing, None),
    ] {
        server.order(StreamFault::Refuse(status, asked));
        let error = refusal(&*stream).await;
        assert_eq!((error.kind(), error.retry_after()), (kind, pause.map(Duration::from_secs)), "{}", text(&error));
        assert!(text(&error).contains(&status.to_string()) && text(&error).contains("refused"), "{}", text(&error));
    }
}

#[tokio::test]
async fn close_codes_are_typed() {
    use SourceErrorKind::{Failing, Invalid, Refused, TimedOut};
    let server = WEBSOCKET.server();
    let stream = WEBSOCKET.stream(&server);
    for (code, kind) in [
        (1000, None),
        (1001, None),
        (1012, None),
        (1002, Some(Invalid)),
        (1009, Some(Invalid)),
        (1011, Some(Failing)),
        (1013, Some(Failing)),
        (4400, Some(Refused)),
        (4401, Some(Refused)),
        (4403, Some(Refused)),
        (4408, Some(TimedOut)),
        (4999, Some(Failing)),
    ] {
        server.order(StreamFault::EndWith(code));
        let mut subscription = subscribe(&*stream).await.unwrap();
        match kind {
            None => assert!(ends(&mut *subscription).await, "{code}"),
            Some(kind) => {
                let error = failure(&mut *subscription).await;
                assert_eq!(error.kind(), kind, "{code}: {}", text(&error));
                assert!(text(&error).contains(&code.to_string()), "{}", text(&error));
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_peer_have_a_kind_and_a_pause() {
    let server = WEBSOCKET.server();
    let stream = WEBSOCKET.stream(&server);
    for (message, kind, pause) in [
        (
            r#"{"type":"error","code":"busy","retryable":true,"retry_after_ms":1500}"#,
            SourceErrorKind::Failing,
            Some(1_500),
        ),
        (r#"{"type":"error","code":"secret-AbCdEfGhIjKlMnOpQrStUvWx"}"#, SourceErrorKind::Refused, None),
        ("no JSON", SourceErrorKind::Invalid, None),
    ] {
        server.order(StreamFault::Raw(message.to_owned()));
        let mut subscription = subscribe(&*stream).await.unwrap();
        let error = failure(&mut *subscription).await;
        assert_eq!((error.kind(), error.retry_after()), (kind, pause.map(Duration::from_millis)), "{}", text(&error));
    }
}

#[tokio::test]
async fn goaway_ends_in_good_order_after_its_time() {
    let server = WEBSOCKET.server();
    let mut subscription = subscribe(&*WEBSOCKET.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::GoAway);
    server.publish(specs(2, true).as_bytes());
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(2, true).as_bytes());
    assert!(ends(&mut *subscription).await);
}

#[tokio::test]
async fn unknown_messages_are_ignored_and_the_specs_asked_for_again() {
    for fault in [
        StreamFault::Raw(r#"{"type":"later"}"#.to_owned()),
        StreamFault::RawBinary(b"\x02anything".to_vec()),
        StreamFault::RawBinary(b"\x01\x63\0\0\0\0\0\0\0\x05\0\0payload".to_vec()),
    ] {
        let server = WEBSOCKET.server();
        let mut subscription = subscribe(&*WEBSOCKET.stream(&server)).await.unwrap();
        next_specs(&mut *subscription).await;
        server.commit(fault);
        let waits = tokio::spawn(async move { next_specs(&mut *subscription).await });
        server.wait_for_requests(2).await;
        assert_eq!(server.requests()[1].target, r#"{"type":"sync","sinceTime":1,"checksum":"c"}"#);
        server.publish(specs(2, true).as_bytes());
        assert_eq!(waits.await.unwrap().payload, specs(2, true).as_bytes());
    }
}

#[tokio::test]
async fn binary_specs_and_deltas_are_handed_on() {
    let server = WEBSOCKET.server();
    let stream = WEBSOCKET.stream(&server);
    let mut subscription = subscribe_at(&*stream, 1).await.unwrap();
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 1 }))));
    server.publish_binary(2, b"binary");
    let update = next_specs(&mut *subscription).await;
    assert_eq!(
        (&*update.payload, update.format, update.delta_base.is_some()),
        (&b"binary"[..], PayloadFormat::Protobuf, false)
    );
    server.commit(StreamFault::RawBinary(b"\x01\x04\0\0\0\0\0\0\0\x03\0\0delta".to_vec()));
    let update = next_specs(&mut *subscription).await;
    assert_eq!(
        (&*update.payload, update.format, update.delta_base.is_some()),
        (&b"delta"[..], PayloadFormat::Protobuf, true)
    );
    assert_eq!(update.delta_base, Some(SpecVersion::new(2, Some("c"))));
}
