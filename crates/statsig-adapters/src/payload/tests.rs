use serde_json::json;

use super::PayloadShape::{self, *};
use super::{recognise, without_byte_order_mark};

fn of(value: &serde_json::Value) -> PayloadShape {
    recognise(value.to_string().as_bytes())
}

fn spec() -> serde_json::Value {
    json!({"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
        "idType": "userID", "rules": []})
}

#[test]
fn config_specs_of_both_forms_are_recognised() {
    let v2 = json!({"has_updates": true, "time": 1, "feature_gates": {"g": spec()}, "dynamic_configs": {},
        "layer_configs": {}, "condition_map": {}});
    let empty = json!({"has_updates": true, "time": 0, "feature_gates": {}, "dynamic_configs": {},
        "layer_configs": {}, "condition_map": {}});
    let v1 = json!({"time": 1, "feature_gates": [{"name": "g", "rules": []}], "dynamic_configs": []});
    let v1_empty = json!({"has_updates": true, "time": 1, "feature_gates": [], "dynamic_configs": [],
        "layer_configs": [], "layers": {}});
    assert_eq!([of(&v2), of(&empty), of(&v1), of(&v1_empty)], [SpecsV2, SpecsV2, SpecsV1, SpecsV1]);
    assert_eq!(recognise(format!("\u{FEFF}\r\n {v2:#}").as_bytes()), SpecsV2);
    assert_eq!(of(&json!({"has_updates": false})), NoUpdates);
    // A gate may have any name, also one that means something elsewhere.
    let mut odd = v2.clone();
    odd["feature_gates"] = json!({"value": spec(), "rule_id": spec(), "url": spec(), "error": spec()});
    odd["sdk_configs"] = json!({"error": "x"});
    odd["user"] = json!({});
    assert_eq!(of(&odd), SpecsV2);
    for key in ["has_updates", "time", "feature_gates", "dynamic_configs", "layer_configs", "condition_map"] {
        let mut torn = v2.clone();
        torn.as_object_mut().unwrap().remove(key);
        assert_eq!(of(&torn), IncompleteSpecs, "{key}");
        torn[key] = json!(null);
        assert_eq!(of(&torn), IncompleteSpecs, "{key}");
    }
}

#[test]
fn client_initialize_responses_are_recognised_in_every_form() {
    let gate = json!({"name": "g", "value": true, "rule_id": "r", "secondary_exposures": [], "id_type": "userID"});
    let config = json!({"name": "c", "value": {}, "rule_id": "r", "group": "r", "secondary_exposures": []});
    let layer = json!({"name": "l", "value": {}, "rule_id": "", "undelegated_secondary_exposures": []});
    let whole = json!({"feature_gates": {"1389118615": gate}, "dynamic_configs": {"2": config},
        "layer_configs": {"3": layer}, "has_updates": true, "time": 9, "hash_used": "djb2", "sdkParams": {},
        "evaluated_keys": {"userID": "u"}, "user": {"userID": "u"}, "sdkInfo": {}, "generator": "x"});
    assert_eq!(of(&whole), ClientInitializeResponse);
    for key in whole.as_object().unwrap().keys() {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(key);
        assert_eq!(of(&less), ClientInitializeResponse, "without {key}");
    }
    let named = json!({"feature_gates": {"dark_mode": gate}, "dynamic_configs": {}, "layer_configs": {},
        "has_updates": true, "time": 9});
    let empty = json!({"feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}, "sdkParams": {},
        "has_updates": true, "time": 0, "derived_fields": {}});
    let short = json!({"feature_gates": {"1": {"v": true, "r": "r"}}, "dynamic_configs": {}, "layer_configs": {},
        "has_updates": true, "time": 1, "exposures": {}, "values": {}, "response_format": "init-v2"});
    let lists = json!({"feature_gates": [gate], "dynamic_configs": [config], "time": 1, "has_updates": true});
    let only_layers = json!({"feature_gates": {}, "dynamic_configs": {}, "layer_configs": {"l": layer},
        "has_updates": true, "time": 1});
    for response in [named, empty, short, lists, only_layers] {
        assert_eq!(of(&response), ClientInitializeResponse, "{response}");
    }
}

