//! Specs that cannot be read are skipped, remembered and explained.

use std::sync::Arc;

use serde_json::json;
use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Snapshot, SpecOrigin, SpecSection, StatsigUser};

use super::{compile, gate, specs};

#[test]
fn a_skipped_gate_is_listed_with_its_reason() {
    let mut dark_mode = gate();
    dark_mode["enabled"] = json!("true");
    let mut late = gate();
    late["rules"][0]["passPercentage"] = json!("half");
    let mut bare = gate();
    bare.as_object_mut().unwrap().remove("salt");
    let gates = json!({"dark_mode": dark_mode, "late": late, "bare": bare, "other": gate(), "text": "x"});
    let ruleset = compile(&specs(&gates)).unwrap();
    let found: Vec<(&str, &str)> =
        ruleset.malformed_specs().iter().map(|spec| (spec.name.as_str(), spec.reason.as_str())).collect();
    assert_eq!(
        found,
        [
            ("bare", "the required field `salt` is missing"),
            ("dark_mode", "`enabled`: invalid type: string, expected a boolean"),
            ("late", "`rules[0].passPercentage`: invalid type: string, expected a number"),
            ("text", "invalid type: string, expected a spec: an object"),
        ]
    );
    let named = |name| ruleset.malformed(SpecSection::FeatureGates, name).is_some();
    assert!(named("dark_mode") && !named("other") && !named("absent"));
    assert!(ruleset.malformed(SpecSection::DynamicConfigs, "dark_mode").is_none());
    for problem in ruleset.problems() {
        assert!(!problem.message.contains("column"), "a place in a part means nothing outside: {problem}");
    }
}

#[test]
fn specs_of_lists_stores_and_bandits_are_remembered_too() {
    let v1 = json!({"time": 1, "feature_gates": [{"name": "bad", "enabled": 1}, {"name": "good"}],
        "dynamic_configs": [{"name": "c", "rules": {}}], "layer_configs": [{"name": "l", "version": -1}]});
    let ruleset = compile(&v1).unwrap();
    for (section, name) in
        [(SpecSection::FeatureGates, "bad"), (SpecSection::DynamicConfigs, "c"), (SpecSection::LayerConfigs, "l")]
    {
        assert!(ruleset.malformed(section, name).is_some(), "{name}");
    }
    let mut v2 = specs(&json!({}));
    v2["param_stores"] = json!({"p": {"parameters": 1}, "q": {"parameters": {}}});
    v2["cmab_configs"] = json!({"b": {"salt": 1}});
    let ruleset = compile(&v2).unwrap();
    let names: Vec<&str> = ruleset.malformed_specs().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["p", "b"]);
}

#[test]
fn a_sound_spec_of_the_same_name_makes_up_for_a_malformed_one() {
    let text = specs(&json!({})).to_string();
    let twice = format!("\"feature_gates\":{{\"g\":{{}},\"h\":1,\"h\":{{}},\"g\":{}}}", gate());
    let ruleset = statsig_core::Ruleset::compile(text.replace("\"feature_gates\":{}", &twice).as_bytes()).unwrap();
    let names: Vec<&str> = ruleset.malformed_specs().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["h"]);
    assert_eq!(ruleset.malformed_specs()[0].reason, "the required field `type` is missing");
}

#[test]
fn explanations_say_malformed_and_results_stay_as_they_were() {
    let mut asking = gate();
    asking["rules"][0]["conditions"] = json!(["ask"]);
    let mut payload = specs(&json!({"bad": {"type": 1}, "asking": asking}));
    payload["condition_map"]["ask"] = json!({"type": "pass_gate", "targetValue": "bad", "idType": "userID"});
    let snapshot = Arc::new(Snapshot::new(compile(&payload).unwrap(), SpecOrigin::Network, 1));
    let (user, settings) = (StatsigUser::with_user_id("u"), EvaluationSettings::new());
    let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(1));
    assert_eq!(context.feature_gate("bad", true).details().reason(), "Network:Unrecognized");
    let text = context.explain_gate("bad").to_string();
    assert!(text.contains("malformed, skipped: `type`"), "{text}");
    let text = context.explain_gate("asking").to_string();
    assert!(text.contains("bad: malformed, skipped"), "{text}");
    assert!(context.explain_gate("absent").to_string().contains("there is no gate of this name"));
}
