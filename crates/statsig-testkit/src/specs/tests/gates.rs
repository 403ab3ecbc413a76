use super::{assert_about, client, count, user};
use crate::specs::{ConditionBuilder, ConditionInput, GateBuilder, ProjectBuilder, RuleBuilder};
use statsig::StatsigUser;

#[test]
fn a_project_of_one_gate_is_one_line() {
    let statsig = client(&ProjectBuilder::new().gate(GateBuilder::on("g")));
    assert!(statsig.check_gate(&user("u"), "g"));
    assert_eq!(statsig.get_feature_gate(&user("u"), "g").rule_id(), "everyone");
}

#[test]
fn defaults() {
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("closed"))
            .gate(GateBuilder::new("off").disabled())
            .gate(GateBuilder::new("open").on_by_default()),
    );
    for (name, value, rule_id) in [("closed", false, "default"), ("off", false, "disabled"), ("open", true, "default")]
    {
        let gate = statsig.get_feature_gate(&user("u"), name);
        assert_eq!((gate.value(), gate.rule_id(), gate.id_type()), (value, rule_id, "userID"), "{name}");
    }
}

#[test]
fn rollouts_split_by_unit() {
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("some").rollout(25.0))
            .gate(GateBuilder::new("none").rollout(0.0))
            .gate(GateBuilder::new("few").rollout(0.5))
            .gate(GateBuilder::new("companies").id_type("companyID").rollout(25.0)),
    );
    assert_about(count(|user| statsig.check_gate(user, "some")), 500);
    assert_about(count(|user| statsig.check_gate(user, "few")), 10);
    assert_eq!(count(|user| statsig.check_gate(user, "none")), 0);
    let of_companies = count(|user| statsig.check_gate(user, "companies"));
    assert!(of_companies == 0 || of_companies == 2_000, "users without a company are one unit");
    let by_company = |id: &StatsigUser| {
        let company = StatsigUser::with_custom_ids([("companyID", id.user_id().unwrap())]);
        statsig.check_gate(&company, "companies")
    };
    assert_about(count(by_company), 500);
}

#[test]
fn salts_part_the_splits() {
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::new("a").salt("same").rollout(50.0))
            .gate(GateBuilder::new("b").salt("same").rollout(50.0))
            .gate(GateBuilder::new("c").rollout(50.0)),
    );
    assert_eq!(count(|user| statsig.check_gate(user, "a") != statsig.check_gate(user, "b")), 0);
    assert_about(count(|user| statsig.check_gate(user, "a") != statsig.check_gate(user, "c")), 1_000);
}

#[test]
fn the_first_rule_that_holds_decides() {
    let rules = GateBuilder::new("g")
        .rule(RuleBuilder::new("barred").when(ConditionInput::unit_id().is_any_of(["eve"])).returns(false))
        .for_ids(["ada", "eve"])
        .rollout(0.0);
    let statsig = client(&ProjectBuilder::new().gate(rules.version(7)));
    for (id, value, rule_id) in [("ada", true, "rule_2"), ("eve", false, "barred"), ("bob", false, "rollout")] {
        let gate = statsig.get_feature_gate(&user(id), "g");
        assert_eq!((gate.value(), gate.rule_id()), (value, rule_id), "{id}");
        assert_eq!(gate.details().version(), Some(7));
    }
}

#[test]
fn segments_and_other_gates() {
    let statsig = client(
        &ProjectBuilder::new()
            .gate(GateBuilder::segment("beta").for_ids(["ada"]))
            .gate(GateBuilder::new("for_beta").when(ConditionBuilder::in_segment("beta")))
            .gate(GateBuilder::new("not_for_beta").when(ConditionBuilder::not_in_segment("segment:beta")))
            .gate(GateBuilder::new("either").when(ConditionBuilder::pass_gate("for_beta")).for_ids(["bob"]))
            .gate(GateBuilder::new("absent").when(ConditionBuilder::fail_gate("no such gate"))),
    );
    for (name, ada, bob) in
        [("for_beta", true, false), ("not_for_beta", false, true), ("either", true, true), ("absent", true, true)]
    {
        assert_eq!(
            (statsig.check_gate(&user("ada"), name), statsig.check_gate(&user("bob"), name)),
            (ada, bob),
            "{name}"
        );
    }
    assert_eq!(statsig.get_feature_gate_list(), ["absent", "either", "for_beta", "not_for_beta"]);
}

#[test]
fn holdouts_hold_back() {
    let statsig = client(
        &ProjectBuilder::new().gate(GateBuilder::holdout("held", 10.0)).gate(GateBuilder::on("g").held_out_by("held")),
    );
    let held = count(|user| statsig.check_gate(user, "held"));
    assert_about(held, 200);
    assert_eq!(count(|user| statsig.check_gate(user, "g")), 2_000 - held);
    assert_eq!(count(|user| statsig.check_gate(user, "g") == statsig.check_gate(user, "held")), 0);
    assert_eq!(statsig.get_feature_gate_list(), ["g"], "a holdout is not listed as a gate");
}

#[test]
fn what_servers_say_of_a_gate() {
    let gate = GateBuilder::on("g").fields_used(["email"]).target_apps(["app"]).forward_all_exposures();
    let statsig = client(&ProjectBuilder::new().gate(gate));
    assert_eq!(statsig.get_fields_needed_for_gate("g"), ["email"]);
}
