//! Typed reads: which stored value is which type's, and which read is an exposure.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use statsig::{Getters, LayerEvaluationOptions, ParameterStore, Statsig};
use statsig_testkit::specs::{
    DynamicConfigBuilder, ExperimentBuilder, LayerBuilder, ParameterStoreBuilder, ParameterType, ProjectBuilder,
};

use super::support::{Logged, client, user};

/// One parameter of each kind.
fn values() -> Value {
    json!({
        "true": true, "int": 3, "one": 1.0, "float": 2.5, "text": "t", "digits": "3", "null": null,
        "array": [1, "b"], "object": {"a": 1},
        "big": 9_007_199_254_740_993_i64, "huge": u64::MAX,
    })
}

fn project() -> ProjectBuilder {
    let store = values()
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .fold(ParameterStoreBuilder::new("static"), |store, (name, value)| store.value(name, value));
    let from_layer =
        values().as_object().unwrap().keys().fold(ParameterStoreBuilder::new("from_layer"), |store, name| {
            store.from_layer(name, ParameterType::Object, "layer", name)
        });
    ProjectBuilder::new()
        .config(DynamicConfigBuilder::new("config", values()))
        .experiment(ExperimentBuilder::new("experiment").group("Only", values()))
        .layer(LayerBuilder::new("layer", values()))
        .parameter_store(store)
        .parameter_store(from_layer)
}

/// What a parameter reads as, by each getter; `None` where it does not.
#[derive(Debug, PartialEq, Default, Clone)]
struct Read {
    bool: Option<bool>,
    f64: Option<f64>,
    i64: Option<i64>,
    string: Option<String>,
    array: Option<Vec<Value>>,
    object: Option<Map<String, Value>>,
}

fn table() -> Vec<(&'static str, Read)> {
    let none = Read::default;
    vec![
        ("true", Read { bool: Some(true), ..none() }),
        // An integer is a float, a float never an integer.
        ("int", Read { f64: Some(3.0), i64: Some(3), ..none() }),
        ("one", Read { f64: Some(1.0), ..none() }),
        ("float", Read { f64: Some(2.5), ..none() }),
        ("text", Read { string: Some("t".to_owned()), ..none() }),
        // No getter reads digits for a number.
        ("digits", Read { string: Some("3".to_owned()), ..none() }),
        ("null", none()),
        ("array", Read { array: Some(vec![json!(1), json!("b")]), ..none() }),
        ("object", Read { object: json!({"a": 1}).as_object().cloned(), ..none() }),
        ("big", Read { f64: Some(9_007_199_254_740_992.0), i64: Some(9_007_199_254_740_993), ..none() }),
        ("huge", Read { f64: Some(18_446_744_073_709_551_615.0), ..none() }),
        ("absent", none()),
    ]
}

fn read_opt(from: &impl Getters, name: &str) -> Read {
    Read {
        bool: from.get_bool_opt(name),
        f64: from.get_f64_opt(name),
        i64: from.get_i64_opt(name),
        string: from.get_str_opt(name).map(str::to_owned),
        array: from.get_array_opt(name),
        object: from.get_object_opt(name),
    }
}

/// By the getters with a fallback: a value that comes back whatever the fallback is the parameter's.
macro_rules! read_or {
    ($from:expr, $name:expr) => {{
        fn unless_different<T: PartialEq>(first: T, second: T) -> Option<T> {
            (first == second).then_some(first)
        }
        let (from, name) = ($from, $name);
        let fallback = |text: &str| Map::from_iter([(text.to_owned(), Value::Null)]);
        Read {
            bool: unless_different(from.get_bool(name, true), from.get_bool(name, false)),
            f64: unless_different(from.get_f64(name, -1.0), from.get_f64(name, -2.0)),
            i64: unless_different(from.get_i64(name, -1), from.get_i64(name, -2)),
            string: unless_different(from.get_string(name, "x"), from.get_string(name, "y")),
            array: unless_different(from.get_array(name, vec![]), from.get_array(name, vec![Value::Null])),
            object: unless_different(from.get_object(name, fallback("x")), from.get_object(name, fallback("y"))),
        }
    }};
}

