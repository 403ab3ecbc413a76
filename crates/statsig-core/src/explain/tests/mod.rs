//! Explanations of hand-made projects.

mod bounds;
mod composites;
mod privacy;
mod trees;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{EvaluationContext, EvaluationSettings, Explanation, Ruleset, Snapshot, SpecOrigin, StatsigUser};
use statsig_adapters::FixedClock;

/// The time that all tests see.
const NOW: i64 = 1_700_000_000_000;

/// A project that is built part by part.
struct Project(Value);

impl Project {
    /// A project with these conditions, by id, and the condition `public`.
    fn new(conditions: Value) -> Self {
        let mut document = json!({
            "has_updates": true, "time": 1, "app_id": "app-1", "default_environment": "development",
            "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {},
            "condition_map": {"public": {"type": "public", "idType": "userID"}}
        });
        for (id, mut condition) in conditions.as_object().unwrap().clone() {
            condition["idType"] = condition.get("idType").cloned().unwrap_or_else(|| json!("userID"));
            document["condition_map"][id] = condition;
        }
        Self(document)
    }

    /// Adds a spec with the default `default` and rules that [`rule`] made.
    fn with(mut self, section: &str, entity: &str, name: &str, default: Value, rules: &[Value]) -> Self {
        let kind = if section == "feature_gates" { "feature_gate" } else { "dynamic_config" };
        self.0[section][name] = json!({
            "type": kind, "entity": entity, "salt": "s", "enabled": true, "isActive": true,
            "defaultValue": default, "rules": rules, "idType": "userID"
        });
        self
    }

    fn gate(self, name: &str, rules: &[Value]) -> Self {
        self.with("feature_gates", "feature_gate", name, json!(false), rules)
    }

    fn experiment(self, name: &str, rules: &[Value]) -> Self {
        self.with("dynamic_configs", "experiment", name, json!({}), rules)
    }

    /// Adds to or replaces a part of the document.
    fn set(mut self, part: &str, value: Value) -> Self {
        self.0[part] = value;
        self
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let ruleset = Ruleset::compile(self.0.to_string().as_bytes()).unwrap();
        Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1))
    }

    fn explain(&self, user: &StatsigUser, explain: impl Fn(EvaluationContext<'_>) -> Explanation) -> Explanation {
        explain_on(&self.snapshot(), user, explain)
    }
}

fn explain_on(
    snapshot: &Arc<Snapshot>,
    user: &StatsigUser,
    explain: impl Fn(EvaluationContext<'_>) -> Explanation,
) -> Explanation {
    let (settings, clock) = (EvaluationSettings::new(), FixedClock(NOW));
    let explanation = explain(EvaluationContext::new(snapshot, user, &settings, &clock).with_seed(1));
    assert!(!explanation.disagrees, "{explanation}");
    explanation
}

/// A rule for everybody to whom the conditions apply, with its ID as salt.
fn rule(id: &str, conditions: &[&str], value: Value) -> Value {
    json!({
        "name": id, "id": id, "passPercentage": 100, "conditions": conditions, "returnValue": value, "idType": "userID"
    })
}

/// A rule that also has these fields.
fn rule_with(id: &str, conditions: &[&str], value: Value, more: Value) -> Value {
    let mut rule = rule(id, conditions, value);
    for (name, value) in more.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn user() -> StatsigUser {
    StatsigUser::builder().user_id("user-1").email("ada@corp.example").build()
}

/// Compares line by line, so that a difference is found at once.
#[track_caller]
fn says(explanation: &crate::Explanation, expected: &str) {
    let text = explanation.to_string();
    let expected: Vec<&str> = expected.trim_matches('\n').lines().collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "\n{text}");
}
