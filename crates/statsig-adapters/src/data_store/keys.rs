//! Names under which Statsig SDKs and proxies keep values in a shared store.

use std::fmt;
use std::sync::Arc;

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

/// The first bytes of a text, at most so many, without cutting a character.
pub(super) fn prefix(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let name = "statsig|/v2/download_config_specs|plain_text|secret-AbCdEfGhIjKlMn";
        let key = StoreKey::new(name, StoreFormat::PlainText);
        let shown = format!("{key:?}");
        assert!(shown.contains("|plain_text|secret-AbC…,"), "{shown}");
        assert!(format!("{:?}", StoreKey::legacy_specs()).contains("name: statsig.cache,"));
    }
}
