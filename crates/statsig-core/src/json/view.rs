//! Reading the packed form in place.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::{Json, NULL, tag};

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// Any number; integers and floats are one kind.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A borrowed JSON value; `Copy`, two words wide.
///
/// Accessors return `None` when the value is of another kind; none of them allocates.
#[derive(Clone, Copy)]
pub struct JsonRef<'a> {
    /// Starts at the value's tag; may run on past its end.
    bytes: &'a [u8],
}

/// Reads the key at `at`; returns it with the position of its value.
pub(super) fn read_key(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let (length, start) = read_varint(bytes, at);
    let end = start.saturating_add(length as usize).min(bytes.len());
    (&bytes[start.min(end)..end], end)
}

fn read_varint(bytes: &[u8], mut at: usize) -> (u64, usize) {
    let mut value = 0;
    let mut shift = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 || shift >= 63 {
            break;
        }
        shift += 7;
    }
    (value, at)
}

fn read_u32(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        _ => 0,
    }
}

impl<'a> JsonRef<'a> {
    /// `bytes` must start with a value that the encoder wrote; an empty slice reads as `null`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// JSON `null`.
    #[must_use]
    pub const fn null() -> JsonRef<'static> {
        JsonRef { bytes: NULL }
    }

    /// The empty object.
    #[must_use]
    pub const fn empty_object() -> JsonRef<'static> {
        JsonRef { bytes: super::EMPTY_OBJECT }
    }

    fn tag(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(tag::NULL)
    }

    /// Length in bytes of the packed form.
    pub(crate) fn packed_len(&self) -> usize {
        match self.tag() {
            tag::UNSIGNED | tag::NEGATIVE => read_varint(self.bytes, 1).1,
            tag::FLOAT => 9,
            tag::STRING => read_key(self.bytes, 1).1,
            tag::ARRAY | tag::OBJECT | tag::INDEXED_OBJECT => 5 + read_u32(self.bytes, 1),
            _ => 1,
        }
    }

    /// The packed form itself, without what follows it.
    pub(crate) fn packed(&self) -> &'a [u8] {
        &self.bytes[..self.packed_len().min(self.bytes.len())]
    }

    /// What the value is.
    #[must_use]
    pub fn kind(&self) -> JsonKind {
        match self.tag() {
            tag::FALSE | tag::TRUE => JsonKind::Bool,
            tag::UNSIGNED | tag::NEGATIVE | tag::FLOAT => JsonKind::Number,
            tag::STRING => JsonKind::String,
            tag::ARRAY => JsonKind::Array,
            tag::OBJECT | tag::INDEXED_OBJECT => JsonKind::Object,
            _ => JsonKind::Null,
        }
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.tag() {
            tag::FALSE => Some(false),
            tag::TRUE => Some(true),
            _ => None,
        }
    }

    /// The integer, if the number was written as one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.tag() {
            tag::UNSIGNED => i64::try_from(read_varint(self.bytes, 1).0).ok(),
            tag::NEGATIVE => Some(!read_varint(self.bytes, 1).0.cast_signed()),
            _ => None,
        }
    }

    /// The integer, if the number was written as one without sign and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self.tag() {
            tag::UNSIGNED => Some(read_varint(self.bytes, 1).0),
            _ => None,
        }
    }

    /// The number as a float; integers above 2^53 lose precision.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(&self) -> Option<f64> {
        match self.tag() {
            tag::UNSIGNED => Some(read_varint(self.bytes, 1).0 as f64),
            tag::NEGATIVE => self.as_i64().map(|n| n as f64),
            tag::FLOAT => self.bytes.get(1..9).and_then(|b| b.try_into().ok()).map(f64::from_le_bytes),
            _ => None,
        }
    }

    /// The string, borrowed.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self.tag() {
            tag::STRING => std::str::from_utf8(read_key(self.bytes, 1).0).ok(),
            _ => None,
        }
    }

    /// The array's items.
    #[must_use]
    pub fn as_array(&self) -> Option<JsonArray<'a>> {
        match self.tag() {
            tag::ARRAY => Some(JsonArray { bytes: &self.packed()[5..] }),
            _ => None,
        }
    }

    /// The object's members.
    #[must_use]
    pub fn as_object(&self) -> Option<JsonObject<'a>> {
        match self.tag() {
            tag::OBJECT => Some(JsonObject { index: &[], members: &self.packed()[5..] }),
            tag::INDEXED_OBJECT => {
                let body = &self.packed()[5..];
                let split = (4 + 4 * read_u32(body, 0)).min(body.len());
                Some(JsonObject { index: &body[4.min(split)..split], members: &body[split..] })
            }
            _ => None,
        }
    }

    /// The member called `key`, if this is an object that has it.
    ///
    /// Linear in the number of members up to 16, logarithmic above.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<JsonRef<'a>> {
        self.as_object()?.get(key)
    }

    /// Deserializes into any type, as `serde_json::from_value` would; strings may be borrowed.
    ///
    /// # Errors
    /// When the value does not have the shape that `T` wants.
    pub fn deserialize<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(*self)
    }

    /// A copy of the value that owns its bytes.
    #[must_use]
    pub fn to_owned(&self) -> Json {
        Json::from_packed(self.packed().to_vec())
    }

    /// A `serde_json` copy of the value.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self.kind() {
            JsonKind::Null => serde_json::Value::Null,
            JsonKind::Bool => self.as_bool().into(),
            JsonKind::Number => self.to_number(),
            JsonKind::String => self.as_str().into(),
            JsonKind::Array => self.as_array().into_iter().flatten().map(|item| item.to_json()).collect(),
            JsonKind::Object => serde_json::Value::Object(
                self.as_object().into_iter().flatten().map(|(k, v)| (k.to_owned(), v.to_json())).collect(),
            ),
        }
    }

    fn to_number(self) -> serde_json::Value {
        match (self.as_i64(), self.as_u64()) {
            (Some(n), _) => n.into(),
            (_, Some(n)) => n.into(),
            _ => self.as_f64().into(),
        }
    }
}

