//! What the trees say.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{NOW, Project, rule, rule_with, says, user};
use crate::explain::{Role, SpecOutcome};
use crate::{
    EvaluationContext, EvaluationSettings, ExperimentOverride, InMemoryIdLists, Json, OverrideAdapter, StatsigUser,
};
use statsig_adapters::FixedClock;

#[test]
fn a_gate_with_nested_gates_and_a_percentage() {
    let project = Project::new(json!({
        "mail": {"type": "user_field", "field": "email", "operator": "str_ends_with_any", "targetValue": ["@Corp.example"]},
        "many": {"type": "user_field", "field": "level", "operator": "any", "targetValue": (0..20).collect::<Vec<_>>()},
        "staff": {"type": "pass_gate", "targetValue": "staff"},
        "not_staff": {"type": "fail_gate", "targetValue": "staff"},
        "ghost": {"type": "pass_gate", "targetValue": "ghost"}
    }))
    .gate("staff", &[rule("S", &["mail"], json!(true))])
    .gate("top", &[
        rule("A", &["staff", "ghost", "many"], json!(true)),
        rule("B", &["not_staff"], json!(true)),
        rule_with("P", &["public"], json!(true), json!({"passPercentage": 78.5, "salt": "rule-salt"})),
        rule("Z", &[], json!(true)),
    ]);
    let mut salted = project;
    salted.0["feature_gates"]["top"]["salt"] = json!("gate-salt");
    says(
        &salted.explain(&user(), |context| context.explain_gate("top")),
        r#"
gate top = false
  rule P, reason Bootstrap:Recognized
  userID "user-1"
  feature_gate, salt "gate-salt"
  rule A: no match
    pass pass_gate staff: true by S
      feature_gate, salt "s"
      rule S: decides
        pass user_field email: "ada@corp.example" str_ends_with_any ["@corp.example"]
        pass percentage 100
    fail pass_gate ghost: unknown
      there is no gate of this name
    fail user_field level: missing any ["0", "1", "10", "11", "12", … 20 in all]
  rule B: no match
    fail fail_gate staff: true by S
      explained above
  rule P: outside the percentage
    pass public
    fail percentage 78.5: bucket 7999 of 10000, passes below 7850 (salt "gate-salt.rule-salt", userID "user-1")
  rule Z: not reached
  secondary exposures
    staff = true by S
    staff = true by S
"#,
    );
}

#[test]
fn unsupported_conditions_and_the_time() {
    let project = Project::new(json!({
        "moon": {"type": "moon_phase", "operator": "is", "targetValue": "full"},
        "odd": {"type": "user_field", "field": "email", "operator": "rhymes_with", "targetValue": "x"},
        "now": {"type": "current_time", "operator": "after", "targetValue": 1_600_000_000_000_i64},
        "text": {"type": "user_field", "field": "email", "operator": "gt", "targetValue": "x"}
    }))
    .gate(
        "top",
        &[rule("T", &["text", "now", "odd", "moon", "gone", "text"], json!(true)), rule("R", &[], json!(true))],
    );
    says(
        &project.explain(&user(), |context| context.explain_gate("top")),
        r#"
gate top = false
  reason Bootstrap:Unsupported
  userID "user-1"
  feature_gate, salt "s"
  rule T: unsupported
    fail user_field email: "ada@corp.example" gt no target that it can use
    pass current_time: 1700000000000 after 1600000000000
    unsupported user_field email: "ada@corp.example" rhymes_with no target that it can use
    unsupported moon_phase is no target that it can use
    unsupported missing
  rule R: not reached
  unsupported: it uses what this version does not know
  secondary exposures: none
"#,
    );
}

#[test]
fn id_lists_environments_and_groups() {
    let project = Project::new(json!({
        "list": {"type": "unit_id", "operator": "in_segment_list", "targetValue": "vips"},
        "tier": {"type": "environment_field", "field": "tier", "operator": "any", "targetValue": ["Development"]},
        "app": {"type": "target_app", "operator": "any", "targetValue": ["app-1"]},
        "group": {"type": "experiment_group", "field": "exp", "operator": "eq", "targetValue": "Test"}
    }))
    .gate("top", &[rule("T", &["list", "tier", "app", "group"], json!(true))])
    .experiment("exp", &[rule_with("x", &[], json!({}), json!({"groupName": "Test"}))]);
    let mut lists = InMemoryIdLists::new();
    lists.insert("vips", "user-1");
    says(
        &project.explain(&user(), |context| context.with_id_lists(Some(&lists)).explain_gate("top")),
        r#"
gate top = true
  rule T, reason Bootstrap:Recognized
  userID "user-1"
  feature_gate, salt "s"
  rule T: decides
    pass unit_id userID: "user-1" in_segment_list "vips"
    pass environment_field tier: "development" any ["development"] (default environment of the project)
    pass target_app: "app-1" any ["app-1"] (app of the specs)
    pass experiment_group exp: "Test" eq "Test" experiment exp: {} by x
      experiment, salt "s"
      rule x (group Test): decides
        pass percentage 100
    pass percentage 100
  secondary exposures: none
"#,
    );
}

