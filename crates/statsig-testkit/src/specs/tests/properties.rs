//! Whatever is built compiles without a problem, and answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{client, user};
use crate::specs::{
    ConditionBuilder, ConditionInput, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder,
    ParameterStoreBuilder, ParameterType, ProjectBuilder, RuleBuilder,
};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]", ".{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300_f64..1e300).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::collection::vec(".{0,4}", 0..4).prop_map(Value::from),
        prop::collection::btree_map(".{0,4}", any::<i32>(), 0..4).prop_map(|map| json!(map)),
    ]
}

fn input() -> impl Strategy<Value = ConditionInput> {
    prop_oneof![
        name().prop_map(ConditionInput::user_field),
        Just(ConditionInput::country()),
        name().prop_map(ConditionInput::user_agent),
        Just(ConditionInput::environment_tier()),
        name().prop_map(ConditionInput::environment_field),
        Just(ConditionInput::current_time()),
        name().prop_map(ConditionInput::bucket),
        Just(ConditionInput::unit_id()),
        Just(ConditionInput::target_app()),
        name().prop_map(ConditionInput::experiment_group),
    ]
}

fn compared() -> impl Strategy<Value = ConditionBuilder> {
    type Compare = fn(ConditionInput, Value) -> ConditionBuilder;
    fn items(value: Value) -> Vec<Value> {
        value.as_array().cloned().unwrap_or_else(|| vec![value])
    }
    fn text(value: Value) -> String {
        value.to_string()
    }
    fn time(value: Value) -> i64 {
        value.as_i64().unwrap_or(0)
    }
    let operators: [Compare; 32] = [
        |input, value| input.is_any_of(items(value)),
        |input, value| input.is_none_of(items(value)),
        |input, value| input.is_exactly_any_of(items(value)),
        |input, value| input.is_exactly_none_of(items(value)),
        |input, value| input.starts_with_any(items(value)),
        |input, value| input.ends_with_any(items(value)),
        |input, value| input.contains_any(items(value)),
        |input, value| input.contains_none(items(value)),
        |input, value| input.array_contains_any(items(value)),
        |input, value| input.array_contains_none(items(value)),
        |input, value| input.array_contains_all(items(value)),
        |input, value| input.array_lacks_some(items(value)),
        |input, value| input.greater_than(value),
        |input, value| input.at_least(value),
        |input, value| input.less_than(value),
        |input, value| input.at_most(value),
        |input, value| input.version_after(text(value)),
        |input, value| input.version_at_least(text(value)),
        |input, value| input.version_before(text(value)),
        |input, value| input.version_at_most(text(value)),
        |input, value| input.version_is(text(value)),
        |input, value| input.version_is_not(text(value)),
        |input, _| input.matches("^a+$"),
        |input, value| input.is_in_id_list(text(value)),
        |input, value| input.is_not_in_id_list(text(value)),
        |input, value| input.before(time(value)),
        |input, value| input.after(time(value)),
        |input, value| input.on_day_of(time(value)),
        |input, value| input.equals(value),
        |input, value| input.differs_from(value),
        |_, _| ConditionBuilder::everyone(),
        |_, value| ConditionBuilder::in_id_list(text(value)),
    ];
    (input(), prop::sample::select(operators.to_vec()), value(), prop::option::of(name())).prop_map(
        |(input, operator, value, id_type)| {
            let condition = operator(input, value);
            match id_type {
                Some(id_type) => condition.id_type(id_type),
                None => condition,
            }
        },
    )
}

/// Gates are asked only by what is not a gate itself, so that there are no circles.
fn condition() -> impl Strategy<Value = ConditionBuilder> {
    prop_oneof![
        4 => compared(),
        1 => name().prop_map(ConditionBuilder::pass_gate),
        1 => name().prop_map(ConditionBuilder::fail_gate),
        1 => name().prop_map(ConditionBuilder::in_segment),
    ]
}

