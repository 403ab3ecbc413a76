//! A small project that has one of everything, and a client whose events stay in memory.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use statsig::{FixedClock, Statsig, StatsigBuilder, StatsigUser};
use statsig_testkit::MemorySink;

/// What the clock of every test says.
pub(crate) const NOW: i64 = 1_790_000_009_000;

fn rule(id: &str, conditions: &[&str], value: Value) -> Value {
    json!({"name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": conditions,
           "returnValue": value, "idType": "userID"})
}

fn spec(entity: &str, default: Value, rules: Vec<Value>) -> Value {
    let kind = if matches!(entity, "feature_gate" | "segment") { "feature_gate" } else { "dynamic_config" };
    json!({"type": kind, "entity": entity, "salt": "s", "enabled": true, "defaultValue": default,
           "idType": "userID", "rules": rules})
}

/// The specs, which `change` may change.
pub(crate) fn specs(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let group = |id: &str, name: &str, condition: &str| {
        let mut group = rule(id, &[condition], json!({"title": name}));
        group["groupName"] = name.into();
        group["isExperimentGroup"] = true.into();
        group
    };
    let mut gate = spec("feature_gate", false.into(), vec![rule("4kQ2", &["not_held"], true.into())]);
    gate["version"] = 7.into();
    let mut experiment =
        spec("experiment", json!({}), vec![group("grpA", "Control", "nobody"), group("grpB", "Test", "all")]);
    experiment["isActive"] = true.into();
    experiment["version"] = 3.into();
    experiment["explicitParameters"] = json!(["title"]);
    let mut delegating = rule("alloc", &["all"], json!({"title": "layer", "size": 1}));
    delegating["configDelegate"] = "home_exp".into();
    let mut document = json!({
        "has_updates": true, "time": 1_790_000_000_000_u64,
        "condition_map": {
            "all": {"type": "public", "idType": "userID"},
            "nobody": {"type": "user_field", "field": "email", "operator": "any", "targetValue": ["-"], "idType": "userID"},
            "not_held": {"type": "fail_gate", "targetValue": "global_holdout", "idType": "userID"},
            "in_test": {"type": "experiment_group", "field": "home_exp", "operator": "any", "targetValue": ["Test"], "idType": "userID"},
            "secret_plan": {"type": "user_field", "field": "plan", "operator": "any", "targetValue": ["s3cr3t"], "idType": "userID"},
        },
        "feature_gates": {
            "new_checkout": gate,
            "global_holdout": spec("feature_gate", false.into(), vec![]),
            "for_testers": spec("feature_gate", false.into(), vec![rule("t", &["in_test"], true.into())]),
            "by_plan": spec("feature_gate", false.into(), vec![rule("p", &["secret_plan"], true.into())]),
        },
        "dynamic_configs": {
            "colors": spec("dynamic_config", json!({}), vec![rule("c1", &["all"], json!({"button": "blue"}))]),
            "home_exp": experiment,
        },
        "layer_configs": {"home_layer": spec("layer", json!({"title": "layer", "size": 1}), vec![delegating])},
        "cmab_configs": {"hero_bandit": {
            "salt": "b", "defaultValue": {"arm": -1}, "idType": "userID", "enabled": true, "version": 2,
            "sampleRate": 0, "higherIsBetter": true,
            "groups": [{"id": "group_1", "name": "One", "parameterValues": {"arm": 1}}],
            "config": {"group_1": {"alpha": 0.5, "intercept": 1.0, "records": 3, "weightsNumerical": {}, "weightsCategorical": {}}},
        }},
        "param_stores": {"store": {"parameters": {
            "gate": {"ref_type": "gate", "param_type": "string", "gate_name": "new_checkout", "pass_value": "y", "fail_value": "n"},
            "config": {"ref_type": "dynamic_config", "param_type": "string", "config_name": "colors", "param_name": "button"},
            "experiment": {"ref_type": "experiment", "param_type": "string", "experiment_name": "home_exp", "param_name": "title"},
            "layer": {"ref_type": "layer", "param_type": "string", "layer_name": "home_layer", "param_name": "title"},
            "static": {"ref_type": "static", "param_type": "string", "value": "x"},
        }}},
    });
    change(&mut document);
    document.to_string().into_bytes()
}

/// A client and its events.
pub(crate) struct Logged {
    pub(crate) statsig: Statsig,
    pub(crate) sink: Arc<MemorySink>,
}

impl Logged {
    pub(crate) fn new() -> Self {
        Self::with(specs(|_| ()), |builder| builder)
    }

    pub(crate) fn with(specs: Vec<u8>, configure: impl FnOnce(StatsigBuilder) -> StatsigBuilder) -> Self {
        let sink = Arc::new(MemorySink::default());
        let builder = Statsig::builder().bootstrap(specs).clock(Arc::new(FixedClock(NOW))).event_sink(sink.clone());
        Self { statsig: configure(builder).build().unwrap(), sink }
    }

    /// What was logged since the last call, as text of the JSON array.
    pub(crate) fn text(&self) -> String {
        let report = self.statsig.flush_events_blocking(Duration::from_secs(60));
        assert!(report.is_complete(), "{report:?}");
        let bodies = self.sink.take_bodies();
        bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// What was logged since the last call.
    pub(crate) fn events(&self) -> Vec<Value> {
        let _ = self.statsig.flush_events_blocking(Duration::from_secs(60));
        self.sink.take()
    }
}

/// `metadata.key` of each event that has it.
pub(crate) fn metadata<'a>(events: &'a [Value], key: &str) -> Vec<&'a str> {
    events.iter().filter_map(|event| event["metadata"].get(key)?.as_str()).collect()
}

pub(crate) fn user() -> StatsigUser {
    StatsigUser::builder().user_id("u1").custom_id("companyID", "c9").build()
}
