//! The exchange with the event endpoint, and the redirects that it follows.

use http::header::LOCATION;
use tokio::time::Instant;
use url::Url;

use super::ANSWER_TIMEOUT;
use crate::error::Error;
use crate::transport::{Exchanged, HttpClient, HttpRequest, host_of};

/// Most redirects of one attempt.
const MOST_REDIRECTS: usize = 3;
/// Most characters of an address in an error.
const MOST_ADDRESS: usize = 60;

/// Reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error(transparent)]
    Net(#[from] Error),
    #[error(
        "{host} answers {status}: set `log_event_url` to the new address at {target}; events are posted again \
         only after 307 and 308"
    )]
    NotPosted { host: String, status: u16, target: String },
    #[error(
        "{host} answers {status}: set `log_event_url` to the new address at {target}; events are not sent to \
         another scheme, host or port"
    )]
    Elsewhere { host: String, status: u16, target: String },
    #[error("{host} answers {status} without a usable address; check `log_event_url`")]
    Nowhere { host: String, status: u16 },
    #[error("{host} redirects more than {MOST_REDIRECTS} times; check `log_event_url`")]
    TooManyRedirects { host: String },
}

/// Posts a request, also where 307 and 308 point to on the same scheme, host and port: same method,
/// headers and body. Returns the host for messages, and the answer.
///
/// The limit of time is that of all hops together.
pub(super) async fn send(client: &HttpClient, mut request: HttpRequest) -> Result<(String, Exchanged), ExchangeError> {
    let (begin, limit) = (Instant::now(), request.timeout);
    for _ in 0..=MOST_REDIRECTS {
        request.timeout = limit.saturating_sub(begin.elapsed());
        let response = client.exchange(&request, ANSWER_TIMEOUT).await?;
        match response.status.as_u16() {
            301 | 302 | 303 | 307 | 308 => request.url = target(&request.url, &response)?,
            _ => return Ok((request.host(), response)),
        }
    }
    Err(ExchangeError::TooManyRedirects { host: request.host() })
}

/// Returns the address that a redirect points to, if it is one to follow.
fn target(from: &Url, response: &Exchanged) -> Result<Url, ExchangeError> {
    let (host, status) = (host_of(from), response.status.as_u16());
    let location = response.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(mut to) = location.and_then(|location| from.join(location).ok()) else {
        return Err(ExchangeError::Nowhere { host, status });
    };
    // Neither the path nor what stands before an `@`: both may hold secrets.
    let target = || format!("{}://{}", to.scheme(), host_of(&to)).chars().take(MOST_ADDRESS).collect();
    if !matches!(status, 307 | 308) {
        return Err(ExchangeError::NotPosted { host, status, target: target() });
    }
    // Of schemes without a host, no origin equals another.
    if to.origin() != from.origin() {
        return Err(ExchangeError::Elsewhere { host, status, target: target() });
    }
    // They would become a header.
    if to.set_username(from.username()).is_err() || to.set_password(from.password()).is_err() {
        return Err(ExchangeError::Nowhere { host, status });
    }
    to.set_fragment(None);
    Ok(to)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn redirect(status: u16, location: &[u8]) -> Exchanged {
        let headers = HeaderMap::from_iter([(LOCATION, http::HeaderValue::from_bytes(location).unwrap())]);
        Exchanged { status: StatusCode::from_u16(status).unwrap(), headers, body: None }
    }

    #[test]
    fn only_the_same_origin_is_followed() {
        let followed = [
            ("https://a/x", "/y", "https://a/y"),
            ("https://a/x?q=1", "?q=2", "https://a/x?q=2"),
            ("https://a/x", "https://A:443/y#z", "https://a/y"),
            ("http://a:80/x", "//a/y", "http://a/y"),
            ("http://a:8080/x", "http://user:pw@a:8080/y", "http://a:8080/y"),
            ("http://u:p@a/x", "/y", "http://u:p@a/y"),
        ];
        for status in [307, 308] {
            for (from, to, expected) in followed {
                let url = target(&Url::parse(from).unwrap(), &redirect(status, to.as_bytes())).unwrap();
                assert_eq!(url.as_str(), expected, "{from} to {to}");
            }
            for (from, to) in [
                ("http://a/x", "https://a/x"),
                ("https://a/x", "http://a/x"),
                ("https://a/x", "https://a:444/x"),
                ("https://a/x", "https://b/x"),
                ("https://a/x", "https://a.b/x"),
                ("https://a/x", "//b/secret-AbCdEfGhIjKlMnOpQrStUvWx"),
                ("https://a/x", "https://a@b/x"),
                ("https://a/x", "data:text/plain,a"),
                ("https://a/x", "file:///a"),
            ] {
                let error = target(&Url::parse(from).unwrap(), &redirect(status, to.as_bytes())).unwrap_err();
                assert!(matches!(error, ExchangeError::Elsewhere { .. }), "{from} to {to}: {error}");
                let text = error.to_string();
                assert!(text.contains("log_event_url") && !text.contains("AbCd"), "{text}");
            }
        }
        for to in [&b"https://"[..], b"/\xff"] {
            let error = target(&Url::parse("https://a/x").unwrap(), &redirect(308, to)).unwrap_err();
            assert!(matches!(error, ExchangeError::Nowhere { .. }), "{error}");
        }
        for status in [301, 302, 303] {
            let error = target(&Url::parse("https://a/x").unwrap(), &redirect(status, b"/y")).unwrap_err();
            assert!(matches!(error, ExchangeError::NotPosted { .. }), "{error}");
        }
    }

    #[test]
    fn messages_fit_into_two_hundred_characters() {
        let to = format!("https://{}.example/x", "long.".repeat(60));
        for status in [302, 308] {
            let error = target(&Url::parse("https://events.example").unwrap(), &redirect(status, to.as_bytes()));
            let text = error.unwrap_err().to_string();
            assert!(text.chars().count() <= 200 && text.contains("events.example"), "{text}");
        }
    }
}
