//! Gates, configs and layers.

use serde_json::{Value, json};
use statsig_core::{ClientConfigKind, ClientInitializeOptions, ExperimentOverride, Json, OverrideAdapter, StatsigUser};

use super::project::{Asked, document, plain, rule, spec};

/// An exposure as it is written.
fn exposed(gate: &str, value: &str, rule: &str) -> Value {
    json!({"gate": gate, "gateValue": value, "ruleID": rule})
}

#[test]
fn gates_tell_value_rule_and_exposures() {
    let gates = &Asked::new().json(&plain())["feature_gates"];
    for (name, expected) in [
        (
            "gate_pub",
            json!({"name": "gate_pub", "value": true, "rule_id": "rPub", "secondary_exposures": [], "id_type": "userID"}),
        ),
        (
            "gate_nested",
            json!({"name": "gate_nested", "value": true, "rule_id": "rN", "id_type": "userID",
                   "secondary_exposures": [exposed("gate_pub", "true", "rPub")]}),
        ),
        // A holdout is no entry of its own, but it is exposed.
        (
            "held",
            json!({"name": "held", "value": false, "rule_id": "default", "id_type": "userID",
                   "secondary_exposures": [exposed("holdout", "false", "default")]}),
        ),
        // What was found before the unknown condition stays, the default value does not show.
        (
            "unsupported",
            json!({"name": "unsupported", "value": false, "rule_id": "", "id_type": "userID",
                   "secondary_exposures": [exposed("gate_pub", "true", "rPub")]}),
        ),
    ] {
        assert_eq!(gates[name], expected, "{name}");
    }
}

#[test]
fn segments_and_holdouts_are_no_entries() {
    let gates = Asked::new().names("feature_gates", &plain());
    assert!(!gates.iter().any(|name| name == "segment:all" || name == "holdout"), "{gates:?}");
}

#[test]
fn configs_tell_what_their_kind_has() {
    let configs = &Asked::new().json(&plain())["dynamic_configs"];
    for (name, expected) in [
        (
            "config",
            json!({"name": "config", "value": {"n": 2.0}, "rule_id": "rC", "group": "rC", "secondary_exposures": [],
                   "is_device_based": false, "id_type": "userID", "passed": true}),
        ),
        (
            "stable",
            json!({"name": "stable", "value": {"n": 1}, "rule_id": "default", "group": "default",
                   "secondary_exposures": [], "is_device_based": true, "id_type": "stableID", "passed": false}),
        ),
        (
            "exp_layer",
            json!({"name": "exp_layer", "value": {"a": "exp"}, "rule_id": "gLay", "group": "gLay",
                   "secondary_exposures": [exposed("gate_pub", "true", "rPub")], "is_device_based": false,
                   "id_type": "userID", "group_name": "Test", "is_user_in_experiment": true,
                   "is_experiment_active": true, "is_in_layer": true, "explicit_parameters": ["a"]}),
        ),
        (
            "autotune",
            json!({"name": "autotune", "value": {"arm": 1}, "rule_id": "rA", "group": "rA", "secondary_exposures": [],
                   "is_device_based": false, "id_type": "userID", "group_name": "Arm"}),
        ),
        (
            "bandit",
            json!({"name": "bandit", "value": {"arm": "a"}, "rule_id": "ga:explore", "group": "ga:explore",
                   "secondary_exposures": [], "is_device_based": false, "id_type": "userID", "group_name": "A"}),
        ),
        (
            "odd_config",
            json!({"name": "odd_config", "value": null, "rule_id": "", "group": "", "secondary_exposures": [],
                   "is_device_based": false, "id_type": "userID", "is_user_in_experiment": false,
                   "is_experiment_active": false}),
        ),
    ] {
        assert_eq!(configs[name], expected, "{name}");
    }
}

