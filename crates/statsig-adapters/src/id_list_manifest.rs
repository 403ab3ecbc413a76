//! The manifest of ID lists: every list of a project, and where its file is.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

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
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry {
    #[serde(default)]
    url: Option<String>,
    #[serde(rename = "fileID")]
    file_id: String,
    #[serde(default, deserialize_with = "size")]
    size: u64,
    #[serde(default, deserialize_with = "time")]
    creation_time: i64,
}

/// Reads a length: a whole number of any JSON spelling, such as `30`, `30.0` or `3e1`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(0) };
    let size = number.as_u64().or_else(|| {
        let float = number.as_f64()?;
        // Beyond 2^53 a float is no exact length.
        (float.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&float)).then_some(float as u64)
    });
    size.ok_or_else(|| D::Error::custom("not a length in bytes"))
}

/// Reads a time of any JSON spelling. One that is out of range becomes the last or first that there is.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    // The conversion from a float saturates.
    Ok(number.map_or(0, |number| number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)))
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
                        url: wire.url.unwrap_or_default(),
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
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let Members(members) = serde_json::from_slice(json)?;
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
