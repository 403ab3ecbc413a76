//! What gates, configs and layers of a response have in common.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::hashing::{HashedName, NameHasher, djb2_of};
use super::object_writer::{ObjectWriter, key};
use super::options::ResponseFormat;
use super::walk::{Evaluated, value_of};
use crate::evaluate::Exposed;
use crate::json::JsonRef;
use crate::ruleset::well_known;

/// How the entries of a response are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'r> {
    pub(super) names: NameHasher<'r>,
    pub(super) format: ResponseFormat,
    pub(super) without_id_type: bool,
}

/// An evaluated entry with all that is needed to write it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'r> {
    pub(super) style: Style<'r>,
    pub(super) evaluated: &'r Evaluated,
    pub(super) exposures: ExposureList<'r>,
    pub(super) undelegated: ExposureList<'r>,
}

impl<'r> Entry<'r> {
    /// `exposures`, `ids`: those of the whole walk.
    pub(super) fn new(style: Style<'r>, evaluated: &'r Evaluated, exposures: &'r [Exposed], ids: &'r [u32]) -> Self {
        let list = |range: &std::ops::Range<u32>| {
            let range = range.start as usize..range.end as usize;
            ExposureList {
                style,
                exposed: exposures.get(range.clone()).unwrap_or_default(),
                ids: ids.get(range).unwrap_or_default(),
            }
        };
        let (own, undelegated) = (list(&evaluated.exposures), list(&evaluated.undelegated));
        Self { style, evaluated, exposures: own, undelegated }
    }

    pub(super) fn plain_name(&self) -> &'r str {
        self.style.names.ruleset.str(self.evaluated.name)
    }

    pub(super) fn name(&self) -> HashedName<'r> {
        self.style.names.hash(self.evaluated.name)
    }

    pub(super) fn value(&self) -> JsonRef<'r> {
        value_of(self.style.names.ruleset, &self.evaluated.outcome.value)
    }

    pub(super) fn rule_id(&self) -> RuleId<'r> {
        let outcome = &self.evaluated.outcome;
        RuleId { text: self.style.names.ruleset.str(outcome.rule_id), explored: outcome.explored }
    }

    pub(super) fn id_type(&self) -> Option<&'r str> {
        self.evaluated.outcome.id_type.get().map(|id_type| self.style.names.ruleset.str(id_type))
    }

    pub(super) fn group_name(&self) -> Option<&'r str> {
        self.evaluated.outcome.group_name.get().map(|name| self.style.names.ruleset.str(name))
    }

    pub(super) fn is_device_based(&self) -> bool {
        matches!(self.id_type(), Some("stableID" | "stableid"))
    }

    pub(super) fn explicit_parameters(&self) -> Option<impl Iterator<Item = &'r str> + use<'r>> {
        self.style.names.ruleset.names(self.evaluated.outcome.explicit_parameters)
    }

    /// Writes the fields that every entry has in the short format, but for the value.
    pub(super) fn write_short<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let outcome = &self.evaluated.outcome;
        if outcome.rule_id != well_known::DEFAULT || outcome.explored {
            object.rule_id(key!("r"), self)?;
        }
        if !self.exposures.exposed.is_empty() {
            object.exposures(key!("s"), &self.exposures)?;
        }
        match outcome.id_type.get() {
            Some(id_type) if !self.style.without_id_type => object.text(key!("i"), self, id_type),
            _ => Ok(()),
        }
    }

    /// The id under which [`super::tables::Tables`] has the value.
    pub(super) fn value_id(&self) -> HashedName<'static> {
        HashedName::decimal(self.evaluated.value_id)
    }
}

/// A rule ID, with the suffix of bandits that explore.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuleId<'r> {
    text: &'r str,
    explored: bool,
}

impl<'r> RuleId<'r> {
    pub(super) fn to_text(self) -> Cow<'r, str> {
        if self.explored { format!("{}:explore", self.text).into() } else { self.text.into() }
    }
}

impl Serialize for RuleId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.explored {
            serializer.collect_str(&format_args!("{}:explore", self.text))
        } else {
            serializer.serialize_str(self.text)
        }
    }
}

/// A gate that took part in an entry's evaluation, as clients are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientExposure<'r> {
    /// Hashed name of the gate.
    pub gate: HashedName<'r>,
    /// Its value, before a `fail_gate` condition inverts it.
    pub value: bool,
    /// The rule that decided it.
    pub rule_id: &'r str,
}

impl<'r> ClientExposure<'r> {
    pub(super) fn new(names: NameHasher<'r>, exposed: Exposed) -> Self {
        Self { gate: names.hash(exposed.gate), value: exposed.value, rule_id: names.ruleset.str(exposed.rule_id) }
    }

    fn value_text(&self) -> &'static str {
        if self.value { "true" } else { "false" }
    }

    /// The id that the second format refers to it by.
    pub(super) fn id(&self) -> HashedName<'static> {
        HashedName::decimal(djb2_of([&*self.gate, ":", self.value_text(), ":", self.rule_id]))
    }
}

impl Serialize for ClientExposure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("gate", &self.gate)?;
        map.serialize_entry("gateValue", self.value_text())?;
        map.serialize_entry("ruleID", self.rule_id)?;
        map.end()
    }
}

/// The exposures of an entry: spelled out or by id, as the format has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExposureList<'r> {
    style: Style<'r>,
    pub(super) exposed: &'r [Exposed],
    pub(super) ids: &'r [u32],
}

impl<'r> ExposureList<'r> {
    pub(super) fn iter(&self) -> impl Iterator<Item = ClientExposure<'r>> + use<'r> {
        let names = self.style.names;
        self.exposed.iter().map(move |exposed| ClientExposure::new(names, *exposed))
    }
}

impl Serialize for ExposureList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.exposed.len()))?;
        match self.style.format {
            ResponseFormat::V1 => self.iter().try_for_each(|exposure| list.serialize_element(&exposure))?,
            ResponseFormat::V2 => self.iter().try_for_each(|exposure| list.serialize_element(&exposure.id()))?,
            ResponseFormat::InitV2 => {
                self.ids.iter().try_for_each(|&id| list.serialize_element(&HashedName::decimal(id)))?;
            }
        }
        list.end()
    }
}
