//! A document from another one and the difference.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};
use statsig_core::{
    DataStore, DataStoreError, FixedClock, InMemoryDataStore, KeySchema, PayloadFormat, Snapshot, SnapshotStore,
    SpecOrigin, SpecUpdate, StoreFormat, StoreKeys, StorePath, StoreResponse,
};
use statsig_testkit::server::FakeStatsig;

use super::asked_for::{Answer, Answering};
use super::*;
use crate::proto::{Decoded, decode};
use crate::sources::LastKnownGood;
use crate::sync::SpecsListener;
use crate::{
    ClientIdentity, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources, SpecSync, StoreWriter, SyncOptions,
};

pub(super) const TIME: u64 = 1_700_000_000_000;

/// A project as its server has it: gates by name, each with a checksum and a salt.
pub(super) type Gates = BTreeMap<&'static str, (u32, &'static str)>;

pub(super) fn gates(list: &[(&'static str, u32, &'static str)]) -> Gates {
    list.iter().map(|(name, checksum, salt)| (*name, (*checksum, *salt))).collect()
}

pub(super) fn gate(name: &str, (checksum, salt): (u32, &str), with_data: bool) -> Vec<u8> {
    let spec = Spec { salt: salt.into(), ..config(1, vec![]) };
    let message = SpecsEnvelope {
        kind: Kind::FeatureGate as i32,
        name: name.into(),
        checksum: checksum.to_string(),
        data: with_data.then(|| spec.encode_to_vec().into()),
    };
    message.encode_length_delimited_to_vec()
}

pub(super) fn top(time: u64, rest: &Value) -> Vec<u8> {
    let message = SpecsTopLevel {
        has_updates: true,
        time,
        response_format: "dcs-v2".into(),
        checksum: format!("as of {time}"),
        rest: rest.to_string().into_bytes().into(),
        ..SpecsTopLevel::default()
    };
    envelope(Kind::TopLevel as i32, "TOP_LEVEL", Some(message.encode_to_vec()))
}

pub(super) fn copy() -> Vec<u8> {
    envelope(Kind::CopyPrev as i32, "", None)
}

fn delete(names: RulesetsResponseDeletions) -> Vec<u8> {
    envelope(Kind::Deletions as i32, "", Some(names.encode_to_vec()))
}

/// What the server has when all is done.
pub(super) fn sums(gates: &Gates) -> Vec<u8> {
    let mut field_checksums: HashMap<String, u64> =
        ["condition_map", "dynamic_configs", "layer_configs", "param_stores"].map(|name| (name.to_owned(), 0)).into();
    let sum = gates.values().map(|(checksum, _)| u64::from(*checksum)).sum();
    field_checksums.insert("feature_gates".into(), sum);
    envelope(Kind::Checksums as i32, "", Some(RulesetsChecksums { field_checksums }.encode_to_vec()))
}

pub(super) fn whole(time: u64, all: &Gates) -> Vec<u8> {
    let mut parts = vec![top(time, &json!({}))];
    parts.extend(all.iter().map(|(name, gate_of)| gate(name, *gate_of, true)));
    compressed(&[parts.concat(), done()].concat())
}

