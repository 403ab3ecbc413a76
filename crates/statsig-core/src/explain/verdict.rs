//! What an explanation ends with: the result, and what its exposure would say.

use serde::Serialize;
use serde_json::Value;

use crate::evaluate::{Kind, SecondaryExposure};
use crate::json::Json;
use crate::results::{DynamicConfig, Experiment, FeatureGate, Layer, Record};
use crate::user::StatsigUser;

/// The result, as the evaluation gives it to applications.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The value: a boolean of gates, an object of all others.
    pub value: Json,
    /// The rule that decided; `default`, `disabled`, `override`, or empty if there was none.
    pub rule_id: String,
    /// Name of the user's group, if the rule that decided has one; `None` of gates and dynamic configs.
    pub group_name: Option<String>,
    /// The reason, source included, for instance `Network:Recognized`.
    pub reason: String,
    /// The id type; empty if there is nothing of that name.
    pub id_type: String,
    /// The user's ID of this type; `None` if it has none, which hashes like an empty one.
    pub unit_id: Option<String>,
    /// Version of the spec; `None` if it has none or there is no spec.
    pub version: Option<u32>,
    /// The config that was evaluated in this one's stead through a config mapping.
    pub override_config_name: Option<String>,
    /// Of configs and experiments: whether a rule decided and the user was within its percentage.
    pub rule_passed: Option<bool>,
    /// Of experiments and layers: whether the experiment runs.
    pub is_experiment_active: Option<bool>,
    /// Of experiments and layers: whether the user is in one of the experiment's groups.
    pub is_user_in_experiment: Option<bool>,
    /// Of layers: the experiment that the user is allocated to.
    pub allocated_experiment: Option<String>,
}

/// What the exposure of an evaluation would say, beside the [`Verdict`].
///
/// A layer has an exposure for each parameter that is read. That of an explicit parameter lists all
/// of `secondary_exposures`, that of any other only `undelegated_secondary_exposures`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ExposureTrace {
    /// The gates that took part, in order of evaluation, as often as they did.
    pub secondary_exposures: Vec<ExposedGate>,
    /// Of layers: those gates that belong to the layer itself, not to the experiment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undelegated_secondary_exposures: Vec<ExposedGate>,
    /// Of layers: what the exposure of each of the first 256 parameters says, in the order of the
    /// value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterTrace>,
}

/// A gate that took part in an evaluation, in the shape in which it is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExposedGate {
    /// Its name.
    pub gate: String,
    /// Its value, `true` or `false`, before a `fail_gate` condition inverts it.
    #[serde(rename = "gateValue")]
    pub gate_value: String,
    /// The rule that decided it.
    #[serde(rename = "ruleID")]
    pub rule_id: String,
}

/// Where a layer's parameter comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ParameterTrace {
    /// Its name.
    pub name: String,
    /// The rule that decided it.
    pub rule_id: String,
    /// Whether it is one of the experiment's explicit parameters.
    pub is_explicit: bool,
    /// The experiment that the exposure names; `None` unless the parameter is explicit.
    pub allocated_experiment: Option<String>,
}

impl From<SecondaryExposure<'_>> for ExposedGate {
    fn from(exposure: SecondaryExposure<'_>) -> Self {
        Self {
            gate: exposure.gate.to_owned(),
            gate_value: exposure.value.to_string(),
            rule_id: exposure.rule_id.to_owned(),
        }
    }
}

/// Parameters of a layer that are looked into; finding one takes time in proportion to their number.
pub(super) const PARAMETERS: usize = 256;

/// A verdict with the exposure that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    pub(super) exposure: ExposureTrace,
}

impl Conclusion {
    /// Reads the record of an evaluation for `user`.
    pub(super) fn of(record: Record, kind: Kind, user: &StatsigUser) -> Self {
        let mut conclusion = match kind {
            Kind::Gate => Self::from(FeatureGate::from(record)),
            Kind::DynamicConfig => Self::from(DynamicConfig::from(record)),
            Kind::Experiment => Self::from(Experiment::from(record)),
            Kind::Layer => Self::from(Layer::from(record)),
        };
        let id_type = &conclusion.verdict.id_type;
        conclusion.verdict.unit_id = if id_type.is_empty() { None } else { user.unit_id(id_type) };
        conclusion
    }
}

