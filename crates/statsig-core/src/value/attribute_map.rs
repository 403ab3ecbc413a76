//! A small map of attributes, kept sorted.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::attribute::Attribute;

/// Attributes by name. Look-ups compare a few names instead of hashing one; with the handful of
/// attributes that users carry this is faster, and no set of names can make it slow.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct AttributeMap {
    entries: Vec<(SmolStr, Attribute)>,
    /// Whether it was given at all; events tell an empty map from none.
    is_set: bool,
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
        let name = name.as_ref();
        self.is_set = true;
        match self.position(name) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (name.into(), value)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let of = |(name, value): &(SmolStr, Attribute)| long(name) + value.heap_bytes();
        self.entries.capacity() * size_of::<(SmolStr, Attribute)>() + self.entries.iter().map(of).sum::<usize>()
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.entries.iter().map(|(name, _)| name)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Attribute> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.entries.iter().map(|(name, value)| (name.to_string(), value.to_json())).collect())
    }
}

/// Bytes of a text beyond its place in the map.
fn long(text: &SmolStr) -> usize {
    if text.is_heap_allocated() { text.len() } else { 0 }
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
        Self { entries, is_set: true }
    }
}

impl From<Map<String, Value>> for AttributeMap {
    fn from(map: Map<String, Value>) -> Self {
        map.into_iter().map(|(name, value)| (name, Attribute::from(value))).collect()
    }
}

impl Serialize for AttributeMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
