//! Texts of the command line that are never shown.

use std::convert::Infallible;
use std::fmt;

/// An SDK key, or an address that may hold a password.
///
/// Cannot be displayed, and shows nothing of itself in `Debug`.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into().trim().to_owned())
    }

    /// For arguments. Never fails, since the message about a failure would repeat the text.
    #[allow(clippy::unnecessary_wraps, reason = "the form that arguments ask for")]
    pub(crate) fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }

    /// The text itself: for clients, never for messages.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A message without the secret, should it be in there.
    pub(crate) fn hide_in(&self, message: &str) -> String {
        if self.0.is_empty() { message.to_owned() } else { message.replace(&self.0, "*****") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new(" secret-abc\n");
        assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("Secret", "secret-abc"));
        assert_eq!(secret.hide_in("GET /secret-abc.json"), "GET /*****.json");
        assert_eq!(Secret::new("").hide_in("abc"), "abc");
    }
}
