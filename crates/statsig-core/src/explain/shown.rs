//! Values in an explanation: whole if they are short, else their beginning.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::{JsonKind, JsonRef};
use crate::value::Attribute;

/// Longest text that is shown whole, in characters.
const TEXT: usize = 120;
/// Items of a list that are shown.
const ITEMS: usize = 5;
/// Largest packed value that is shown whole, in bytes.
const PACKED: usize = 400;
/// Stands for what is left out.
const MORE: char = '…';

/// A value as an explanation shows it, at most some hundred bytes of it.
///
/// In JSON either `{"value": …}` or `{"items": […], "total": …}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Shown {
    /// A single value. A text of more than 120 characters is cut and ends in `…`.
    Value {
        /// The value.
        value: Value,
    },
    /// A list, or a large object as a list of objects with one member each.
    List {
        /// The first few items.
        items: Vec<Value>,
        /// How many items there are.
        total: usize,
    },
}

impl Shown {
    pub(super) fn value(value: impl Into<Value>) -> Self {
        Self::Value { value: value.into() }
    }

    /// A number without needless fraction: `10`, not `10.0`.
    pub(super) fn number(number: f64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // guarded by the range
        let value: Value =
            if number.fract() == 0.0 && number.abs() < 9e15 { (number as i64).into() } else { number.into() };
        // Infinite and undefined numbers have no JSON.
        Self::value(if value.is_null() { number.to_string().into() } else { value })
    }

    /// A list of `total` items, of which at most the first few are taken.
    pub(super) fn list(items: impl Iterator<Item = String>, total: usize) -> Self {
        Self::List { items: items.take(ITEMS).map(Value::from).collect(), total }
    }

    pub(super) fn attribute(attribute: &Attribute) -> Self {
        match attribute {
            Attribute::String(text) => Self::value(cut(text)),
            Attribute::Array(array) => {
                Self::List { items: array.json.iter().take(ITEMS).map(part).collect(), total: array.json.len() }
            }
            Attribute::Object(object) => Self::object(object),
            other => Self::value(other.to_json()),
        }
    }

    fn object(object: &Map<String, Value>) -> Self {
        if object.len() <= ITEMS && object.values().all(is_scalar) {
            let members = object.iter().map(|(name, value)| (cut(name), part(value)));
            return Self::value(Value::Object(members.collect()));
        }
        let items = object.iter().take(ITEMS).map(|(name, value)| member(name, part(value))).collect();
        Self::List { items, total: object.len() }
    }

    /// A config value.
    pub(super) fn packed(value: JsonRef<'_>) -> Self {
        if value.packed_len() <= PACKED {
            return Self::value(value.to_json());
        }
        match value.as_object() {
            Some(members) => {
                let items = members.take(ITEMS).map(|(name, value)| member(name, packed_part(value)));
                Self::List { items: items.collect(), total: members.count() }
            }
            None => Self::value(packed_part(value)),
        }
    }
}

fn member(name: &str, value: Value) -> Value {
    Value::Object([(cut(name), value)].into_iter().collect())
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// An item of something larger: only scalars are looked into.
fn part(value: &Value) -> Value {
    match value {
        Value::String(text) => cut(text).into(),
        Value::Array(items) => format!("[{MORE} {} items]", items.len()).into(),
        Value::Object(members) => format!("{{{MORE} {} members}}", members.len()).into(),
        scalar => scalar.clone(),
    }
}

fn packed_part(value: JsonRef<'_>) -> Value {
    match value.kind() {
        JsonKind::String => cut(value.as_str().unwrap_or_default()).into(),
        _ if value.packed_len() <= PACKED => value.to_json(),
        _ => MORE.to_string().into(),
    }
}

/// The text, or its first 120 characters and `…`.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}{MORE}", &text[..end]),
        None => text.to_owned(),
    }
}
