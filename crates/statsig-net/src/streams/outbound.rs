//! TCP connections, directly or through an outbound proxy.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use super::connect::{ConnectError, Connection, TlsConfig};

/// Pause between TCP keepalive probes.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connects to the host and port of an address: to the first of its IP addresses that answers, of either family.
pub(super) async fn tcp(target: Uri) -> Result<TcpStream, ConnectError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    poll_fn(|context| connector.poll_ready(context)).await?;
    Ok(connector.call(target).await?.into_inner())
}

/// Connects to the host and port of an address through a proxy.
pub(super) async fn tunnel(
    proxy: &Intercept,
    target: Uri,
    proxy_tls: &TlsConfig,
) -> Result<Box<dyn Connection>, ConnectError> {
    let scheme = proxy.uri().scheme_str().unwrap_or("http");
    let tls = if scheme == "https" { Some(proxy_tls.load().await?) } else { None };
    let to_proxy = ToProxy { tls };
    let tunnel = match scheme {
        "http" | "https" => {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            // A tunnel has no other default port than 443.
            tunnel.call(target).await.map_err(|error| format!("the outbound proxy opens no tunnel: {error}"))?
        }
        "socks5" | "socks5h" => {
            let mut socks = SocksV5::new(proxy.uri().clone(), to_proxy).local_dns(scheme == "socks5");
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            socks.call(target).await.map_err(|error| format!("the outbound proxy opens no tunnel: {error}"))?
        }
        _ => return Err("the outbound proxy must be http, https, socks5 or socks5h".into()),
    };
    Ok(Box::new(tunnel.into_inner()))
}

/// Connects to a proxy.
struct ToProxy {
    tls: Option<Arc<ClientConfig>>,
}

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Box<dyn Connection>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move {
            let host = proxy.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let with_port = match (proxy.port_u16(), proxy.scheme_str()) {
                (None, Some("socks5" | "socks5h")) => {
                    format!("http://{}:1080/", proxy.host().unwrap_or_default()).parse()?
                }
                _ => proxy,
            };
            let connection = tcp(with_port).await?;
            let Some(config) = tls else { return Ok(TokioIo::new(Box::new(connection) as Box<dyn Connection>)) };
            let connector = tokio_rustls::TlsConnector::from(config);
            let encrypted = connector.connect(ServerName::try_from(host)?, connection).await?;
            Ok(TokioIo::new(Box::new(encrypted) as Box<dyn Connection>))
        })
    }
}