#[test]
fn other_json_is_recognised() {
    for (value, expected) in [
        (json!({"error": "invalid key"}), ErrorObject),
        (json!({"message": "Forbidden"}), ErrorObject),
        (json!({"success": false}), ErrorObject),
        (json!({"statusCode": 404, "path": "/"}), ErrorObject),
        (json!({"errors": [{"code": 1}], "data": null}), ErrorObject),
        (json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "x"}), ErrorObject),
        (
            json!({"l": {"name": "l", "url": "https://x.example/l", "fileID": "f", "creationTime": 1, "size": 0}}),
            IdListManifest,
        ),
        (json!({"error": {"url": "https://x.example/l", "fileID": "f", "size": 3}}), IdListManifest),
        (json!({"l": {"url": "x", "size": 1}, "other": 1}), OtherObject),
        (json!({"feature_gates": 1}), IncompleteSpecs),
        (json!({"condition_map": {}}), IncompleteSpecs),
        (json!({}), OtherObject),
        (json!({"success": true}), OtherObject),
        (json!([{"feature_gates": {}}]), Array),
        (json!("plain"), Scalar),
        (json!(json!({"time": 1}).to_string()), EncodedTwice),
        (json!(json!(json!({"time": 1}).to_string()).to_string()), EncodedTwice),
        (json!("\n [1]"), EncodedTwice),
        (json!(17), Scalar),
        (json!(null), Scalar),
        (json!(true), Scalar),
    ] {
        assert_eq!(of(&value), expected, "{value}");
    }
}

#[test]
fn what_is_not_json_is_recognised() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (payload, expected) in [
        (b"".to_vec(), Empty),
        (b" \r\n\t".to_vec(), Empty),
        (b"\xEF\xBB\xBF".to_vec(), Empty),
        (b"\x1F\x8B\x08\0\0".to_vec(), Gzip),
        (b"\x78\x9C\xAB\x56\xFF\xFF".to_vec(), Zlib),
        (b"\x28\xB5\x2F\xFD\x04".to_vec(), Zstd),
        (b"PK\x03\x04\x14".to_vec(), Archive),
        (utf16("\u{FEFF}{\"time\":1}"), Utf16),
        (utf16("{\"time\":1}"), Utf16),
        (b"\xFE\xFF\0{\0}".to_vec(), Utf16),
        (b"\0{\0}".to_vec(), Utf16),
        (b"<!doctype html><html>".to_vec(), Html),
        (b"\n<?xml version=\"1.0\"?>".to_vec(), Html),
        (b"eyJ0aW1lIjoxfQ==".to_vec(), Base64),
        (b"Service Unavailable".to_vec(), Text),
        (b"true story".to_vec(), Text),
        (b"x^2 is a square".to_vec(), Text),
        (b"{\"time\": 1".to_vec(), BrokenJson),
        (b"{\"time\": tru}".to_vec(), BrokenJson),
        (b"{'time': 1}".to_vec(), BrokenJson),
        (b"\x1B\x2A\x80\xC1\x05\xFF\xFE".to_vec(), Binary),
        (b"\0\0\0\x08".to_vec(), Binary),
        ("ä".repeat(4_000).into_bytes(), Text),
    ] {
        assert_eq!(recognise(&payload), expected, "{payload:?}");
    }
}

#[test]
fn every_kind_has_a_name_a_description_and_advice() {
    let all = [
        SpecsV2,
        SpecsV1,
        IncompleteSpecs,
        NoUpdates,
        ClientInitializeResponse,
        IdListManifest,
        ErrorObject,
        OtherObject,
        Array,
        EncodedTwice,
        Scalar,
        BrokenJson,
        Empty,
        Gzip,
        Zlib,
        Zstd,
        Archive,
        Base64,
        Utf16,
        Html,
        Text,
        Binary,
    ];
    let mut names: Vec<&str> = all.iter().map(|shape| shape.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    for shape in all {
        assert!(!shape.to_string().is_empty() && shape.to_string().len() + shape.advice().len() < 200);
    }
}

#[test]
fn one_mark_is_skipped() {
    assert_eq!(without_byte_order_mark(b"\xEF\xBB\xBF\xEF\xBB\xBFx"), b"\xEF\xBB\xBFx");
    assert_eq!(without_byte_order_mark(b"\xEF\xBB"), b"\xEF\xBB");
}

#[test]
fn depth_and_size_cost_no_stack() {
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    assert_eq!(recognise(deep.as_bytes()), BrokenJson);
    let long_key = format!("{{\"{}\":1}}", "k".repeat(1_000_000));
    assert_eq!(recognise(long_key.as_bytes()), OtherObject);
}