impl PartialEq for JsonRef<'_> {
    /// Equal when the packed forms are: number kinds and the order of members count.
    fn eq(&self, other: &Self) -> bool {
        self.packed() == other.packed()
    }
}

impl fmt::Debug for JsonRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for JsonRef<'_> {
    /// Compact JSON text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for JsonRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind() {
            JsonKind::Null => serializer.serialize_unit(),
            JsonKind::Bool => serializer.serialize_bool(self.tag() == tag::TRUE),
            JsonKind::Number => match (self.as_u64(), self.as_i64()) {
                (Some(n), _) => serializer.serialize_u64(n),
                (_, Some(n)) => serializer.serialize_i64(n),
                _ => serializer.serialize_f64(self.as_f64().unwrap_or_default()),
            },
            JsonKind::String => serializer.serialize_str(self.as_str().unwrap_or_default()),
            JsonKind::Array => {
                let mut sequence = serializer.serialize_seq(None)?;
                for item in self.as_array().into_iter().flatten() {
                    sequence.serialize_element(&item)?;
                }
                sequence.end()
            }
            JsonKind::Object => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in self.as_object().into_iter().flatten() {
                    map.serialize_entry(key, &value)?;
                }
                map.end()
            }
        }
    }
}

/// The items of an array; an iterator that can be copied and restarted.
#[derive(Clone, Copy, Debug)]
pub struct JsonArray<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for JsonArray<'a> {
    type Item = JsonRef<'a>;

    fn next(&mut self) -> Option<JsonRef<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let item = JsonRef::new(self.bytes);
        self.bytes = self.bytes.get(item.packed_len()..).unwrap_or_default();
        Some(item)
    }
}

/// The members of an object, in the order of the document.
#[derive(Clone, Copy, Debug)]
pub struct JsonObject<'a> {
    /// `u32` offsets into `members`, sorted by key; empty for small objects.
    index: &'a [u8],
    members: &'a [u8],
}

impl<'a> JsonObject<'a> {
    /// The member called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<JsonRef<'a>> {
        let key = key.as_bytes();
        if self.index.is_empty() {
            let mut at = 0;
            while at < self.members.len() {
                let (name, value) = read_key(self.members, at);
                let value_ref = JsonRef::new(&self.members[value..]);
                if name == key {
                    return Some(value_ref);
                }
                at = value + value_ref.packed_len();
            }
            return None;
        }
        let (mut low, mut high) = (0, self.index.len() / 4);
        while low < high {
            let middle = usize::midpoint(low, high);
            let (name, value) = read_key(self.members, read_u32(self.index, 4 * middle));
            match name.cmp(key) {
                std::cmp::Ordering::Equal => return Some(JsonRef::new(&self.members[value..])),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl<'a> Iterator for JsonObject<'a> {
    type Item = (&'a str, JsonRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.members.is_empty() {
            return None;
        }
        let (key, value) = read_key(self.members, 0);
        let value_ref = JsonRef::new(&self.members[value..]);
        self.members = self.members.get(value + value_ref.packed_len()..).unwrap_or_default();
        // The index speaks of the whole object, not of what is left of it.
        self.index = &[];
        Some((std::str::from_utf8(key).unwrap_or_default(), value_ref))
    }
}
