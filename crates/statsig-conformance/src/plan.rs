//! What a set asks for, and for whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Everything that is to be evaluated on one set.
///
/// Some names do not exist in the specs, and some configs are asked for by the method of another
/// kind, on purpose.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the format; 1.
    pub format: u32,
    /// The set's name.
    pub name: String,
    /// Options of the SDK under test.
    #[serde(default)]
    pub options: PlanOptions,
    /// List name → content of the list's file: lines of `+` or `-` and an eight-character hash.
    #[serde(default)]
    pub id_lists: BTreeMap<String, String>,
    /// Gates to check for every user.
    #[serde(default)]
    pub gates: Vec<String>,
    /// Dynamic configs to get for every user.
    #[serde(default)]
    pub dynamic_configs: Vec<String>,
    /// Experiments to get for every user.
    #[serde(default)]
    pub experiments: Vec<String>,
    /// Layers to get for every user.
    #[serde(default)]
    pub layers: Vec<String>,
    /// Parameter store → what to read from it for every user.
    #[serde(default)]
    pub param_stores: BTreeMap<String, Vec<ParamRead>>,
    /// Experiments whose groups are to be listed.
    #[serde(default)]
    pub experiment_groups: Vec<String>,
    /// Client-initialize responses to build.
    #[serde(default)]
    pub gcir: Vec<ClientResponse>,
    /// Call sequences, each on an instance of its own.
    #[serde(default)]
    pub scripts: Vec<Script>,
}

/// Options that the SDK under test is to be built with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlanOptions {
    /// The environment tier; absent: none.
    #[serde(default)]
    pub environment: Option<String>,
    /// Custom fields that apply to every user; absent: none.
    #[serde(default)]
    pub global_custom_fields: Option<BTreeMap<String, Value>>,
}

/// One user of a set.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The name by which records and scripts refer to the user.
    pub id: String,
    /// The user as it travels: kept as text, because a number's kind matters (`1` is not `1.0`).
    pub user: Box<RawValue>,
}

/// One read from a parameter store: the parameter, the getter, and what it falls back to.
///
/// Written as an array of three.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParamRead(
    /// The parameter.
    pub String,
    /// The getter.
    pub ParamType,
    /// The fallback that the getter is given.
    pub Value,
);

/// Which typed getter reads a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// Text.
    String,
    /// A number, as `f64`.
    Number,
    /// A number, as `i64`.
    Integer,
    /// A boolean.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// One client-initialize response to build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientResponse {
    /// The name of the request in the records.
    pub id: String,
    /// How names are hashed: `none`, `djb2`, `sha256`; absent: the SDK's default.
    #[serde(default)]
    pub hash: Option<String>,
    /// The client key whose app the response is for.
    #[serde(default)]
    pub client_key: Option<String>,
    /// For whom; absent: for all users.
    #[serde(default)]
    pub users: Option<Vec<String>>,
}

/// A sequence of calls on a fresh instance, flushed at the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Script {
    /// The name of the script in the records.
    pub id: String,
    /// The calls, in order.
    pub ops: Vec<Op>,
}

/// One call of a script.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Check a gate.
    Gate(Check),
    /// Get a dynamic config.
    Config(Check),
    /// Get an experiment.
    Experiment(Check),
    /// Get a layer, then each of the parameters in turn.
    Layer {
        /// For whom and what.
        #[serde(flatten)]
        check: Check,
        /// The parameters to read; one without a value logs nothing.
        params: Vec<String>,
    },
    /// Read a parameter of a store.
    Param {
        /// The user's id in the set.
        user: String,
        /// The store.
        store: String,
        /// The parameter.
        param: String,
        /// The getter.
        #[serde(rename = "type")]
        param_type: ParamType,
        /// What the getter falls back to.
        fallback: Value,
        /// Whether exposure logging is off for this call.
        #[serde(default)]
        disable_exposure: bool,
    },
    /// Log a gate exposure by hand.
    ManualGate(Manual),
    /// Log a config exposure by hand.
    ManualConfig(Manual),
    /// Log an experiment exposure by hand.
    ManualExperiment(Manual),
    /// Log a layer parameter's exposure by hand.
    ManualLayer {
        /// For whom and what.
        #[serde(flatten)]
        manual: Manual,
        /// The parameter.
        param: String,
    },
    /// Log an event of the application's own.
    LogEvent {
        /// The user's id in the set.
        user: String,
        /// The event's name.
        event: String,
        /// Text, a number, or null.
        value: Value,
        /// Text by key, or null.
        metadata: Option<BTreeMap<String, String>>,
    },
    /// Override a gate.
    OverrideGate(Override),
    /// Override a dynamic config.
    OverrideConfig(Override),
    /// Override an experiment's value.
    OverrideExperiment(Override),
    /// Override an experiment by the name of one of its groups.
    OverrideExperimentGroup {
        /// The experiment.
        name: String,
        /// The group.
        group: String,
        /// The unit that it is for; absent: everyone.
        #[serde(default)]
        id: Option<String>,
    },
    /// Override a layer.
    OverrideLayer(Override),
    /// Override a parameter store.
    OverrideParamStore(Override),
    /// Take back a gate's override.
    RemoveGateOverride(Removal),
    /// Take back a dynamic config's override.
    RemoveConfigOverride(Removal),
    /// Take back an experiment's override.
    RemoveExperimentOverride(Removal),
    /// Take back a layer's override.
    RemoveLayerOverride(Removal),
    /// Take back every override.
    RemoveAllOverrides,
    /// Build a client-initialize response.
    Gcir {
        /// The user's id in the set.
        user: String,
        /// How names are hashed; absent: the SDK's default.
        #[serde(default)]
        hash: Option<String>,
        /// The client key whose app the response is for.
        #[serde(default)]
        client_key: Option<String>,
        /// Whether local overrides show in it; absent: the SDK's default.
        #[serde(default)]
        include_local_overrides: Option<bool>,
    },
}

/// Who is evaluated against what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// The user's id in the set.
    pub user: String,
    /// The gate, config, experiment or layer.
    pub name: String,
    /// Whether exposure logging is off for this call.
    #[serde(default)]
    pub disable_exposure: bool,
}

/// Whose exposure to what is logged by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manual {
    /// The user's id in the set.
    pub user: String,
    /// The gate, config, experiment or layer.
    pub name: String,
}

/// A local override.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Override {
    /// What is overridden.
    pub name: String,
    /// With what.
    pub value: Value,
    /// The unit that it is for; absent: everyone.
    #[serde(default)]
    pub id: Option<String>,
}

/// The end of a local override.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Removal {
    /// What is no longer overridden.
    pub name: String,
    /// For which unit; absent: for all.
    #[serde(default)]
    pub id: Option<String>,
}
