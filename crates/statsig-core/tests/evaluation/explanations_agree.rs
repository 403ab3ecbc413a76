//! Recording an evaluation does not change its result, on arbitrary projects and users.
//!
//! The projects are small and dense: few names, so that gates, delegates, mappings, bandits and
//! groups refer to each other in every way, in circles too, and to names that nothing has.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use statsig_core::explain::SpecKind;
use statsig_core::{
    EvaluationContext, EvaluationSettings, ExperimentOverride, Explanation, FixedClock, InMemoryIdLists, Json,
    OverrideAdapter, Ruleset, Snapshot, SpecOrigin, StatsigUser,
};

const GATES: &[&str] = &["g0", "g1", "g2", "segment:s0", "segment:s1", "ghost", ""];
const CONFIGS: &[&str] = &["e0", "e1", "e2", "e3", "ghost"];
const LAYERS: &[&str] = &["l0", "l1", "ghost"];
const CONDITIONS: &[&str] = &["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "public", "gone"];
const TYPES: &[&str] = &[
    "public",
    "user_field",
    "ip_based",
    "ua_based",
    "environment_field",
    "current_time",
    "user_bucket",
    "unit_id",
    "target_app",
    "experiment_group",
    "moon_phase",
];
const OPERATORS: &[&str] = &[
    "any",
    "none",
    "any_case_sensitive",
    "none_case_sensitive",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "str_contains_none",
    "str_matches",
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "version_gt",
    "version_gte",
    "version_lt",
    "version_lte",
    "version_eq",
    "version_neq",
    "before",
    "after",
    "on",
    "in_segment_list",
    "not_in_segment_list",
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
    "rhymes_with",
];
const FIELDS: &[&str] = &["userID", "email", "plan", "level", "country", "os_name", "tier", "e0", "e1", "Level"];
const ID_TYPES: &[&str] = &["userID", "companyID", "userid"];

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    select(names)
}

/// Attributes and targets, from one small set, so that they meet.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..1_000).prop_map(Value::from),
        select(vec![0.5, 1.0, 1e21, 1_700_000_000_000.0]).prop_map(Value::from),
        select(vec!["", "a", "A", "b", "1", "1.0", "2.10", "G0", "G1", "US", "development", "2023-11-14 22:13:19"])
            .prop_map(Value::from),
    ];
    prop_oneof![
        3 => scalar.clone(),
        2 => vec(scalar.clone(), 0..4).prop_map(Value::from),
        1 => btree_map(select(vec!["a", "b", "236"]).prop_map(str::to_owned), scalar, 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let gate = (select(vec!["pass_gate", "fail_gate"]), name(GATES))
        .prop_map(|(kind, gate)| json!({"type": kind, "targetValue": gate, "idType": "userID"}));
    let multi = (select(vec!["multi_pass_gate", "multi_fail_gate"]), vec(name(GATES), 0..3))
        .prop_map(|(kind, gates)| json!({"type": kind, "targetValue": gates, "idType": "userID"}));
    let group = (name(CONFIGS), select(vec!["G0", "G1"])).prop_map(|(experiment, group)| {
        json!({"type": "experiment_group", "field": experiment, "operator": "eq", "targetValue": group, "idType": "userID"})
    });
    let other = (name(TYPES), weighted(0.95, name(FIELDS)), weighted(0.97, name(OPERATORS)), value(), name(ID_TYPES))
        .prop_map(|(kind, field, operator, target, id_type)| {
            json!({
                "type": kind, "field": field, "operator": operator, "targetValue": target, "idType": id_type,
                "additionalValues": {"salt": "exp-salt"}
            })
        });
    prop_oneof![3 => gate, 1 => multi, 1 => group, 4 => other]
}

fn config_value() -> impl Strategy<Value = Value> {
    let object = btree_map(select(vec!["color", "size", "z"]).prop_map(str::to_owned), 0..3_i32, 0..3)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>());
    prop_oneof![6 => object.prop_map(Value::Object), 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)]
}

fn rule(value: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let percentage = select(vec![0.0, 30.0, 50.01, 100.0, 100.0]);
    let parts =
        (vec(name(CONDITIONS), 0..3), percentage, value, weighted(0.3, name(CONFIGS)), of(select(vec!["G0", "G1"])));
    (parts, 0..9_u32, name(ID_TYPES), of(select(vec!["", "rule-salt"])), any::<bool>()).prop_map(
        |((conditions, percentage, value, delegate, group), id, id_type, salt, in_experiment)| {
            let mut rule = json!({
                "name": "", "id": format!("r{id}"), "passPercentage": percentage, "conditions": conditions,
                "returnValue": value, "idType": id_type, "groupName": group, "isExperimentGroup": in_experiment
            });
            if let Some(delegate) = delegate {
                rule["configDelegate"] = json!(delegate);
            }
            if let Some(salt) = salt {
                rule["salt"] = json!(salt);
            }
            rule
        },
    )
}

