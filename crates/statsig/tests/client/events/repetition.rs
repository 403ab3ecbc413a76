//! Which exposures are repetitions of one that was logged a moment ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use statsig::{Clock, EvaluationOptions, Getters, StatsigUser};

use super::support::{Logged, NOW, metadata, specs, user};

#[test]
fn the_same_exposure_is_logged_once() {
    let logged = Logged::new();
    let statsig = &logged.statsig;
    for _ in 0..3 {
        let _ = statsig.check_gate(&user(), "new_checkout");
        let _ = statsig.get_feature_gate(&user(), "new_checkout");
        statsig.manually_log_gate_exposure(&user(), "new_checkout");
        // What does not identify the user does not count.
        let _ = statsig.check_gate(&user().to_builder().email("other@x.example").build(), "new_checkout");
    }
    assert_eq!(logged.events().len(), 1);
    assert_eq!(statsig.exposure_counts().deduplicated, 11);
}

#[test]
fn another_user_rule_value_or_parameter_is_another_exposure() {
    let logged = Logged::new();
    let statsig = &logged.statsig;
    for id in ["a", "b"] {
        let _ = statsig.check_gate(&StatsigUser::with_user_id(id), "global_holdout");
        let _ = statsig.check_gate(&StatsigUser::with_custom_ids([("companyID", id)]), "global_holdout");
    }
    statsig.override_gate("global_holdout", true, None);
    let _ = statsig.check_gate(&StatsigUser::with_user_id("a"), "global_holdout");
    let layer = statsig.get_layer(&user(), "home_layer");
    let _ = (layer.get_string("title", ""), layer.get_string("title", ""));
    // A gate and a config of one name.
    let _ = (statsig.check_gate(&user(), "twin"), statsig.get_dynamic_config(&user(), "twin"));
    let events = logged.events();
    assert_eq!(metadata(&events, "gate"), ["global_holdout"; 5].iter().chain(&["twin"]).copied().collect::<Vec<_>>());
    assert_eq!(metadata(&events, "config"), ["home_layer", "twin"]);
}

#[test]
fn stores_expose_apart_from_the_application() {
    let logged = Logged::new();
    let statsig = &logged.statsig;
    let _ = statsig.get_experiment(&user(), "home_exp");
    let store = statsig.get_parameter_store(&user(), "store");
    let _ = (store.get_string("experiment", ""), store.get_string("experiment", ""));
    let events = logged.events();
    assert_eq!(metadata(&events, "config"), ["home_exp", "home_exp"]);
    assert_eq!(metadata(&events, "rulePassed"), ["true"], "only the application's own");
}

struct Watch(AtomicI64);

impl Clock for Watch {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn after_its_window_an_exposure_is_logged_again() {
    let watch = Arc::new(Watch(AtomicI64::new(NOW)));
    let logged = {
        let watch = Arc::clone(&watch);
        let specs = specs(|specs| specs["sdk_configs"] = serde_json::json!({"exposure_dedupe_ttl_ms": 5_000}));
        Logged::with(specs, |builder| builder.clock(watch))
    };
    let mut logged_at = Vec::new();
    for step in 0..100 {
        watch.0.store(NOW + step * 100, Ordering::Relaxed);
        let _ = logged.statsig.check_gate(&user(), "new_checkout");
        logged_at.extend(logged.events().iter().map(|event| event["time"].as_i64().unwrap() - NOW));
    }
    assert!(matches!(logged_at[..], [0, _] | [0, _, _]), "{logged_at:?}");
    for pair in logged_at.windows(2).skip(1) {
        assert_eq!(pair[1] - pair[0], 5_000);
    }
}

#[test]
fn checks_without_exposure_are_counted() {
    let logged = Logged::new();
    let (statsig, quietly) = (&logged.statsig, EvaluationOptions::new().disable_exposure_logging(true));
    let sticky = statsig::ExperimentEvaluationOptions::new().with_exposure_logging_disabled(true);
    for _ in 0..3 {
        let _ = statsig.check_gate_with_options(&user(), "for_testers", quietly);
    }
    let _ = statsig.get_feature_gate_with_options(&user(), "for_testers", quietly);
    let _ = statsig.get_dynamic_config_with_options(&user(), "colors", quietly);
    let _ = statsig.get_experiment_with_options(&user(), "home_exp", &sticky);
    let layer = statsig.get_layer_with_options(&user(), "home_layer", &sticky);
    let _ = (layer.get_string("title", ""), layer.get_string("title", ""), layer.get_string("ghost", ""));
    let store = statsig.get_parameter_store_with_options(&user(), "store", quietly);
    let _ = (store.get_string("gate", ""), store.get_string("layer", ""));
    let checks = r#"{\"colors\":1,\"for_testers\":4,\"home_exp\":1,\"home_layer\":5,\"new_checkout\":1,\"store\":1}"#;
    let expected = format!(
        r#"[{{"eventName":"statsig::non_exposed_checks","value":null,"metadata":{{"checks":"{checks}"}},"statsigMetadata":null,"user":{{}},"time":1790000009000,"secondaryExposures":null}}]"#
    );
    assert_eq!(logged.text(), expected, "and the experiment behind `for_testers` is not exposed");
    assert_eq!(logged.text(), "", "each check is counted once");
}
