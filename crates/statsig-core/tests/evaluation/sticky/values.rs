//! The JSON form of what is kept.

use serde_json::{Value, json};
use statsig_core::{StatsigUser, StickyValues, UserPersistedValues, storage_key};

fn full() -> Value {
    json!({
        "value": true, "json_value": {"a": [1, 1.5, -1, "x", null]}, "rule_id": "r", "group_name": "G",
        "secondary_exposures": [{"gate": "g", "gateValue": "true", "ruleID": "gr"}, {"gate": "h", "gateValue": "false", "ruleID": ""}],
        "undelegated_secondary_exposures": [], "config_delegate": "d", "explicit_parameters": ["a"],
        "time": 1_700_000_000_000_u64, "config_version": 7
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut values = full();
    values[key] = value;
    values
}

fn read(value: Value) -> Option<StickyValues> {
    serde_json::from_value(value).ok()
}

#[test]
fn all_keys_are_written_and_read_back() {
    let values = read(full()).unwrap();
    assert_eq!(serde_json::to_value(&values).unwrap(), full());
    assert!(values.secondary_exposures[0].value && !values.secondary_exposures[1].value);
    let empty = StickyValues::default();
    let written = serde_json::to_value(&empty).unwrap();
    assert_eq!(
        written,
        json!({
            "value": false, "json_value": null, "rule_id": "", "group_name": null, "secondary_exposures": [],
            "undelegated_secondary_exposures": null, "config_delegate": null, "explicit_parameters": null, "time": null,
            "config_version": null
        })
    );
    assert_eq!(read(written).unwrap(), empty);
}

#[test]
fn keys_may_be_null_missing_or_unknown() {
    for key in full().as_object().unwrap().keys().filter(|key| *key != "value") {
        let mut missing = full();
        missing.as_object_mut().unwrap().remove(key);
        let (missing, null) = (read(missing), read(with(key, Value::Null)));
        assert!(missing.is_some() && missing == null, "{key}");
        assert_ne!(missing, read(full()), "{key}");
    }
    assert_eq!(read(with("more", json!(1))), read(full()));
    assert_eq!(read(with("value", Value::Null)), None);
    assert_eq!(read(json!({})), None);
}

#[test]
fn any_time_can_be_read() {
    for (time, expected) in [
        (json!(0), Some(0)),
        (json!(u64::MAX), Some(u64::MAX)),
        (json!(1_700_000_000_000.9), Some(1_700_000_000_000)),
        (json!(-5), None),
        (json!(-0.5), None),
        (json!(1e300), None),
        (json!("1700000000000"), None),
        (json!(true), None),
        (json!([1]), None),
    ] {
        assert_eq!(read(with("time", time.clone())).unwrap().time, expected, "{time}");
    }
}

#[test]
fn what_is_no_assignment_is_left_out_of_the_map() {
    for (key, value) in [
        ("value", json!(1)),
        ("json_value", json!([1])),
        ("json_value", json!("x")),
        ("rule_id", json!(5)),
        ("group_name", json!(3)),
        ("secondary_exposures", json!([{"gate": "g"}])),
        ("secondary_exposures", json!([{"gate": "g", "gateValue": true, "ruleID": "r"}])),
        ("explicit_parameters", json!([1])),
        ("config_delegate", json!(3)),
        ("config_version", json!(-1)),
        ("config_version", json!(1.5)),
    ] {
        let odd = with(key, value);
        assert_eq!(read(odd.clone()), None, "{odd}");
        let map = json!({"a": full(), "b": odd, "c": 3, "d": null});
        let values: UserPersistedValues = serde_json::from_value(map).unwrap();
        assert_eq!(values.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a"]);
        assert_eq!(serde_json::to_value(&values).unwrap(), json!({"a": full()}));
    }
    assert!(serde_json::from_value::<UserPersistedValues>(json!([])).is_err());
}

#[test]
fn maps_insert_replace_and_remove() {
    let mut values = UserPersistedValues::new();
    assert!(values.is_empty() && !values.remove("a"));
    values.insert("b", StickyValues::default());
    values.insert("a", StickyValues::default());
    let before = values.clone();
    values.insert("a", read(full()).unwrap());
    assert_eq!((values.len(), values.get("a")), (2, read(full()).as_ref()));
    assert_eq!(before.get("a"), Some(&StickyValues::default()), "clones keep what they had");
    assert!(values.remove("a") && values.get("a").is_none());
    assert_eq!(values.len(), 1);
}

#[test]
fn the_user_id_has_one_id_type_however_it_is_written() {
    let user = StatsigUser::builder().user_id("u").custom_id("companyID", 1.5).build();
    for (id_type, expected) in [
        ("userID", Some("u:userID")),
        ("userid", Some("u:userID")),
        ("companyID", Some("1.5:companyID")),
        ("user_id", None),
        ("", None),
    ] {
        assert_eq!(storage_key(&user, id_type).as_deref(), expected, "{id_type}");
    }
}
