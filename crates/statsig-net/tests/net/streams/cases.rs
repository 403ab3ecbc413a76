//! Cases that every transport passes.

use std::time::Duration;

use statsig_core::testing::spec_stream_contract;
use statsig_core::{SourceErrorKind, StreamEvent};
use statsig_testkit::server::Certificates;
use statsig_testkit::stream_server::{ServedProtocol, StreamFault, StreamServer};
use tokio::net::TcpListener;

use super::{Transport, ends, failure, next, next_specs, refusal, subscribe, subscribe_at, text};
use crate::common::{KEY, specs};

pub(super) async fn keeps_the_contract(transport: Transport) {
    let server = transport.server();
    let stream = transport.stream(&server);
    let mut time = 1;
    let last = spec_stream_contract(&*stream, || {
        time += 1;
        server.publish(specs(time, true).as_bytes());
    })
    .await
    .unwrap();
    assert!(String::from_utf8(last.payload.to_vec()).unwrap().contains(&format!("\"time\":{time},")));
    stream.close().await;
    server.wait_for_open(0).await;
}

pub(super) async fn delivers_what_is_newer_and_heartbeats(transport: Transport) {
    let server = transport.server();
    server.publish(specs(5, true).as_bytes());
    let stream = transport.stream(&server);
    let mut held = subscribe_at(&*stream, 5).await.unwrap();
    assert!(matches!(next(&mut *held).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 5 }))));
    server.heartbeat();
    assert!(matches!(next(&mut *held).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 5 }))));
    server.publish(specs(6, true).as_bytes());
    let update = next_specs(&mut *held).await;
    assert_eq!(update.payload, specs(6, true).as_bytes());
    assert_eq!(update.origin, stream.origin());
    assert_eq!(update.address.as_deref(), Some(&*server.url()));
    assert!(update.delta_base.is_none() && update.received_at_ms > 0);
    let request = &server.requests()[0];
    assert_eq!((&*request.key, request.since_time, request.version), (KEY, 5, 2));
    assert_eq!(request.checksum.as_deref(), Some("held"));
    assert!(!request.target.contains("secret-"), "{}", request.target);
}

pub(super) async fn the_last_of_a_burst_wins_for_a_slow_reader(transport: Transport) {
    let server = transport.server();
    let stream = transport.stream(&server);
    let mut subscription = subscribe(&*stream).await.unwrap();
    next_specs(&mut *subscription).await;
    server.burst((2..=1_001).map(|time| specs(time, true).into_bytes()));
    let mut events = 0;
    loop {
        events += 1;
        let document = next_specs(&mut *subscription).await.payload;
        if document == specs(1_001, true).as_bytes() {
            break;
        }
    }
    assert!(events <= 1_000);
    server.heartbeat();
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { .. }))));
}

pub(super) async fn an_update_between_request_and_answer_is_delivered(transport: Transport) {
    let server = transport.server();
    server.order(StreamFault::PublishFirst(specs(9, true).into_bytes()));
    let mut subscription = subscribe_at(&*transport.stream(&server), 1).await.unwrap();
    assert_eq!(next_specs(&mut *subscription).await.payload, specs(9, true).as_bytes());
}

pub(super) async fn a_wait_given_up_loses_nothing(transport: Transport) {
    let server = transport.server();
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    for time in 2..30 {
        server.publish(specs(time, true).as_bytes());
        // Given up after each number of steps that arrival takes.
        for polls in 0..time % 7 {
            tokio::select! {
                biased;
                event = subscription.next() => {
                    let Ok(Some(StreamEvent::Specs(update))) = event else { panic!("{event:?}") };
                    assert_eq!(update.payload, specs(time, true).as_bytes());
                    break;
                }
                () = async { for _ in 0..polls { tokio::task::yield_now().await } } => {}
            }
        }
        server.publish(specs(time + 100, true).as_bytes());
        while next_specs(&mut *subscription).await.payload != specs(time + 100, true).as_bytes() {}
        server.publish(specs(time, true).as_bytes());
        // Older specs are not sent: begin again.
        drop(subscription);
        subscription = subscribe(&*transport.stream(&server)).await.unwrap();
        next_specs(&mut *subscription).await;
    }
}

pub(super) async fn dropping_a_subscription_ends_it(transport: Transport) {
    let server = transport.server();
    let subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    server.wait_for_open(1).await;
    drop(subscription);
    server.wait_for_open(0).await;
}

pub(super) async fn broken_connections_are_unreachable(transport: Transport) {
    for fault in [StreamFault::Kill, StreamFault::GarbageConnection] {
        let server = transport.server();
        server.order(fault.clone());
        let error = refusal(&*transport.stream(&server)).await;
        assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{fault:?}: {}", text(&error));
        assert!(error.is_retryable() && text(&error).contains("127.0.0.1"));
    }
    let server = transport.server();
    let stream = transport.stream(&server);
    let mut subscription = subscribe(&*stream).await.unwrap();
    server.commit(StreamFault::Cut);
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
    let mut subscription = subscribe(&*stream).await.unwrap();
    next_specs(&mut *subscription).await;
    server.stop();
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
    let error = subscribe(&*stream).await.err().unwrap();
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
}

