//! Whose override counts, for which call, and what the result says.

use serde_json::{Value, json};
use statsig_core::{
    EvaluationContext, Experiment, Getters, JsonRef, Layer, LocalOverrides, OverrideAdapter, ParameterTarget,
    StatsigUser,
};

use super::evaluate;

/// One override for everyone, for the user `u`, for the custom ID `c` and for the custom ID `d`.
const EVERYONE: u8 = 1;
const USER: u8 = 2;
const CUSTOM: u8 = 4;
const CUSTOM_2: u8 = 8;

/// Which override of a gate, a config, an experiment, a layer and a store the user gets.
fn winners(set: u8, user: &StatsigUser) -> [Option<String>; 5] {
    let overrides = LocalOverrides::new();
    for (bit, id) in [(EVERYONE, None), (USER, Some("u")), (CUSTOM, Some("c")), (CUSTOM_2, Some("d"))] {
        if set & bit != 0 {
            let value = || json!({"for": id.unwrap_or("everyone")});
            overrides.override_dynamic_config("x", value(), id);
            overrides.override_experiment("x", value(), id);
            overrides.override_experiment_by_group_name("y", id.unwrap_or("everyone"), id);
            overrides.override_layer("x", value(), id);
            overrides.override_parameter_store("x", value(), id);
        }
    }
    let text = |value: JsonRef<'_>| value.get("for").and_then(|value| value.as_str()).map(str::to_owned);
    let group = overrides.experiment("y", user).map(|answer| match answer {
        statsig_core::ExperimentOverride::Group(group) => group,
        statsig_core::ExperimentOverride::Value(_) => "a value".to_owned(),
    });
    evaluate(&overrides, user, |context| {
        [
            text(context.dynamic_config("x", true).value()),
            text(context.experiment("x", true).value()),
            group,
            text(context.layer("x", true).value()),
            context.parameter_store("x").target("for").map(|target| match target {
                ParameterTarget::Static(value) => value.as_str().unwrap().to_owned(),
                other => format!("{other:?}"),
            }),
        ]
    })
}

#[test]
fn the_user_id_comes_first_then_custom_ids_by_name_then_everyone() {
    let both = StatsigUser::builder().user_id("u").custom_id("a", "c").custom_id("b", "d").build();
    let swapped = StatsigUser::builder().custom_id("a", "d").custom_id("b", "c").build();
    let numbers = StatsigUser::builder().user_id(7).custom_id("a", 1.5).build();
    let table: &[(u8, &StatsigUser, Option<&str>)] = &[
        (0, &both, None),
        (EVERYONE, &both, Some("everyone")),
        (EVERYONE | USER, &both, Some("u")),
        (EVERYONE | CUSTOM, &both, Some("c")),
        (EVERYONE | CUSTOM_2, &both, Some("d")),
        (EVERYONE | USER | CUSTOM | CUSTOM_2, &both, Some("u")),
        (EVERYONE | CUSTOM | CUSTOM_2, &both, Some("c")),
        (EVERYONE | CUSTOM | CUSTOM_2, &swapped, Some("d")),
        (EVERYONE | USER, &swapped, Some("everyone")),
        (USER, &swapped, None),
        (EVERYONE | USER | CUSTOM, &numbers, Some("everyone")),
        (EVERYONE | USER | CUSTOM, &StatsigUser::with_user_id("c"), Some("c")),
        (EVERYONE | USER | CUSTOM, &StatsigUser::with_custom_ids([("a", "u")]), Some("u")),
    ];
    for (set, user, expected) in table {
        let expected = expected.map(str::to_owned);
        assert_eq!(winners(*set, user), std::array::from_fn(|_| expected.clone()), "{set:04b} for {user:?}");
    }
}

