//! Sticky assignments: when an earlier result is given again, when one is kept, and in which form.
//!
//! The tables were checked against the official server core, except where a row says why we differ.

mod experiments;
mod layers;
mod values;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use statsig_core::{
    EvaluationContext, EvaluationSettings, ExperimentEvaluationOptions, FixedClock, OverrideAdapter, PersistentStorage,
    Ruleset, Snapshot, SpecOrigin, StatsigUser, StickyValues, StorageError, UserPersistedValues,
};

const NOW: i64 = 1_790_000_000_000;

/// Notes what it is asked to do, and keeps nothing.
#[derive(Default)]
struct Noted(Mutex<Vec<(String, Option<StickyValues>)>>);

#[async_trait]
impl PersistentStorage for Noted {
    async fn load(&self, _key: &str) -> Result<UserPersistedValues, StorageError> {
        Err("an evaluation loads nothing".into())
    }

    fn save(&self, key: &str, config_name: &str, values: StickyValues) {
        self.0.lock().unwrap().push((format!("save {key} {config_name}"), Some(values)));
    }

    fn delete(&self, key: &str, config_name: &str) {
        self.0.lock().unwrap().push((format!("delete {key} {config_name}"), None));
    }
}

impl Noted {
    /// What it was asked, since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().map(|(call, _)| call).collect()
    }

    /// The one value it was asked to save.
    fn saved(&self) -> StickyValues {
        match &mut self.0.lock().unwrap()[..] {
            [(_, values)] => values.take().unwrap(),
            calls => panic!("{calls:?}"),
        }
    }
}

