//! Handles give the results of calls by name, whatever happens to the specs meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use statsig::{
    EvaluationOptions, EventKind, ExperimentEvaluationOptions, FixedClock, Getters, PreparedGate, Statsig, StatsigUser,
};
use statsig_testkit::MemorySink;

fn spec(entity: &str, percentage: f64, conditions: &[&str], value: Value) -> Value {
    let kind = if entity == "feature_gate" { "feature_gate" } else { "dynamic_config" };
    let default = if entity == "feature_gate" { json!(false) } else { json!({}) };
    json!({
        "type": kind, "entity": entity, "salt": "s", "enabled": true, "defaultValue": default, "idType": "userID",
        "isActive": true,
        "rules": [{"name": "r", "id": "r", "salt": "r", "passPercentage": percentage, "conditions": conditions,
                   "returnValue": value, "idType": "userID", "isExperimentGroup": true, "groupName": "Test"}],
    })
}

fn gate(percentage: f64, conditions: &[&str]) -> Value {
    spec("feature_gate", percentage, conditions, json!(true))
}

fn project(time: u64, gates: &[(&str, Value)]) -> Vec<u8> {
    let gates: Map<String, Value> = gates.iter().map(|(name, gate)| ((*name).to_owned(), gate.clone())).collect();
    json!({
        "has_updates": true, "time": time,
        "condition_map": {
            "everybody": {"type": "public", "idType": "userID"},
            "staff": {"type": "user_field", "field": "email", "operator": "str_ends_with_any",
                      "targetValue": ["@corp.example"], "idType": "userID"},
            "asks": {"type": "pass_gate", "targetValue": "open", "idType": "userID"},
        },
        "feature_gates": gates,
        "dynamic_configs": {
            "config": spec("dynamic_config", 100.0, &["everybody"], json!({"limit": time})),
            "experiment": spec("experiment", 100.0, &["everybody"], json!({"size": time})),
        },
        "layer_configs": {"layer": spec("layer", 100.0, &["everybody"], json!({"title": time.to_string()}))},
    })
    .to_string()
    .into_bytes()
}

/// A gate of each kind that a handle treats in its own way.
fn gates() -> Vec<(&'static str, Value)> {
    vec![
        ("open", gate(100.0, &["everybody"])),
        ("closed", gate(0.0, &["everybody"])),
        ("half", gate(50.0, &["everybody"])),
        ("staff", gate(100.0, &["staff"])),
        ("nested", gate(100.0, &["asks"])),
        ("unsupported", gate(100.0, &["no such condition"])),
        ("without_rules", {
            let mut gate = gate(100.0, &[]);
            gate["rules"] = json!([]);
            gate
        }),
    ]
}

const NAMES: [&str; 8] = ["open", "closed", "half", "staff", "nested", "unsupported", "without_rules", "unknown"];

fn users() -> Vec<StatsigUser> {
    let staff = StatsigUser::builder().user_id("ada").email("ada@corp.example").build();
    (0..20).map(|at| StatsigUser::with_user_id(format!("user-{at}"))).chain([staff, StatsigUser::new()]).collect()
}

/// Compares handles with calls by name, the first time after an update and again.
fn assert_same(statsig: &Statsig, handles: &[PreparedGate]) {
    for user in users() {
        for handle in handles {
            for _ in 0..2 {
                let expected = statsig.check_gate(&user, handle.name());
                assert_eq!(handle.check(&user), expected, "{handle:?}");
                let quietly = EvaluationOptions::new().disable_exposure_logging(true);
                assert_eq!(handle.check_with_options(&user, quietly), expected, "{handle:?}");
                let (one, other) = (handle.get(&user), statsig.get_feature_gate(&user, handle.name()));
                assert_eq!(format!("{one:?}"), format!("{other:?}"));
            }
        }
    }
}

#[test]
fn handles_agree_with_names_across_updates() {
    let statsig = Statsig::builder().bootstrap(project(1, &gates())).build().unwrap();
    let handles: Vec<PreparedGate> = NAMES.iter().map(|name| statsig.gate(name)).collect();
    assert_same(&statsig, &handles);

    let moved: Vec<_> = gates().into_iter().rev().collect();
    let fewer: Vec<_> = gates().into_iter().skip(2).collect();
    let more: Vec<_> = std::iter::once(("unknown", gate(100.0, &["everybody"]))).chain(gates()).collect();
    let mut swapped = gates();
    for (name, _) in &mut swapped {
        *name = match *name {
            "open" => "closed",
            "closed" => "open",
            other => other,
        };
    }
    for (time, gates) in (2..).zip([moved, fewer, more, swapped, Vec::new()]) {
        statsig.update_specs(project(time, &gates)).unwrap();
        assert_same(&statsig, &handles);
        // A clone starts with what the original knows.
        assert_same(&statsig, &handles.clone());
    }
    assert!(handles.iter().all(|handle| !handle.check(&StatsigUser::with_user_id("ada"))), "all are gone");
}