#[test]
fn ids_are_compared_as_text() {
    let overrides = LocalOverrides::new();
    for id in ["7", "1.5", "", "__STATSIG_NO_ID__"] {
        overrides.override_gate("x", true, Some(id));
    }
    for (user, expected) in [
        (StatsigUser::with_user_id(7), Some(true)),
        (StatsigUser::with_user_id("7"), Some(true)),
        (StatsigUser::with_custom_ids([("a", 1.5)]), Some(true)),
        (StatsigUser::with_user_id(""), Some(true)),
        // There is no ID that stands for everyone.
        (StatsigUser::with_user_id("__STATSIG_NO_ID__"), Some(true)),
        (StatsigUser::with_user_id("somebody"), None),
        (StatsigUser::builder().build(), None),
    ] {
        assert_eq!(overrides.gate("x", &user), expected, "{user:?}");
    }
}

/// What a gate, a config, an experiment, a layer and a store have left, each overridden for everyone
/// and for `u` and `v`, after the removal `remove`; as seen by `u`, `v` and `w`.
fn left(remove: impl Fn(&LocalOverrides)) -> [[bool; 3]; 5] {
    let overrides = LocalOverrides::new();
    for id in [None, Some("u"), Some("v")] {
        overrides.override_gate("x", true, id);
        overrides.override_dynamic_config("x", json!({}), id);
        overrides.override_experiment("x", json!({}), id);
        overrides.override_layer("x", json!({}), id);
        overrides.override_parameter_store("x", json!({}), id);
    }
    remove(&overrides);
    let users = ["u", "v", "w"].map(StatsigUser::with_user_id);
    let users = users.each_ref();
    [
        users.map(|user| overrides.gate("x", user).is_some()),
        users.map(|user| overrides.dynamic_config("x", user).is_some()),
        users.map(|user| overrides.experiment("x", user).is_some()),
        users.map(|user| overrides.layer("x", user).is_some()),
        users.map(|user| overrides.parameter_store("x", user).is_some()),
    ]
}

#[test]
fn removal_without_an_id_takes_all_and_with_one_only_its_own() {
    type Remove = fn(&LocalOverrides, &str, Option<&str>);
    let removals: [Remove; 5] = [
        LocalOverrides::remove_gate_override,
        LocalOverrides::remove_dynamic_config_override,
        LocalOverrides::remove_experiment_override,
        LocalOverrides::remove_layer_override,
        LocalOverrides::remove_parameter_store_override,
    ];
    for (kind, remove) in removals.into_iter().enumerate() {
        let only = |expected: [bool; 3]| std::array::from_fn(|at| if at == kind { expected } else { [true; 3] });
        assert_eq!(left(|overrides| remove(overrides, "x", None)), only([false; 3]), "all of kind {kind}");
        assert_eq!(
            left(|overrides| remove(overrides, "x", Some("u"))),
            only([true; 3]),
            "the one for everyone is left"
        );
        assert_eq!(left(|overrides| remove(overrides, "other", None)), only([true; 3]), "another name");
        assert_eq!(left(|overrides| remove(overrides, "x", Some("other"))), only([true; 3]), "another ID");
    }
    assert_eq!(left(LocalOverrides::remove_all_overrides), [[false; 3]; 5]);

    let overrides = LocalOverrides::new();
    overrides.override_gate("x", true, Some("u"));
    overrides.override_gate("x", false, None);
    overrides.remove_gate_override("x", Some("u"));
    assert_eq!(overrides.gate("x", &StatsigUser::with_user_id("u")), Some(false), "what is for everyone counts again");
}

#[test]
fn it_is_empty_when_the_last_one_is_removed() {
    let overrides = LocalOverrides::new();
    assert!(overrides.is_empty());
    overrides.override_gate("x", true, Some("u"));
    overrides.override_layer("x", json!({}), None);
    assert!(!overrides.is_empty());
    overrides.remove_gate_override("x", Some("u"));
    overrides.remove_gate_override("x", Some("u"));
    assert!(!overrides.is_empty());
    overrides.remove_layer_override("x", None);
    assert!(overrides.is_empty());
}

