//! Local overrides, through the client.

use std::sync::Arc;

use serde_json::{Value, json};
use statsig::{
    ExperimentEvaluationOptions, Getters, InMemoryPersistentStorage, OverrideAdapter, Statsig, StatsigUser,
    UserPersistedValues,
};
use statsig_testkit::specs::{
    ConditionBuilder, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder,
    ProjectBuilder, RuleBuilder,
};

use super::support::{Logged, client, user};

fn project() -> ProjectBuilder {
    ProjectBuilder::new()
        .gate(GateBuilder::new("gate"))
        .gate(GateBuilder::new("outer").when(ConditionBuilder::pass_gate("gate")))
        .gate(GateBuilder::new("inverse").when(ConditionBuilder::fail_gate("gate")))
        .config(DynamicConfigBuilder::new("config", json!({"from": "rules"})))
        .experiment(
            ExperimentBuilder::new("experiment")
                .group_of(0, "Control", json!({"from": "Control"}))
                .group("Test", json!({"from": "Test"})),
        )
        .layer(LayerBuilder::new("layer", json!({"from": "rules"})))
        .layer(LayerBuilder::new("delegating", json!({"from": "rules"})).experiment("experiment"))
        .parameter_store(ParameterStoreBuilder::new("store").value("from", "rules").value("other", 1))
}

const KINDS: [&str; 5] = ["gate", "config", "experiment", "layer", "store"];

/// Overrides something of a kind.
fn set(statsig: &Statsig, kind: &str, name: &str, from: &str, id: Option<&str>) {
    match kind {
        "gate" => statsig.override_gate(name, true, id),
        "config" => statsig.override_dynamic_config(name, json!({"from": from}), id),
        "experiment" => statsig.override_experiment(name, json!({"from": from}), id),
        "layer" => statsig.override_layer(name, json!({"from": from}), id),
        _ => statsig.override_parameter_store(name, json!({"from": from}), id),
    }
}

fn remove(statsig: &Statsig, kind: &str, name: &str, id: Option<&str>) {
    match kind {
        "gate" => statsig.remove_gate_override(name, id),
        "config" => statsig.remove_dynamic_config_override(name, id),
        "experiment" => statsig.remove_experiment_override(name, id),
        "layer" => statsig.remove_layer_override(name, id),
        _ => statsig.remove_parameter_store_override(name, id),
    }
}

/// Whether it is overridden, and where its value is from.
fn get(statsig: &Statsig, kind: &str, name: &str, user: &StatsigUser) -> (bool, String) {
    let (reason, from) = match kind {
        "gate" => {
            let gate = statsig.get_feature_gate(user, name);
            (gate.details().reason(), gate.value().to_string())
        }
        "config" => {
            let config = statsig.get_dynamic_config(user, name);
            (config.details().reason(), config.get_string("from", "nowhere"))
        }
        "experiment" => {
            let experiment = statsig.get_experiment(user, name);
            (experiment.details().reason(), experiment.get_string("from", "nowhere"))
        }
        "layer" => {
            let layer = statsig.get_layer(user, name);
            (layer.details().reason(), layer.get_string("from", "nowhere"))
        }
        _ => {
            let store = statsig.get_parameter_store(user, name);
            (store.details().reason(), store.get_string("from", "nowhere"))
        }
    };
    (reason == "LocalOverride:Recognized", from)
}

#[test]
fn the_user_id_then_custom_ids_by_name_then_everyone() {
    let user = StatsigUser::builder().user_id("u").custom_id("a", "first").custom_id("b", "second").build();
    for kind in &KINDS[1..] {
        let statsig = client(&project());
        let from = || get(&statsig, kind, kind, &user).1;
        for id in [None, Some("second"), Some("first"), Some("u")] {
            set(&statsig, kind, kind, id.unwrap_or("everyone"), id);
            assert_eq!(from(), id.unwrap_or("everyone"), "{kind}");
        }
        // And back again.
        for (id, then) in [(Some("u"), "first"), (Some("first"), "second"), (Some("second"), "everyone")] {
            remove(&statsig, kind, kind, id);
            assert_eq!(from(), then, "{kind}");
        }
    }
}