/// The difference to a project from one in which some gates were others.
pub(super) fn difference(time: u64, changed: &[&'static str], deleted: &[&str], all: &Gates) -> Vec<u8> {
    let names = RulesetsResponseDeletions {
        feature_gates: deleted.iter().map(|name| (*name).to_owned()).collect(),
        ..RulesetsResponseDeletions::default()
    };
    let mut parts = vec![copy(), top(time, &json!({}))];
    parts.extend(changed.iter().map(|name| gate(name, all[name], true)));
    compressed(&[parts.concat(), delete(names), sums(all), done()].concat())
}

fn value(decoded: &Decoded) -> Value {
    serde_json::from_slice(&decoded.json).unwrap()
}

#[test]
fn copied_changed_and_deleted_it_is_what_the_whole_would_be() {
    let before = gates(&[("kept", 1, "a"), ("changed", 2, "b"), ("gone", 3, "c")]);
    let after = gates(&[("kept", 1, "a"), ("changed", 20, "B"), ("new", 4, "d")]);
    let held = decode(&whole(TIME, &before), 1 << 20, None).unwrap();
    assert!(!held.is_delta);
    let delta = difference(TIME + 1, &["changed", "new"], &["gone"], &after);
    let led_to = decode(&delta, 1 << 20, held.parts.as_ref()).unwrap();
    assert!(led_to.is_delta);
    assert_eq!(value(&led_to), value(&decode(&whole(TIME + 1, &after), 1 << 20, None).unwrap()));
    // What came of it is as good a base as any.
    let last = gates(&[("changed", 20, "B")]);
    let next = difference(TIME + 2, &[], &["kept", "new"], &last);
    let next = decode(&next, 1 << 20, led_to.parts.as_ref()).unwrap();
    assert_eq!(value(&next), value(&decode(&whole(TIME + 2, &last), 1 << 20, None).unwrap()));
}

#[test]
fn tables_of_the_head_are_changed_by_entry_and_the_rest_is_replaced() {
    let before = json!({
        "experiment_to_layer": {"a": "x", "b": "x"}, "overrides": {"o": []}, "sdk_configs": {"n": 1, "m": 2},
        "id_lists": {"one": true}, "app_id": "app",
    });
    let held = decode(&compressed(&[top(TIME, &before), done()].concat()), 1 << 20, None).unwrap();
    let sent = json!({"experiment_to_layer": {"b": "y", "c": "y"}, "sdk_configs": {"n": 3}, "id_lists": {"two": true}});
    let names = RulesetsResponseDeletions {
        experiment_to_layer: vec!["a".into()],
        sdk_configs: vec!["m".into(), "n".into()],
        overrides: vec!["o".into()],
        ..RulesetsResponseDeletions::default()
    };
    let parts = [copy(), top(TIME + 1, &sent), delete(names), sums(&Gates::new()), done()].concat();
    let led_to = value(&decode(&compressed(&parts), 1 << 20, held.parts.as_ref()).unwrap());
    let expected = json!({
        "has_updates": true, "time": TIME + 1, "response_format": "dcs-v2", "checksum": format!("as of {}", TIME + 1),
        "experiment_to_layer": {"b": "y", "c": "y"}, "overrides": {}, "sdk_configs": {"n": 3},
        "id_lists": {"two": true}, "app_id": "app",
        "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {}, "condition_map": {}, "param_stores": {},
    });
    assert_eq!(led_to, expected);
}

#[test]
fn one_that_does_not_fit_is_refused() {
    let all = gates(&[("one", 1, "a")]);
    let held = decode(&whole(TIME, &all), 1 << 20, None).unwrap().parts;
    let misfit = |document: &[u8], held| decode(document, 1 << 20, held).unwrap_err();
    let delta = difference(TIME + 1, &[], &[], &all);
    assert!(matches!(misfit(&delta, None), ProtoError::NoBase));
    let other = gates(&[("one", 1, "a"), ("two", 2, "b")]);
    let delta = difference(TIME + 1, &[], &[], &other);
    let error = misfit(&delta, held.as_ref());
    assert!(matches!(error, ProtoError::Checksum("feature_gates")) && error.is_about_difference());
    // A sum that is not told is not one that is right.
    let untold = envelope(Kind::Checksums as i32, "", Some(RulesetsChecksums::default().encode_to_vec()));
    let parts = compressed(&[copy(), top(TIME + 1, &json!({})), untold, done()].concat());
    assert!(matches!(misfit(&parts, held.as_ref()), ProtoError::Checksum(_)));
    let none = compressed(&[copy(), top(TIME + 1, &json!({})), done()].concat());
    assert!(matches!(misfit(&none, held.as_ref()), ProtoError::Checksum(_)));
    for (kind, data) in [(Kind::Deletions, vec![0xff]), (Kind::Checksums, vec![0xff])] {
        let parts = compressed(&[copy(), envelope(kind as i32, "", Some(data)), done()].concat());
        assert!(matches!(misfit(&parts, held.as_ref()), ProtoError::Part { part: 1, .. }));
    }
}

#[test]
fn what_is_held_with_the_same_checksum_need_not_be_sent_again() {
    let all = gates(&[("one", 1, "a"), ("two", 2, "b")]);
    let held = decode(&whole(TIME, &all), 1 << 20, None).unwrap().parts;
    let document = |sums| {
        let bare = [top(TIME + 1, &json!({})), gate("one", (1, "?"), false), gate("two", (3, "?"), false)];
        compressed(&[bare.concat(), sums, done()].concat())
    };
    let led_to = decode(&document(Vec::new()), 1 << 20, held.as_ref()).unwrap();
    assert_eq!(value(&led_to)["feature_gates"].as_object().unwrap().len(), 1, "the other has no content");
    assert_eq!(value(&led_to)["feature_gates"]["one"]["salt"], "a");
    // What cannot be read counts in the sum all the same: the server has it.
    let sums = sums(&gates(&[("one", 1, ""), ("two", 3, "")]));
    assert!(decode(&document(sums), 1 << 20, held.as_ref()).is_ok());
}

#[test]
fn differences_do_not_add_up_beyond_the_limit() {
    let mut held = decode(&whole(TIME, &Gates::new()), 1 << 20, None).unwrap().parts;
    let result = (0..100).find_map(|number| {
        let long = Spec { salt: "x".repeat(1_000), ..config(1, vec![]) };
        let name = format!("gate {number}");
        let parts =
            [copy(), top(TIME + 1, &json!({})), spec(Kind::FeatureGate, &name, &long), sums(&Gates::new()), done()];
        match decode(&compressed(&parts.concat()), 20_000, held.as_ref()) {
            Ok(decoded) => {
                held = decoded.parts;
                None
            }
            Err(error) => Some(error),
        }
    });
    assert!(matches!(result, Some(ProtoError::TooLarge(20_000))), "{result:?}");
}

/// A client of a server, and what its listener was told.
struct Client {
    sync: SpecSync,
    store: Arc<SnapshotStore>,
    told: Arc<Mutex<Vec<Arc<SpecUpdate>>>>,
}

impl Client {
    fn start(
        server: &FakeStatsig,
        clock: &Arc<FixedClock>,
        and: impl FnOnce(&mut SyncOptions, &mut SpecSources),
    ) -> Self {
        let mut options = NetworkOptions::default();
        options.endpoints.api = Some(server.url());
        let identity = ClientIdentity::new(SdkKey::new("secret-k")).unwrap();
        let network = Network::new(options, identity, clock.clone()).unwrap();
        let mut sources = SpecSources::new().then(Arc::new(network.spec_source()));
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener: SpecsListener = {
            let told = Arc::clone(&told);
            Arc::new(move |updated| {
                told.lock().unwrap().push(Arc::clone(&updated.update));
            })
        };
        let mut options = SyncOptions { deltas: true, on_update: Some(listener), ..SyncOptions::default() };
        and(&mut options, &mut sources);
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let runtime = tokio::runtime::Handle::current();
        let sync = SpecSync::new(options, RulesetTarget::new(Arc::clone(&store)), sources, clock.clone(), &runtime);
        // It asks when the test says so.
        sync.pause_polling();
        Self { sync, store, told }
    }

    fn gates(&self) -> Vec<String> {
        self.store.load().ruleset().feature_gate_names().into_iter().map(str::to_owned).collect()
    }
}

/// Whether the last question was for a difference, and since when.
fn asked(server: &FakeStatsig) -> (bool, Option<u64>) {
    let requests = server.requests();
    let last = requests.last().unwrap();
    (last.query("accept_deltas") == Some("true"), last.query("sinceTime").map(|time| time.parse().unwrap()))
}

#[tokio::test]
async fn a_client_follows_by_differences_and_falls_back_to_whole_documents() {
    let (server, clock) = (FakeStatsig::start().unwrap(), Arc::new(FixedClock(0)));
    let folder = tempfile::tempdir().unwrap();
    let key = SdkKey::new("secret-k");
    let kept = LastKnownGood::new(folder.path(), &key);
    let mut all = gates(&[("one", 1, "a"), ("two", 2, "b")]);
    server.publish_binary_specs(whole(TIME, &all), TIME);
    let client = Client::start(&server, &clock, |_, sources| sources.last_known_good = Some(kept.clone()));
    assert!(client.sync.initialize().await.is_config_spec_ready);
    assert_eq!(asked(&server), (false, None), "nothing is held");

    all.insert("three", (3, "c"));
    server.publish_binary_specs(whole(TIME + 1, &all), TIME + 1);
    server.publish_specs_delta(difference(TIME + 1, &["three"], &[], &all), TIME);
    assert!(client.sync.sync_now().await.updated);
    assert_eq!(asked(&server), (true, Some(TIME)));
    assert_eq!(client.gates(), ["one", "three", "two"]);
    let update = client.told.lock().unwrap().last().cloned().unwrap();
    let told: Value = serde_json::from_slice(&update.payload).unwrap();
    assert_eq!((update.format, &told["time"]), (PayloadFormat::Json, &json!(TIME + 1)), "listeners get the whole");

    // One that does not fit changes nothing; the next question is for the whole, those after for differences.
    all.insert("four", (4, "d"));
    server.publish_binary_specs(whole(TIME + 2, &all), TIME + 2);
    server.publish_specs_delta(difference(TIME + 2, &[], &[], &all), TIME + 1);
    let report = client.sync.sync_now().await;
    assert!(!report.updated && !report.success);
    assert_eq!(client.gates(), ["one", "three", "two"]);
    assert!(client.sync.sync_now().await.updated);
    assert_eq!(asked(&server), (false, Some(TIME + 1)));
    assert_eq!(client.gates(), ["four", "one", "three", "two"]);
    client.sync.sync_now().await;
    assert_eq!(asked(&server), (true, Some(TIME + 2)));
    client.sync.shutdown(Duration::from_secs(60)).await;

    // What is kept for the next start is whole.
    let client = Client::start(&server, &clock, |_, sources| {
        *sources = SpecSources::default();
        sources.last_known_good = Some(kept);
    });
    assert!(client.sync.initialize().await.is_config_spec_ready);
    assert_eq!(client.gates(), ["four", "one", "three", "two"]);
}

#[tokio::test]
async fn differences_are_for_those_who_want_them_and_share_nothing() {
    let clock = Arc::new(FixedClock(0));
    let all = gates(&[("one", 1, "a")]);
    let shared: Arc<dyn DataStore> = Arc::new(InMemoryDataStore::new());
    let writer = StoreWriter::new(Arc::clone(&shared), &SdkKey::new("secret-k"), KeySchema::Hashed);
    for (deltas, writes) in [(false, false), (true, true)] {
        let server = FakeStatsig::start().unwrap();
        server.publish_binary_specs(whole(TIME, &all), TIME);
        let client = Client::start(&server, &clock, |options, sources| {
            options.deltas = deltas;
            sources.write_back = writes.then(|| writer.clone());
        });
        client.sync.initialize().await;
        let next = whole(TIME + 1, &all);
        server.publish_binary_specs(next.clone(), TIME + 1);
        server.publish_specs_delta(difference(TIME + 1, &[], &[], &all), TIME);
        assert!(client.sync.sync_now().await.updated);
        assert_eq!(asked(&server), (false, Some(TIME)));
        let keys = StoreKeys::new("secret-k");
        let name = keys.key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed).name;
        while writes && shared.get_bytes(&name).await.unwrap().result.as_ref() != Some(&next) {
            tokio::task::yield_now().await;
        }
        client.sync.shutdown(Duration::from_secs(60)).await;
    }
}

