//! Failures of TLS name their cause and the remedy.

use std::error::Error as _;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use statsig_net::Error;
use statsig_net::transport::{HttpClient, HttpRequest, ReqwestTransport, TlsOptions, TransportOptions};
use statsig_testkit::server::{CertificateFlaw, Certificates, FakeStatsig};
use url::Url;

async fn failure(tls: TlsOptions, url: &str) -> String {
    let transport = ReqwestTransport::new(&TransportOptions::default().with_tls(tls)).unwrap();
    let client = HttpClient::new(Arc::new(transport));
    let url = Url::parse(&format!("{url}/v2/download_config_specs/secret-AbCdEfGhIjKlMnOpQr.json")).unwrap();
    let error = client.send(HttpRequest::get(url, Duration::from_secs(10))).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. } | Error::Broken { .. }), "{error:?}");
    let text = format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
    assert!(!text.contains("AbCdEfGhIj"), "{text}");
    text
}

fn trusting(certificates: &Certificates, only: bool) -> TlsOptions {
    let mut tls = TlsOptions::default();
    tls.ca_cert_path = Some(certificates.ca_path());
    tls.only_ca_cert_path = only;
    tls
}

#[tokio::test]
async fn certificates_that_are_not_accepted_are_explained() {
    for (flaw, parts) in [
        (CertificateFlaw::Authority, &["self-signed", "authority", "CA:FALSE", "`tls.ca`"][..]),
        (CertificateFlaw::Expired, &["expired", "days ago", "renew"]),
        (CertificateFlaw::NotYetValid, &["becomes valid in", "clock"]),
        (CertificateFlaw::OtherName, &["`localhost`", "`other.example`"]),
        (CertificateFlaw::ForClients, &["serverAuth"]),
    ] {
        let certificates = Certificates::generate_with(flaw).unwrap();
        let server = FakeStatsig::start_tls(&certificates, false).unwrap();
        for only in [true, false] {
            let text = failure(trusting(&certificates, only), &server.url()).await;
            assert!(parts.iter().all(|part| text.contains(part)), "{flaw:?}: {text}");
        }
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_leads_to_the_option() {
    let (certificates, others) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
    let server = FakeStatsig::start_tls(&certificates, false).unwrap();
    let text = failure(TlsOptions::default(), &server.url()).await;
    assert!(text.contains("not trusted") && text.contains("`tls.ca`"), "{text}");
    // An authority of the same name and another key is not told from a stranger.
    let text = failure(trusting(&others, true), &server.url()).await;
    assert!(text.contains("`tls.ca`"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_that_is_missing_or_refused_is_explained() {
    let (certificates, others) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
    let server = FakeStatsig::start_tls(&certificates, true).unwrap();
    let mut tls = trusting(&certificates, false);
    let text = failure(tls.clone(), &server.url()).await;
    assert!(text.contains("requires a client certificate") && text.contains("`tls.client_cert`"), "{text}");
    tls.client_cert_path = Some(others.client_cert_path());
    tls.client_key_path = Some(others.client_key_path());
    let text = failure(tls, &server.url()).await;
    assert!(text.contains("refuses the client certificate"), "{text}");
}

#[tokio::test]
async fn the_wrong_scheme_is_explained() {
    let certificates = Certificates::generate().unwrap();
    // What common servers do with the beginning of a TLS handshake.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let text = failure(trusting(&certificates, false), &format!("https://{plain}")).await;
    assert!(text.contains("does not speak TLS") && text.contains("http://"), "{text}");
    let tls = FakeStatsig::start_tls(&certificates, false).unwrap();
    let text = failure(TlsOptions::default(), &tls.url().replace("https://", "http://")).await;
    assert!(text.contains("https://"), "{text}");
}
