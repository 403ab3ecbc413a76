//! What a client does around an exchange.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::timeout;
use url::Url;

use super::body::Paced;
use super::decode::{self, DecodeError};
use super::{HttpRequest, HttpResponse, HttpTransport, StreamedResponse, host_of};
use crate::error::Error;
use crate::mask::{chain_of, mask_with};
use statsig_background::ForkGuard;

/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 5;
/// Compressed bodies up to this size are tried on the caller's thread.
const SMALL_BODY: usize = 16 << 10;
/// Most bytes that are decompressed on the caller's thread. Beyond, a blocking thread begins again.
const SMALL_OUTPUT: usize = 64 << 10;
/// Longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Characters of an error answer that are kept.
const SAMPLE_CHARS: usize = 200;
/// Bytes of an error answer that are read, and looked through for secrets.
const SAMPLE_BYTES: usize = 16 << 10;

/// An answer whose status counts even where its body cannot be read.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as transferred; `None` where it is late, breaks off or is too large.
    pub(crate) body: Option<Bytes>,
}

/// Sends requests: follows redirects where that is safe, decompresses, and keeps limits.
///
/// Cheap to clone; clones share their connections.
///
/// - **Time**: one limit for the whole, on tokio's clock; for a body that is read piece by piece, one until its
///   head has come, and the same for each silence.
/// - **Size**: limits before and after decompression.
/// - **Redirects**: up to 5, of GET only, never from `https` to `http`. Sensitive headers go to the
///   host that was asked and no other, and an address that holds the value of one is not followed to
///   another host.
/// - **Forks**: a forked child sends nothing, since it shares the connections with its parent.
#[derive(Clone)]
pub struct HttpClient {
    transport: Arc<dyn HttpTransport>,
    process: ForkGuard,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client over a transport.
    #[must_use]
    pub fn new(transport: Arc<dyn HttpTransport>) -> Self {
        Self { transport, process: ForkGuard::new() }
    }

    /// Sends a request, and gives the answer if it has a success status or is a 304.
    ///
    /// # Errors
    /// When there is no whole answer within the limits; [`Error::Status`] for any other status.
    ///
    /// # Cancel safety
    /// The request may have arrived or not.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let (host, limit) = (request.host(), request.timeout);
        if self.process.is_inherited() {
            return Err(Error::Inherited { host });
        }
        match timeout(limit, self.follow(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut { host, limit }),
        }
    }

    /// Sends a request, and returns an answer with a success status once its head is there.
    ///
    /// The request's time limit is for the head. For the body it limits silence: some kilobytes must arrive within
    /// each such time. A body that is compressed although the request did not allow it is read as a whole.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// The request may have arrived or not.
    pub async fn open(&self, request: HttpRequest) -> Result<StreamedResponse, Error> {
        let (host, limit) = (request.host(), request.timeout);
        if self.process.is_inherited() {
            return Err(Error::Inherited { host });
        }
        let opened = async {
            let (mut response, request) = self.hops(request, true).await?;
            if response.headers.contains_key(CONTENT_ENCODING) {
                let whole = response.collect(request.max_transferred, || too_large(&request, false)).await?;
                response = decoded(whole, &request).await?.into();
            }
            Ok(response)
        };
        match timeout(limit, opened).await {
            Ok(result) => result.map(|mut response| {
                response.body = Box::new(Paced::new(response.body, host, limit));
                response
            }),
            Err(_) => Err(Error::TimedOut { host, limit }),
        }
    }

    /// Sends a request, and returns an answer with a success status once its head is there. Its body may be silent and
    /// last for any time; it is not decompressed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// The request may have arrived or not.
    #[cfg(feature = "sse")]
    pub(crate) async fn open_endless(&self, request: HttpRequest) -> Result<StreamedResponse, Error> {
        let (host, limit) = (request.host(), request.timeout);
        if self.process.is_inherited() {
            return Err(Error::Inherited { host });
        }
        match timeout(limit, self.hops(request, true)).await {
            Ok(result) => result.map(|(response, _)| response),
            Err(_) => Err(Error::TimedOut { host, limit }),
        }
    }

    /// Makes one exchange, without following redirects or decompressing.
    ///
    /// The request's time limit is for the head of the answer, `body_limit` for its body. The body is `None` where
    /// it is late, breaks off or is too large.
    ///
    /// # Errors
    /// When there is no head within the limit.
    ///
    /// # Cancel safety
    /// The request may have arrived or not.
    pub(crate) async fn exchange(&self, request: &HttpRequest, body_limit: Duration) -> Result<Exchanged, Error> {
        if self.process.is_inherited() {
            return Err(Error::Inherited { host: request.host() });
        }
        // The limit is that of the body: a head that announces more counts all the same.
        let mut unlimited = request.clone();
        unlimited.max_transferred = usize::MAX;
        let opened = match timeout(request.timeout, self.transport.open(&unlimited)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(Error::TimedOut { host: request.host(), limit: request.timeout }),
        };
        let (status, headers) = (opened.status, opened.headers.clone());
        let body = opened.collect(request.max_transferred, || too_large(request, false));
        let body = timeout(body_limit, body).await.ok().and_then(Result::ok).map(|whole| whole.body);
        Ok(Exchanged { status, headers, body })
    }

    async fn follow(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let (response, request) = self.hops(request, false).await?;
        let whole = response.collect(request.max_transferred, || too_large(&request, false)).await?;
        decoded(whole, &request).await
    }

    /// Follows redirects to an answer with a success status; returns it with the request that it answers.
    async fn hops(&self, mut request: HttpRequest, streamed: bool) -> Result<(StreamedResponse, HttpRequest), Error> {
        for _ in 0..=MOST_REDIRECTS {
            let response = if streamed {
                self.transport.open(&request).await?
            } else {
                self.transport.exchange(&request).await?.into()
            };
            match response.status.as_u16() {
                301 | 302 | 303 | 307 | 308 => redirect(&mut request, &response.headers)?,
                200..=299 | 304 => return Ok((response, request)),
                status => return Err(refused(status, response, &request).await),
            }
        }
        Err(Error::Redirect { host: request.host(), why: "too many redirects" })
    }
}

