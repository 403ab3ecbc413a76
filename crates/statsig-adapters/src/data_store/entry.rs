//! What a store holds under a key, and how it is asked for.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::keys::{StoreFormat, StoreKey};
use crate::SpecVersion;

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
    pub version: Option<SpecVersion>,
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
    pub fn new(bytes: impl Into<Bytes>, format: StoreFormat, version: SpecVersion) -> Self {
        Self { bytes: bytes.into(), format, version: Some(version), stored_at_ms: None, is_delta: false, key: None }
    }

    /// A JSON payload; reads its version from it, as [`SpecVersion::of_json`] does.
    #[must_use]
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let version = SpecVersion::of_json(&bytes);
        Self { bytes, format: StoreFormat::PlainText, version, stored_at_ms: None, is_delta: false, key: None }
    }

    /// The same with another version, for a store that knows it.
    #[must_use]
    pub fn with_version(mut self, version: Option<SpecVersion>) -> Self {
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
    pub known: Option<SpecVersion>,
    /// The time of day, in milliseconds since 1970: entries [from the future](SpecVersion::is_future) come after all
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
    pub fn unless_known(mut self, known: Option<SpecVersion>) -> Self {
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
    fn debug_shows_no_payload() {
        let shown = format!("{:?}", StoreEntry::json(b"{\"time\": 5, \"private\": 1}".to_vec()));
        assert!(shown.contains("time_ms: 5") && !shown.contains("private") && !shown.contains("112, "), "{shown}");
    }
}
