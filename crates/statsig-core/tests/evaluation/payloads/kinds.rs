//! Payloads of another kind are refused, and what is current stays current.

use serde_json::{Value, json};
use statsig_core::specs::PayloadShape;
use statsig_core::{CompileLimits, Error, ErrorKind, Reach, Ruleset, Snapshot, SnapshotStore, SpecOrigin, SpecUpdate};

use super::{compile, gate, specs, whole_message};

fn response() -> Value {
    json!({"has_updates": true, "time": 2_000, "hash_used": "djb2", "evaluated_keys": {"userID": "u-1"},
        "sdkParams": {}, "feature_gates": {"138911": {"name": "138911", "value": true, "rule_id": "r",
        "secondary_exposures": []}}, "dynamic_configs": {}, "layer_configs": {}})
}

#[test]
fn a_client_initialize_response_never_replaces_config_specs() {
    let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
    let limits = CompileLimits::default();
    let update =
        |payload: &Value| SpecUpdate::new(payload.to_string().into_bytes(), SpecOrigin::Network, Reach::Upstream, 1);
    store.apply(&update(&specs(&json!({"g": gate()}))), &limits).unwrap();
    let error = store.apply(&update(&response()), &limits).unwrap_err();
    assert!(matches!(error, Error::OtherPayload { shape: PayloadShape::ClientInitializeResponse }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::OtherPayload);
    assert!(error.to_string().contains("client-initialize response"), "{error}");
    assert_eq!(store.load().ruleset().size().gates, 1);
}

#[test]
fn every_other_kind_is_named() {
    let in_lists =
        json!({"time": 1, "feature_gates": [{"name": "g", "value": true, "rule_id": "r"}], "dynamic_configs": []});
    for (payload, name) in [
        (in_lists.to_string().into_bytes(), "client-initialize response"),
        (response().to_string().into_bytes(), "client-initialize response"),
        (b"{\"error\":\"no such key\"}".to_vec(), "error object"),
        (json!({"l": {"url": "u", "fileID": "f", "size": 1}}).to_string().into_bytes(), "manifest of ID lists"),
        (b"\x1F\x8B\x08\0\0\0\0\0".to_vec(), "gzip"),
        (b"\x28\xB5\x2F\xFD\x04\0\xFF".to_vec(), "zstd"),
        (b"\x78\x9C\xAB\x56\xFF\xFF".to_vec(), "zlib"),
        (b"<html>sign in</html>".to_vec(), "HTML"),
        (b"\xFF\xFE{\0}\0".to_vec(), "UTF-16"),
        (b"{\0}\0".to_vec(), "UTF-16"),
        (b"  ".to_vec(), "empty"),
        (b"[1]".to_vec(), "array"),
        (json!(specs(&json!({})).to_string()).to_string().into_bytes(), "encoded twice"),
        (b"\x0B\x80\xFF\xC1".to_vec(), "binary"),
        (b"null".to_vec(), "single JSON value"),
        (b"oops".to_vec(), "not JSON"),
    ] {
        let error = Ruleset::compile(&payload).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert_eq!(error.kind(), ErrorKind::OtherPayload, "{error}");
    }
}

#[test]
fn empty_projects_are_accepted_in_both_forms() {
    let v1 = json!({"has_updates": true, "time": 0, "feature_gates": [], "dynamic_configs": [], "layer_configs": []});
    for empty in [specs(&json!({})), v1] {
        assert_eq!(compile(&empty).unwrap().size().gates, 0, "{empty}");
    }
}

#[test]
fn specs_without_a_required_part_are_refused_by_its_name() {
    let whole = specs(&json!({"g": gate()}));
    for key in ["has_updates", "time", "feature_gates", "dynamic_configs", "layer_configs", "condition_map"] {
        let mut torn = whole.clone();
        torn.as_object_mut().unwrap().remove(key);
        let error = compile(&torn).unwrap_err();
        assert!(matches!(error, Error::MissingKey { key: missing } if missing == key), "{key}: {error:?}");
    }
    let v1 = json!({"time": 1, "feature_gates": [], "dynamic_configs": []});
    for key in ["time", "feature_gates", "dynamic_configs"] {
        let mut torn = v1.clone();
        torn.as_object_mut().unwrap().remove(key);
        assert!(compile(&torn).is_err(), "{key}");
    }
    // Maps of specs without conditions are of neither form, even without any mark of another kind.
    let maps = json!({"has_updates": true, "time": 1, "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}});
    assert!(matches!(compile(&maps), Err(Error::MissingKey { key: "condition_map" })));
}

#[test]
fn empty_lists_in_place_of_empty_maps_do_not_change_the_form() {
    let mut payload = specs(&json!({"g": gate()}));
    payload["dynamic_configs"] = json!([]);
    payload["feature_gates"]["g"]["enabled"] = json!(false);
    let ruleset = compile(&payload).unwrap();
    assert_eq!(ruleset.meta().format, statsig_core::SpecsFormat::V2);
    assert_eq!(ruleset.size().rules, 1, "the older form drops the rules of a spec that is not enabled");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = format!("\u{FEFF}{}", specs(&json!({"g": gate()})));
    assert_eq!(Ruleset::compile(text.as_bytes()).unwrap().size().gates, 1);
    assert_eq!(statsig_core::Json::parse("\u{FEFF}{\"a\":1}").unwrap().view().to_string(), "{\"a\":1}");
}

#[test]
fn json_that_is_not_utf_8_has_a_place() {
    let mut bytes = specs(&json!({"g": gate()})).to_string().into_bytes();
    let at = bytes.len() - 3;
    bytes.splice(at..at, *b"\xFF");
    let message = whole_message(&Ruleset::compile(&bytes).unwrap_err());
    assert!(message.contains("UTF-8") && message.contains(&at.to_string()), "{message}");
}
