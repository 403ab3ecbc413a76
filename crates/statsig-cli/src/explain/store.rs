//! Explains a parameter store: what each parameter refers to, and the evaluation of that.

use serde::Serialize;
use serde_json::Value;
use statsig::explain::Explanation;
use statsig::{FixedClock, Statsig, StatsigUser};
use statsig_core::{EvaluationContext, EvaluationSettings, ParameterTarget};

use super::tree::Tree;
use crate::text;

/// An explained parameter store; serializes to the JSON form.
#[derive(Debug, Serialize)]
pub(super) struct StoreExplanation {
    kind: &'static str,
    name: String,
    /// Whether the project has the store.
    is_known: bool,
    parameters: Vec<ParameterExplanation>,
}

/// An explained parameter.
#[derive(Debug, Serialize)]
struct ParameterExplanation {
    name: String,
    value: Option<Value>,
    target: Target,
    /// The evaluation of what it refers to; none for a value of its own.
    explanation: Option<Explanation>,
}

/// What a parameter refers to.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Target {
    Static,
    Gate { gate: String, pass_value: Value, fail_value: Value },
    DynamicConfig { config: String, parameter: String },
    Experiment { experiment: String, parameter: String },
    Layer { layer: String, parameter: String },
    Unknown,
}

/// Explains all parameters of a store.
pub(super) fn explain(statsig: &Statsig, user: &StatsigUser, name: &str, now_ms: i64) -> StoreExplanation {
    let snapshot = statsig.snapshot();
    let (settings, clock) = (EvaluationSettings::new(), FixedClock(now_ms));
    // Only for what parameters refer to; nothing is evaluated with these settings.
    let definition = EvaluationContext::new(&snapshot, user, &settings, &clock).parameter_store(name);
    let store = statsig.get_parameter_store(user, name);
    let parameters = definition.parameter_names().into_iter().map(|parameter| {
        let target = definition.target(parameter).map_or(Target::Unknown, Target::of);
        let explanation = match &target {
            Target::Gate { gate, .. } => Some(statsig.explain_gate(user, gate)),
            Target::DynamicConfig { config, .. } => Some(statsig.explain_config(user, config)),
            Target::Experiment { experiment, .. } => Some(statsig.explain_experiment(user, experiment)),
            Target::Layer { layer, .. } => Some(statsig.explain_layer(user, layer)),
            Target::Static | Target::Unknown => None,
        };
        ParameterExplanation { name: parameter.to_owned(), value: store.get_value(parameter), target, explanation }
    });
    let is_known = snapshot.ruleset().parameter_store_names().contains(&name);
    StoreExplanation { kind: "parameter_store", name: name.to_owned(), is_known, parameters: parameters.collect() }
}

impl Target {
    fn of(target: ParameterTarget<'_>) -> Self {
        match target {
            ParameterTarget::Static(_) => Self::Static,
            ParameterTarget::Gate { gate, pass_value, fail_value } => {
                Self::Gate { gate: gate.to_owned(), pass_value: pass_value.to_json(), fail_value: fail_value.to_json() }
            }
            ParameterTarget::DynamicConfig { config, parameter } => {
                Self::DynamicConfig { config: config.to_owned(), parameter: parameter.to_owned() }
            }
            ParameterTarget::Experiment { experiment, parameter } => {
                Self::Experiment { experiment: experiment.to_owned(), parameter: parameter.to_owned() }
            }
            ParameterTarget::Layer { layer, parameter } => {
                Self::Layer { layer: layer.to_owned(), parameter: parameter.to_owned() }
            }
            _ => Self::Unknown,
        }
    }

    /// The target in words.
    fn described(&self) -> String {
        match self {
            Self::Static => "a value of its own".to_owned(),
            Self::Gate { gate, pass_value, fail_value } => {
                format!("by the gate {gate}: {pass_value} if it passes, else {fail_value}")
            }
            Self::DynamicConfig { config, parameter } => format!("{parameter} of the config {config}"),
            Self::Experiment { experiment, parameter } => format!("{parameter} of the experiment {experiment}"),
            Self::Layer { layer, parameter } => format!("{parameter} of the layer {layer}"),
            Self::Unknown => "of a kind that this version does not know".to_owned(),
        }
    }
}

impl StoreExplanation {
    /// Appends the text form.
    pub(super) fn push(&self, tree: &mut Tree) {
        let known = if self.is_known { "" } else { " is not in the project" };
        tree.line(0, &[(text::PLAIN, "store "), (text::HEADING, &self.name), (text::WARNING, known)]);
        for parameter in &self.parameters {
            let value = parameter.value.as_ref().map_or_else(|| "no value".to_owned(), Value::to_string);
            tree.line(
                1,
                &[
                    (text::HEADING, &parameter.name),
                    (text::PLAIN, " = "),
                    (text::VALUE, &value),
                    (text::FAINT, ", "),
                    (text::FAINT, &parameter.target.described()),
                ],
            );
            if let Some(explanation) = &parameter.explanation {
                tree.push(explanation, 2);
            }
        }
    }
}
