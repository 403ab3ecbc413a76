//! Sticky assignments and local overrides: who does not use them sees no difference.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use statsig_core::{
    EvaluationContext, EvaluationSettings, Experiment, ExperimentEvaluationOptions, FixedClock,
    InMemoryPersistentStorage, Layer, LocalOverrides, Ruleset, Snapshot, StatsigUser, UserPersistedValues, storage_key,
};
use statsig_testkit::generate::{Names, Style};
use statsig_testkit::observe::observe;

use super::support::{any_user, assert_same, document, snapshot};

/// Calls `check` with a context that has a storage and draws the same every time.
fn with_storage(
    snapshot: &Arc<Snapshot>,
    user: &StatsigUser,
    storage: &InMemoryPersistentStorage,
    check: impl FnOnce(EvaluationContext<'_>),
) {
    let settings = EvaluationSettings::new();
    let context = EvaluationContext::new(snapshot, user, &settings, &FixedClock(1_790_000_000_000)).with_seed(7);
    check(context.with_persistent_storage(Some(storage)));
}

fn of_experiment(one: &Experiment) -> String {
    let exposures: Vec<_> = one.secondary_exposures().collect();
    let flags = (one.is_experiment_active(), one.is_user_in_experiment(), one.rule_passed());
    let names = (one.name(), one.rule_id(), one.id_type(), one.group_name(), one.override_config_name());
    format!("{} {names:?} {flags:?} {exposures:?} {:?}", one.value(), one.details())
}

fn of_layer(one: &Layer) -> String {
    let exposures: Vec<_> = one.secondary_exposures().collect();
    let parameters: Vec<_> = Names::all().parameters.iter().map(|name| format!("{:?}", one.parameter(name))).collect();
    let flags = (one.is_experiment_active(), one.is_user_in_experiment());
    let names = (one.name(), one.rule_id(), one.id_type(), one.group_name(), one.allocated_experiment());
    format!("{} {names:?} {flags:?} {exposures:?} {parameters:?} {:?}", one.value(), one.details())
}

/// Compares all experiments and layers, read plainly and with options.
fn assert_plain(context: EvaluationContext<'_>, options: &ExperimentEvaluationOptions) {
    let names = Names::all();
    for record in [false, true] {
        for name in &names.configs {
            let (plain, other) = (context.experiment(name, record), context.experiment_with(name, record, options));
            assert_eq!(of_experiment(&plain), of_experiment(&other), "experiment {name}");
        }
        for name in &names.layers {
            let (plain, other) = (context.layer(name, record), context.layer_with(name, record, options));
            assert_eq!(of_layer(&plain), of_layer(&other), "layer {name}");
        }
    }
}

/// The same document, with every experiment active and every rule a group.
fn all_groups(document: &str) -> String {
    let mut document: Value = serde_json::from_str(document).unwrap();
    let configs: Vec<&mut Value> = match &mut document["dynamic_configs"] {
        Value::Object(configs) => configs.iter_mut().map(|(_, spec)| spec).collect(),
        Value::Array(configs) => configs.iter_mut().collect(),
        _ => Vec::new(),
    };
    for spec in configs.into_iter().filter_map(Value::as_object_mut) {
        spec.insert("isActive".to_owned(), true.into());
        let rules = spec.get_mut("rules").and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            rule.insert("isExperimentGroup".to_owned(), true.into());
        }
    }
    document.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_values_the_rules_decide(document in document(Style::Tame), user in any_user()) {
        let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
        let storage = InMemoryPersistentStorage::new();
        let none = ExperimentEvaluationOptions::new();
        let empty = none.clone().with_user_persisted_values(UserPersistedValues::new());
        with_storage(&snapshot, &user, &storage, |context| {
            assert_plain(context, &empty);
            assert_plain(context, &none);
            assert!(storage.is_empty(), "reading everything without values ends every assignment");
            assert_plain(context, &empty.with_enforced_targeting(true).with_enforced_overrides(true));
            assert_plain(context.with_persistent_storage(None), &none);
        });
    }

    #[test]
    fn what_is_kept_is_given_again(document in document(Style::Tame), user in any_user()) {
        let snapshot = snapshot(Ruleset::compile(all_groups(&document).as_bytes()).unwrap());
        let storage = InMemoryPersistentStorage::new();
        let empty = ExperimentEvaluationOptions::new().with_user_persisted_values(UserPersistedValues::new());
        with_storage(&snapshot, &user, &storage, |context| {
            for name in &Names::all().configs {
                let live = context.experiment_with(name, true, &empty);
                let Some(key) = storage_key(&user, live.id_type()) else { continue };
                let kept = storage.values(&key);
                if kept.get(name).is_none() {
                    continue;
                }
                let options = ExperimentEvaluationOptions::new().with_user_persisted_values(kept);
                let again = context.experiment_with(name, true, &options);
                assert_eq!(again.details().reason(), "Persisted", "{name}");
                assert_eq!((again.value(), again.rule_id()), (live.value(), live.rule_id()), "{name}");
                assert_eq!((again.group_name(), again.rule_passed()), (live.group_name(), live.rule_passed()), "{name}");
                assert!(again.secondary_exposures().eq(live.secondary_exposures()), "{name}");
            }
        });
    }

    #[test]
    fn overrides_of_other_names_and_ids_change_nothing(document in document(Style::Tame), user in any_user()) {
        let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
        let settings = EvaluationSettings::new();
        let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(0)).with_seed(7);
        let names = Names::all();
        let (none, others) = (LocalOverrides::new(), LocalOverrides::new());
        others.override_gate("no such name", true, None);
        for name in names.gates.iter().chain(&names.configs).chain(&names.layers) {
            others.override_gate(name, true, Some("nobody's ID"));
            others.override_experiment_by_group_name(name, "Test", Some("nobody's ID"));
        }
        for record in [false, true] {
            let plain = observe(context, &names, record);
            for overrides in [&none, &others] {
                let other = observe(context.with_overrides(Some(overrides)), &names, record);
                assert_same(&plain, &other, "with overrides for others");
            }
        }
    }
}
