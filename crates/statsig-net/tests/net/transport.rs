//! The HTTP client against a real server on loopback, with and without TLS.

use std::time::Duration;

use http::HeaderValue;
use statsig_net::transport::{HttpClient, HttpRequest, OutboundProxy, ReqwestTransport, TlsOptions, TransportOptions};
use statsig_net::{Error, ErrorKind};
use statsig_testkit::server::{Certificates, Coding, Endpoint, FakeStatsig, Fault, FrozenTime};
use url::Url;

const SPECS: &str = r#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
const LIMIT: Duration = Duration::from_secs(10);
const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWx";

fn client_with(options: &TransportOptions) -> HttpClient {
    HttpClient::new(std::sync::Arc::new(ReqwestTransport::new(options).unwrap()))
}

fn client() -> HttpClient {
    client_with(&TransportOptions::default())
}

fn request(server: &FakeStatsig) -> HttpRequest {
    let url = Url::parse(&format!("{}/v2/download_config_specs/{KEY}.json", server.url())).unwrap();
    let mut request = HttpRequest::get(url, LIMIT);
    let mut key = HeaderValue::from_static(KEY);
    key.set_sensitive(true);
    request.headers.insert("statsig-api-key", key);
    request
}

fn server() -> FakeStatsig {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(SPECS);
    server
}

/// An error and everything behind it; must not show the key.
fn text(error: &Error) -> String {
    let mut text = format!("{error} / {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(" / {error} / {error:?}"));
        source = error.source();
    }
    assert!(!text.contains("fGhIjKlMnOpQrStUvWx"), "{text}");
    text
}

#[tokio::test]
async fn answers_come_in_any_coding_and_connections_are_kept() {
    let (server, client) = (server(), client());
    for coding in [None, Some(Coding::Gzip), Some(Coding::Deflate), Some(Coding::Brotli)] {
        server.compress(coding);
        let response = client.send(request(&server)).await.unwrap();
        assert_eq!((response.status.as_u16(), &*response.body), (200, SPECS.as_bytes()));
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.requests()[0].header("statsig-api-key"), Some(KEY));
}

#[tokio::test]
async fn sizes_are_bounded_before_and_after_decompression() {
    let (server, client) = (server(), client());
    server.publish_specs(vec![b' '; 4_000_000]);
    for coding in [None, Some(Coding::Gzip)] {
        server.compress(coding);
        let mut small = request(&server);
        small.max_transferred = 1_000;
        let error = client.send(small).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 1_000, decoded: false, .. }), "{}", text(&error));
    }
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
        server.fail_once(Endpoint::SpecsV2, Fault::Bomb(coding, 64 << 20));
        let mut small = request(&server);
        small.max_decoded = 1 << 20;
        let error = client.send(small).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { decoded: true, .. }), "{}", text(&error));
        assert!(!error.is_retryable());
    }
    server.fail_once(Endpoint::SpecsV2, Fault::Endless);
    assert!(matches!(client.send(request(&server)).await.unwrap_err(), Error::TooLarge { decoded: false, .. }));
}

#[tokio::test]
async fn broken_answers_are_errors() {
    let (server, client) = (server(), client());
    server.compress(Some(Coding::Gzip));
    let rows = [
        (Fault::Close, ErrorKind::Unreachable, true),
        (Fault::Garbage, ErrorKind::Unreachable, true),
        (Fault::Cut(20), ErrorKind::Unreachable, true),
        (Fault::StatusWith(200, "content-encoding", "gzip".into()), ErrorKind::Status, false),
        (Fault::Status(500, format!("<b>no {KEY}</b>")), ErrorKind::Status, true),
        (Fault::Status(404, String::new()), ErrorKind::Status, false),
    ];
    for (fault, kind, retryable) in rows {
        server.fail_once(Endpoint::SpecsV2, fault.clone());
        match client.send(request(&server)).await {
            Err(error) => {
                let shown = text(&error);
                assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{fault:?}: {shown}");
                assert!(shown.contains("127.0.0.1"), "{shown}");
            }
            // An empty body is not decompressed.
            Ok(response) => assert!(response.body.is_empty() && matches!(fault, Fault::StatusWith(..))),
        }
    }
    server.fail_once(Endpoint::SpecsV2, Fault::StatusWith(429, "retry-after", "7".into()));
    let error = client.send(request(&server)).await.unwrap_err();
    assert_eq!((error.retry_after(), error.is_retryable()), (Some(Duration::from_secs(7)), false));
}

