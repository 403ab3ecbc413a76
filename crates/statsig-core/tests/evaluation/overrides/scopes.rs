//! Overrides that end with their scope, and changes while others read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use statsig_core::{ExperimentOverride, LocalOverrides, OverrideAdapter, OverrideScope, StatsigUser};

fn gate(overrides: &LocalOverrides) -> Option<bool> {
    overrides.gate("x", &StatsigUser::with_user_id("u"))
}

/// A scope that overrides everything called `x` for `id`.
fn everything(overrides: &LocalOverrides, id: Option<&str>) -> OverrideScope {
    let scope = overrides.scope();
    scope.override_gate("x", true, id);
    scope.override_dynamic_config("x", json!({}), id);
    scope.override_experiment("x", json!({}), id);
    scope.override_experiment_by_group_name("y", "Test", id);
    scope.override_layer("x", json!({}), id);
    scope.override_parameter_store("x", json!({}), id);
    scope
}

fn overridden(overrides: &LocalOverrides) -> [bool; 6] {
    let user = StatsigUser::with_user_id("u");
    [
        overrides.gate("x", &user).is_some(),
        overrides.dynamic_config("x", &user).is_some(),
        overrides.experiment("x", &user).is_some(),
        overrides.experiment("y", &user) == Some(ExperimentOverride::Group("Test".to_owned())),
        overrides.layer("x", &user).is_some(),
        overrides.parameter_store("x", &user).is_some(),
    ]
}

#[test]
fn what_a_scope_sets_ends_with_it() {
    for id in [None, Some("u")] {
        let overrides = LocalOverrides::new();
        let scope = everything(&overrides, id);
        assert_eq!(overridden(&overrides), [true; 6]);
        drop(scope);
        assert_eq!(overridden(&overrides), [false; 6]);
        assert!(overrides.is_empty());
    }
}

#[test]
fn a_panic_ends_a_scope() {
    let overrides = LocalOverrides::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _scope = everything(&overrides, None);
        panic!("as failing tests do");
    }));
    assert!(panicked.is_err() && overrides.is_empty());
}

#[test]
fn what_was_there_before_shows_again_as_it_is_then() {
    let overrides = LocalOverrides::new();
    overrides.override_gate("x", false, None);
    let scope = overrides.scope();
    scope.override_gate("x", true, None);
    assert_eq!(gate(&overrides), Some(true));
    overrides.override_gate("x", false, None);
    assert_eq!(gate(&overrides), Some(true), "a scope hides what is set without one");
    drop(scope);
    assert_eq!(gate(&overrides), Some(false));

    let scope = overrides.scope();
    scope.override_gate("x", true, None);
    overrides.remove_gate_override("x", None);
    assert_eq!(gate(&overrides), Some(true), "a removal does not reach into a scope");
    overrides.remove_all_overrides();
    assert_eq!(gate(&overrides), Some(true));
    drop(scope);
    assert_eq!(gate(&overrides), None);
}

#[test]
fn a_scope_for_everyone_does_not_hide_an_override_for_an_id() {
    let overrides = LocalOverrides::new();
    overrides.override_gate("x", false, Some("u"));
    let scope = overrides.scope();
    scope.override_gate("x", true, None);
    assert_eq!(gate(&overrides), Some(false));
    scope.override_gate("x", true, Some("u"));
    assert_eq!(gate(&overrides), Some(true));
}

/// Three scopes, `true`, `false`, `true`, end in every order: the newest that is left counts.
#[test]
fn overlapping_scopes_end_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let overrides = LocalOverrides::new();
        let mut scopes: Vec<Option<OverrideScope>> = [true, false, true]
            .map(|value| {
                let scope = overrides.scope();
                scope.override_gate("x", value, None);
                Some(scope)
            })
            .into();
        for ending in order {
            scopes[ending] = None;
            let newest = (0..3).rev().find(|&at| scopes[at].is_some());
            assert_eq!(gate(&overrides), newest.map(|at| at != 1), "{order:?} after {ending}");
        }
        assert!(overrides.is_empty());
    }
}

#[test]
fn in_a_scope_and_between_scopes_the_last_value_counts() {
    let overrides = LocalOverrides::new();
    let (one, two) = (overrides.scope(), overrides.scope());
    one.override_gate("x", true, None);
    one.override_gate("x", false, None);
    assert_eq!(gate(&overrides), Some(false));
    two.override_gate("x", true, None);
    one.override_gate("x", false, None);
    assert_eq!(gate(&overrides), Some(false));
    drop(one);
    assert_eq!(gate(&overrides), Some(true));
}

/// Writers on many threads, each with names and scopes of its own, beside readers that must always
/// see the override that stays.
#[test]
fn threads_do_not_undo_each_other() {
    let overrides = LocalOverrides::new();
    overrides.override_gate("x", true, None);
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(gate(&overrides), Some(true));
                    assert!(!overrides.is_empty());
                }
            });
        }
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let overrides = overrides.clone();
                threads.spawn(move || {
                    for round in 0..100 {
                        let name = format!("gate {thread} {round}");
                        overrides.override_gate(&name, true, None);
                        let scope = overrides.scope();
                        scope.override_gate("scoped", thread % 2 == 0, Some(&name));
                        let id = StatsigUser::with_user_id(name.as_str());
                        assert_eq!(overrides.gate("scoped", &id), Some(thread % 2 == 0));
                        if round % 2 == 0 {
                            overrides.remove_gate_override(&name, None);
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let user = StatsigUser::with_user_id("u");
    for thread in 0..4 {
        for round in 0..100 {
            let left = (round % 2 == 1).then_some(true);
            assert_eq!(overrides.gate(&format!("gate {thread} {round}"), &user), left);
        }
    }
    overrides.remove_all_overrides();
    assert!(overrides.is_empty());
}

#[test]
fn debug_shows_no_id() {
    let overrides = LocalOverrides::new();
    let scope = everything(&overrides, Some("somebody"));
    let shown = format!("{overrides:?} {scope:?}");
    assert!(!shown.contains("somebody") && shown.contains("experiments: 2"), "{shown}");
}
