//! The two forms of the same project give the same results.
//!
//! Readers of the older form differ from those of the current one in a few rules
//! (`docs/protocol/evaluation.md#documents`). [`as_v1_reads_it`] rewrites a document of the current
//! form by these rules, and by nothing else; after that, every value, rule, reason and exposure
//! must agree, for every user of every set that comes in both forms.

use serde_json::{Value, json};
use statsig::{Statsig, StatsigUser};
use statsig_conformance::{Input, Kinds, RunError, SpecSet};

/// Condition types, in lower case, that need no operator.
const TYPES_ALONE: &[&str] = &["public", "pass_gate", "fail_gate"];

/// Condition types, in lower case, that apply an operator.
const TYPES: &[&str] = &[
    "user_field",
    "ip_based",
    "ua_based",
    "environment_field",
    "current_time",
    "user_bucket",
    "unit_id",
    "target_app",
    "experiment_group",
];

const OPERATORS: &[&str] = &[
    "gt",
    "gte",
    "lt",
    "lte",
    "version_gt",
    "version_gte",
    "version_lt",
    "version_lte",
    "version_eq",
    "version_neq",
    "any",
    "none",
    "any_case_sensitive",
    "none_case_sensitive",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "str_contains_none",
    "str_matches",
    "before",
    "after",
    "on",
    "eq",
    "neq",
    "in_segment_list",
    "not_in_segment_list",
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
];

fn is_supported(condition: &Value) -> bool {
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    TYPES_ALONE.contains(&text("type")) || (TYPES.contains(&text("type")) && OPERATORS.contains(&text("operator")))
}

/// Rewrites a current document so that it says what readers of the older form understand:
///
/// 1. the type of a condition counts in lower case;
/// 2. a disabled spec has no rules;
/// 3. a gate is `true` when a rule passes and `false` otherwise, whatever its values;
/// 4. a spec with an unsupported condition anywhere is unsupported as a whole.
fn as_v1_reads_it(specs: &[u8]) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(specs).unwrap();
    let conditions = document["condition_map"].as_object_mut().unwrap();
    for condition in conditions.values_mut() {
        let lower = condition["type"].as_str().unwrap().to_lowercase();
        condition["type"] = lower.into();
    }
    let conditions = conditions.clone();
    for section in ["feature_gates", "dynamic_configs", "layer_configs"] {
        for spec in document[section].as_object_mut().unwrap().values_mut() {
            rewrite(spec, &conditions);
        }
    }
    serde_json::to_vec(&document).unwrap()
}

fn rewrite(spec: &mut Value, conditions: &serde_json::Map<String, Value>) {
    if spec["enabled"] == json!(false) {
        spec["rules"] = json!([]);
    }
    let is_gate = spec["type"] == "feature_gate";
    let rules = spec["rules"].as_array_mut().unwrap();
    let known = |id: &Value| id.as_str().and_then(|id| conditions.get(id)).is_some_and(is_supported);
    let supported = rules.iter().all(|rule| rule["conditions"].as_array().unwrap().iter().all(known));
    if !supported {
        rules.truncate(1);
        for rule in &mut *rules {
            rule["conditions"] = json!(["not in the document"]);
        }
    }
    if is_gate {
        rules.iter_mut().for_each(|rule| rule["returnValue"] = json!(true));
        spec["defaultValue"] = json!(false);
    }
}

/// Takes the condition types out of an older document that only its readers know:
/// `multi_pass_gate` and `multi_fail_gate`.
fn without_multi_gates(specs: &[u8]) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(specs).unwrap();
    for section in ["feature_gates", "dynamic_configs", "layer_configs"] {
        for spec in document[section].as_array_mut().unwrap() {
            for rule in spec["rules"].as_array_mut().unwrap() {
                for condition in rule["conditions"].as_array_mut().unwrap() {
                    if condition["type"].as_str().is_some_and(|name| name.to_lowercase().starts_with("multi_")) {
                        condition["type"] = json!("not a type");
                    }
                }
            }
        }
    }
    serde_json::to_vec(&document).unwrap()
}

