//! HTTP: one exchange, and what a client does around it.
//!
//! | file | what |
//! | --- | --- |
//! | `body` | bodies that are read piece by piece |
//! | `client` | [`HttpClient`]: redirects, decompression, limits of size and time |
//! | `decode` | decompression that knows its limit |
//! | `reqwest` | [`ReqwestTransport`]: the exchange itself |
//! | `tls` | whom to trust, and who we are |
//!
//! A key goes in as a header marked sensitive; neither it nor an address that holds it ever leaves
//! for another host than the one asked, or shows in an error.

mod body;
mod client;
pub(crate) mod decode;
mod reqwest;
mod tls;
mod tls_failure;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::error::Error;

pub use self::body::{HttpBody, StreamedResponse};
pub use self::client::HttpClient;
pub(crate) use self::client::{Exchanged, retry_after};
#[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
pub(crate) use self::decode::DecodeError;
#[cfg(feature = "fuzzing")]
pub(crate) use self::decode::for_fuzzing as decode_for_fuzzing;
pub(crate) use self::decode::{ACCEPTED, decode};
pub use self::reqwest::{OutboundProxy, ReqwestTransport, TransportOptions};
pub use self::tls::TlsOptions;
#[cfg(any(feature = "grpc", feature = "websocket"))]
pub(crate) use self::tls_failure::explain as explain_tls_failure;

/// A request. Its `Debug` form shows neither the address, the headers nor the body.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// The address. May hold a key: not for texts.
    pub url: Url,
    /// The headers. Values that are secret are marked sensitive.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// Time for everything: connecting, redirects, the last byte of the answer. For a body that is read piece by piece,
    /// the time until its head has come, and for each silence after that.
    pub timeout: Duration,
    /// Most bytes of an answer as they are transferred.
    pub max_transferred: usize,
    /// Most bytes of an answer once it is decompressed.
    pub max_decoded: usize,
    /// Whether the answer is JSON: gzip is then recognised without a header that names it, and a byte order mark
    /// is removed.
    pub(crate) expects_json: bool,
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &self.host())
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    /// Most bytes of an answer by default, transferred or decompressed.
    pub const MAX_BYTES: usize = 256 << 20;

    /// A GET of an address.
    #[must_use]
    pub fn get(url: Url, timeout: Duration) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout,
            max_transferred: Self::MAX_BYTES,
            max_decoded: Self::MAX_BYTES,
            expects_json: false,
        }
    }

    /// A POST to an address.
    #[must_use]
    pub fn post(url: Url, body: impl Into<Bytes>, timeout: Duration) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(url, timeout) }
    }

    /// Host and port, for texts.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// Host and port of an address, for texts.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: as transferred from a [`HttpTransport`], decompressed from a [`HttpClient`].
    pub body: Bytes,
}

impl HttpResponse {
    /// An answer.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into() }
    }

    /// The text of a header, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Makes one HTTP exchange: the joint for another HTTP stack.
///
/// # Duties of an implementor
///
/// - One hop: redirects and the like are answers.
/// - The body as transferred: nothing is decompressed.
/// - At most `max_transferred` bytes are read; more is [`Error::TooLarge`].
/// - Errors and logs name the host, not the address or a header.
///
/// The time limit is kept by the [`HttpClient`], which drops the future.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use statsig_net::transport::{HttpRequest, HttpResponse, HttpTransport};
///
/// /// Answers every request with 503.
/// struct Unplugged;
///
/// #[async_trait::async_trait]
/// impl HttpTransport for Unplugged {
///     async fn exchange(&self, _request: &HttpRequest) -> Result<HttpResponse, statsig_net::Error> {
///         Ok(HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), ""))
///     }
/// }
/// ```
#[async_trait]
pub trait HttpTransport: Send + Sync {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error>;

    /// Sends a request, and returns once the head of the answer is there. The body keeps to `max_transferred`.
    ///
    /// The default reads the whole answer first: files that do not arrive within the time limit are lost then.
    ///
    /// # Errors
    /// When there is no answer.
    async fn open(&self, request: &HttpRequest) -> Result<StreamedResponse, Error> {
        self.exchange(request).await.map(Into::into)
    }
}
