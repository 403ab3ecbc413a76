//! Asking the engine, and what it says.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value as JsonValue};
use statsig::{EvaluationDetails, JsonRef, Reason, Statsig, StatsigUser};

use crate::questions::{Kind, Question};

/// Whom an answer is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person<'a> {
    /// The number of the line that the user stands on, from 1.
    pub(super) line: u64,
    /// What tables call the user.
    pub(super) label: &'a str,
    /// The user ID as it is written, if there is one.
    pub(super) user_id: Option<&'a str>,
    /// The user.
    pub(super) user: &'a StatsigUser,
}

/// The value of one thing for one user; serializes to a result of the JSON formats.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    pub(super) line: u64,
    #[serde(skip)]
    pub(super) label: &'a str,
    pub(super) user_id: Option<&'a str>,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
    pub(super) rule_id: &'a str,
    pub(super) id_type: &'a str,
    pub(super) group_name: Option<&'a str>,
    pub(super) allocated_experiment: Option<&'a str>,
    pub(super) reason: Cow<'static, str>,
    pub(super) version: Option<u32>,
}

/// What was evaluated to.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    /// Of a gate.
    Bool(bool),
    /// Of configs, experiments and layers: an object.
    Json(JsonRef<'a>),
    /// Of a parameter store: its parameters, resolved.
    Parameters(Map<String, JsonValue>),
}

/// Evaluates, and hands the answer to `each`.
pub(super) fn ask<R>(
    statsig: &Statsig,
    person: Person<'_>,
    question: &Question,
    each: impl FnOnce(&Answer<'_>) -> R,
) -> R {
    let Question { kind, name, malformed } = question;
    let user = person.user;
    let answer = |value, details: EvaluationDetails<'_>| Answer {
        line: person.line,
        label: person.label,
        user_id: person.user_id,
        kind: *kind,
        name,
        value,
        rule_id: "",
        id_type: "",
        group_name: None,
        allocated_experiment: None,
        reason: if malformed.is_some() { "Malformed".into() } else { reason(details) },
        version: details.version(),
    };
    match kind {
        Kind::Gate => {
            let gate = statsig.get_feature_gate(user, name);
            let common = answer(Value::Bool(gate.value()), gate.details());
            each(&Answer { rule_id: gate.rule_id(), id_type: gate.id_type(), ..common })
        }
        Kind::DynamicConfig => {
            let config = statsig.get_dynamic_config(user, name);
            let common = answer(Value::Json(config.value()), config.details());
            each(&Answer { rule_id: config.rule_id(), id_type: config.id_type(), ..common })
        }
        Kind::Experiment => {
            let experiment = statsig.get_experiment(user, name);
            let common = answer(Value::Json(experiment.value()), experiment.details());
            each(&Answer {
                rule_id: experiment.rule_id(),
                id_type: experiment.id_type(),
                group_name: experiment.group_name(),
                ..common
            })
        }
        Kind::Layer => {
            let layer = statsig.get_layer(user, name);
            let common = answer(Value::Json(layer.value()), layer.details());
            each(&Answer {
                rule_id: layer.rule_id(),
                id_type: layer.id_type(),
                group_name: layer.group_name(),
                allocated_experiment: layer.allocated_experiment(),
                ..common
            })
        }
        Kind::ParameterStore => {
            let store = statsig.get_parameter_store(user, name);
            let parameters = store.parameter_names().into_iter();
            let values = parameters
                .map(|parameter| (parameter.to_owned(), store.get_value(parameter).unwrap_or_default()))
                .collect();
            each(&answer(Value::Parameters(values), store.details()))
        }
    }
}

/// The reason without the source of the specs, which is always the same here.
fn reason(details: EvaluationDetails<'_>) -> Cow<'static, str> {
    match details.kind() {
        Reason::Recognized => "Recognized".into(),
        Reason::Unrecognized => "Unrecognized".into(),
        Reason::Unsupported => "Unsupported".into(),
        _ => details.reason().into(),
    }
}
