//! Parameter stores: what a parameter resolves to, and what it exposes.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use statsig::{
    EvaluationOptions, ExperimentEvaluationOptions, InMemoryPersistentStorage, ParameterStore, Statsig,
    UserPersistedValues,
};
use statsig_testkit::specs::{
    DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder, ParameterType,
    ProjectBuilder,
};

use super::support::{Logged, client, user};

fn project() -> ProjectBuilder {
    let text = ParameterType::String;
    let store = ParameterStoreBuilder::new("store")
        .value("static", "own")
        .value("null", Value::Null)
        .by_gate("gate", "gate", "passed", "failed")
        .by_gate("no_gate", "none", "passed", "failed")
        .from_config("config", text, "config", "p")
        .from_experiment("experiment", text, "experiment", "p")
        .from_layer("layer", text, "layer", "p")
        .from_config("no_config", text, "none", "p")
        .from_experiment("no_experiment", text, "none", "p")
        .from_layer("no_layer", text, "none", "p")
        .from_config("no_config_param", text, "config", "none")
        .from_experiment("no_experiment_param", text, "experiment", "none")
        .from_layer("no_layer_param", text, "layer", "none");
    ProjectBuilder::new()
        .gate(GateBuilder::new("gate").for_ids(["ada"]))
        .config(DynamicConfigBuilder::new("config", json!({"p": "of the config"})))
        .experiment(ExperimentBuilder::new("experiment").group("Only", json!({"p": "of the experiment"})))
        .layer(LayerBuilder::new("layer", json!({"p": "of the layer"})))
        .parameter_store(store)
}

/// What each parameter resolves to, and what reading it exposes.
fn table() -> Vec<(&'static str, Option<&'static str>, &'static [&'static str])> {
    vec![
        ("static", Some("own"), &[]),
        ("null", None, &[]),
        ("gate", Some("passed"), &["gate gate"]),
        ("no_gate", Some("failed"), &["gate none"]),
        ("config", Some("of the config"), &["config config"]),
        ("experiment", Some("of the experiment"), &["config experiment"]),
        ("layer", Some("of the layer"), &["layer layer p"]),
        ("no_config", None, &["config none"]),
        ("no_experiment", None, &["config none"]),
        ("no_layer", None, &[]),
        ("no_config_param", None, &["config config"]),
        ("no_experiment_param", None, &["config experiment"]),
        ("no_layer_param", None, &[]),
        ("absent", None, &[]),
    ]
}

/// Exposures without the count of the store itself.
fn exposed(logged: &Logged) -> Vec<String> {
    logged.exposures().into_iter().filter(|exposure| !exposure.starts_with("not exposed")).collect()
}

#[test]
fn what_parameters_resolve_to_and_expose() {
    for (parameter, value, exposures) in table() {
        let logged = Logged::new(&project());
        let store = logged.statsig.get_parameter_store(&user("ada"), "store");
        assert_eq!(exposed(&logged), [""; 0], "obtaining the store exposes nothing");
        assert_eq!(store.get_string(parameter, "fallback"), value.unwrap_or("fallback"), "{parameter}");
        assert_eq!(exposed(&logged), exposures, "{parameter}");
    }
}

#[test]
fn gates_pick_by_user() {
    let statsig = client(&project());
    for (id, value) in [("ada", "passed"), ("bob", "failed")] {
        assert_eq!(statsig.get_parameter_store(&user(id), "store").get_string("gate", ""), value);
    }
}

/// Every getter gives its fallback for a text, except those that take one.
#[test]
fn other_types_give_the_fallback() {
    let statsig = client(&project());
    let store = statsig.get_parameter_store(&user("ada"), "store");
    let object = Map::from_iter([("f".to_owned(), Value::Null)]);
    for (parameter, value, _) in table() {
        assert!(store.get_bool(parameter, true), "{parameter}");
        assert_eq!(store.get_f64(parameter, 0.5), 0.5, "{parameter}");
        assert_eq!(store.get_i64(parameter, 5), 5, "{parameter}");
        assert_eq!(store.get_array(parameter, vec![Value::Null]), [Value::Null], "{parameter}");
        assert_eq!(store.get_object(parameter, object.clone()), object, "{parameter}");
        assert_eq!(store.get(parameter, 5_u8), 5, "{parameter}");
        let raw = if parameter == "null" { Some(Value::Null) } else { value.map(Value::from) };
        assert_eq!(store.get_value(parameter), raw, "{parameter}");
    }
}