#[test]
fn every_kind_by_every_getter_of_everything() {
    let statsig = client(&project());
    let user = user("u");
    let config = statsig.get_dynamic_config(&user, "config");
    let experiment = statsig.get_experiment(&user, "experiment");
    let layer = statsig.get_layer(&user, "layer");
    let stores = ["static", "from_layer"].map(|name| statsig.get_parameter_store(&user, name));
    for (name, expected) in table() {
        for (of, found) in [
            ("config", read_opt(&config, name)),
            ("experiment", read_opt(&experiment, name)),
            ("layer", read_opt(&layer, name)),
            ("config", read_or!(&config, name)),
            ("experiment", read_or!(&experiment, name)),
            ("layer", read_or!(&layer, name)),
            ("store", read_or!(&stores[0], name)),
            ("store of a layer", read_or!(&stores[1], name)),
        ] {
            assert_eq!(found, expected, "{name} of the {of}");
        }
    }
}

/// What is unknown has no parameters, and every fallback comes back.
#[test]
fn unknown_names_give_fallbacks() {
    let statsig = client(&project());
    let user = user("u");
    assert_eq!(read_opt(&statsig.get_dynamic_config(&user, "none"), "int"), Read::default());
    assert_eq!(read_opt(&statsig.get_experiment(&user, "none"), "int"), Read::default());
    assert_eq!(read_opt(&statsig.get_layer(&user, "none"), "int"), Read::default());
    assert_eq!(statsig.get_parameter_store(&user, "none").get_i64("int", 9), 9);
}

#[derive(Debug, Deserialize, PartialEq, Clone)]
struct Own {
    a: i32,
}

fn deserialized(statsig: &Statsig) {
    let config = statsig.get_dynamic_config(&user("u"), "config");
    assert_eq!(config.get_opt::<Own>("object"), Some(Own { a: 1 }));
    assert_eq!(config.get("array", Own { a: 7 }), Own { a: 7 });
    assert_eq!(config.get_opt::<u8>("int"), Some(3));
    assert_eq!(config.get_opt::<u8>("big"), None);
    assert_eq!(config.get_opt::<f64>("int"), Some(3.0));
    assert_eq!(config.get_opt::<i64>("one"), None);
    assert_eq!(config.get_opt::<u64>("huge"), Some(u64::MAX));
    assert_eq!(config.get_opt::<(i64, String)>("array"), Some((1, "b".to_owned())));
    // Only what can be nothing is nothing.
    assert_eq!(config.get("null", Some(5)), None);
    assert_eq!(config.get_opt::<Value>("null"), Some(Value::Null));
    assert_eq!(config.get_opt::<i64>("null"), None);
    assert_eq!(config.get_opt::<String>("null"), None);
    assert_eq!(config.get("absent", Some(5)), Some(5));
}

#[test]
fn any_type_that_deserializes() {
    deserialized(&client(&project()));
    let store: ParameterStore = client(&project()).get_parameter_store(&user("u"), "static");
    assert_eq!(store.get("object", Own { a: 7 }), Own { a: 1 });
    assert_eq!(store.get("array", Own { a: 7 }), Own { a: 7 });
    assert_eq!(store.get("one", 7_i64), 7);
    assert_eq!((store.get("null", Some(5)), store.get("absent", Some(5))), (None, Some(5)));
    assert_eq!((store.get_value("null"), store.get_value("absent")), (Some(Value::Null), None));
}

