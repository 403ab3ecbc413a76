//! The options of `create`.

use serde_json::{Value, json};

use crate::support::{Driver, ada, specs};

fn create(driver: &mut Driver, options: Value) -> Value {
    driver.ask(json!({"op": "create", "sdk_key": "secret-key", "options": options}))
}

#[test]
fn options_take_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut driver = Driver::start();
    let answer = create(
        &mut driver,
        json!({
            "bootstrap": specs(), "environment": "staging", "global_custom_fields": {"region": "eu"},
            "event_queue_size": 2, "flush_interval_ms": 3_600_000, "retry_queue_size": 3,
            "spool_dir": folder.path().join("spool"), "events_file": path, "disable_all_logging": null,
        }),
    );
    assert_eq!((&answer["ok"], &answer["result"]), (&json!(true), &Value::Null), "{answer}");
    let mut check = |name: &str| driver.result(json!({"op": "gate", "user": ada(), "name": name}))["value"].clone();
    assert_eq!((check("staging"), check("region")), (json!(true), json!(true)));
    assert!(folder.path().join("spool").is_dir());
}

#[test]
fn logging_can_be_switched_off() {
    for option in ["local_mode", "disable_all_logging"] {
        let mut driver = Driver::start();
        assert_eq!(create(&mut driver, json!({"bootstrap": specs(), option: true}))["ok"], true);
        driver.result(json!({"op": "log_event", "user": ada(), "event": "e"}));
        assert_eq!(driver.result(json!({"op": "event_stats"}))["accepted"], 0, "{option}");
        assert_eq!(driver.result(json!({"op": "gate", "user": ada(), "name": "open"}))["value"], true, "{option}");
    }
}

#[test]
fn wrong_options_are_named() {
    let mut driver = Driver::start();
    for (options, kind, named) in [
        (json!({"colour": 1}), "invalid_option", "colour"),
        (json!({"environment": 5}), "invalid_option", "environment"),
        (json!({"event_queue_size": -1}), "invalid_option", "event_queue_size"),
        (json!({"global_custom_fields": []}), "invalid_option", "global_custom_fields"),
        (json!({"events_file": "/no/such/folder/events.jsonl"}), "invalid_option", "/no/such/folder"),
        (json!({}), "invalid_option", "bootstrap"),
        (json!({"bootstrap": "no json"}), "invalid_specs", "specs"),
        (json!({"proxy": {}}), "invalid_option", "proxy"),
        (json!({"proxy": {"protocol": "pigeon", "address": "h"}}), "invalid_option", "proxy.protocol"),
        (json!({"data_store": {"redis_urk": "redis://h"}}), "invalid_option", "data_store.redis_urk"),
        (json!({"bootstrap": specs(), "data_store": {}}), "invalid_option", "redis_url"),
        (json!({"initialize_sources": ["cloud"]}), "invalid_option", "initialize_sources"),
        (json!({"Environment": "x"}), "invalid_option", "did you mean `environment`?"),
        (
            json!({"api": "http://h", "request_timeout_ms": 0}),
            "invalid_option",
            "`request_timeout_ms` must be 1 or more",
        ),
        (json!({"api": "http://h", "init_timeout_ms": 0}), "invalid_option", "`init_timeout_ms` must be 1 or more"),
        (json!({"log_event_url": "http://h/e"}), "invalid_option", "no source of config specs"),
        (json!({"bootstrap": "specs.json"}), "invalid_option", "`bootstrap` holds a path"),
    ] {
        let answer = create(&mut driver, options.clone());
        assert_eq!(answer["error"]["kind"], kind, "{options}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(named), "{options}: {answer}");
        assert!(!answer.to_string().contains("secret-key"));
    }
    let answer = driver.ask(json!({"op": "create", "options": {"bootstrap": specs()}}));
    assert_eq!(answer["error"]["kind"], "invalid_field", "{answer}");
    let answer = driver.ask(json!({"op": "create", "sdk_key": "k", "options": []}));
    assert_eq!(answer["error"]["kind"], "invalid_field", "{answer}");
}

/// Numbers that make no sense are brought within bounds, and events still arrive.
#[test]
fn numbers_of_any_size_work() {
    let mut driver = Driver::start();
    for (option, value) in [
        ("event_queue_size", 1),
        ("event_queue_size", u64::MAX),
        ("retry_queue_size", 1),
        ("retry_queue_size", u64::MAX),
        ("flush_interval_ms", 10),
        ("flush_interval_ms", 86_400_000),
    ] {
        assert_eq!(create(&mut driver, json!({"bootstrap": specs(), option: value}))["ok"], true);
        driver.result(json!({"op": "log_event", "user": ada(), "event": "e"}));
        let report = driver.result(json!({"op": "flush", "timeout_ms": 30_000}));
        assert_eq!((&report["failed"], &report["pending"]), (&json!(0), &json!(0)), "{option} {value}");
        assert_eq!(driver.result(json!({"op": "event_stats"}))["delivered"], 1, "{option} {value}");
        driver.result(json!({"op": "shutdown"}));
    }
    for (option, value) in [("event_queue_size", 0), ("retry_queue_size", 0), ("flush_interval_ms", u64::MAX)] {
        assert_eq!(create(&mut driver, json!({"bootstrap": specs(), option: value}))["ok"], false, "{option} {value}");
    }
}
