//! No explanation tells a private attribute.

use serde_json::{Value, json};

use super::{Project, explain_on, rule};
use crate::{Explanation, StatsigUser};

/// Every operator, with targets that tell the private value or do not.
fn operators(secret: &Value) -> Vec<(&'static str, Value)> {
    let text = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
    let mut operators = Vec::new();
    for target in [secret.clone(), json!("other"), json!([secret, "other"]), json!({"a": text, "b": "c"})] {
        for operator in [
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
            "no_such_operator",
        ] {
            operators.push((operator, target.clone()));
        }
    }
    operators
}

/// Explains a gate with one rule for each condition, from two levels above it, and everything else
/// that looks at users.
fn explanations(conditions: &[Value], user: &StatsigUser) -> Vec<Explanation> {
    let ids: Vec<String> = (0..conditions.len()).map(|at| format!("c{at}")).collect();
    let mut map: serde_json::Map<String, Value> = ids.iter().cloned().zip(conditions.iter().cloned()).collect();
    map.insert("inner".to_owned(), json!({"type": "pass_gate", "targetValue": "inner"}));
    map.insert("outer".to_owned(), json!({"type": "fail_gate", "targetValue": "outer"}));
    map.insert(
        "group".to_owned(),
        json!({"type": "experiment_group", "field": "e", "operator": "eq", "targetValue": "G"}),
    );
    let rules: Vec<Value> = ids.iter().map(|id| rule(id, &[id], json!(true))).collect();
    let delegate = super::rule_with("d", &["inner"], json!({}), json!({"configDelegate": "e"}));
    let project = Project::new(Value::Object(map))
        .gate("inner", &rules)
        .gate("outer", &[rule("o", &["inner"], json!(true))])
        .gate("top", &[rule("t", &["outer", "group"], json!(true))])
        .experiment("e", &[super::rule_with("x", &["outer"], json!({"a": 1}), json!({"groupName": "G"}))])
        .with("layer_configs", "layer", "l", json!({}), &[delegate])
        .set("overrides", json!({"e2": [{"new_config_name": "e", "rules": [{"rule_name": "m"}]}]}))
        .set("override_rules", json!({"m": rule("m", &["inner"], json!({}))}));
    let snapshot = project.snapshot();
    vec![
        explain_on(&snapshot, user, |context| context.explain_gate("inner")),
        explain_on(&snapshot, user, |context| context.explain_gate("top")),
        explain_on(&snapshot, user, |context| context.explain_experiment("e")),
        explain_on(&snapshot, user, |context| context.explain_experiment("e2")),
        explain_on(&snapshot, user, |context| context.explain_layer("l")),
    ]
}

/// Fails if any explanation holds one of the secrets, in any case.
fn hides(explanations: &[Explanation], secrets: &[&str]) {
    for explanation in explanations {
        let (text, json) = (explanation.to_string(), serde_json::to_string(explanation).unwrap());
        for secret in secrets {
            for output in [&text, &json] {
                assert!(!output.to_lowercase().contains(&secret.to_lowercase()), "{secret} is in {output}");
            }
        }
    }
}

#[test]
fn private_attributes_are_hidden_from_every_condition_and_operator() {
    let secrets = [
        (json!("Xq7-Secret"), vec!["xq7-secret"]),
        (json!(918_273_645), vec!["918273645"]),
        (json!(918_273.5), vec!["918273.5"]),
        (json!("91.82.73"), vec!["91.82.73"]),
        (json!("2019-07-23T01:02:03Z"), vec!["2019-07-23", "1563843723"]),
        (json!(["Xq7-item", "x"]), vec!["xq7-item"]),
        (json!({"k": "Xq7-member"}), vec!["xq7-member"]),
    ];
    for (secret, hidden) in &secrets {
        // Names that are looked up first, last, and in custom attributes only.
        for field in ["email", "user_agent", "os_name"] {
            for condition_type in ["user_field", "ip_based", "ua_based"] {
                let conditions: Vec<Value> = operators(secret)
                    .into_iter()
                    .map(|(operator, target)| {
                        json!({"type": condition_type, "field": field, "operator": operator, "targetValue": target})
                    })
                    .collect();
                let user = StatsigUser::builder().user_id("u").private_attribute(field, secret.clone()).build();
                let explanations = explanations(&conditions, &user);
                assert!(explanations[0].to_string().contains("(private)"));
                hides(&explanations, hidden);
            }
        }
    }
}