fn rule(id: &str, more: Value) -> Value {
    let mut rule = json!({
        "name": id, "id": id, "salt": id, "passPercentage": 100, "conditions": [], "returnValue": {"of": id},
        "idType": "userID"
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn group(name: &str, more: Value) -> Value {
    let mut rule = rule(name, json!({"groupName": name, "isExperimentGroup": true}));
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn spec(entity: &str, rules: Value, more: Value) -> Value {
    let mut spec = json!({
        "type": "dynamic_config", "entity": entity, "salt": "s", "enabled": true, "defaultValue": {"of": "default"},
        "rules": rules, "idType": "userID", "version": 3
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn email(address: &str) -> Value {
    json!({"type": "user_field", "field": "email", "operator": "any", "targetValue": [address], "idType": "userID"})
}

fn document() -> Value {
    let experiment = |rules, more| spec("experiment", rules, more);
    let active = || json!({"isActive": true});
    let hands_over = |to: &str, more| spec("layer", json!([rule("hands over", json!({"configDelegate": to}))]), more);
    json!({
        "has_updates": true, "time": 1_700_000_000_000_u64,
        "condition_map": {
            "g": {"type": "pass_gate", "targetValue": "g", "idType": "userID"},
            "ghost": {"type": "no such type", "idType": "userID"},
            "in A": {"type": "experiment_group", "field": "exp", "operator": "any", "targetValue": ["A"], "idType": "userID"},
            "out": email("out@x"), "mid": email("mid@x"), "ovr": email("ovr@x")
        },
        "feature_gates": {"g": spec("feature_gate", json!([rule("G", json!({"returnValue": true}))]),
            json!({"type": "feature_gate", "defaultValue": false}))},
        "dynamic_configs": {
            "exp": experiment(json!([
                rule("u-1:override", json!({"conditions": ["ovr"]})), rule("targetingGate", json!({"conditions": ["out"]})),
                group("A", json!({"conditions": ["g"]}))
            ]), json!({"isActive": true, "explicitParameters": ["of"]})),
            "targeted": experiment(json!([
                rule("targetingGate", json!({"conditions": ["out"], "passPercentage": 0})),
                rule("inlineTargetingRules", json!({"conditions": ["mid"]})), group("T", json!({}))
            ]), active()),
            "true by default": experiment(json!([group("D", json!({}))]), json!({"isActive": true, "defaultValue": true})),
            "true unless out": experiment(json!([
                rule("targetingGate", json!({"conditions": ["out"], "returnValue": false})), group("D", json!({}))
            ]), json!({"isActive": true, "defaultValue": true})),
            "company": experiment(json!([group("B", json!({}))]), json!({"isActive": true, "idType": "companyID"})),
            "zero": experiment(json!([group("Z", json!({"passPercentage": 0}))]), active()),
            "inactive": experiment(json!([group("I", json!({}))]), json!({"isActive": false})),
            "no flag": experiment(json!([group("N", json!({}))]), json!({})),
            "no group": experiment(json!([rule("x", json!({}))]), active()),
            "asks": experiment(json!([rule("asks", json!({"conditions": ["in A"]}))]), active()),
            "unsupported": experiment(json!([group("U", json!({"conditions": ["ghost"]}))]), active()),
            "mapped": experiment(json!([group("M", json!({}))]), active()),
            "config": spec("dynamic_config", json!([]), json!({}))
        },
        "overrides": {
            "mapped": [{"new_config_name": "exp", "rules": [{"rule_name": "mv"}]}],
            "mapped layer": [{"new_config_name": "layer", "rules": [{"rule_name": "mv"}]}]
        },
        "cmab_configs": {"bandit": {
            "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
            "higherIsBetter": true, "groups": [{"name": "A", "id": "arm", "parameterValues": {}}], "config": null
        }},
        "override_rules": {"mv": rule("mv", json!({}))},
        "layer_configs": {
            "layer": spec("layer", json!([rule("hands over", json!({"configDelegate": "exp", "conditions": ["g"]}))]), json!({})),
            "to targeted": hands_over("targeted", json!({})),
            "to inactive": hands_over("inactive", json!({})),
            "to no flag": hands_over("no flag", json!({})),
            "to mapped": hands_over("mapped", json!({})),
            "mapped layer": hands_over("exp", json!({})),
            "by company": hands_over("exp", json!({"idType": "companyID"})),
            "plain": spec("layer", json!([]), json!({})),
            "plain active": spec("layer", json!([]), active()),
            "merging": spec("layer", json!([
                rule("D", json!({"configDelegate": "exp", "isExperimentGroup": true, "conditions": ["g"]})),
                rule("S", json!({"returnValue": {"size": 2}}))
            ]), json!({"isActive": true, "useNewLayerEval": true}))
        },
        "param_stores": {"store": {"parameters": {
            "e": {"ref_type": "experiment", "param_type": "string", "experiment_name": "exp", "param_name": "of"},
            "l": {"ref_type": "layer", "param_type": "string", "layer_name": "layer", "param_name": "of"}
        }}}
    })
}

/// An assignment as it may be kept, to a group that is none of today's.
fn kept() -> StickyValues {
    kept_with(json!({}))
}

fn kept_with(more: Value) -> StickyValues {
    let mut values = json!({
        "value": true, "json_value": {"of": "sticky"}, "rule_id": "SR", "group_name": "SG",
        "secondary_exposures": [{"gate": "sg", "gateValue": "true", "ruleID": "sr"}],
        "undelegated_secondary_exposures": [{"gate": "ug", "gateValue": "false", "ruleID": "ur"}],
        "config_delegate": null, "explicit_parameters": ["of"], "time": 1_600_000_000_000_u64, "config_version": 9
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(values).unwrap()
}

/// Options with one value, or with none where there is no name.
fn options(name: Option<&str>, values: StickyValues) -> ExperimentEvaluationOptions {
    let values: UserPersistedValues = name.into_iter().map(|name| (name, values.clone())).collect();
    ExperimentEvaluationOptions::new().with_user_persisted_values(values)
}

fn user_with_email(email: &str) -> StatsigUser {
    StatsigUser::builder().user_id("u-1").email(email).build()
}

/// A project, a storage, and maybe overrides.
struct World<'o> {
    snapshot: Arc<Snapshot>,
    settings: EvaluationSettings,
    storage: Noted,
    overrides: Option<&'o dyn OverrideAdapter>,
}

impl<'o> World<'o> {
    fn new(overrides: Option<&'o dyn OverrideAdapter>) -> Self {
        let ruleset = Ruleset::compile(document().to_string().as_bytes()).unwrap();
        let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1));
        Self { snapshot, settings: EvaluationSettings::new(), storage: Noted::default(), overrides }
    }

    fn with<R>(&self, user: &StatsigUser, look: impl FnOnce(EvaluationContext<'_>) -> R) -> R {
        let context = EvaluationContext::new(&self.snapshot, user, &self.settings, &FixedClock(NOW));
        look(context.with_overrides(self.overrides).with_persistent_storage(Some(&self.storage)))
    }

    /// Rule ID, reason and storage calls of reading an experiment.
    fn experiment(
        &self,
        user: &StatsigUser,
        name: &str,
        options: &ExperimentEvaluationOptions,
    ) -> (String, String, Vec<String>) {
        let result = self.with(user, |context| {
            let (quick, recorded) =
                (context.experiment_with(name, false, options), context.experiment_with(name, true, options));
            assert_eq!(quick.secondary_exposures().count(), 0, "recorded without being asked to");
            assert_eq!((quick.rule_id(), quick.value()), (recorded.rule_id(), recorded.value()));
            (recorded.rule_id().to_owned(), recorded.details().reason())
        });
        (result.0, result.1, once(&self.storage))
    }

    /// The same of a layer.
    fn layer(
        &self,
        user: &StatsigUser,
        name: &str,
        options: &ExperimentEvaluationOptions,
    ) -> (String, String, Vec<String>) {
        let result = self.with(user, |context| {
            let (quick, recorded) = (context.layer_with(name, false, options), context.layer_with(name, true, options));
            assert_eq!(quick.parameter("own").secondary_exposures.len(), 0, "recorded without being asked to");
            assert_eq!((quick.rule_id(), quick.value()), (recorded.rule_id(), recorded.value()));
            (recorded.rule_id().to_owned(), recorded.details().reason())
        });
        (result.0, result.1, once(&self.storage))
    }
}

/// The storage calls of one of two equal evaluations, which must have made the same.
fn once(storage: &Noted) -> Vec<String> {
    let mut noted = std::mem::take(&mut *storage.0.lock().unwrap());
    let again = noted.split_off(noted.len() / 2);
    assert_eq!(noted, again, "whether a call records does not matter to the storage");
    noted.into_iter().map(|(call, _)| call).collect()
}
