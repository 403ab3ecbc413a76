//! Documents in binary form give what they give in JSON.

mod asked_for;
mod differences;
mod limits;

use std::io::Write;

use proptest::prelude::*;
use prost::Message;
use serde_json::json;
use statsig_core::Ruleset;

use super::messages::*;
use super::{ProtoError, to_json};

fn compressed(parts: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(parts).unwrap();
    out
}

fn envelope(kind: i32, name: &str, data: Option<Vec<u8>>) -> Vec<u8> {
    let message = SpecsEnvelope { kind, name: name.into(), checksum: "c".into(), data: data.map(Into::into) };
    message.encode_length_delimited_to_vec()
}

fn known(unit: i32) -> Option<IdType> {
    Some(IdType { value: Some(Unit::Known(unit)) })
}

fn returns(json: &'static str) -> Option<ReturnValue> {
    Some(ReturnValue { value: Some(Returned::Json(json.as_bytes().into())) })
}

fn head(rest: &'static str) -> Vec<u8> {
    let message = SpecsTopLevel {
        has_updates: true,
        time: 1_700_000_000_000,
        company_id: "co".into(),
        response_format: "dcs-v2".into(),
        checksum: "77".into(),
        rest: rest.as_bytes().into(),
    };
    envelope(Kind::TopLevel as i32, "TOP_LEVEL", Some(message.encode_to_vec()))
}

