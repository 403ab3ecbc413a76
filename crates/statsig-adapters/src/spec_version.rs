//! Version of config specs, and its order.

use std::sync::Arc;

use crate::{EntryVersion, is_future};

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

    /// Returns whether the time is more than 24 hours ahead of the clock: such a time orders nothing.
    #[must_use]
    pub const fn is_future(&self, now_ms: u64) -> bool {
        is_future(self.time_ms, now_ms)
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

impl From<EntryVersion> for SpecVersion {
    fn from(version: EntryVersion) -> Self {
        Self::new(version.lcut, version.checksum.as_deref())
    }
}

impl From<&SpecVersion> for EntryVersion {
    fn from(version: &SpecVersion) -> Self {
        Self::new(version.time_ms, version.checksum.as_deref().map(str::to_owned))
    }
}
