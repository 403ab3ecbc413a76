//! What is logged, where it goes, and what is told of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Driver, ada};

fn logged(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventName"].as_str().unwrap()).collect()
}

#[test]
fn custom_events_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::on_project(Some(&path));
    let user = json!({"userID": "ada", "privateAttributes": {"secret": "s3cr3t"}});
    for event in [
        json!({"event": "bought", "value": "A-17", "metadata": {"qty": 2}}),
        json!({"event": "paid", "value": 12.5}),
        json!({"event": "counted", "value": 3}),
        json!({"event": "left"}),
    ] {
        let mut request = event;
        request["op"] = "log_event".into();
        request["user"] = user.clone();
        assert_eq!(driver.result(request), Value::Null);
    }
    let report = driver.result(json!({"op": "flush", "timeout_ms": 30_000}));
    assert_eq!(report, json!({"delivered": 4, "failed": 0, "spooled": 0, "pending": 0}));
    let events = logged(&path);
    assert_eq!(names(&events), ["bought", "paid", "counted", "left"]);
    assert_eq!((&events[0]["value"], &events[0]["metadata"]["qty"]), (&json!("A-17"), &json!(2)));
    assert_eq!((&events[1]["value"], &events[2]["value"]), (&json!(12.5), &json!(3)));
    assert_eq!(events[3]["user"]["userID"], "ada");
    assert!(!std::fs::read_to_string(&path).unwrap().contains("s3cr3t"));

    let stats = driver.result(json!({"op": "event_stats"}));
    assert_eq!(
        stats,
        json!({"accepted": 4, "recovered": 0, "delivered": 4, "unconfirmed": 0, "pending": 0, "spooled": 0, "dropped": {}})
    );
}

#[test]
fn checks_are_exposed_unless_it_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::on_project(Some(&path));
    for disable in [true, false] {
        for request in [
            json!({"op": "gate", "name": "open"}),
            json!({"op": "config", "name": "limits"}),
            json!({"op": "experiment", "name": "colors"}),
            json!({"op": "layer", "name": "page", "params": ["color", "none"]}),
        ] {
            let mut request = request;
            request["user"] = ada();
            request["disable_exposure"] = disable.into();
            driver.result(request);
        }
        driver.result(json!({"op": "flush"}));
        let exposures: Vec<Value> = logged(&path)
            .into_iter()
            .filter(|event| event["eventName"].as_str().unwrap().ends_with("_exposure"))
            .collect();
        let expected: &[&str] = if disable {
            &[]
        } else {
            // Dynamic configs and experiments are exposed by the same name.
            &[
                "statsig::gate_exposure",
                "statsig::config_exposure",
                "statsig::config_exposure",
                "statsig::layer_exposure",
            ]
        };
        assert_eq!(names(&exposures), expected);
    }
}

#[test]
fn exposures_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::on_project(Some(&path));
    for (kind, name) in [("gate", "open"), ("config", "limits"), ("experiment", "colors"), ("layer", "page")] {
        let request = json!({"op": "manual_exposure", "kind": kind, "name": name, "param": "color", "user": ada()});
        assert_eq!(driver.result(request), Value::Null);
    }
    driver.result(json!({"op": "flush"}));
    let events = logged(&path);
    assert_eq!(events.len(), 4);
    for event in &events {
        assert_eq!(event["metadata"]["isManualExposure"], "true", "{event}");
    }
    assert_eq!(events[3]["metadata"]["parameterName"], "color");
    let no_param = json!({"op": "manual_exposure", "kind": "layer", "name": "page", "user": ada()});
    assert_eq!(driver.failure(no_param).0, "invalid_field");
}

#[test]
fn what_cannot_be_logged_is_refused() {
    let mut driver = Driver::on_project(None);
    for (request, named) in [
        (json!({"op": "log_event", "user": ada()}), "event"),
        (json!({"op": "log_event", "event": "e"}), "user"),
        (json!({"op": "log_event", "user": ada(), "event": "e", "value": [1]}), "value"),
        (json!({"op": "log_event", "user": ada(), "event": "e", "metadata": "m"}), "metadata"),
        (json!({"op": "flush", "timeout_ms": -1}), "timeout_ms"),
        (json!({"op": "flush", "timeout_ms": 1e30}), "timeout_ms"),
        (json!({"op": "shutdown", "timeout_ms": 86_400_001_u64}), "timeout_ms"),
    ] {
        let (kind, message) = driver.failure(request.clone());
        assert_eq!(kind, "invalid_field", "{request}");
        assert!(message.contains(&format!("`{named}`")), "{request}: {message}");
    }
}

#[test]
fn the_end_delivers_what_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::on_project(Some(&path));
    driver.result(json!({"op": "log_event", "user": ada(), "event": "last"}));
    let (rest, ok) = driver.end();
    assert_eq!((rest.as_slice(), ok), (&[][..], true));
    assert_eq!(names(&logged(&path)), ["last"]);
}

#[test]
fn flushes_answer_while_other_requests_go_on() {
    let mut driver = Driver::on_project(None);
    let mut asked: Vec<u64> = Vec::new();
    for round in 0..20 {
        asked.push(driver.send(json!({"op": "log_event", "user": ada(), "event": format!("e{round}")})));
        asked.push(driver.send(json!({"op": "flush"})));
        asked.push(driver.send(json!({"op": "gate", "user": ada(), "name": "open"})));
    }
    let mut answered: Vec<u64> = asked.iter().map(|_| driver.line()["id"].as_u64().unwrap()).collect();
    let in_order: Vec<u64> =
        answered.iter().copied().filter(|id| asked.iter().position(|a| a == id).unwrap() % 3 != 1).collect();
    assert!(in_order.is_sorted(), "{in_order:?}");
    answered.sort_unstable();
    assert_eq!(answered, asked);
}

#[test]
fn after_shutdown_checks_answer_and_nothing_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::on_project(Some(&path));
    driver.result(json!({"op": "log_event", "user": ada(), "event": "before"}));
    let report = driver.result(json!({"op": "shutdown"}));
    assert_eq!((&report["delivered"], &report["pending"]), (&json!(1), &json!(0)));
    assert_eq!(driver.result(json!({"op": "gate", "user": ada(), "name": "open"}))["value"], true);
    driver.result(json!({"op": "log_event", "user": ada(), "event": "after"}));
    driver.result(json!({"op": "shutdown"}));
    driver.end();
    assert_eq!(names(&logged(&path)), ["before"]);
}

#[cfg(feature = "spool")]
#[test]
fn a_spool_that_cannot_be_opened_is_told_and_prevents_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("events.jsonl"), folder.path().join("a-file"));
    std::fs::write(&file, "not a folder").unwrap();
    let mut driver = Driver::start();
    let bootstrap = r#"{"has_updates":true,"time":1,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{}}"#;
    let options = json!({"bootstrap": bootstrap, "events_file": path, "spool_dir": file});
    driver.result(json!({"op": "create", "sdk_key": "secret-key", "options": options}));
    driver.result(json!({"op": "log_event", "user": {"userID": "ada"}, "event": "bought"}));
    assert_eq!(driver.result(json!({"op": "flush"}))["delivered"], 1);
    let spool = driver.result(json!({"op": "health"}))["spool"].clone();
    assert_eq!(spool["state"], "unavailable");
    assert!(spool["error"].as_str().unwrap().contains("a-file"), "{spool}");
    assert!(spool["next_retry_ms"].as_u64().unwrap() <= 60_000, "{spool}");
    assert_eq!(driver.result(json!({"op": "event_stats"}))["spool"]["corrupt_records"], 0);
}
