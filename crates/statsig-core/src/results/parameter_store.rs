//! Parameter stores: named parameters that refer to gates, configs, experiments and layers.

use std::fmt;
use std::sync::Arc;

use super::{DynamicConfig, EvaluationDetails, Experiment, FeatureGate, Getters, Layer, Reason};
use crate::evaluate::EvaluationContext;
use crate::json::{Json, JsonRef};
use crate::ruleset::{Parameter, ParameterStoreSpec};
use crate::snapshot::Snapshot;
use crate::sticky::{ExperimentEvaluationOptions, LayerEvaluationOptions};

/// What a parameter of a store refers to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ParameterTarget<'a> {
    /// A value of its own.
    Static(JsonRef<'a>),
    /// One of two values, by a gate.
    Gate {
        /// The gate.
        gate: &'a str,
        /// The value if it is open.
        pass_value: JsonRef<'a>,
        /// The value if it is not.
        fail_value: JsonRef<'a>,
    },
    /// A parameter of a dynamic config.
    DynamicConfig {
        /// The config.
        config: &'a str,
        /// Its parameter.
        parameter: &'a str,
    },
    /// A parameter of an experiment.
    Experiment {
        /// The experiment.
        experiment: &'a str,
        /// Its parameter.
        parameter: &'a str,
    },
    /// A parameter of a layer.
    Layer {
        /// The layer.
        layer: &'a str,
        /// Its parameter.
        parameter: &'a str,
    },
}

/// A parameter store, as one state of the specs has it.
///
/// The store itself is the same for every user; a parameter is resolved for a user by whoever holds
/// the means to evaluate and log: see [`EvaluationContext::resolve_parameter`].
#[derive(Clone)]
pub struct ParameterStore {
    snapshot: Arc<Snapshot>,
    name: Box<str>,
    /// Overridden parameters, which replace the whole store.
    overridden: Option<Json>,
}

impl ParameterStore {
    /// The name that was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The specs that the store was read from.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Whether the store exists, and where it came from.
    #[must_use]
    pub fn details(&self) -> EvaluationDetails<'_> {
        let reason = match (&self.overridden, self.spec()) {
            (Some(_), _) => Reason::LocalOverride,
            (None, Some(_)) => Reason::Recognized,
            (None, None) => Reason::Unrecognized,
        };
        EvaluationDetails::of(&self.snapshot, reason, None)
    }

    /// Names of the parameters, sorted.
    #[must_use]
    pub fn parameter_names(&self) -> Vec<&str> {
        if let Some(overridden) = &self.overridden {
            let mut names: Vec<&str> =
                overridden.view().as_object().into_iter().flatten().map(|(name, _)| name).collect();
            names.sort_unstable();
            return names;
        }
        let ruleset = self.snapshot.ruleset();
        self.spec()
            .map(|store| store.parameters.iter().map(|parameter| ruleset.str(parameter.name)).collect())
            .unwrap_or_default()
    }

    /// What a parameter refers to; `None` if the store has no such parameter.
    #[must_use]
    pub fn target(&self, parameter: &str) -> Option<ParameterTarget<'_>> {
        if let Some(overridden) = &self.overridden {
            return overridden.view().get(parameter).map(overridden_target);
        }
        let ruleset = self.snapshot.ruleset();
        let store = self.spec()?;
        let at = store.parameters.binary_search_by(|own| ruleset.str(own.name).cmp(parameter)).ok()?;
        match store.parameters[at].target {
            Parameter::Static { value } => Some(ParameterTarget::Static(ruleset.value(value))),
            Parameter::Gate { gate, pass, fail } => Some(ParameterTarget::Gate {
                gate: ruleset.str(gate),
                pass_value: ruleset.value(pass),
                fail_value: ruleset.value(fail),
            }),
            Parameter::DynamicConfig { config, parameter } => {
                Some(ParameterTarget::DynamicConfig { config: ruleset.str(config), parameter: ruleset.str(parameter) })
            }
            Parameter::Experiment { experiment, parameter } => Some(ParameterTarget::Experiment {
                experiment: ruleset.str(experiment),
                parameter: ruleset.str(parameter),
            }),
            Parameter::Layer { layer, parameter } => {
                Some(ParameterTarget::Layer { layer: ruleset.str(layer), parameter: ruleset.str(parameter) })
            }
            Parameter::Unknown => None,
        }
    }

    fn spec(&self) -> Option<&ParameterStoreSpec> {
        self.snapshot.ruleset().find_store(&self.name)
    }
}

