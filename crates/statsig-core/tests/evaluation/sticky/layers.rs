//! The rules for layers, and what their exposures say.

use serde_json::{Value, json};
use statsig_core::{LayerEvaluationOptions, LayerParameter, LocalOverrides, StatsigUser};

use super::{World, kept, kept_with, options, user_with_email};

const LIVE: &str = "Bootstrap:Recognized";

#[test]
fn an_assignment_is_made_and_ended() {
    let world = World::new(None);
    let user = StatsigUser::builder().user_id("u-1").custom_id("companyID", "c").build();
    for (name, rule, empty) in [
        ("layer", "A", "save u-1:userID layer"),
        ("merging", "D", "save u-1:userID merging"),
        ("by company", "A", "save c:companyID by company"),
        ("to inactive", "I", "delete u-1:userID to inactive"),
        ("to no flag", "N", "delete u-1:userID to no flag"),
        ("plain", "default", "delete u-1:userID plain"),
        ("plain active", "default", ""),
    ] {
        let (rule_id, reason, calls) = world.layer(&user, name, &options(None, kept()));
        let expected: Vec<&str> = Some(empty).filter(|call| !call.is_empty()).into_iter().collect();
        assert_eq!(
            (rule_id.as_str(), reason.as_str(), calls),
            (rule, LIVE, expected.iter().map(|call| (*call).to_owned()).collect()),
            "{name}"
        );
        let (_, _, calls) = world.layer(&user, name, &LayerEvaluationOptions::new());
        assert!(calls.len() == 1 && calls[0].starts_with("delete ") && calls[0].ends_with(name), "{calls:?}");
    }
    assert_eq!(world.layer(&user, "unknown", &options(Some("unknown"), kept())).2, Vec::<String>::new());
    let no_company = StatsigUser::with_user_id("u-1");
    for options in [LayerEvaluationOptions::new(), options(Some("by company"), kept())] {
        let (rule_id, _, calls) = world.layer(&no_company, "by company", &options);
        assert_eq!((rule_id.as_str(), calls), ("A", vec![]));
    }
}

/// Whether a kept assignment is given again: by its own experiment, else by the layer.
#[test]
fn the_experiment_of_the_assignment_must_be_active() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    for (delegate, layer, active, plain, plain_active) in [
        (json!("exp"), true, true, true, true),
        (json!("company"), true, true, true, true),
        (json!("inactive"), false, false, false, false),
        (json!("no flag"), true, false, false, true),
        (json!("ghost"), true, false, false, true),
        (json!(""), true, false, false, true),
        (Value::Null, true, false, false, true),
    ] {
        for (name, given, live) in [
            ("layer", layer, "A"),
            ("to inactive", active, "I"),
            ("plain", plain, "default"),
            ("plain active", plain_active, "default"),
        ] {
            let kept = kept_with(json!({"config_delegate": delegate}));
            let got = world.layer(&user, name, &options(Some(name), kept));
            let expected = if given {
                ("SR".to_owned(), "Persisted".to_owned(), vec![])
            } else {
                (live.to_owned(), LIVE.to_owned(), vec![format!("delete u-1:userID {name}")])
            };
            assert_eq!(got, expected, "{name} with an assignment to {delegate}");
        }
    }
}

/// The experiment of the assignment is asked, not the one that the layer hands over to today.
#[test]
fn targeting_and_overrides_are_those_of_the_assignment() {
    let world = World::new(None);
    let (live_out, live_mid) = ("targetingGate", "inlineTargetingRules");
    for (email, delegate, targeting, overrides) in [
        ("in@x", json!("exp"), "SR", "SR"),
        ("in@x", json!("targeted"), "SR", "SR"),
        ("out@x", json!("exp"), live_out, "SR"),
        ("out@x", json!("targeted"), "SR", "SR"),
        ("out@x", Value::Null, "SR", "SR"),
        ("ovr@x", json!("exp"), "SR", "T"),
        ("mid@x", json!("exp"), "SR", "SR"),
        ("mid@x", json!("targeted"), live_mid, "SR"),
        ("mid@x", Value::Null, "SR", "SR"),
    ] {
        // Without an experiment of its own, the assignment is kept by a layer that is active.
        let values = || options(Some("to targeted"), kept_with(json!({"config_delegate": delegate})));
        let user = user_with_email(email);
        for (expected, options) in
            [(targeting, values().with_enforced_targeting(true)), (overrides, values().with_enforced_overrides(true))]
        {
            let (rule_id, _, calls) = world.layer(&user, "to targeted", &options);
            assert_eq!((rule_id.as_str(), calls), (expected, vec![]), "{email}, assigned to {delegate}");
        }
    }
}

