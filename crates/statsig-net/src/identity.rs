//! Who we are, on every request.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use statsig_core::Clock;
use uuid::Uuid;

use crate::error::Error;
use crate::secret::SdkKey;

/// Identifies a client to Statsig's servers and proxies.
///
/// Cheap to clone. The session is a random number for each identity that is made.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    key: SdkKey,
    sdk_type: Arc<str>,
    sdk_version: Arc<str>,
    session: Arc<str>,
    service: Option<Arc<str>>,
    constant: HeaderMap,
}

const SDK_TYPE: &str = "rust-server-oss";

impl ClientIdentity {
    /// An identity with this crate's name and version.
    ///
    /// # Errors
    /// If the key is empty or cannot stand in a header.
    pub fn new(key: SdkKey) -> Result<Self, Error> {
        let identity = Self {
            key,
            sdk_type: SDK_TYPE.into(),
            sdk_version: env!("CARGO_PKG_VERSION").into(),
            session: Uuid::new_v4().to_string().into(),
            service: None,
            constant: HeaderMap::new(),
        };
        identity.with_headers()
    }

    /// The same identity under another name: for bindings to other languages.
    ///
    /// # Errors
    /// If a text cannot stand in a header.
    pub fn with_sdk(mut self, sdk_type: &str, sdk_version: &str) -> Result<Self, Error> {
        self.sdk_type = sdk_type.into();
        self.sdk_version = sdk_version.into();
        self.with_headers()
    }

    /// The same identity, with the name of the service that evaluates.
    ///
    /// # Errors
    /// If the name cannot stand in a header.
    pub fn with_service_name(mut self, service: &str) -> Result<Self, Error> {
        self.service = Some(service.into());
        self.with_headers()
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SdkKey {
        &self.key
    }

    /// What kind of SDK it is.
    #[must_use]
    pub fn sdk_type(&self) -> &str {
        &self.sdk_type
    }

    /// The SDK's version.
    #[must_use]
    pub fn sdk_version(&self) -> &str {
        &self.sdk_version
    }

    /// The session's id.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session
    }

    /// The name of the service that evaluates, if it has one.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The headers of a request that is sent now. The key is marked sensitive.
    #[must_use]
    pub fn headers(&self, clock: &dyn Clock) -> HeaderMap {
        let mut headers = self.constant.clone();
        headers.insert("statsig-client-time", HeaderValue::from(clock.now_ms()));
        headers
    }

    fn with_headers(mut self) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if self.key.expose().is_empty() {
            problems.push("the SDK key is empty".to_owned());
        }
        let service = self.service.as_deref().unwrap_or("unknown");
        let agent = format!(
            "{SDK_TYPE}/{} statsig-sdk-type/{} statsig-sdk-version/{} statsig-service/{}",
            env!("CARGO_PKG_VERSION"),
            token(&self.sdk_type),
            token(&self.sdk_version),
            token(service)
        );
        let mut constant = HeaderMap::new();
        for (name, text, what) in [
            ("statsig-api-key", self.key.expose(), "the SDK key"),
            ("statsig-sdk-type", &*self.sdk_type, "the SDK's type"),
            ("statsig-sdk-version", &*self.sdk_version, "the SDK's version"),
            ("statsig-server-session-id", &*self.session, "the session"),
            ("x-request-service", service, "the service's name"),
            ("user-agent", &*agent, "the user agent"),
        ] {
            match HeaderValue::from_str(text) {
                Ok(mut value) => {
                    value.set_sensitive(name == "statsig-api-key");
                    constant.insert(HeaderName::from_static(name), value);
                }
                Err(_) => problems.push(format!("{what} has characters that a header cannot carry")),
            }
        }
        self.constant = constant;
        if problems.is_empty() { Ok(self) } else { Err(Error::Misconfigured { problems }) }
    }
}

/// The text with every character that a token of HTTP must not have replaced.
fn token(text: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let replaced: String = text.chars().map(|c| if is_token(c) { c } else { '-' }).collect();
    let trimmed = replaced.trim_matches('-');
    if trimmed.is_empty() { "unknown".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use statsig_core::FixedClock;

    use super::*;

    #[test]
    fn headers_say_who_we_are() {
        let identity = ClientIdentity::new(SdkKey::new("secret-k")).unwrap();
        let identity = identity.with_sdk("py server/1", "0.1").unwrap().with_service_name("check out(").unwrap();
        let headers = identity.headers(&FixedClock(1_790_000_000_123));
        let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(text("statsig-api-key"), "secret-k");
        assert!(headers["statsig-api-key"].is_sensitive());
        assert_eq!(text("statsig-sdk-type"), "py server/1");
        assert_eq!(text("statsig-client-time"), "1790000000123");
        assert_eq!(text("x-request-service"), "check out(");
        assert_eq!(text("statsig-server-session-id").len(), 36);
        let agent = text("user-agent");
        assert!(
            agent.ends_with(" statsig-sdk-type/py-server-1 statsig-sdk-version/0.1 statsig-service/check-out"),
            "{agent}"
        );
        assert_eq!((token(""), token("--"), token("(é)")), ("unknown".into(), "unknown".into(), "unknown".into()));
    }

    #[test]
    fn keys_that_no_header_can_carry_are_refused() {
        for key in ["", "secret-\n", "a\u{0}"] {
            let error = ClientIdentity::new(SdkKey::new(key)).unwrap_err();
            assert!(matches!(error, Error::Misconfigured { .. }) && !error.to_string().contains('\n'));
        }
    }
}
