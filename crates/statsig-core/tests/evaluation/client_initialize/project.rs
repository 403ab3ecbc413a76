//! A small project with one of everything, and a way to ask it.

use std::sync::Arc;

use serde_json::{Value, json};
use statsig_core::{
    ClientInitializeOptions, ClientInitializeSummary, EvaluationContext, EvaluationSettings, FixedClock, HashAlgorithm,
    OverrideAdapter, Ruleset, Snapshot, SpecOrigin, StatsigUser,
};

pub(crate) fn rule(id: &str, conditions: &[&str], value: Value) -> Value {
    json!({"name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": conditions, "returnValue": value,
           "idType": "userID"})
}

fn group(id: &str, name: &str, conditions: &[&str], value: Value) -> Value {
    let mut rule = rule(id, conditions, value);
    rule["groupName"] = name.into();
    rule["isExperimentGroup"] = true.into();
    rule
}

pub(crate) fn spec(entity: &str, default: Value, rules: Vec<Value>) -> Value {
    json!({"type": "x", "entity": entity, "salt": "s", "enabled": true, "defaultValue": default, "rules": rules,
           "idType": "userID", "version": 1})
}

fn asks(gate: &str) -> Value {
    json!({"type": "pass_gate", "targetValue": gate, "idType": "userID"})
}

/// The project as a document.
pub(crate) fn document() -> Value {
    let mut experiment =
        spec("experiment", json!({"a": "none"}), vec![group("gLay", "Test", &["pub_gate"], json!({"a": "exp"}))]);
    experiment["isActive"] = true.into();
    experiment["hasSharedParams"] = true.into();
    experiment["explicitParameters"] = json!(["a"]);
    let mut assign = rule("assign", &["nested_gate"], json!({}));
    assign["configDelegate"] = "exp_layer".into();
    let mut stable = spec("dynamic_config", json!({"n": 1}), vec![]);
    stable["idType"] = "stableID".into();
    json!({
        "has_updates": true, "time": 1_700_000_000_000_u64, "response_format": "dcs-v2", "experiment_to_layer": {},
        "default_environment": "development",
        "condition_map": {
            "public": {"type": "public", "idType": "userID"},
            "never": {"type": "user_field", "field": "no", "operator": "any", "targetValue": ["yes"], "idType": "userID"},
            "web": {"type": "target_app", "operator": "any", "targetValue": ["web"], "idType": "userID"},
            "moon": {"type": "moon_phase", "idType": "userID"},
            "pub_gate": asks("gate_pub"), "nested_gate": asks("gate_nested"), "segment": asks("segment:all"),
            "holdout": asks("holdout"), "loop": asks("loop"), "held_gate": asks("held"),
        },
        "feature_gates": {
            "gate_pub": spec("feature_gate", json!(false), vec![rule("rPub", &["public"], json!(true))]),
            "gate_nested": spec("feature_gate", json!(false), vec![rule("rN", &["pub_gate", "segment"], json!(true))]),
            "held": spec("feature_gate", json!(false), vec![rule("rH", &["holdout"], json!(true))]),
            "off": spec("feature_gate", json!(false), vec![]),
            "off_after_asking": spec("feature_gate", json!(false), vec![rule("r", &["pub_gate", "never"], json!(true))]),
            "in_web": spec("feature_gate", json!(false), vec![rule("rW", &["web"], json!(true))]),
            "unsupported": spec("feature_gate", json!(true), vec![rule("r", &["pub_gate", "moon"], json!(true))]),
            "loop": spec("feature_gate", json!(false), vec![rule("r", &["loop"], json!(true))]),
            "asks_loop": spec("feature_gate", json!(false), vec![rule("r", &["loop"], json!(true))]),
            "segment:all": spec("segment", json!(false), vec![rule("rS", &["public"], json!(true))]),
            "holdout": spec("holdout", json!(false), vec![rule("rHold", &["never"], json!(true))]),
        },
        "dynamic_configs": {
            "config": spec("dynamic_config", json!({"n": 1}), vec![rule("rC", &["public"], json!({"n": 2.0}))]),
            "stable": stable,
            "odd_config": spec("experiment", json!(null), vec![rule("r", &["moon"], json!({}))]),
            "exp_layer": experiment,
            "autotune": spec("autotune", json!({}), vec![group("rA", "Arm", &["public"], json!({"arm": 1}))]),
        },
        "layer_configs": {
            "layer_1": spec("layer", json!({"a": "layer", "b": 1}), vec![assign]),
            "layer_2": spec("layer", json!({"b": 1}), vec![rule("rL", &["held_gate"], json!({"b": 2}))]),
        },
        "cmab_configs": {
            "bandit": {"salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1,
                       "sampleRate": 0.1, "higherIsBetter": true,
                       "groups": [{"name": "A", "id": "ga", "parameterValues": {"arm": "a"}}]},
        },
        "param_stores": {
            "store": {"parameters": {
                "static": {"ref_type": "static", "param_type": "number", "value": 3},
                "gate": {"ref_type": "gate", "param_type": "string", "gate_name": "gate_pub", "pass_value": "in", "fail_value": null},
                "config": {"ref_type": "dynamic_config", "param_type": "number", "config_name": "config", "param_name": "n"},
                "experiment": {"ref_type": "experiment", "param_type": "string", "experiment_name": "exp_layer", "param_name": "a"},
                "layer": {"ref_type": "layer", "param_type": "string", "layer_name": "layer_1", "param_name": "a"},
                "unknown": {"ref_type": "new", "param_type": "string"},
            }},
        },
    })
}

/// A project that is asked for one user.
pub(crate) struct Asked {
    snapshot: Arc<Snapshot>,
    pub(crate) user: StatsigUser,
    pub(crate) settings: EvaluationSettings,
    pub(crate) overrides: Option<Box<dyn OverrideAdapter>>,
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self::of(&document())
    }

    pub(crate) fn of(document: &Value) -> Self {
        let ruleset = Ruleset::compile(document.to_string().as_bytes()).unwrap();
        Self {
            snapshot: Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1)),
            user: StatsigUser::with_user_id("u"),
            settings: EvaluationSettings::new(),
            overrides: None,
        }
    }

    /// Calls `f` with the context.
    pub(crate) fn with<R>(&self, f: impl FnOnce(EvaluationContext<'_>) -> R) -> R {
        let clock = FixedClock(0);
        let context = EvaluationContext::new(&self.snapshot, &self.user, &self.settings, &clock)
            .with_overrides(self.overrides.as_deref())
            .with_seed(1);
        f(context)
    }

    /// The response as text and its summary.
    pub(crate) fn text(&self, options: &ClientInitializeOptions) -> (String, ClientInitializeSummary) {
        let mut out = Vec::new();
        let summary = self.with(|context| context.write_client_initialize_response(options, &mut out)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let kept = self.with(|context| serde_json::to_string(&context.client_initialize_response(options)).unwrap());
        assert_eq!(text, kept);
        (text, summary)
    }

    pub(crate) fn json(&self, options: &ClientInitializeOptions) -> Value {
        serde_json::from_str(&self.text(options).0).unwrap()
    }

    /// The names of a section.
    pub(crate) fn names(&self, section: &str, options: &ClientInitializeOptions) -> Vec<String> {
        names(&self.json(options), section)
    }
}

/// The names of a section, sorted.
pub(crate) fn names(response: &Value, section: &str) -> Vec<String> {
    let mut names: Vec<String> = response[section].as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

/// Options under which names are plain.
pub(crate) fn plain() -> ClientInitializeOptions {
    ClientInitializeOptions::new().with_hash_algorithm(HashAlgorithm::None)
}
