//! Evaluation: it always ends, never panics, and does not depend on whether it records.

use proptest::prelude::*;
use serde_json::json;
use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Ruleset, StatsigUser};
use statsig_testkit::generate::Style;
use statsig_testkit::observe::without_exposures;

use super::support::{any_user, assert_same, document, everything, gates, snapshot};

/// Compares the way that stops as soon as it can with the one that visits everything.
fn assert_agreement(document: &str, user: &StatsigUser) {
    let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
    let quick = everything(&snapshot, user, false);
    assert!(quick.iter().all(|observation| observation.exposures.is_empty()), "recorded without being asked to");
    let recording = everything(&snapshot, user, true);
    assert_same(&everything(&snapshot, user, true), &recording, "two evaluations of the same");
    assert_same(&quick, &without_exposures(recording), "quick and recording");
}

proptest! {
    #[test]
    fn recording_changes_no_result(document in document(Style::Tame), user in any_user()) {
        assert_agreement(&document, &user);
    }

    #[test]
    fn any_document_that_compiles_can_be_evaluated(document in document(Style::Wild), user in any_user()) {
        if Ruleset::compile(document.as_bytes()).is_ok() {
            assert_agreement(&document, &user);
        }
    }
}

/// A chain of gates `g0`, `g1`, … of which the last asks `last`; every tenth has a condition in
/// front that fails.
fn chain(length: usize, last: &[&str]) -> String {
    let names: Vec<String> = (0..length).map(|at| format!("g{at}")).collect();
    let mut conditions = json!({
        "never": {"type": "user_field", "field": "x", "operator": "any", "targetValue": ["y"], "idType": ""},
        "absent": {"type": "pass_gate", "targetValue": "absent", "idType": ""},
    });
    for name in &names {
        conditions[name] = json!({"type": "pass_gate", "targetValue": name, "idType": ""});
    }
    let rules: Vec<Vec<&str>> = (0..length)
        .map(|at| match names.get(at + 1) {
            Some(next) if at % 10 == 9 => vec!["never", next.as_str()],
            Some(next) => vec![next.as_str()],
            None => last.to_vec(),
        })
        .collect();
    let specs: Vec<(&str, &[&str])> = names.iter().zip(&rules).map(|(name, rule)| (name.as_str(), &**rule)).collect();
    gates(&specs, conditions)
}

/// Checks which gates of a chain are too deep: those up to `last_deep`.
fn assert_deep_until(document: &str, last_deep: usize) {
    let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
    let settings = EvaluationSettings::new();
    let clock = FixedClock(0);
    let user = StatsigUser::with_user_id("u");
    let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
    for (at, reason) in [
        (0, "Error:Statsig Evaluation Depth Exceeded"),
        (last_deep, "Error:Statsig Evaluation Depth Exceeded"),
        (last_deep + 1, "Bootstrap:Recognized"),
    ] {
        for record in [true, false] {
            let gate = context.feature_gate(&format!("g{at}"), record);
            assert_eq!(gate.details().reason(), reason, "g{at}, recording: {record}");
        }
    }
    let problems = snapshot.ruleset().problems();
    assert_eq!(problems.len(), last_deep + 1, "{problems:?}");
}

/// A gate half-way down a chain was followed only as far as its value needed, and so the depth that
/// lies behind its other conditions went unnoticed, unless the evaluation recorded.
#[test]
fn depth_counts_behind_a_condition_that_failed() {
    assert_deep_until(&chain(71, &[]), 5);
}

/// A gate that is not in the document is a level too, but was not counted when it was compiled.
#[test]
fn a_missing_gate_at_the_end_of_a_chain_counts_as_a_level() {
    assert_deep_until(&chain(70, &["absent"]), 5);
}
