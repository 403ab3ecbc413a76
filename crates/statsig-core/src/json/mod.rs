//! Config values in a packed binary form that is read in place.
//!
//! A project holds many small JSON values (rule return values, defaults, parameters). A tree of
//! `serde_json::Value` costs several times the text and an allocation a node; the text itself has
//! to be scanned and unescaped at every read. The packed form costs about as much memory as the
//! text, is written once while the specs are parsed, and is read without allocating: strings are
//! borrowed, numbers decoded, and a skipped member costs one addition.
//!
//! In: anything serde can deserialize ([`Json::from_serialize`], [`Json::parse`]). Out:
//! [`JsonRef`], a cheap view with typed accessors, `Serialize`, and a serde `Deserializer`.
//!
//! # Layout
//!
//! One tag byte, then:
//!
//! | tag | payload |
//! | --- | --- |
//! | null, false, true | – |
//! | unsigned | LEB128 of the number |
//! | negative | LEB128 of `-1 - n` |
//! | float | 8 bytes, little endian |
//! | string | LEB128 byte length, UTF-8 bytes |
//! | array | `u32` byte length of the items, items |
//! | object | `u32` byte length of the members, members: key as a string without tag, value |
//! | indexed object | `u32` byte length of all that follows, `u32` count, that many `u32` offsets of members sorted by key, members |
//!
//! Objects of more than 16 members are indexed, so that a read takes a binary search.
//! The number kinds of JSON text are kept apart (`1` and `1.0` differ); members keep their order;
//! of duplicate keys the last one counts.

mod de;
mod deserializer;
mod encode;
mod raw;
mod reader;
mod reader_strings;
mod view;

pub(crate) use encode::{Encoder, PackSeed, encode_object};
pub(crate) use raw::Raw;
pub(crate) use reader::{Reader, Unread};
pub use view::{JsonArray, JsonKind, JsonObject, JsonRef};

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeSeed;

/// Objects with more members than this carry an index of their keys.
const INDEX_ABOVE: usize = 16;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const UNSIGNED: u8 = 3;
    pub(super) const NEGATIVE: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const STRING: u8 = 6;
    pub(super) const ARRAY: u8 = 7;
    pub(super) const OBJECT: u8 = 8;
    pub(super) const INDEXED_OBJECT: u8 = 9;
}

/// The packed form of `{}`.
pub(crate) const EMPTY_OBJECT: &[u8] = &[tag::OBJECT, 0, 0, 0, 0];
/// The packed form of `null`.
pub(crate) const NULL: &[u8] = &[tag::NULL];

/// An immutable JSON value that owns its packed bytes; clones share them.
///
/// Used for values that do not come from the config specs, such as local overrides. Reading goes
/// through [`Json::view`].
#[derive(Clone, PartialEq)]
pub struct Json {
    bytes: Arc<[u8]>,
}

impl Json {
    /// Packs a JSON text; a byte order mark at its beginning is skipped.
    ///
    /// # Errors
    /// When the text is not valid JSON, is nested deeper than 128 levels, or has anything but
    /// white space after the value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text));
        let mut encoder = Encoder::default();
        PackSeed(&mut encoder).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(encoder.into_json())
    }

    /// Packs any serializable value, for instance a `serde_json::json!` literal or a struct.
    ///
    /// # Errors
    /// When the value cannot be represented in JSON (a map with non-string keys, for example).
    pub fn from_serialize<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(value)?;
        let mut encoder = Encoder::default();
        PackSeed(&mut encoder).deserialize(&value)?;
        Ok(encoder.into_json())
    }

    /// A view of the value; free.
    #[must_use]
    pub fn view(&self) -> JsonRef<'_> {
        JsonRef::new(&self.bytes)
    }

    pub(crate) fn from_packed(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into() }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        let mut encoder = Encoder::default();
        match PackSeed(&mut encoder).deserialize(&value) {
            Ok(()) => encoder.into_json(),
            // A `Value` has string keys only, and packing accepts every other thing in it.
            Err(_) => Self { bytes: NULL.into() },
        }
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Json {
    fn from(object: serde_json::Map<String, serde_json::Value>) -> Self {
        serde_json::Value::Object(object).into()
    }
}

#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod tests;
