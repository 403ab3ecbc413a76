//! Writes a response as JSON text, copying what is prepared.

use std::io::{self, Write};

use serde::Serialize;

use super::contents::{Contents, write_entry};
use super::entry::{ClientExposure, Entry, ExposureList, Style};
use super::hashing::HashedName;
use super::object_writer::{Key, ObjectWriter};
use super::options::ResponseFormat;
use super::prepared::is_escaped;
use super::walk::{Section, value_of};
use crate::evaluate::{ConfigValue, Exposed};
use crate::ruleset::{HashedText, SharedText, Text};

/// Destination of a response's text.
pub(super) trait Output {
    /// Returns the buffer that the text is appended to.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Marks a place where the buffer may be emptied.
    fn may_drain(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Vec<u8> {
    #[inline]
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }
}

/// Passes the text on in pieces of some kilobytes.
pub(super) struct Chunked<W> {
    buffer: Vec<u8>,
    out: W,
}

impl<W: Write> Chunked<W> {
    const LENGTH: usize = 16 << 10;

    pub(super) fn new(out: W) -> Self {
        Self { buffer: Vec::with_capacity(Self::LENGTH + Self::LENGTH / 4), out }
    }

    /// Passes the rest on.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()
    }
}

impl<W: Write> Output for Chunked<W> {
    #[inline]
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn may_drain(&mut self) -> io::Result<()> {
        if self.buffer.len() >= Self::LENGTH {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Writes the fields of JSON objects to an [`Output`].
pub(super) struct JsonWriter<'a, O> {
    out: &'a mut O,
    style: Style<'a>,
    shared: &'a SharedText,
    hashed: &'a HashedText,
}

impl<'a, O: Output> JsonWriter<'a, O> {
    pub(super) fn new(out: &'a mut O, style: Style<'a>, shared: &'a SharedText, hashed: &'a HashedText) -> Self {
        Self { out, style, shared, hashed }
    }

    /// Writes an object, with the fields that `fields` writes.
    pub(super) fn object(&mut self, fields: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.out.buffer().push(b'{');
        fields(self)?;
        self.out.buffer().push(b'}');
        Ok(())
    }

    /// Writes a comma, unless an object or array begins here.
    #[inline]
    fn separate(&mut self) {
        let buffer = self.out.buffer();
        if !matches!(buffer.last(), Some(b'{' | b'[')) {
            buffer.push(b',');
        }
    }

    #[inline]
    fn key(&mut self, key: Key) {
        self.separate();
        self.raw(key.json());
    }

    #[inline]
    fn raw(&mut self, text: &str) {
        self.out.buffer().extend_from_slice(text.as_bytes());
    }

    /// Writes any value.
    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        Ok(serde_json::to_writer(self.out.buffer(), value)?)
    }

    /// Writes a text of the ruleset as a JSON string.
    #[inline]
    fn string(&mut self, text: Text) -> io::Result<()> {
        let text = self.style.names.ruleset.str(text);
        if !self.shared.needs_no_escapes && text.bytes().any(is_escaped) {
            return self.json(text);
        }
        self.out.buffer().push(b'"');
        self.raw(text);
        self.out.buffer().push(b'"');
        Ok(())
    }

    /// Writes a hashed name as a JSON string.
    #[inline]
    fn hashed_name(&mut self, name: Text) -> io::Result<()> {
        match self.hashed.name(name) {
            Some(json) => {
                self.raw(json);
                Ok(())
            }
            None => self.json(&self.style.names.hash(name)),
        }
    }

    /// Writes a member of a section under its hashed name.
    fn member(&mut self, name: Text, value: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.separate();
        self.hashed_name(name)?;
        self.out.buffer().push(b':');
        value(self)?;
        self.out.may_drain()
    }

    /// Writes digits as a JSON string.
    fn digits(&mut self, digits: &HashedName<'_>) {
        self.out.buffer().push(b'"');
        self.raw(digits);
        self.out.buffer().push(b'"');
    }

    /// Writes a secondary exposure in full.
    fn exposure(&mut self, exposed: Exposed) -> io::Result<()> {
        let Some(head) = self.hashed.exposure_head(exposed.gate) else {
            return self.json(&ClientExposure::new(self.style.names, exposed));
        };
        self.raw(head);
        self.raw(if exposed.value { r#"true","ruleID":"# } else { r#"false","ruleID":"# });
        self.string(exposed.rule_id)?;
        self.out.buffer().push(b'}');
        Ok(())
    }
}

impl<O: Output> ObjectWriter for JsonWriter<'_, O> {
    type Error = io::Error;

    fn any<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> io::Result<()> {
        self.key(key);
        self.json(value)
    }

    fn flag(&mut self, key: Key, value: bool) -> io::Result<()> {
        self.key(key);
        self.raw(if value { "true" } else { "false" });
        Ok(())
    }

    fn text(&mut self, key: Key, _: &Entry<'_>, text: Text) -> io::Result<()> {
        self.key(key);
        self.string(text)
    }

    fn name(&mut self, key: Key, _: &Entry<'_>, name: Text) -> io::Result<()> {
        self.key(key);
        self.hashed_name(name)
    }

    fn rule_id(&mut self, key: Key, entry: &Entry<'_>) -> io::Result<()> {
        self.key(key);
        if entry.evaluated.outcome.explored {
            return self.json(&entry.rule_id());
        }
        self.string(entry.evaluated.outcome.rule_id)
    }

    fn value(&mut self, key: Key, _: &Entry<'_>, value: &ConfigValue) -> io::Result<()> {
        self.key(key);
        if let ConfigValue::At(at) = value
            && let Some(json) = self.shared.values.get(*at)
        {
            self.raw(json);
            return Ok(());
        }
        self.json(&value_of(self.style.names.ruleset, value))
    }

    fn exposures(&mut self, key: Key, list: &ExposureList<'_>) -> io::Result<()> {
        self.key(key);
        self.out.buffer().push(b'[');
        match self.style.format {
            ResponseFormat::V1 => {
                for exposed in list.exposed {
                    self.separate();
                    self.exposure(*exposed)?;
                }
            }
            ResponseFormat::V2 => {
                for exposure in list.iter() {
                    self.separate();
                    self.digits(&exposure.id());
                }
            }
            ResponseFormat::InitV2 => {
                for id in list.ids {
                    self.separate();
                    self.digits(&HashedName::decimal(*id));
                }
            }
        }
        self.out.buffer().push(b']');
        Ok(())
    }

    fn plain_names(&mut self, key: Key, _: &Entry<'_>, list: u32) -> io::Result<()> {
        self.key(key);
        self.out.buffer().push(b'[');
        for name in self.style.names.ruleset.name_lists.get(list as usize).into_iter().flatten() {
            self.separate();
            self.string(*name)?;
        }
        self.out.buffer().push(b']');
        Ok(())
    }

    fn entries<C: Contents>(&mut self, key: Key, contents: &C, section: Section) -> io::Result<()> {
        self.key(key);
        self.object(|writer| {
            let mut result = Ok(());
            contents.entries(section, &mut |entry| {
                result = writer
                    .member(entry.evaluated.name, |writer| writer.object(|writer| write_entry(writer, section, entry)));
                result.is_ok()
            });
            result
        })
    }

    fn stores<C: Contents>(&mut self, key: Key, contents: &C) -> io::Result<()> {
        self.key(key);
        self.object(|writer| {
            let mut result = Ok(());
            contents.stores(&mut |at, store| {
                result = writer.member(store.store.name, |writer| match writer.hashed.stores.get(at) {
                    Some(json) => {
                        writer.raw(json);
                        Ok(())
                    }
                    None => writer.json(&store),
                });
                result.is_ok()
            });
            result
        })
    }
}
