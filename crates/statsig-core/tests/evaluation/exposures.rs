//! Secondary exposures in rare constellations.

use std::sync::Arc;

use serde_json::{Value, json};
use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Ruleset, Snapshot, SpecOrigin, StatsigUser};

/// Rule ID of a gate for `user-1`, and its secondary exposures as `gate=value/rule`.
fn gate(document: &Value, name: &str) -> (String, Vec<String>) {
    let ruleset = Ruleset::compile(document.to_string().as_bytes()).unwrap();
    let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1));
    let (user, settings) = (StatsigUser::with_user_id("user-1"), EvaluationSettings::new());
    let gate = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(0)).feature_gate(name, true);
    let exposures = gate.secondary_exposures().map(|one| format!("{}={}/{}", one.gate, one.value, one.rule_id));
    (gate.rule_id().to_owned(), exposures.collect())
}

fn rule(id: &str, conditions: Value) -> Value {
    json!({
        "name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": conditions, "returnValue": true,
        "idType": "userID"
    })
}

fn spec(rule: Value) -> Value {
    json!({
        "type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
        "rules": [rule], "idType": "userID"
    })
}

/// The reference appends `:explore` to the rule ID of a result, not of a secondary exposure.
#[test]
fn a_nested_gate_with_an_exploring_bandit_is_exposed_under_the_arms_own_rule() {
    let mut inner = rule("I", json!(["public"]));
    inner["configDelegate"] = json!("bandit");
    let mut experiment = spec(rule("E", json!([])));
    experiment["type"] = json!("dynamic_config");
    let document = json!({
        "has_updates": true, "time": 1, "layer_configs": {},
        "feature_gates": {"inner": spec(inner), "outer": spec(rule("O", json!(["inner"])))},
        "dynamic_configs": {"bandit": experiment},
        "condition_map": {
            "public": {"type": "public", "idType": "userID"},
            "inner": {"type": "pass_gate", "targetValue": "inner", "idType": "userID"}
        },
        "cmab_configs": {"bandit": {
            "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
            "higherIsBetter": true, "groups": [{"name": "A", "id": "arm", "parameterValues": {}}], "config": null
        }}
    });
    assert_eq!(gate(&document, "inner"), ("arm:explore".to_owned(), vec![]));
    assert_eq!(gate(&document, "outer"), ("O".to_owned(), vec!["inner=true/arm".to_owned()]));
}

/// Of the gates in a list only they themselves are exposed, and segments not at all.
#[test]
fn gates_in_a_list_do_not_expose_what_is_inside_them() {
    let asks = |id: &str, kind: &str, target: Value| rule(id, json!([{"type": kind, "targetValue": target}]));
    let named = |name: &str, rule| {
        let mut spec = spec(rule);
        spec["name"] = json!(name);
        spec
    };
    let document = json!({
        "has_updates": true, "time": 1, "dynamic_configs": [], "layer_configs": [],
        "feature_gates": [
            named("leaf", asks("L", "public", Value::Null)),
            named("inner", asks("I", "pass_gate", json!("leaf"))),
            named("segment:s", asks("S", "fail_gate", json!("leaf"))),
            named("all", asks("A", "multi_pass_gate", json!(["segment:s", "ghost", "inner", "leaf"])))
        ]
    });
    assert_eq!(gate(&document, "all"), ("A".to_owned(), vec!["inner=true/I".to_owned()]));
}
