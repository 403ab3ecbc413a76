//! The names under which Statsig SDKs and proxies keep values in a shared store.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Most bytes of an SDK key in the readable schema.
const PREFIX_BYTES: usize = 20;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What kind of value a key holds: the second part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorePath {
    /// Config specs, version 2: what current SDKs and proxies share.
    SpecsV2,
    /// Config specs, version 1.
    SpecsV1,
    /// The manifest of the ID lists.
    IdListManifest,
    /// The contents of one ID list, by its name.
    IdList(Arc<str>),
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpecsV2 => f.write_str("/v2/download_config_specs"),
            Self::SpecsV1 => f.write_str("/v1/download_config_specs"),
            Self::IdListManifest => f.write_str("/v1/get_id_lists"),
            Self::IdList(name) => write!(f, "id_list::{name}"),
        }
    }
}

/// How a value is encoded: the third part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreFormat {
    /// Text as the server sent it, most of the time JSON.
    PlainText,
    /// Protobuf messages in a Brotli stream, as the server sent them.
    StatsigBr,
}

impl StoreFormat {
    /// How keys spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlainText => "plain_text",
            Self::StatsigBr => "statsig-br",
        }
    }
}

/// How the SDK key appears in a key: its last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeySchema {
    /// V2: the Base64 of the SHA-256 of the SDK key. What SDKs use unless told otherwise.
    #[default]
    Hashed,
    /// V3: the first 20 bytes of the SDK key. What the official forward proxy uses since 4.0.
    /// Two SDK keys that begin alike share their values, and a part of a secret is in plain sight.
    Prefix,
}

impl KeySchema {
    /// Reads the option as other SDKs do: `v3` and `3` in any case are [`Prefix`](Self::Prefix),
    /// every other text is [`Hashed`](Self::Hashed).
    #[must_use]
    pub fn from_option(text: &str) -> Self {
        match text {
            "v3" | "V3" | "3" => Self::Prefix,
            _ => Self::Hashed,
        }
    }
}

/// One key of a store, with what it says about the value.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StoreKey {
    /// The key.
    pub name: Arc<str>,
    /// How its value is encoded.
    pub format: StoreFormat,
}

impl StoreKey {
    /// A key that the caller knows by name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, format: StoreFormat) -> Self {
        Self { name: name.into(), format }
    }

    /// `statsig.cache`: what SDKs of earlier generations use for the config specs of whatever
    /// project. It does not depend on the SDK key, so check whose specs they are.
    #[must_use]
    pub fn legacy_specs() -> Self {
        Self::new("statsig.cache", StoreFormat::PlainText)
    }

    /// `statsig.id_lists`: the manifest of the ID lists in SDKs of earlier generations.
    #[must_use]
    pub fn legacy_id_list_manifest() -> Self {
        Self::new("statsig.id_lists", StoreFormat::PlainText)
    }

    /// `statsig.id_lists::{name}`: one ID list in SDKs of earlier generations.
    #[must_use]
    pub fn legacy_id_list(name: &str) -> Self {
        Self::new(format!("statsig.id_lists::{name}"), StoreFormat::PlainText)
    }

    /// The raw file of an ID list, by what the manifest says about it: the path of its URL if that
    /// begins with `/v1/download_id_list_file/`, otherwise that prefix and the file ID.
    #[must_use]
    pub fn id_list_file(url: &str, file_id: &str) -> Self {
        const FOLDER: &str = "/v1/download_id_list_file/";
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
        let name = if path.starts_with(FOLDER) { path.to_owned() } else { format!("{FOLDER}{file_id}") };
        Self::new(name, StoreFormat::PlainText)
    }
}

/// Shows at most ten characters of the last part: it may begin like the SDK key.
impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKey").field("name", &Shown(&self.name)).field("format", &self.format).finish()
    }
}

/// The name of a key without what may be a secret.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, id) = self.0.rsplit_once('|').unwrap_or((self.0, ""));
        let short = prefix(id, 10);
        let bar = if before.len() < self.0.len() { "|" } else { "" };
        write!(f, "{before}{bar}{short}{}", if short.len() < id.len() { "…" } else { "" })
    }
}

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

/// The first bytes of a text, at most so many, without cutting a character.
fn prefix(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
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
    fn padding() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn schemas_by_option() {
        for (text, schema) in [
            ("v3", KeySchema::Prefix),
            ("V3", KeySchema::Prefix),
            ("3", KeySchema::Prefix),
            ("v2", KeySchema::Hashed),
            ("2", KeySchema::Hashed),
            ("v4", KeySchema::Hashed),
            ("", KeySchema::Hashed),
        ] {
            assert_eq!(KeySchema::from_option(text), schema, "{text}");
        }
    }

    #[test]
    fn files_of_id_lists() {
        for (url, name) in [
            ("https://cdn.example/v1/download_id_list_file/abc?x=1", "/v1/download_id_list_file/abc"),
            ("https://cdn.example/lists/abc", "/v1/download_id_list_file/F"),
            ("https://cdn.example", "/v1/download_id_list_file/F"),
            ("", "/v1/download_id_list_file/F"),
            ("https://x?u=/v1/download_id_list_file/abc", "/v1/download_id_list_file/F"),
        ] {
            assert_eq!(&*StoreKey::id_list_file(url, "F").name, name, "{url}");
        }
    }

    #[test]
    fn debug_shows_no_sdk_key() {
        assert_eq!(format!("{:?}", StoreKeys::new("secret-key")), "StoreKeys { hashed: hdvhXXXv…, .. }");
        let key =
            StoreKeys::new("secret-AbCdEfGhIjKlMn").key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Prefix);
        let shown = format!("{key:?}");
        assert!(shown.contains("|plain_text|secret-AbC…,"), "{shown}");
        assert!(format!("{:?}", StoreKey::legacy_specs()).contains("name: statsig.cache,"));
    }
}