#[test]
fn typed_by_the_kind_of_the_fallback() {
    let config = client(&project()).get_dynamic_config(&user("u"), "config");
    for (name, fallback, expected) in [
        ("int", Some(json!(0.5)), Some(json!(3))),
        ("float", Some(json!(1)), Some(json!(2.5))),
        ("int", Some(json!("f")), Some(json!("f"))),
        ("true", Some(json!(0)), Some(json!(0))),
        ("true", Some(json!(false)), Some(json!(true))),
        ("text", Some(json!("f")), Some(json!("t"))),
        ("array", Some(json!([])), Some(json!([1, "b"]))),
        ("array", Some(json!({})), Some(json!({}))),
        ("object", Some(json!({})), Some(json!({"a": 1}))),
        ("null", Some(json!(1)), Some(json!(1))),
        ("null", Some(Value::Null), Some(Value::Null)),
        ("absent", Some(json!(1)), Some(json!(1))),
        // Without a fallback, whatever it is.
        ("text", None, Some(json!("t"))),
        ("null", None, Some(Value::Null)),
        ("absent", None, None),
    ] {
        assert_eq!(config.get_typed(name, fallback.clone()), expected, "{name} {fallback:?}");
    }
}

/// A layer is exposed exactly when a value of its own other than `null` is returned.
#[test]
fn reads_of_a_layer_are_exposures() {
    type Reader = fn(&statsig::Layer);
    fn read<T>(_: T) {}
    let table: &[(Reader, bool)] = &[
        (|layer| read(layer.get_i64("int", 0)), true),
        (|layer| read(layer.get_f64_opt("int")), true),
        (|layer| read(layer.get_string("text", "")), true),
        (|layer| read(layer.get_str("text", "").len()), true),
        (|layer| read(layer.get_bool("true", false)), true),
        (|layer| read(layer.get_array("array", vec![])), true),
        (|layer| read(layer.get_object_opt("object")), true),
        (|layer| read(layer.get_typed("text", None)), true),
        (|layer| read(layer.get_typed("text", Some(json!("f")))), true),
        (|layer| read(layer.get_raw_value("int").is_some()), true),
        // The fallback comes back.
        (|layer| read(layer.get_i64("text", 0)), false),
        (|layer| read(layer.get_i64("absent", 0)), false),
        (|layer| read(layer.get_i64("one", 0)), false),
        (|layer| read(layer.get_string("null", "")), false),
        (|layer| read(layer.get_opt::<Own>("text")), false),
        (|layer| read(layer.get_typed("text", Some(json!(1)))), false),
        (|layer| read(layer.get_raw_value("absent").is_some()), false),
        // A value of `null` exposes nothing.
        (|layer| read(layer.get_opt::<Option<i64>>("null")), false),
        (|layer| read(layer.get_raw_value("null").is_some()), false),
        (|layer| read(layer.get_typed("null", None)), false),
        // Looks, not reads.
        (|layer| read(layer.get_value("int").is_some()), false),
        (|layer| read(layer.value().to_string()), false),
        (|layer| read(layer.parameter("int")), false),
        (|_| (), false),
    ];
    for (at, (reader, is_exposure)) in table.iter().enumerate() {
        let logged = Logged::new(&project());
        reader(&logged.statsig.get_layer(&user("u"), "layer"));
        let exposures = logged.exposures();
        assert_eq!(exposures.len(), usize::from(*is_exposure), "row {at}: {exposures:?}");
        assert!(exposures.iter().all(|exposure| exposure.starts_with("layer layer ")), "row {at}: {exposures:?}");
    }
}

#[test]
fn reads_without_exposure_are_counted() {
    let logged = Logged::new(&project());
    let quietly = LayerEvaluationOptions::new().with_exposure_logging_disabled(true);
    let layer = logged.statsig.get_layer_with_options(&user("u"), "layer", &quietly);
    let _ = (layer.get_i64("int", 0), layer.get_i64("absent", 0));
    // The call and the read.
    assert_eq!(logged.exposures(), [r#"not exposed {"layer":2}"#]);
}

/// Reading configs and experiments logs nothing beyond the exposure of the call.
#[test]
fn reads_of_others_are_not() {
    let logged = Logged::new(&project());
    let config = logged.statsig.get_dynamic_config(&user("u"), "config");
    let experiment = logged.statsig.get_experiment(&user("u"), "experiment");
    assert_eq!(logged.exposures(), ["config config", "config experiment"]);
    let _ = (config.get_i64("int", 0), experiment.get_i64("int", 0), config.get_typed("text", None));
    assert_eq!(logged.exposures(), [""; 0]);
}
