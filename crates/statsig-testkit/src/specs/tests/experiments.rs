use serde_json::json;
use statsig::{Getters, StatsigUser};

use super::{assert_about, client, count, user};
use crate::specs::{ConditionInput, ExperimentBuilder, GateBuilder, LayerBuilder, ProjectBuilder};

fn two_groups(name: &str) -> ExperimentBuilder {
    ExperimentBuilder::new(name)
        .default_value(json!({"color": "grey"}))
        .group("Control", json!({"color": "blue"}))
        .group("Test", json!({"color": "red"}))
}

#[test]
fn groups_share_the_users() {
    let three = ExperimentBuilder::new("three").group("A", json!({})).group("B", json!({})).group("C", json!({}));
    let uneven = ExperimentBuilder::new("uneven").group_of(100, "Few", json!({})).group("Rest", json!({}));
    let statsig = client(&ProjectBuilder::new().experiment(three).experiment(uneven));
    for (name, group, share) in [
        ("three", "A", 667),
        ("three", "B", 667),
        ("three", "C", 667),
        ("uneven", "Few", 200),
        ("uneven", "Rest", 1_800),
    ] {
        let found = count(|user| statsig.get_experiment(user, name).group_name() == Some(group));
        assert_about(found, share);
    }
    // Nobody falls between the groups.
    assert_eq!(count(|user| statsig.get_experiment(user, "three").is_user_in_experiment()), 2_000);
    assert_eq!(statsig.get_experiment_groups("three").groups.len(), 3);
}

#[test]
fn allocation_leaves_users_out() {
    let statsig = client(
        &ProjectBuilder::new()
            .experiment(two_groups("some").allocation(20.0))
            .experiment(two_groups("none").allocation(0.0)),
    );
    assert_about(count(|user| statsig.get_experiment(user, "some").is_user_in_experiment()), 400);
    assert_about(count(|user| statsig.get_experiment(user, "some").group_name() == Some("Test")), 200);
    let out = statsig.get_experiment(&user("u"), "none");
    assert_eq!((out.rule_id(), out.get_string("color", "")), ("layerAssignment", "grey".to_owned()));
}

#[test]
fn who_is_left_out_and_why() {
    let experiment = two_groups("exp")
        .targeting_gate("invited")
        .exclude_when(ConditionInput::user_field("plan").is_any_of(["free"]))
        .override_ids("Test", ["tester"])
        .held_out_by("held")
        .default_value(json!({"color": "white"}));
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("invited").for_ids(["ada", "bob", "hal"]))
            .gate(GateBuilder::new("held").for_ids(["hal"]))
            .experiment(experiment),
    );
    let free = |id: &str| StatsigUser::builder().user_id(id).custom("plan", "free").build();
    for (user, rule_id, color) in [
        (free("tester"), "Test:override", "red"),
        (user("hal"), "held", "white"),
        (user("eve"), "targetingGate", "white"),
        (free("bob"), "inlineTargetingRules", "white"),
    ] {
        let result = statsig.get_experiment(&user, "exp");
        assert_eq!((result.rule_id(), result.get_string("color", "")), (rule_id, color.to_owned()), "{user:?}");
        assert!(!result.is_user_in_experiment(), "{user:?}");
    }
    assert!(statsig.get_experiment(&user("ada"), "exp").is_user_in_experiment());
}

#[test]
fn activity_is_told() {
    let statsig = client(&ProjectBuilder::new().experiment(two_groups("on")).experiment(two_groups("off").inactive()));
    assert!(statsig.get_experiment(&user("u"), "on").is_experiment_active());
    assert!(!statsig.get_experiment(&user("u"), "off").is_experiment_active());
    assert_eq!(statsig.get_experiment_list(), ["off", "on"]);
}

#[test]
fn layers_hand_over() {
    let statsig = client(
        &ProjectBuilder::new()
            .experiment(two_groups("colors"))
            .experiment(ExperimentBuilder::new("columns").group("Wide", json!({"columns": 3})))
            .layer(
                LayerBuilder::new("page", json!({"color": "grey", "columns": 2}))
                    .experiment_in("colors", 0..500)
                    .experiment_in("columns", 500..750),
            )
            .layer(LayerBuilder::new("all", json!({})).experiment("columns")),
    );
    assert_about(count(|user| statsig.get_layer(user, "page").allocated_experiment() == Some("colors")), 1_000);
    assert_about(count(|user| statsig.get_layer(user, "page").allocated_experiment() == Some("columns")), 500);
    assert_about(count(|user| statsig.get_layer(user, "page").rule_id() == "default"), 500);
    let all = statsig.get_layer(&user("u"), "all");
    assert_eq!((all.get_i64("columns", 0), all.allocated_experiment()), (3, Some("columns")));
    assert!(all.parameter("columns").is_explicit, "the groups' parameters are explicit");
}

#[test]
fn layers_merge() {
    let first = ExperimentBuilder::new("first").group("G", json!({"a": 1}));
    let second = ExperimentBuilder::new("second").group("G", json!({"a": 2, "b": 2})).explicit_parameters(["b"]);
    let layer =
        LayerBuilder::new("l", json!({"a": 0, "b": 0, "c": 0})).merging().experiment("first").experiment("second");
    let project = ProjectBuilder::new().experiment(first).experiment(second).layer(layer);
    let statsig = client(&project);
    let layer = statsig.get_layer(&user("u"), "l");
    assert_eq!((layer.get_i64("a", 9), layer.get_i64("b", 9), layer.get_i64("c", 9)), (1, 0, 0));
    assert_eq!(project.to_json()["dynamic_configs"]["second"]["explicitParameters"], json!(["b"]));
}

#[test]
fn layers_hold_back() {
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("held").for_ids(["hal"]))
            .experiment(two_groups("colors"))
            .layer(LayerBuilder::new("page", json!({"color": "grey"})).experiment("colors").held_out_by("held")),
    );
    let held = statsig.get_layer(&user("hal"), "page");
    assert_eq!((held.rule_id(), held.get_string("color", "")), ("held", "grey".to_owned()));
    assert_eq!(statsig.get_layer(&user("ada"), "page").allocated_experiment(), Some("colors"));
}