/// An overridden value that reads as a parameter is one; any other is static.
fn overridden_target(value: JsonRef<'_>) -> ParameterTarget<'_> {
    let text = |name: &str| value.get(name).and_then(|member| member.as_str());
    let typed = text("ref_type").is_some() && text("param_type").is_some();
    if !typed {
        return ParameterTarget::Static(value);
    }
    if let Some(own) = value.get("value") {
        return ParameterTarget::Static(own);
    }
    if let (Some(gate), Some(pass_value), Some(fail_value)) =
        (text("gate_name"), value.get("pass_value"), value.get("fail_value"))
    {
        return ParameterTarget::Gate { gate, pass_value, fail_value };
    }
    match (text("param_name"), text("config_name"), text("experiment_name"), text("layer_name")) {
        (Some(parameter), Some(config), _, _) => ParameterTarget::DynamicConfig { config, parameter },
        (Some(parameter), _, Some(experiment), _) => ParameterTarget::Experiment { experiment, parameter },
        (Some(parameter), _, _, Some(layer)) => ParameterTarget::Layer { layer, parameter },
        _ => ParameterTarget::Static(value),
    }
}

impl fmt::Debug for ParameterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterStore").field("name", &self.name).field("parameters", &self.parameter_names()).finish()
    }
}

/// A parameter of a store, resolved for one user.
///
/// Tells what was evaluated on the way, so that the exposure can be logged.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResolvedParameter<'s> {
    /// A value of its own; nothing was evaluated.
    Static(JsonRef<'s>),
    /// The value that a gate chose.
    Gate(FeatureGate, JsonRef<'s>),
    /// A parameter of a dynamic config.
    DynamicConfig(DynamicConfig, &'s str),
    /// A parameter of an experiment.
    Experiment(Experiment, &'s str),
    /// A parameter of a layer.
    Layer(Layer, &'s str),
}

impl ResolvedParameter<'_> {
    /// The parameter's value; `None` if what it refers to has no such parameter.
    #[must_use]
    pub fn value(&self) -> Option<JsonRef<'_>> {
        match self {
            Self::Static(value) | Self::Gate(_, value) => Some(*value),
            Self::DynamicConfig(config, parameter) => config.get_value(parameter),
            Self::Experiment(experiment, parameter) => experiment.get_value(parameter),
            Self::Layer(layer, parameter) => layer.get_value(parameter),
        }
    }
}

impl EvaluationContext<'_> {
    /// A parameter store; without parameters if there is none of that name.
    #[must_use]
    pub fn parameter_store(&self, name: &str) -> ParameterStore {
        let overridden = self.overrides.and_then(|overrides| overrides.parameter_store(name, self.user));
        ParameterStore { snapshot: Arc::clone(self.snapshot), name: name.into(), overridden }
    }

    /// Resolves a parameter of a store for the user; `None` if the store has no such parameter.
    /// `record`: also keep the gates that take part. Experiments and layers are read without
    /// options, which ends assignments in the persistent storage, if there is one.
    #[must_use]
    pub fn resolve_parameter<'s>(
        &self,
        store: &'s ParameterStore,
        parameter: &str,
        record: bool,
    ) -> Option<ResolvedParameter<'s>> {
        Some(match store.target(parameter)? {
            ParameterTarget::Static(value) => ResolvedParameter::Static(value),
            ParameterTarget::Gate { gate, pass_value, fail_value } => {
                let gate = self.feature_gate(gate, record);
                let value = if gate.value() { pass_value } else { fail_value };
                ResolvedParameter::Gate(gate, value)
            }
            ParameterTarget::DynamicConfig { config, parameter } => {
                ResolvedParameter::DynamicConfig(self.dynamic_config(config, record), parameter)
            }
            ParameterTarget::Experiment { experiment, parameter } => {
                let options = ExperimentEvaluationOptions::new();
                ResolvedParameter::Experiment(self.experiment_with(experiment, record, &options), parameter)
            }
            ParameterTarget::Layer { layer, parameter } => {
                let options = LayerEvaluationOptions::new();
                ResolvedParameter::Layer(self.layer_with(layer, record, &options), parameter)
            }
        })
    }
}