pub(super) async fn a_peer_that_sends_nothing_is_given_up_in_time(transport: Transport) {
    let server = transport.server();
    server.order(StreamFault::Hang);
    let stream = transport.stream_with(&server.url(), |options| options.response_timeout = Duration::from_millis(200));
    let error = refusal(&*stream).await;
    assert_eq!(error.kind(), SourceErrorKind::TimedOut, "{}", text(&error));
    assert!(error.is_retryable());
}

pub(super) async fn silence_after_the_head_is_left_to_the_user(transport: Transport) {
    let server = transport.server();
    server.order(StreamFault::Silence);
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    server.wait_for_open(1).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), subscription.next()).await.is_err());
    // Nothing is lost by the wait.
    server.heartbeat();
    assert!(matches!(next(&mut *subscription).await, Ok(Some(StreamEvent::NoUpdate { time_ms: 1 }))));
}

pub(super) async fn a_message_beyond_the_limit_is_an_error(transport: Transport) {
    let server = transport.server();
    let stream = transport.stream_with(&server.url(), |options| options.max_specs_bytes = 10_000);
    let mut subscription = subscribe(&*stream).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::Oversize(1 << 20));
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), SourceErrorKind::Invalid, "{}", text(&error));
}

pub(super) async fn garbage_is_an_error(transport: Transport, kind: SourceErrorKind) {
    let server = transport.server();
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::Garbage);
    let error = failure(&mut *subscription).await;
    assert_eq!(error.kind(), kind, "{}", text(&error));
}

pub(super) async fn a_wrong_key_is_refused(transport: Transport) {
    let server = transport.server();
    server.require_key("secret-another");
    let error = refusal(&*transport.stream(&server)).await;
    assert_eq!(error.kind(), SourceErrorKind::Refused, "{}", text(&error));
    assert!(!error.is_retryable());
}

pub(super) async fn large_payloads_arrive_whole(transport: Transport) {
    let server = transport.server();
    let large = format!(r#"{{"has_updates":true,"time":7,"x":"{}"}}"#, "y".repeat(6 << 20));
    server.publish(large.as_bytes());
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    assert!(next_specs(&mut *subscription).await.payload == large.as_bytes());
}

pub(super) async fn ipv6_hosts_are_reached(transport: Transport) {
    let server = StreamServer::start_on(transport.protocol, "[::1]:0").unwrap();
    server.publish(specs(1, true).as_bytes());
    assert!(server.url().contains("[::1]"));
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
}

#[cfg(unix)]
pub(super) async fn unix_sockets_are_reached(transport: Transport) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sfp.sock");
    let server = transport.server();
    let _endpoint = server.serve_unix(&path).unwrap();
    let prefix = match transport.protocol {
        ServedProtocol::Grpc => "grpc",
        ServedProtocol::WebSocket => "ws",
        _ => "sse",
    };
    let stream = transport.stream_with(&format!("{prefix}+unix:{}", path.display()), |_| {});
    next_specs(&mut *subscribe(&*stream).await.unwrap()).await;
}

pub(super) async fn certificates_are_checked_and_renewed(transport: Transport) {
    let (ours, others) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
    let server = StreamServer::start_tls(transport.protocol, &ours, true).unwrap();
    server.publish(specs(1, true).as_bytes());

    // Files that the client names are replaced below.
    let folder = tempfile::tempdir().unwrap();
    let install = |certificates: &Certificates| {
        std::fs::copy(certificates.ca_path(), folder.path().join("ca.pem")).unwrap();
        std::fs::copy(certificates.client_cert_path(), folder.path().join("client.pem")).unwrap();
        std::fs::copy(certificates.client_key_path(), folder.path().join("client.key")).unwrap();
    };
    let stream = transport.stream_with(&server.url(), |options| {
        options.tls.ca_cert_path = Some(folder.path().join("ca.pem"));
        options.tls.only_ca_cert_path = true;
        options.tls.client_cert_path = Some(folder.path().join("client.pem"));
        options.tls.client_key_path = Some(folder.path().join("client.key"));
    });
    let error = refusal(&*stream).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable);
    assert!(text(&error).contains("ca.pem") && error.is_retryable(), "{}", text(&error));
    assert!(server.requests().is_empty(), "a request was sent without the certificates");

    install(&ours);
    next_specs(&mut *subscribe(&*stream).await.unwrap()).await;

    server.set_certificates(&others, true).unwrap();
    let error = refusal(&*stream).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable);
    assert!(text(&error).contains("certificate"), "{}", text(&error));
    install(&others);
    next_specs(&mut *subscribe(&*stream).await.unwrap()).await;

    // Without a client certificate the server refuses, and says so in TLS.
    let anonymous = transport.stream_with(&server.url(), |options| {
        options.tls.ca_cert_path = Some(others.ca_path());
        options.tls.only_ca_cert_path = true;
    });
    let error = refusal(&*anonymous).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
}