#[test]
fn configs_and_experiments_are_apart() {
    let overrides = LocalOverrides::new();
    let user = StatsigUser::with_user_id("u");
    let read = |overrides: &LocalOverrides| {
        evaluate(overrides, &user, |context| {
            let config = context.dynamic_config("config", true).get_string("of", "-");
            (config, context.experiment("config", true).get_string("of", "-"))
        })
    };
    overrides.override_dynamic_config("config", json!({"of": "config override"}), None);
    assert_eq!(read(&overrides), ("config override".to_owned(), "specs".to_owned()));
    overrides.override_experiment("config", json!({"of": "experiment override"}), None);
    assert_eq!(read(&overrides), ("config override".to_owned(), "experiment override".to_owned()));
    overrides.remove_dynamic_config_override("config", None);
    assert_eq!(read(&overrides), ("specs".to_owned(), "experiment override".to_owned()));
}

#[test]
fn of_value_and_group_the_last_one_counts() {
    let overrides = LocalOverrides::new();
    let user = StatsigUser::with_user_id("u");
    let of = || {
        evaluate(&overrides, &user, |context| {
            let experiment = context.experiment("experiment", true);
            assert_eq!((experiment.rule_id(), experiment.group_name()), ("override", None));
            experiment.value().to_json()
        })
    };
    let groups: &[(&str, Value)] = &[
        ("Control", json!({"of": "Control"})),
        ("Test", json!({"of": "Test"})),
        ("control", json!({})),
        ("no such group", json!({})),
    ];
    for (group, expected) in groups {
        overrides.override_experiment("experiment", json!({"of": "value"}), None);
        assert_eq!(of(), json!({"of": "value"}));
        overrides.override_experiment_by_group_name("experiment", group, None);
        assert_eq!(&of(), expected, "{group}");
    }
    overrides.override_experiment("experiment", json!({"of": "value"}), Some("u"));
    assert_eq!(of(), json!({"of": "value"}), "other IDs, other overrides");
    overrides.override_experiment_by_group_name("experiment", "Test", None);
    assert_eq!(of(), json!({"of": "value"}));
    overrides.remove_experiment_override("experiment", Some("u"));
    assert_eq!(of(), json!({"of": "Test"}));
}

#[test]
fn results_say_that_they_are_overridden() {
    let overrides = LocalOverrides::new();
    for name in ["inner", "config", "experiment", "layer", "unknown"] {
        overrides.override_gate(name, true, None);
        overrides.override_dynamic_config(name, json!({"a": 1}), None);
        overrides.override_experiment(name, json!({"a": 1}), None);
        overrides.override_layer(name, json!({"a": 1}), None);
    }
    let a_one = |value: JsonRef<'_>| value.to_json() == json!({"a": 1});
    let check = |context: EvaluationContext<'_>| {
        for (gate, config, experiment, layer) in
            [("inner", "config", "experiment", "layer"), ("unknown", "unknown", "unknown", "unknown")]
        {
            let gate = context.feature_gate(gate, true);
            let config = context.dynamic_config(config, true);
            let experiment = context.experiment(experiment, true);
            let layer = context.layer(layer, true);
            assert!(gate.value() && a_one(config.value()) && a_one(experiment.value()) && a_one(layer.value()));
            assert!(context.check_gate(gate.name()));
            assert_eq!(layer.allocated_experiment(), None);
            let states = |one: &Experiment, other: &Layer| {
                assert!(!one.is_experiment_active() && !one.is_user_in_experiment());
                assert!(!other.is_experiment_active() && !other.is_user_in_experiment());
                assert_eq!((one.group_name(), other.group_name()), (None, None));
            };
            states(&experiment, &layer);
            for (rule_id, id_type, details, exposures) in [
                (gate.rule_id(), gate.id_type(), gate.details(), gate.secondary_exposures().count()),
                (config.rule_id(), config.id_type(), config.details(), config.secondary_exposures().count()),
                (
                    experiment.rule_id(),
                    experiment.id_type(),
                    experiment.details(),
                    experiment.secondary_exposures().count(),
                ),
                (layer.rule_id(), layer.id_type(), layer.details(), layer.secondary_exposures().count()),
            ] {
                assert_eq!((rule_id, id_type, exposures), ("override", "", 0));
                assert_eq!((details.reason().as_str(), details.version()), ("LocalOverride:Recognized", None));
            }
        }
    };
    evaluate(&overrides, &StatsigUser::with_user_id("u"), check);
}

