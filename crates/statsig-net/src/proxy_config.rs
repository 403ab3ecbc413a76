//! A forward proxy between us and Statsig, for each endpoint.

use std::path::PathBuf;
use std::time::Duration;

use crate::transport::TlsOptions;

/// An endpoint of Statsig's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NetworkEndpoint {
    /// Config specs.
    DownloadConfigSpecs,
    /// The manifest of the ID lists.
    GetIdLists,
    /// The files of the ID lists.
    DownloadIdListFile,
    /// Events.
    LogEvent,
    /// Every endpoint that has no entry of its own.
    All,
}

/// How a forward proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NetworkProtocol {
    /// HTTP requests.
    #[default]
    Http,
    /// One gRPC call for each question.
    Grpc,
    /// A gRPC stream. The name is historical: it has nothing to do with WebSocket.
    GrpcWebsocket,
    /// A WebSocket.
    Websocket,
}

/// Whether connections to a forward proxy are encrypted, and who shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AuthenticationMode {
    /// As the address says; the operating system decides whom to trust.
    #[default]
    None,
    /// The proxy shows a certificate of the given authority.
    Tls,
    /// Both sides show a certificate.
    Mtls,
}

/// A forward proxy, how it is reached, and what to do when it is not.
///
/// The retry fields concern streams: how long to wait before connecting again, and from which
/// failure on to poll meanwhile.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// How it is spoken to.
    pub protocol: NetworkProtocol,
    /// Its address: with or without scheme, slash at the end, and version.
    pub proxy_address: String,
    /// After so many failures in a row a stream waits the longest pause each time. Default: no limit.
    pub max_retry_attempt: Option<u32>,
    /// Pause before the first reconnection. Default 1 second; pauses are chosen evenly between zero
    /// and this.
    pub retry_backoff_base: Duration,
    /// By what the pause grows with each failure. Default 2.
    pub retry_backoff_multiplier: f64,
    /// After more failures in a row than these, polling takes over until the stream is back.
    /// Default 4; 0 polls from the first failure on.
    pub push_worker_failover_threshold: u32,
    /// Whether connections are encrypted, and who shows a certificate.
    pub authentication_mode: AuthenticationMode,
    /// The authority to trust. PEM.
    pub tls_ca_cert_path: Option<PathBuf>,
    /// Our certificate. PEM.
    pub tls_client_cert_path: Option<PathBuf>,
    /// The key of our certificate. PEM.
    pub tls_client_key_path: Option<PathBuf>,
    /// Name that the proxy's certificate must be for, if that is not the host of the address.
    pub tls_domain: Option<String>,
}

/// Shows nothing that stands before an `@` in the address.
impl std::fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyConfig")
            .field("protocol", &self.protocol)
            .field("proxy_address", &self.shown_address())
            .field("max_retry_attempt", &self.max_retry_attempt)
            .field("retry_backoff_base", &self.retry_backoff_base)
            .field("retry_backoff_multiplier", &self.retry_backoff_multiplier)
            .field("push_worker_failover_threshold", &self.push_worker_failover_threshold)
            .field("authentication_mode", &self.authentication_mode)
            .field("tls_ca_cert_path", &self.tls_ca_cert_path)
            .field("tls_client_cert_path", &self.tls_client_cert_path)
            .field("tls_client_key_path", &self.tls_client_key_path)
            .field("tls_domain", &self.tls_domain)
            .finish()
    }
}

impl ProxyConfig {
    /// A proxy with defaults for the rest.
    #[must_use]
    pub fn new(protocol: NetworkProtocol, proxy_address: impl Into<String>) -> Self {
        Self {
            protocol,
            proxy_address: proxy_address.into(),
            max_retry_attempt: None,
            retry_backoff_base: Duration::from_secs(1),
            retry_backoff_multiplier: 2.0,
            push_worker_failover_threshold: 4,
            authentication_mode: AuthenticationMode::None,
            tls_ca_cert_path: None,
            tls_client_cert_path: None,
            tls_client_key_path: None,
            tls_domain: None,
        }
    }

    /// The address for texts: without what stands before an `@`, which may be a password.
    fn shown_address(&self) -> String {
        crate::mask::shown_address(&self.proxy_address)
    }

    /// What the fields say about TLS, or what is wrong with them.
    pub(crate) fn tls(&self) -> Result<TlsOptions, Vec<String>> {
        let mut problems = Vec::new();
        let mut tls = TlsOptions::default();
        if self.authentication_mode == AuthenticationMode::None {
            return Ok(tls);
        }
        let address = self.shown_address();
        if self.tls_ca_cert_path.is_none() {
            problems.push(format!("the proxy {address} shall be authenticated, and `tls_ca_cert_path` is missing"));
        }
        tls.ca_cert_path.clone_from(&self.tls_ca_cert_path);
        tls.server_name.clone_from(&self.tls_domain);
        if self.authentication_mode == AuthenticationMode::Mtls {
            if self.tls_client_cert_path.is_none() || self.tls_client_key_path.is_none() {
                problems.push(format!(
                    "the proxy {address} wants a certificate, and `tls_client_cert_path` or `tls_client_key_path` is missing"
                ));
            }
            tls.client_cert_path.clone_from(&self.tls_client_cert_path);
            tls.client_key_path.clone_from(&self.tls_client_key_path);
        }
        if problems.is_empty() { Ok(tls) } else { Err(problems) }
    }
}
