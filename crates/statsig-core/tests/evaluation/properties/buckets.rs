//! Buckets: every one is as likely as the next, whatever the salts and IDs look like.
//!
//! Salts and IDs are fixed, and so are the results: the bounds say how unlikely an even
//! distribution would be to stray as far, and are never met by chance on another day.

use serde_json::{Value, json};
use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Ruleset, StatsigUser};

use super::support::snapshot;

const IDS: usize = 4_000;

/// IDs as applications have them: counters, mails, UUID-like, long ones with a shared beginning.
fn id(shape: usize, at: usize) -> String {
    match shape {
        0 => at.to_string(),
        1 => format!("user-{at}@corp.example"),
        2 => format!("{:08x}-0000-4000-8000-{:012x}", at.wrapping_mul(2_654_435_761) & 0xffff_ffff, at),
        _ => format!("{}{at}", "tenant/".repeat(20)),
    }
}

fn salts() -> Vec<String> {
    let plain = ["", "a", "0", "salt", "4f2b8a8e-3f43-4a4f-9d0a-6a5f0c7d9f10"].map(str::to_owned);
    plain.into_iter().chain((0..7).map(|at| format!("{}{at}", "x".repeat(at * 13)))).collect()
}

fn document(gates: Value, configs: Value, conditions: Value) -> String {
    json!({
        "has_updates": true, "time": 1, "feature_gates": gates, "dynamic_configs": configs, "layer_configs": {},
        "condition_map": conditions,
    })
    .to_string()
}

fn spec(salt: &str, rules: Value) -> Value {
    json!({
        "type": "x", "entity": "x", "salt": salt, "enabled": true, "defaultValue": false, "idType": "userID",
        "rules": rules,
    })
}

/// Counts, over all IDs of a shape, which rule decides.
fn count(document: &str, shape: usize, mut each: impl FnMut(EvaluationContext<'_>)) {
    let snapshot = snapshot(Ruleset::compile(document.as_bytes()).unwrap());
    let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
    for at in 0..IDS {
        let user = StatsigUser::with_user_id(id(shape, at));
        each(EvaluationContext::new(&snapshot, &user, &settings, &clock));
    }
}

/// Chi-square of counts that should be equal.
fn chi_square(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    let expected = total as f64 / counts.len() as f64;
    counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn users_are_spread_evenly_over_the_groups_of_experiments() {
    let groups = 10;
    let mut sum = 0.0;
    let mut tests = 0;
    for salt in salts() {
        let conditions: serde_json::Map<_, _> = (1..=groups)
            .map(|at| {
                let condition = json!({
                    "type": "user_bucket", "operator": "lt", "targetValue": 1_000 / groups * at,
                    "additionalValues": { "salt": &salt }, "idType": "userID",
                });
                (at.to_string(), condition)
            })
            .collect();
        let rules: Value = (1..=groups)
            .map(|at| {
                json!({
                    "name": "", "id": (at - 1).to_string(), "passPercentage": 100, "conditions": [at.to_string()],
                    "returnValue": {}, "idType": "userID",
                })
            })
            .collect();
        let document = document(json!({}), json!({ "x": spec("s", rules) }), conditions.into());
        for shape in 0..4 {
            let mut counts = [0; 10];
            count(&document, shape, |context| {
                counts[context.experiment("x", false).rule_id().parse::<usize>().unwrap()] += 1;
            });
            let chi = chi_square(&counts);
            // 9 degrees of freedom: exceeded once in 100,000.
            assert!(chi < 39.3, "salt {salt:?}, ids like {:?}: {counts:?} gives {chi}", id(shape, 1));
            sum += chi;
            tests += 1;
        }
    }
    // The sum has 9 degrees of freedom for each test; it must neither be too uneven nor too even.
    let (mean, deviation) = (9.0 * f64::from(tests), (18.0 * f64::from(tests)).sqrt());
    assert!((sum - mean).abs() < 4.0 * deviation, "{sum} over {tests} tests");
}

#[test]
fn rollouts_reach_the_share_of_users_that_they_say_and_grow_without_losing_any() {
    let percentages = [0.5, 10.0, 33.33, 50.0, 90.0, 99.5];
    for (at, salt) in salts().iter().enumerate() {
        let gates: serde_json::Map<_, _> = percentages
            .iter()
            .map(|percentage| {
                let rule = json!([{
                    "name": "", "id": "r", "salt": salt, "passPercentage": percentage, "conditions": [],
                    "returnValue": true, "idType": "userID",
                }]);
                (percentage.to_string(), spec("s", rule))
            })
            .collect();
        let document = document(gates.into(), json!({}), json!({}));
        let mut passed = [0; 6];
        count(&document, at % 4, |context| {
            let open = percentages.map(|percentage| context.check_gate(&percentage.to_string()));
            assert!(open.is_sorted(), "a user lost a gate when it opened further: {open:?}");
            passed.iter_mut().zip(open).for_each(|(count, open)| *count += usize::from(open));
        });
        for (count, percentage) in passed.into_iter().zip(percentages) {
            let share = percentage / 100.0;
            let deviation = (IDS as f64 * share * (1.0 - share)).sqrt();
            let off = (count as f64 - IDS as f64 * share).abs();
            // Beyond four and a half deviations: once in 150,000.
            assert!(off < 4.5 * deviation, "salt {salt:?}: {count} of {IDS} passed {percentage} %");
        }
    }
}

#[test]
fn the_same_user_gets_unrelated_buckets_from_different_salts() {
    let condition = |salt: &str| {
        json!({
            "type": "user_bucket", "operator": "lt", "targetValue": 500, "additionalValues": { "salt": salt },
            "idType": "userID",
        })
    };
    let rule = |condition| {
        json!([{
            "name": "", "id": "r", "passPercentage": 100, "conditions": [condition], "returnValue": true,
            "idType": "userID",
        }])
    };
    let gates = json!({ "a": spec("s", rule("a")), "b": spec("s", rule("b")) });
    let document = document(gates, json!({}), json!({ "a": condition("exp-1"), "b": condition("exp-2") }));
    let mut cells = [0; 4];
    count(&document, 0, |context| {
        cells[usize::from(context.check_gate("a")) * 2 + usize::from(context.check_gate("b"))] += 1;
    });
    // 3 degrees of freedom: exceeded once in 100,000.
    assert!(chi_square(&cells) < 25.9, "{cells:?}");
}
