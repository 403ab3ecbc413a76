//! Checks, reads, explanations, client-initialize responses.

use serde_json::{Value, json};

use crate::support::{Driver, ada};

#[test]
fn results() {
    let mut driver = Driver::on_project(None);
    let known = "Bootstrap:Recognized";
    for (request, expected) in [
        (
            json!({"op": "gate", "name": "open"}),
            json!({"value": true, "rule_id": "everyone", "id_type": "userID", "reason": known, "source": "Bootstrap"}),
        ),
        (
            json!({"op": "gate", "name": "closed"}),
            json!({"value": false, "rule_id": "default", "id_type": "userID", "reason": known, "source": "Bootstrap"}),
        ),
        (
            json!({"op": "gate", "name": "none"}),
            json!({"value": false, "rule_id": "", "id_type": "", "reason": "Bootstrap:Unrecognized", "source": "Bootstrap"}),
        ),
        (
            json!({"op": "config", "name": "limits"}),
            json!({"value": {"uploads": 10}, "rule_id": "default", "id_type": "userID", "group_name": null, "reason": known, "source": "Bootstrap"}),
        ),
        (
            json!({"op": "experiment", "name": "colors"}),
            json!({"value": {"color": "red"}, "rule_id": "Only", "id_type": "userID", "group_name": "Only", "reason": known, "source": "Bootstrap"}),
        ),
        (
            json!({"op": "layer", "name": "page", "params": ["color", "size"]}),
            json!({"params": {"color": "red", "size": null}, "rule_id": "Only", "group_name": "Only", "allocated_experiment": "colors", "reason": known, "source": "Bootstrap"}),
        ),
        (
            json!({"op": "layer", "name": "page"}),
            json!({"params": {}, "rule_id": "Only", "group_name": "Only", "allocated_experiment": "colors", "reason": known, "source": "Bootstrap"}),
        ),
    ] {
        let mut request = request;
        request["user"] = ada();
        assert_eq!(driver.result(request.clone()), expected, "{request}");
    }
}

#[test]
fn parameters_of_stores() {
    let mut driver = Driver::on_project(None);
    for (param, param_type, fallback, expected) in [
        ("flag", json!("boolean"), json!(false), json!(true)),
        ("flag", json!("bool"), json!(false), json!(true)),
        ("number", json!("number"), json!(0.5), json!(2.5)),
        ("integer", json!("integer"), json!(0), json!(3)),
        ("text", json!("string"), json!(""), json!("t")),
        ("array", json!("array"), json!([]), json!([1, "b"])),
        ("object", json!("object"), json!({}), json!({"a": null})),
        ("by_gate", json!("string"), json!(""), json!("passed")),
        ("uploads", json!("integer"), json!(0), json!(10)),
        ("object", Value::Null, json!(1), json!({"a": null})),
        // Another type, and no such parameter.
        ("text", json!("integer"), json!(5), json!(5)),
        ("number", json!("integer"), json!(5), json!(5)),
        ("none", json!("string"), json!("f"), json!("f")),
        ("none", json!("any"), json!(["f"]), json!(["f"])),
        ("none", Value::Null, Value::Null, Value::Null),
    ] {
        let request = json!({"op": "param", "user": ada(), "store": "web", "param": param, "type": param_type, "fallback": fallback});
        assert_eq!(driver.result(request)["value"], expected, "{param} {param_type}");
    }
}

#[test]
fn users_have_all_their_fields() {
    let mut driver = Driver::on_project(None);
    let mut check =
        |user: Value, name: &str| driver.result(json!({"op": "gate", "user": user, "name": name}))["value"].clone();
    assert_eq!(check(json!({"userID": "u", "custom": {"region": "eu"}}), "region"), true);
    assert_eq!(check(json!({"userID": "u", "privateAttributes": {"region": "eu"}}), "region"), true);
    assert_eq!(check(json!({"userID": "u", "statsigEnvironment": {"tier": "staging"}}), "staging"), true);
    assert_eq!(check(json!({"customIDs": {"companyID": 5}}), "staging"), false);
    assert_eq!(check(json!({}), "open"), true);
}

