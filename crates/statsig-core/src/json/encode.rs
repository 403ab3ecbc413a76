//! Writing the packed form, straight from a serde deserializer.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{INDEX_ABOVE, Json, JsonRef, tag};

/// An append-only buffer of packed values.
#[derive(Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    /// Member offsets of the objects being written, innermost last.
    members: Vec<u32>,
}

impl Encoder {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets whole values, and one that was broken off.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.members.clear();
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn into_json(self) -> Json {
        Json::from_packed(self.bytes)
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.bytes.push(if value { tag::TRUE } else { tag::FALSE });
    }

    pub(crate) fn null(&mut self) {
        self.bytes.push(tag::NULL);
    }

    fn unsigned(&mut self, value: u64) {
        self.bytes.push(tag::UNSIGNED);
        self.varint(value);
    }

    fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => {
                self.bytes.push(tag::NEGATIVE);
                self.varint(!value.cast_unsigned());
            }
        }
    }

    fn float(&mut self, value: f64) {
        self.bytes.push(tag::FLOAT);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn string(&mut self, value: &str) {
        self.bytes.push(tag::STRING);
        self.key(value);
    }

    fn key(&mut self, value: &str) {
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    #[allow(clippy::cast_possible_truncation)] // keeps the low 7 bits on purpose
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Begins a container; returns the position of its tag.
    fn open(&mut self, tag: u8) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[tag, 0, 0, 0, 0]);
        start
    }

    /// Ends the container at `start` by writing its length.
    fn close(&mut self, start: usize) {
        let length = to_u32(self.bytes.len() - start - 5);
        self.bytes[start + 1..start + 5].copy_from_slice(&length.to_le_bytes());
    }

    /// Ends the object at `start`, whose member offsets are `self.members[first..]`.
    fn close_object(&mut self, start: usize, first: usize) {
        let count = self.members.len() - first;
        if count > INDEX_ABOVE || self.has_duplicate(first) {
            self.rebuild_object(start, first);
        }
        self.members.truncate(first);
        self.close(start);
    }

    fn key_at(&self, member: u32) -> &[u8] {
        super::view::read_key(&self.bytes, member as usize).0
    }

    /// Whether a small object has a key twice; pairs are compared, so call it for small ones only.
    fn has_duplicate(&self, first: usize) -> bool {
        let members = &self.members[first..];
        members.iter().enumerate().any(|(i, &a)| members[..i].iter().any(|&b| self.key_at(a) == self.key_at(b)))
    }

    /// Rewrites an object: the last of equal keys only, and an index if it is still large.
    fn rebuild_object(&mut self, start: usize, first: usize) {
        let mut sorted: Vec<u32> = self.members[first..].to_vec();
        // Equal keys: the later member first, so that `dedup` keeps it.
        sorted.sort_unstable_by(|&a, &b| self.key_at(a).cmp(self.key_at(b)).then(b.cmp(&a)));
        sorted.dedup_by(|a, b| self.key_at(*a) == self.key_at(*b));
        let mut in_order = sorted.clone();
        in_order.sort_unstable();

        let mut body = Vec::with_capacity(self.bytes.len() - start);
        let mut moved = Vec::with_capacity(sorted.len());
        for &member in &in_order {
            moved.push(to_u32(body.len()));
            let (_, value) = super::view::read_key(&self.bytes, member as usize);
            let end = value + JsonRef::new(&self.bytes[value..]).packed_len();
            body.extend_from_slice(&self.bytes[member as usize..end]);
        }
        self.bytes.truncate(start);
        if sorted.len() > INDEX_ABOVE {
            self.open(tag::INDEXED_OBJECT);
            self.bytes.extend_from_slice(&to_u32(sorted.len()).to_le_bytes());
            for member in &sorted {
                let at = in_order.partition_point(|other| other < member);
                self.bytes.extend_from_slice(&moved[at].to_le_bytes());
            }
        } else {
            self.open(tag::OBJECT);
        }
        self.bytes.extend_from_slice(&body);
    }
}

/// Lengths and offsets are 32 bits wide; the loader bounds documents far below that.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Packs an object of already packed members, in order; keys must be distinct.
pub(crate) fn encode_object<'a>(members: impl Iterator<Item = (&'a str, JsonRef<'a>)>) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let start = encoder.open(tag::OBJECT);
    for (key, value) in members {
        encoder.members.push(to_u32(encoder.bytes.len()));
        encoder.key(key);
        encoder.bytes.extend_from_slice(value.packed());
    }
    if encoder.members.len() > INDEX_ABOVE {
        encoder.rebuild_object(start, 0);
    }
    encoder.close(start);
    encoder.into_bytes()
}

/// Deserializes any value by appending its packed form to the encoder.
pub(crate) struct PackSeed<'e>(pub(crate) &'e mut Encoder);

impl<'de> DeserializeSeed<'de> for PackSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PackSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.null();
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.0.null();
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.bool(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.unsigned(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.signed(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.float(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.string(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let start = self.0.open(tag::ARRAY);
        while items.next_element_seed(PackSeed(self.0))?.is_some() {}
        self.0.close(start);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let start = self.0.open(tag::OBJECT);
        let first = self.0.members.len();
        while members.next_key_seed(KeySeed(self.0))?.is_some() {
            members.next_value_seed(PackSeed(self.0))?;
        }
        self.0.close_object(start, first);
        Ok(())
    }
}

/// Appends an object key and notes where its member starts.
struct KeySeed<'e>(&'e mut Encoder);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let key = crate::specs::CowStr::deserialize(deserializer)?;
        let member = to_u32(self.0.bytes.len());
        self.0.members.push(member);
        self.0.key(&key);
        Ok(())
    }
}
