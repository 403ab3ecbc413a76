//! The manifest of ID lists: every list of a project, and where its file is.

use std::collections::BTreeMap;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::json_fields::{set_once, unsigned_integer};
use crate::json_key::Key;
use crate::without_byte_order_mark;

/// Most members that a manifest may have.
const MAX_MEMBERS: usize = 200_000;

/// An entry of a manifest: one ID list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdListEntry {
    /// Name of the list, as rules refer to it.
    pub name: String,
    /// Address of its file. Empty if there is nothing to read.
    pub url: String,
    /// Identity of the file; a rebuilt list has another one.
    pub file_id: String,
    /// Length of the file in bytes. It only grows.
    pub size: u64,
    /// Time when the file was begun, in milliseconds since 1970.
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
struct WireEntry {
    url: String,
    file_id: String,
    size: u64,
    creation_time: i64,
}

impl<'de> Deserialize<'de> for WireEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WireVisitor;
        impl<'de> Visitor<'de> for WireVisitor {
            type Value = WireEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry of a manifest of ID lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireEntry, A::Error> {
                let (mut url, mut file_id) = (None, None);
                let (mut size, mut creation_time) = (None::<Option<Number>>, None::<Option<Number>>);
                while let Some(key) = map.next_key::<Key>()? {
                    match key.as_str() {
                        "url" => set_once(&mut url, "url", map.next_value::<Option<String>>()?)?,
                        "fileID" => set_once(&mut file_id, "fileID", map.next_value()?)?,
                        "size" => set_once(&mut size, "size", map.next_value()?)?,
                        "creationTime" => set_once(&mut creation_time, "creationTime", map.next_value()?)?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(WireEntry {
                    url: url.flatten().unwrap_or_default(),
                    file_id: file_id.ok_or_else(|| A::Error::missing_field("fileID"))?,
                    size: size_of(size.flatten())?,
                    creation_time: creation_time.flatten().map_or(0, |time| time_of(&time)),
                })
            }
        }
        deserializer.deserialize_map(WireVisitor)
    }
}

/// Returns a length in bytes, 0 if there is none.
fn size_of<E: Error>(number: Option<Number>) -> Result<u64, E> {
    let Some(number) = number else { return Ok(0) };
    unsigned_integer(&number).ok_or_else(|| E::custom("not a length in bytes"))
}

/// Returns a time of any JSON spelling. One that is out of range becomes the last or first that there is.
fn time_of(number: &Number) -> i64 {
    // The conversion from a float saturates.
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)
}

/// The members of a manifest by name; `None` for an entry that cannot be read.
struct Members(BTreeMap<String, Option<IdListEntry>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object that maps names of ID lists to entries")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom(format!("more than {MAX_MEMBERS} members")));
                    }
                    // An array would be read as the fields in their order.
                    let object = Some(raw.get()).filter(|text| text.starts_with('{'));
                    let wire = object.and_then(|text| serde_json::from_str::<WireEntry>(text).ok());
                    let entry = wire.map(|wire| IdListEntry {
                        name: name.clone(),
                        url: wire.url,
                        file_id: wire.file_id,
                        size: wire.size,
                        creation_time: wire.creation_time,
                    });
                    members.insert(name, entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl IdListManifest {
    /// A manifest of these lists.
    #[must_use]
    pub fn new(entries: Vec<IdListEntry>) -> Self {
        Self { entries, unreadable: Vec::new() }
    }

    /// Reads a manifest as servers send it: a JSON object, list name to entry. A byte order mark before it is
    /// skipped.
    ///
    /// An entry that cannot be read, or lacks `fileID`, is named in [`unreadable`](Self::unreadable); other absent
    /// fields are empty or 0.
    ///
    /// # Errors
    /// If the whole is not a JSON object, has more than 200,000 members, or has members of which none is an entry
    /// that can be read: an error message of a server, say, or config specs. Only `{}` means that there are no lists.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_slice(without_byte_order_mark(json))?;
        let mut manifest = Self::default();
        for (name, entry) in members {
            match entry {
                Some(entry) => manifest.entries.push(entry),
                None => manifest.unreadable.push(name),
            }
        }
        if manifest.entries.is_empty() && !manifest.unreadable.is_empty() {
            return Err(serde_json::Error::custom(format!(
                "not a manifest of ID lists: a JSON object without an entry for a list; it has {}",
                some_of(&manifest.unreadable)
            )));
        }
        Ok(manifest)
    }

    /// The manifest as servers send it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (at, entry) in self.entries.iter().enumerate() {
            let [name, url, file_id] = [&entry.name, &entry.url, &entry.file_id].map(|text| Value::from(text.as_str()));
            let (comma, size, time) = (if at > 0 { "," } else { "" }, entry.size, entry.creation_time);
            let fields = format!(r#""name":{name},"url":{url},"fileID":{file_id},"size":{size},"creationTime":{time}"#);
            json.extend([comma, &name.to_string(), ":{", &fields, "}"]);
        }
        json.push('}');
        json
    }
}