/// "Everyone" is no ID that somebody could have.
#[test]
fn no_id_stands_for_everyone() {
    let statsig = client(&project());
    for id in ["", "__STATSIG_NO_ID__", "null"] {
        statsig.override_gate("gate", true, Some(id));
        assert!(!statsig.check_gate(&user("u"), "gate"), "{id:?}");
        assert!(statsig.check_gate(&user(id), "gate"), "{id:?}");
    }
}

#[test]
fn removal() {
    for kind in KINDS {
        let statsig = client(&project());
        let overridden = || ["u", "other"].map(|id| get(&statsig, kind, kind, &user(id)).0);
        let set_both = || {
            set(&statsig, kind, kind, "x", Some("u"));
            set(&statsig, kind, kind, "x", None);
        };
        set_both();
        remove(&statsig, kind, kind, Some("nobody"));
        assert_eq!(overridden(), [true, true], "{kind}: an unknown ID removes nothing");
        remove(&statsig, kind, kind, Some("u"));
        assert_eq!(overridden(), [true, true], "{kind}: the one for everyone shows");
        set_both();
        remove(&statsig, kind, kind, None);
        assert_eq!(overridden(), [false, false], "{kind}: without an ID, all");
        set_both();
        statsig.remove_all_overrides();
        assert_eq!(overridden(), [false, false], "{kind}: all of everything");
        remove(&statsig, kind, "never set", None);
    }
}

#[test]
fn the_call_that_reads_decides() {
    let statsig = client(&project());
    set(&statsig, "config", "experiment", "config", None);
    assert_eq!(get(&statsig, "experiment", "experiment", &user("u")), (false, "Test".to_owned()));
    assert_eq!(get(&statsig, "config", "experiment", &user("u")), (true, "config".to_owned()));
    set(&statsig, "experiment", "config", "experiment", None);
    assert_eq!(get(&statsig, "config", "config", &user("u")), (false, "rules".to_owned()));
    assert_eq!(get(&statsig, "experiment", "config", &user("u")), (true, "experiment".to_owned()));
    set(&statsig, "layer", "config", "layer", None);
    assert_eq!(get(&statsig, "config", "config", &user("u")), (false, "rules".to_owned()));
}

#[test]
fn unknown_names_can_be_overridden_and_newer_specs_change_nothing() {
    for kind in KINDS {
        let statsig = client(&project());
        set(&statsig, kind, "unknown", "x", None);
        set(&statsig, kind, kind, "x", None);
        let both = || [kind, "unknown"].map(|name| get(&statsig, kind, name, &user("u")).0);
        assert_eq!(both(), [true, true], "{kind}");
        statsig.update_specs(project().time(ProjectBuilder::TIME_MS + 1).build()).unwrap();
        assert_eq!(both(), [true, true], "{kind}");
    }
}

#[test]
fn an_override_with_a_falsy_value_is_one() {
    let statsig = client(&project().gate(GateBuilder::on("open")));
    statsig.override_gate("open", false, None);
    assert_eq!(get(&statsig, "gate", "open", &user("u")), (true, "false".to_owned()));
    statsig.override_dynamic_config("config", json!({}), None);
    assert_eq!(get(&statsig, "config", "config", &user("u")), (true, "nowhere".to_owned()));
}

#[test]
fn nested_gates_obey() {
    let statsig = client(&project());
    statsig.override_gate("gate", true, None);
    for (name, value) in [("outer", true), ("inverse", false)] {
        assert_eq!(get(&statsig, "gate", name, &user("u")), (false, value.to_string()), "{name}");
    }
}

#[test]
fn the_experiment_of_a_layer_obeys() {
    let statsig = client(&project());
    set(&statsig, "experiment", "experiment", "override", None);
    let layer = statsig.get_layer(&user("u"), "delegating");
    assert_eq!((layer.get_string("from", ""), layer.rule_id()), ("override".to_owned(), "override"));
    assert_eq!(layer.allocated_experiment(), Some("experiment"));
    // As a config it is not the experiment's override that counts.
    statsig.remove_all_overrides();
    set(&statsig, "config", "experiment", "override", None);
    assert_eq!(statsig.get_layer(&user("u"), "delegating").get_string("from", ""), "Test");
}

