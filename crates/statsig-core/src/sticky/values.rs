//! What is kept of a result.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::json::Json;

/// What is kept of an experiment or layer, enough to give the same result again.
///
/// In JSON it has the form that all Statsig SDKs share: `value`, `json_value`, `rule_id`,
/// `group_name`, `secondary_exposures`, `undelegated_secondary_exposures`, `config_delegate`,
/// `explicit_parameters`, `time`, `config_version`. All keys are written. Reading needs only
/// `value`; every other key may be missing or null, unknown ones are ignored, and a `time` that is
/// no time counts as null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "wire::Values", from = "wire::Values")]
#[non_exhaustive]
pub struct StickyValues {
    /// Whether a rule decided and the user was within its percentage.
    pub value: bool,
    /// The parameters: an object.
    pub json_value: Option<Json>,
    /// The rule that decided.
    pub rule_id: String,
    /// The user's group.
    pub group_name: Option<String>,
    /// Gates that took part, in order, with repetitions.
    pub secondary_exposures: Vec<StickyExposure>,
    /// Of a layer, those that belong to its own conditions.
    pub undelegated_secondary_exposures: Option<Vec<StickyExposure>>,
    /// Of a layer, the experiment that the user was allocated to.
    pub config_delegate: Option<String>,
    /// Parameters that belong to the experiment.
    pub explicit_parameters: Option<Vec<String>>,
    /// When the project had last changed (`lcut`), in milliseconds since 1970.
    pub time: Option<u64>,
    /// Version of the experiment or layer.
    pub config_version: Option<u32>,
}

/// A gate that took part in an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "wire::Exposure", from = "wire::Exposure")]
pub struct StickyExposure {
    /// Name of the gate.
    pub gate: String,
    /// Its value.
    pub value: bool,
    /// The rule that decided it.
    pub rule_id: String,
}

/// What a storage keeps under one key: values by the name of the experiment or layer.
///
/// In JSON an object. Values in it that cannot be read are left out, so that one of them does not
/// cost the user all the others; the next assignment writes over it.
///
/// Results share the values: a clone copies names and reference counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, StickyValues>", from = "BTreeMap<String, wire::Readable>")]
pub struct UserPersistedValues {
    configs: BTreeMap<String, Arc<StickyValues>>,
}

impl UserPersistedValues {
    /// No values: asks for assignments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a config.
    #[must_use]
    pub fn get(&self, config_name: &str) -> Option<&StickyValues> {
        self.configs.get(config_name).map(|values| &**values)
    }

    /// Sets the value of a config.
    pub fn insert(&mut self, config_name: impl Into<String>, values: StickyValues) {
        self.configs.insert(config_name.into(), Arc::new(values));
    }

    /// Removes the value of a config; whether there was one.
    pub fn remove(&mut self, config_name: &str) -> bool {
        self.configs.remove(config_name).is_some()
    }

    /// Number of configs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.configs.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    /// All values with their configs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StickyValues)> {
        self.configs.iter().map(|(name, values)| (name.as_str(), &**values))
    }

    pub(crate) fn shared(&self, config_name: &str) -> Option<Arc<StickyValues>> {
        self.configs.get(config_name).cloned()
    }
}

impl<N: Into<String>> FromIterator<(N, StickyValues)> for UserPersistedValues {
    fn from_iter<I: IntoIterator<Item = (N, StickyValues)>>(configs: I) -> Self {
        Self { configs: configs.into_iter().map(|(name, values)| (name.into(), Arc::new(values))).collect() }
    }
}

impl From<UserPersistedValues> for BTreeMap<String, StickyValues> {
    fn from(values: UserPersistedValues) -> Self {
        values.configs.into_iter().map(|(name, values)| (name, Arc::unwrap_or_clone(values))).collect()
    }
}

impl From<BTreeMap<String, wire::Readable>> for UserPersistedValues {
    fn from(configs: BTreeMap<String, wire::Readable>) -> Self {
        configs.into_iter().filter_map(|(name, readable)| Some((name, readable.values?))).collect()
    }
}