/// Every record of a set, as if its specs were these.
fn evaluate(set: &SpecSet, specs: Vec<u8>) -> Vec<Value> {
    let input = Input { specs, ..Input::of(set).unwrap() };
    let mut records = Vec::new();
    input
        .run(Kinds::ALL, |record| {
            records.push(serde_json::to_value(record).unwrap());
            Ok::<_, RunError>(())
        })
        .unwrap();
    records
}

fn assert_forms_agree(set: &SpecSet) -> usize {
    let current = evaluate(set, as_v1_reads_it(&set.specs().unwrap()));
    let older = evaluate(set, without_multi_gates(&set.specs_v1().unwrap()));
    assert_eq!(current.len(), older.len(), "{}", set.name());
    for (current, older) in current.iter().zip(&older) {
        assert_eq!(current, older, "{}", set.name());
    }
    current.len()
}

#[test]
fn both_forms_of_a_project_give_the_same_results() {
    let sets = SpecSet::all_in(&integration_tests::corpus()).unwrap();
    let both: Vec<&SpecSet> = sets.iter().filter(|set| set.specs_v1().is_ok()).collect();
    assert_eq!(both.len(), 14);
    let records: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = both.iter().map(|set| scope.spawn(|| assert_forms_agree(set))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).sum()
    });
    assert!(records > 100_000, "only {records} records");
}

/// Each of the rules matters for some set, or the agreement above says little about it.
#[test]
fn without_the_rules_the_forms_differ() {
    let set = SpecSet::all_in(&integration_tests::corpus()).unwrap().into_iter().find(|set| set.name() == "fuzz");
    let set = set.unwrap();
    assert_ne!(evaluate(&set, set.specs().unwrap()), evaluate(&set, set.specs_v1().unwrap()));
}

/// The first gate that is as wanted ends it; only the gates themselves are exposed.
#[test]
fn conditions_on_several_gates_hold_when_one_of_them_does() {
    let gate = |name: &str, conditions: Value| {
        json!({"name": name, "type": "feature_gate", "entity": "feature_gate", "enabled": true, "rules": [
            {"id": "r", "passPercentage": 100, "conditions": conditions},
        ]})
    };
    let closed = json!([{"type": "user_field", "field": "x", "operator": "any", "targetValue": ["y"]}]);
    let multi = |kind: &str, gates: &[&str]| json!([{"type": kind, "targetValue": gates}]);
    let specs = json!({"time": 1, "dynamic_configs": [], "layer_configs": [], "feature_gates": [
        gate("open", json!([])),
        gate("closed", closed),
        gate("nested", json!([{"type": "pass_gate", "targetValue": "open"}])),
        gate("any", multi("multi_pass_gate", &["closed", "nested", "open"])),
        gate("any_closed", multi("MULTI_FAIL_GATE", &["open", "closed", "absent"])),
        gate("none", multi("multi_pass_gate", &["closed", "absent"])),
        gate("empty", multi("multi_fail_gate", &[])),
    ]});
    let statsig = Statsig::builder().bootstrap(specs.to_string()).record_secondary_exposures(true).build().unwrap();
    let user = StatsigUser::with_user_id("u");
    for (name, value, exposed) in [
        ("any", true, vec![("closed", false), ("nested", true)]),
        ("any_closed", true, vec![("open", true), ("closed", false)]),
        ("none", false, vec![("closed", false)]),
        ("empty", false, vec![]),
    ] {
        let gate = statsig.get_feature_gate(&user, name);
        let exposures: Vec<_> = gate.secondary_exposures().map(|exposure| (exposure.gate, exposure.value)).collect();
        assert_eq!((gate.value(), exposures), (value, exposed), "{name}");
    }
}
