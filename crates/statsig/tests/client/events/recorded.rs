//! Events whose form was recorded from the official core.

use serde_json::json;
use statsig::{Getters, StatsigUser};

use super::golden::{TIMES, exposure};
use super::support::{Logged, specs, user};

/// The specs with layers in which no gate takes part: without a rule, with a rule of their own, with
/// delegates, and with rules that are merged.
fn layers_without_gates() -> Vec<u8> {
    specs(|specs| {
        let mut layer = specs["layer_configs"]["home_layer"].clone();
        layer["defaultValue"] = json!({"size": 1, "nothing": null});
        let rule = |id: &str, delegate: Option<&str>| {
            let mut rule = json!({"name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": ["all"],
                "returnValue": {"size": 2, "nothing": null}, "idType": "userID"});
            if let Some(name) = delegate {
                rule["configDelegate"] = name.into();
            }
            rule
        };
        let rules = [
            ("bare", vec![]),
            ("own", vec![rule("own", None)]),
            ("missing", vec![rule("missing", Some("no_such_experiment"))]),
            ("delegating", vec![rule("handed_over", Some("unmatched_exp"))]),
        ];
        for (name, rules) in rules {
            layer["rules"] = rules.into();
            specs["layer_configs"][name] = layer.clone();
        }
        layer["rules"] = json!([rule("merged", None)]);
        layer["useNewLayerEval"] = true.into();
        specs["layer_configs"]["merging"] = layer;
        let mut experiment = specs["dynamic_configs"]["home_exp"].clone();
        experiment["rules"] = json!([]);
        experiment["defaultValue"] = json!({"size": 7});
        specs["dynamic_configs"]["unmatched_exp"] = experiment;
        specs["param_stores"]["layers"] = json!({"parameters": {"size": {
            "ref_type": "layer", "param_type": "number", "layer_name": "own", "param_name": "size"}}});
    })
}

/// Recorded from the official core: an empty list is `null` only where the layer's own rule decided.
#[test]
fn layers_name_no_gates_where_none_took_part() {
    let logged = Logged::with(layers_without_gates(), |builder| builder);
    let statsig = &logged.statsig;
    let lists = || -> Vec<String> {
        let events = logged.events();
        events.iter().map(|event| event["secondaryExposures"].to_string()).collect()
    };
    for (layer, expected) in
        [("bare", "null"), ("own", "null"), ("missing", "null"), ("delegating", "[]"), ("merging", "[]")]
    {
        assert_ne!(statsig.get_layer(&user(), layer).get_i64("size", 0), 0);
        statsig.manually_log_layer_parameter_exposure(&StatsigUser::with_user_id("u2"), layer, "size");
        assert_eq!(lists(), [expected; 2], "{layer}");
    }
    statsig.manually_log_layer_parameter_exposure(&user(), "ghost", "size");
    assert_eq!(lists(), ["null"]);
    statsig.override_layer("delegating", json!({"size": 5}), None);
    assert_eq!(statsig.get_layer(&user(), "delegating").get_i64("size", 0), 5);
    assert_eq!(lists(), ["null"]);
    let _ = statsig.get_parameter_store(&user(), "layers").get_f64("size", 0.0);
    assert_eq!(lists()[0], "[]", "read by the SDK itself");
}

/// Recorded from the official binding.
#[test]
fn a_parameter_that_is_null_exposes_nothing_unless_by_hand() {
    let logged = Logged::with(layers_without_gates(), |builder| builder);
    let layer = logged.statsig.get_layer(&user(), "own");
    let raw = layer.get_raw_value("nothing").map(|value| value.to_json());
    assert_eq!(raw, Some(serde_json::Value::Null));
    assert_eq!((layer.get_opt::<Option<String>>("nothing"), layer.get_typed("nothing", None)), (Some(None), raw));
    assert_eq!(logged.text(), "");
    logged.statsig.manually_log_layer_parameter_exposure(&user(), "own", "nothing");
    let manual = format!(
        r#""config":"own","ruleID":"own","allocatedExperiment":"","parameterName":"nothing","isExplicitParameter":"false",{TIMES},"isManualExposure":"true""#
    );
    let expected =
        exposure("layer_exposure", &manual, "").replace(r#""secondaryExposures":[]"#, r#""secondaryExposures":null"#);
    assert_eq!(logged.text(), expected);
}

/// Recorded from the official core, in an environment for tests: in shadow mode every kind of
/// exposure carries the mark once its rule was seen.
#[test]
fn exposures_of_every_kind_carry_the_shadow_mark_in_every_environment() {
    let sampled = specs(|specs| {
        specs["sdk_configs"] = json!({"sampling_mode": "shadow", "special_case_sampling_rate": 1});
        specs["layer_configs"]["home_layer"]["rules"][0]["conditions"] = json!(["all"]);
        specs["layer_configs"]["bare"] = specs["layer_configs"]["home_layer"].clone();
        specs["layer_configs"]["bare"]["rules"] = json!([]);
        specs["feature_gates"]["rated"] = specs["feature_gates"]["for_testers"].clone();
        specs["feature_gates"]["rated"]["rules"][0]["conditions"] = json!(["all"]);
        specs["feature_gates"]["rated"]["rules"][0]["samplingRate"] = 1.into();
    });
    for environment in ["production", "development"] {
        let logged = Logged::with(sampled.clone(), |builder| builder.environment(environment));
        let statsig = &logged.statsig;
        let mark =
            |rate: serde_json::Value| json!({"samplingRate": rate, "samplingMode": "shadow", "shadowLogged": "logged"});
        let user = |id: &str| StatsigUser::with_user_id(id);
        type Expose<'a> = Box<dyn Fn(&StatsigUser) + 'a>;
        let rows: Vec<(&str, Expose<'_>, serde_json::Value)> = vec![
            ("gate with a rate", Box::new(|user| drop(statsig.get_feature_gate(user, "rated"))), mark(1.into())),
            (
                "gate without rule",
                Box::new(|user| drop(statsig.get_feature_gate(user, "global_holdout"))),
                mark(1.into()),
            ),
            ("config", Box::new(|user| drop(statsig.get_dynamic_config(user, "colors"))), mark(json!(null))),
            ("bandit", Box::new(|user| drop(statsig.get_experiment(user, "hero_bandit"))), mark(json!(null))),
            (
                "layer",
                Box::new(|user| drop(statsig.get_layer(user, "home_layer").get_string("title", ""))),
                mark(json!(null)),
            ),
            (
                "layer without rule",
                Box::new(|user| drop(statsig.get_layer(user, "bare").get_typed("size", None))),
                mark(1.into()),
            ),
            ("gate by hand", Box::new(|user| statsig.manually_log_gate_exposure(user, "rated")), mark(1.into())),
            (
                "bandit by hand",
                Box::new(|user| statsig.manually_log_experiment_exposure(user, "hero_bandit")),
                mark(json!(null)),
            ),
            (
                "group by hand",
                Box::new(|user| statsig.log_cmab_exposure_for_group(user, "hero_bandit", "group_1")),
                mark(json!(null)),
            ),
            (
                "layer by hand",
                Box::new(|user| statsig.manually_log_layer_parameter_exposure(user, "home_layer", "ghost")),
                mark(json!(null)),
            ),
        ];
        for (number, (name, expose, expected)) in rows.iter().enumerate() {
            expose(&user(&format!("first {number}")));
            let _ = logged.events();
            expose(&user(&format!("second {number}")));
            let events = logged.events();
            assert_eq!(events.len(), 1, "{name}");
            assert_eq!(&events[0]["statsigMetadata"], expected, "{name} in {environment}");
        }
    }
}
