//! The later formats, which tell exposures and values once.

use serde_json::{Value, json};
use statsig_core::{ClientInitializeOptions, HashAlgorithm, ResponseFormat};

use super::project::{Asked, plain};

#[test]
fn the_second_format_refers_to_exposures_by_hash() {
    let v2 = ClientInitializeOptions::new().with_response_format(ResponseFormat::V2);
    for (algorithm, gate, id) in [
        (HashAlgorithm::Djb2, "2726547849", "3666106347"),
        (HashAlgorithm::None, "gate_pub", "2784693990"),
        (HashAlgorithm::Sha256, "", ""),
    ] {
        let response = Asked::new().json(&v2.clone().with_hash_algorithm(algorithm));
        let nested =
            response["feature_gates"].as_object().unwrap().values().find(|entry| entry["rule_id"] == "rN").unwrap();
        let first = nested["secondary_exposures"][0].as_str().unwrap();
        let exposure = &response["exposures"][first];
        assert_eq!((&exposure["gateValue"], &exposure["ruleID"]), (&json!("true"), &json!("rPub")));
        if !id.is_empty() {
            assert_eq!((first, exposure["gate"].as_str()), (id, Some(gate)));
        }
        assert!(response.get("values").is_none() && response.get("response_format").is_none());
        assert_eq!(nested["id_type"], "userID");
    }
}

#[test]
fn the_second_format_leaves_rules_of_parameters_out() {
    let mut document = super::project::document();
    document["layer_configs"]["layer_2"]["useNewLayerEval"] = true.into();
    let asked = Asked::of(&document);
    let has_rules = |format| {
        asked.json(&plain().with_response_format(format))["layer_configs"]["layer_2"]
            .get("parameter_rule_ids")
            .is_some()
    };
    assert!(has_rules(ResponseFormat::V1) && !has_rules(ResponseFormat::V2) && !has_rules(ResponseFormat::InitV2));
}

#[test]
fn the_short_format_leaves_defaults_out() {
    let response = Asked::new().json(&plain().with_response_format(ResponseFormat::InitV2));
    assert_eq!(response["response_format"], "init-v2");
    let gates = &response["feature_gates"];
    assert_eq!(gates["gate_pub"], json!({"v": true, "r": "rPub", "i": "userID"}));
    assert_eq!(gates["off"], json!({"i": "userID"}));
    assert_eq!(gates["gate_nested"], json!({"v": true, "r": "rN", "s": ["0"], "i": "userID"}));
    assert_eq!(response["exposures"]["0"], json!({"gate": "gate_pub", "gateValue": "true", "ruleID": "rPub"}));

    let value_of = |entry: &Value| response["values"][entry["v"].as_str().unwrap()].clone();
    let configs = &response["dynamic_configs"];
    assert_eq!(value_of(&configs["config"]), json!({"n": 2.0}));
    assert_eq!((&configs["config"]["p"], configs["stable"].get("p")), (&json!(true), None));
    assert_eq!(value_of(&configs["odd_config"]), json!(null));
    let experiment = &configs["exp_layer"];
    assert_eq!(
        (&experiment["gn"], &experiment["ea"], &experiment["ue"], &experiment["r"], &experiment["s"]),
        (&json!("Test"), &json!(true), &json!(true), &json!("gLay"), &json!(["0"]))
    );
    let layer = &response["layer_configs"]["layer_1"];
    assert_eq!(layer["v"], experiment["v"], "equal values share an id");
    assert_eq!((&layer["ae"], &layer["ep"], &layer["us"]), (&json!("exp_layer"), &json!(["a"]), &layer["s"]));
    let own = &response["layer_configs"]["layer_2"];
    for key in ["r", "ae", "ep", "gn", "ea", "ue"] {
        assert!(own.get(key).is_none(), "{own}");
    }
    // Ids are counted in the order of use.
    for table in ["exposures", "values"] {
        let ids: Vec<String> = response[table].as_object().unwrap().keys().cloned().collect();
        assert!(ids.iter().enumerate().all(|(at, id)| *id == at.to_string()), "{ids:?}");
    }
}