#[tokio::test]
async fn nobody_there_and_no_such_host() {
    let client = client();
    let gone = server();
    let mut refused = request(&gone);
    gone.stop();
    let error = client.send(refused.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && error.is_retryable(), "{}", text(&error));
    refused.url.set_host(Some("no-such-host.invalid")).unwrap();
    let error = client.send(refused).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{}", text(&error));
}

#[tokio::test]
async fn time_limits_hold_against_silence_and_drips() {
    let time = FrozenTime::start();
    let (server, client) = (server(), client());
    for fault in [Fault::Hang, Fault::Drip(Duration::from_millis(1)), Fault::Endless] {
        server.fail_once(Endpoint::SpecsV2, fault.clone());
        let already = server.requests().len();
        let mut slow = request(&server);
        // What never ends must run into the time, not the size.
        slow.max_transferred = usize::MAX;
        let sent = tokio::spawn({
            let client = client.clone();
            async move { client.send(slow).await }
        });
        server.wait_for_requests(Endpoint::SpecsV2, already + 1).await;
        time.advance(LIMIT - Duration::from_secs(1)).await;
        assert!(!sent.is_finished(), "{fault:?}");
        time.advance(Duration::from_secs(2)).await;
        let error = sent.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::TimedOut { limit: LIMIT, .. }), "{fault:?}: {}", text(&error));
    }
    assert!(client.send(request(&server)).await.is_ok());
}