fn spec(gate: bool) -> impl Strategy<Value = Value> {
    let value = if gate { any::<bool>().prop_map(Value::from).boxed() } else { config_value().boxed() };
    let flags = (any::<bool>(), of(any::<bool>()), of(0..4_u32), of(any::<bool>()));
    let explicit = of(vec(select(vec!["color", "size"]), 0..2));
    (vec(rule(value.clone()), 0..4), value, flags, explicit).prop_map(
        move |(rules, default, (enabled, active, version, merges), explicit)| {
            json!({
                "type": if gate { "feature_gate" } else { "dynamic_config" }, "entity": "experiment", "salt": "exp-salt",
                "enabled": enabled, "defaultValue": default, "rules": rules, "idType": "userID", "version": version,
                "isActive": active, "useNewLayerEval": merges, "explicitParameters": explicit
            })
        },
    )
}

fn section(names: &'static [&'static str], gate: bool) -> impl Strategy<Value = Value> {
    // The last names stay without a spec.
    let known = names.iter().filter(|name| !matches!(**name, "ghost" | "")).count();
    vec(spec(gate), known)
        .prop_map(move |specs| Value::Object(names.iter().map(|&name| name.to_owned()).zip(specs).collect()))
}

fn cmab() -> impl Strategy<Value = Value> {
    let weights = (0.0..1.0_f64, 0..3_u64, value()).prop_map(|(alpha, records, _)| {
        json!({
            "alpha": alpha, "intercept": 0.1, "records": records, "weightsNumerical": {"level": 0.5},
            "weightsCategorical": {"plan": {"a": 1.0, "b": -1.0}}
        })
    });
    let groups = btree_map(select(vec!["ga", "gb", "gc"]), of(weights), 0..3);
    (groups, any::<bool>(), any::<bool>(), select(vec![0.0, 0.4, 1.0]), of(name(GATES)), any::<bool>()).prop_map(
        |(groups, enabled, higher, rate, gate, learned)| {
            let arms: Vec<Value> = groups
                .keys()
                .map(|id| json!({"name": id.to_uppercase(), "id": id, "parameterValues": {"color": id}}))
                .collect();
            let config: Map<String, Value> = groups
                .iter()
                .filter_map(|(id, weights)| weights.clone().map(|weights| ((*id).to_owned(), weights)))
                .collect();
            json!({
                "salt": "exp-salt", "defaultValue": {"color": "none"}, "idType": "userID", "enabled": enabled,
                "version": 1, "sampleRate": rate, "higherIsBetter": higher, "groups": arms,
                "config": if learned { Value::Object(config) } else { Value::Null }, "targetingGateName": gate
            })
        },
    )
}

fn mappings() -> impl Strategy<Value = Value> {
    let names = || prop_oneof![name(CONFIGS), name(GATES), name(LAYERS)];
    let rules = vec((select(vec!["m0", "m1", "gone"]), select(vec![0_i64, 2_000])), 1..3).prop_map(|rules| {
        rules.into_iter().map(|(rule, start)| json!({"rule_name": rule, "start_time": start})).collect::<Vec<_>>()
    });
    let candidates = vec((names(), rules), 1..3).prop_map(|candidates| {
        candidates.into_iter().map(|(name, rules)| json!({"new_config_name": name, "rules": rules})).collect::<Vec<_>>()
    });
    btree_map(names().prop_map(str::to_owned), candidates.prop_map(Value::from), 0..3)
        .prop_map(|mappings| Value::Object(mappings.into_iter().collect()))
}

/// A document of the current form, with a share of every odd thing.
fn document() -> impl Strategy<Value = Value> {
    let conditions = vec(condition(), CONDITIONS.len() - 2);
    let sections = (section(GATES, true), section(CONFIGS, false), section(LAYERS, false));
    let extras = (weighted(0.3, cmab()), weighted(0.4, mappings()), vec(rule(Just(json!(true)).boxed()), 2));
    (conditions, sections, extras).prop_map(
        |(conditions, (gates, configs, layers), (cmab, mappings, override_rules))| {
            let mut map: Map<String, Value> = CONDITIONS.iter().map(|&id| id.to_owned()).zip(conditions).collect();
            map.insert("public".to_owned(), json!({"type": "public", "idType": "userID"}));
            let mut document = json!({
                "has_updates": true, "time": 1, "app_id": "a", "default_environment": "development",
                "feature_gates": gates, "dynamic_configs": configs, "layer_configs": layers, "condition_map": map
            });
            if let Some(cmab) = cmab {
                document["cmab_configs"] = json!({"e1": cmab, "ghost": cmab});
            }
            if let Some(mappings) = mappings {
                document["overrides"] = mappings;
                document["override_rules"] = json!({"m0": override_rules[0], "m1": override_rules[1]});
            }
            document
        },
    )
}

