//! Text frames: control messages, and payloads of the protocol `statsig-sfp.json.v1`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use statsig_core::{SourceError, SourceErrorKind, SpecVersion};

use super::super::failure::foreign;

/// Message of a text frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Hello,
    Specs {
        time_ms: u64,
        checksum: Option<Arc<str>>,
        json: Bytes,
    },
    NoUpdate {
        time_ms: u64,
    },
    Error {
        code: String,
        is_retryable: bool,
        retry_after: Option<Duration>,
    },
    GoAway {
        reconnect_after: Duration,
    },
    /// A type that a later version of the protocol may have added.
    Unknown(String),
}

/// A message as written; which fields are there depends on its type.
#[derive(Deserialize)]
struct Written<'a> {
    r#type: std::borrow::Cow<'a, str>,
    #[serde(default)]
    lcut: u64,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(borrow, default)]
    specs: Option<&'a RawValue>,
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default)]
    retryable: bool,
    #[serde(default)]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    reconnect_after_ms: u64,
}

/// Parses a text frame. Specs share the memory of the frame.
///
/// # Errors
/// If the frame is not a message of the protocol.
pub(super) fn parse(text: &Bytes) -> Result<Control, SourceError> {
    let invalid = |reason: String| SourceError::new(SourceErrorKind::Invalid, reason);
    let written: Written<'_> =
        serde_json::from_slice(text).map_err(|error| invalid(format!("a text frame is not a message: {error}")))?;
    Ok(match &*written.r#type {
        "hello" => Control::Hello,
        "specs" => {
            let Some(specs) = written.specs else { return Err(invalid("a message of specs has none".to_owned())) };
            let checksum = written.checksum.filter(|checksum| !checksum.is_empty()).map(Arc::from);
            Control::Specs { time_ms: written.lcut, checksum, json: text.slice_ref(specs.get().as_bytes()) }
        }
        "no_update" => Control::NoUpdate { time_ms: written.lcut },
        "error" => {
            let code = match written.code {
                Some(serde_json::Value::String(code)) => foreign(&code),
                Some(code) => foreign(&code.to_string()),
                None => "no code".to_owned(),
            };
            let retry_after = written.retry_after_ms.map(Duration::from_millis);
            Control::Error { code, is_retryable: written.retryable, retry_after }
        }
        "goaway" => Control::GoAway { reconnect_after: Duration::from_millis(written.reconnect_after_ms) },
        other => Control::Unknown(foreign(other)),
    })
}

/// Returns the message that asks for the newest specs again.
pub(super) fn sync(held: &SpecVersion) -> String {
    let mut message = serde_json::json!({ "type": "sync", "sinceTime": held.time_ms });
    if let Some(checksum) = &held.checksum {
        message["checksum"] = (&**checksum).into();
    }
    message.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &'static str) -> Control {
        parse(&Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(read(r#"{"type":"hello","host":"h","lcut":1,"heartbeat_ms":30000}"#), Control::Hello);
        let specs = read(r#"{"type":"specs","lcut":5,"checksum":"c","specs": {"a": [1, 2]} }"#);
        let json = Bytes::from_static(br#"{"a": [1, 2]}"#);
        assert_eq!(specs, Control::Specs { time_ms: 5, checksum: Some("c".into()), json });
        assert_eq!(read(r#"{"type":"no_update","lcut":5}"#), Control::NoUpdate { time_ms: 5 });
        let error = read(r#"{"type":"error","code":"overloaded","retryable":true,"retry_after_ms":1500}"#);
        let retry_after = Some(Duration::from_millis(1_500));
        assert_eq!(error, Control::Error { code: "overloaded".into(), is_retryable: true, retry_after });
        let error = read(r#"{"type":"error","code":7}"#);
        assert_eq!(error, Control::Error { code: "7".into(), is_retryable: false, retry_after: None });
        let goaway = read(r#"{"type":"goaway","reconnect_after_ms":250}"#);
        assert_eq!(goaway, Control::GoAway { reconnect_after: Duration::from_millis(250) });
        assert_eq!(read(r#"{"type":"new","x":{}}"#), Control::Unknown("new".into()));
    }

    #[test]
    fn broken_messages_are_errors() {
        for text in
            ["", "x", "{}", "[]", r#"{"type":1}"#, r#"{"type":"specs","lcut":1}"#, r#"{"type":"no_update","lcut":-1}"#]
        {
            let error = parse(&Bytes::from_static(text.as_bytes())).unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn sync_names_what_is_held() {
        let held = SpecVersion::new(5, Some("a\"b"));
        assert_eq!(sync(&held), r#"{"type":"sync","sinceTime":5,"checksum":"a\"b"}"#);
        assert_eq!(sync(&SpecVersion::default()), r#"{"type":"sync","sinceTime":0}"#);
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String) {
            let _ = parse(&text.into());
        }
    }
}
