//! Meaning of the endpoint's answers.

use http::StatusCode;
use http::header::CONTENT_ENCODING;
use serde_json::{Map, Value};
use statsig_core::{Delivery, SinkError};

use super::MAX_ANSWER;
use crate::transport::{Exchanged, decode, retry_after};

/// Statuses by which a server refuses the key or a batch.
const REFUSED: [u16; 5] = [400, 401, 403, 405, 501];

/// Outcome of an attempt by its answer: the status counts first, and the body only of a success.
pub(super) async fn outcome(host: &str, response: Exchanged, events: u32) -> Delivery {
    let (status, after) = (response.status, retry_after(&response.headers));
    let answers = || -> SinkError { format!("{host} answers {}", described(status)).into() };
    match status.as_u16() {
        200..=299 => match confirmation(response).await {
            Confirmation::Taken => Delivery::Delivered,
            Confirmation::NotTaken => {
                let reason = format!("{host} answers {} and `success: false`", described(status)).into();
                Delivery::Retry { after, reason }
            }
            Confirmation::Missing(body) => Delivery::unconfirmed(format!(
                "{host} answers {} with {body} in place of a JSON object, which does not confirm the events",
                described(status)
            )),
        },
        413 if events > 1 => Delivery::TooLarge,
        code if code == 413 || REFUSED.contains(&code) => Delivery::Refused { after, reason: answers() },
        _ => Delivery::Retry { after, reason: answers() },
    }
}

/// Meaning of the body of a success.
#[derive(Debug, PartialEq, Eq)]
enum Confirmation {
    Taken,
    NotTaken,
    /// There is none; the text describes the body.
    Missing(&'static str),
}

async fn confirmation(response: Exchanged) -> Confirmation {
    let Some(body) = response.body else {
        return Confirmation::Missing("a body that is cut off, late or too large");
    };
    let codings: Vec<&str> =
        response.headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    let codings = codings.join(",");
    if codings.is_empty() {
        return read(&body);
    }
    // Decoding may take long, whatever is announced.
    let decoded = tokio::task::spawn_blocking(move || {
        decode(body, &codings, MAX_ANSWER).map_or(Confirmation::Missing(UNDECODABLE), |body| read(&body))
    });
    decoded.await.unwrap_or(Confirmation::Missing(UNDECODABLE))
}

const UNDECODABLE: &str = "a body that cannot be decoded";

fn read(body: &[u8]) -> Confirmation {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(answer) if answer.get("success") == Some(&Value::Bool(false)) => Confirmation::NotTaken,
        Ok(_) => Confirmation::Taken,
        Err(_) if body.is_empty() => Confirmation::Missing("no body"),
        Err(_) if body.starts_with(b"<") => Confirmation::Missing("HTML or XML"),
        Err(_) => Confirmation::Missing("another body"),
    }
}

/// The status with its usual text, if it has one.
fn described(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_confirms() {
        for body in [
            "{}",
            r#"{"success":true}"#,
            r#"{"success":null}"#,
            r#"{"success":"no"}"#,
            r#"{"success":0,"more":[1]}"#,
            "\u{feff} {\"success\":true}\r\n",
            r#"{"success":false,"success":true}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Confirmation::Taken, "{body}");
        }
        assert_eq!(read(b"{\"success\": false, \"message\": \"busy\"}"), Confirmation::NotTaken);
        let deep = "[".repeat(100_000);
        for body in [
            "",
            " ",
            "OK",
            "<html></html>",
            "true",
            "null",
            "[]",
            "[true]",
            "[{\"success\":true}]",
            "\"{}\"",
            "{",
            "{} {}",
            &deep,
        ] {
            assert!(matches!(read(body.as_bytes()), Confirmation::Missing(_)), "{body:.20}");
        }
        assert!(matches!(read(b"{\"a\":\"\xff\"}"), Confirmation::Missing(_)));
    }
}
