//! Metadata of the SDK that logged a batch of events.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

/// Metadata of the SDK that logged events: the identifying headers and the `statsigMetadata` of its requests.
///
/// A forward proxy attaches it to batches, so that they are delivered under the identity of the SDK and not that of
/// the proxy. Equal metadata means that events may share a batch.
///
/// ```
/// use statsig_adapters::SdkMetadata;
///
/// # fn main() -> Result<(), statsig_adapters::SdkMetadataError> {
/// let metadata = SdkMetadata::new()
///     .with_statsig_metadata(r#"{"sdkType":"py-server","sdkVersion":"0.71.6","flushType":"manual"}"#)?
///     .with_service_name("checkout");
/// assert_eq!(metadata.sdk_type(), Some("py-server"));
/// assert_eq!(SdkMetadata::from_json(&metadata.to_json()), Some(metadata));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct SdkMetadata {
    sdk_type: Option<String>,
    sdk_version: Option<String>,
    session_id: Option<String>,
    service_name: Option<String>,
    /// Known to be a JSON object.
    statsig_metadata: Option<String>,
}

/// Reason why a text is not accepted as `statsigMetadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SdkMetadataError {
    /// The text is not one JSON object.
    NotAnObject,
    /// The metadata is longer than [`SdkMetadata::MAX_BYTES`].
    TooLarge,
}

impl fmt::Display for SdkMetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("the metadata of the SDK is not a JSON object"),
            Self::TooLarge => write!(f, "the metadata of the SDK is longer than {} bytes", SdkMetadata::MAX_BYTES),
        }
    }
}

impl std::error::Error for SdkMetadataError {}

/// Name of the member of the stored form that is JSON, not a text.
const STATSIG_METADATA: &str = "statsigMetadata";

impl SdkMetadata {
    /// Most bytes of all fields together that [`check_size`](Self::check_size) accepts.
    pub const MAX_BYTES: usize = 16 << 10;

    /// Returns metadata without any field.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the type of the SDK, header `STATSIG-SDK-TYPE`.
    #[must_use]
    pub fn with_sdk_type(mut self, sdk_type: impl Into<String>) -> Self {
        self.sdk_type = Some(sdk_type.into());
        self
    }

    /// Sets the version of the SDK, header `STATSIG-SDK-VERSION`.
    #[must_use]
    pub fn with_sdk_version(mut self, version: impl Into<String>) -> Self {
        self.sdk_version = Some(version.into());
        self
    }

    /// Sets the session of the SDK, header `STATSIG-SERVER-SESSION-ID`.
    #[must_use]
    pub fn with_session_id(mut self, session: impl Into<String>) -> Self {
        self.session_id = Some(session.into());
        self
    }

    /// Sets the name of the service, header `x-request-service`.
    #[must_use]
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Sets the object `statsigMetadata` of a request, as it was written.
    ///
    /// Fields that are not set yet are taken from its `sdkType`, `sdkVersion`, `sessionID` and `service_name`, where
    /// these are strings.
    ///
    /// # Errors
    /// If the text is not one JSON object, or longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn with_statsig_metadata(mut self, json: &str) -> Result<Self, SdkMetadataError> {
        if json.len() > Self::MAX_BYTES {
            return Err(SdkMetadataError::TooLarge);
        }
        let object: serde_json::Map<String, Value> =
            serde_json::from_str(json).map_err(|_| SdkMetadataError::NotAnObject)?;
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        self.sdk_type = self.sdk_type.or_else(|| text("sdkType"));
        self.sdk_version = self.sdk_version.or_else(|| text("sdkVersion"));
        self.session_id = self.session_id.or_else(|| text("sessionID"));
        self.service_name = self.service_name.or_else(|| text("service_name"));
        self.statsig_metadata = Some(json.trim().to_owned());
        Ok(self)
    }

    /// Returns the type of the SDK.
    #[must_use]
    pub fn sdk_type(&self) -> Option<&str> {
        self.sdk_type.as_deref()
    }

    /// Returns the version of the SDK.
    #[must_use]
    pub fn sdk_version(&self) -> Option<&str> {
        self.sdk_version.as_deref()
    }

    /// Returns the session of the SDK.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// Returns the name of the service.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service_name.as_deref()
    }

    /// Returns the object `statsigMetadata`, as it was written.
    #[must_use]
    pub fn statsig_metadata(&self) -> Option<&str> {
        self.statsig_metadata.as_deref()
    }

    /// Returns the number of bytes of all fields together.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let fields = [&self.sdk_type, &self.sdk_version, &self.session_id, &self.service_name, &self.statsig_metadata];
        fields.into_iter().flatten().map(String::len).sum()
    }

    /// Checks that the fields are at most [`MAX_BYTES`](Self::MAX_BYTES) together.
    ///
    /// # Errors
    /// If they are longer.
    pub fn check_size(&self) -> Result<(), SdkMetadataError> {
        if self.len_bytes() > Self::MAX_BYTES { Err(SdkMetadataError::TooLarge) } else { Ok(()) }
    }

    /// Returns the metadata as one JSON object, for sinks and spools that store batches.
    ///
    /// Its keys are `sdkType`, `sdkVersion`, `sessionID`, `serviceName` and `statsigMetadata`; absent fields are left
    /// out.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let texts = [
            ("sdkType", &self.sdk_type),
            ("sdkVersion", &self.sdk_version),
            ("sessionID", &self.session_id),
            ("serviceName", &self.service_name),
        ];
        let members =
            texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text.as_deref()?).to_string())));
        let object = self.statsig_metadata.clone().map(|json| (STATSIG_METADATA, json));
        let members: Vec<String> = members.chain(object).map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }

    /// Reads what [`to_json`](Self::to_json) returned; `None` for anything else.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let mut members: HashMap<String, &RawValue> = serde_json::from_slice(json).ok()?;
        let statsig_metadata = match members.remove(STATSIG_METADATA).map(RawValue::get) {
            Some(json) if !json.starts_with('{') => return None,
            json => json.map(str::to_owned),
        };
        let mut text = |name: &str| match members.remove(name) {
            Some(json) => serde_json::from_str::<String>(json.get()).ok().map(Some),
            None => Some(None),
        };
        Some(Self {
            sdk_type: text("sdkType")?,
            sdk_version: text("sdkVersion")?,
            session_id: text("sessionID")?,
            service_name: text("serviceName")?,
            statsig_metadata,
        })
    }
}

