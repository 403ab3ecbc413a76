//! Local overrides, through evaluations: each rule of the protocol, scopes, and many threads.

mod rules;
mod scopes;

use std::sync::Arc;

use serde_json::{Value, json};
use statsig_core::{
    EvaluationContext, EvaluationSettings, FixedClock, LocalOverrides, Ruleset, Snapshot, SpecOrigin, StatsigUser,
};

fn rule(id: &str, more: Value) -> Value {
    let mut rule = json!({
        "name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": [], "returnValue": true,
        "idType": "userID"
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn spec(entity: &str, default: Value, rules: Value) -> Value {
    json!({
        "type": if entity == "feature_gate" { entity } else { "dynamic_config" }, "entity": entity, "salt": "s",
        "enabled": true, "defaultValue": default, "rules": rules, "idType": "userID", "version": 3, "isActive": true
    })
}

/// Gates `inner` and `outer`, which asks for it; config `config`; experiment `experiment` with the
/// groups Control and Test; layer `layer`, which hands over to it; store `store`.
fn snapshot() -> Arc<Snapshot> {
    let group = |name: &str| json!({"groupName": name, "isExperimentGroup": true, "returnValue": {"of": name}});
    let document = json!({
        "has_updates": true, "time": 1,
        "condition_map": {"inner": {"type": "pass_gate", "targetValue": "inner", "idType": "userID"}},
        "feature_gates": {
            "inner": spec("feature_gate", json!(false), json!([])),
            "outer": spec("feature_gate", json!(false), json!([rule("asks", json!({"conditions": ["inner"]}))]))
        },
        "dynamic_configs": {
            "config": spec("dynamic_config", json!({"of": "specs"}), json!([])),
            "experiment": spec("experiment", json!({}), json!([
                rule("control", group("Control")), rule("test", group("Test")), rule("test-2", group("Test"))
            ])),
        },
        "layer_configs": {
            "layer": spec("layer", json!({"of": "layer"}), json!([
                rule("hands over", json!({"configDelegate": "experiment", "returnValue": {}}))
            ]))
        },
        "param_stores": {"store": {"parameters": {
            "a": {"ref_type": "static", "param_type": "string", "value": "specs"},
            "b": {"ref_type": "static", "param_type": "string", "value": "specs"}
        }}}
    });
    let ruleset = Ruleset::compile(document.to_string().as_bytes()).unwrap();
    Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1))
}

/// Calls `look` with a context for `user`.
fn evaluate<R>(overrides: &LocalOverrides, user: &StatsigUser, look: impl FnOnce(EvaluationContext<'_>) -> R) -> R {
    let (snapshot, settings) = (snapshot(), EvaluationSettings::new());
    look(EvaluationContext::new(&snapshot, user, &settings, &FixedClock(0)).with_overrides(Some(overrides)))
}
