//! The exchange itself, by reqwest.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::time::timeout;
use url::Url;

use super::tls::TlsOptions;
use super::{HttpRequest, HttpResponse, HttpTransport};
use crate::error::Error;

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
    fn checked_address(&self) -> Result<Url, Error> {
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
}

/// Shows neither the password nor what stands before an `@` in the address.
impl fmt::Debug for OutboundProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.rsplit('@').next().unwrap_or_default();
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
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            tls: TlsOptions::default(),
            proxy: None,
            proxy_from_environment: true,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
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
        let client_error = |error: reqwest::Error| Error::Client(error.without_url().into());
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(options.tls.to_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_timeout)
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
        Ok(Self { client: builder.build().map_err(client_error)? })
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        let mut outgoing = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone());
        if request.method == http::Method::POST && request.body.is_empty() {
            // Some servers wait for a body that nobody said is empty.
            outgoing = outgoing.header(http::header::CONTENT_LENGTH, "0");
        }
        let mut answer = match request.lenient_body {
            None => outgoing.send().await,
            // The time of the whole request is that of the head.
            Some(_) => timeout(request.timeout, outgoing.send()).await.map_err(|_| late(request))?,
        }
        .map_err(|error| broken(request, error))?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let body = read_body(request, &mut answer);
        let body = match request.lenient_body {
            None => body.await,
            Some(limit) => timeout(limit, body).await.unwrap_or_else(|_| Err(late(request))),
        };
        match body {
            Ok(body) => Ok(HttpResponse::new(status, headers, body)),
            Err(_) if request.lenient_body.is_some() => Ok(HttpResponse::new(status, headers, "").incomplete()),
            Err(error) => Err(error),
        }
    }
}

async fn read_body(request: &HttpRequest, answer: &mut reqwest::Response) -> Result<BytesMut, Error> {
    let limit = request.max_transferred;
    let too_large = || Error::TooLarge { host: request.host(), limit, decoded: false };
    let announced = answer.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(too_large());
    }
    // What a server announces is not yet there: room comes with the bytes.
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0).min(1 << 20));
    while let Some(chunk) = answer.chunk().await.map_err(|error| broken(request, error))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn late(request: &HttpRequest) -> Error {
    Error::TimedOut { host: request.host(), limit: request.timeout }
}

fn broken(request: &HttpRequest, error: reqwest::Error) -> Error {
    let (host, connect, timed_out) = (request.host(), error.is_connect(), error.is_timeout());
    // The address holds the key.
    let source = error.without_url().into();
    match (connect, timed_out) {
        (true, _) => Error::Connect { host, source },
        (_, true) => Error::TimedOut { host, limit: request.timeout },
        _ => Error::Broken { host, source },
    }
}
