//! Private attributes decide, and never leave.

use std::sync::{Arc, Mutex};

use statsig::{CustomEvent, EvaluationOptions, FlushedBatch, Getters, LogLineLevel, StatsigUser};

use super::support::{Logged, specs};

const SECRET: &str = "s3cr3t";

fn user() -> StatsigUser {
    StatsigUser::builder()
        .user_id("u1")
        .custom("plan_hint", "none")
        .private_attribute("plan", SECRET)
        .private_attribute("s3cr3t_name", 1)
        .build()
}

/// Makes every call that logs something.
fn log_everything(logged: &Logged, user: &StatsigUser) {
    let statsig = &logged.statsig;
    assert!(statsig.check_gate(user, "by_plan"), "the private attribute takes part");
    for gate in ["new_checkout", "for_testers", "ghost"] {
        let _ = statsig.get_feature_gate(user, gate);
    }
    for config in ["colors", "ghost"] {
        let _ = statsig.get_dynamic_config(user, config);
    }
    for experiment in ["home_exp", "hero_bandit"] {
        let _ = statsig.get_experiment(user, experiment);
    }
    let _ = statsig.get_layer(user, "home_layer").get_string("title", "");
    let store = statsig.get_parameter_store(user, "store");
    for parameter in ["gate", "config", "experiment", "layer", "static"] {
        let _ = store.get_string(parameter, "");
    }
    statsig.manually_log_gate_exposure(user, "global_holdout");
    statsig.manually_log_dynamic_config_exposure(user, "home_exp");
    statsig.manually_log_experiment_exposure(user, "colors");
    statsig.manually_log_layer_parameter_exposure(user, "home_layer", "size");
    statsig.log_cmab_exposure_for_group(user, "hero_bandit", "group_9");
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    let _ = statsig.check_gate_with_options(user, "by_plan", quietly);
    statsig.log_event(user, "bought", Some("v"), None);
    statsig.log_custom_event(user, &CustomEvent::new("typed").value(1).metadata("k", 1));
    statsig.identify(user);
    statsig.forward_log_line_event(user, LogLineLevel::Error, "line", None);
}

#[test]
fn no_event_of_any_kind_holds_a_private_attribute() {
    let seen = Arc::new(Mutex::new(String::new()));
    let callback = {
        let seen = Arc::clone(&seen);
        move |batch: &FlushedBatch| {
            let mut seen = seen.lock().unwrap();
            seen.push_str(&format!("{batch:?} {:?}", batch.events().unwrap()));
        }
    };
    let logged = Logged::with(specs(|_| ()), |builder| builder.events_flushed_callback(callback));
    log_everything(&logged, &user());
    let text = logged.text();
    for kind in [
        "statsig::gate_exposure",
        "statsig::config_exposure",
        "statsig::layer_exposure",
        "statsig::non_exposed_checks",
        "statsig::identify",
        "statsig::log_line",
        "bought",
        "typed",
    ] {
        assert!(text.contains(kind), "{kind} was not logged");
    }
    assert!(text.contains(r#""custom":{"plan_hint":"none"}"#));
    for haystack in [&text, &format!("{:?}", logged.statsig), &*seen.lock().unwrap()] {
        assert!(!haystack.contains(SECRET), "{haystack}");
        assert!(!haystack.contains("privateAttributes"), "{haystack}");
    }
}
