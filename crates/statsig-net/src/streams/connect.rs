//! Connections for gRPC and WebSocket: TCP or a Unix domain socket, an outbound proxy, TLS.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use statsig_background::ForkGuard;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::address::{Endpoint, StreamAddress};
use super::options::ProxyStreamOptions;
use super::outbound;
use crate::error::Error;
use crate::mask::chain_of;
use crate::transport::{TlsOptions, explain_tls_failure};

/// A connection in both directions.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Error of any step of a connection.
pub(super) type ConnectError = Box<dyn StdError + Send + Sync>;

/// Opens connections to one address.
pub(super) struct Connector {
    endpoint: Endpoint,
    /// Host and port, for errors.
    host: String,
    tls: Option<Tls>,
    proxies: Option<Matcher>,
    proxy_tls: TlsConfig,
    limit: Duration,
    process: ForkGuard,
}

/// TLS towards the peer.
struct Tls {
    name: ServerName<'static>,
    config: TlsConfig,
}

impl Connector {
    /// Checks address and options; opens nothing and reads no file.
    pub(super) fn new(
        address: &StreamAddress,
        options: &ProxyStreamOptions,
        protocol: &'static [u8],
    ) -> Result<Self, Error> {
        let tls = if address.is_tls(options.has_tls())? {
            options.tls.check()?;
            Some(Tls { name: server_name(address)?, config: TlsConfig::new(options.tls.clone(), protocol) })
        } else {
            None
        };
        let proxies = match &options.outbound_proxy {
            Some(proxy) => Some(Matcher::builder().all(proxy.url_with_auth()?.to_string()).build()),
            None => options.proxy_from_environment.then(Matcher::from_env),
        };
        // The client certificate and the name are for the forward proxy alone.
        let mut proxy_tls = options.tls.clone();
        (proxy_tls.client_cert_path, proxy_tls.client_key_path, proxy_tls.server_name) = (None, None, None);
        Ok(Self {
            endpoint: address.endpoint.clone(),
            host: address.host(),
            tls,
            proxies,
            proxy_tls: TlsConfig::new(proxy_tls, b"http/1.1"),
            limit: options.connect_timeout,
            process: ForkGuard::new(),
        })
    }

    /// Returns whether connections are encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns host and port, for errors.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Opens a connection within the time limit.
    pub(super) async fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        if self.process.is_inherited() {
            return Err(Error::Inherited { host: self.host.clone() });
        }
        match timeout(self.limit, self.connect_unlimited()).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::TimedOut { host: self.host.clone(), limit: self.limit }),
        }
    }

    async fn connect_unlimited(&self) -> Result<Box<dyn Connection>, Error> {
        // Files that cannot be used are found before anything is sent.
        let config = match &self.tls {
            Some(tls) => Some(tls.config.load().await?),
            None => None,
        };
        let connection = match &self.endpoint {
            Endpoint::Tcp { host, port } => self.connect_tcp(host, *port).await,
            Endpoint::Unix(path) => connect_unix(path).await,
        };
        let connection = connection.map_err(|error| self.failed(chain_of(&*error)))?;
        let (Some(tls), Some(config)) = (&self.tls, config) else { return Ok(connection) };
        match tokio_rustls::TlsConnector::from(config).connect(tls.name.clone(), connection).await {
            Ok(encrypted) => Ok(Box::new(encrypted)),
            Err(error) => Err(self.failed(explain_tls_failure(&error, true).unwrap_or_else(|| chain_of(&error)))),
        }
    }

    async fn connect_tcp(&self, host: &str, port: u16) -> Result<Box<dyn Connection>, ConnectError> {
        let scheme = if self.is_tls() { "https" } else { "http" };
        let target: http::Uri = format!("{scheme}://{host}:{port}/").parse()?;
        match self.proxies.as_ref().and_then(|proxies| proxies.intercept(&target)) {
            None => Ok(Box::new(outbound::tcp(target).await?)),
            Some(proxy) => outbound::tunnel(&proxy, target, &self.proxy_tls).await,
        }
    }

    fn failed(&self, source: String) -> Error {
        Error::Connect { host: self.host.clone(), source: source.into() }
    }

    /// Returns the error of an exchange that broke off.
    pub(super) fn broken(&self, error: &(dyn StdError + 'static)) -> Error {
        let source = explain_tls_failure(error, self.is_tls()).unwrap_or_else(|| chain_of(error));
        Error::Broken { host: self.host.clone(), source: source.into() }
    }
}

#[cfg(unix)]
async fn connect_unix(path: &Path) -> Result<Box<dyn Connection>, ConnectError> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn connect_unix(_: &Path) -> Result<Box<dyn Connection>, ConnectError> {
    Err("this system has no Unix domain sockets".into())
}

/// Returns the name that is sent to the peer; its certificate must have it unless the options name another.
fn server_name(address: &StreamAddress) -> Result<ServerName<'static>, Error> {
    let name = match &address.endpoint {
        Endpoint::Tcp { host, .. } => host.trim_matches(['[', ']']).to_owned(),
        Endpoint::Unix(_) => "localhost".to_owned(),
    };
    ServerName::try_from(name).map_err(|_| {
        let problem = "the host of the stream address is no name that a certificate can be for".to_owned();
        Error::Misconfigured { problems: vec![problem] }
    })
}

/// TLS configuration that follows its files.
pub(super) struct TlsConfig {
    options: TlsOptions,
    /// Protocol offered by ALPN.
    protocol: &'static [u8],
    /// Configuration without files, which cannot change.
    fixed: OnceLock<Arc<ClientConfig>>,
}

impl TlsConfig {
    fn new(options: TlsOptions, protocol: &'static [u8]) -> Self {
        Self { options, protocol, fixed: OnceLock::new() }
    }

    /// Reads the files and returns the configuration that they make.
    pub(super) async fn load(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.fixed.get() {
            return Ok(Arc::clone(config));
        }
        let (options, protocol) = (self.options.clone(), self.protocol);
        let read = tokio::task::spawn_blocking(move || {
            let mut config = options.to_config()?;
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok::<_, Error>(Arc::new(config))
        });
        let config = read.await.map_err(|error| Error::Client(Box::new(error)))??;
        if !self.options.names_files() {
            // Another connection may have been faster.
            let _ = self.fixed.set(Arc::clone(&config));
        }
        Ok(config)
    }
}
