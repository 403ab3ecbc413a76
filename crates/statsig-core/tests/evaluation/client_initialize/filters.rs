//! What is left out.

use statsig_core::ClientInitializeOptions;

use serde_json::json;

use super::project::{Asked, document, names, plain};

const NOBODY: [&str; 0] = [];

/// Names in all sections.
fn everything(asked: &Asked, options: &ClientInitializeOptions) -> Vec<String> {
    let response = asked.json(options);
    ["feature_gates", "dynamic_configs", "layer_configs", "param_stores"]
        .into_iter()
        .flat_map(|section| names(&response, section))
        .collect()
}

#[test]
fn filters_touch_one_kind_each() {
    let asked = Asked::new();
    let all = everything(&asked, &plain());
    let gates = ["gate_nested", "gate_pub", "held", "in_web", "off", "off_after_asking", "unsupported"];
    let experiments = ["bandit", "exp_layer", "odd_config"];
    for (one, none, kind, kept) in [
        (plain().with_feature_gate_filter(["off"]), plain().with_feature_gate_filter(NOBODY), &gates[..], "off"),
        (
            plain().with_experiment_filter(["bandit"]),
            plain().with_experiment_filter(NOBODY),
            &experiments[..],
            "bandit",
        ),
        (
            plain().with_dynamic_config_filter(["config", "off", "exp_layer"]),
            plain().with_dynamic_config_filter(NOBODY),
            &["config", "stable"][..],
            "config",
        ),
        (
            plain().with_layer_filter(["layer_2"]),
            plain().with_layer_filter(NOBODY),
            &["layer_1", "layer_2"][..],
            "layer_2",
        ),
        (plain().with_param_store_filter(["store"]), plain().with_param_store_filter(NOBODY), &["store"][..], "store"),
    ] {
        let without: Vec<&String> = all.iter().filter(|name| !kind.contains(&name.as_str())).collect();
        assert_eq!(everything(&asked, &none).iter().collect::<Vec<_>>(), without);
        let with: Vec<&String> = all.iter().filter(|&name| name == kept || without.contains(&name)).collect();
        assert_eq!(everything(&asked, &one).iter().collect::<Vec<_>>(), with);
    }
}

#[test]
fn an_autotune_obeys_no_filter() {
    let options = plain()
        .with_feature_gate_filter(NOBODY)
        .with_experiment_filter(NOBODY)
        .with_dynamic_config_filter(NOBODY)
        .with_layer_filter(NOBODY)
        .with_param_store_filter(NOBODY);
    assert_eq!(everything(&Asked::new(), &options), ["autotune"]);
}

#[test]
fn gates_that_are_off_by_default_can_go() {
    let gates = Asked::new().names("feature_gates", &plain().with_default_value_gates_removed(true));
    // Others were asked by `off_after_asking` and `held`; `unsupported` has no rule.
    assert_eq!(gates, ["gate_nested", "gate_pub", "held", "off_after_asking", "unsupported"]);
}

#[test]
fn experiments_in_layers_can_go() {
    let configs = Asked::new().names("dynamic_configs", &plain().with_experiments_in_layers_removed(true));
    assert_eq!(configs, ["autotune", "bandit", "config", "odd_config", "stable"]);
}

#[test]
fn id_types_can_go() {
    let response = Asked::new().json(&plain().with_id_type_removed(true));
    for section in ["feature_gates", "dynamic_configs", "layer_configs"] {
        for entry in response[section].as_object().unwrap().values() {
            assert!(entry.get("id_type").is_none() && entry.get("rule_id").is_some(), "{entry}");
        }
    }
    // What follows from it stays.
    assert_eq!(response["dynamic_configs"]["stable"]["is_device_based"], json!(true));
}

#[test]
fn an_app_gets_what_is_for_it() {
    let mut document = document();
    document["app_id"] = "server".into();
    document["sdk_keys_to_app_ids"] = json!({"client-web": "web"});
    document["feature_gates"]["in_web"]["targetAppIDs"] = json!(["web", "ios"]);
    document["cmab_configs"]["bandit"]["targetAppIDs"] = json!(["ios"]);
    document["param_stores"]["store"]["targetAppIDs"] = json!(["web"]);
    let asked = Asked::of(&document);
    let all = everything(&asked, &plain()).len();
    let is_in_web = |options: &ClientInitializeOptions| asked.json(options)["feature_gates"]["in_web"]["value"].clone();

    let web = plain().with_client_sdk_key("client-web");
    assert_eq!(everything(&asked, &web), ["in_web", "store"]);
    assert_eq!(is_in_web(&web), json!(true));
    let ios = web.with_target_app_id("ios");
    assert_eq!(everything(&asked, &ios), ["in_web", "bandit"]);
    assert_eq!(is_in_web(&ios), json!(false));
    assert_eq!(everything(&asked, &plain().with_target_app_id("other")), NOBODY);
    assert_eq!(everything(&asked, &plain().with_target_app_id("")).len(), all);

    // An unknown key shows everything, and says so.
    let unknown = plain().with_client_sdk_key("client-tv");
    assert_eq!(everything(&asked, &unknown).len(), all);
    assert!(asked.text(&unknown).1.unknown_client_key && !asked.text(&plain()).1.unknown_client_key);
}
