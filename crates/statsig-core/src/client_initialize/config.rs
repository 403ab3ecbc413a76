//! Dynamic configs, experiments and autotunes of a response.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::entry::{ClientExposure, Entry};
use super::hashing::HashedName;
use super::object_writer::{ObjectWriter, SerdeObject, key};
use super::options::ResponseFormat;
use super::walk::Shape;
use crate::json::JsonRef;
use crate::ruleset::Text;

/// What a [`ClientConfig`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientConfigKind {
    /// A dynamic config.
    DynamicConfig,
    /// An experiment.
    Experiment,
    /// An autotune or a contextual bandit.
    Autotune,
}

/// A dynamic config, experiment or autotune, evaluated for the user of a response.
///
/// Serializes as the response's format has it.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig<'r>(pub(super) Entry<'r>);

impl<'r> ClientConfig<'r> {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ClientConfigKind {
        match self.0.evaluated.shape {
            Shape::DynamicConfig => ClientConfigKind::DynamicConfig,
            Shape::Autotune => ClientConfigKind::Autotune,
            _ => ClientConfigKind::Experiment,
        }
    }

    /// The name as the project has it; never written, unless names are not hashed.
    #[must_use]
    pub fn plain_name(&self) -> &'r str {
        self.0.plain_name()
    }

    /// The hashed name, under which the config stands in the response.
    #[must_use]
    pub fn name(&self) -> HashedName<'r> {
        self.0.name()
    }

    /// The value: an object as a rule; `null` if there is none.
    #[must_use]
    pub fn value(&self) -> JsonRef<'r> {
        self.0.value()
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule_id(&self) -> Cow<'r, str> {
        self.0.rule_id().to_text()
    }

    /// The id type; empty if an override answered.
    #[must_use]
    pub fn id_type(&self) -> &'r str {
        self.0.id_type().unwrap_or_default()
    }

    /// Whether a rule decided and the user was within its percentage.
    #[must_use]
    pub fn rule_passed(&self) -> bool {
        self.0.evaluated.outcome.passed
    }

    /// Name of the user's group, if the rule that decided has one.
    #[must_use]
    pub fn group_name(&self) -> Option<&'r str> {
        self.0.group_name()
    }

    /// Whether the experiment runs.
    #[must_use]
    pub fn is_experiment_active(&self) -> bool {
        self.0.evaluated.outcome.is_experiment_active
    }

    /// Whether the user is in one of the experiment's groups.
    #[must_use]
    pub fn is_user_in_experiment(&self) -> bool {
        self.0.evaluated.outcome.is_experiment_group
    }

    /// Whether the experiment is part of a layer.
    #[must_use]
    pub fn is_in_layer(&self) -> bool {
        self.0.evaluated.outcome.is_in_layer
    }

    /// The gates that took part, each once.
    pub fn secondary_exposures(&self) -> impl Iterator<Item = ClientExposure<'r>> + use<'r> {
        self.0.exposures.iter()
    }

    pub(super) fn write<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let entry = &self.0;
        if entry.style.format == ResponseFormat::InitV2 {
            return self.write_short(object);
        }
        let outcome = &entry.evaluated.outcome;
        object.name(key!("name"), entry, entry.evaluated.name)?;
        object.value(key!("value"), entry, &outcome.value)?;
        object.rule_id(key!("rule_id"), entry)?;
        object.rule_id(key!("group"), entry)?;
        object.exposures(key!("secondary_exposures"), &entry.exposures)?;
        object.flag(key!("is_device_based"), entry.is_device_based())?;
        if !entry.style.without_id_type {
            object.text(key!("id_type"), entry, outcome.id_type.get().unwrap_or(Text::EMPTY))?;
        }
        let kind = self.kind();
        if kind == ClientConfigKind::DynamicConfig {
            return object.flag(key!("passed"), self.rule_passed());
        }
        if let Some(group) = outcome.group_name.get() {
            object.text(key!("group_name"), entry, group)?;
        }
        if kind == ClientConfigKind::Experiment {
            object.flag(key!("is_user_in_experiment"), self.is_user_in_experiment())?;
            object.flag(key!("is_experiment_active"), self.is_experiment_active())?;
        }
        if self.is_in_layer() {
            object.flag(key!("is_in_layer"), true)?;
        }
        if entry.explicit_parameters().is_some() {
            object.plain_names(key!("explicit_parameters"), entry, outcome.explicit_parameters)?;
        }
        Ok(())
    }

    fn write_short<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let entry = &self.0;
        object.any(key!("v"), &entry.value_id())?;
        entry.write_short(object)?;
        let kind = self.kind();
        if kind == ClientConfigKind::DynamicConfig {
            return if self.rule_passed() { object.flag(key!("p"), true) } else { Ok(()) };
        }
        if let Some(group) = entry.evaluated.outcome.group_name.get() {
            object.text(key!("gn"), entry, group)?;
        }
        if kind == ClientConfigKind::Experiment && self.is_experiment_active() {
            object.flag(key!("ea"), true)?;
        }
        if kind == ClientConfigKind::Experiment && self.is_user_in_experiment() {
            object.flag(key!("ue"), true)?;
        }
        Ok(())
    }
}

impl Serialize for ClientConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut SerdeObject(&mut map))?;
        map.end()
    }
}
