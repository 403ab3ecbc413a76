use serde_json::{Value, json};
use statsig::{ClientInitializeOptions, Getters, HashAlgorithm, StatsigUser};

use super::{client, user};
use crate::specs::{
    ConditionInput, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder,
    ParameterType, ProjectBuilder,
};

#[test]
fn an_empty_project_is_one() {
    let statsig = client(&ProjectBuilder::default());
    assert!(statsig.get_feature_gate_list().is_empty());
    assert_eq!(statsig.snapshot().ruleset().meta().time, ProjectBuilder::TIME_MS);
}

#[test]
fn what_stands_at_the_top() {
    let project = ProjectBuilder::new()
        .time(1_750_000_000_000)
        .checksum("sum")
        .company_id("acme")
        .default_environment("development")
        .set("sdk_flags", json!({"flag": true}))
        .gate(GateBuilder::new("dev").when(ConditionInput::environment_tier().is_any_of(["development"])));
    let statsig = client(&project);
    assert_eq!(statsig.snapshot().ruleset().meta().time, 1_750_000_000_000);
    assert!(statsig.check_gate(&user("u"), "dev"));
    let document = project.to_json();
    assert_eq!((&document["checksum"], &document["company_id"]), (&json!("sum"), &json!("acme")));
    assert_eq!(serde_json::from_slice::<Value>(&project.build()).unwrap(), document);
}

#[test]
fn configs() {
    let config = DynamicConfigBuilder::new("limits", json!({"uploads": 10}))
        .when(ConditionInput::user_field("plan").is_any_of(["pro"]), json!({"uploads": 100}));
    let statsig = client(&ProjectBuilder::new().config(config));
    let pro = StatsigUser::builder().user_id("u").custom("plan", "pro").build();
    assert_eq!(statsig.get_dynamic_config(&pro, "limits").get_i64("uploads", 0), 100);
    assert_eq!(statsig.get_dynamic_config(&user("u"), "limits").get_i64("uploads", 0), 10);
    assert_eq!(statsig.get_dynamic_config_list(), ["limits"]);
}

#[test]
fn parameter_stores() {
    let store = ParameterStoreBuilder::new("web")
        .value("title", "Welcome")
        .by_gate("greeting", "formal", "Good day", "Hello")
        .from_config("uploads", ParameterType::Number, "limits", "uploads")
        .from_experiment("color", ParameterType::String, "colors", "color")
        .from_layer("columns", ParameterType::Number, "page", "columns")
        .target_apps(["web-app"]);
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("formal").for_ids(["ada"]))
            .config(DynamicConfigBuilder::new("limits", json!({"uploads": 10})))
            .experiment(ExperimentBuilder::new("colors").group("Only", json!({"color": "red"})))
            .layer(LayerBuilder::new("page", json!({"columns": 2})))
            .parameter_store(store),
    );
    let store = statsig.get_parameter_store(&user("ada"), "web");
    assert_eq!(store.parameter_names(), ["color", "columns", "greeting", "title", "uploads"]);
    assert_eq!(store.get_string("title", ""), "Welcome");
    assert_eq!(store.get_string("greeting", ""), "Good day");
    assert_eq!(store.get_i64("uploads", 0), 10);
    assert_eq!(store.get_string("color", ""), "red");
    assert_eq!(store.get_i64("columns", 0), 2);
    assert_eq!(statsig.get_parameter_store(&user("bob"), "web").get_string("greeting", ""), "Hello");
}

#[test]
fn apps_of_client_keys() {
    let statsig = client(
        &ProjectBuilder::new()
            .client_key("client-web", "web-app")
            .gate(GateBuilder::on("web").target_apps(["web-app"]))
            .gate(GateBuilder::on("ios").target_apps(["ios-app"])),
    );
    let options =
        ClientInitializeOptions::new().with_hash_algorithm(HashAlgorithm::None).with_client_sdk_key("client-web");
    let response = statsig.get_client_initialize_response_as_string(&user("u"), &options);
    let gates = serde_json::from_str::<Value>(&response).unwrap()["feature_gates"].clone();
    let names: Vec<&String> = gates.as_object().unwrap().keys().collect();
    assert_eq!(names, ["web"]);
}

#[test]
fn the_last_of_two_counts() {
    let statsig = client(&ProjectBuilder::new().gate(GateBuilder::on("g")).gate(GateBuilder::new("g")));
    assert!(!statsig.check_gate(&user("u"), "g"));
}