#[tokio::test]
async fn redirects_are_followed_without_the_key() {
    let (server, other, client) = (server(), server(), client());
    let elsewhere = format!("{}/v2/download_config_specs/here.json", other.url());
    server.fail_once(Endpoint::SpecsV2, Fault::StatusWith(302, "location", elsewhere));
    assert_eq!(&*client.send(request(&server)).await.unwrap().body, SPECS.as_bytes());
    assert_eq!(other.requests()[0].header("statsig-api-key"), None);

    let with_key = format!("{}/v2/download_config_specs/{KEY}.json", other.url());
    server.fail_once(Endpoint::SpecsV2, Fault::StatusWith(301, "location", with_key));
    let error = client.send(request(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{}", text(&error));
    assert_eq!(other.requests().len(), 1);

    server
        .fail_always(Endpoint::SpecsV2, Some(Fault::StatusWith(307, "location", "/v2/download_config_specs/x".into())));
    let error = client.send(request(&server)).await.unwrap_err();
    assert!(text(&error).contains("too many redirects"));
}

#[tokio::test]
async fn a_certificate_may_have_to_be_for_another_name_than_the_address() {
    let certificates = Certificates::generate().unwrap();
    let server = FakeStatsig::start_tls(&certificates, false).unwrap();
    server.publish_specs(SPECS);
    let by_ip = || {
        let mut request = request(&server);
        request.url.set_ip_host("127.0.0.1".parse().unwrap()).unwrap();
        request
    };
    let expecting = |name: Option<&str>| {
        let mut tls = TlsOptions::default();
        tls.ca_cert_path = Some(certificates.ca_path());
        tls.only_ca_cert_path = true;
        tls.server_name = name.map(str::to_owned);
        client_with(&TransportOptions::default().with_tls(tls))
    };
    // The certificate is for `localhost` alone.
    assert!(matches!(expecting(None).send(by_ip()).await.unwrap_err(), Error::Connect { .. }));
    assert_eq!(&*expecting(Some("localhost")).send(by_ip()).await.unwrap().body, SPECS.as_bytes());
    let error = expecting(Some("proxy.example")).send(request(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{}", text(&error));

    let mut tls = TlsOptions::default();
    tls.server_name = Some("no name".to_owned());
    let error = ReqwestTransport::new(&TransportOptions::default().with_tls(tls)).err().unwrap();
    assert!(text(&error).contains("no name"), "{}", text(&error));
}

#[tokio::test]
async fn tls_trusts_only_whom_it_should() {
    let certificates = Certificates::generate().unwrap();
    let server = FakeStatsig::start_tls(&certificates, false).unwrap();
    server.publish_specs(SPECS);
    let trusting = |only| {
        let mut tls = TlsOptions::default();
        tls.ca_cert_path = Some(certificates.ca_path());
        tls.only_ca_cert_path = only;
        client_with(&TransportOptions::default().with_tls(tls))
    };
    for only in [true, false] {
        assert_eq!(&*trusting(only).send(request(&server)).await.unwrap().body, SPECS.as_bytes());
    }
    let error = client().send(request(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{}", text(&error));

    let strangers = Certificates::generate().unwrap();
    let mut tls = TlsOptions::default();
    tls.ca_cert_path = Some(strangers.ca_path());
    let error = client_with(&TransportOptions::default().with_tls(tls)).send(request(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{}", text(&error));
}

#[tokio::test]
async fn client_certificates_are_shown() {
    let certificates = Certificates::generate().unwrap();
    let server = FakeStatsig::start_tls(&certificates, true).unwrap();
    server.publish_specs(SPECS);
    let mut tls = TlsOptions::default();
    tls.ca_cert_path = Some(certificates.ca_path());
    let error =
        client_with(&TransportOptions::default().with_tls(tls.clone())).send(request(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", text(&error));
    tls.client_cert_path = Some(certificates.client_cert_path());
    tls.client_key_path = Some(certificates.client_key_path());
    let response = client_with(&TransportOptions::default().with_tls(tls)).send(request(&server)).await.unwrap();
    assert_eq!(&*response.body, SPECS.as_bytes());
}

#[test]
fn files_that_cannot_be_used_fail_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let with = |ca: Option<&std::path::Path>, cert: Option<&std::path::Path>, only| {
        let mut tls = TlsOptions::default();
        tls.ca_cert_path = ca.map(Into::into);
        tls.client_cert_path = cert.map(Into::into);
        tls.only_ca_cert_path = only;
        ReqwestTransport::new(&TransportOptions::default().with_tls(tls)).unwrap_err()
    };
    let missing = folder.path().join("missing.pem");
    assert!(matches!(with(Some(&missing), None, false), Error::File { .. }));
    assert!(matches!(with(Some(&empty), None, false), Error::Tls { .. }));
    assert!(matches!(with(None, Some(&empty), false), Error::Misconfigured { .. }));
    assert!(matches!(with(None, None, true), Error::Misconfigured { .. }));
    let proxy = TransportOptions::default().with_proxy(OutboundProxy::new("not an address"));
    assert!(matches!(ReqwestTransport::new(&proxy), Err(Error::Misconfigured { .. })));
}

#[tokio::test]
async fn a_proxy_gets_every_request() {
    // To a proxy the whole address is the target; the fake answers by its path.
    let (proxy, client) = {
        let proxy = server();
        let options = OutboundProxy::new(proxy.url()).with_auth("user", "pass");
        assert!(!format!("{options:?}").contains("pass"));
        let client = client_with(&TransportOptions::default().with_proxy(options));
        (proxy, client)
    };
    let mut through = request(&proxy);
    through.url.set_host(Some("no-such-host.invalid")).unwrap();
    assert_eq!(&*client.send(through).await.unwrap().body, SPECS.as_bytes());
    let seen = &proxy.requests()[0];
    assert!(seen.target.starts_with("http://no-such-host.invalid"), "{}", seen.target);
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
}

#[tokio::test]
async fn a_proxy_with_certificates_of_its_own_is_reached_by_them() {
    use statsig_core::{FixedClock, SourceErrorKind, SpecFetch, SpecRequest, SpecSource};
    use statsig_net::{
        AuthenticationMode, ClientIdentity, Network, NetworkEndpoint, NetworkOptions, NetworkProtocol, ProxyConfig,
        SdkKey,
    };

    let certificates = Certificates::generate().unwrap();
    let proxy = FakeStatsig::start_tls(&certificates, true).unwrap();
    proxy.publish_specs(SPECS);
    let network = |mode| {
        // Without a scheme: it is the mode that tells.
        let mut config = ProxyConfig::new(NetworkProtocol::Http, proxy.url().replace("https://", ""));
        config.authentication_mode = mode;
        config.tls_ca_cert_path = Some(certificates.ca_path());
        config.tls_client_cert_path = Some(certificates.client_cert_path());
        config.tls_client_key_path = Some(certificates.client_key_path());
        let mut options = NetworkOptions::default();
        options.endpoints.proxies.insert(NetworkEndpoint::All, config);
        let identity = ClientIdentity::new(SdkKey::new(KEY)).unwrap();
        Network::new(options, identity, std::sync::Arc::new(FixedClock(0))).unwrap()
    };
    let asked = |network: Network| async move { network.spec_source().fetch(&SpecRequest::default()).await };
    assert!(matches!(asked(network(AuthenticationMode::Mtls)).await, Ok(SpecFetch::Updated(_))));
    // Who shows no certificate, or does not even speak TLS, gets nothing: there is no silent way around.
    for mode in [AuthenticationMode::Tls, AuthenticationMode::None] {
        assert_eq!(asked(network(mode)).await.unwrap_err().kind(), SourceErrorKind::Unreachable);
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_gone_through_is_an_error_and_not_passed_over() {
    for (address, ok) in [
        ("htp://user:hunter2@proxy.example:3128", false),
        ("ftp://proxy.example", false),
        ("hunter2:nope nope", false),
        ("http://", false),
        ("proxy.example:3128", true),
        ("socks5h://proxy.example:1080", true),
    ] {
        let options = TransportOptions::default().with_proxy(OutboundProxy::new(address));
        match ReqwestTransport::new(&options) {
            Ok(_) => assert!(ok, "{address}"),
            Err(error) => {
                let text = format!("{error}: {error:?}");
                assert!(!ok && text.contains("http_proxy.address") && !text.contains("hunter2"), "{address}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn keys_are_masked_whatever_they_look_like_and_however_servers_write_them() {
    use statsig_core::{FixedClock, SpecRequest, SpecSource};
    use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};

    let server = server();
    for key in ["my-proxy-key-0123456789", "secret-AbCd-EfGh_IjKl-MnOp0123456789", "0123456789abcdef0123456789abcdef"] {
        let mut options = NetworkOptions::default();
        options.endpoints.api = Some(server.url());
        let identity = ClientIdentity::new(SdkKey::new(key)).unwrap();
        let network = Network::new(options, identity, std::sync::Arc::new(FixedClock(0))).unwrap();
        let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let dashes = key.replace('-', "%2d").replace('_', "%5f");
        for shown in [key, &*encoded, &*dashes] {
            for status in [404, 500] {
                let page = format!("Cannot GET /v2/download_config_specs/{shown}.json via http://u:p0123456789@proxy/");
                server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(status, page.clone())));
                server.fail_always(Endpoint::SpecsV1, Some(Fault::Status(status, page)));
                let error = network.spec_source().fetch(&SpecRequest::default()).await.unwrap_err();
                let text = format!("{error:?} {}", std::error::Error::source(&error).unwrap());
                assert!(text.contains("Cannot GET") && text.contains("*****"), "{text}");
                let encoded_part: String = "0123456789".bytes().map(|byte| format!("%{byte:02X}")).collect();
                assert!(!text.contains("0123456789") && !text.contains(&encoded_part), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_failing_server_is_named_by_its_status_even_if_its_answer_cannot_be_decompressed() {
    let (server, client) = (server(), client());
    // Its body is not gzip.
    server.fail_once(Endpoint::SpecsV2, Fault::StatusWith(503, "content-encoding", "gzip".into()));
    let error = client.send(request(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 503, .. }), "{}", text(&error));
}

#[tokio::test]
async fn specs_are_read_from_gzip_that_no_header_names_and_behind_a_byte_order_mark() {
    use statsig_core::{FixedClock, SpecFetch, SpecRequest, SpecSource};
    use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};

    let server = server();
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    options.max_specs_bytes = 4_000;
    let identity = ClientIdentity::new(SdkKey::new(KEY)).unwrap();
    let source = Network::new(options, identity, std::sync::Arc::new(FixedClock(0))).unwrap().spec_source();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let marked = format!("\u{feff}{SPECS}");
    for body in [SPECS.as_bytes().to_vec(), marked.clone().into_bytes(), gzip(SPECS), gzip(&marked)] {
        server.fail_once(Endpoint::SpecsV2, Fault::Body(body));
        match source.fetch(&SpecRequest::default()).await.unwrap() {
            SpecFetch::Updated(update) => assert_eq!(update.payload, SPECS.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
    server.fail_once(Endpoint::SpecsV2, Fault::Body(gzip(&" ".repeat(5_000))));
    let error = source.fetch(&SpecRequest::default()).await.unwrap_err();
    assert!(format!("{error:?}").contains("TooLarge"), "{error:?}");
    server.fail_once(Endpoint::SpecsV2, Fault::Body(gzip(SPECS)[..30].to_vec()));
    let error = source.fetch(&SpecRequest::default()).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("gzip"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_is_not_asked_again_at_once() {
    use statsig_core::{FixedClock, SpecRequest, SpecSource};
    use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};

    let server = server();
    let mut options = NetworkOptions::default();
    options.endpoints.specs_url = Some(format!("{}/v2/download_config_specs", server.url()));
    let identity = ClientIdentity::new(SdkKey::new(KEY)).unwrap();
    let source = Network::new(options, identity, std::sync::Arc::new(FixedClock(0))).unwrap().spec_source();
    let (future, huge) = ("Fri, 01 Jan 2190 00:00:00 GMT", "99999999999999");
    for (value, attempts) in [("30", 1), (future, 1), (huge, 1), ("0", 4), ("soon", 4)] {
        server.fail_always(Endpoint::SpecsV2, Some(Fault::StatusWith(503, "retry-after", value.into())));
        let before = server.requests().len();
        let mut request = SpecRequest::default();
        request.trigger = statsig_core::SpecTrigger::Background;
        let error = source.fetch(&request).await.unwrap_err();
        assert_eq!(server.requests().len() - before, attempts, "{value}");
        assert_eq!(error.retry_after().is_some(), value != "soon", "{value}");
    }
}

#[tokio::test]
async fn the_longest_durations_are_no_danger() {
    use statsig_core::{FixedClock, IdListSource, SpecRequest, SpecSource};
    use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};

    let server = server();
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    options.request_timeout = Duration::MAX;
    options.initial_request_timeout = Duration::MAX;
    options.id_lists_request_timeout = Duration::MAX;
    options.transport.connect_timeout = Duration::MAX;
    options.transport.idle_timeout = Duration::MAX;
    let identity = ClientIdentity::new(SdkKey::new(KEY)).unwrap();
    let network = Network::new(options, identity, std::sync::Arc::new(FixedClock(0))).unwrap();
    for trigger in [statsig_core::SpecTrigger::Initial, statsig_core::SpecTrigger::Background] {
        let mut request = SpecRequest::default();
        request.trigger = trigger;
        assert!(network.spec_source().fetch(&request).await.is_ok());
    }
    server.publish_id_list("a", "f1", 1, "+12345678\n");
    let source = network.id_list_source(false);
    let entry = source.manifest().await.unwrap().entries.remove(0);
    assert_eq!(source.read(&entry, 0).await.unwrap().bytes.len(), 10);
}
