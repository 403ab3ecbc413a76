//! Writes the fields of a response's objects.
//!
//! The layout of each object is defined once, by functions that call an [`ObjectWriter`]. [`SerdeObject`] hands the
//! fields to any serializer; [`JsonWriter`](super::json_writer::JsonWriter) writes JSON text and copies what is prepared.

use serde::Serialize;
use serde::ser::SerializeMap;

use super::contents::{Contents, Entries, Stores};
use super::entry::{Entry, ExposureList};
use super::names::Names;
use super::walk::{Section, value_of};
use crate::evaluate::ConfigValue;
use crate::ruleset::Text;

/// Key of a field, as JSON text with quotes and colon: `"name":`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(&'static str);

impl Key {
    pub(super) const fn new(json: &'static str) -> Self {
        Self(json)
    }

    /// Returns the key as JSON text, with quotes and colon.
    #[inline]
    pub(super) fn json(self) -> &'static str {
        self.0
    }

    /// Returns the key itself.
    fn name(self) -> &'static str {
        self.0.get(1..self.0.len() - 2).unwrap_or_default()
    }
}

/// Makes the [`Key`] of a name that needs no escapes.
macro_rules! key {
    ($name:literal) => {
        $crate::client_initialize::object_writer::Key::new(concat!("\"", $name, "\":"))
    };
}
pub(super) use key;

/// Writes the fields of one object, in the order of the calls.
///
/// The methods with a body have the meaning of that body; a writer of JSON text overrides them to copy prepared text.
pub(super) trait ObjectWriter {
    type Error;

    /// Writes a field with any value.
    fn any<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), Self::Error>;

    fn flag(&mut self, key: Key, value: bool) -> Result<(), Self::Error> {
        self.any(key, &value)
    }

    /// Writes a text of the ruleset.
    fn text(&mut self, key: Key, entry: &Entry<'_>, text: Text) -> Result<(), Self::Error> {
        self.any(key, entry.style.names.ruleset.str(text))
    }

    /// Writes the hash of a name.
    fn name(&mut self, key: Key, entry: &Entry<'_>, name: Text) -> Result<(), Self::Error> {
        self.any(key, &entry.style.names.hash(name))
    }

    /// Writes the rule that decided an entry.
    fn rule_id(&mut self, key: Key, entry: &Entry<'_>) -> Result<(), Self::Error> {
        self.any(key, &entry.rule_id())
    }

    /// Writes the value of an entry.
    fn value(&mut self, key: Key, entry: &Entry<'_>, value: &ConfigValue) -> Result<(), Self::Error> {
        self.any(key, &value_of(entry.style.names.ruleset, value))
    }

    /// Writes the secondary exposures of an entry.
    fn exposures(&mut self, key: Key, exposures: &ExposureList<'_>) -> Result<(), Self::Error> {
        self.any(key, exposures)
    }

    /// Writes a list of names that are not hashed: a position in [`Ruleset::name_lists`](crate::ruleset::Ruleset).
    fn plain_names(&mut self, key: Key, entry: &Entry<'_>, list: u32) -> Result<(), Self::Error> {
        self.any(key, &Names(|| entry.style.names.ruleset.names(list)))
    }

    /// Writes an object with the entries of a section.
    fn entries<C: Contents>(&mut self, key: Key, contents: &C, section: Section) -> Result<(), Self::Error> {
        self.any(key, &Entries { contents, section })
    }

    /// Writes an object with the parameter stores.
    fn stores<C: Contents>(&mut self, key: Key, contents: &C) -> Result<(), Self::Error> {
        self.any(key, &Stores(contents))
    }
}

/// Hands the fields of an object to a serializer.
pub(super) struct SerdeObject<'m, M>(pub(super) &'m mut M);

impl<M: SerializeMap> ObjectWriter for SerdeObject<'_, M> {
    type Error = M::Error;

    fn any<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), M::Error> {
        self.0.serialize_entry(key.name(), value)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_key_is_its_name_in_quotes() {
        let key = key!("rule_id");
        assert_eq!((key.json(), key.name()), (r#""rule_id":"#, "rule_id"));
    }
}
