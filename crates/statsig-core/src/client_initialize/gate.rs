//! Gates of a response.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::entry::{ClientExposure, Entry};
use super::hashing::HashedName;
use super::object_writer::{ObjectWriter, SerdeObject, key};
use super::options::ResponseFormat;

/// A feature gate, evaluated for the user of a response.
///
/// Serializes as the response's format has it.
#[derive(Debug, Clone, Copy)]
pub struct ClientGate<'r>(pub(super) Entry<'r>);

impl<'r> ClientGate<'r> {
    /// The name as the project has it; never written, unless names are not hashed.
    #[must_use]
    pub fn plain_name(&self) -> &'r str {
        self.0.plain_name()
    }

    /// The hashed name, under which the gate stands in the response.
    #[must_use]
    pub fn name(&self) -> HashedName<'r> {
        self.0.name()
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn value(&self) -> bool {
        self.0.evaluated.outcome.passed
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule_id(&self) -> Cow<'r, str> {
        self.0.rule_id().to_text()
    }

    /// The id type of the gate; `None` if an override answered.
    #[must_use]
    pub fn id_type(&self) -> Option<&'r str> {
        self.0.id_type()
    }

    /// The gates that took part, each once.
    pub fn secondary_exposures(&self) -> impl Iterator<Item = ClientExposure<'r>> + use<'r> {
        self.0.exposures.iter()
    }
}

impl ClientGate<'_> {
    pub(super) fn write<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let entry = &self.0;
        if entry.style.format == ResponseFormat::InitV2 {
            if self.value() {
                object.flag(key!("v"), true)?;
            }
            return entry.write_short(object);
        }
        object.name(key!("name"), entry, entry.evaluated.name)?;
        object.flag(key!("value"), self.value())?;
        object.rule_id(key!("rule_id"), entry)?;
        object.exposures(key!("secondary_exposures"), &entry.exposures)?;
        match entry.evaluated.outcome.id_type.get() {
            Some(id_type) if !entry.style.without_id_type => object.text(key!("id_type"), entry, id_type),
            _ => Ok(()),
        }
    }
}

impl Serialize for ClientGate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut SerdeObject(&mut map))?;
        map.end()
    }
}
