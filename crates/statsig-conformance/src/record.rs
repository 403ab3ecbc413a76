//! One result, as it is written.
//!
//! A result file holds one record a line, in any order. Field names and their meaning are those of
//! the corpus; `reason` leaves out the source of the specs (`Recognized`, not
//! `Network:Recognized`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::ParamType;

/// One line of a result file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A gate for a user.
    Gate(GateRecord),
    /// A dynamic config for a user.
    DynamicConfig(ConfigRecord),
    /// An experiment for a user.
    Experiment(ExperimentRecord),
    /// A layer for a user.
    Layer(LayerRecord),
    /// One parameter of a store for a user.
    Param(ParamRecord),
    /// The groups of an experiment.
    ExperimentGroups(ExperimentGroupsRecord),
    /// The names that the specs hold.
    Lists(ListsRecord),
    /// A client-initialize response.
    Gcir(GcirRecord),
    /// A call sequence.
    Script(ScriptRecord),
}

/// What every evaluation of a spec tells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Evaluated {
    /// The user's id in the set.
    pub user: String,
    /// The name that was asked for.
    pub name: String,
    /// The rule that decided; `""` when unknown.
    pub rule_id: String,
    /// The unit that the spec is about; `""` when unknown.
    pub id_type: String,
    /// How the answer came about, without the source of the specs.
    pub reason: String,
    /// The version of the spec.
    pub version: Option<u32>,
    /// The gates that were evaluated on the way; absent where none were logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_exposures: Option<Vec<SecondaryExposure>>,
}

/// A gate that was evaluated on the way to another answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondaryExposure {
    /// The gate.
    pub gate: String,
    /// `"true"` or `"false"`.
    #[serde(rename = "gateValue")]
    pub gate_value: String,
    /// The gate's rule.
    #[serde(rename = "ruleID")]
    pub rule_id: String,
}

/// A gate for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GateRecord {
    /// Who, what, and how.
    #[serde(flatten)]
    pub evaluated: Evaluated,
    /// Whether it is on.
    pub value: bool,
}

/// A dynamic config for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// Who, what, and how.
    #[serde(flatten)]
    pub evaluated: Evaluated,
    /// The parameters; empty when the spec's value is not an object.
    pub value: Map<String, Value>,
    /// Whether a rule passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_passed: Option<bool>,
}

/// An experiment for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// Who, what, and how.
    #[serde(flatten)]
    pub evaluated: Evaluated,
    /// The parameters.
    pub value: Map<String, Value>,
    /// The name of the group.
    pub group_name: Option<String>,
    /// Whether the experiment runs; nothing after an evaluation error.
    pub is_experiment_active: Option<bool>,
}

/// A layer for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Who, what, and how.
    #[serde(flatten)]
    pub evaluated: Evaluated,
    /// The parameters.
    pub value: Map<String, Value>,
    /// The name of the group.
    pub group_name: Option<String>,
    /// Whether the experiment runs; nothing after an evaluation error.
    pub is_experiment_active: Option<bool>,
    /// The experiment that the user is in.
    pub allocated_experiment_name: Option<String>,
    /// For every key of the value: what its exposure says.
    pub params: BTreeMap<String, Option<LayerParam>>,
}

/// What the exposure of one layer parameter says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LayerParam {
    /// The rule that gave the parameter.
    pub rule_id: String,
    /// The experiment that gave it; `""` when none did.
    pub allocated_experiment: String,
    /// Whether that experiment names the parameter as its own.
    pub is_explicit: bool,
    /// The gates that were evaluated on the way.
    pub secondary_exposures: Vec<SecondaryExposure>,
}

/// One parameter of a store for a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParamRecord {
    /// The user's id in the set.
    pub user: String,
    /// The store.
    pub name: String,
    /// The parameter.
    pub param: String,
    /// The getter.
    #[serde(rename = "type")]
    pub param_type: ParamType,
    /// What the getter returned.
    pub value: Value,
}

/// The groups of an experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExperimentGroupsRecord {
    /// The experiment.
    pub name: String,
    /// Its groups; none for a name that is no experiment.
    pub value: ExperimentGroups,
}

/// The answer of the list-the-groups call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExperimentGroups {
    /// Whether the experiment runs; nothing for a name that is no experiment.
    pub is_experiment_active: Option<bool>,
    /// The groups, in the order of the rules.
    pub groups: Vec<ExperimentGroup>,
}

/// One group of an experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExperimentGroup {
    /// The group's name; `""` when it has none.
    pub group_name: String,
    /// The rule that stands for it.
    pub rule_id: String,
    /// The rule's unit.
    pub id_type: String,
    /// The parameters; empty when the rule's value is not an object.
    pub return_value: Map<String, Value>,
}

/// The names that the specs hold, each list sorted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListsRecord {
    /// Feature gates.
    pub gates: Vec<String>,
    /// Dynamic configs.
    pub dynamic_configs: Vec<String>,
    /// Experiments.
    pub experiments: Vec<String>,
    /// Autotunes.
    pub autotunes: Vec<String>,
    /// Layers.
    pub layers: Vec<String>,
    /// Parameter stores.
    pub param_stores: Vec<String>,
}

/// A client-initialize response for a user, without the SDK's own name and session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GcirRecord {
    /// The user's id in the set.
    pub user: String,
    /// The id of the request in the plan.
    pub name: String,
    /// The whole response.
    pub response: Value,
}

/// What a call sequence returned and logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScriptRecord {
    /// The id of the script in the plan.
    pub name: String,
    /// One per call; null for calls without an answer.
    pub results: Vec<Value>,
    /// The events, in the order in which they were logged.
    pub events: Vec<Value>,
}
