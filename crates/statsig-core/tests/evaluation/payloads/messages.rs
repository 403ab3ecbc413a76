//! Messages repeat little of a payload, and no value in it.

use serde_json::{Value, json};
use statsig_core::{Ruleset, StatsigUser};

use super::{compile, gate, specs, whole_message};

const SECRET: &str = "private.example";

/// A text of a megabyte with something in it that must not be seen.
fn long() -> String {
    format!("{SECRET} {}", "x".repeat(1 << 20))
}

#[test]
fn a_document_encoded_twice_is_named_and_not_repeated() {
    let mut payload = specs(&json!({"g": gate()}));
    payload["condition_map"]["mail"] =
        json!({"type": "user_field", "field": "email", "operator": "any", "targetValue": [long()], "idType": "userID"});
    let twice = json!(payload.to_string()).to_string();
    let message = whole_message(&Ruleset::compile(twice.as_bytes()).unwrap_err());
    assert!(message.len() < 300 && message.contains("encoded twice") && !message.contains(SECRET), "{message}");
}

#[test]
fn values_of_a_wrong_type_are_not_repeated_wherever_they_stand() {
    let whole = specs(&json!({"g": gate()}));
    for key in whole.as_object().unwrap().keys().map(String::as_str).chain(["layers", "app_id", "checksum", "id_lists"])
    {
        for wrong in [json!(long()), json!([long()]), json!({"a": long()})] {
            let mut payload = whole.clone();
            payload[key] = wrong;
            let messages = match compile(&payload) {
                Ok(ruleset) => ruleset.problems().iter().map(ToString::to_string).collect(),
                Err(error) => vec![whole_message(&error)],
            };
            for message in messages {
                assert!(message.len() < 500 && !message.contains(SECRET), "{key}: {message}");
            }
        }
    }
}

#[test]
fn problems_are_short_whatever_is_wrong() {
    let bad = [
        json!({"type": long()}),
        json!(long()),
        json!({"type": "feature_gate", "enabled": long()}),
        json!({"rules": [{"passPercentage": long()}]}),
    ];
    let mut gates = json!({});
    for (at, bad) in bad.into_iter().enumerate() {
        gates[format!("{}{at}", "n".repeat(100_000))] = bad;
    }
    let mut payload = specs(&gates);
    payload["condition_map"] = json!({
        "a": {"type": "user_field", "operator": "x".repeat(100_000), "field": "f", "idType": "userID"},
        "b": {"type": "y".repeat(100_000), "idType": "userID"},
        "c": {"type": 1, "targetValue": long()},
        "d": {"type": "user_field", "operator": "str_matches", "field": "f", "idType": "userID", "targetValue": format!("({}", long())},
    });
    payload["param_stores"] = json!({"p": {"parameters": {"q": long()}}});
    payload["session_replay_info"] = json!(long());
    let ruleset = compile(&payload).unwrap();
    assert!(ruleset.problems().len() >= 9, "{:?}", ruleset.problems());
    for problem in ruleset.problems() {
        assert!(problem.to_string().chars().count() < 400 && !problem.to_string().contains(SECRET), "{problem}");
        assert!(problem.message.chars().count() <= 201, "{problem}");
    }
    for spec in ruleset.malformed_specs() {
        assert!(spec.reason.chars().count() <= 201 && !spec.reason.contains(SECRET), "{}", spec.reason);
    }
}

#[test]
fn errors_about_users_hold_no_user_data() {
    for user in
        [json!(long()), json!({"custom": long()}), json!({"privateAttributes": [long()]}), json!({"customIDs": 7})]
    {
        let error = serde_json::from_str::<StatsigUser>(&user.to_string()).unwrap_err().to_string();
        assert!(error.len() < 200 && !error.contains(SECRET) && !error.contains('7'), "{error}");
        assert!(!error.contains("WireUser"), "{error}");
        let error = serde_json::from_value::<StatsigUser>(user).unwrap_err().to_string();
        assert!(error.len() < 200 && !error.contains(SECRET), "{error}");
    }
    let error = serde_json::from_str::<StatsigUser>("{\n \"custom\": \"x\"}").unwrap_err();
    assert_eq!(error.line(), 2, "the place is kept: {error}");
}

#[test]
fn damaged_json_has_a_place() {
    let text = specs(&json!({"g": gate()})).to_string();
    let message = whole_message(&Ruleset::compile(&text.as_bytes()[..text.len() - 1]).unwrap_err());
    assert!(message.contains("line 1 column"), "{message}");
    let _: Value = serde_json::from_str(&text).unwrap();
}
