//! A small map of attributes, kept sorted.

use serde_json::{Map, Value};
use smol_str::SmolStr;

use crate::value::Attribute;

/// Attributes by name. Look-ups compare a few names instead of hashing one; with the handful of
/// attributes that users carry this is faster, and no set of names can make it slow.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AttributeMap {
    /// Whether it was set at all, be it to nothing.
    given: bool,
    entries: Vec<(SmolStr, Attribute)>,
}

impl AttributeMap {
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<&Attribute> {
        self.position(name).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(key, _)| key.as_str().cmp(name))
    }

    pub(crate) fn insert(&mut self, name: impl AsRef<str>, value: Attribute) {
        self.given = true;
        let name = name.as_ref();
        match self.position(name) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (name.into(), value)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether it was set at all: `{}` is not the same as nothing when a user is written.
    pub(crate) fn is_given(&self) -> bool {
        self.given
    }

    /// The attributes, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.entries.iter().map(|(name, _)| name)
    }

    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.entries.iter().map(|(name, value)| (name.to_string(), value.to_json())).collect())
    }
}

/// Builds in bulk, by sorting once; of equal names the last one counts.
impl<K: AsRef<str>> FromIterator<(K, Attribute)> for AttributeMap {
    fn from_iter<I: IntoIterator<Item = (K, Attribute)>>(entries: I) -> Self {
        let mut entries: Vec<(SmolStr, Attribute)> =
            entries.into_iter().map(|(name, value)| (name.as_ref().into(), value)).collect();
        entries.reverse();
        // Stable, so that the later of equal names comes first and is the one that `dedup` keeps.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|a, b| a.0 == b.0);
        Self { given: true, entries }
    }
}

impl From<Map<String, Value>> for AttributeMap {
    fn from(map: Map<String, Value>) -> Self {
        map.into_iter().map(|(name, value)| (name, Attribute::from(value))).collect()
    }
}