fn rule(percentage: u32, float: Option<f64>) -> Rule {
    Rule {
        name: "r".into(),
        id: "rule".into(),
        pass_percentage: percentage,
        pass_percentage_float: float,
        conditions: vec!["7".into()],
        id_type: known(2),
        return_value: returns(r#"{"a": [1.50]}"#),
        group_name: Some("Control".into()),
        is_experiment_group: Some(true),
        sampling_rate: Some(101.0),
        ..Rule::default()
    }
}

fn config(entity: i32, rules: Vec<Rule>) -> Spec {
    Spec {
        salt: "s".into(),
        enabled: true,
        default_value: returns("{}"),
        entity,
        id_type: Some(IdType { value: Some(Unit::Custom("companyID".into())) }),
        version: 3,
        rules,
        is_active: Some(true),
        target_app_ids: vec!["app".into()],
        ..Spec::default()
    }
}

fn condition(target: Any, operator: i32) -> Vec<u8> {
    let message = Condition {
        condition_type: 6,
        id_type: known(1),
        target_value: Some(AnyValue { value: Some(target) }),
        operator: Some(operator),
        field: Some("email".into()),
        additional_values: Some(br#"{"salt":"x"}"#.as_slice().into()),
    };
    envelope(Kind::Condition as i32, "7", Some(message.encode_to_vec()))
}

fn done() -> Vec<u8> {
    envelope(Kind::Done as i32, "DONE", None)
}

fn spec(kind: Kind, name: &str, spec: &Spec) -> Vec<u8> {
    envelope(kind as i32, name, Some(spec.encode_to_vec()))
}

fn read(parts: &[Vec<u8>]) -> Result<serde_json::Value, ProtoError> {
    to_json(&compressed(&parts.concat()), 1 << 20).map(|json| serde_json::from_slice(&json).unwrap())
}

#[test]
fn a_document_becomes_what_it_is_in_json() {
    let gate = Spec { default_value: Some(ReturnValue { value: Some(Returned::Bool(false)) }), ..config(6, vec![]) };
    let parts = [
        head(r#"{"experiment_to_layer":{"exp":"lay"},"sdk_flags":{"f":true},"feature_gates":"not here"}"#),
        spec(Kind::FeatureGate, "g\"1", &gate),
        spec(Kind::DynamicConfig, "exp", &config(4, vec![rule(10, Some(0.0)), rule(25, None)])),
        spec(Kind::LayerConfig, "lay", &config(5, vec![])),
        envelope(Kind::ParamStore as i32, "store", Some(br#"{"parameters":{}}"#.to_vec())),
        envelope(99, "from the future", None),
        condition(Any::Json(br#"["@a.b"]"#.as_slice().into()), 14),
        done(),
    ];
    let document = read(&parts).unwrap();
    let json_rule = |percentage: f64| {
        json!({"name": "r", "id": "rule", "passPercentage": percentage, "conditions": ["7"], "idType": "stableID",
            "returnValue": {"a": [1.5]}, "groupName": "Control", "isExperimentGroup": true, "samplingRate": 101})
    };
    let spec = |kind: &str, entity: &str, default: serde_json::Value, rules: serde_json::Value| {
        json!({"type": kind, "entity": entity, "salt": "s", "enabled": true, "defaultValue": default, "rules": rules,
            "idType": "companyID", "version": 3, "isActive": true, "targetAppIDs": ["app"]})
    };
    let expected = json!({
        "has_updates": true, "time": 1_700_000_000_000_u64, "company_id": "co", "response_format": "dcs-v2",
        "checksum": "77", "experiment_to_layer": {"exp": "lay"}, "sdk_flags": {"f": true},
        "feature_gates": {"g\"1": spec("feature_gate", "segment", json!(false), json!([]))},
        "dynamic_configs": {"exp": spec("dynamic_config", "experiment", json!({}), json!([json_rule(0.0), json_rule(25.0)]))},
        "layer_configs": {"lay": spec("dynamic_config", "layer", json!({}), json!([]))},
        "param_stores": {"store": {"parameters": {}}},
        "condition_map": {"7": {"type": "user_field", "idType": "userID", "targetValue": ["@a.b"],
            "operator": "str_ends_with_any", "field": "email", "additionalValues": {"salt": "x"}}},
    });
    assert_eq!(document, expected);
    let ruleset = Ruleset::compile(document.to_string().as_bytes()).unwrap();
    assert_eq!((ruleset.meta().time, ruleset.problems().len()), (1_700_000_000_000, 0), "{:?}", ruleset.problems());
}

#[test]
fn one_bad_part_is_left_out() {
    let odd_rate = Rule { sampling_rate: Some(1.5), ..rule(1, None) };
    let no_value = Rule { return_value: Some(ReturnValue { value: None }), ..rule(1, None) };
    let parts = [
        head(""),
        spec(Kind::FeatureGate, "unknown entity", &config(99, vec![])),
        spec(Kind::FeatureGate, "no entity", &config(0, vec![])),
        spec(Kind::FeatureGate, "odd rate", &config(1, vec![odd_rate])),
        spec(Kind::FeatureGate, "no value", &config(1, vec![no_value])),
        envelope(Kind::FeatureGate as i32, "no content", None),
        envelope(Kind::FeatureGate as i32, "garbage", Some(vec![0xff; 20])),
        envelope(Kind::ParamStore as i32, "no json", Some(b"{".to_vec())),
        condition(Any::Text("x".into()), 99),
        spec(Kind::FeatureGate, "good", &config(1, vec![])),
        done(),
    ];
    let document = read(&parts).unwrap();
    let gates: Vec<&String> = document["feature_gates"].as_object().unwrap().keys().collect();
    assert_eq!(gates, ["good"]);
    assert_eq!((&document["param_stores"], &document["condition_map"]), (&json!({}), &json!({})));
}

#[test]
fn a_document_that_is_not_whole_is_refused() {
    let good = [head(""), spec(Kind::FeatureGate, "g", &config(1, vec![])), done()];
    assert!(read(&good).is_ok());
    assert!(matches!(read(&good[..2]), Err(ProtoError::Cut(2))));
    assert!(matches!(read(&good[1..]), Err(ProtoError::NoHead)));
    assert!(matches!(read(&[envelope(0, "", None), done()]), Err(ProtoError::NoKind { part: 0 })));
    for kind in [Kind::CopyPrev, Kind::Deletions] {
        assert!(matches!(read(&[envelope(kind as i32, "", None), head(""), done()]), Err(ProtoError::NoBase)));
    }
    let bad_head = envelope(Kind::TopLevel as i32, "TOP_LEVEL", Some(vec![0xff]));
    assert!(matches!(read(&[bad_head, done()]), Err(ProtoError::Head(_))));
    assert!(matches!(read(&[vec![0xff; 11]]), Err(ProtoError::Part { part: 0, .. })));
    let whole = compressed(&good.concat());
    assert!(to_json(&whole[..whole.len() / 2], 1 << 20).is_err());
    assert!(matches!(to_json(&compressed(&vec![0; 2_000]), 1_000), Err(ProtoError::TooLarge(1_000))));
    assert_eq!(to_json(br#" {"has_updates":false}"#, 100).unwrap(), br#" {"has_updates":false}"#);
}

#[test]
fn parts_of_every_size_are_read() {
    for size in [0, 1, 4_000, 4_095, 4_096, 4_097, 70_000] {
        let long = Spec { salt: "x".repeat(size), ..config(1, vec![]) };
        let document = read(&[head(""), spec(Kind::FeatureGate, "g", &long), done()]).unwrap();
        assert_eq!(document["feature_gates"]["g"]["salt"].as_str().unwrap().len(), size);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), wrap in any::<bool>()) {
        let document = if wrap { compressed(&bytes) } else { bytes };
        let _ = to_json(&document, 1 << 16);
    }
}

#[tokio::test]
async fn binary_documents_travel_and_are_shared_as_they_came() {
    use std::sync::Arc;
    use std::time::Duration;

    use statsig_core::{
        DataStore, FixedClock, InMemoryDataStore, KeySchema, Snapshot, SnapshotStore, SpecOrigin, StoreFormat,
        StoreKeys, StorePath,
    };
    use statsig_testkit::server::FakeStatsig;

    use crate::sources::DataStoreSpecSource;
    use crate::{
        ClientIdentity, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources, SpecSync, StoreWriter, SyncOptions,
    };

    let server = FakeStatsig::start().unwrap();
    let gate = |name: &str| spec(Kind::FeatureGate, name, &config(1, vec![]));
    let body = compressed(&[head(""), gate("one"), gate("two"), done()].concat());
    server.publish_binary_specs(body.clone(), 1_700_000_000_000);
    let (key, clock) = (SdkKey::new("secret-k"), Arc::new(FixedClock(0)));
    let mut options = NetworkOptions::default();
    options.endpoints.api = Some(server.url());
    let network = Network::new(options, ClientIdentity::new(key.clone()).unwrap(), clock.clone()).unwrap();
    let shared: Arc<dyn DataStore> = Arc::new(InMemoryDataStore::new());
    let mut sources = SpecSources::new().then(Arc::new(network.spec_source()));
    sources.write_back = Some(StoreWriter::new(Arc::clone(&shared), &key, KeySchema::Hashed));
    let start = |sources: SpecSources| {
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let runtime = tokio::runtime::Handle::current();
        (
            SpecSync::new(
                SyncOptions::default(),
                RulesetTarget::new(Arc::clone(&store)),
                sources,
                clock.clone(),
                &runtime,
            ),
            store,
        )
    };
    let gates = |store: &SnapshotStore| -> Vec<String> {
        store.load().ruleset().feature_gate_names().into_iter().map(str::to_owned).collect()
    };

    let (sync, store) = start(sources);
    assert!(sync.initialize().await.is_config_spec_ready);
    assert_eq!(gates(&store), ["one", "two"]);
    assert_eq!(server.requests()[0].query("supports_proto"), Some("true"));

    // From binary to JSON and back: what is absent disappears.
    server.publish_specs(r#"{"has_updates":true,"time":1700000000001,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{}}"#);
    assert!(sync.sync_now().await.updated && gates(&store).is_empty());
    let mut later = SpecsTopLevel { has_updates: true, time: 1_700_000_000_002, ..SpecsTopLevel::default() };
    later.rest = b"{}".as_slice().into();
    let later = envelope(Kind::TopLevel as i32, "TOP_LEVEL", Some(later.encode_to_vec()));
    let last = compressed(&[later, gate("three"), done()].concat());
    // A broken one first: nothing changes.
    server.publish_binary_specs(&last[..last.len() - 9], 1_700_000_000_002);
    assert!(!sync.sync_now().await.updated && gates(&store).is_empty());
    server.publish_binary_specs(last.clone(), 1_700_000_000_002);
    assert!(sync.sync_now().await.updated);
    assert_eq!(gates(&store), ["three"]);

    let name = StoreKeys::new("secret-k").key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed).name;
    while shared.get_bytes(&name).await.unwrap().result.as_ref() != Some(&last) {
        tokio::task::yield_now().await;
    }
    let (beside, store) = start(SpecSources::new().then(Arc::new(DataStoreSpecSource::new(
        shared,
        &key,
        KeySchema::Hashed,
        clock.clone(),
    ))));
    assert!(beside.initialize().await.is_config_spec_ready);
    assert_eq!(gates(&store), ["three"]);
    sync.shutdown(Duration::from_secs(60)).await;
}