/// An empty store that counts what is written.
#[derive(Default)]
struct Written(std::sync::atomic::AtomicU32);

#[async_trait::async_trait]
impl DataStore for Written {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), DataStoreError> {
        Ok(())
    }

    async fn get(&self, _: &str) -> Result<StoreResponse<String>, DataStoreError> {
        Ok(StoreResponse::new(None))
    }

    async fn set(&self, _: &str, _: &str, _: Option<u64>) -> Result<(), DataStoreError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    async fn set_bytes(&self, _: &str, _: &[u8], _: Option<u64>) -> Result<(), DataStoreError> {
        self.set("", "", None).await
    }

    async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
        false
    }
}

#[tokio::test]
async fn what_is_called_a_difference_is_never_stored() {
    let clock = Arc::new(FixedClock(0));
    let all = gates(&[("one", 1, "a")]);
    for (document, called_so, is_ready, writes) in [
        (difference(TIME, &["one"], &[], &all), true, false, 0),
        (whole(TIME, &all), true, true, 0),
        (whole(TIME, &all), false, true, 1),
    ] {
        let shared = Arc::new(Written::default());
        let mut sources =
            SpecSources::new().then(Arc::new(Answering::with(move |_, _| Answer::now(document.clone(), called_so))));
        sources.write_back = Some(StoreWriter::new(shared.clone(), &SdkKey::new("secret-k"), KeySchema::Hashed));
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let runtime = tokio::runtime::Handle::current();
        let sync = SpecSync::new(SyncOptions::default(), RulesetTarget::new(store), sources, clock.clone(), &runtime);
        assert_eq!(sync.initialize().await.is_config_spec_ready, is_ready);
        sync.shutdown(Duration::from_secs(60)).await;
        assert_eq!(shared.0.load(std::sync::atomic::Ordering::Relaxed), writes);
    }
}