fn exposed<'e>(exposures: impl Iterator<Item = SecondaryExposure<'e>>) -> Vec<ExposedGate> {
    exposures.map(ExposedGate::from).collect()
}

impl From<FeatureGate> for Conclusion {
    fn from(gate: FeatureGate) -> Self {
        let details = gate.details();
        Self {
            verdict: Verdict {
                value: Value::Bool(gate.value()).into(),
                rule_id: gate.rule_id().to_owned(),
                group_name: None,
                reason: details.reason(),
                id_type: gate.id_type().to_owned(),
                unit_id: None,
                version: details.version(),
                override_config_name: gate.override_config_name().map(str::to_owned),
                rule_passed: None,
                is_experiment_active: None,
                is_user_in_experiment: None,
                allocated_experiment: None,
            },
            exposure: ExposureTrace { secondary_exposures: exposed(gate.secondary_exposures()), ..Default::default() },
        }
    }
}

impl From<DynamicConfig> for Conclusion {
    fn from(config: DynamicConfig) -> Self {
        let details = config.details();
        Self {
            verdict: Verdict {
                value: config.value().to_owned(),
                rule_id: config.rule_id().to_owned(),
                group_name: None,
                reason: details.reason(),
                id_type: config.id_type().to_owned(),
                unit_id: None,
                version: details.version(),
                override_config_name: config.override_config_name().map(str::to_owned),
                rule_passed: Some(config.rule_passed()),
                is_experiment_active: None,
                is_user_in_experiment: None,
                allocated_experiment: None,
            },
            exposure: ExposureTrace {
                secondary_exposures: exposed(config.secondary_exposures()),
                ..Default::default()
            },
        }
    }
}

impl From<Experiment> for Conclusion {
    fn from(experiment: Experiment) -> Self {
        let details = experiment.details();
        Self {
            verdict: Verdict {
                value: experiment.value().to_owned(),
                rule_id: experiment.rule_id().to_owned(),
                group_name: experiment.group_name().map(str::to_owned),
                reason: details.reason(),
                id_type: experiment.id_type().to_owned(),
                unit_id: None,
                version: details.version(),
                override_config_name: experiment.override_config_name().map(str::to_owned),
                rule_passed: Some(experiment.rule_passed()),
                is_experiment_active: Some(experiment.is_experiment_active()),
                is_user_in_experiment: Some(experiment.is_user_in_experiment()),
                allocated_experiment: None,
            },
            exposure: ExposureTrace {
                secondary_exposures: exposed(experiment.secondary_exposures()),
                ..Default::default()
            },
        }
    }
}

impl From<Layer> for Conclusion {
    fn from(layer: Layer) -> Self {
        let details = layer.details();
        let names = layer.value().as_object().into_iter().flatten().map(|(name, _)| name).take(PARAMETERS);
        let parameters = names.map(|name| {
            let parameter = layer.parameter_source(name);
            ParameterTrace {
                name: name.to_owned(),
                rule_id: parameter.rule_id.to_owned(),
                is_explicit: parameter.is_explicit,
                allocated_experiment: parameter.allocated_experiment.map(str::to_owned),
            }
        });
        Self {
            exposure: ExposureTrace {
                secondary_exposures: exposed(layer.secondary_exposures()),
                undelegated_secondary_exposures: exposed(layer.undelegated_exposures()),
                parameters: parameters.collect(),
            },
            verdict: Verdict {
                value: layer.value().to_owned(),
                rule_id: layer.rule_id().to_owned(),
                group_name: layer.group_name().map(str::to_owned),
                reason: details.reason(),
                id_type: layer.id_type().to_owned(),
                unit_id: None,
                version: details.version(),
                override_config_name: layer.override_config_name().map(str::to_owned),
                rule_passed: None,
                is_experiment_active: Some(layer.is_experiment_active()),
                is_user_in_experiment: Some(layer.is_user_in_experiment()),
                allocated_experiment: layer.allocated_experiment().map(str::to_owned),
            },
        }
    }
}
