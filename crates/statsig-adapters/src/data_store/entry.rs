//! What a store holds under a key, and how it is asked for.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_core::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};

use super::keys::{StoreFormat, StoreKey};
use crate::json_fields::{set_once, unsigned_integer};
use crate::payload::Key;
use crate::{is_future, without_byte_order_mark};

/// Which state of a project a payload is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct EntryVersion {
    /// When the project was last changed, in milliseconds since 1970: the payload's own `time`, and
    /// the only thing that orders payloads.
    pub lcut: u64,
    /// The payload's own checksum, if it has one.
    pub checksum: Option<String>,
}

impl EntryVersion {
    /// A version.
    #[must_use]
    pub fn new(lcut: u64, checksum: Option<String>) -> Self {
        Self { lcut, checksum: checksum.filter(|checksum| !checksum.is_empty()) }
    }

    /// Reads the version of a JSON payload. `None` if it is no JSON object, has no usable `time`, or
    /// says that it has no updates. Reads the whole text, and keeps nothing of it. Skips a byte order mark.
    ///
    /// ```
    /// use statsig_adapters::EntryVersion;
    ///
    /// let version = EntryVersion::of_json(br#"{"has_updates": true, "time": 17.0, "checksum": "c"}"#);
    /// assert_eq!(version, Some(EntryVersion::new(17, Some("c".into()))));
    /// assert_eq!(EntryVersion::of_json(br#"{"has_updates": false, "time": 17}"#), None);
    /// ```
    #[must_use]
    pub fn of_json(text: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(without_byte_order_mark(text)).ok()?;
        if head.has_updates.is_some_and(|value| value == false) {
            return None;
        }
        let lcut = unsigned_integer(&head.time?)?;
        let checksum = head.checksum.and_then(|value| value.as_str().map(str::to_owned));
        Some(Self::new(lcut, checksum))
    }

    /// Returns true if the time is more than 24 hours ahead of the clock.
    ///
    /// Such a time comes from a server or a writer that is wrong, and orders nothing. Nothing is ahead of a clock
    /// before 2020, which was never set.
    #[must_use]
    pub const fn is_future(&self, now_ms: u64) -> bool {
        is_future(self.lcut, now_ms)
    }

    /// Compares the times of two payloads by the clock, if it is known: one [from the future](Self::is_future) comes
    /// before any that is not; otherwise the times decide.
    #[must_use]
    pub fn cmp_time(&self, other: &Self, now_ms: Option<u64>) -> Ordering {
        let is_sane = |version: &Self| now_ms.is_none_or(|now_ms| !version.is_future(now_ms));
        is_sane(self).cmp(&is_sane(other)).then(self.lcut.cmp(&other.lcut))
    }

    /// Returns whether a payload of this version is news, as [`is_news_to`](Self::is_news_to), with times compared as
    /// [`cmp_time`](Self::cmp_time) does.
    #[must_use]
    pub fn is_news_at(&self, known: &Self, now_ms: Option<u64>) -> bool {
        match self.cmp_time(known, now_ms) {
            Ordering::Less => false,
            Ordering::Equal => self.checksum.is_none() || self.checksum != known.checksum,
            Ordering::Greater => true,
        }
    }

    /// Whether a payload of this version would change anything for who has the other: it is not
    /// older, and not the same by time and checksum. Without checksums, equal times count as news.
    #[must_use]
    pub fn is_news_to(&self, known: &Self) -> bool {
        self.is_news_at(known, None)
    }
}

/// Fields of a JSON payload that make its version.
struct Head {
    has_updates: Option<Value>,
    time: Option<Number>,
    checksum: Option<Value>,
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadVisitor;
        impl<'de> Visitor<'de> for HeadVisitor {
            type Value = Head;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
                let (mut has_updates, mut time, mut checksum) = (None, None, None);
                while let Some(key) = map.next_key::<Key>()? {
                    match key.as_str() {
                        "has_updates" => set_once(&mut has_updates, "has_updates", map.next_value()?)?,
                        "time" => set_once(&mut time, "time", map.next_value()?)?,
                        "checksum" => set_once(&mut checksum, "checksum", map.next_value()?)?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Head { has_updates, time: time.flatten(), checksum })
            }
        }
        deserializer.deserialize_map(HeadVisitor)
    }
}

