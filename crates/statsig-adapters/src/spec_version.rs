//! Version of config specs, and its order.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_core::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};

use crate::json_fields::{set_once, unsigned_integer};
use crate::json_key::Key;
use crate::{is_future, without_byte_order_mark};

/// Version of config specs: the time of the project's last change, and a checksum.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct SpecVersion {
    /// Time of the project's last change, in milliseconds since 1970; the payload's own `time`.
    pub time_ms: u64,
    /// The payload's own checksum, if it has one. Opaque.
    pub checksum: Option<Arc<str>>,
}

/// Position of a version relative to the one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionOrder {
    /// The held version is newer.
    Older,
    /// Both have the same checksum.
    Same,
    /// The version replaces the held one.
    Newer,
}

impl SpecVersion {
    /// Returns a version. An empty checksum counts as none.
    #[must_use]
    pub fn new(time_ms: u64, checksum: Option<&str>) -> Self {
        Self { time_ms, checksum: checksum.filter(|checksum| !checksum.is_empty()).map(Arc::from) }
    }

    /// Returns whether both name the same state of a project: by their checksums, or by their times where one has no
    /// checksum.
    #[must_use]
    pub fn is_same_state(&self, other: &Self) -> bool {
        match (&self.checksum, &other.checksum) {
            (Some(own), Some(other)) => own == other,
            _ => self.time_ms == other.time_ms,
        }
    }

    /// Reads the version of a JSON payload. `None` if it is no JSON object, has no usable `time`, or
    /// says that it has no updates. Reads the whole text, and keeps nothing of it. Skips a byte order mark.
    ///
    /// ```
    /// use statsig_adapters::SpecVersion;
    ///
    /// let version = SpecVersion::of_json(br#"{"has_updates": true, "time": 17.0, "checksum": "c"}"#);
    /// assert_eq!(version, Some(SpecVersion::new(17, Some("c"))));
    /// assert_eq!(SpecVersion::of_json(br#"{"has_updates": false, "time": 17}"#), None);
    /// ```
    #[must_use]
    pub fn of_json(text: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(without_byte_order_mark(text)).ok()?;
        if head.has_updates.is_some_and(|value| value == false) {
            return None;
        }
        let time_ms = unsigned_integer(&head.time?)?;
        Some(Self::new(time_ms, head.checksum.as_ref().and_then(Value::as_str)))
    }

    /// Returns true if the time is more than 24 hours ahead of the clock.
    ///
    /// Such a time comes from a server or a writer that is wrong, and orders nothing. Nothing is ahead of a clock
    /// before 2020, which was never set.
    #[must_use]
    pub const fn is_future(&self, now_ms: u64) -> bool {
        is_future(self.time_ms, now_ms)
    }

    /// Compares the times of two payloads by the clock, if it is known: one [from the future](Self::is_future) comes
    /// before any that is not; otherwise the times decide.
    #[must_use]
    pub fn cmp_time(&self, other: &Self, now_ms: Option<u64>) -> Ordering {
        let is_sane = |version: &Self| now_ms.is_none_or(|now_ms| !version.is_future(now_ms));
        is_sane(self).cmp(&is_sane(other)).then(self.time_ms.cmp(&other.time_ms))
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

    /// Returns whether a payload of this version is news to a client that holds the other: it is not
    /// older, and not the same by time and checksum. Without checksums, equal times count as news.
    #[must_use]
    pub fn is_news_to(&self, known: &Self) -> bool {
        self.is_news_at(known, None)
    }

    /// Compares a version with the one that is held, by the rules for accepting a payload.
    ///
    /// The greater time wins. Equal checksums are the same payload, whatever the times. A held time of 0, or one
    /// [from the future](Self::is_future), orders nothing, and any valid time replaces it.
    ///
    /// ```
    /// use statsig_adapters::{SpecVersion, VersionOrder};
    ///
    /// let held = SpecVersion::new(5, Some("a"));
    /// assert_eq!(SpecVersion::new(4, Some("b")).compare_to_held(&held, 0), VersionOrder::Older);
    /// assert_eq!(SpecVersion::new(6, Some("a")).compare_to_held(&held, 0), VersionOrder::Same);
    /// assert_eq!(SpecVersion::new(5, Some("b")).compare_to_held(&held, 0), VersionOrder::Newer);
    /// ```
    #[must_use]
    pub fn compare_to_held(&self, held: &Self, now_ms: u64) -> VersionOrder {
        let orders = |time_ms| time_ms > 0 && !is_future(time_ms, now_ms);
        let is_ordered = orders(held.time_ms);
        if is_ordered && held.time_ms > self.time_ms {
            return VersionOrder::Older;
        }
        let corrects_time = !is_ordered && orders(self.time_ms);
        if self.checksum.is_some() && self.checksum == held.checksum && !corrects_time {
            return VersionOrder::Same;
        }
        VersionOrder::Newer
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
            assert_eq!(SpecVersion::of_json(text.as_bytes()).map(|version| version.time_ms), lcut, "{text}");
        }
        assert_eq!(SpecVersion::of_json(b"{\"time\": 5, \"a\": \"\xff\"}").map(|version| version.time_ms), Some(5));
    }

    #[test]
    fn news() {
        let version = |lcut, checksum: &str| SpecVersion::new(lcut, Some(checksum));
        assert!(version(2, "a").is_news_to(&version(1, "a")));
        assert!(!version(1, "a").is_news_to(&version(2, "b")));
        assert!(version(1, "a").is_news_to(&version(1, "b")));
        assert!(!version(1, "a").is_news_to(&version(1, "a")));
        assert!(version(1, "").is_news_to(&version(1, "")), "nothing tells them apart");
    }

    #[test]
    fn times_from_the_future_order_nothing() {
        const NOW: u64 = 1_790_000_000_000;
        let version = |lcut| SpecVersion::new(lcut, None);
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
        assert_eq!(SpecVersion::of_json(text), Some(SpecVersion::new(5, None)));
        assert_eq!(SpecVersion::of_json(&text[1..]), None);
    }
}
