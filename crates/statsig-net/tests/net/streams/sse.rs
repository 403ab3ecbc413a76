//! Server-sent events.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{SourceErrorKind, SpecStream, StreamEvent};
use statsig_net::streams::{ProxyStreamOptions, SseSpecStream};
use statsig_net::transport::{HttpClient, ReqwestTransport, TransportOptions};
use statsig_testkit::server::{Endpoint, FakeStatsig};
use statsig_testkit::stream_server::{ServedProtocol, StreamFault};

use super::{Transport, address, failure, next, next_specs, refusal, subscribe, subscribe_at, text};
use crate::common::{clock, identity, specs};

pub(super) const SSE: Transport = Transport { protocol: ServedProtocol::Sse, stream };

fn stream(url: &str, options: ProxyStreamOptions) -> Result<Arc<dyn SpecStream>, statsig_net::Error> {
    Ok(Arc::new(SseSpecStream::new(&address(url), identity(), options, clock())?))
}

super::cases::tests_of!(SSE, "sse+https://", []);

#[tokio::test]
async fn garbage_is_an_error() {
    super::cases::garbage_is_an_error(SSE, SourceErrorKind::Unreachable).await;
}

#[tokio::test]
async fn the_end_of_the_answer_is_none() {
    super::cases::an_end_in_good_order_is_none(SSE, 0).await;
}

#[tokio::test]
async fn requests_resume_at_what_is_held() {
    let server = SSE.server();
    let stream =
        SseSpecStream::new(&address(&server.url()), identity(), ProxyStreamOptions::default(), clock()).unwrap();
    let client = HttpClient::new(Arc::new(ReqwestTransport::new(&TransportOptions::default()).unwrap()));
    let stream = stream.with_client(client);
    subscribe_at(&stream, 1).await.unwrap();
    assert_eq!(stream.peer().as_deref(), Some("test-host"));
    subscribe(&stream).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].target, "/v1/sse_config_specs?sinceTime=1&version=2&checksum=held");
    assert_eq!(requests[0].header("last-event-id"), Some("1"));
    assert_eq!(requests[1].target, "/v1/sse_config_specs?sinceTime=0&version=2");
    assert_eq!(requests[1].header("last-event-id"), None);
    assert_eq!(requests[1].header("accept"), Some("text/event-stream"));
}

#[tokio::test]
async fn comments_are_signs_of_life() {
    let server = SSE.server();
    let mut subscription = subscribe_at(&*SSE.stream(&server), 1).await.unwrap();
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 1 }))));
    server.commit(StreamFault::Raw(": alive\n\n".to_owned()));
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 1 }))));
    server.commit(StreamFault::Raw("event: later\ndata: x\n\n:\n\n".to_owned()));
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 1 }))));
}

#[tokio::test]
async fn the_pause_that_the_server_wishes_is_in_the_error() {
    let server = SSE.server();
    let mut subscription = subscribe(&*SSE.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::Raw("retry: 7000\n\n".to_owned()));
    server.commit(StreamFault::Cut);
    let error = failure(&mut *subscription).await;
    assert_eq!((error.kind(), error.retry_after()), (SourceErrorKind::Unreachable, Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn refusals_are_typed_and_have_pauses() {
    let server = SSE.server();
    let stream = SSE.stream(&server);
    for (status, asked, kind, pause) in [
        (401, None, SourceErrorKind::Refused, None),
        (404, None, SourceErrorKind::Refused, Some(600)),
        (429, Some(7), SourceErrorKind::Failing, Some(7)),
        (503, Some(9), SourceErrorKind::Failing, Some(9)),
    ] {
        server.order(StreamFault::Refuse(status, asked));
        let error = refusal(&*stream).await;
        assert_eq!((error.kind(), error.retry_after()), (kind, pause.map(Duration::from_secs)), "{}", text(&error));
    }
}

#[tokio::test]
async fn an_answer_without_events_is_invalid() {
    // A server of ordinary requests: any path that ends in a body of JSON.
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1, true).as_bytes());
    let url = format!("{}/v2/download_config_specs", server.url().replace("http://", "sse+http://"));
    let error = refusal(&*SSE.stream_with(&url, |_| {})).await;
    assert_eq!(error.kind(), SourceErrorKind::Invalid, "{}", text(&error));
    assert!(text(&error).contains("application/json"), "{}", text(&error));
    assert_eq!(server.requests_to(Endpoint::SpecsV2).len(), 1);
}
