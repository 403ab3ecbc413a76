//! Everything that an evaluation tells an application, as text that can be compared.
//!
//! In: an [`EvaluationContext`] and the names to ask for. Out: one [`Observation`] for each, with
//! all that a result shows. Two ways of evaluating agree when their observations are equal.

use std::fmt::Write;

use statsig_core::{EvaluationContext, EvaluationDetails, JsonRef, SecondaryExposure};

use crate::generate::Names;

/// What one call answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The call: the kind and the name.
    pub subject: String,
    /// Value, rule, group, reason and all else that does not depend on recording.
    pub result: String,
    /// The gates that took part, in order; empty unless they were recorded.
    pub exposures: Vec<String>,
}

/// Asks for every name, of every kind. `record`: also keep the gates that take part.
///
/// Reads each value to its end, and where layers' parameters come from.
#[must_use]
pub fn observe(context: EvaluationContext<'_>, names: &Names, record: bool) -> Vec<Observation> {
    let mut all = Vec::new();
    for name in &names.gates {
        all.push(gate(context, name, record));
    }
    for name in &names.configs {
        all.push(dynamic_config(context, name, record));
        all.push(experiment(context, name, record));
    }
    for name in &names.layers {
        layer(context, name, record, &mut all);
    }
    for name in &names.stores {
        store(context, name, &names.parameters, record, &mut all);
    }
    all
}

/// The observations without exposures, which only a recording evaluation has.
#[must_use]
pub fn without_exposures(mut observations: Vec<Observation>) -> Vec<Observation> {
    observations.iter_mut().for_each(|observation| observation.exposures.clear());
    observations
}

fn gate(context: EvaluationContext<'_>, name: &str, record: bool) -> Observation {
    let gate = context.feature_gate(name, record);
    let checked = context.check_gate(name);
    let decided = context.gate_check(name);
    let result = Text::new()
        .add("value", gate.value())
        .add("checked", checked)
        .add("check of value and rule agrees", decided.value() == gate.value() && decided.rule_id() == gate.rule_id())
        .add("rule", gate.rule_id())
        .add("id type", gate.id_type())
        .add("mapped to", gate.override_config_name())
        .details(gate.details());
    observation(format!("gate {name}"), result, gate.secondary_exposures())
}

fn dynamic_config(context: EvaluationContext<'_>, name: &str, record: bool) -> Observation {
    let config = context.dynamic_config(name, record);
    let result = Text::new()
        .value(config.value())
        .add("rule", config.rule_id())
        .add("id type", config.id_type())
        .add("passed", config.rule_passed())
        .add("mapped to", config.override_config_name())
        .details(config.details());
    observation(format!("config {name}"), result, config.secondary_exposures())
}

fn experiment(context: EvaluationContext<'_>, name: &str, record: bool) -> Observation {
    let experiment = context.experiment(name, record);
    let result = Text::new()
        .value(experiment.value())
        .add("rule", experiment.rule_id())
        .add("id type", experiment.id_type())
        .add("group", experiment.group_name())
        .add("active", experiment.is_experiment_active())
        .add("in it", experiment.is_user_in_experiment())
        .add("passed", experiment.rule_passed())
        .add("mapped to", experiment.override_config_name())
        .details(experiment.details());
    observation(format!("experiment {name}"), result, experiment.secondary_exposures())
}

fn layer(context: EvaluationContext<'_>, name: &str, record: bool, all: &mut Vec<Observation>) {
    let layer = context.layer(name, record);
    let result = Text::new()
        .value(layer.value())
        .add("rule", layer.rule_id())
        .add("id type", layer.id_type())
        .add("group", layer.group_name())
        .add("allocated", layer.allocated_experiment())
        .add("active", layer.is_experiment_active())
        .add("in it", layer.is_user_in_experiment())
        .details(layer.details());
    all.push(observation(format!("layer {name}"), result, layer.secondary_exposures()));
    let parameters = layer.value().as_object().into_iter().flatten().map(|(parameter, _)| parameter);
    for parameter in parameters.chain(["absent"]) {
        let from = layer.parameter(parameter);
        let result = Text::new()
            .add("rule", from.rule_id)
            .add("allocated", from.allocated_experiment)
            .add("explicit", from.is_explicit);
        let exposures = from.secondary_exposures.into_iter();
        all.push(observation(format!("layer {name} parameter {parameter}"), result, exposures));
    }
}

fn store(context: EvaluationContext<'_>, name: &str, parameters: &[String], record: bool, all: &mut Vec<Observation>) {
    let store = context.parameter_store(name);
    for parameter in parameters {
        let resolved = context.resolve_parameter(&store, parameter, record);
        let value = resolved.as_ref().and_then(|resolved| resolved.value()).map(|value| value.to_string());
        let result = Text::new().add("value", value).details(store.details());
        all.push(observation(format!("store {name} parameter {parameter}"), result, std::iter::empty()));
    }
}

fn observation<'e>(
    subject: String,
    result: Text,
    exposures: impl Iterator<Item = SecondaryExposure<'e>>,
) -> Observation {
    let exposures = exposures.map(|e| format!("{} is {} by {}", e.gate, e.value, e.rule_id)).collect();
    Observation { subject, result: result.text, exposures }
}

/// Named parts of a result, one after the other.
struct Text {
    text: String,
}

impl Text {
    fn new() -> Self {
        Self { text: String::new() }
    }

    fn add(mut self, name: &str, part: impl serde::Serialize) -> Self {
        let part = serde_json::to_string(&part).unwrap_or_else(|error| error.to_string());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{name}: {part}; ");
        self
    }

    fn value(self, value: JsonRef<'_>) -> Self {
        self.add("value", value)
    }

    fn details(self, details: EvaluationDetails<'_>) -> Self {
        self.add("details", details)
    }
}