#[test]
fn what_results_say() {
    let logged = Logged::new(&project());
    let statsig = &logged.statsig;
    for kind in KINDS {
        set(statsig, kind, kind, "override", None);
    }
    let user = user("u");
    let gate = statsig.get_feature_gate(&user, "gate");
    assert_eq!((gate.rule_id(), gate.id_type()), ("override", ""));
    let config = statsig.get_dynamic_config(&user, "config");
    assert_eq!((config.rule_id(), config.id_type()), ("override", ""));
    let experiment = statsig.get_experiment(&user, "experiment");
    assert_eq!((experiment.rule_id(), experiment.id_type(), experiment.group_name()), ("override", "", None));
    assert!(!experiment.is_experiment_active() && !experiment.is_user_in_experiment());
    let layer = statsig.get_layer(&user, "layer");
    assert_eq!((layer.rule_id(), layer.id_type(), layer.group_name()), ("override", "", None));
    let _ = layer.get_string("from", "");
    let events = logged.events();
    assert_eq!(events.len(), 4, "overridden results are exposed");
    for event in events {
        assert_eq!(event["metadata"]["ruleID"], "override", "{event}");
        assert!(event["secondaryExposures"].as_array().is_none_or(Vec::is_empty), "{event}");
    }
}

#[test]
fn by_group_name() {
    let with_twin = project().experiment(
        ExperimentBuilder::new("twins")
            .rule(
                RuleBuilder::new("first")
                    .when(ConditionBuilder::pass_gate("gate"))
                    .group_name("Twin")
                    .returns(json!({"from": "first"})),
            )
            .group("Twin", json!({"from": "second"})),
    );
    for (name, group, from) in [
        ("experiment", "Control", "Control"),
        ("experiment", "Test", "Test"),
        ("experiment", "test", "nowhere"),
        ("experiment", "none", "nowhere"),
        ("twins", "Twin", "first"),
        ("unknown", "Test", "nowhere"),
    ] {
        let statsig = client(&with_twin);
        statsig.override_experiment_by_group_name(name, group, Some("u"));
        assert_eq!(get(&statsig, "experiment", name, &user("u")), (true, from.to_owned()), "{name} {group}");
        assert!(!get(&statsig, "experiment", name, &user("other")).0, "{name} {group}");
    }
}

#[test]
fn of_value_and_group_the_last_counts() {
    let statsig = client(&project());
    let from = |id: &str| get(&statsig, "experiment", "experiment", &user(id)).1;
    statsig.override_experiment_by_group_name("experiment", "Control", None);
    set(&statsig, "experiment", "experiment", "value", None);
    assert_eq!(from("u"), "value");
    statsig.override_experiment_by_group_name("experiment", "Control", None);
    assert_eq!(from("u"), "Control");
    // For one ID, and only there.
    set(&statsig, "experiment", "experiment", "value", Some("u"));
    assert_eq!([from("u"), from("other")], ["value", "Control"]);
}

#[test]
fn sticky_assignments_stay_out_of_it() {
    let storage = Arc::new(InMemoryPersistentStorage::new());
    let builder = Statsig::builder().bootstrap(project().build());
    let statsig = builder.persistent_storage(storage.clone()).build().unwrap();
    let sticky = |values: UserPersistedValues| ExperimentEvaluationOptions::new().with_user_persisted_values(values);
    let read = |values: UserPersistedValues| {
        let experiment = statsig.get_experiment_with_options(&user("u"), "experiment", &sticky(values));
        (experiment.details().reason(), experiment.get_string("from", ""))
    };
    let kept = || storage.values("u:userID");
    set(&statsig, "experiment", "experiment", "override", None);
    assert_eq!(read(UserPersistedValues::new()).1, "override");
    assert!(kept().is_empty(), "nothing is saved");
    statsig.remove_all_overrides();
    assert_eq!(read(UserPersistedValues::new()).1, "Test");
    assert_eq!(kept().len(), 1);
    set(&statsig, "experiment", "experiment", "override", None);
    assert_eq!(read(kept()).1, "override", "not what is kept");
    let _ = statsig.get_experiment(&user("u"), "experiment");
    assert_eq!(kept().len(), 1, "nothing is deleted");
    statsig.remove_all_overrides();
    assert_eq!(read(kept()), ("Persisted".to_owned(), "Test".to_owned()));
}

