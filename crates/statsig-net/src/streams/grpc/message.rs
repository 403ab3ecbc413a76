//! Conversion of requests and responses.

use statsig_core::{SourceError, SourceErrorKind, SpecRequest};

use super::super::event::{Message, Payload, PayloadCoding, has_no_updates};
use super::super::failure::foreign;
use super::super::options::StreamSpecsVersion;
use super::wire::{ApiVersion, ConfigSpecRequest, ConfigSpecResponse, format};

/// Returns the message for a request.
pub(super) fn request(key: &str, request: &SpecRequest, version: StreamSpecsVersion) -> ConfigSpecRequest {
    let mut accept_formats = vec![format::JSON.to_owned()];
    if cfg!(feature = "zstd") && request.encodings.zstd {
        accept_formats.push(format::JSON_ZSTD.to_owned());
    }
    if request.accepts_protobuf {
        accept_formats.push(format::STATSIG_BR.to_owned());
    }
    let version = match version {
        StreamSpecsVersion::V1 => ApiVersion::V1,
        StreamSpecsVersion::V2 => ApiVersion::V2,
    };
    ConfigSpecRequest {
        sdk_key: key.to_owned(),
        version: Some(version.into()),
        zstd_dict_id: None,
        since_time: Some(request.since_time_ms()),
        accept_formats,
        checksum: request.version.as_ref().and_then(|held| held.checksum.as_deref()).map(str::to_owned),
    }
}

/// Converts a response.
///
/// # Errors
/// If it holds nothing, or something in a format that this build does not read.
pub(super) fn message(response: ConfigSpecResponse) -> Result<Message, SourceError> {
    let invalid = |reason: String| SourceError::new(SourceErrorKind::Invalid, reason);
    let ConfigSpecResponse { spec, last_updated, zstd_dict_id, payload, format, .. } = response;
    if zstd_dict_id.is_some_and(|dictionary| !dictionary.is_empty()) {
        return Err(invalid("the response is compressed with a shared dictionary, which is not supported".to_owned()));
    }
    if payload.is_empty() {
        return match spec.is_empty() {
            true => Err(invalid("the response holds no specs".to_owned())),
            false => Ok(Message::of_json(spec, last_updated)),
        };
    }
    let coding = match &*format {
        "" | format::JSON => return Ok(Message::of_json(payload, last_updated)),
        format::JSON_ZSTD if cfg!(feature = "zstd") => PayloadCoding::Compressed("zstd"),
        // A note that nothing is newer is JSON in any case.
        format::STATSIG_BR if has_no_updates(&payload) => return Ok(Message::NoUpdate { time_ms: last_updated }),
        format::STATSIG_BR => PayloadCoding::Protobuf,
        other => return Err(invalid(format!("the response has a format that was not requested: {}", foreign(other)))),
    };
    Ok(Message::Payload(Payload { bytes: payload, coding, delta_base: None }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use statsig_core::{SpecTrigger, SpecVersion};

    use super::*;

    #[test]
    fn requests_name_what_is_held_and_what_is_read() {
        let held = SpecRequest::new(Some(SpecVersion::new(5, Some("c"))), SpecTrigger::Background).with_protobuf(true);
        let request = super::request("k", &held, StreamSpecsVersion::V2);
        assert_eq!((request.since_time, request.version, request.checksum.as_deref()), (Some(5), Some(2), Some("c")));
        assert!(request.accept_formats.contains(&"statsig-br".to_owned()));
        let first = super::request("k", &SpecRequest::default(), StreamSpecsVersion::V1);
        assert_eq!((first.since_time, first.version, first.checksum), (Some(0), Some(1), None));
        assert!(!first.accept_formats.contains(&"statsig-br".to_owned()));
    }

    #[test]
    fn responses_are_payloads_or_the_note_that_nothing_is_newer() {
        let response = |spec: &'static str, payload: &'static str, format: &str| ConfigSpecResponse {
            spec: Bytes::from_static(spec.as_bytes()),
            last_updated: 5,
            payload: Bytes::from_static(payload.as_bytes()),
            format: format.into(),
            ..ConfigSpecResponse::default()
        };
        let none = Message::NoUpdate { time_ms: 5 };
        let nothing_newer = r#"{"has_updates":false}"#;
        assert_eq!(message(response(nothing_newer, "", "")).unwrap(), none);
        assert_eq!(message(response("", nothing_newer, "json")).unwrap(), none);
        assert_eq!(message(response("", nothing_newer, "statsig-br")).unwrap(), none);
        assert_eq!(message(response("{}", "", "")).unwrap(), Message::of_json("{}".into(), 5));
        assert_eq!(message(response("old", "{}", "json")).unwrap(), Message::of_json("{}".into(), 5));
        for unusable in [
            response("", "", ""),
            response("", "x", "json+secret-AbCdEfGhIjKlMn"),
            ConfigSpecResponse { zstd_dict_id: Some("d".into()), ..response("{}", "", "") },
        ] {
            let error = message(unusable).unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
            assert!(!crate::mask::chain_of(&error).contains("FgHiJk"));
        }
        assert!(message(response("", "x", "statsig-br")).is_ok());
        assert_eq!(message(response("", "x", "json+zstd")).is_ok(), cfg!(feature = "zstd"));
    }
}