/// Shows type and version only: `statsigMetadata` may identify users.
impl fmt::Debug for SdkMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkMetadata")
            .field("sdk_type", &self.sdk_type)
            .field("sdk_version", &self.sdk_version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(
            texts in proptest::array::uniform4(proptest::option::of(".{0,12}")),
            extra in proptest::option::of(".{0,12}"),
        ) {
            let [sdk_type, sdk_version, session_id, service_name] = texts;
            let statsig_metadata = extra.map(|text| format!("{{ \"a\" : {} , \"n\":1.0e2}}", Value::from(text)));
            let metadata = SdkMetadata { sdk_type, sdk_version, session_id, service_name, statsig_metadata };
            prop_assert_eq!(SdkMetadata::from_json(&metadata.to_json()), Some(metadata));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = SdkMetadata::from_json(&bytes);
        }
    }

    #[test]
    fn set_fields_win_over_those_of_the_request_body() {
        let body = r#" {"sdkType":"js","sdkVersion":2,"sessionID":"s","service_name":"body","more":[1.0]} "#;
        let metadata = SdkMetadata::new().with_sdk_type("header").with_statsig_metadata(body).unwrap();
        let fields = [metadata.sdk_type(), metadata.sdk_version(), metadata.session_id(), metadata.service_name()];
        assert_eq!(fields, [Some("header"), None, Some("s"), Some("body")]);
        assert_eq!(metadata.statsig_metadata(), Some(body.trim()));
    }

    #[test]
    fn what_is_no_object_or_too_large_is_refused() {
        let deep = format!("{{\"a\":{}", "[".repeat(10_000));
        for json in ["", "[]", "null", "\"{}\"", "{} {}", "{\"a\":}", &deep] {
            assert_eq!(
                SdkMetadata::new().with_statsig_metadata(json),
                Err(SdkMetadataError::NotAnObject),
                "{json:.20}"
            );
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(SdkMetadata::MAX_BYTES));
        assert_eq!(SdkMetadata::new().with_statsig_metadata(&long), Err(SdkMetadataError::TooLarge));
        let long = SdkMetadata::new().with_session_id("x".repeat(SdkMetadata::MAX_BYTES)).with_sdk_type("a");
        assert_eq!(long.check_size(), Err(SdkMetadataError::TooLarge));
        for json in ["[]", "{\"statsigMetadata\":[]}", "{\"sdkType\":1}"] {
            assert_eq!(SdkMetadata::from_json(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn debug_shows_no_statsig_metadata() {
        let metadata = SdkMetadata::new().with_statsig_metadata(r#"{"sdkType":"js","stableID":"person"}"#).unwrap();
        let shown = format!("{metadata:?}");
        assert!(shown.contains("js") && !shown.contains("person"), "{shown}");
    }
}