/// The error for an answer without a success status. A body that cannot be had or decoded leaves no sample.
async fn refused(status: u16, mut response: StreamedResponse, request: &HttpRequest) -> Error {
    let (host, retry_after) = (request.host(), retry_after(&response.headers));
    let mut body = BytesMut::new();
    while body.len() < SAMPLE_BYTES
        && let Ok(Some(piece)) = response.body.next().await
    {
        body.extend_from_slice(&piece[..piece.len().min(SAMPLE_BYTES - body.len())]);
    }
    let codings = codings(&response.headers);
    let decodes = !codings.is_empty() && !body.is_empty();
    let body = if decodes { decode::beginning(&body, &codings, SAMPLE_BYTES) } else { body.into() };
    let sample = sample(&body, &secrets(request));
    Error::Status { host, status, sample, retry_after }
}

/// The values of a request that must not show in texts.
fn secrets(request: &HttpRequest) -> Vec<&str> {
    request.headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok()).collect()
}

/// The content codings that an answer names, separated by commas.
fn codings(headers: &HeaderMap) -> String {
    let codings: Vec<&str> = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    codings.join(",")
}

/// Points the request where the answer says, if that is safe.
fn redirect(request: &mut HttpRequest, headers: &HeaderMap) -> Result<(), Error> {
    let refuse = |why| Error::Redirect { host: request.host(), why };
    if request.method != Method::GET {
        return Err(refuse("only reading requests are redirected"));
    }
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(url) = location.and_then(|location| request.url.join(location).ok()) else {
        return Err(refuse("it does not say where to"));
    };
    match (request.url.scheme(), url.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        _ => return Err(refuse("from https only to https")),
    }
    if url.origin() != request.url.origin() {
        let secrets = request.headers.values().filter(|value| value.is_sensitive());
        if secrets.filter_map(|value| value.to_str().ok()).any(|secret| holds(&url, secret)) {
            return Err(refuse("the new address holds the key, and is another host's"));
        }
        request.headers = request
            .headers
            .iter()
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    request.url = url;
    Ok(())
}

/// Whether an address holds a text, also percent-encoded.
fn holds(url: &Url, secret: &str) -> bool {
    let plain = percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy();
    !secret.is_empty() && (url.as_str().contains(secret) || plain.contains(secret))
}

/// The answer with its body decompressed. More than a little is decompressed on a blocking thread.
async fn decoded(mut response: HttpResponse, request: &HttpRequest) -> Result<HttpResponse, Error> {
    let limit = request.max_decoded;
    let mut body = std::mem::take(&mut response.body);
    let mut codings = codings(&response.headers);
    if codings.is_empty() && request.expects_json && body.starts_with(&decode::GZIP) {
        // A file that was compressed beforehand, and served as it is.
        codings.push_str("gzip");
    }
    if !codings.is_empty() && !body.is_empty() {
        body = match decompressed(body, &codings, limit).await {
            Ok(body) => body,
            Err(DecodeError::TooLarge) => return Err(too_large(request, true)),
            Err(DecodeError::Broken(error)) => {
                let encoding = mask_with(&codings, &secrets(request)).chars().take(40).collect();
                let source = chain_of(&error).into();
                return Err(Error::Decompression { host: request.host(), encoding, source });
            }
        };
    }
    if body.len() > limit {
        return Err(too_large(request, true));
    }
    if request.expects_json && body.starts_with(BYTE_ORDER_MARK) {
        body = body.slice(BYTE_ORDER_MARK.len()..);
    }
    response.body = body;
    Ok(response)
}

/// The byte order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

async fn decompressed(body: Bytes, codings: &str, limit: usize) -> Result<Bytes, DecodeError> {
    if body.len() <= SMALL_BODY {
        let small = limit.min(SMALL_OUTPUT);
        match decode::decode(body.clone(), codings, small) {
            Err(DecodeError::TooLarge) if small < limit => {}
            result => return result,
        }
    }
    let codings = codings.to_owned();
    let work = tokio::task::spawn_blocking(move || decode::decode(body, &codings, limit));
    work.await.unwrap_or_else(|error| Err(DecodeError::Broken(std::io::Error::other(error))))
}

fn too_large(request: &HttpRequest, decoded: bool) -> Error {
    let limit = if decoded { request.max_decoded } else { request.max_transferred };
    Error::TooLarge { host: host_of(&request.url), limit, decoded }
}

/// The beginning of an answer, if it is plain text; without secrets.
fn sample(body: &[u8], secrets: &[&str]) -> String {
    let start = &body[..body.len().min(SAMPLE_BYTES)];
    if !start.is_ascii() {
        return String::new();
    }
    let text = String::from_utf8_lossy(start);
    let text = mask_with(text.trim(), secrets);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAMPLE_CHARS).collect()
}

