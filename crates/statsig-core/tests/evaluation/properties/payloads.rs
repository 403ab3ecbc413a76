//! Damaged and foreign payloads: recognised, compiled or refused, and never with more than a few words of them.

use proptest::prelude::*;
use serde_json::json;
use statsig_core::specs::{PayloadShape, recognise, without_byte_order_mark};
use statsig_core::{Error, Ruleset};

/// Payloads of several kinds.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let gate = json!({"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
        "defaultValue": false, "idType": "userID", "rules": []});
    let whole = json!({"has_updates": true, "time": 1, "feature_gates": {"g": gate}, "dynamic_configs": {},
        "layer_configs": {}, "condition_map": {}});
    let older = json!({"time": 1, "feature_gates": [{"name": "g", "rules": []}], "dynamic_configs": []});
    let response = json!({"has_updates": true, "time": 1, "hash_used": "djb2", "feature_gates": {"1": {"value": true,
        "rule_id": "r"}}, "dynamic_configs": {}, "layer_configs": {}});
    let texts = [
        whole.to_string(),
        older.to_string(),
        response.to_string(),
        json!(whole.to_string()).to_string(),
        json!({"l": {"url": "u", "size": 1}}).to_string(),
        json!({"error": "x"}).to_string(),
        json!({"has_updates": false}).to_string(),
        String::new(),
    ];
    prop::sample::select(texts.map(String::into_bytes).to_vec())
}

/// A change: at a place, so many bytes are replaced by others.
fn damage() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![b"{".to_vec(), b"}".to_vec(), b"\"".to_vec(), b"null,".to_vec(), b"[]".to_vec()]),
    ];
    (any::<usize>(), 0..40_usize, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_compiled_was_recognised(payload in payload(), changes in prop::collection::vec(damage(), 0..3)) {
        let mut bytes = payload;
        for (at, length, by) in changes {
            let at = at % (bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, by);
        }
        let shape = recognise(&bytes);
        let marked = [b"\xEF\xBB\xBF", without_byte_order_mark(&bytes)].concat();
        prop_assert_eq!(recognise(&marked), shape);
        match Ruleset::compile(&bytes) {
            Ok(_) => prop_assert!(shape.is_specs(), "{:?} was compiled", shape),
            Err(Error::OtherPayload { shape: refused }) => prop_assert!(!refused.is_specs() && refused == shape),
            Err(Error::NoUpdates) => prop_assert_eq!(shape, PayloadShape::NoUpdates),
            Err(error) => prop_assert!(error.to_string().chars().count() <= 300, "{}", error),
        }
    }
}
