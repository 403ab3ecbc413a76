//! From bytes to documents, users and contexts.

use std::sync::Arc;

use proptest::prelude::*;
use statsig_core::{
    EvaluationContext, EvaluationSettings, FixedClock, InMemoryIdLists, Ruleset, Snapshot, SpecOrigin, StatsigUser,
};
use statsig_testkit::generate::{Choices, Names, Project, Style, project, user};
use statsig_testkit::observe::{Observation, observe};

/// The form that a project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    V1,
    V2,
}

impl Form {
    pub(crate) fn of(self, project: &Project) -> String {
        match self {
            Self::V1 => project.to_v1(),
            Self::V2 => project.to_v2(),
        }
    }
}

pub(crate) fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::V2), Just(Form::V1)]
}

/// A project; shrinks to small ones, since fewer bytes make fewer parts.
pub(crate) fn any_project(style: Style) -> impl Strategy<Value = Project> {
    prop::collection::vec(any::<u8>(), 0..6_000).prop_map(move |bytes| project(&Choices::new(&bytes), style))
}

/// A document of either form.
pub(crate) fn document(style: Style) -> impl Strategy<Value = String> {
    (any_project(style), form()).prop_map(|(project, form)| form.of(&project))
}

/// A user; the generator's are always readable.
pub(crate) fn any_user() -> impl Strategy<Value = StatsigUser> {
    prop::collection::vec(any::<u8>(), 0..200)
        .prop_map(|bytes| serde_json::from_str(&user(&Choices::new(&bytes)).to_string()).unwrap())
}

pub(crate) fn snapshot(ruleset: Ruleset) -> Arc<Snapshot> {
    Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1_790_000_000_000))
}

/// Evaluates everything, always with the same clock, ID lists, settings and draws.
pub(crate) fn everything(snapshot: &Arc<Snapshot>, user: &StatsigUser, record: bool) -> Vec<Observation> {
    let settings = EvaluationSettings::new().with_global_custom_fields([("level", 3)]);
    let mut lists = InMemoryIdLists::new();
    lists.insert("list", "user-1");
    let clock = FixedClock(1_790_000_000_000);
    let context = EvaluationContext::new(snapshot, user, &settings, &clock).with_id_lists(Some(&lists)).with_seed(7);
    observe(context, &Names::all(), record)
}

/// Fails with the first answers that differ, not with all there are.
pub(crate) fn assert_same(one: &[Observation], other: &[Observation], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}: not the same calls");
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{what}");
    }
}

/// One gate that everybody passes when `condition` holds, with the conditions it needs.
pub(crate) fn gates(gates: &[(&str, &[&str])], conditions: serde_json::Value) -> String {
    let specs: serde_json::Map<_, _> = gates
        .iter()
        .map(|&(name, conditions)| {
            let rule = serde_json::json!({
                "name": "r", "id": "r", "passPercentage": 100, "conditions": conditions, "returnValue": true,
                "idType": "userID",
            });
            let spec = serde_json::json!({
                "type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
                "defaultValue": false, "idType": "userID", "rules": [rule],
            });
            (name.to_owned(), spec)
        })
        .collect();
    serde_json::json!({
        "has_updates": true, "time": 1, "feature_gates": specs, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": conditions,
    })
    .to_string()
}
