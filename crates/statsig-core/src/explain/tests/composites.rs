//! What the trees say of layers, mappings and bandits.

use serde_json::{Value, json};

use super::{NOW, Project, rule, rule_with, says, user};
use crate::StatsigUser;

#[test]
fn a_layer_that_hands_over() {
    let project = Project::new(json!({
        "b500": {"type": "user_bucket", "operator": "lt", "targetValue": 500, "additionalValues": {"salt": "exp-salt"}}
    }))
    .experiment(
        "exp",
        &[rule_with(
            "Ctl",
            &["b500"],
            json!({"color": "red"}),
            json!({"groupName": "Control", "isExperimentGroup": true}),
        )],
    )
    .with(
        "layer_configs",
        "layer",
        "layer",
        json!({"color": "none"}),
        &[rule_with("assign", &["public"], json!({"color": "none"}), json!({"configDelegate": "exp"}))],
    );
    let mut project = project;
    project.0["dynamic_configs"]["exp"]["explicitParameters"] = json!(["color"]);
    says(
        &project.explain(&user(), |context| context.explain_layer("layer")),
        r#"
layer layer = {"color":"red"}
  rule Ctl, group Control, reason Bootstrap:Recognized
  userID "user-1"; allocated to exp; experiment active, user in it
  layer, salt "s"
  rule assign: hands over
    pass public
    experiment exp: {"color":"red"} by Ctl
      experiment, salt "s"
      rule Ctl (group Control): decides
        pass user_bucket: bucket 236 of 1000 lt 500 (salt "exp-salt", userID "user-1")
        pass percentage 100
  secondary exposures: none
  secondary exposures of the layer alone: none
  parameters
    color: rule Ctl, of experiment exp
"#,
    );
}

#[test]
fn a_merging_layer() {
    let contributing = |id: &str, value: Value| rule(id, &["public"], value);
    let mut project =
        Project::new(json!({})).experiment("exp", &[rule("Ctl", &["public"], json!({"color": "red"}))]).with(
            "layer_configs",
            "layer",
            "layer",
            json!({"color": "none", "size": 1, "z": 0}),
            &[
                rule_with("D", &["public"], json!({}), json!({"configDelegate": "exp"})),
                contributing("S", json!({"color": "pink", "size": 2})),
                rule_with("E", &["public"], json!({}), json!({"configDelegate": "exp"})),
            ],
        );
    project.0["layer_configs"]["layer"]["useNewLayerEval"] = json!(true);
    let explanation = project.explain(&user(), |context| context.explain_layer("layer"));
    says(
        &explanation,
        r#"
layer layer = {"color":"red","size":2,"z":0}
  rule D, reason Bootstrap:Recognized
  userID "user-1"; allocated to exp; experiment active, user not in it
  layer, salt "s"
  rule D: contributes
    pass public
    pass percentage 100
    experiment exp: {"color":"red"} by Ctl
      experiment, salt "s"
      rule Ctl: decides
        pass public
        pass percentage 100
    gives color
  rule S: contributes
    pass public
    pass percentage 100
    gives size
  rule E: its experiment came too late
    pass public
    pass percentage 100
    experiment exp: {"color":"red"} by Ctl
      experiment, salt "s"
      rule Ctl: decides
        pass public
        pass percentage 100
  secondary exposures: none
  secondary exposures of the layer alone: none
  parameters
    color: rule D, of the layer
    size: rule S, of the layer
    z: rule default, of the layer
"#,
    );
}

#[test]
fn config_mappings_with_each_candidate() {
    let candidate = |rule: &str, start: i64| json!({"rule_name": rule, "start_time": start});
    let project = Project::new(json!({
        "mail": {"type": "user_field", "field": "email", "operator": "any", "targetValue": ["x"]}
    }))
    .experiment("old", &[rule("O", &["public"], json!({"v": "old"}))])
    .experiment("new", &[rule("N", &["public"], json!({"v": "new"}))])
    .set(
        "overrides",
        json!({"old": [
            {"new_config_name": "ghost", "rules": [candidate("all", NOW + 1), candidate("all", 0)]},
            {"new_config_name": "new", "rules": [candidate("mail", 5), candidate("none", 5), candidate("all", 5)]},
            {"new_config_name": "later", "rules": [candidate("all", 5)]}
        ]}),
    )
    .set(
        "override_rules",
        json!({
            "mail": rule("mail", &["mail"], json!({})),
            "none": rule_with("none", &["public"], json!({}), json!({"passPercentage": 0})),
            "all": rule("all", &["public"], json!({}))
        }),
    );
    says(
        &project.explain(&user(), |context| context.explain_experiment("old")),
        r#"
experiment old = {"v":"new"}
  rule N, reason Bootstrap:Recognized
  userID "user-1"; experiment active, user not in it; evaluated as new
  mapping to ghost: not started (starts at 1700000000001)
  mapping to ghost: there is no such config
    rule all: decides
      pass public
      pass percentage 100
    experiment ghost: unknown
      there is no experiment of this name
  mapping to new: no match
    rule mail: no match
      fail user_field email: "ada@corp.example" any ["x"]
  mapping to new: outside the percentage
    rule none: outside the percentage
      pass public
      fail percentage 0
  mapping to new: taken
    rule all: decides
      pass public
      pass percentage 100
    experiment new: {"v":"new"} by N
      experiment, salt "s"
      rule N: decides
        pass public
        pass percentage 100
  secondary exposures: none
"#,
    );
}

