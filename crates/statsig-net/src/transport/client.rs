//! What a client does around an exchange.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method};
use tokio::time::timeout;
use url::Url;

use super::decode::{self, DecodeError};
use super::{HttpRequest, HttpResponse, HttpTransport, host_of};
use crate::error::Error;
use crate::process::Process;
use crate::secret::mask;

/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 5;
/// Bodies from this size on are decompressed on a blocking thread.
const LARGE_BODY: usize = 64 << 10;
/// Longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Characters of an error answer that are kept.
const SAMPLE_CHARS: usize = 200;

/// Sends requests: follows redirects where that is safe, decompresses, and keeps limits.
///
/// Cheap to clone; clones share their connections.
///
/// - **Time**: one limit for the whole, on tokio's clock.
/// - **Size**: limits before and after decompression.
/// - **Redirects**: up to 5, of GET only, never from `https` to `http`. Sensitive headers go to the
///   host that was asked and no other, and an address that holds the value of one is not followed to
///   another host.
/// - **Forks**: a forked child sends nothing, since it shares the connections with its parent.
#[derive(Clone)]
pub struct HttpClient {
    transport: Arc<dyn HttpTransport>,
    process: Process,
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
        Self { transport, process: Process::this() }
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
        if self.process.is_left() {
            return Err(Error::Inherited { host });
        }
        match timeout(limit, self.follow(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut { host, limit }),
        }
    }

    /// Makes one exchange, without following redirects or decompressing.
    ///
    /// # Errors
    /// When there is no answer within the limits.
    ///
    /// # Cancel safety
    /// The request may have arrived or not.
    pub(crate) async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, Error> {
        if self.process.is_left() {
            return Err(Error::Inherited { host: request.host() });
        }
        let limit = request.timeout.saturating_add(request.lenient_body.unwrap_or_default());
        match timeout(limit, self.transport.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut { host: request.host(), limit: request.timeout }),
        }
    }

    async fn follow(&self, mut request: HttpRequest) -> Result<HttpResponse, Error> {
        for _ in 0..=MOST_REDIRECTS {
            let response = self.transport.exchange(&request).await?;
            let status = response.status;
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                redirect(&mut request, &response)?;
                continue;
            }
            let host = request.host();
            let response = decoded(response, &request).await?;
            return match status.as_u16() {
                200..=299 | 304 => Ok(response),
                status => Err(Error::Status {
                    host,
                    status,
                    sample: sample(&response.body),
                    retry_after: retry_after(&response.headers),
                }),
            };
        }
        Err(Error::Redirect { host: request.host(), why: "too many redirects" })
    }
}

/// Points the request where the answer says, if that is safe.
fn redirect(request: &mut HttpRequest, response: &HttpResponse) -> Result<(), Error> {
    let refuse = |why| Error::Redirect { host: request.host(), why };
    if request.method != Method::GET {
        return Err(refuse("only reading requests are redirected"));
    }
    let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
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

/// The answer with its body decompressed.
async fn decoded(mut response: HttpResponse, request: &HttpRequest) -> Result<HttpResponse, Error> {
    let limit = request.max_decoded;
    let codings: Vec<&str> =
        response.headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    let codings = codings.join(",");
    let body = std::mem::take(&mut response.body);
    if codings.is_empty() || body.is_empty() {
        response.body = body;
        return if response.body.len() > limit { Err(too_large(request)) } else { Ok(response) };
    }
    let result = if body.len() < LARGE_BODY {
        decode::decode(body, &codings, limit)
    } else {
        let codings = codings.clone();
        let work = tokio::task::spawn_blocking(move || decode::decode(body, &codings, limit));
        work.await.unwrap_or_else(|error| Err(DecodeError::Broken(std::io::Error::other(error))))
    };
    match result {
        Ok(body) if body.len() <= limit => {
            response.body = body;
            Ok(response)
        }
        Ok(_) | Err(DecodeError::TooLarge) => Err(too_large(request)),
        Err(DecodeError::Broken(source)) => Err(Error::Decompression {
            host: request.host(),
            encoding: codings.chars().take(40).collect(),
            source: source.into(),
        }),
    }
}

fn too_large(request: &HttpRequest) -> Error {
    Error::TooLarge { host: host_of(&request.url), limit: request.max_decoded, decoded: true }
}

/// The beginning of an answer, if it is plain text; without secrets.
fn sample(body: &[u8]) -> String {
    let start = &body[..body.len().min(4 * SAMPLE_CHARS)];
    if !start.is_ascii() {
        return String::new();
    }
    let text = String::from_utf8_lossy(start);
    let text = mask(text.trim());
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

    fn answer(location: &str) -> HttpResponse {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        HttpResponse::new(http::StatusCode::FOUND, headers, "")
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
        assert_eq!(sample(b" oh no\nsecret-AbCdEfGhIjKlMnOpQrSt "), "oh no secret-AbCdE*****");
        assert_eq!(sample("é".as_bytes()), "");
        assert_eq!(sample(&[b'x'; 10_000]).len(), SAMPLE_CHARS);
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
}
