//! Asking whether anything changed.

use serde_json::{Value, json};
use statsig_core::{ResponseFormat, StatsigUser};

use super::project::{Asked, document, plain};

fn checksum(asked: &Asked) -> String {
    asked.json(&plain().with_previous_response_hash(""))["full_checksum"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_has_the_response_is_told_so() {
    let asked = Asked::new();
    let own = checksum(&asked);
    let (text, summary) = asked.text(&plain().with_previous_response_hash(&own));
    let response: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        response,
        json!({"feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}, "param_stores": {}, "time": 0,
               "has_updates": false, "hash_used": "", "user": {}, "evaluated_keys": {}, "sdkParams": {}, "sdkInfo": {}})
    );
    assert!(!summary.has_updates);
    // Another one gets all of it, with the checksum, sorted.
    let other = asked.json(&plain().with_previous_response_hash("1"));
    assert_eq!((&other["full_checksum"], &other["has_updates"]), (&json!(own), &json!(true)));
    let gates: Vec<&String> = other["feature_gates"].as_object().unwrap().keys().collect();
    assert!(gates.is_sorted() && gates.len() > 5, "{gates:?}");
    assert!(asked.json(&plain()).get("full_checksum").is_none());
}

/// Checksums are kept by clients: one that changes without reason makes every client load anew.
#[test]
fn the_checksum_stays_the_same() {
    assert_eq!(checksum(&Asked::new()), "6095313400240535996");
}

#[test]
fn the_checksum_follows_what_the_client_sees() {
    let own = checksum(&Asked::new());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document = document();
        change(&mut document);
        checksum(&Asked::of(&document))
    };
    assert_eq!(with(&|document| document["time"] = json!(1_800_000_000_000_u64)), own);
    // Another order of the same specs.
    let reordered = with(&|document| {
        let gates = document["feature_gates"].as_object_mut().unwrap();
        let first = gates.shift_remove("gate_pub").unwrap();
        gates.insert("gate_pub".to_owned(), first);
    });
    assert_eq!(reordered, own);
    assert_ne!(with(&|document| document["feature_gates"]["off"]["defaultValue"] = json!(true)), own);
    assert_ne!(with(&|document| document["default_environment"] = json!("staging")), own);
    let mut other_user = Asked::new();
    other_user.user = StatsigUser::with_user_id("v");
    assert_ne!(checksum(&other_user), own);
}

/// What was drawn for a trigger is no reason to send a response again.
#[test]
fn the_checksum_passes_over_triggers_that_were_drawn() {
    let with = |rate: f64| {
        let mut document = document();
        document["session_replay_info"] = json!({"session_recording_event_triggers": {"buy": {"sampling_rate": rate}}});
        checksum(&Asked::of(&document))
    };
    assert_eq!(with(0.0), with(1.0));
}

#[test]
fn later_formats_have_no_checksum() {
    let asked = Asked::new();
    for format in [ResponseFormat::V2, ResponseFormat::InitV2] {
        let response = asked.json(&plain().with_response_format(format).with_previous_response_hash("1"));
        assert!(response.get("full_checksum").is_none());
    }
}
