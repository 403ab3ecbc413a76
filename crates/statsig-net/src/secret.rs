//! The SDK key, and texts that must not show it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A server's secret key.
///
/// Neither `Debug` nor `Display` shows more than its first characters; who needs the key itself asks
/// for it by [`expose`](Self::expose).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SdkKey(Arc<str>);

impl SdkKey {
    /// Wraps a key.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// The key itself: for headers and addresses, never for texts.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it looks like a server's secret key: other keys are refused by Statsig's servers.
    #[must_use]
    pub fn is_server_secret(&self) -> bool {
        self.0.starts_with(PREFIX)
    }

    /// Whether a document that names the key it was made for was made for this one.
    ///
    /// Documents name it by a 32-bit hash in decimal; every implementation computes the same.
    #[must_use]
    pub fn is_named_by(&self, hash: &str) -> bool {
        hash == self.hash().to_string()
    }

    /// The hash by which documents and files name the key.
    pub(crate) fn hash(&self) -> u32 {
        self.0.encode_utf16().fold(0, |sum: u32, unit| sum.wrapping_mul(31).wrapping_add(u32::from(unit)))
    }
}

impl fmt::Debug for SdkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SdkKey({self})")
    }
}

impl fmt::Display for SdkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strip_prefix(PREFIX) {
            Some(rest) => write!(f, "{PREFIX}{}{STARS}", shown(rest)),
            None => f.write_str(STARS),
        }
    }
}

const PREFIX: &str = "secret-";
const STARS: &str = "*****";
/// How many characters of a key are shown.
const SHOWN: usize = 5;

/// The first characters of what follows the prefix; none of a key so short that they would tell it.
fn shown(rest: &str) -> &str {
    let end = rest.char_indices().nth(SHOWN).map_or(rest.len(), |(at, _)| at);
    if rest.len() > 3 * SHOWN { &rest[..end] } else { "" }
}

/// The text with every secret key in it cut after its first characters.
#[must_use]
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    if !text.contains(PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PREFIX) {
        let key = &rest[at + PREFIX.len()..];
        let end = key.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(key.len());
        out.push_str(&rest[..at]);
        out.push_str(PREFIX);
        out.push_str(shown(&key[..end]));
        out.push_str(STARS);
        rest = &key[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// An error and its sources in one line, without secrets.
#[must_use]
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // Some errors repeat their source.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    mask(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_wherever_they_stand() {
        for (text, masked) in [
            ("no key here", "no key here"),
            ("GET /v2/x/secret-AbCdEfGhIjKlMnOpQrSt.json: 500", "GET /v2/x/secret-AbCdE*****.json: 500"),
            ("secret-short and secret-AbCdEfGhIjKlMnOpQrSt", "secret-***** and secret-AbCdE*****"),
            ("secret-", "secret-*****"),
            ("secret-ééé", "secret-*****ééé"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn a_key_shows_no_more_than_its_first_characters() {
        let key = SdkKey::new("secret-AbCdEfGhIjKlMnOpQrStUvWx");
        assert_eq!(
            (format!("{key}"), format!("{key:?}")),
            ("secret-AbCdE*****".into(), "SdkKey(secret-AbCdE*****)".into())
        );
        assert_eq!(SdkKey::new("other").to_string(), "*****");
    }

    #[test]
    fn documents_name_their_key_by_its_hash() {
        let key = SdkKey::new("secret-key");
        let own = "secret-key".bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        assert!(key.is_named_by(&own.to_string()) && !key.is_named_by("1"));
    }
}
