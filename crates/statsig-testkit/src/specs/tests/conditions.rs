use std::sync::Arc;

use serde_json::json;
use statsig::{FixedClock, InMemoryIdLists, Statsig, StatsigUser};

use super::user;
use crate::specs::{
    ConditionBuilder, ConditionInput, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, ProjectBuilder,
};

const NOON: i64 = 1_700_049_600_000;

/// Whether a condition holds for a user.
fn holds(condition: ConditionBuilder, user: &StatsigUser) -> bool {
    let project = ProjectBuilder::new()
        .app_id("app-1")
        .gate(GateBuilder::new("g").when(condition))
        .experiment(ExperimentBuilder::new("exp").group("Only", json!({})));
    let mut lists = InMemoryIdLists::new();
    lists.insert("vips", "ada");
    let statsig = Statsig::builder()
        .bootstrap(project.build())
        .clock(Arc::new(FixedClock(NOON)))
        .id_lists(Arc::new(lists))
        .environment("staging")
        .build()
        .unwrap();
    assert_eq!(statsig.problems(), []);
    statsig.check_gate(user, "g")
}

fn field(name: &str) -> ConditionInput {
    ConditionInput::user_field(name)
}

/// Each operator once with a user for whom it holds, and once with one for whom it doesn't.
#[test]
fn operators() {
    let yes = StatsigUser::builder()
        .user_id("ada")
        .email("ada@corp.example")
        .app_version("2.10.1")
        .custom("level", 7)
        .custom("plan", "Pro")
        .custom("tags", json!(["a", "b"]))
        .custom("born", NOON)
        .build();
    let no = StatsigUser::builder()
        .user_id("bob")
        .email("bob@home.example")
        .app_version("1.9")
        .custom("level", 3)
        .custom("plan", "free")
        .custom("tags", json!(["c"]))
        .custom("born", 0)
        .build();
    let day = 86_400_000;
    let table = [
        (field("level").greater_than(6), field("level").less_than(7)),
        (field("level").at_least(7), field("level").at_most(6.5)),
        (field("appVersion").version_after("2.9"), field("appVersion").version_before("2.9")),
        (field("appVersion").version_at_least("2.10.1"), field("appVersion").version_at_most("2.0")),
        (field("appVersion").version_is("2.10.1.0"), field("appVersion").version_is_not("2.10.1")),
        (field("plan").is_any_of(["pro", "team"]), field("plan").is_none_of(["PRO"])),
        (field("plan").is_exactly_any_of(["Pro"]), field("plan").is_exactly_none_of(["Pro"])),
        (field("email").starts_with_any(["ADA"]), field("email").starts_with_any(["bob"])),
        (field("email").ends_with_any(["@corp.example"]), field("email").ends_with_any(["@home.example"])),
        (field("email").contains_any(["corp"]), field("email").contains_none(["corp"])),
        (field("email").matches("^a.a@"), field("email").matches("^b.b@")),
        (field("born").after(NOON - 1), field("born").before(NOON - 1)),
        (field("born").on_day_of(NOON), field("born").on_day_of(day / 2)),
        (field("plan").equals("Pro"), field("plan").differs_from("Pro")),
        (field("level").equals(7), field("level").equals(3)),
        (field("tags").array_contains_any(["a", "z"]), field("tags").array_contains_none(["a"])),
        (field("tags").array_contains_all(["a", "b"]), field("tags").array_lacks_some(["a", "b"])),
        (ConditionBuilder::in_id_list("vips"), ConditionInput::unit_id().is_not_in_id_list("vips")),
    ];
    for (for_yes, for_no) in table {
        assert!(holds(for_yes.clone(), &yes), "{for_yes:?}");
        assert!(!holds(for_yes.clone(), &no), "{for_yes:?}");
        assert!(!holds(for_no.clone(), &yes), "{for_no:?}");
        assert!(holds(for_no.clone(), &no), "{for_no:?}");
    }
}

#[test]
fn inputs() {
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/115.0.0.0 Safari/537.36";
    let user = StatsigUser::builder()
        .user_id("ada")
        .custom_id("companyID", "acme")
        .ip("24.18.183.148")
        .user_agent(agent)
        .statsig_environment([("region", "eu")])
        .build();
    for (condition, expected) in [
        (ConditionBuilder::everyone(), true),
        (ConditionInput::country().is_any_of(["US"]), true),
        (ConditionInput::user_agent("browser_name").is_any_of(["Chrome"]), true),
        (ConditionInput::environment_tier().is_any_of(["staging"]), true),
        (ConditionInput::environment_field("region").is_any_of(["eu"]), true),
        (ConditionInput::current_time().after(NOON - 1), true),
        (ConditionInput::current_time().after(NOON), false),
        (ConditionInput::bucket("s").less_than(1_000), true),
        (ConditionInput::bucket("s").less_than(0), false),
        (ConditionInput::unit_id().is_any_of(["ada"]), true),
        (ConditionInput::unit_id().is_any_of(["acme"]).id_type("companyID"), true),
        (ConditionInput::target_app().is_any_of(["app-1"]), true),
        (ConditionInput::experiment_group("exp").is_any_of(["Only"]), true),
    ] {
        assert_eq!(holds(condition.clone(), &user), expected, "{condition:?}");
    }
}

#[test]
fn equal_conditions_are_written_once() {
    let document = ProjectBuilder::new()
        .gate(GateBuilder::on("a"))
        .gate(GateBuilder::on("b"))
        .gate(GateBuilder::on("c").id_type("companyID"))
        .to_json();
    assert_eq!(document["condition_map"].as_object().unwrap().len(), 2);
    assert_eq!(document["feature_gates"]["a"]["rules"][0]["conditions"], json!(["1"]));
    assert_eq!(document["feature_gates"]["b"]["rules"][0]["conditions"], json!(["1"]));
    assert_eq!(document["feature_gates"]["c"]["rules"][0]["conditions"], json!(["2"]));
}

#[test]
fn id_lists_are_named() {
    let document = ProjectBuilder::new()
        .id_list("staff")
        .config(
            DynamicConfigBuilder::new("c", json!({})).when(ConditionBuilder::in_id_list("vips"), json!({"vip": true})),
        )
        .to_json();
    assert_eq!(document["id_lists"], json!({"staff": true, "vips": true}));
}

#[test]
fn a_bad_pattern_is_the_one_thing_to_be_reported() {
    let project = ProjectBuilder::new().gate(GateBuilder::new("g").when(field("email").matches("(")));
    let statsig = Statsig::builder().bootstrap(project.build()).build().unwrap();
    assert_eq!(statsig.problems().len(), 1);
    assert!(!statsig.check_gate(&user("u"), "g"));
}
