use serde::Deserialize;
use serde_json::{Value, json};

use super::{Json, JsonRef};

fn packed(value: &Value) -> Json {
    Json::from(value.clone())
}

#[test]
fn every_kind_survives_a_round_trip() {
    let value = json!({
        "n": null, "t": true, "f": false, "u": u64::MAX, "i": i64::MIN, "m": -1, "z": 0,
        "x": 1.5, "w": 1.0, "s": "ünï\n\"", "e": "", "a": [1, [2, []], {"k": {}}],
    });
    assert_eq!(packed(&value).view().to_json(), value);
    assert_eq!(serde_json::to_value(packed(&value).view()).unwrap(), value);
}

#[test]
fn number_kinds_are_kept_apart() {
    let json = Json::parse("[1, 1.0, -5, 18446744073709551615]").unwrap();
    let items: Vec<JsonRef<'_>> = json.view().as_array().unwrap().collect();
    assert_eq!(
        (items[0].as_i64(), items[1].as_i64(), items[2].as_i64(), items[3].as_i64()),
        (Some(1), None, Some(-5), None)
    );
    assert_eq!((items[1].as_f64(), items[3].as_u64()), (Some(1.0), Some(u64::MAX)));
}

#[test]
fn large_objects_are_found_by_key() {
    let value: Value =
        (0..1000).map(|i| (format!("key{i}"), json!({"i": i}))).collect::<serde_json::Map<_, _>>().into();
    let json = packed(&value);
    for i in 0..1000 {
        assert_eq!(json.view().get(&format!("key{i}")).unwrap().get("i").unwrap().as_i64(), Some(i));
    }
    assert!(json.view().get("key1000").is_none());
    assert_eq!(json.view().to_json(), value);
}

#[test]
fn the_last_of_duplicate_keys_counts() {
    let json = Json::parse(r#"{"a":1,"b":[1,2],"a":{"x":2}}"#).unwrap();
    assert_eq!(json.view().to_json(), json!({"a": {"x": 2}, "b": [1, 2]}));
    let many: String = (0..40).map(|i| format!("\"k{}\":{i},", i % 20)).collect();
    let json = Json::parse(&format!("{{{}}}", many.trim_end_matches(','))).unwrap();
    assert_eq!(json.view().as_object().unwrap().count(), 20);
    assert_eq!(json.view().get("k3").unwrap().as_i64(), Some(23));
}

#[test]
fn deserializes_into_structs_and_enums() {
    #[derive(Deserialize, Debug, PartialEq)]
    enum Shape {
        Dot,
        Circle { radius: f64 },
        Pair(u8, u8),
        Label(String),
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct Everything<'a> {
        name: &'a str,
        maybe: Option<u32>,
        nothing: Option<u32>,
        shapes: Vec<Shape>,
    }
    let json = packed(&json!({
        "name": "n", "maybe": 3, "nothing": null,
        "shapes": ["Dot", {"Circle": {"radius": 2}}, {"Pair": [1, 2]}, {"Label": "x"}],
    }));
    let everything: Everything<'_> = json.view().deserialize().unwrap();
    assert_eq!(
        everything,
        Everything {
            name: "n",
            maybe: Some(3),
            nothing: None,
            shapes: vec![Shape::Dot, Shape::Circle { radius: 2.0 }, Shape::Pair(1, 2), Shape::Label("x".into())],
        }
    );
    assert!(json.view().deserialize::<Vec<u8>>().is_err());
}

#[test]
fn deep_nesting_is_an_error_not_an_overflow() {
    let text = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(Json::parse(&text).is_err());
}
