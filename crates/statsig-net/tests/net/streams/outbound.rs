//! Streams through an outbound proxy.

use std::io;
use std::sync::{Arc, Mutex};

use statsig_core::SourceErrorKind;
use statsig_net::transport::OutboundProxy;
use statsig_testkit::server::Certificates;
use statsig_testkit::stream_server::StreamServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Transport, next_specs, refusal, subscribe, text};
use crate::common::specs;

/// A proxy that opens tunnels; it records the heads of requests.
struct Tunnels {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(tunnel(socket, Arc::clone(&recorded), answer));
            }
        });
        Self { address, heads }
    }
}

async fn tunnel(mut socket: TcpStream, heads: Arc<Mutex<Vec<String>>>, answer: &str) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().unwrap().push(head);
    socket.write_all(answer.as_bytes()).await?;
    let mut target = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut socket, &mut target).await?;
    Ok(())
}

const OPENED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

#[cfg(any(feature = "grpc", feature = "websocket"))]
async fn goes_through_the_proxy(transport: Transport) {
    let server = transport.server();
    let proxy = Tunnels::start(OPENED).await;
    let stream = |address: &str| {
        transport.stream_with(&server.url(), |options| {
            let proxy = OutboundProxy::new(address).with_auth("me", "p@ss");
            options.outbound_proxy = Some(proxy);
        })
    };
    next_specs(&mut *subscribe(&*stream(&proxy.address)).await.unwrap()).await;
    let heads = proxy.heads.lock().unwrap().join("");
    assert!(heads.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", server.address())), "{heads}");
    assert!(heads.to_ascii_lowercase().contains("proxy-authorization: basic"), "{heads}");

    let refusing = Tunnels::start("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    let error = refusal(&*stream(&refusing.address)).await;
    assert_eq!(error.kind(), SourceErrorKind::Unreachable);
    assert!(!text(&error).contains("p@ss"), "{}", text(&error));

    // Never around the proxy.
    let unreachable = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let before = server.requests().len();
    let error = refusal(&*stream(&unreachable)).await;
    assert_eq!((error.kind(), server.requests().len()), (SourceErrorKind::Unreachable, before), "{}", text(&error));
}

async fn encrypts_within_the_tunnel(transport: Transport) {
    let certificates = Certificates::generate().unwrap();
    let server = StreamServer::start_tls(transport.protocol, &certificates, true).unwrap();
    server.publish(specs(1, true).as_bytes());
    let proxy = Tunnels::start(OPENED).await;
    let stream = transport.stream_with(&server.url(), |options| {
        options.outbound_proxy = Some(OutboundProxy::new(format!("http://{}", proxy.address)));
        options.tls.ca_cert_path = Some(certificates.ca_path());
        options.tls.client_cert_path = Some(certificates.client_cert_path());
        options.tls.client_key_path = Some(certificates.client_key_path());
    });
    next_specs(&mut *subscribe(&*stream).await.unwrap()).await;
    assert!(proxy.heads.lock().unwrap()[0].starts_with("CONNECT localhost:"));
}

#[cfg(feature = "grpc")]
#[tokio::test]
async fn grpc_goes_through_the_proxy() {
    goes_through_the_proxy(super::grpc::GRPC).await;
    encrypts_within_the_tunnel(super::grpc::GRPC).await;
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn websocket_goes_through_the_proxy() {
    goes_through_the_proxy(super::websocket::WEBSOCKET).await;
    encrypts_within_the_tunnel(super::websocket::WEBSOCKET).await;
}

#[cfg(feature = "sse")]
#[tokio::test]
async fn encrypted_events_go_through_the_proxy() {
    encrypts_within_the_tunnel(super::sse::SSE).await;
}
