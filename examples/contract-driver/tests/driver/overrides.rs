//! Overrides, set and removed.

use serde_json::{Value, json};

use crate::support::{Driver, ada};

fn read(driver: &mut Driver, kind: &str, name: &str, user: Value) -> Value {
    let answer = match kind {
        "param_store" => {
            driver.result(json!({"op": "param", "store": name, "param": "text", "type": "any", "user": user}))
        }
        "layer" => driver.result(json!({"op": "layer", "name": name, "params": ["color"], "user": user})),
        kind => driver.result(json!({"op": kind, "name": name, "user": user})),
    };
    if kind == "layer" { answer["params"].clone() } else { answer["value"].clone() }
}

#[test]
fn every_kind_for_everyone_and_for_one() {
    let mut driver = Driver::on_project(None);
    let bob = || json!({"userID": "bob"});
    for (kind, name, value, plain, overridden) in [
        ("gate", "open", json!(false), json!(true), json!(false)),
        ("config", "limits", json!({"uploads": 1}), json!({"uploads": 10}), json!({"uploads": 1})),
        ("experiment", "colors", json!({"color": "x"}), json!({"color": "red"}), json!({"color": "x"})),
        ("layer", "page", json!({"color": "x"}), json!({"color": "red"}), json!({"color": "x"})),
        ("param_store", "web", json!({"text": "x"}), json!("t"), json!("x")),
    ] {
        driver.result(json!({"op": "override", "kind": kind, "name": name, "value": value, "unit_id": "ada"}));
        assert_eq!(read(&mut driver, kind, name, ada()), overridden, "{kind}");
        assert_eq!(read(&mut driver, kind, name, bob()), plain, "{kind}");
        driver.result(json!({"op": "remove_override", "kind": kind, "name": name, "unit_id": "ada"}));
        assert_eq!(read(&mut driver, kind, name, ada()), plain, "{kind}");

        driver.result(json!({"op": "override", "kind": kind, "name": name, "value": value}));
        assert_eq!(read(&mut driver, kind, name, bob()), overridden, "{kind}");
        driver.result(json!({"op": "remove_override", "kind": kind, "name": name}));
        assert_eq!(read(&mut driver, kind, name, bob()), plain, "{kind}");
    }
}

#[test]
fn by_group_and_all_at_once() {
    let mut driver = Driver::on_project(None);
    driver.result(json!({"op": "override", "kind": "experiment", "name": "colors", "group": "Only"}));
    let answer = driver.result(json!({"op": "experiment", "name": "colors", "user": ada()}));
    assert_eq!((&answer["rule_id"], &answer["value"]["color"]), (&json!("override"), &json!("red")));
    assert_eq!(answer["reason"], "LocalOverride:Recognized");
    driver.result(json!({"op": "override", "kind": "gate", "name": "open", "value": false}));
    driver.result(json!({"op": "remove_override", "all": true}));
    assert_eq!(driver.result(json!({"op": "experiment", "name": "colors", "user": ada()}))["rule_id"], "Only");
    assert_eq!(read(&mut driver, "gate", "open", ada()), true);
}

#[test]
fn what_cannot_be_overridden_is_refused() {
    let mut driver = Driver::on_project(None);
    for (request, named) in [
        (json!({"op": "override", "kind": "segment", "name": "s", "value": true}), "kind"),
        (json!({"op": "override", "kind": "gate", "value": true}), "name"),
        (json!({"op": "override", "kind": "gate", "name": "g"}), "value"),
        (json!({"op": "override", "kind": "gate", "name": "g", "value": "yes"}), "value"),
        (json!({"op": "override", "kind": "config", "name": "c", "value": [1]}), "value"),
        (json!({"op": "override", "kind": "layer", "name": "l", "group": "G"}), "group"),
        (json!({"op": "override", "kind": "gate", "name": "g", "value": true, "unit_id": 5}), "unit_id"),
        (json!({"op": "remove_override", "kind": "gate"}), "name"),
        (json!({"op": "remove_override", "name": "g"}), "kind"),
    ] {
        let (kind, message) = driver.failure(request.clone());
        assert_eq!(kind, "invalid_field", "{request}");
        assert!(message.contains(&format!("`{named}`")), "{request}: {message}");
    }
}