/// Returns the pause that `Retry-After` asks for, in seconds or as a date; at most a day.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pause = if is_number {
        // More digits than a number holds are a long time, too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(location: &str) -> HeaderMap {
        HeaderMap::from_iter([(LOCATION, location.parse().unwrap())])
    }

    fn request(url: &str) -> HttpRequest {
        let mut request = HttpRequest::get(Url::parse(url).unwrap(), Duration::from_secs(1));
        let mut key = http::HeaderValue::from_static("secret-abc");
        key.set_sensitive(true);
        request.headers.insert("statsig-api-key", key);
        request.headers.insert("x-other", http::HeaderValue::from_static("1"));
        request
    }

    #[test]
    fn redirects_never_carry_the_key_away() {
        // From, to, (new address, key goes along) or refused.
        let rows = [
            ("https://a/x/secret-abc.json", "/y/secret-abc.json", Some(("https://a/y/secret-abc.json", true))),
            ("https://a/x", "https://b/y", Some(("https://b/y", false))),
            ("https://a/x", "https://a:444/y", Some(("https://a:444/y", false))),
            ("http://a/x", "https://a/y", Some(("https://a/y", false))),
            ("https://a/x", "https://b/y/secret-abc.json", None),
            ("https://a/x", "https://b/y/secret%2Dabc.json", None),
            ("https://a/x", "https://b/%73ecret-abc", None),
            ("https://a/x", "http://a/y", None),
            ("https://a/x", "ftp://a/y", None),
            ("https://a/x", "https://", None),
        ];
        for (from, to, expected) in rows {
            let mut request = request(from);
            let result = redirect(&mut request, &answer(to));
            match expected {
                Some((url, with_key)) => {
                    result.unwrap();
                    assert_eq!(
                        (request.url.as_str(), request.headers.contains_key("statsig-api-key")),
                        (url, with_key)
                    );
                    assert!(request.headers.contains_key("x-other"));
                }
                None => assert!(!result.unwrap_err().to_string().contains("abc"), "{from} to {to}"),
            }
        }
        let mut post = request("https://a/x");
        post.method = Method::POST;
        assert!(redirect(&mut post, &answer("/y")).is_err());
    }

    #[test]
    fn samples_are_short_and_without_secrets() {
        assert_eq!(sample(b" oh no\nsecret-AbCdEfGhIjKlMnOpQrSt ", &[]), "oh no secret-AbCdE*****");
        assert_eq!(sample(b"no my-own_key-1", &["my-own_key-1"]), "no *****");
        assert_eq!(sample("é".as_bytes(), &[]), "");
        assert_eq!(sample(&[b'x'; 100_000], &[]).len(), SAMPLE_CHARS);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(after(" 120 "), Some(Duration::from_secs(120)));
        for long in ["4294967296", "18446744073709551616", &"9".repeat(1_000), "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(after(long), Some(LONGEST_RETRY_AFTER), "{long}");
        }
        let soon = SystemTime::now() + Duration::from_secs(100);
        let seconds = after(&httpdate::fmt_http_date(soon)).unwrap().as_secs();
        assert!((95..=100).contains(&seconds), "{seconds}");
        for text in ["-1", "+1", "1.5", "soon", "", "Fri, 01 Jan 1999 00:00:00 GMT"] {
            assert_eq!(after(text), None, "{text}");
        }
    }

    #[test]
    fn more_than_a_little_is_decompressed_elsewhere() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let compressed = |size| {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
                std::io::Write::write_all(&mut encoder, &vec![b' '; size]).unwrap();
                drop(encoder);
                Bytes::from(out)
            };
            // The only blocking thread is busy until the sender is dropped.
            let (busy, done) = std::sync::mpsc::channel::<()>();
            tokio::task::spawn_blocking(move || done.recv());
            let small = decompressed(compressed(SMALL_OUTPUT), "br", 1 << 30).await.unwrap();
            assert_eq!(small.len(), SMALL_OUTPUT);
            let bomb = compressed(SMALL_OUTPUT + 1);
            assert!(bomb.len() < 1_000);
            let large = decompressed(bomb, "br", 1 << 30);
            tokio::pin!(large);
            for _ in 0..10 {
                assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(large.as_mut().poll(cx).is_pending())).await);
                tokio::task::yield_now().await;
            }
            drop(busy);
            assert_eq!(large.await.unwrap().len(), SMALL_OUTPUT + 1);
        });
    }
}