#[test]
fn configs_experiments_and_layers_agree_with_names() {
    let statsig = Statsig::builder().bootstrap(project(1, &gates())).build().unwrap();
    let user = StatsigUser::with_user_id("ada");
    let (config, experiment, layer) =
        (statsig.config("config"), statsig.experiment("experiment"), statsig.layer("layer"));
    let (unknown, of_other_kind) = (statsig.config("unknown"), statsig.layer("experiment"));
    for time in 2..6 {
        let read = (
            format!("{:?}", config.get(&user)),
            format!("{:?}", experiment.get(&user)),
            layer.get(&user).get_string("title", ""),
        );
        let expected = (
            format!("{:?}", statsig.get_dynamic_config(&user, "config")),
            format!("{:?}", statsig.get_experiment(&user, "experiment")),
            statsig.get_layer(&user, "layer").get_string("title", ""),
        );
        assert_eq!(read, expected);
        assert_eq!(config.get(&user).get_i64("limit", 0), time - 1);
        let options = ExperimentEvaluationOptions::new().with_exposure_logging_disabled(true);
        assert_eq!(experiment.get_with_options(&user, &options).group_name(), Some("Test"));
        assert!(unknown.get(&user).rule_id().is_empty() && of_other_kind.get(&user).rule_id().is_empty());
        statsig.update_specs(project(u64::try_from(time).unwrap(), &[])).unwrap();
    }
}

#[test]
fn overrides_come_before_the_remembered_value() {
    let statsig = Statsig::builder().bootstrap(project(1, &gates())).build().unwrap();
    let handles: Vec<PreparedGate> = NAMES.iter().map(|name| statsig.gate(name)).collect();
    assert_same(&statsig, &handles);
    statsig.override_gate("open", false, None);
    statsig.override_gate("unknown", true, None);
    assert_same(&statsig, &handles);
    let user = StatsigUser::with_user_id("ada");
    assert!(!handles[0].check(&user) && handles[7].check(&user));
    statsig.remove_all_overrides();
    assert_same(&statsig, &handles);
    assert!(handles[0].check(&user) && !handles[7].check(&user));
}

#[test]
fn subscribers_hear_of_checks_by_handle() {
    let statsig = Statsig::builder().bootstrap(project(1, &gates())).build().unwrap();
    let open = statsig.gate("open");
    let user = StatsigUser::with_user_id("ada");
    assert!(open.check(&user) && open.check(&user));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    statsig.subscribe(EventKind::GateEvaluated, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert!(open.check(&user) && open.get(&user).value());
    assert_eq!(heard.load(Ordering::Relaxed), 2);
}

#[test]
fn exposures_are_those_of_calls_by_name() {
    let logged = |by_handle: bool| {
        let sink = Arc::new(MemorySink::default());
        let builder = Statsig::builder().bootstrap(project(1, &gates())).clock(Arc::new(FixedClock(1_790_000_000_000)));
        let statsig = builder.event_sink(sink.clone()).build().unwrap();
        let user = StatsigUser::with_user_id("ada");
        for name in NAMES {
            let handle = statsig.gate(name);
            for _ in 0..2 {
                let _ = if by_handle { handle.check(&user) } else { statsig.check_gate(&user, name) };
            }
            // For deduplication, handle and name are the same.
            let _ = if by_handle { statsig.check_gate(&user, name) } else { handle.check(&user) };
        }
        if by_handle {
            let _ = (statsig.config("config").get(&user), statsig.experiment("experiment").get(&user));
            statsig.layer("layer").get(&user).get_string("title", "");
        } else {
            let _ = (statsig.get_dynamic_config(&user, "config"), statsig.get_experiment(&user, "experiment"));
            statsig.get_layer(&user, "layer").get_string("title", "");
        }
        let report = statsig.flush_events_blocking(Duration::from_secs(60));
        assert!(report.is_complete(), "{report:?}");
        sink.take()
    };
    let expected = logged(false);
    assert!(expected.len() >= 10, "{}", expected.len());
    assert_eq!(logged(true), expected);
}

#[test]
fn handles_are_right_while_the_specs_are_replaced() {
    const UPDATES: u64 = 400;
    // `moving` is open at odd times, where it stands behind another gate, and closed at even ones.
    let at = |time: u64| {
        if time.is_multiple_of(2) {
            project(time, &[("moving", gate(0.0, &["everybody"])), ("asks", gate(100.0, &["staff"]))])
        } else {
            project(time, &[("first", gate(50.0, &["everybody"])), ("moving", gate(100.0, &["everybody"]))])
        }
    };
    let statsig = Statsig::builder().bootstrap(at(0)).build().unwrap();
    let moving = statsig.gate("moving");
    let user = StatsigUser::with_user_id("ada");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let _ = moving.check(&user);
                    let result = moving.get(&user);
                    let time = result.details().lcut().unwrap();
                    assert_eq!(result.value(), !time.is_multiple_of(2), "at {time}");
                    assert_eq!(result.rule_id(), "r");
                }
            });
        }
        for time in 1..=UPDATES {
            statsig.update_specs(at(time)).unwrap();
            // Whatever others do with the handle, an update that has returned is seen.
            assert_eq!(moving.check(&user), !time.is_multiple_of(2), "at {time}");
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_handle_is_small_and_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let statsig = Statsig::builder().bootstrap(project(1, &gates())).build().unwrap();
    let (gate, config) = (statsig.gate("open"), statsig.config("config"));
    shared(&gate);
    shared(&config);
    assert!(size_of::<PreparedGate>() <= size_of::<[usize; 8]>());
    drop(statsig);
    assert!(gate.check(&StatsigUser::with_user_id("ada")), "a handle keeps the client");
}
