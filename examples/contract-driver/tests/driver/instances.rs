//! Several clients side by side.

use serde_json::{Value, json};

use crate::support::{Driver, ada, specs};

fn create(driver: &mut Driver, client: &str, options: Value) -> Value {
    driver.ask(json!({"op": "create", "client": client, "sdk_key": "secret-key", "options": options}))
}

#[test]
fn clients_share_nothing() {
    let mut driver = Driver::start();
    for (client, tier) in [("main", "staging"), ("second", "production")] {
        assert_eq!(create(&mut driver, client, json!({"bootstrap": specs(), "environment": tier}))["ok"], true);
    }
    let mut check = |client: &str, name: &str| {
        driver.result(json!({"op": "gate", "client": client, "user": ada(), "name": name}))["value"].clone()
    };
    assert_eq!((check("main", "staging"), check("second", "staging")), (json!(true), json!(false)));
    driver.result(json!({"op": "override", "client": "second", "kind": "gate", "name": "open", "value": false}));
    let mut check = |client: Value| {
        driver.result(json!({"op": "gate", "client": client, "user": ada(), "name": "open"}))["value"].clone()
    };
    // No name is `main`.
    assert_eq!(
        (check(Value::Null), check(json!("main")), check(json!("second"))),
        (json!(true), json!(true), json!(false))
    );
}

#[test]
fn names_are_taken_until_the_client_is_shut_down() {
    let mut driver = Driver::on_project(None);
    let answer = create(&mut driver, "main", json!({"bootstrap": specs()}));
    assert_eq!(answer["error"]["kind"], "client_exists");
    driver.result(json!({"op": "shutdown"}));
    assert_eq!(create(&mut driver, "main", json!({"bootstrap": specs()}))["ok"], true);
    driver.result(json!({"op": "log_event", "user": ada(), "event": "e"}));
    assert_eq!(driver.result(json!({"op": "event_stats"}))["accepted"], 1);
}

#[test]
fn unknown_clients_are_named() {
    let mut driver = Driver::on_project(None);
    let (kind, message) = driver.failure(json!({"op": "gate", "client": "other", "user": ada(), "name": "open"}));
    assert_eq!((kind.as_str(), message.contains("`other`")), ("no_such_client", true));
    // A client that could not be made is none.
    assert_eq!(create(&mut driver, "other", json!({"bootstrap": "{}"}))["error"]["kind"], "invalid_specs");
    assert_eq!(driver.failure(json!({"op": "event_stats", "client": "other"})).0, "no_such_client");
}