#[test]
fn a_bandit_takes_the_place_of_a_config_with_its_name() {
    let mut document = document();
    document["dynamic_configs"]["bandit"] = spec("experiment", json!({"no": 1}), vec![]);
    let asked = Asked::of(&document);
    let response = asked.json(&plain());
    assert_eq!(response["dynamic_configs"]["bandit"]["value"], json!({"arm": "a"}));
    assert!(response["dynamic_configs"]["bandit"].get("is_experiment_active").is_none());
    let text = asked.text(&plain()).0;
    assert_eq!(text.matches(r#""bandit":{"#).count(), 1, "{text}");
}

/// The layer's rule asks a gate that itself asks another and a segment; the experiment asks the
/// first one again.
#[test]
fn a_layer_shows_the_experiment_that_it_hands_over_to() {
    let layers = &Asked::new().json(&ClientInitializeOptions::new())["layer_configs"];
    let exposures = [exposed("2726547849", "true", "rPub"), exposed("94054123", "true", "rN")];
    assert_eq!(
        layers["4253012163"],
        json!({"name": "4253012163", "rule_id": "gLay", "group": "gLay", "group_name": "Test", "value": {"a": "exp"},
               "id_type": "userID", "is_device_based": false, "is_experiment_active": true,
               "is_user_in_experiment": true, "allocated_experiment_name": "4253218991", "explicit_parameters": ["a"],
               "secondary_exposures": exposures, "undelegated_secondary_exposures": exposures})
    );
}

#[test]
fn a_layer_of_its_own_has_no_experiment() {
    let layers = &Asked::new().json(&plain())["layer_configs"];
    let exposures = [exposed("holdout", "false", "default"), exposed("held", "false", "default")];
    assert_eq!(
        layers["layer_2"],
        json!({"name": "layer_2", "rule_id": "default", "group": "default", "value": {"b": 1}, "id_type": "userID",
               "is_device_based": false, "explicit_parameters": [], "secondary_exposures": exposures,
               "undelegated_secondary_exposures": exposures})
    );
}

#[test]
fn a_merging_layer_tells_where_its_parameters_come_from() {
    let mut document = document();
    let mut merging = spec("layer", json!({"x": 0, "y": 0}), vec![rule("rX", &["public"], json!({"x": 1}))]);
    merging["useNewLayerEval"] = true.into();
    document["layer_configs"]["merging"] = merging;
    let layer = &Asked::of(&document).json(&plain())["layer_configs"]["merging"];
    assert_eq!(layer["value"], json!({"x": 1, "y": 0}));
    assert_eq!(layer["parameter_rule_ids"], json!({"x": "rX", "y": "default"}));
}

#[test]
fn a_cycle_costs_only_those_who_ask() {
    let asked = Asked::new();
    let (text, summary) = asked.text(&plain());
    let response: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary.left_out, 2);
    for gate in ["loop", "asks_loop"] {
        assert!(response["feature_gates"].get(gate).is_none(), "{gate}");
    }
    assert_eq!(response["feature_gates"].as_object().unwrap().len(), 7);
    assert_eq!(response["has_updates"], json!(true));
}

/// Overrides one of each kind.
struct Overrides;

impl OverrideAdapter for Overrides {
    fn gate(&self, name: &str, _: &StatsigUser) -> Option<bool> {
        (name == "gate_pub").then_some(false)
    }

    fn dynamic_config(&self, name: &str, _: &StatsigUser) -> Option<Json> {
        (name == "config").then(|| json!({"mine": true}).into())
    }

    fn experiment(&self, name: &str, _: &StatsigUser) -> Option<ExperimentOverride> {
        match name {
            "exp_layer" => Some(ExperimentOverride::Group("Test".to_owned())),
            "odd_config" => Some(ExperimentOverride::Group("No such group".to_owned())),
            _ => None,
        }
    }

    fn layer(&self, name: &str, _: &StatsigUser) -> Option<Json> {
        (name == "layer_2").then(|| json!({"mine": 2}).into())
    }
}

#[test]
fn overrides_show_only_when_asked_for() {
    let without = Asked::new();
    let mut with = Asked::new();
    with.overrides = Some(Box::new(Overrides));
    assert_eq!(with.text(&plain()), without.text(&plain()));

    let response = with.json(&plain().with_local_overrides(true));
    assert_eq!(
        response["feature_gates"]["gate_pub"],
        json!({"name": "gate_pub", "value": false, "rule_id": "override", "secondary_exposures": []})
    );
    // A gate that asks the overridden one.
    assert_eq!(
        response["feature_gates"]["gate_nested"],
        json!({"name": "gate_nested", "value": false, "rule_id": "default", "id_type": "userID",
               "secondary_exposures": [exposed("gate_pub", "false", "override")]})
    );
    let overridden = |name: &str, value: Value| {
        json!({"name": name, "value": value, "rule_id": "override", "group": "override", "secondary_exposures": [],
               "is_device_based": false, "id_type": ""})
    };
    let mut config = overridden("config", json!({"mine": true}));
    config["passed"] = false.into();
    assert_eq!(response["dynamic_configs"]["config"], config);
    for (name, value) in [("exp_layer", json!({"a": "exp"})), ("odd_config", json!(null))] {
        let mut experiment = overridden(name, value);
        experiment["is_user_in_experiment"] = false.into();
        experiment["is_experiment_active"] = false.into();
        assert_eq!(response["dynamic_configs"][name], experiment);
    }
    let mut layer = overridden("layer_2", json!({"mine": 2}));
    layer["explicit_parameters"] = json!([]);
    layer["undelegated_secondary_exposures"] = json!([]);
    assert_eq!(response["layer_configs"]["layer_2"], layer);
}

#[test]
fn an_overridden_experiment_shows_in_its_layer() {
    struct Experiment;
    impl OverrideAdapter for Experiment {
        fn experiment(&self, name: &str, _: &StatsigUser) -> Option<ExperimentOverride> {
            (name == "exp_layer").then(|| ExperimentOverride::Value(json!({"a": "mine"}).into()))
        }
    }
    let mut asked = Asked::new();
    asked.overrides = Some(Box::new(Experiment));
    let layer = &asked.json(&plain().with_local_overrides(true))["layer_configs"]["layer_1"];
    assert_eq!(
        (&layer["value"], &layer["rule_id"], &layer["allocated_experiment_name"], &layer["id_type"]),
        (&json!({"a": "mine"}), &json!("override"), &json!("exp_layer"), &json!("userID"))
    );
}

#[test]
fn entries_can_be_read_without_json() {
    Asked::new().with(|context| {
        let response = context.client_initialize_response(&ClientInitializeOptions::new());
        let gate = response.feature_gates().find(|gate| gate.plain_name() == "gate_nested").unwrap();
        assert_eq!((gate.name().as_str(), gate.value(), &*gate.rule_id()), ("94054123", true, "rN"));
        let exposure = gate.secondary_exposures().next().unwrap();
        assert_eq!((exposure.gate.as_str(), exposure.value, exposure.rule_id), ("2726547849", true, "rPub"));
        let bandit = response.dynamic_configs().find(|config| config.plain_name() == "bandit").unwrap();
        assert_eq!((bandit.kind(), &*bandit.rule_id()), (ClientConfigKind::Autotune, "ga:explore"));
        let layer = response.layers().find(|layer| layer.plain_name() == "layer_1").unwrap();
        assert_eq!(
            (layer.allocated_experiment(), layer.value().get("a").and_then(|a| a.as_str())),
            (Some("exp_layer"), Some("exp"))
        );
        assert_eq!(layer.explicit_parameters().collect::<Vec<_>>(), ["a"]);
        let store = response.parameter_stores().next().unwrap();
        assert_eq!(store.parameter_names().collect::<Vec<_>>(), ["config", "experiment", "gate", "layer", "static"]);
        assert_eq!(response.time(), 1_700_000_000_000);
    });
}
