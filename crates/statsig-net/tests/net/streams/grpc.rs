//! gRPC: the stream and single fetches.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::testing::spec_source_contract;
use statsig_core::{
    PayloadFormat, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecStream, SpecTrigger, SpecVersion,
};
use statsig_net::streams::{GrpcSpecSource, GrpcSpecStream, ProxyStreamOptions, StreamSpecsVersion};
use statsig_testkit::server::FrozenTime;
use statsig_testkit::stream_server::{ServedProtocol, StreamFault, StreamServer};

use super::{Transport, address, failure, next_specs, refusal, subscribe, text};
use crate::common::{clock, key, specs};

pub(super) const GRPC: Transport = Transport { protocol: ServedProtocol::Grpc, stream };

fn stream(url: &str, options: ProxyStreamOptions) -> Result<Arc<dyn SpecStream>, statsig_net::Error> {
    Ok(Arc::new(GrpcSpecStream::new(&address(url), key(), options, clock())?))
}

fn source(server: &StreamServer) -> GrpcSpecSource {
    let mut options = ProxyStreamOptions::default();
    options.proxy_from_environment = false;
    GrpcSpecSource::new(&address(&server.url()), key(), options, clock()).unwrap()
}

super::cases::tests_of!(GRPC, "grpcs://", []);

#[tokio::test]
async fn garbage_is_an_error() {
    super::cases::garbage_is_an_error(GRPC, SourceErrorKind::Invalid).await;
}

#[tokio::test]
async fn an_end_with_ok_is_none() {
    super::cases::an_end_in_good_order_is_none(GRPC, 0).await;
}

#[tokio::test]
async fn every_status_has_a_kind() {
    use SourceErrorKind::{Failing, Invalid, Refused, TimedOut, Unreachable};
    let server = GRPC.server();
    let stream = GRPC.stream(&server);
    for (code, name, kind) in [
        (1, "CANCELLED", Unreachable),
        (2, "UNKNOWN", Failing),
        (3, "INVALID_ARGUMENT", Refused),
        (4, "DEADLINE_EXCEEDED", TimedOut),
        (5, "NOT_FOUND", Refused),
        (6, "ALREADY_EXISTS", Refused),
        (7, "PERMISSION_DENIED", Refused),
        (8, "RESOURCE_EXHAUSTED", Failing),
        (9, "FAILED_PRECONDITION", Refused),
        (10, "ABORTED", Failing),
        (11, "OUT_OF_RANGE", Invalid),
        (12, "UNIMPLEMENTED", Refused),
        (13, "INTERNAL", Failing),
        (14, "UNAVAILABLE", Unreachable),
        (15, "DATA_LOSS", Invalid),
        (16, "UNAUTHENTICATED", Refused),
        (99, "UNKNOWN", Failing),
    ] {
        server.order(StreamFault::EndWith(code));
        let mut subscription = subscribe(&*stream).await.unwrap();
        let error = failure(&mut *subscription).await;
        assert_eq!(error.kind(), kind, "{code}: {}", text(&error));
        assert!(text(&error).contains(name), "{code}: {}", text(&error));
        assert!(text(&error).contains("ordered secret-AbCdE*****"), "{}", text(&error));
        let pause = (code == 12).then_some(Duration::from_secs(600));
        assert_eq!(
            (error.is_retryable(), error.retry_after()),
            (matches!(kind, Failing | TimedOut | Unreachable), pause)
        );
    }
}

#[tokio::test]
async fn broken_trailers_are_an_error_and_no_panic() {
    let server = GRPC.server();
    server.order(StreamFault::MalformedTrailers);
    let error = refusal(&*GRPC.stream(&server)).await;
    assert_eq!(error.kind(), SourceErrorKind::Failing, "{}", text(&error));
}

#[tokio::test]
async fn goaway_leaves_the_open_stream_alone() {
    let server = GRPC.server();
    let mut subscription = subscribe(&*GRPC.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::GoAway);
    server.publish(specs(2, true).as_bytes());
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(2, true).as_bytes());
    server.commit(StreamFault::AbruptGoAway);
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
}

#[tokio::test]
async fn a_half_open_connection_is_noticed_by_pings() {
    let server = GRPC.server();
    let stream = GRPC.stream_with(&server.url(), |options| {
        options.keepalive_interval = Duration::from_millis(100);
        options.keepalive_timeout = Duration::from_millis(200);
    });
    let mut subscription = subscribe(&*stream).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::Freeze);
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
}

