//! The top level of a document: its format, its sections, and how their entries are walked.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use super::wire::{CowStr, WireDocument};
use crate::error::Error;
use crate::json::{Raw, Reader, Unread};
use statsig_adapters::{PayloadShape, recognise};

/// The two shapes of config specs; told apart by shape alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The older one: lists of specs with inline conditions.
    V1,
    /// The current one: maps of specs, and a shared map of conditions.
    #[default]
    V2,
}

impl Format {
    /// A short name: `v1` or `v2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// A document whose top level was read; sections are still text.
pub(crate) struct Document<'a> {
    pub(crate) wire: WireDocument<'a>,
    pub(crate) format: Format,
}

impl<'a> Document<'a> {
    /// Reads the top level and tells the format apart by shape.
    ///
    /// `Ok(None)` when the document says that there is nothing new.
    pub(crate) fn parse(text: &'a str) -> Result<Option<Self>, Error> {
        // Serde would take a list for the members in order.
        if !text.trim_ascii_start().starts_with('{')
            && let Some(refusal) = other_payload(text)
        {
            return Err(refusal);
        }
        let wire = serde_json::from_str(text).map_err(|error| refusal(text, &error))?;
        Self::of_top_level(text, wire)
    }

    /// Reads a sound document around `sections` that are known to be sound; `None` if [`Document::parse`] has to.
    pub(crate) fn parse_around(text: &'a str, sections: Vec<Range<usize>>) -> Option<Self> {
        let mut reader = Reader::again(text, sections);
        let wire = WireDocument::deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Self::of_top_level(text, wire).ok()?
    }

    fn of_top_level(text: &'a str, wire: WireDocument<'a>) -> Result<Option<Self>, Error> {
        if wire.has_updates == Some(false) {
            return Ok(None);
        }
        let is_list = |section: Option<Raw<'_>>| section.is_some_and(|raw| raw.get().starts_with('['));
        let sections = [wire.feature_gates, wire.dynamic_configs, wire.layer_configs];
        let v1 = wire.condition_map.is_none() || sections.into_iter().any(is_list) && !has_lists_for_maps(&wire);
        let document = Self { format: if v1 { Format::V1 } else { Format::V2 }, wire };
        // The maps of a v2 payload, and nothing that conditions could be looked up in: evaluated for a client, or torn.
        let are_lists = sections.into_iter().flatten().all(|section| is_list(Some(section)));
        if document.wire.condition_map.is_none() && !are_lists {
            return Err(other_payload(text).unwrap_or(Error::missing("condition_map")));
        }
        // Lists whose entries have no rules but a value for one user.
        if v1 && recognise(text.as_bytes()) == PayloadShape::ClientInitializeResponse {
            return Err(Error::OtherPayload { shape: PayloadShape::ClientInitializeResponse });
        }
        // Another kind of payload lacks more than a key.
        document.require_sections().map_err(|missing| other_payload(text).unwrap_or(missing))?;
        Ok(Some(document))
    }

    /// The keys without which a document is refused as a whole.
    fn require_sections(&self) -> Result<(), Error> {
        let wire = &self.wire;
        if self.format == Format::V2 && wire.has_updates.is_none() {
            return Err(Error::missing("has_updates"));
        }
        if wire.time.is_none() {
            return Err(Error::missing("time"));
        }
        for (name, section) in [
            ("feature_gates", wire.feature_gates),
            ("dynamic_configs", wire.dynamic_configs),
            ("layer_configs", wire.layer_configs),
        ] {
            if section.is_none() && !(self.format == Format::V1 && name == "layer_configs") {
                return Err(Error::missing(name));
            }
        }
        Ok(())
    }
}

/// Says why a text is no document: by its kind if it is of another one, otherwise by the place of the error.
fn refusal(text: &str, error: &serde_json::Error) -> Error {
    other_payload(text).unwrap_or_else(|| Error::malformed(error))
}

/// The refusal of a text that is recognised as something else; `None` for what is, or may have been, config specs.
fn other_payload(text: &str) -> Option<Error> {
    match recognise(text.as_bytes()) {
        // The error itself says more about these.
        PayloadShape::BrokenJson | PayloadShape::IncompleteSpecs | PayloadShape::NoUpdates => None,
        shape => Error::of_shape(shape),
    }
}

/// Whether a v2 payload has `[]` for its empty maps, as languages write it whose lists and maps are one.
fn has_lists_for_maps(wire: &WireDocument<'_>) -> bool {
    let sections = [wire.feature_gates, wire.dynamic_configs, wire.layer_configs];
    let mut texts = sections.into_iter().flatten().map(Raw::get);
    let is_empty_list =
        |text: &str| text.strip_prefix('[').is_some_and(|rest| rest.trim_ascii_start().starts_with(']'));
    let has_maps = texts.clone().any(|text| text.starts_with('{'));
    has_maps && texts.all(|text| text.starts_with('{') || is_empty_list(text))
}

/// Calls `entry` for each member of an object section, or each item of a list section, and steps over it.
///
/// Entries are deserialized one by one, so that only one stands in memory. When one of them is
/// malformed, the section is walked again entry by entry as raw text (`restart` tells the caller to
/// forget what it had), and `skipped` gets the name and error of each bad one. A good section is
/// read once; a bad one costs at most three times that.
pub(crate) fn for_each_entry<'a, T, S>(
    reader: &mut Reader<'a>,
    state: &mut S,
    restart: impl FnOnce(&mut S),
    mut entry: impl FnMut(&mut S, Option<CowStr<'a>>, T),
    mut skipped: impl FnMut(&mut S, Entry<'_>, serde_json::Error),
) -> Result<(), serde_json::Error>
where
    T: Deserialize<'a>,
{
    let start = reader.mark();
    let mut call = |name, value| entry(state, name, value);
    if (Walk { entry: &mut call, item: PhantomData }).deserialize(&mut *reader).is_ok() {
        return Ok(());
    }
    restart(state);
    reader.return_to(start);
    let section = match reader.raw() {
        Ok(section) => section,
        // Nested too deeply to be stepped over: where the text ends with the section, this does not matter.
        Err(Unread) => {
            reader.return_to(start);
            reader.take_rest()
        }
    };
    let mut index = 0;
    walk::<Raw<'a>>(section, &mut |name: Option<CowStr<'a>>, raw: Raw<'a>| {
        match serde_json::from_str(raw.get()) {
            Ok(value) => entry(state, name, value),
            Err(error) => skipped(state, Entry { name: name.as_deref(), index, raw: raw.get() }, error),
        }
        index += 1;
    })
}

/// An entry that could not be read.
pub(crate) struct Entry<'e> {
    /// Its key, in an object section.
    pub(crate) name: Option<&'e str>,
    /// Its place among the entries.
    pub(crate) index: usize,
    /// Its text.
    pub(crate) raw: &'e str,
}

fn walk<'a, T: Deserialize<'a>>(
    section: &'a str,
    entry: &mut dyn FnMut(Option<CowStr<'a>>, T),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(section);
    Walk { entry, item: PhantomData }.deserialize(&mut deserializer)
}

struct Walk<'f, 'a, T> {
    entry: &'f mut dyn FnMut(Option<CowStr<'a>>, T),
    item: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>> DeserializeSeed<'a> for Walk<'_, 'a, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a, T: Deserialize<'a>> Visitor<'a> for Walk<'_, 'a, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key()? {
            (self.entry)(Some(name), map.next_value()?);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.entry)(None, item);
        }
        Ok(())
    }
}
