//! Packed JSON: what goes in comes out.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};
use statsig_core::{Json, JsonRef};

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("JSON has no such number", Number::from_f64),
        prop::sample::select(vec![0.0, -0.0, 1.0, 0.1, 5e-324, f64::MAX, f64::MIN_POSITIVE])
            .prop_filter_map("all of them are numbers", Number::from_f64),
    ]
}

/// Any value; some of its objects have more members than are searched one by one.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("long".repeat(100))),
    ];
    leaf.prop_recursive(5, 128, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-f]{0,3}", inner.clone()), 0..6).prop_map(object),
            prop::collection::vec(("[a-z]{0,2}", inner), 12..40).prop_map(object),
        ]
    })
}

fn leaf_or_list() -> impl Strategy<Value = Value> {
    prop_oneof![number().prop_map(Value::Number), "[a-z]{0,9}".prop_map(|text| json!([text])), Just(json!({}))]
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

/// Reads a view through its accessors alone.
fn read(view: JsonRef<'_>) -> Value {
    if let Some(items) = view.as_array() {
        return items.map(read).collect();
    }
    if let Some(members) = view.as_object() {
        return Value::Object(members.map(|(key, value)| (key.to_owned(), read(value))).collect());
    }
    if let Some(text) = view.as_str() {
        return text.into();
    }
    match (view.as_bool(), view.as_u64(), view.as_i64(), view.as_f64()) {
        (Some(value), ..) => value.into(),
        (_, Some(value), ..) => value.into(),
        (_, _, Some(value), _) => value.into(),
        (.., Some(value)) => value.into(),
        _ => Value::Null,
    }
}

/// Every member of every object is found by its key, and no other.
fn assert_members_are_found(view: JsonRef<'_>) {
    for item in view.as_array().into_iter().flatten() {
        assert_members_are_found(item);
    }
    for (key, value) in view.as_object().into_iter().flatten() {
        assert_eq!(view.get(key), Some(value), "{key}");
        assert_eq!(view.get(&format!("{key}~")), None);
        assert_members_are_found(value);
    }
}

proptest! {
    #[test]
    fn a_packed_value_is_the_value(value in value()) {
        let packed = Json::from(value.clone());
        prop_assert_eq!(&read(packed.view()), &value);
        prop_assert_eq!(&serde_json::to_value(&packed).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_value::<Value>(serde_json::to_value(packed.view()).unwrap()).unwrap(), &value);
        prop_assert_eq!(packed.view().to_string(), value.to_string());
        prop_assert_eq!(&Json::parse(&value.to_string()).unwrap(), &packed);
        prop_assert_eq!(&Json::from_serialize(&value).unwrap(), &packed);
        assert_members_are_found(packed.view());
    }

    #[test]
    fn of_duplicate_keys_the_last_counts(members in prop::collection::vec(("[a-d]{1,2}", leaf_or_list()), 0..60)) {
        let text: Vec<String> =
            members.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
        let text = format!("{{{}}}", text.join(","));
        let packed = Json::parse(&text).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let read = read(packed.view());
        prop_assert_eq!(&read, &expected);
        prop_assert_eq!(packed.view().as_object().unwrap().count(), expected.as_object().unwrap().len());
        assert_members_are_found(packed.view());
    }

    #[test]
    fn any_text_is_packed_exactly_when_it_is_json(text in "[\\[\\]{}:,\"a0-9.eE+\\\\ -]{0,24}") {
        let expected = serde_json::from_str::<Value>(&text);
        match Json::parse(&text) {
            Ok(packed) => prop_assert_eq!(read(packed.view()), expected.unwrap()),
            Err(_) => prop_assert!(expected.is_err()),
        }
    }
}
