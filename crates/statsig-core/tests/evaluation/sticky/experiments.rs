//! The rules for experiments.

use serde_json::json;
use statsig_core::{ExperimentEvaluationOptions, LocalOverrides, StatsigUser, StickyValues, UserPersistedValues};

use super::{NOW, World, kept, kept_with, options, user_with_email};

const LIVE: &str = "Bootstrap:Recognized";

#[test]
fn an_assignment_is_made_ended_and_kept_up() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    // The rule, and what happens in the storage with an empty map; then with a kept assignment.
    for (name, rule, empty, with_kept) in [
        ("exp", "A", "save u-1:userID exp", None),
        ("zero", "Z", "save u-1:userID zero", None),
        ("no group", "x", "", None),
        ("inactive", "I", "delete u-1:userID inactive", Some("delete u-1:userID inactive")),
        ("no flag", "N", "delete u-1:userID no flag", Some("delete u-1:userID no flag")),
        ("config", "default", "delete u-1:userID config", Some("delete u-1:userID config")),
    ] {
        let calls = |call: &str| if call.is_empty() { vec![] } else { vec![call.to_owned()] };
        let expected = |call: &str| (rule.to_owned(), LIVE.to_owned(), calls(call));
        assert_eq!(world.experiment(&user, name, &options(None, kept())), expected(empty), "{name}, empty map");
        let deletes = format!("delete u-1:userID {name}");
        assert_eq!(
            world.experiment(&user, name, &ExperimentEvaluationOptions::new()),
            expected(&deletes),
            "{name}, none"
        );
        let kept = world.experiment(&user, name, &options(Some(name), kept()));
        match with_kept {
            Some(call) => assert_eq!(kept, expected(call), "{name}, kept"),
            None => assert_eq!(kept, ("SR".to_owned(), "Persisted".to_owned(), vec![]), "{name}, kept"),
        }
        let other = world.experiment(&user, name, &options(Some("another"), super::kept()));
        assert_eq!(other, expected(empty), "{name}, another one kept");
    }
}

#[test]
fn the_storage_is_left_alone() {
    let overrides = LocalOverrides::new();
    overrides.override_experiment("exp", json!({}), Some("overridden"));
    let world = World::new(Some(&overrides));
    let id = StatsigUser::with_user_id;
    let company = |value: serde_json::Value| -> StatsigUser {
        serde_json::from_value(json!({"userID": "u-1", "customIDs": {"companyID": value}})).unwrap()
    };
    for (user, name, reason, what) in [
        (id("u-1"), "unknown", "Bootstrap:Unrecognized", "an unknown name"),
        (id("u-1"), "bandit", LIVE, "a bandit"),
        (id("overridden"), "exp", "LocalOverride:Recognized", "a local override"),
        (StatsigUser::with_custom_ids([("x", "1")]), "exp", LIVE, "a user without a user ID"),
        (id("u-1"), "company", LIVE, "a user without a company"),
        // The official core uses the empty ID here, one entry for all such users.
        (company(json!(null)), "company", LIVE, "a company that is null"),
        (company(json!({})), "company", LIVE, "a company that is an object"),
    ] {
        for options in [ExperimentEvaluationOptions::new(), options(None, kept()), options(Some(name), kept())] {
            let (_, got, calls) = world.experiment(&user, name, &options);
            assert_eq!((got.as_str(), calls), (reason, vec![]), "{what}");
        }
    }
}

#[test]
fn what_is_not_supported_makes_no_assignment() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    let read = |options| world.experiment(&user, "unsupported", &options);
    assert_eq!(read(options(None, kept())).2, Vec::<String>::new());
    assert_eq!(read(options(Some("unsupported"), kept())).0, "SR");
    assert_eq!(read(ExperimentEvaluationOptions::new()).2, ["delete u-1:userID unsupported"]);
}

#[test]
fn keys_hold_the_id_as_it_is_hashed() {
    let world = World::new(None);
    let company = |name: &str, id: &str| StatsigUser::builder().custom_id(name, id).build();
    for (user, name, key) in [
        (StatsigUser::with_user_id(""), "exp", ":userID"),
        (StatsigUser::with_user_id(7), "exp", "7:userID"),
        (StatsigUser::with_user_id(7.0), "exp", "7:userID"),
        (StatsigUser::with_user_id("a:b"), "exp", "a:b:userID"),
        (company("companyID", "c"), "company", "c:companyID"),
        (company("companyid", "c"), "company", "c:companyID"),
    ] {
        assert_eq!(world.experiment(&user, name, &options(None, kept())).2, [format!("save {key} {name}")]);
    }
}

