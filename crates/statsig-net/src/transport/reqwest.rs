//! The exchange itself, by reqwest.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::tls::TlsOptions;
use super::{HttpBody, HttpRequest, HttpResponse, HttpTransport, StreamedResponse, tls_failure};
use crate::deadline::NEVER;
use crate::error::Error;
use crate::mask::{chain_of, shown_address};

/// A proxy between us and the internet.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboundProxy {
    /// The proxy's address: `http://host:port`, `https://…`, `socks5://…` or `socks5h://…`.
    pub address: String,
    /// User name and password.
    pub auth: Option<(String, String)>,
}

impl OutboundProxy {
    /// A proxy without a password.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), auth: None }
    }

    /// The same proxy, with a user name and a password.
    #[must_use]
    pub fn with_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.auth = Some((user.into(), password.into()));
        self
    }
}

impl OutboundProxy {
    /// The address, if connections would really go through it: an unknown scheme would be passed over, and
    /// they would go out directly.
    pub(crate) fn checked_address(&self) -> Result<Url, Error> {
        let wrong = |what: &str| Error::Misconfigured {
            problems: vec![format!("the outbound proxy (`http_proxy.address`) {what}")],
        };
        let whole =
            if self.address.contains("://") { self.address.clone() } else { format!("http://{}", self.address) };
        // The error's text would repeat the address.
        let url = Url::parse(&whole).map_err(|_| wrong("is not an address"))?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(wrong("must be http, https, socks5 or socks5h"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        Ok(url)
    }

    /// Returns the checked address with user name and password in it. Not for texts.
    #[cfg(any(feature = "grpc", feature = "websocket"))]
    pub(crate) fn url_with_auth(&self) -> Result<Url, Error> {
        let mut url = self.checked_address()?;
        if let Some((user, password)) = &self.auth {
            // Fails for addresses without a host only.
            let _ = url.set_username(user);
            let _ = url.set_password(Some(password));
        }
        Ok(url)
    }
}

/// Shows neither the password nor what stands before an `@` in the address.
impl fmt::Debug for OutboundProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = shown_address(&self.address);
        f.debug_struct("OutboundProxy").field("address", &address).field("auth", &self.auth.is_some()).finish()
    }
}

/// Options of a [`ReqwestTransport`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransportOptions {
    /// Whom to trust, and who we are.
    pub tls: TlsOptions,
    /// A proxy for every connection.
    pub proxy: Option<OutboundProxy>,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment count when
    /// no proxy is given. Default: yes.
    pub proxy_from_environment: bool,
    /// Longest time to get a connection. Default 5 seconds.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Default 30 seconds: less than load balancers keep it.
    pub idle_timeout: Duration,
    /// Unix domain socket to connect to, whatever host the address names. Default: none.
    #[cfg(unix)]
    pub unix_socket: Option<std::path::PathBuf>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            tls: TlsOptions::default(),
            proxy: None,
            proxy_from_environment: true,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            #[cfg(unix)]
            unix_socket: None,
        }
    }
}

impl TransportOptions {
    /// The same options, with other TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// The same options, with a proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: OutboundProxy) -> Self {
        self.proxy = Some(proxy);
        self
    }
}

/// Makes exchanges over HTTP/1.1, with connections that are kept for the next one.
///
/// A request that a kept connection loses before it was sent goes out again on a new one.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// Sets up a client. Reads certificate files; blocks shortly, opens no connection.
    ///
    /// # Errors
    /// When a file, a certificate or the proxy cannot be used.
    pub fn new(options: &TransportOptions) -> Result<Self, Error> {
        let client_error = |error: reqwest::Error| Error::Client(chain_of(&error.without_url()).into());
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(options.tls.to_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout.min(NEVER))
            .pool_idle_timeout(options.idle_timeout.min(NEVER))
            .tcp_keepalive(Duration::from_secs(30));
        if let Some(proxy) = &options.proxy {
            let mut to = reqwest::Proxy::all(proxy.checked_address()?).map_err(client_error)?;
            if let Some((user, password)) = &proxy.auth {
                to = to.basic_auth(user, password);
            }
            builder = builder.proxy(to);
        } else if !options.proxy_from_environment {
            builder = builder.no_proxy();
        }
        #[cfg(unix)]
        if let Some(path) = &options.unix_socket {
            builder = builder.unix_socket(path.as_path());
        }
        Ok(Self { client: builder.build().map_err(client_error)? })
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        let limit = request.max_transferred;
        let too_large = || Error::TooLarge { host: request.host(), limit, decoded: false };
        self.open(request).await?.collect(limit, too_large).await
    }

    async fn open(&self, request: &HttpRequest) -> Result<StreamedResponse, Error> {
        let limit = request.max_transferred;
        let mut outgoing = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone());
        if request.method == http::Method::POST && request.body.is_empty() {
            // Some servers wait for a body that nobody said is empty.
            outgoing = outgoing.header(http::header::CONTENT_LENGTH, "0");
        }
        let peer = Peer { host: request.host(), is_tls: request.url.scheme() == "https", limit: request.timeout };
        let mut answer = outgoing.send().await.map_err(|error| peer.failed(error))?;
        if answer.content_length().is_some_and(|announced| announced > limit as u64) {
            return Err(Error::TooLarge { host: peer.host, limit, decoded: false });
        }
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        Ok(StreamedResponse::new(status, headers, Box::new(Body { answer, peer, limit, arrived: 0 })))
    }
}

/// The server at the other end, as errors describe it.
struct Peer {
    host: String,
    is_tls: bool,
    limit: Duration,
}

impl Peer {
    /// Describes a failure, without the address, which holds the key.
    fn failed(&self, error: reqwest::Error) -> Error {
        let (host, connect, timed_out) = (self.host.clone(), error.is_connect(), error.is_timeout());
        let error = error.without_url();
        let source = match tls_failure::explain(&error, self.is_tls) {
            Some(explained) => explained,
            None => chain_of(&error),
        };
        match (connect, timed_out) {
            (true, _) => Error::Connect { host, source: source.into() },
            (_, true) => Error::TimedOut { host, limit: self.limit },
            _ => Error::Broken { host, source: source.into() },
        }
    }
}

/// The body of an answer that is under way.
struct Body {
    answer: reqwest::Response,
    peer: Peer,
    limit: usize,
    arrived: usize,
}

#[async_trait]
impl HttpBody for Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = self.answer.chunk().await.map_err(|error| self.peer.failed(error))?;
        self.arrived += piece.as_ref().map_or(0, Bytes::len);
        if self.arrived > self.limit {
            return Err(Error::TooLarge { host: self.peer.host.clone(), limit: self.limit, decoded: false });
        }
        Ok(piece)
    }
}
