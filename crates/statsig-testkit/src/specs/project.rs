//! Whole projects.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::Document;
use super::{DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder};

/// A project: everything that a document of config specs holds.
///
/// Of two things with the same name and kind the last one counts. Nothing is checked: a condition
/// may ask gates that are not there.
///
/// ```
/// use statsig_testkit::specs::{GateBuilder, ProjectBuilder};
///
/// let specs = ProjectBuilder::new().gate(GateBuilder::on("new_checkout")).build();
/// # assert!(serde_json::from_slice::<serde_json::Value>(&specs).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectBuilder {
    gates: Vec<GateBuilder>,
    configs: Vec<DynamicConfigBuilder>,
    experiments: Vec<ExperimentBuilder>,
    layers: Vec<LayerBuilder>,
    stores: Vec<ParameterStoreBuilder>,
    id_lists: Vec<String>,
    client_keys: BTreeMap<String, String>,
    top: Map<String, Value>,
}

impl Default for ProjectBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ProjectBuilder {
    /// The [`time`](Self::time) of a project that says none.
    pub const TIME_MS: u64 = 1_700_000_000_000;

    /// An empty project.
    #[must_use]
    pub fn new() -> Self {
        Self {
            gates: Vec::new(),
            configs: Vec::new(),
            experiments: Vec::new(),
            layers: Vec::new(),
            stores: Vec::new(),
            id_lists: Vec::new(),
            client_keys: BTreeMap::new(),
            top: Map::new(),
        }
    }

    /// Adds a gate, a segment or a holdout.
    #[must_use]
    pub fn gate(mut self, gate: GateBuilder) -> Self {
        self.gates.push(gate);
        self
    }

    /// Adds a dynamic config.
    #[must_use]
    pub fn config(mut self, config: DynamicConfigBuilder) -> Self {
        self.configs.push(config);
        self
    }

    /// Adds an experiment.
    #[must_use]
    pub fn experiment(mut self, experiment: ExperimentBuilder) -> Self {
        self.experiments.push(experiment);
        self
    }

    /// Adds a layer. Experiments of the project that it hands over to become part of it.
    #[must_use]
    pub fn layer(mut self, layer: LayerBuilder) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a parameter store.
    #[must_use]
    pub fn parameter_store(mut self, store: ParameterStoreBuilder) -> Self {
        self.stores.push(store);
        self
    }

    /// When the project last changed, in milliseconds since 1970 (default: [`Self::TIME_MS`]).
    #[must_use]
    pub fn time(self, time_ms: u64) -> Self {
        self.set("time", time_ms)
    }

    /// The checksum of the document (default: none).
    #[must_use]
    pub fn checksum(self, checksum: impl Into<String>) -> Self {
        self.set("checksum", checksum.into())
    }

    /// The project's app, which `target_app` conditions see (default: none).
    #[must_use]
    pub fn app_id(self, app_id: impl Into<String>) -> Self {
        self.set("app_id", app_id.into())
    }

    /// The environment tier where neither user nor client has one (default: none).
    #[must_use]
    pub fn default_environment(self, tier: impl Into<String>) -> Self {
        self.set("default_environment", tier.into())
    }

    /// The company that the project belongs to (default: none).
    #[must_use]
    pub fn company_id(self, company_id: impl Into<String>) -> Self {
        self.set("company_id", company_id.into())
    }

    /// The app of a client key.
    #[must_use]
    pub fn client_key(mut self, key: impl Into<String>, app_id: impl Into<String>) -> Self {
        self.client_keys.insert(key.into(), app_id.into());
        self
    }

    /// Names an ID list. Those that conditions ask are named anyway.
    #[must_use]
    pub fn id_list(mut self, name: impl Into<String>) -> Self {
        self.id_lists.push(name.into());
        self
    }

    /// Any other key at the top of the document, for instance `sdk_configs`; takes the place of what
    /// is there by that name.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.top.insert(key.into(), value.into());
        self
    }

    /// The document as a value, to look at or to spoil.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = Document::default();
        for list in &self.id_lists {
            document.id_lists.insert(list.clone(), true.into());
        }
        let mut layer_of = Map::new();
        for layer in &self.layers {
            for experiment in layer.experiments() {
                layer_of.insert(experiment.to_owned(), layer.spec.name.as_str().into());
            }
        }
        let mut gates = Map::new();
        for gate in &self.gates {
            gates.insert(gate.spec.name.clone(), gate.spec.to_json(&mut document));
        }
        let mut configs = Map::new();
        for config in &self.configs {
            configs.insert(config.spec.name.clone(), config.spec.to_json(&mut document));
        }
        for experiment in &self.experiments {
            let name = &experiment.spec.name;
            configs.insert(name.clone(), experiment.to_json(layer_of.contains_key(name), &mut document));
        }
        let mut layers = Map::new();
        for layer in &self.layers {
            layers.insert(layer.spec.name.clone(), layer.spec.to_json(&mut document));
        }
        let stores: Map<String, Value> =
            self.stores.iter().map(|store| (store.name.clone(), store.to_json())).collect();
        let mut out = json!({
            "has_updates": true,
            "response_format": "dcs-v2",
            "time": Self::TIME_MS,
            "feature_gates": gates,
            "dynamic_configs": configs,
            "layer_configs": layers,
            "condition_map": document.conditions,
            "experiment_to_layer": layer_of,
            "param_stores": stores,
            "id_lists": document.id_lists,
            "sdk_keys_to_app_ids": self.client_keys,
        });
        if let Some(keys) = out.as_object_mut() {
            keys.extend(self.top.clone());
        }
        out
    }

    /// The document as text, as a server would send it.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }
}
