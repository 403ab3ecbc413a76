//! The text of each kind of event.

use std::collections::HashMap;

use serde_json::json;
use statsig::{CustomEvent, Getters, LogLineLevel, StatsigUser};

use super::support::{Logged, specs, user};

pub(crate) const TIMES: &str = r#""reason":"Bootstrap:Recognized","lcut":"1790000000000","receivedAt":"1790000009000""#;
const USER: &str = r#""user":{"userID":"u1","customIDs":{"companyID":"c9"}},"time":1790000009000"#;
const HOLDOUT: &str = r#"{"gate":"global_holdout","gateValue":"false","ruleID":"default"}"#;

pub(crate) fn exposure(event: &str, metadata: &str, secondary: &str) -> String {
    format!(
        r#"[{{"eventName":"statsig::{event}","value":null,"metadata":{{{metadata}}},"statsigMetadata":{{}},{USER},"secondaryExposures":[{secondary}]}}]"#
    )
}

fn custom(event: &str, value: &str, metadata: &str) -> String {
    format!(
        r#"[{{"eventName":"{event}","value":{value},"metadata":{metadata},"statsigMetadata":null,{USER},"secondaryExposures":null}}]"#
    )
}

#[test]
fn gates() {
    let logged = Logged::new();
    let metadata = format!(r#""gate":"new_checkout","gateValue":"true","ruleID":"4kQ2",{TIMES},"configVersion":"7""#);
    assert!(logged.statsig.check_gate(&user(), "new_checkout"));
    assert_eq!(logged.text(), exposure("gate_exposure", &metadata, HOLDOUT));

    assert!(!logged.statsig.check_gate(&user(), "ghost \"quoted\""));
    let unknown = r#""gate":"ghost \"quoted\"","gateValue":"false","ruleID":"","reason":"Bootstrap:Unrecognized","lcut":"1790000000000","receivedAt":"1790000009000""#;
    assert_eq!(logged.text(), exposure("gate_exposure", unknown, ""));

    logged.statsig.override_gate("new_checkout", false, Some("u1"));
    assert!(!logged.statsig.get_feature_gate(&user(), "new_checkout").value());
    let overridden = r#""gate":"new_checkout","gateValue":"false","ruleID":"override","reason":"LocalOverride:Recognized","lcut":"1790000000000","receivedAt":"1790000009000""#;
    assert_eq!(logged.text(), exposure("gate_exposure", overridden, ""));
}

#[test]
fn dynamic_configs() {
    let logged = Logged::new();
    let _ = logged.statsig.get_dynamic_config(&user(), "colors");
    let metadata = format!(r#""config":"colors","ruleID":"c1","rulePassed":"true",{TIMES}"#);
    assert_eq!(logged.text(), exposure("config_exposure", &metadata, ""));
}

#[test]
fn experiments() {
    let logged = Logged::new();
    let _ = logged.statsig.get_experiment(&user(), "home_exp");
    let metadata = format!(r#""config":"home_exp","ruleID":"grpB","rulePassed":"true",{TIMES},"configVersion":"3""#);
    assert_eq!(logged.text(), exposure("config_exposure", &metadata, ""));

    let _ = logged.statsig.get_experiment(&user(), "hero_bandit");
    let bandit =
        format!(r#""config":"hero_bandit","ruleID":"group_1","rulePassed":"true",{TIMES},"configVersion":"2""#);
    assert_eq!(logged.text(), exposure("config_exposure", &bandit, ""));
}

#[test]
fn parameters_of_layers() {
    let logged = Logged::new();
    let layer = logged.statsig.get_layer(&user(), "home_layer");
    assert_eq!(logged.text(), "", "getting a layer is no exposure");
    assert_eq!(layer.get_string("title", ""), "Test");
    let explicit = format!(
        r#""config":"home_layer","ruleID":"grpB","allocatedExperiment":"home_exp","parameterName":"title","isExplicitParameter":"true",{TIMES},"configVersion":"3""#
    );
    assert_eq!(logged.text(), exposure("layer_exposure", &explicit, ""));

    // A name that is not there, and a value of another type, are no exposure.
    let _ = (layer.get_string("ghost", ""), layer.get_i64("title", 0), layer.get_value("title"));
    assert_eq!(logged.text(), "");
    let _ = layer.get_raw_value("title");
    assert_eq!(logged.text(), "", "read a moment ago");
}

#[test]
fn parameters_of_layers_without_experiment() {
    let specs = specs(|specs| {
        let rule = &mut specs["layer_configs"]["home_layer"]["rules"][0];
        rule.as_object_mut().unwrap().remove("configDelegate");
        rule["conditions"] = json!(["not_held"]);
    });
    let logged = Logged::with(specs, |builder| builder);
    assert_eq!(logged.statsig.get_layer(&user(), "home_layer").get_i64("size", 0), 1);
    let metadata = format!(
        r#""config":"home_layer","ruleID":"alloc","allocatedExperiment":"","parameterName":"size","isExplicitParameter":"false",{TIMES}"#
    );
    assert_eq!(logged.text(), exposure("layer_exposure", &metadata, HOLDOUT));
}

#[test]
fn exposures_by_hand() {
    let logged = Logged::new();
    let statsig = &logged.statsig;
    statsig.manually_log_gate_exposure(&user(), "new_checkout");
    let gate = format!(
        r#""gate":"new_checkout","gateValue":"true","ruleID":"4kQ2",{TIMES},"configVersion":"7","isManualExposure":"true""#
    );
    assert_eq!(logged.text(), exposure("gate_exposure", &gate, HOLDOUT));
    statsig.manually_log_dynamic_config_exposure(&user(), "colors");
    let config = format!(r#""config":"colors","ruleID":"c1","rulePassed":"true",{TIMES},"isManualExposure":"true""#);
    assert_eq!(logged.text(), exposure("config_exposure", &config, ""));
    statsig.manually_log_experiment_exposure(&user(), "home_exp");
    let experiment =
        format!(r#""config":"home_exp","ruleID":"grpB",{TIMES},"configVersion":"3","isManualExposure":"true""#);
    assert_eq!(logged.text(), exposure("config_exposure", &experiment, ""));
    statsig.manually_log_layer_parameter_exposure(&user(), "home_layer", "ghost");
    let layer = format!(
        r#""config":"home_layer","ruleID":"grpB","allocatedExperiment":"","parameterName":"ghost","isExplicitParameter":"false",{TIMES},"configVersion":"3","isManualExposure":"true""#
    );
    assert_eq!(logged.text(), exposure("layer_exposure", &layer, ""));
    statsig.log_cmab_exposure_for_group(&user(), "hero_bandit", "group_2");
    let bandit =
        format!(r#""config":"hero_bandit","ruleID":"group_2",{TIMES},"configVersion":"2","isManualExposure":"true""#);
    assert_eq!(logged.text(), exposure("config_exposure", &bandit, ""));
}

#[test]
fn parameter_stores_expose_what_they_refer_to() {
    for (parameter, event, metadata, secondary) in [
        (
            "gate",
            "gate_exposure",
            format!(r#""gate":"new_checkout","gateValue":"true","ruleID":"4kQ2",{TIMES},"configVersion":"7""#),
            HOLDOUT,
        ),
        ("config", "config_exposure", format!(r#""config":"colors","ruleID":"c1","rulePassed":"true",{TIMES}"#), ""),
        (
            "experiment",
            "config_exposure",
            format!(r#""config":"home_exp","ruleID":"grpB",{TIMES},"configVersion":"3""#),
            "",
        ),
        (
            "layer",
            "layer_exposure",
            format!(
                r#""config":"home_layer","ruleID":"grpB","allocatedExperiment":"home_exp","parameterName":"title","isExplicitParameter":"true",{TIMES},"configVersion":"3""#
            ),
            "",
        ),
    ] {
        let logged = Logged::new();
        let store = logged.statsig.get_parameter_store(&user(), "store");
        assert_ne!(store.get_string(parameter, ""), "");
        let expected = exposure(event, &metadata, secondary);
        let text = logged.text();
        assert!(text.contains(&expected), "{parameter}: {text}");
    }
    let logged = Logged::new();
    let store = logged.statsig.get_parameter_store(&user(), "store");
    let _ = (store.get_string("static", ""), store.get_bool("layer", false), store.get_bool("ghost", false));
    let names: Vec<_> = logged.events().iter().map(|event| event["eventName"].clone()).collect();
    assert_eq!(names, ["statsig::non_exposed_checks"], "nothing of the right type was read");
}

#[test]
fn experiments_behind_conditions_are_exposed_first() {
    let logged = Logged::new();
    assert!(logged.statsig.check_gate(&user(), "for_testers"));
    let inner = format!(r#""config":"home_exp","ruleID":"grpB",{TIMES},"configVersion":"3""#);
    let outer = format!(r#""gate":"for_testers","gateValue":"true","ruleID":"t",{TIMES}"#);
    let (inner, outer) = (exposure("config_exposure", &inner, ""), exposure("gate_exposure", &outer, ""));
    assert_eq!(logged.text(), format!("{},{}", &inner[..inner.len() - 1], &outer[1..]));
}

#[test]
fn mapped_configs_are_named() {
    let specs = specs(|specs| {
        specs["overrides"] =
            json!({"colors": [{"new_config_name": "home_exp", "rules": [{"rule_name": "map", "start_time": 0}]}]});
        specs["override_rules"] = json!({"map": {"name": "map", "id": "map", "salt": "m", "passPercentage": 100,
            "conditions": ["all"], "returnValue": true, "idType": "userID"}});
    });
    let logged = Logged::with(specs, |builder| builder);
    let _ = logged.statsig.get_dynamic_config(&user(), "colors");
    let metadata = format!(
        r#""config":"colors","ruleID":"grpB","rulePassed":"true",{TIMES},"configVersion":"3","overrideConfigName":"home_exp""#
    );
    assert_eq!(logged.text(), exposure("config_exposure", &metadata, ""));
}

#[test]
fn sampled_exposures_say_so() {
    let sampled = |mode: &str| {
        let mode = json!(mode);
        specs(move |specs| {
            specs["sdk_configs"] = json!({"sampling_mode": mode, "special_case_sampling_rate": 1});
            specs["feature_gates"]["global_holdout"]["rules"] = json!([]);
        })
    };
    for mode in ["on", "shadow"] {
        let logged = Logged::with(sampled(mode), |builder| builder);
        let check = |id: &str| logged.statsig.check_gate(&StatsigUser::with_user_id(id), "global_holdout");
        assert!(!check("first of its rule"));
        assert!(logged.text().contains(r#""statsigMetadata":{},"#));
        assert!(!check("second"));
        let mark =
            format!(r#""statsigMetadata":{{"samplingRate":1,"samplingMode":"{mode}","shadowLogged":"logged"}},"#);
        let text = logged.text();
        assert!(text.contains(&mark), "{text}");
    }
}

#[test]
fn custom_events() {
    let logged = Logged::new();
    let (statsig, user) = (&logged.statsig, user());
    let texts = || HashMap::from([("sku".to_owned(), "A1".to_owned())]);
    let typed = || json!({"qty": 2, "tags": ["a", null]}).as_object().cloned();
    statsig.log_event(&user, "order_paid", Some("gold"), Some(texts()));
    assert_eq!(logged.text(), custom("order_paid", r#""gold""#, r#"{"sku":"A1"}"#));
    statsig.log_event(&user, "order_paid", None, None);
    assert_eq!(logged.text(), custom("order_paid", "null", "null"));
    statsig.log_event_with_number(&user, "price", Some(10.0), Some(texts()));
    assert_eq!(logged.text(), custom("price", "10.0", r#"{"sku":"A1"}"#));
    statsig.log_event_with_typed_metadata(&user, "cart", Some("x"), typed());
    assert_eq!(logged.text(), custom("cart", r#""x""#, r#"{"qty":2,"tags":["a",null]}"#));
    statsig.log_event_with_number_and_typed_metadata(&user, "cart", Some(0.5), typed());
    assert_eq!(logged.text(), custom("cart", "0.5", r#"{"qty":2,"tags":["a",null]}"#));
    statsig.log_custom_event(&user, &CustomEvent::new("levels").value(3));
    assert_eq!(logged.text(), custom("levels", "3", "null"));
    statsig.identify(&user);
    assert_eq!(logged.text(), custom("statsig::identify", "null", "null"));
    statsig.forward_log_line_event(&user, LogLineLevel::Log, "db \"timeout\"", Some(texts()));
    let line = r#"{"sku":"A1","status":"info","source":"rust-server-oss","log_level":"Log"}"#;
    assert_eq!(logged.text(), custom("statsig::log_line", r#""db \"timeout\"""#, line));
}

#[test]
fn users_carry_environment_and_global_fields() {
    let logged = Logged::with(specs(|specs| specs["default_environment"] = "qa".into()), |builder| {
        builder.global_custom_fields([("region", "eu")])
    });
    let plain = StatsigUser::with_user_id("u1");
    logged.statsig.identify(&plain);
    let _ = logged.statsig.check_gate(&plain, "new_checkout");
    let text = logged.text();
    let user = r#""user":{"userID":"u1","custom":{"region":"eu"},"statsigEnvironment":{"tier":"qa"}}"#;
    assert_eq!(text.matches(user).count(), 2, "{text}");
}