/// What [`DataStore::touch`](super::DataStore::touch) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TouchOutcome {
    /// The values stay, as far as the store can tell.
    Kept,
    /// At least one of them is not there (any more): whoever has it may store it again.
    Absent,
}

/// A payload in a store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreEntry {
    /// The payload as the server sent it, not compressed by the store.
    pub bytes: Bytes,
    /// How it is encoded.
    pub format: StoreFormat,
    /// Which state of the project it is; `None` if the store cannot tell.
    pub version: Option<EntryVersion>,
    /// When it was stored, in milliseconds since 1970 by the writer's clock; `None` if unknown.
    pub stored_at_ms: Option<u64>,
    /// Whether it is only the difference to an earlier payload. No store takes those.
    pub is_delta: bool,
    /// Name of the key that it stands under; `None` if the store does not say.
    pub key: Option<Arc<str>>,
}

impl StoreEntry {
    /// A payload that was received from a server, with its version.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>, format: StoreFormat, version: EntryVersion) -> Self {
        Self { bytes: bytes.into(), format, version: Some(version), stored_at_ms: None, is_delta: false, key: None }
    }

    /// A JSON payload; reads its version from it, as [`EntryVersion::of_json`] does.
    #[must_use]
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let version = EntryVersion::of_json(&bytes);
        Self { bytes, format: StoreFormat::PlainText, version, stored_at_ms: None, is_delta: false, key: None }
    }

    /// The same with another version, for a store that knows it.
    #[must_use]
    pub fn with_version(mut self, version: Option<EntryVersion>) -> Self {
        self.version = version;
        self
    }

    /// The same with another time of storing.
    #[must_use]
    pub fn with_stored_at_ms(mut self, stored_at_ms: Option<u64>) -> Self {
        self.stored_at_ms = stored_at_ms;
        self
    }

    /// The same, with the name of the key that it stands under.
    #[must_use]
    pub fn with_key(mut self, key: Arc<str>) -> Self {
        self.key = Some(key);
        self
    }

    /// The same, marked as a difference or not.
    #[must_use]
    pub fn with_delta(mut self, is_delta: bool) -> Self {
        self.is_delta = is_delta;
        self
    }
}

/// Shows everything but the payload.
impl fmt::Debug for StoreEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreEntry")
            .field("len", &self.bytes.len())
            .field("format", &self.format)
            .field("version", &self.version)
            .field("stored_at_ms", &self.stored_at_ms)
            .field("is_delta", &self.is_delta)
            .finish()
    }
}

/// What [`get_entry`](super::DataStore::get_entry) looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryRequest {
    /// Where to look, best first: of entries with the same time the first counts.
    pub keys: Arc<[StoreKey]>,
    /// What the caller has: an entry that is no news to it is not worth reading.
    pub known: Option<EntryVersion>,
    /// The time of day, in milliseconds since 1970: entries [from the future](EntryVersion::is_future) come after all
    /// others. `None`: no time counts as one from the future, unless the store has a clock of its own.
    pub now_ms: Option<u64>,
}

impl EntryRequest {
    /// Looks under some keys.
    #[must_use]
    pub fn new(keys: impl Into<Arc<[StoreKey]>>) -> Self {
        Self { keys: keys.into(), known: None, now_ms: None }
    }

    /// The same at a time of day, in milliseconds since 1970.
    #[must_use]
    pub fn at(mut self, now_ms: u64) -> Self {
        self.now_ms = Some(now_ms);
        self
    }

    /// The same, only for what is news to who has this version.
    #[must_use]
    pub fn unless_known(mut self, known: Option<EntryVersion>) -> Self {
        self.known = known;
        self
    }
}

/// Whether an older payload may replace a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PutMode {
    /// Never: the payload's own time decides.
    #[default]
    IfNewer,
    /// It may: for a roll-back that an operator decided.
    Force,
}

/// What became of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutOutcome {
    /// It is stored.
    Written,
    /// The same payload was there; how long it is kept begins anew.
    Refreshed,
    /// A newer one was there, and stays.
    SkippedOlder {
        /// The time of the one that stays, if known.
        stored_lcut: Option<u64>,
    },
    /// It is a difference, which no store takes.
    SkippedDelta,
}