#[test]
fn bandits_with_targeting() {
    let group = |name: &str| json!({"name": name.to_uppercase(), "id": name, "parameterValues": {"arm": name}});
    let mut project = Project::new(json!({
        "mail": {"type": "user_field", "field": "email", "operator": "eq", "targetValue": "x"}
    }))
    .gate("staff", &[rule("S", &["mail"], json!(true))])
    .set(
        "cmab_configs",
        json!({"bandit": {
            "salt": "exp-salt", "defaultValue": {"arm": "none"}, "idType": "userID", "enabled": true, "version": 6,
            "sampleRate": 0.1, "higherIsBetter": true, "groups": [group("ga"), group("gb")], "config": null
        }}),
    );
    says(
        &project.explain(&user(), |context| context.explain_experiment("bandit")),
        r#"
experiment bandit = {"arm":"ga"}
  rule ga:explore, group GA, reason Bootstrap:Recognized, version 6
  userID "user-1"; experiment active, user not in it
  contextual bandit: nothing learned yet, arms in equal shares
    bucket 2236 of 10000 (salt "exp-salt", userID "user-1")
    arm GA (rule ga): chosen
    arm GB (rule gb): not chosen
  secondary exposures: none
"#,
    );
    project.0["cmab_configs"]["bandit"]["targetingGateName"] = json!("staff");
    says(
        &project.explain(&user(), |context| context.explain_experiment("bandit")),
        r#"
experiment bandit = {"arm":"none"}
  rule inlineTargetingRules, reason Bootstrap:Recognized, version 6
  userID "user-1"; experiment active, user not in it
  contextual bandit: not for this user
    targeting gate staff: false by default
      feature_gate, salt "s"
      rule S: no match
        fail user_field email: "ada@corp.example" eq "x"
      no rule decides: default
  secondary exposures
    staff = false by default
"#,
    );
}

/// What a bandit looks up for its scores is not what a condition on its group looks up.
#[test]
fn the_group_of_a_bandit_that_scores_a_private_attribute_is_shown() {
    let group = |name: &str| json!({"name": name.to_uppercase(), "id": name, "parameterValues": {}});
    let weights = |level: f64| json!({"alpha": 0, "intercept": 0, "records": 1, "weightsNumerical": {"level": level}, "weightsCategorical": {}});
    let project = Project::new(json!({
        "group": {"type": "experiment_group", "field": "bandit", "operator": "eq", "targetValue": "GB"}
    }))
    .gate("top", &[rule("T", &["group"], json!(true))])
    .set(
        "cmab_configs",
        json!({"bandit": {
            "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
            "higherIsBetter": true, "groups": [group("ga"), group("gb")],
            "config": {"ga": weights(1.0), "gb": weights(2.0)}
        }}),
    );
    let user = StatsigUser::builder().user_id("user-1").private_attribute("level", 7).build();
    says(
        &project.explain(&user, |context| context.explain_gate("top")),
        r#"
gate top = true
  rule T, reason Bootstrap:Recognized
  userID "user-1"
  feature_gate, salt "s"
  rule T: decides
    pass experiment_group bandit: "GB" eq "GB" experiment bandit: {} by gb
      contextual bandit: the highest score wins
        bucket 2335 of 10000, explores below 0 (salt "s", userID "user-1")
        arm GA (rule ga): not chosen, score (private), weight 0.5
        arm GB (rule gb): chosen, score (private), weight 0.5
    pass percentage 100
  secondary exposures: none
"#,
    );
}