/// The first few names, each cut short.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{}`", shortened(name))).collect();
    match names.len() {
        0..=SHOWN => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), more - SHOWN),
    }
}

/// At most 40 characters of a name, none of them a control character.
fn shortened(name: &str) -> String {
    name.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_entry_by_entry() {
        let json = br#"{"vip":{"name":"vip","size":30,"url":"https://h/v1/f?k=1","creationTime":7,"fileID":"f1"},
            "bare":{"fileID":"f2"},"no file id":{"size":1},"negative":{"fileID":"f","size":-1},"text":"x",
            "half":{"fileID":"f","size":1.5},"null":{"fileID":"f3","url":null,"size":null}}"#;
        let manifest = IdListManifest::parse(json).unwrap();
        let names: Vec<&str> = manifest.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["bare", "null", "vip"]);
        assert_eq!(manifest.entries[2], IdListEntry::new("vip", "https://h/v1/f?k=1", "f1", 30).with_creation_time(7));
        assert_eq!(manifest.unreadable, ["half", "negative", "no file id", "text"]);
        for bad in ["", "[]", "null", "{", "7", "\"x\""] {
            assert!(IdListManifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let again = IdListManifest::parse(manifest.to_json().as_bytes()).unwrap();
        assert_eq!(again.entries, manifest.entries);
    }

    #[test]
    fn objects_without_an_entry_are_no_manifest() {
        for bad in [
            r#"{"error":"upstream"}"#,
            r#"{"error":{"code":503,"message":"no backend","details":{"size":3}}}"#,
            r#"{"success":false,"message":"try later"}"#,
            r#"{"errors":["no backend","b1"]}"#,
            r#"{"has_updates":false}"#,
            r#"{"has_updates":true,"time":5,"feature_gates":{},"dynamic_configs":{},"layer_configs":{}}"#,
            r#"{"feature_gates":{"g":{"value":true}},"dynamic_configs":{},"sdkParams":{},"hash_used":"djb2"}"#,
            r#"{"vip":{"size":30,"url":"https://h/f"}}"#,
        ] {
            let error = IdListManifest::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("not a manifest"), "{bad}: {error}");
        }
        let long = format!(r#"{{"{}":1,"b\u0007":1,"c":1,"d":1}}"#, "x".repeat(10_000));
        let error = IdListManifest::parse(long.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 250 && error.contains("1 more"), "{error}");
        assert_eq!(IdListManifest::parse(b"{}").unwrap(), IdListManifest::default());
        assert_eq!(IdListManifest::parse(b"\xef\xbb\xbf{}").unwrap(), IdListManifest::default());
    }

    #[test]
    fn numbers_are_read_in_any_spelling() {
        let times = [("1.7e12", 1_700_000_000_000), ("1700000000000.0", 1_700_000_000_000), ("-1", -1)];
        for (text, expected) in times.into_iter().chain([("18446744073709551615", i64::MAX), ("-1e300", i64::MIN)]) {
            let json = format!(r#"{{"a":{{"fileID":"f","size":3e1,"creationTime":{text}}}}}"#);
            let manifest = IdListManifest::parse(json.as_bytes()).unwrap();
            assert_eq!((manifest.entries[0].creation_time, manifest.entries[0].size), (expected, 30), "{text}");
        }
    }

    #[test]
    fn members_are_bounded() {
        let member = |n: usize| format!(r#""l{n}":{{"fileID":"f"}}"#);
        let of = |count: usize| format!("{{{}}}", (0..count).map(member).collect::<Vec<_>>().join(","));
        assert_eq!(IdListManifest::parse(of(MAX_MEMBERS).as_bytes()).unwrap().entries.len(), MAX_MEMBERS);
        assert!(IdListManifest::parse(of(MAX_MEMBERS + 1).as_bytes()).is_err());
    }
}