#[test]
fn what_had_no_content_is_read_when_it_has() {
    let all = gates(&[("one", 1, "a"), ("two", 2, "b")]);
    let held = decode(&whole(TIME, &all), 1 << 20, None).unwrap().parts;
    let after = gates(&[("one", 1, "a"), ("two", 3, "c")]);
    // A server that takes it for granted that we have what it leaves out is mistaken.
    let parts = [copy(), top(TIME + 1, &json!({})), gate("two", (3, "?"), false), sums(&after), done()];
    let error = decode(&compressed(&parts.concat()), 1 << 20, held.as_ref()).unwrap_err();
    assert!(matches!(error, ProtoError::NoBase));
    // One that sends what cannot be read is not, and nobody keeps that for ever.
    let unreadable = SpecsEnvelope {
        kind: Kind::FeatureGate as i32,
        name: "two".into(),
        checksum: "3".into(),
        data: Some(vec![0xff].into()),
    };
    let parts = [copy(), top(TIME + 1, &json!({})), unreadable.encode_length_delimited_to_vec(), sums(&after), done()];
    let led_to = decode(&compressed(&parts.concat()), 1 << 20, held.as_ref()).unwrap();
    assert_eq!(value(&led_to)["feature_gates"].as_object().unwrap().len(), 1);
    let then = decode(&whole(TIME + 2, &after), 1 << 20, led_to.parts.as_ref()).unwrap();
    assert_eq!(value(&then)["feature_gates"]["two"]["salt"], "c");
}
