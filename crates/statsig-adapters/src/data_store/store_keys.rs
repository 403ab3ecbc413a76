//! The names of one SDK key's values in a shared store.

use std::fmt;

use sha2::{Digest, Sha256};

use super::keys::{KeySchema, StoreFormat, StoreKey, StorePath, prefix};

/// Most bytes of an SDK key in the readable schema.
const PREFIX_BYTES: usize = 20;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The keys of one SDK key, in every known form.
///
/// `statsig|{path}|{format}|{id}`, where `id` depends on the [`KeySchema`]. Hashes once, when made;
/// keeps no more of the SDK key than its first 20 bytes, and does not show them.
///
/// ```
/// use statsig_adapters::{KeySchema, StoreFormat, StoreKeys, StorePath};
///
/// let keys = StoreKeys::new("secret-key");
/// let key = keys.key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Prefix);
/// assert_eq!(&*key.name, "statsig|/v2/download_config_specs|plain_text|secret-key");
/// let key = keys.key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
/// assert_eq!(&*key.name, "statsig|/v2/download_config_specs|statsig-br|hdvhXXXvkwjHrg8zx6MkzG9L9Rmi7S8wJ70zwUCk+ao=");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKeys {
    hashed: Box<str>,
    prefix: Box<str>,
    hexadecimal: Box<str>,
}

impl StoreKeys {
    /// The keys of an SDK key.
    #[must_use]
    pub fn new(sdk_key: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(sdk_key.as_bytes()).into();
        Self {
            hashed: base64(&digest).into(),
            prefix: prefix(sdk_key, PREFIX_BYTES).into(),
            hexadecimal: digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        }
    }

    /// The last part of the keys.
    #[must_use]
    pub fn id(&self, schema: KeySchema) -> &str {
        match schema {
            KeySchema::Hashed => &self.hashed,
            KeySchema::Prefix => &self.prefix,
        }
    }

    /// One key.
    #[must_use]
    pub fn key(&self, path: &StorePath, format: StoreFormat, schema: KeySchema) -> StoreKey {
        StoreKey::new(format!("statsig|{path}|{}|{}", format.as_str(), self.id(schema)), format)
    }

    /// `statsig::{hexadecimal SHA-256 of the SDK key}`: what the first generation of the official
    /// forward proxy used for config specs.
    #[must_use]
    pub fn first_proxy_key(&self) -> StoreKey {
        StoreKey::new(format!("statsig::{}", self.hexadecimal), StoreFormat::PlainText)
    }

    /// Every key that may hold the config specs of this SDK key alone, best first: both schemas and
    /// formats of version 2, then of version 1, then the first proxy's.
    #[must_use]
    pub fn all_specs_keys(&self) -> Vec<StoreKey> {
        let mut keys = Vec::with_capacity(7);
        for schema in [KeySchema::Hashed, KeySchema::Prefix] {
            for format in [StoreFormat::StatsigBr, StoreFormat::PlainText] {
                keys.push(self.key(&StorePath::SpecsV2, format, schema));
            }
        }
        for schema in [KeySchema::Hashed, KeySchema::Prefix] {
            keys.push(self.key(&StorePath::SpecsV1, StoreFormat::PlainText, schema));
        }
        keys.push(self.first_proxy_key());
        keys
    }
}

/// Shows nothing of the SDK key but the beginning of its hash.
impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKeys").field("hashed", &format_args!("{}…", &self.hashed[..8])).finish_non_exhaustive()
    }
}

/// Standard alphabet, padded.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = BASE64[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys() {
        let keys = StoreKeys::new("secret-key");
        for (path, format, schema, name) in [
            (
                StorePath::SpecsV2,
                StoreFormat::PlainText,
                KeySchema::Hashed,
                "statsig|/v2/download_config_specs|plain_text|hdvhXXXvkwjHrg8zx6MkzG9L9Rmi7S8wJ70zwUCk+ao=",
            ),
            (
                StorePath::SpecsV1,
                StoreFormat::StatsigBr,
                KeySchema::Prefix,
                "statsig|/v1/download_config_specs|statsig-br|secret-key",
            ),
            (
                StorePath::IdListManifest,
                StoreFormat::PlainText,
                KeySchema::Prefix,
                "statsig|/v1/get_id_lists|plain_text|secret-key",
            ),
            (
                StorePath::IdList("vips".into()),
                StoreFormat::PlainText,
                KeySchema::Prefix,
                "statsig|id_list::vips|plain_text|secret-key",
            ),
        ] {
            let key = keys.key(&path, format, schema);
            assert_eq!((&*key.name, key.format), (name, format));
        }
        let keys = StoreKeys::new("secret-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789");
        assert_eq!(keys.id(KeySchema::Hashed), "neWW4s/Cn6F7vWdP40CNpRsYcQnbRuArq0PwbMkqziI=");
        assert_eq!(keys.id(KeySchema::Prefix), "secret-AbCdEfGhIjKlM");
        assert_eq!(keys.all_specs_keys().len(), 7);
    }

    #[test]
    fn hexadecimal_key() {
        let keys = StoreKeys::new("");
        assert_eq!(
            &*keys.first_proxy_key().name,
            "statsig::e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!((keys.id(KeySchema::Prefix), keys.id(KeySchema::Hashed).len()), ("", 44));
    }

    #[test]
    fn a_prefix_ends_between_characters() {
        for (sdk_key, prefix) in [
            ("1234567890123456789é", "1234567890123456789"),
            ("123456789012345678é!", "123456789012345678é"),
            ("ééééééééééé", "éééééééééé"),
            ("🦀🦀🦀🦀🦀🦀", "🦀🦀🦀🦀🦀"),
            ("123🦀🦀🦀🦀🦀", "123🦀🦀🦀🦀"),
        ] {
            assert_eq!(StoreKeys::new(sdk_key).id(KeySchema::Prefix), prefix);
        }
    }

    #[test]
    fn padding() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_sdk_key_has_keys(sdk_key in ".*") {
            let keys = StoreKeys::new(&sdk_key);
            let id = keys.id(KeySchema::Prefix);
            assert!(id.len() <= 20 && sdk_key.starts_with(id));
            assert!(id.len() >= 17.min(sdk_key.len()), "no more than a part of one character is missing");
            assert_eq!(keys.id(KeySchema::Hashed).len(), 44);
        }
    }

    #[test]
    fn debug_shows_no_sdk_key() {
        assert_eq!(format!("{:?}", StoreKeys::new("secret-key")), "StoreKeys { hashed: hdvhXXXv…, .. }");
    }
}