/// Overrides everything that it is asked for, or changes its mind each time.
struct Overrides {
    fickle: bool,
    answer: AtomicBool,
}

impl OverrideAdapter for Overrides {
    fn gate(&self, name: &str, _: &StatsigUser) -> Option<bool> {
        let answer = self.answer.fetch_xor(self.fickle, Ordering::Relaxed);
        (name == "staff").then_some(answer)
    }

    fn layer(&self, _: &str, _: &StatsigUser) -> Option<Json> {
        Some(json!({"own": 1}).into())
    }

    fn experiment(&self, _: &str, _: &StatsigUser) -> Option<ExperimentOverride> {
        Some(ExperimentOverride::Group("Test".to_owned()))
    }
}

#[test]
fn local_overrides() {
    let overrides = Overrides { fickle: false, answer: AtomicBool::new(true) };
    let project = Project::new(json!({"staff": {"type": "pass_gate", "targetValue": "staff"}}))
        .gate("top", &[rule("T", &["staff"], json!(true))])
        .experiment("exp", &[rule_with("x", &[], json!({"a": 1}), json!({"groupName": "Test"}))]);
    says(
        &project.explain(&user(), |context| context.with_overrides(Some(&overrides)).explain_gate("top")),
        r#"
gate top = true
  rule T, reason Bootstrap:Recognized
  userID "user-1"
  feature_gate, salt "s"
  rule T: decides
    pass pass_gate staff: true by override
      local override: true
    pass percentage 100
  secondary exposures
    staff = true by override
"#,
    );
    let explain = |context: EvaluationContext<'_>| context.with_overrides(Some(&overrides)).explain_experiment("exp");
    says(
        &project.explain(&user(), explain),
        r#"
experiment exp = {"a":1}
  rule override, reason LocalOverride:Recognized
  experiment not active, user not in it
  local override: group Test
  secondary exposures: none
"#,
    );
    let explain = |context: EvaluationContext<'_>| context.with_overrides(Some(&overrides)).explain_layer("l");
    assert_eq!(project.explain(&user(), explain).trace.outcome, SpecOutcome::Overridden);
}

/// The comparison with the evaluation is a real one.
#[test]
fn a_difference_is_told() {
    let overrides = Overrides { fickle: true, answer: AtomicBool::new(true) };
    let (snapshot, settings) = (Project::new(json!({})).snapshot(), EvaluationSettings::new());
    let user = user();
    let context =
        EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(NOW)).with_overrides(Some(&overrides));
    let explanation = context.explain_gate("staff");
    assert!(explanation.disagrees);
    assert_eq!((explanation.result.value.view().as_bool(), explanation.trace.passed), (Some(true), false));
    assert!(explanation.lines().iter().any(|line| line.spans.iter().any(|span| span.role == Role::Trouble)));
}

#[test]
fn json_has_stable_names() {
    let project = Project::new(json!({
        "b": {"type": "user_bucket", "operator": "lt", "targetValue": 500, "additionalValues": {"salt": "exp-salt"}},
        "gate": {"type": "fail_gate", "targetValue": "inner"}
    }))
    .gate("inner", &[])
    .gate("top", &[rule("T", &["b", "gate"], json!(true))]);
    let explanation = project.explain(&user(), |context| context.explain_gate("top"));
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(
        json,
        json!({
            "kind": "gate", "name": "top", "is_cut": false, "disagrees": false,
            "result": {
                "value": true, "rule_id": "T", "group_name": null, "reason": "Bootstrap:Recognized", "id_type": "userID",
                "unit_id": "user-1", "version": null, "override_config_name": null, "rule_passed": null,
                "is_experiment_active": null, "is_user_in_experiment": null, "allocated_experiment": null
            },
            "exposure": {"secondary_exposures": [{"gate": "inner", "gateValue": "false", "ruleID": "default"}]},
            "trace": {
                "kind": "gate", "name": "top", "outcome": "rule", "passed": true, "rule_id": "T",
                "entity": "feature_gate", "enabled": true, "salt": "s",
                "rules": [{
                    "id": "T", "outcome": "decided", "percentage": {"percent": 100.0, "passes": true},
                    "conditions": [
                        {
                            "id": "b", "type": "user_bucket", "outcome": "pass", "seen": {"value": 236}, "operator": "lt",
                            "target": {"value": 500},
                            "bucket": {"bucket": 236, "of": 1000, "salt": "exp-salt", "id_type": "userID", "unit_id": "user-1"}
                        },
                        {
                            "id": "gate", "type": "fail_gate", "outcome": "pass", "asked": [{
                                "kind": "gate", "name": "inner", "outcome": "default", "passed": false, "rule_id": "default",
                                "entity": "feature_gate", "enabled": true, "salt": "s"
                            }]
                        }
                    ]
                }]
            }
        })
    );
}