pub(super) async fn the_domain_of_the_certificate_can_be_given(transport: Transport) {
    let certificates = Certificates::generate().unwrap();
    let server = StreamServer::start_tls(transport.protocol, &certificates, false).unwrap();
    server.publish(specs(1, true).as_bytes());
    let by_ip = server.url().replace("localhost", "127.0.0.1");
    let stream = |domain: Option<&str>| {
        transport.stream_with(&by_ip, |options| {
            options.tls.ca_cert_path = Some(certificates.ca_path());
            options.tls.only_ca_cert_path = true;
            options.tls.server_name = domain.map(str::to_owned);
        })
    };
    let error = refusal(&*stream(None)).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable, "{}", text(&error));
    next_specs(&mut *subscribe(&*stream(Some("localhost"))).await.unwrap()).await;
}

pub(super) async fn plaintext_and_tls_are_told_apart(transport: Transport) {
    let certificates = Certificates::generate().unwrap();
    let server = transport.server();
    let (plain, scheme) = (
        server.url(),
        match transport.protocol {
            ServedProtocol::Grpc => "grpcs://",
            ServedProtocol::WebSocket => "wss://",
            _ => "sse+https://",
        },
    );
    let encrypted = format!("{scheme}localhost:{}", server.address().port());
    let stream = transport.stream_with(&encrypted, |options| {
        options.tls.ca_cert_path = Some(certificates.ca_path());
        options.tls.only_ca_cert_path = true;
        options.connect_timeout = Duration::from_millis(500);
    });
    let error = refusal(&*stream).await;
    assert!(matches!(error.kind(), SourceErrorKind::Unreachable | SourceErrorKind::TimedOut), "{}", text(&error));
    assert!(server.requests().is_empty(), "a request was sent without encryption");
    let mut options = statsig_net::streams::ProxyStreamOptions::default();
    options.tls.ca_cert_path = Some(certificates.ca_path());
    let error = (transport.stream)(&plain, options).err().unwrap();
    assert!(error.to_string().contains("not encrypted"), "{error}");
}

pub(super) async fn an_end_in_good_order_is_none(transport: Transport, code: u16) {
    let server = transport.server();
    let mut subscription = subscribe(&*transport.stream(&server)).await.unwrap();
    next_specs(&mut *subscription).await;
    server.commit(StreamFault::EndWith(code));
    assert!(ends(&mut *subscription).await);
}

/// Accepts connections and answers none; bound, so that they are accepted by the system.
pub(super) async fn connections_have_a_time_limit(transport: Transport, scheme: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}127.0.0.1:{}", listener.local_addr().unwrap().port());
    let certificates = Certificates::generate().unwrap();
    let stream = transport.stream_with(&url, |options| {
        options.tls.ca_cert_path = Some(certificates.ca_path());
        options.tls.only_ca_cert_path = true;
        options.connect_timeout = Duration::from_millis(200);
    });
    let error = refusal(&*stream).await;
    assert!(
        matches!(error.kind(), SourceErrorKind::TimedOut | SourceErrorKind::Unreachable) && error.is_retryable(),
        "{}",
        text(&error)
    );
}

/// Makes a test of each case for a transport.
macro_rules! tests_of {
    ($transport:expr, $encrypted:literal, [$($case:ident),* $(,)?]) => {
        $(
            #[tokio::test]
            async fn $case() {
                super::cases::$case($transport).await;
            }
        )*
        super::cases::tests_of!(@common $transport, $encrypted, [
            keeps_the_contract, delivers_what_is_newer_and_heartbeats, the_last_of_a_burst_wins_for_a_slow_reader,
            an_update_between_request_and_answer_is_delivered, a_wait_given_up_loses_nothing,
            dropping_a_subscription_ends_it, broken_connections_are_unreachable,
            a_peer_that_sends_nothing_is_given_up_in_time, silence_after_the_head_is_left_to_the_user,
            a_message_beyond_the_limit_is_an_error, a_wrong_key_is_refused, large_payloads_arrive_whole,
            ipv6_hosts_are_reached, certificates_are_checked_and_renewed, the_domain_of_the_certificate_can_be_given,
            plaintext_and_tls_are_told_apart,
        ]);
    };
    (@common $transport:expr, $encrypted:literal, [$($case:ident),* $(,)?]) => {
        $(
            #[tokio::test]
            async fn $case() {
                super::cases::$case($transport).await;
            }
        )*
        #[cfg(unix)]
        #[tokio::test]
        async fn unix_sockets_are_reached() {
            super::cases::unix_sockets_are_reached($transport).await;
        }
        #[tokio::test]
        async fn connections_have_a_time_limit() {
            super::cases::connections_have_a_time_limit($transport, $encrypted).await;
        }
    };
}
pub(super) use tests_of;
