//! Where ID lists are pulled from.

use async_trait::async_trait;
use serde::Deserialize;

use super::SourceError;

/// What a manifest says about one ID list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdListEntry {
    /// Name of the list, as rules refer to it.
    pub name: String,
    /// Where its file is. May be empty: there is nothing to read then.
    pub url: String,
    /// Which file it is; another one when the list was rebuilt.
    pub file_id: String,
    /// Length of the file in bytes. It only grows.
    pub size: u64,
    /// When the file was begun, in milliseconds since 1970.
    pub creation_time: i64,
}

impl IdListEntry {
    /// An entry of a manifest.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>, file_id: impl Into<String>, size: u64) -> Self {
        Self { name: name.into(), url: url.into(), file_id: file_id.into(), size, creation_time: 0 }
    }

    /// The same entry, with the time when the file was begun.
    #[must_use]
    pub fn with_creation_time(mut self, creation_time: i64) -> Self {
        self.creation_time = creation_time;
        self
    }
}

/// All ID lists of a project, as a source knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListManifest {
    /// The lists.
    pub entries: Vec<IdListEntry>,
    /// Names of lists whose entries cannot be read: these exist, and stay as they are.
    pub unreadable: Vec<String>,
}

/// The fields of an entry as they are sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry {
    #[serde(default)]
    url: Option<String>,
    #[serde(rename = "fileID", default)]
    file_id: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    creation_time: Option<i64>,
}

impl IdListManifest {
    /// A manifest of these lists.
    #[must_use]
    pub fn new(entries: Vec<IdListEntry>) -> Self {
        Self { entries, unreadable: Vec::new() }
    }

    /// Reads a manifest as servers send it: a JSON object, list name to entry.
    ///
    /// An entry that cannot be read, or lacks `fileID`, is named in
    /// [`unreadable`](Self::unreadable); other absent fields are empty or 0.
    ///
    /// # Errors
    /// If the whole is not a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let members: std::collections::BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_slice(json)?;
        let mut manifest = Self::default();
        for (name, raw) in members {
            match serde_json::from_str::<WireEntry>(raw.get()) {
                Ok(WireEntry { url, file_id: Some(file_id), size, creation_time }) => {
                    manifest.entries.push(IdListEntry {
                        name,
                        url: url.unwrap_or_default(),
                        file_id,
                        size: size.unwrap_or(0),
                        creation_time: creation_time.unwrap_or(0),
                    })
                }
                _ => manifest.unreadable.push(name),
            }
        }
        Ok(manifest)
    }

    /// The manifest as servers send it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let members = self.entries.iter().map(|entry| {
            let value = serde_json::json!({
                "name": entry.name, "url": entry.url, "fileID": entry.file_id,
                "size": entry.size, "creationTime": entry.creation_time,
            });
            (entry.name.clone(), value)
        });
        serde_json::Value::Object(members.collect()).to_string()
    }
}

/// A part of the file of an ID list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListChunk {
    /// Where in the file the bytes begin: where the reader asked, or 0 if the source gave the whole file.
    pub start: u64,
    /// The bytes: lines of `+` or `-` and a hash.
    pub bytes: Vec<u8>,
}

impl IdListChunk {
    /// Bytes from a place in the file on.
    #[must_use]
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        Self { start, bytes }
    }
}

/// Gives the files of ID lists when asked.
///
/// A source fetches bytes; what they mean, and which lists they make, is the reader's business.
///
/// # Duties of an implementor
///
/// - **A manifest is complete.** A list that is not in it does not exist any more. A source that
///   cannot tell gives an error.
/// - **Ranges.** [`read`](Self::read) gives the bytes from `start` on, as far as the file goes; the
///   whole file, saying so by `start: 0`, where ranges are not known. At or beyond the end the bytes
///   are empty.
/// - **Bounded**: at most as many bytes as the entry's `size` says, and a time limit for each call.
/// - **No blocking** of the thread that polls the future.
///
/// # Cancel safety
///
/// The futures may be dropped at any time.
///
/// # Contract test
///
/// `statsig_adapters::testing::id_list_source_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// One list, from the application's own table of members:
///
/// ```
/// use statsig_adapters::{IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError};
///
/// /// The hashes of the members: the first 8 characters of Base64 of SHA-256.
/// struct Staff(Vec<&'static str>);
///
/// impl Staff {
///     fn file(&self) -> Vec<u8> {
///         let lines = self.0.iter().map(|hash| [b"+", hash.as_bytes(), b"\n"].concat());
///         lines.flatten().collect()
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl IdListSource for Staff {
///     fn name(&self) -> &str {
///         "staff"
///     }
///
///     async fn manifest(&self) -> Result<IdListManifest, SourceError> {
///         let file = IdListEntry::new("staff", "memory:staff", "v1", self.file().len() as u64);
///         Ok(IdListManifest::new(vec![file]))
///     }
///
///     async fn read(&self, _entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
///         let rest = self.file().split_off((start as usize).min(self.file().len()));
///         Ok(IdListChunk::new(start, rest))
///     }
/// }
/// ```
#[async_trait]
pub trait IdListSource: Send + Sync {
    /// A short name for reports and logs, the same at every call.
    fn name(&self) -> &str;

    /// Gives all lists of the project.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not know.
    async fn manifest(&self) -> Result<IdListManifest, SourceError>;

    /// Gives the bytes of a list's file from `start` on.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not have the file.
    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_entry_by_entry() {
        let json = br#"{"vip":{"name":"vip","size":30,"url":"https://h/v1/f?k=1","creationTime":7,"fileID":"f1"},
            "bare":{"fileID":"f2"},"no file id":{"size":1},"negative":{"fileID":"f","size":-1},"text":"x",
            "null":{"fileID":"f3","url":null,"size":null}}"#;
        let manifest = IdListManifest::parse(json).unwrap();
        let names: Vec<&str> = manifest.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["bare", "null", "vip"]);
        assert_eq!(manifest.entries[2], IdListEntry::new("vip", "https://h/v1/f?k=1", "f1", 30).with_creation_time(7));
        assert_eq!(manifest.unreadable, ["negative", "no file id", "text"]);
        for bad in ["", "[]", "null", "{"] {
            assert!(IdListManifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let again = IdListManifest::parse(manifest.to_json().as_bytes()).unwrap();
        assert_eq!(again.entries, manifest.entries);
    }
}