#[test]
fn targeting_and_overrides_count_where_they_are_enforced() {
    let world = World::new(None);
    // Rule IDs with nothing, targeting, overrides and both enforced.
    for (email, name, expected) in [
        ("in@x", "exp", ["SR", "SR", "SR", "SR"]),
        ("out@x", "exp", ["SR", "targetingGate", "SR", "targetingGate"]),
        ("ovr@x", "exp", ["SR", "SR", "u-1:override", "u-1:override"]),
        ("in@x", "targeted", ["SR", "SR", "SR", "SR"]),
        // Matched, but nobody is within the percentage.
        ("out@x", "targeted", ["SR", "SR", "SR", "SR"]),
        ("mid@x", "targeted", ["SR", "inlineTargetingRules", "SR", "inlineTargetingRules"]),
        // No such rules: nobody, though the default is true.
        ("in@x", "true by default", ["SR", "SR", "SR", "SR"]),
        // Such a rule, but it is not for the user: the default is true.
        ("in@x", "true unless out", ["SR", "D", "SR", "D"]),
        ("out@x", "true unless out", ["SR", "SR", "SR", "SR"]),
    ] {
        for (expected, (targeting, overrides)) in
            expected.into_iter().zip([(false, false), (true, false), (false, true), (true, true)])
        {
            let options =
                options(Some(name), kept()).with_enforced_targeting(targeting).with_enforced_overrides(overrides);
            let (rule_id, reason, calls) = world.experiment(&user_with_email(email), name, &options);
            let what = format!("{name} for {email}, targeting: {targeting}, overrides: {overrides}");
            assert_eq!((rule_id.as_str(), calls), (expected, vec![]), "{what}");
            assert_eq!(reason, if expected == "SR" { "Persisted" } else { LIVE }, "{what}");
        }
    }
}

/// Enforcing looks at the experiment's own rules: no local override takes part, except that of a
/// gate that they ask for.
#[test]
fn enforcing_ignores_local_overrides_but_those_of_nested_gates() {
    let mut document = super::document();
    document["dynamic_configs"]["exp"]["rules"][1]["conditions"] = json!(["g"]);
    let ruleset = statsig_core::Ruleset::compile(document.to_string().as_bytes()).unwrap();
    let overrides = LocalOverrides::new();
    let mut world = World::new(Some(&overrides));
    world.snapshot = std::sync::Arc::new(statsig_core::Snapshot::new(ruleset, statsig_core::SpecOrigin::Bootstrap, 1));
    let user = StatsigUser::with_user_id("u-1");
    let options = options(Some("layer"), kept_with(json!({"config_delegate": "exp"}))).with_enforced_targeting(true);
    let rule = || world.layer(&user, "layer", &options).0;
    assert_eq!(rule(), "targetingGate");
    overrides.override_experiment("exp", json!({}), None);
    assert_eq!(rule(), "override", "targeting decides, and so the live result counts");
    overrides.override_gate("g", false, None);
    assert_eq!(rule(), "SR", "without the gate, targeting does not decide");
}

/// A mapping is looked up before the assignment, and its result is kept under the other name.
#[test]
fn a_mapped_experiment_or_layer_is_live_and_kept_under_the_other_name() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    let both = |one: &str, other: &str| {
        let values: UserPersistedValues = [(one, kept()), (other, kept())].into_iter().collect();
        ExperimentEvaluationOptions::new().with_user_persisted_values(values)
    };
    for (options, call) in [
        (options(None, kept()), "save"),
        (options(Some("mapped"), kept()), "save"),
        (options(Some("exp"), kept()), "save"),
        (both("mapped", "exp"), "save"),
        (ExperimentEvaluationOptions::new(), "delete"),
    ] {
        let live = ("A".to_owned(), LIVE.to_owned(), vec![format!("{call} u-1:userID exp")]);
        assert_eq!(world.experiment(&user, "mapped", &options), live);
    }
    for (options, call) in [
        (options(None, kept()), "save"),
        (both("mapped layer", "layer"), "save"),
        (ExperimentEvaluationOptions::new(), "delete"),
    ] {
        let live = ("A".to_owned(), LIVE.to_owned(), vec![format!("{call} u-1:userID layer")]);
        assert_eq!(world.layer(&user, "mapped layer", &options), live);
    }
}

/// The official core keeps the layer under the name of the experiment, over what is kept there.
#[test]
fn a_layer_is_never_kept_under_the_name_of_an_experiment() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    for options in [options(None, kept()), options(Some("to mapped"), kept()), ExperimentEvaluationOptions::new()] {
        assert_eq!(world.layer(&user, "to mapped", &options), ("A".to_owned(), LIVE.to_owned(), vec![]));
    }
}

/// The official core deletes `exp` here, as it would for a plain read of it.
#[test]
fn a_condition_on_an_experiment_does_not_end_its_assignment() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    let (rule, _, calls) = world.experiment(&user, "asks", &options(None, kept()));
    assert_eq!((rule.as_str(), calls), ("asks", vec![]));
}