/// The same project in the older form: lists of specs, conditions inside the rules.
fn older(document: &Value) -> Value {
    let mut older = json!({"has_updates": true, "time": 1});
    for section in ["feature_gates", "dynamic_configs", "layer_configs"] {
        let mut specs = Vec::new();
        for (name, spec) in document[section].as_object().unwrap() {
            let mut spec = spec.clone();
            spec["name"] = json!(name);
            for rule in spec["rules"].as_array_mut().unwrap() {
                let ids = rule["conditions"].as_array().unwrap();
                rule["conditions"] =
                    ids.iter().filter_map(|id| document["condition_map"].get(id.as_str().unwrap())).cloned().collect();
            }
            specs.push(spec);
        }
        older[section] = json!(specs);
    }
    older
}

fn user() -> impl Strategy<Value = Value> {
    let attributes = || btree_map(select(vec!["plan", "level", "email", "country", "os_name", "ip"]), value(), 0..4);
    (of(value()), of(value()), attributes(), attributes(), of(select(vec!["8.8.8.8", "81.2.69.160", "x"]))).prop_map(
        |(id, company, custom, private, ip)| {
            json!({
                "userID": id, "customIDs": {"companyID": company}, "custom": custom, "privateAttributes": private,
                "ip": ip, "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
            })
        },
    )
}

/// Overrides some names.
struct Overrides;

impl OverrideAdapter for Overrides {
    fn gate(&self, name: &str, _: &StatsigUser) -> Option<bool> {
        (name == "g1").then_some(true)
    }

    fn dynamic_config(&self, name: &str, _: &StatsigUser) -> Option<Json> {
        (name == "e2").then(|| json!({"color": "own"}).into())
    }

    fn experiment(&self, name: &str, _: &StatsigUser) -> Option<ExperimentOverride> {
        match name {
            "e2" => Some(ExperimentOverride::Value(json!({"color": "own"}).into())),
            "e3" => Some(ExperimentOverride::Group("G0".to_owned())),
            _ => None,
        }
    }

    fn layer(&self, name: &str, _: &StatsigUser) -> Option<Json> {
        (name == "l1").then(|| json!({"own": 1}).into())
    }
}

/// Evaluates what was explained without recording anything: value, rule and group.
fn untraced(context: &EvaluationContext<'_>, explanation: &Explanation) -> (Json, String, Option<String>) {
    let name = &explanation.name;
    match explanation.kind {
        SpecKind::Gate => {
            let gate = context.feature_gate(name, false);
            (Value::from(gate.value()).into(), gate.rule_id().to_owned(), None)
        }
        SpecKind::DynamicConfig => {
            let config = context.dynamic_config(name, false);
            (config.value().to_owned(), config.rule_id().to_owned(), None)
        }
        SpecKind::Experiment => {
            let experiment = context.experiment(name, false);
            let group = experiment.group_name().map(str::to_owned);
            (experiment.value().to_owned(), experiment.rule_id().to_owned(), group)
        }
        _ => {
            let layer = context.layer(name, false);
            (layer.value().to_owned(), layer.rule_id().to_owned(), layer.group_name().map(str::to_owned))
        }
    }
}

fn check(document: &Value, user: &Value, overridden: bool, seed: u64) -> Result<(), TestCaseError> {
    let ruleset = Ruleset::compile(document.to_string().as_bytes()).unwrap();
    let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Network, 1));
    let user: StatsigUser = serde_json::from_value(user.clone()).unwrap();
    let (settings, clock) = (EvaluationSettings::new().with_global_custom_fields([("plan", "b")]), FixedClock(1_000));
    let mut lists = InMemoryIdLists::new();
    lists.insert("a", "1");
    let context = EvaluationContext::new(&snapshot, &user, &settings, &clock)
        .with_id_lists(Some(&lists))
        .with_overrides(overridden.then_some(&Overrides as &dyn OverrideAdapter))
        .with_seed(seed);
    let explanations = GATES
        .iter()
        .map(|name| context.explain_gate(name))
        .chain(CONFIGS.iter().map(|name| context.explain_dynamic_config(name)))
        .chain(CONFIGS.iter().map(|name| context.explain_experiment(name)))
        .chain(LAYERS.iter().map(|name| context.explain_layer(name)));
    for explanation in explanations {
        prop_assert!(!explanation.disagrees, "{}\n{:?}", explanation, explanation.result);
        prop_assert_eq!(
            untraced(&context, &explanation),
            (
                explanation.result.value.clone(),
                explanation.result.rule_id.clone(),
                explanation.result.group_name.clone()
            ),
            "{}",
            explanation
        );
        // The plain check takes short cuts that the recorded one does not.
        if let Some(value) = explanation.result.value.view().as_bool() {
            prop_assert_eq!(context.check_gate(&explanation.name), value);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_documents_of_the_current_form(document in document(), users in vec(user(), 1..4), overridden: bool, seed: u64) {
        for user in &users {
            check(&document, user, overridden, seed)?;
        }
    }

    #[test]
    fn on_documents_of_the_older_form(document in document(), users in vec(user(), 1..4), overridden: bool, seed: u64) {
        let document = older(&document);
        for user in &users {
            check(&document, user, overridden, seed)?;
        }
    }
}