/// What became of an [`append`](super::DataStore::append).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendOutcome {
    /// The value is longer by what was appended.
    Appended,
    /// The value did not have the length that the caller knows, and stays as it was.
    LengthDiffers {
        /// How long it is in bytes; 0 if there is none.
        len: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_json() {
        for (text, lcut) in [
            (r#"{"time": 5}"#, Some(5)),
            (r#"{"x": {"time": 9}, "time": 5e0, "checksum": null}"#, Some(5)),
            ("{\"time\"\n: 1.7e12, \"checksum\": 3}", Some(1_700_000_000_000)),
            (r#"{"time": 5.5}"#, None),
            (r#"{"time": -5}"#, None),
            (r#"{"time": 1e300}"#, None),
            (r#"{"time": "5"}"#, None),
            (r#"{"time": null}"#, None),
            (r#"{"has_updates": false}"#, None),
            (r#"{"has_updates": "no", "time": 5}"#, Some(5)),
            ("{}", None),
            ("[5]", None),
            ("", None),
            (r#"{"time": 5"#, None),
            ("{\"time\": 5, \"a\": \"\u{fffd}\"} x", None),
        ] {
            assert_eq!(EntryVersion::of_json(text.as_bytes()).map(|version| version.lcut), lcut, "{text}");
        }
        assert_eq!(EntryVersion::of_json(b"{\"time\": 5, \"a\": \"\xff\"}").map(|version| version.lcut), Some(5));
    }

    #[test]
    fn news() {
        let version = |lcut, checksum: &str| EntryVersion::new(lcut, Some(checksum.to_owned()));
        assert!(version(2, "a").is_news_to(&version(1, "a")));
        assert!(!version(1, "a").is_news_to(&version(2, "b")));
        assert!(version(1, "a").is_news_to(&version(1, "b")));
        assert!(!version(1, "a").is_news_to(&version(1, "a")));
        assert!(version(1, "").is_news_to(&version(1, "")), "nothing tells them apart");
    }

    #[test]
    fn times_from_the_future_order_nothing() {
        const NOW: u64 = 1_790_000_000_000;
        let version = |lcut| EntryVersion::new(lcut, None);
        let day = crate::MAX_TIME_AHEAD_MS;
        for (time, now, future) in [
            (NOW, NOW, false),
            (NOW + day, NOW, false),
            (NOW + day + 1, NOW, true),
            (u64::MAX, NOW, true),
            (u64::MAX, 0, false),
            (NOW, NOW - day - 1, true),
            (NOW, u64::MAX, false),
        ] {
            assert_eq!(version(time).is_future(now), future, "{time} at {now}");
        }
        for (one, other, expected) in [
            (5, 6, Ordering::Less),
            (6, 6, Ordering::Equal),
            (NOW * 1_000, 6, Ordering::Less),
            (6, NOW * 1_000, Ordering::Greater),
            // Both from the future: what else should decide, with a clock that is behind?
            (NOW * 1_000, NOW * 1_001, Ordering::Less),
        ] {
            assert_eq!(version(one).cmp_time(&version(other), Some(NOW)), expected, "{one} {other}");
        }
        assert_eq!(version(NOW * 1_000).cmp_time(&version(6), None), Ordering::Greater, "without a clock");
        assert!(version(6).is_news_at(&version(NOW * 1_000), Some(NOW)));
        assert!(!version(NOW * 1_000).is_news_at(&version(6), Some(NOW)));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let text = b"\xEF\xBB\xBF{\"time\": 5e0}";
        assert_eq!(EntryVersion::of_json(text), Some(EntryVersion::new(5, None)));
        assert_eq!(EntryVersion::of_json(&text[1..]), None);
    }

    #[test]
    fn debug_shows_no_payload() {
        let shown = format!("{:?}", StoreEntry::json(b"{\"time\": 5, \"private\": 1}".to_vec()));
        assert!(shown.contains("lcut: 5") && !shown.contains("private") && !shown.contains("112, "), "{shown}");
    }
}