/// A value that is not returned is no read of the layer; the others were checked all the same.
#[test]
fn exposures_of_other_types() {
    for (parameter, exposures) in [
        ("gate", &["gate gate"][..]),
        ("config", &["config config"]),
        ("experiment", &["config experiment"]),
        ("layer", &[]),
    ] {
        let logged = Logged::new(&project());
        let _ = logged.statsig.get_parameter_store(&user("ada"), "store").get_i64(parameter, 0);
        assert_eq!(exposed(&logged), exposures, "{parameter}");
    }
}

#[test]
fn without_exposure_checks_are_counted() {
    let logged = Logged::new(&project());
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    let store = logged.statsig.get_parameter_store_with_options(&user("ada"), "store", quietly);
    assert_eq!(logged.exposures(), [r#"not exposed {"store":1}"#]);
    for parameter in ["static", "gate", "config", "experiment"] {
        assert_ne!(store.get_string(parameter, "f"), "f");
    }
    assert_eq!(logged.exposures(), [r#"not exposed {"config":1,"experiment":1,"gate":1}"#]);
    // Obtaining it counts with exposures on, too.
    let _ = logged.statsig.get_parameter_store(&user("ada"), "store");
    assert_eq!(logged.exposures(), [r#"not exposed {"store":1}"#]);
}

#[test]
fn unknown_stores_are_empty() {
    let statsig = client(&project());
    let store = statsig.get_parameter_store(&user("ada"), "none");
    assert_eq!((store.name(), store.parameter_names().len()), ("none", 0));
    assert_eq!(store.details().reason(), "Bootstrap:Unrecognized");
    assert_eq!(store.get_string("static", "fallback"), "fallback");
    let known = statsig.get_parameter_store(&user("ada"), "store");
    assert_eq!((known.name(), known.details().reason().as_str()), ("store", "Bootstrap:Recognized"));
    assert_eq!(statsig.get_parameter_store_list(), ["store"]);
}

/// A store holds its client, and stays with the specs that it was read from.
#[test]
fn stores_can_be_kept() {
    let store: ParameterStore = client(&project()).get_parameter_store(&user("ada"), "store");
    assert_eq!(store.get_string("config", ""), "of the config");

    let statsig = client(&project());
    let store = statsig.get_parameter_store(&user("ada"), "store");
    statsig.update_specs(ProjectBuilder::new().time(ProjectBuilder::TIME_MS + 1).build()).unwrap();
    assert_eq!(store.get_string("config", ""), "of the config");
    assert_eq!(statsig.get_parameter_store(&user("ada"), "store").get_string("config", "gone"), "gone");
}

/// Parameters are read without kept values, which ends an assignment as any plain read does.
#[test]
fn kept_assignments_are_not_passed_on() {
    let storage = Arc::new(InMemoryPersistentStorage::new());
    let builder = Statsig::builder().bootstrap(project().build());
    let statsig = builder.persistent_storage(storage.clone()).build().unwrap();
    let sticky = ExperimentEvaluationOptions::new().with_user_persisted_values(UserPersistedValues::new());
    let _ = statsig.get_experiment_with_options(&user("ada"), "experiment", &sticky);
    let kept = || storage.values("ada:userID").len();
    assert_eq!(kept(), 1);
    let store = statsig.get_parameter_store(&user("ada"), "store");
    assert_eq!((store.get_string("static", ""), kept()), ("own".to_owned(), 1));
    assert_eq!((store.get_string("experiment", ""), kept()), ("of the experiment".to_owned(), 0));
}