#[tokio::test]
async fn compressed_frames_and_binary_specs_are_read() {
    let server = GRPC.server();
    server.compress();
    let stream = GRPC.stream(&server);
    let mut subscription = subscribe(&*stream).await.unwrap();
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(1, true).as_bytes());
    server.publish_binary(2, b"binary specs");
    let update = next_specs(&mut *subscription).await;
    assert_eq!((&*update.payload, update.format), (&b"binary specs"[..], PayloadFormat::Protobuf));
    let formats = &server.requests()[0].formats;
    assert!(formats.contains(&"statsig-br".to_owned()));
    assert_eq!(formats.contains(&"json+zstd".to_owned()), cfg!(feature = "zstd"));
}

#[tokio::test]
async fn a_frame_that_is_too_large_decompressed_is_an_error() {
    let server = GRPC.server();
    server.compress();
    let stream = GRPC.stream_with(&server.url(), |options| options.max_specs_bytes = 10_000);
    let mut subscription = subscribe(&*stream).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::Oversize(100_000));
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Invalid, "{}", text(&error));
}

#[tokio::test]
async fn the_official_proxy_without_additions_is_understood() {
    let server = GRPC.server();
    server.without_additions();
    let stream = GrpcSpecStream::new(&address(&server.url()), key(), ProxyStreamOptions::default(), clock()).unwrap();
    assert_eq!(stream.peer(), None);
    let mut subscription = subscribe(&stream).await.unwrap();
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(1, true).as_bytes());
    assert_eq!(stream.peer().as_deref(), Some("test-host"));
}

#[tokio::test]
async fn version_1_can_be_requested() {
    let server = GRPC.server();
    let stream = GRPC.stream_with(&server.url(), |options| options.specs_version = StreamSpecsVersion::V1);
    next_specs(&mut *subscribe(&*stream).await.unwrap()).await;
    assert_eq!(server.requests()[0].version, 1);
}

#[tokio::test]
async fn the_source_keeps_its_contract() {
    let server = GRPC.server();
    server.publish(specs(5, true).as_bytes());
    let update = spec_source_contract(&source(&server)).await;
    assert_eq!(update.payload, specs(5, true).as_bytes());
}

#[tokio::test]
async fn the_source_answers_by_version() {
    let server = GRPC.server();
    server.publish(specs(5, true).as_bytes());
    let source = source(&server);
    let fetch = |time| {
        let held = (time > 0).then(|| SpecVersion::new(time, None));
        let request = SpecRequest::new(held, SpecTrigger::Background);
        let source = &source;
        async move { source.fetch(&request).await }
    };
    assert!(matches!(fetch(0).await, Ok(SpecFetch::Updated(_))));
    assert!(matches!(fetch(5).await, Ok(SpecFetch::Unchanged)));
    assert!(matches!(fetch(6).await, Ok(SpecFetch::Behind)));
    assert_eq!(source.peer().as_deref(), Some("test-host"));
    assert_eq!(server.requests()[0].target, "/statsig_forward_proxy.StatsigForwardProxy/getConfigSpec");
}

#[tokio::test]
async fn the_source_connects_again() {
    let server = GRPC.server();
    let (address, source) = (server.address(), source(&server));
    let fetch = || async { source.fetch(&SpecRequest::default()).await };
    assert!(fetch().await.is_ok());
    server.stop();
    let error = fetch().await.unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
    let server = StreamServer::start_on(ServedProtocol::Grpc, &address.to_string()).unwrap();
    let empty = fetch().await.unwrap_err();
    assert_eq!(empty.kind(), SourceErrorKind::Empty, "{}", text(&empty));
    server.publish(specs(1, true).as_bytes());
    assert!(fetch().await.is_ok());
}

#[tokio::test]
async fn keepalive_pings_flow_while_nothing_is_under_way() {
    let server = GRPC.server();
    let mut subscription = subscribe(&*GRPC.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    let time = FrozenTime::start();
    // A peer that answers pings is not given up, however long it is silent.
    for _ in 0..4 {
        let waited = tokio::select! {
            event = subscription.next() => Some(event),
            () = time.advance(Duration::from_secs(31)) => None,
        };
        assert!(waited.is_none(), "{waited:?}");
        // The answer to the ping takes real time, during which the clock stands still.
        server.heartbeat();
        assert!(subscription.next().await.is_ok());
    }
}
