//! Layers of a response.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::entry::{ClientExposure, Entry};
use super::hashing::HashedName;
use super::object_writer::{ObjectWriter, SerdeObject, key};
use super::options::ResponseFormat;
use crate::json::JsonRef;
use crate::ruleset::Text;

/// A layer, evaluated for the user of a response.
///
/// Serializes as the response's format has it.
#[derive(Debug, Clone, Copy)]
pub struct ClientLayer<'r>(pub(super) Entry<'r>);

impl<'r> ClientLayer<'r> {
    /// The name as the project has it; never written, unless names are not hashed.
    #[must_use]
    pub fn plain_name(&self) -> &'r str {
        self.0.plain_name()
    }

    /// The hashed name, under which the layer stands in the response.
    #[must_use]
    pub fn name(&self) -> HashedName<'r> {
        self.0.name()
    }

    /// The values: an object as a rule; `null` if there are none.
    #[must_use]
    pub fn value(&self) -> JsonRef<'r> {
        self.0.value()
    }

    /// The rule that decided; of a layer that hands over to an experiment, the experiment's rule.
    #[must_use]
    pub fn rule_id(&self) -> Cow<'r, str> {
        self.0.rule_id().to_text()
    }

    /// The id type of the layer; empty if an override answered.
    #[must_use]
    pub fn id_type(&self) -> &'r str {
        self.0.id_type().unwrap_or_default()
    }

    /// Name of the user's group, if the rule that decided has one.
    #[must_use]
    pub fn group_name(&self) -> Option<&'r str> {
        self.0.group_name()
    }

    /// Plain name of the experiment that the user is allocated to.
    #[must_use]
    pub fn allocated_experiment(&self) -> Option<&'r str> {
        self.delegate().map(|name| self.0.style.names.ruleset.str(name))
    }

    /// Whether that experiment runs.
    #[must_use]
    pub fn is_experiment_active(&self) -> bool {
        self.0.evaluated.outcome.is_experiment_active
    }

    /// Whether the user is in one of the experiment's groups.
    #[must_use]
    pub fn is_user_in_experiment(&self) -> bool {
        self.0.evaluated.outcome.is_experiment_group
    }

    /// Parameters that the experiment calls its own; of a layer without one, its own list.
    pub fn explicit_parameters(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        self.0.explicit_parameters().into_iter().flatten()
    }

    /// The gates that took part, each once.
    pub fn secondary_exposures(&self) -> impl Iterator<Item = ClientExposure<'r>> + use<'r> {
        self.0.exposures.iter()
    }

    /// The gates that belong to the layer itself, each once.
    pub fn undelegated_secondary_exposures(&self) -> impl Iterator<Item = ClientExposure<'r>> + use<'r> {
        self.0.undelegated.iter()
    }

    fn delegate(&self) -> Option<Text> {
        let delegate = self.0.style.names.ruleset.spec(self.0.evaluated.outcome.delegate)?;
        (!delegate.name.is_empty()).then_some(delegate.name)
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
        object.exposures(key!("undelegated_secondary_exposures"), &entry.undelegated)?;
        object.flag(key!("is_device_based"), entry.is_device_based())?;
        if !entry.style.without_id_type {
            object.text(key!("id_type"), entry, outcome.id_type.get().unwrap_or(Text::EMPTY))?;
        }
        object.plain_names(key!("explicit_parameters"), entry, outcome.explicit_parameters)?;
        if let Some(group) = outcome.group_name.get() {
            object.text(key!("group_name"), entry, group)?;
        }
        if let Some(experiment) = self.delegate() {
            object.name(key!("allocated_experiment_name"), entry, experiment)?;
            object.flag(key!("is_experiment_active"), self.is_experiment_active())?;
            object.flag(key!("is_user_in_experiment"), self.is_user_in_experiment())?;
        }
        match &outcome.parameter_rules {
            Some(rules) if entry.style.format == ResponseFormat::V1 => {
                object.any(key!("parameter_rule_ids"), &ParameterRules(entry, rules))
            }
            _ => Ok(()),
        }
    }

    fn write_short<W: ObjectWriter>(&self, object: &mut W) -> Result<(), W::Error> {
        let entry = &self.0;
        let outcome = &entry.evaluated.outcome;
        object.any(key!("v"), &entry.value_id())?;
        entry.write_short(object)?;
        if let Some(group) = outcome.group_name.get() {
            object.text(key!("gn"), entry, group)?;
        }
        if let Some(experiment) = self.delegate() {
            object.name(key!("ae"), entry, experiment)?;
            if self.is_experiment_active() {
                object.flag(key!("ea"), true)?;
            }
            if self.is_user_in_experiment() {
                object.flag(key!("ue"), true)?;
            }
        }
        if self.explicit_parameters().next().is_some() {
            object.plain_names(key!("ep"), entry, outcome.explicit_parameters)?;
        }
        if entry.undelegated.exposed.is_empty() { Ok(()) } else { object.exposures(key!("us"), &entry.undelegated) }
    }
}

impl Serialize for ClientLayer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut SerdeObject(&mut map))?;
        map.end()
    }
}

/// Rule that each parameter of a merging layer came from.
struct ParameterRules<'r>(&'r Entry<'r>, &'r [(Box<str>, Text)]);

impl Serialize for ParameterRules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ruleset = self.0.style.names.ruleset;
        serializer.collect_map(self.1.iter().map(|(parameter, rule)| (parameter, ruleset.str(*rule))))
    }
}
