//! What can be subscribed to.

use std::fmt;
use std::str::FromStr;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use statsig_core::{DynamicConfig, Experiment, FeatureGate, Layer, SpecUpdate};

/// A kind of events of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// All kinds: `*`.
    All,
    /// A gate was evaluated: `gate_evaluated`.
    GateEvaluated,
    /// A dynamic config was evaluated: `dynamic_config_evaluated`.
    DynamicConfigEvaluated,
    /// An experiment was evaluated: `experiment_evaluated`.
    ExperimentEvaluated,
    /// A layer was evaluated: `layer_evaluated`.
    LayerEvaluated,
    /// Specs came into force: `specs_updated`.
    SpecsUpdated,
}

impl EventKind {
    const EVERY: [Self; 6] = [
        Self::All,
        Self::GateEvaluated,
        Self::DynamicConfigEvaluated,
        Self::ExperimentEvaluated,
        Self::LayerEvaluated,
        Self::SpecsUpdated,
    ];

    /// The name that other Statsig SDKs give it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::GateEvaluated => "gate_evaluated",
            Self::DynamicConfigEvaluated => "dynamic_config_evaluated",
            Self::ExperimentEvaluated => "experiment_evaluated",
            Self::LayerEvaluated => "layer_evaluated",
            Self::SpecsUpdated => "specs_updated",
        }
    }

    /// One bit for each kind; all of them for [`EventKind::All`].
    pub(super) fn mask(self) -> u8 {
        match self {
            Self::All => u8::MAX,
            Self::GateEvaluated => 1,
            Self::DynamicConfigEvaluated => 1 << 1,
            Self::ExperimentEvaluated => 1 << 2,
            Self::LayerEvaluated => 1 << 3,
            Self::SpecsUpdated => 1 << 4,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no kind of events has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no kind of events is called `{name}`: there are `*`, `gate_evaluated`, `dynamic_config_evaluated`, \
     `experiment_evaluated`, `layer_evaluated` and `specs_updated`"
)]
#[non_exhaustive]
pub struct UnknownEventKind {
    /// The name.
    pub name: String,
}

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(name: &str) -> Result<Self, UnknownEventKind> {
        let found = Self::EVERY.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownEventKind { name: name.to_owned() })
    }
}

/// Something that happened in the client.
///
/// Serializes as other Statsig SDKs tell it: `{"event_name": …, "data": {…}}`, where `data` of a gate
/// has `gate_name`, `rule_id`, `value` and `reason`; of a dynamic config `config_name`, `reason`,
/// `rule_id` and `value`; of an experiment `experiment_name`, `reason`, `rule_id`, `value` and
/// `group_name`; of a layer `layer_name`, `reason` and `rule_id`; of specs `source`, `source_api` and
/// `values`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// A gate was evaluated.
    GateEvaluated(&'a FeatureGate),
    /// A dynamic config was evaluated.
    DynamicConfigEvaluated(&'a DynamicConfig),
    /// An experiment was evaluated.
    ExperimentEvaluated(&'a Experiment),
    /// A layer was evaluated. Reading a parameter of this layer logs no exposure.
    LayerEvaluated(&'a Layer),
    /// Specs came into force.
    SpecsUpdated(&'a SpecUpdate),
}

impl ClientEvent<'_> {
    /// The kind of the event; never [`EventKind::All`].
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::GateEvaluated(_) => EventKind::GateEvaluated,
            Self::DynamicConfigEvaluated(_) => EventKind::DynamicConfigEvaluated,
            Self::ExperimentEvaluated(_) => EventKind::ExperimentEvaluated,
            Self::LayerEvaluated(_) => EventKind::LayerEvaluated,
            Self::SpecsUpdated(_) => EventKind::SpecsUpdated,
        }
    }
}

impl Serialize for ClientEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("ClientEvent", 2)?;
        out.serialize_field("event_name", self.kind().name())?;
        out.serialize_field("data", &Data(self))?;
        out.end()
    }
}

struct Data<'a>(&'a ClientEvent<'a>);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Data", 5)?;
        match self.0 {
            ClientEvent::GateEvaluated(gate) => {
                out.serialize_field("gate_name", gate.name())?;
                out.serialize_field("rule_id", gate.rule_id())?;
                out.serialize_field("value", &gate.value())?;
                out.serialize_field("reason", &gate.details().reason())?;
            }
            ClientEvent::DynamicConfigEvaluated(config) => {
                out.serialize_field("config_name", config.name())?;
                out.serialize_field("reason", &config.details().reason())?;
                out.serialize_field("rule_id", config.rule_id())?;
                out.serialize_field("value", &config.value())?;
            }
            ClientEvent::ExperimentEvaluated(experiment) => {
                out.serialize_field("experiment_name", experiment.name())?;
                out.serialize_field("reason", &experiment.details().reason())?;
                out.serialize_field("rule_id", experiment.rule_id())?;
                out.serialize_field("value", &experiment.value())?;
                out.serialize_field("group_name", &experiment.group_name())?;
            }
            ClientEvent::LayerEvaluated(layer) => {
                out.serialize_field("layer_name", layer.name())?;
                out.serialize_field("reason", &layer.details().reason())?;
                out.serialize_field("rule_id", layer.rule_id())?;
            }
            ClientEvent::SpecsUpdated(update) => {
                out.serialize_field("source", &update.origin.to_string())?;
                out.serialize_field("source_api", &update.address.as_deref())?;
                // A document in binary form has no values to show.
                let values: Option<&RawValue> = serde_json::from_slice(&update.payload).ok();
                out.serialize_field("values", &values)?;
            }
        }
        out.end()
    }
}