#[test]
fn fields_that_are_missing_or_wrong_are_named() {
    let mut driver = Driver::on_project(None);
    for (request, named) in [
        (json!({"op": "gate", "name": "open"}), "user"),
        (json!({"op": "gate", "user": 5, "name": "open"}), "user"),
        (json!({"op": "gate", "user": {"custom": 5}, "name": "open"}), "user"),
        (json!({"op": "gate", "user": ada()}), "name"),
        (json!({"op": "gate", "user": ada(), "name": 5}), "name"),
        (json!({"op": "gate", "user": ada(), "name": null}), "name"),
        (json!({"op": "gate", "user": ada(), "name": "open", "disable_exposure": "yes"}), "disable_exposure"),
        (json!({"op": "layer", "user": ada(), "name": "page", "params": "color"}), "params"),
        (json!({"op": "layer", "user": ada(), "name": "page", "params": ["color", 5]}), "params[1]"),
        (json!({"op": "param", "user": ada(), "store": "web"}), "param"),
        (json!({"op": "param", "user": ada(), "param": "flag"}), "store"),
        (json!({"op": "param", "user": ada(), "store": "web", "param": "flag", "type": "date"}), "type"),
        (json!({"op": "param", "user": ada(), "store": "web", "param": "flag", "type": "string"}), "fallback"),
        (
            json!({"op": "param", "user": ada(), "store": "web", "param": "flag", "type": "string", "fallback": 5}),
            "fallback",
        ),
        (json!({"op": "explain", "user": ada(), "name": "open", "kind": "segment"}), "kind"),
        (json!({"op": "explain", "user": ada(), "name": "open"}), "kind"),
    ] {
        let (kind, message) = driver.failure(request.clone());
        assert_eq!(kind, "invalid_field", "{request}");
        assert!(message.contains(&format!("`{named}")), "{request}: {message}");
    }
}

#[test]
fn explanations() {
    let mut driver = Driver::on_project(None);
    for (kind, name, rule_id) in [
        ("gate", "open", "everyone"),
        ("config", "limits", "default"),
        ("experiment", "colors", "Only"),
        ("layer", "page", "Only"),
    ] {
        let tree = driver.result(json!({"op": "explain", "kind": kind, "name": name, "user": ada()}));
        assert_eq!((tree["name"].as_str(), tree["result"]["rule_id"].as_str()), (Some(name), Some(rule_id)), "{tree}");
        assert_eq!(tree["disagrees"], false);
    }
}

#[test]
fn client_initialize_responses() {
    let mut driver = Driver::on_project(None);
    let ask = json!({"op": "client_initialize", "user": {"userID": "ada", "privateAttributes": {"secret": "s3cr3t"}}});
    let with = |more: Value| {
        let mut request = ask.clone();
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let plain = driver.result(with(json!({"hash": "none"})));
    assert_eq!((&plain["hash_used"], &plain["feature_gates"]["open"]["value"]), (&json!("none"), &json!(true)));
    assert_eq!(plain["user"]["userID"], "ada");
    assert!(!plain.to_string().contains("s3cr3t"));
    assert!(plain["feature_gates"].get("for_ios").is_some());
    assert_eq!(driver.result(ask.clone())["hash_used"], "djb2");
    assert_eq!(driver.result(with(json!({"hash": "sha256"})))["hash_used"], "sha256");
    let for_web = driver.result(with(json!({"hash": "none", "client_key": "client-web"})));
    assert!(for_web["feature_gates"].get("for_ios").is_none());

    driver.result(json!({"op": "override", "kind": "gate", "name": "open", "value": false}));
    let value = |response: Value| response["feature_gates"]["open"]["value"].clone();
    assert_eq!(value(driver.result(with(json!({"hash": "none"})))), true);
    assert_eq!(value(driver.result(with(json!({"hash": "none", "include_local_overrides": true})))), false);

    let (kind, message) = driver.failure(with(json!({"hash": "md5"})));
    assert_eq!((kind.as_str(), message.contains("md5")), ("invalid_field", true));
}