fn rule(condition: impl Strategy<Value = ConditionBuilder>) -> impl Strategy<Value = RuleBuilder> {
    let conditions = prop::collection::vec(condition, 0..3);
    (name(), conditions, any::<f64>(), prop::option::of(value()), prop::option::of(name())).prop_map(
        |(id, conditions, percentage, value, salt)| {
            let rule = conditions.into_iter().fold(RuleBuilder::new(id), RuleBuilder::when).percentage(percentage);
            let rule = value.into_iter().fold(rule, RuleBuilder::returns);
            salt.into_iter().fold(rule, RuleBuilder::salt)
        },
    )
}

fn gates() -> impl Strategy<Value = Vec<GateBuilder>> {
    let gate = (name(), prop::collection::vec(rule(compared()), 0..3), 0..4).prop_map(|(name, rules, kind)| {
        let gate = match kind {
            0 => GateBuilder::segment(name),
            1 => GateBuilder::holdout(name, 5.0),
            2 => GateBuilder::new(name).disabled().on_by_default(),
            _ => GateBuilder::on(name).version(1),
        };
        rules.into_iter().fold(gate, GateBuilder::rule)
    });
    prop::collection::vec(gate, 0..4)
}

fn experiments() -> impl Strategy<Value = Vec<ExperimentBuilder>> {
    let groups = prop::collection::vec((name(), prop::option::of(any::<u16>()), value()), 0..4);
    let parts = (name(), value(), groups, any::<f64>(), condition(), rule(condition()), name());
    let experiment = parts.prop_map(|(name, value, groups, allocation, condition, rule, gate)| {
        let mut experiment = ExperimentBuilder::new(name)
            .default_value(value)
            .allocation(allocation)
            .targeting_gate(&*gate)
            .exclude_when(condition.clone())
            .override_when("no such group", condition)
            .held_out_by(&gate)
            .rule(rule);
        for (group, buckets, value) in groups {
            experiment = match buckets {
                Some(buckets) => experiment.group_of(buckets, group, value),
                None => experiment.group(group, value),
            };
        }
        experiment
    });
    prop::collection::vec(experiment, 0..3)
}

fn project() -> impl Strategy<Value = ProjectBuilder> {
    let config = (name(), value(), rule(condition()))
        .prop_map(|(name, value, rule)| DynamicConfigBuilder::new(name, value).rule(rule));
    let layer = (name(), value(), name(), 0..1_000_u16, any::<bool>()).prop_map(|(name, value, exp, at, merges)| {
        let layer = LayerBuilder::new(name, value).experiment_in(&exp, 0..at).experiment(exp);
        if merges { layer.merging() } else { layer }
    });
    let store = (name(), name(), value()).prop_map(|(store, name, value)| {
        ParameterStoreBuilder::new(store)
            .value("static", value.clone())
            .by_gate("gate", &*name, value.clone(), value)
            .from_config("config", ParameterType::Object, &*name, "p")
            .from_experiment("experiment", ParameterType::Array, &*name, "p")
            .from_layer("layer", ParameterType::Boolean, name, "p")
    });
    let many = |max| prop::collection::SizeRange::from(0..max);
    (
        gates(),
        prop::collection::vec(config, many(3)),
        experiments(),
        prop::collection::vec(layer, many(3)),
        prop::collection::vec(store, many(3)),
    )
        .prop_map(|(gates, configs, experiments, layers, stores)| {
            let project = gates.into_iter().fold(ProjectBuilder::new(), ProjectBuilder::gate);
            let project = configs.into_iter().fold(project, ProjectBuilder::config);
            let project = experiments.into_iter().fold(project, ProjectBuilder::experiment);
            let project = layers.into_iter().fold(project, ProjectBuilder::layer);
            stores.into_iter().fold(project, ProjectBuilder::parameter_store)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_compiles(project in project()) {
        let statsig = client(&project);
        let user = user("u");
        let recognized = |reason: String| prop_assert_eq_str(&reason, "Bootstrap:Recognized");
        for gate in statsig.get_feature_gate_list() {
            recognized(statsig.get_feature_gate(&user, &gate).details().reason())?;
        }
        for experiment in statsig.get_experiment_list() {
            recognized(statsig.get_experiment(&user, &experiment).details().reason())?;
        }
        for layer in statsig.get_layer_list() {
            recognized(statsig.get_layer(&user, &layer).details().reason())?;
        }
    }
}

fn prop_assert_eq_str(found: &str, expected: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(found, expected);
    Ok(())
}