/// The official core saves the value of an overridden experiment in a merging layer.
#[test]
fn a_local_override_is_never_kept() {
    let overrides = LocalOverrides::new();
    overrides.override_experiment("exp", json!({"of": "override"}), None);
    let world = World::new(Some(&overrides));
    let user = StatsigUser::with_user_id("u-1");
    let (_, reason, calls) = world.layer(&user, "merging", &options(None, kept()));
    assert_eq!((reason.as_str(), calls), ("LocalOverride:Recognized", vec![]));
    // The layer keeps its id type, so that an assignment it has goes on, or ends.
    let (rule, _, calls) =
        world.layer(&user, "layer", &options(Some("layer"), kept_with(json!({"config_delegate": "exp"}))));
    assert_eq!((rule.as_str(), calls), ("SR", vec![]));
    let (rule, _, calls) = world.layer(&user, "layer", &options(None, kept()));
    assert_eq!((rule.as_str(), calls), ("override", vec!["delete u-1:userID layer".to_owned()]));
}

fn exposures(parameter: &LayerParameter<'_>) -> Vec<String> {
    parameter.secondary_exposures.iter().map(|one| format!("{}={}/{}", one.gate, one.value, one.rule_id)).collect()
}

#[test]
fn exposures_are_those_of_the_assignment() {
    let world = World::new(None);
    world.with(&StatsigUser::with_user_id("u-1"), |context| {
        let layer_of = |more: Value| {
            let mut values = json!({"config_delegate": "company", "json_value": {"of": 1, "own": 2}});
            values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            context.layer_with("merging", true, &options(Some("merging"), kept_with(values)))
        };
        let layer = layer_of(json!({}));
        assert_eq!((layer.name(), layer.rule_id(), layer.id_type()), ("merging", "SR", "userID"));
        assert_eq!((layer.group_name(), layer.allocated_experiment()), (Some("SG"), Some("company")));
        assert_eq!(layer.value().to_json(), json!({"of": 1, "own": 2}));
        assert!(layer.is_experiment_active() && layer.is_user_in_experiment());
        let details = layer.details();
        assert_eq!(
            (details.reason().as_str(), details.lcut(), details.version()),
            ("Persisted", Some(1_600_000_000_000), Some(9))
        );

        // Explicit, with its allocated experiment; and the exposures.
        for (more, name, experiment, expected) in [
            (json!({}), "of", Some("company"), vec!["sg=true/sr"]),
            (json!({}), "own", None, vec!["ug=false/ur"]),
            (json!({}), "no such parameter", None, vec!["ug=false/ur"]),
            (json!({"explicit_parameters": null}), "of", None, vec!["ug=false/ur"]),
            (json!({"undelegated_secondary_exposures": null}), "own", None, vec![]),
            (json!({"explicit_parameters": ["own"]}), "own", Some("company"), vec!["sg=true/sr"]),
            (json!({"config_delegate": null}), "of", None, vec!["sg=true/sr"]),
        ] {
            let layer = layer_of(more);
            let parameter = layer.parameter(name);
            assert_eq!((parameter.rule_id, parameter.allocated_experiment), ("SR", experiment), "{name}");
            assert_eq!(exposures(&parameter), expected, "{name}");
        }
    });
}

#[test]
fn what_is_saved_gives_the_same_layer_again() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    let gate = || json!({"gate": "g", "gateValue": "true", "ruleID": "G"});
    for (name, value, rule) in [("layer", json!({"of": "A"}), "A"), ("merging", json!({"of": "A", "size": 2}), "D")] {
        for record in [true, false] {
            world.storage.take();
            world.with(&user, |context| {
                let live = context.layer_with(name, record, &options(None, kept()));
                assert_eq!(live.parameter("own").secondary_exposures.len(), usize::from(record));
            });
            let saved = world.storage.saved();
            assert_eq!(
                serde_json::to_value(&saved).unwrap(),
                json!({
                    "value": true, "json_value": value, "rule_id": rule, "group_name": "A",
                    "secondary_exposures": [gate(), gate()], "undelegated_secondary_exposures": [gate()],
                    "config_delegate": "exp", "explicit_parameters": ["of"], "time": 1_700_000_000_000_u64,
                    "config_version": 3
                }),
                "{name}"
            );
            world.with(&user, |context| {
                let (live, again) =
                    (context.layer(name, true), context.layer_with(name, true, &options(Some(name), saved)));
                assert_eq!(again.details().reason(), "Persisted");
                assert_eq!((again.rule_id(), again.value()), (live.rule_id(), live.value()));
                assert_eq!(
                    (again.group_name(), again.allocated_experiment()),
                    (live.group_name(), live.allocated_experiment())
                );
                assert_eq!(again.parameter("of"), live.parameter("of"));
            });
        }
    }
}