#[test]
fn nested_gates_are_overridden_and_the_outer_reason_stays() {
    let overrides = LocalOverrides::new();
    overrides.override_gate("inner", true, Some("u"));
    for (id, value) in [("u", true), ("v", false)] {
        evaluate(&overrides, &StatsigUser::with_user_id(id), |context| {
            let outer = context.feature_gate("outer", true);
            assert_eq!((outer.value(), outer.details().reason().as_str()), (value, "Bootstrap:Recognized"));
            assert_eq!(context.check_gate("outer"), value);
            let exposures: Vec<_> = outer.secondary_exposures().map(|one| (one.gate, one.value, one.rule_id)).collect();
            assert_eq!(exposures, [("inner", value, if value { "override" } else { "default" })]);
        });
    }
}

#[test]
fn the_experiment_of_a_layer_is_overridden_with_it() {
    let overrides = LocalOverrides::new();
    overrides.override_experiment("experiment", json!({"of": "override"}), None);
    evaluate(&overrides, &StatsigUser::with_user_id("u"), |context| {
        let layer = context.layer("layer", true);
        assert_eq!(layer.value().to_json(), json!({"of": "override"}));
        assert_eq!((layer.rule_id(), layer.allocated_experiment()), ("override", Some("experiment")));
        assert_eq!(layer.details().reason(), "LocalOverride:Recognized");
    });
}

#[test]
fn values_that_are_no_objects_read_as_empty() {
    for value in [json!(null), json!(true), json!("text"), json!([1])] {
        let overrides = LocalOverrides::new();
        overrides.override_dynamic_config("config", value.clone(), None);
        overrides.override_experiment("experiment", value.clone(), None);
        overrides.override_layer("layer", value.clone(), None);
        overrides.override_parameter_store("store", value, None);
        evaluate(&overrides, &StatsigUser::with_user_id("u"), |context| {
            assert_eq!(context.dynamic_config("config", true).value().to_json(), json!({}));
            assert_eq!(context.experiment("experiment", true).value().to_json(), json!({}));
            assert_eq!(context.layer("layer", true).value().to_json(), json!({}));
            assert_eq!(context.parameter_store("store").parameter_names(), Vec::<&str>::new());
        });
    }
}

#[test]
fn parameters_are_typed_or_static_and_replace_the_store() {
    let overrides = LocalOverrides::new();
    let parameters = json!({
        "a": "text",
        "c": {"plain": "object"},
        "d": {"ref_type": "gate", "param_type": "string", "gate_name": "g", "pass_value": 1, "fail_value": 2}
    });
    overrides.override_parameter_store("store", parameters.as_object().unwrap().clone(), Some("u"));
    evaluate(&overrides, &StatsigUser::with_user_id("u"), |context| {
        let store = context.parameter_store("store");
        assert_eq!(store.parameter_names(), ["a", "c", "d"]);
        assert_eq!(store.details().reason(), "LocalOverride:Recognized");
        let kind = |parameter| match store.target(parameter) {
            Some(ParameterTarget::Static(value)) => value.to_json(),
            Some(ParameterTarget::Gate { gate, .. }) => json!(gate),
            other => panic!("{other:?}"),
        };
        assert_eq!([kind("a"), kind("c"), kind("d")], [json!("text"), json!({"plain": "object"}), json!("g")]);
        assert_eq!(store.target("b"), None);
    });
    evaluate(&overrides, &StatsigUser::with_user_id("v"), |context| {
        assert_eq!(context.parameter_store("store").parameter_names(), ["a", "b"]);
    });
}