#[test]
fn other_conditions_never_look_at_private_attributes() {
    let types = ["environment_field", "current_time", "user_bucket", "unit_id", "target_app", "moon_phase"];
    let conditions: Vec<Value> = types
        .iter()
        .map(|one| json!({"type": one, "field": "tier", "operator": "any", "targetValue": ["x"], "idType": "tier"}))
        .collect();
    let user = StatsigUser::builder().user_id("u").private_attribute("tier", "Xq7-secret").build();
    hides(&explanations(&conditions, &user), &["xq7-secret"]);
}

#[cfg(feature = "ip-country")]
#[test]
fn the_country_of_a_private_address_is_hidden() {
    let condition =
        |target| json!({"type": "ip_based", "field": "country", "operator": "any", "targetValue": [target]});
    let user = StatsigUser::builder().user_id("u").private_attribute("ip", "81.2.69.160").build();
    let hidden = explanations(&[condition("GB"), condition("FR")], &user);
    assert_eq!(hidden[0].result.rule_id, "c0");
    hides(&hidden, &["81.2.69", "\"GB\""]);
    let open = StatsigUser::builder().user_id("u").ip("81.2.69.160").build();
    assert!(explanations(&[condition("GB")], &open)[0].to_string().contains(r#""GB" any ["gb"] (country of the IP"#));
}

#[cfg(feature = "user-agent")]
#[test]
fn the_browser_of_a_private_user_agent_is_hidden() {
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    let condition =
        |field: &str, target| json!({"type": "ua_based", "field": field, "operator": "eq", "targetValue": target});
    let conditions =
        [condition("browser_name", "Chrome"), condition("browser_version", "1"), condition("browser_name", "Firefox")];
    for name in ["userAgent", "useragent"] {
        let user = StatsigUser::builder().user_id("u").private_attribute(name, agent).build();
        let hidden = explanations(&conditions, &user);
        assert_eq!(hidden[0].result.rule_id, "c2");
        hides(&hidden, &["Gecko", "Firefox", "132"]);
    }
    let open = StatsigUser::builder().user_id("u").user_agent(agent).build();
    assert!(explanations(&conditions, &open)[0].to_string().contains(r#""Firefox" eq "Firefox" (user agent)"#));
}

#[test]
fn scores_of_bandits_that_use_private_attributes_are_hidden() {
    let group = |name: &str| json!({"name": name, "id": name, "parameterValues": {"arm": name}});
    let weights = |numerical: Value, categorical: Value| {
        json!({
            "alpha": 0.5, "intercept": 0, "records": 3, "weightsNumerical": numerical, "weightsCategorical": categorical
        })
    };
    let project = Project::new(json!({})).set(
        "cmab_configs",
        json!({"bandit": {
            "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
            "higherIsBetter": true, "groups": [group("a"), group("b"), group("c")],
            "config": {
                "a": weights(json!({"age": 10}), json!({})),
                "b": weights(json!({}), json!({"city": {"Xq7-town": 3}})),
                "c": weights(json!({"level": 2}), json!({}))
            }
        }}),
    );
    let user = StatsigUser::builder()
        .user_id("u")
        .custom("level", 7)
        .private_attribute("age", 918)
        .private_attribute("city", "Xq7-town")
        .build();
    let explanation = project.explain(&user, |context| context.explain_experiment("bandit"));
    assert_eq!(explanation.result.rule_id, "a");
    hides(std::slice::from_ref(&explanation), &["918", "xq7", "3.5"]);
    assert!(explanation.to_string().contains("arm c (rule c): not chosen, score 14.5, weight 0.25"), "{explanation}");
}