/// Overrides come before config mappings, and these before the rules.
#[test]
fn before_mappings_and_rules() {
    let mut document = project().config(DynamicConfigBuilder::new("mapped", json!({"from": "mapping"}))).to_json();
    let condition = json!({"type": "public", "idType": "userID"});
    document["condition_map"]["all"] = condition;
    document["overrides"] = json!({"config": [{"new_config_name": "mapped", "rules": [{"rule_name": "r"}]}]});
    document["override_rules"] = json!({"r": {"name": "r", "id": "r", "salt": "", "passPercentage": 100,
        "conditions": ["all"], "returnValue": {}, "idType": "userID"}});
    let statsig = Statsig::builder().bootstrap(document.to_string()).build().unwrap();
    assert_eq!(statsig.problems(), []);
    assert_eq!(get(&statsig, "config", "config", &user("u")).1, "mapping");
    set(&statsig, "config", "config", "override", None);
    assert_eq!(get(&statsig, "config", "config", &user("u")).1, "override");
    statsig.remove_all_overrides();
    // Of the config that takes the place, too.
    set(&statsig, "config", "mapped", "override", None);
    assert_eq!(get(&statsig, "config", "config", &user("u")).1, "override");
}

#[test]
fn stores_are_replaced_whole() {
    let statsig = client(&project());
    statsig.override_gate("gate", true, None);
    let by_gate =
        json!({"ref_type": "gate", "param_type": "string", "gate_name": "gate", "pass_value": "y", "fail_value": "n"});
    let from_config =
        json!({"ref_type": "dynamic_config", "param_type": "string", "config_name": "config", "param_name": "from"});
    statsig.override_parameter_store(
        "store",
        json!({"plain": 5, "by_gate": by_gate, "from_config": from_config, "half": {"ref_type": "gate"}}),
        None,
    );
    let store = statsig.get_parameter_store(&user("u"), "store");
    assert_eq!(store.parameter_names(), ["by_gate", "from_config", "half", "plain"]);
    assert_eq!(store.get_i64("plain", 0), 5);
    assert_eq!(store.get_string("by_gate", ""), "y");
    assert_eq!(store.get_string("from_config", ""), "rules");
    // What is no parameter of the config specs is a value.
    assert_eq!(store.get_value("half"), Some(json!({"ref_type": "gate"})));
    assert_eq!((store.get_string("from", "gone"), store.get_i64("other", 9)), ("gone".to_owned(), 9));
}

struct Everything;

impl OverrideAdapter for Everything {
    fn gate(&self, _: &str, _: &StatsigUser) -> Option<bool> {
        Some(true)
    }

    fn dynamic_config(&self, name: &str, _: &StatsigUser) -> Option<statsig::Json> {
        Some(Value::from_iter([("from", name)]).into())
    }
}

/// An adapter of the application's own takes the place of the built-in one.
#[test]
fn adapters() {
    let statsig =
        Statsig::builder().bootstrap(project().build()).override_adapter(Arc::new(Everything)).build().unwrap();
    assert!(statsig.local_overrides().is_none() && statsig.override_scope().is_none());
    statsig.override_gate("gate", false, None);
    statsig.remove_all_overrides();
    assert_eq!(get(&statsig, "gate", "gate", &user("u")), (true, "true".to_owned()));
    assert_eq!(get(&statsig, "config", "any", &user("u")), (true, "any".to_owned()));
    assert_eq!(get(&statsig, "layer", "layer", &user("u")), (false, "rules".to_owned()));
}

#[test]
fn scopes_end_by_themselves() {
    let statsig = client(&project());
    {
        let scope = statsig.override_scope().unwrap();
        scope.override_gate("gate", true, None);
        assert!(statsig.check_gate(&user("u"), "gate"));
    }
    assert!(!statsig.check_gate(&user("u"), "gate"));
}
