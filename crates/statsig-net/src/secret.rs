//! The SDK key.

use std::fmt;
use std::sync::Arc;

pub(crate) use crate::mask::chain_of;
use crate::mask::{PREFIX, register, shown_key};

/// A server's secret key.
///
/// Neither `Debug` nor `Display` shows more than its first characters; who needs the key itself asks
/// for it by [`expose`](Self::expose).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SdkKey(Arc<str>);

impl SdkKey {
    /// Wraps a key. Until the last copy is dropped, the errors, health values and log lines of this crate mask it
    /// wherever it appears.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        let key = key.into();
        register(&key);
        Self(key)
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
        f.write_str(&shown_key(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