#[test]
fn plain_reads_touch_nothing_and_parameter_stores_read_without_options() {
    let world = World::new(None);
    world.with(&StatsigUser::with_user_id("u-1"), |context| {
        // What manual exposures are made of.
        assert_eq!(context.experiment("exp", true).rule_id(), "A");
        assert_eq!(context.layer("layer", true).rule_id(), "A");
        assert_eq!(world.storage.take(), Vec::<String>::new());
        let store = context.parameter_store("store");
        let read = |parameter| context.resolve_parameter(&store, parameter, false).unwrap().value().is_some();
        assert!(read("e") && read("l"));
        assert_eq!(world.storage.take(), ["delete u-1:userID exp", "delete u-1:userID layer"]);
    });
}

#[test]
fn without_a_storage_options_change_nothing() {
    let world = World::new(None);
    world.with(&StatsigUser::with_user_id("u-1"), |context| {
        let context = context.with_persistent_storage(None);
        assert_eq!(context.experiment_with("exp", true, &options(Some("exp"), kept())).rule_id(), "A");
        assert_eq!(context.layer_with("layer", true, &options(Some("layer"), kept())).rule_id(), "A");
    });
    assert_eq!(world.storage.take(), Vec::<String>::new());
}

#[test]
fn what_is_given_again_is_what_was_kept() {
    let world = World::new(None);
    world.with(&StatsigUser::with_user_id("u-1"), |context| {
        let experiment = context.experiment_with("exp", true, &options(Some("exp"), kept()));
        assert_eq!((experiment.name(), experiment.id_type()), ("exp", "userID"));
        assert_eq!(experiment.value().to_json(), json!({"of": "sticky"}));
        assert_eq!((experiment.rule_id(), experiment.group_name()), ("SR", Some("SG")));
        assert!(experiment.is_experiment_active() && experiment.is_user_in_experiment() && experiment.rule_passed());
        assert_eq!(experiment.override_config_name(), None);
        let exposures: Vec<_> =
            experiment.secondary_exposures().map(|one| (one.gate, one.value, one.rule_id)).collect();
        assert_eq!(exposures, [("sg", true, "sr")]);
        assert_eq!(
            serde_json::to_value(experiment.details()).unwrap(),
            json!({"reason": "Persisted", "lcut": 1_600_000_000_000_u64, "received_at": NOW, "version": 9})
        );
        for (more, reads) in [
            (json!({"value": false}), (false, json!({"of": "sticky"}), Some(1_600_000_000_000))),
            (json!({"json_value": null}), (true, json!({}), Some(1_600_000_000_000))),
            (json!({"time": null}), (true, json!({"of": "sticky"}), None)),
        ] {
            let experiment = context.experiment_with("exp", true, &options(Some("exp"), kept_with(more)));
            assert_eq!((experiment.rule_passed(), experiment.value().to_json(), experiment.details().lcut()), reads);
        }
    });
}

#[test]
fn what_is_saved_is_the_live_result() {
    let world = World::new(None);
    let user = StatsigUser::with_user_id("u-1");
    let saved = |name: &str, record| -> StickyValues {
        world.storage.take();
        world.with(&user, |context| {
            let live = context.experiment_with(name, record, &options(None, kept()));
            assert_eq!(live.secondary_exposures().next().is_some(), record && name == "exp");
        });
        world.storage.saved()
    };
    for record in [true, false] {
        assert_eq!(
            serde_json::to_value(saved("exp", record)).unwrap(),
            json!({
                "value": true, "json_value": {"of": "A"}, "rule_id": "A", "group_name": "A",
                "secondary_exposures": [{"gate": "g", "gateValue": "true", "ruleID": "G"}],
                "undelegated_secondary_exposures": [{"gate": "g", "gateValue": "true", "ruleID": "G"}],
                "config_delegate": null, "explicit_parameters": ["of"], "time": 1_700_000_000_000_u64, "config_version": 3
            })
        );
        assert_eq!(
            serde_json::to_value(saved("zero", record)).unwrap(),
            json!({
                "value": false, "json_value": {"of": "default"}, "rule_id": "Z", "group_name": "Z",
                "secondary_exposures": [], "undelegated_secondary_exposures": null, "config_delegate": null,
                "explicit_parameters": null, "time": 1_700_000_000_000_u64, "config_version": 3
            })
        );
    }
    let saved = saved("exp", true);
    world.with(&user, |context| {
        let (live, again) =
            (context.experiment("exp", true), context.experiment_with("exp", true, &options(Some("exp"), saved)));
        assert_eq!(again.details().reason(), "Persisted");
        assert_eq!(
            (again.rule_id(), again.group_name(), again.value()),
            (live.rule_id(), live.group_name(), live.value())
        );
        assert!(again.secondary_exposures().eq(live.secondary_exposures()));
        assert_eq!(again.details().version(), live.details().version());
        assert_eq!(again.details().lcut(), live.details().lcut());
    });
}
