//! A JSON value of a user, and its facets.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::json_text::json_text;
use super::text_buffer::TextBuffer;
use super::timestamp::parse_user_time;

/// A value that a user carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above the range of `i64`.
    Big(u64),
    Float(f64),
    String(SmolStr),
    Array(Arc<ArrayAttribute>),
    Object(Arc<Map<String, Value>>),
}

/// An array with the texts that operators compare, made when the user is built.
#[derive(Debug, PartialEq)]
pub(crate) struct ArrayAttribute {
    pub(crate) json: Vec<Value>,
    /// Compact JSON.
    pub(crate) text: Box<str>,
    /// Text of each item; `None` for `null` and objects.
    pub(crate) items: Box<[Option<SmolStr>]>,
}

/// 2^53: integers up to here are exact as `f64`, so that their own digits are the float's too.
const EXACT: u64 = 1 << 53;

/// Memory of a JSON value without what it points to, with the allocator's overhead.
const VALUE_BYTES: usize = 64;

fn json_bytes(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(json_bytes).sum(),
            Value::Object(object) => object.iter().map(|(name, value)| name.len() + json_bytes(value)).sum(),
            _ => 0,
        }
}

/// Parses a float as operators do: whole text, no blanks, `e` notation, `inf`, `nan`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

impl Attribute {
    /// The text facet; numbers are written into `buffer`.
    #[inline]
    pub(crate) fn text<'a>(&'a self, buffer: &'a mut TextBuffer) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text),
            Self::Bool(value) => Some(if *value { "true" } else { "false" }),
            Self::Int(value) if value.unsigned_abs() <= EXACT => Some(buffer.integer(*value)),
            Self::Int(_) | Self::Big(_) | Self::Float(_) => self.float().map(|value| buffer.float(value)),
            Self::Array(array) => Some(&array.text),
            Self::Null | Self::Object(_) => None,
        }
    }

    /// Memory behind it in bytes; of structured values an estimate from above.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::String(text) if text.is_heap_allocated() => text.len(),
            Self::Array(array) => array.text.len() * 2 + array.json.len() * VALUE_BYTES,
            Self::Object(object) => object.iter().map(|(name, value)| name.len() + json_bytes(value)).sum(),
            _ => 0,
        }
    }

    /// Whether there is a text facet and it is not empty.
    pub(crate) fn has_text(&self) -> bool {
        match self {
            Self::String(text) => !text.is_empty(),
            Self::Null | Self::Object(_) => false,
            _ => true,
        }
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)] // as the protocol has it
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Big(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::String(text) => parse_float(text),
            _ => None,
        }
    }

    /// The integer facet: the number itself, or the float where casting there and back keeps it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_cmp)]
    pub(crate) fn int(&self) -> Option<i64> {
        let exact = |float: f64| {
            let int = float as i64;
            (int as f64 == float).then_some(int)
        };
        match self {
            Self::Int(value) => Some(*value),
            Self::Big(value) => exact(*value as f64),
            Self::Float(value) => exact(*value),
            Self::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Milliseconds since 1970, of strings only.
    pub(crate) fn time(&self) -> Option<i64> {
        match self {
            Self::String(text) => parse_user_time(text),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Big(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::String(text) => text.as_str().into(),
            Self::Array(array) => array.json.clone().into(),
            Self::Object(object) => Value::Object(Map::clone(object)),
        }
    }
}

impl Serialize for Attribute {
    /// As [`Self::to_json`], without the copy.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Big(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(array) => array.json.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl From<Value> for Attribute {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), _, _) => Self::Int(value),
                (_, Some(value), _) => Self::Big(value),
                (_, _, Some(value)) => Self::Float(value),
                _ => Self::Null,
            },
            Value::String(text) => Self::String(text.into()),
            Value::Array(_) => {
                let text = json_text(&value).into_boxed_str();
                let Value::Array(json) = value else { return Self::Null };
                let items = json.iter().map(item_text).collect();
                Self::Array(Arc::new(ArrayAttribute { json, text, items }))
            }
            Value::Object(object) => Self::Object(Arc::new(object)),
        }
    }
}

/// The text of an array's item: that of an attribute of its own.
fn item_text(item: &Value) -> Option<SmolStr> {
    match item {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(text.into()),
        Value::Array(_) => Some(json_text(item).into()),
        other => Attribute::from(other.clone()).text(&mut TextBuffer::new()).map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: Value) -> Option<String> {
        Attribute::from(value).text(&mut TextBuffer::new()).map(str::to_owned)
    }

    #[test]
    fn text_facets() {
        for (value, expected) in [
            (json!(null), None),
            (json!({"a": 1}), None),
            (json!(true), Some("true")),
            (json!(1), Some("1")),
            (json!(1.0), Some("1")),
            (json!(9_007_199_254_740_993_i64), Some("9007199254740992")),
            (json!(u64::MAX), Some("18446744073709552000")),
            (json!(["a", 1]), Some(r#"["a",1]"#)),
            (json!("s"), Some("s")),
        ] {
            assert_eq!(text(value).as_deref(), expected);
        }
    }

    #[test]
    fn integer_facets() {
        for (value, expected) in [
            (json!(5), Some(5)),
            (json!(1.0), Some(1)),
            (json!(1.5), None),
            (json!(9_223_372_036_854_775_808_u64), Some(i64::MAX)),
            (json!(18_446_744_073_709_551_615_u64), None),
            (json!("12"), Some(12)),
            (json!("+12"), Some(12)),
            (json!("1.0"), None),
            (json!(true), None),
        ] {
            assert_eq!(Attribute::from(value.clone()).int(), expected, "{value}");
        }
    }

    #[test]
    fn float_facets() {
        for (text, expected) in
            [("1e3", Some(1e3)), (".5", Some(0.5)), ("5.", Some(5.0)), ("-inf", Some(f64::NEG_INFINITY))]
        {
            assert_eq!(Attribute::from(json!(text)).float(), expected);
        }
        for text in ["", " 1", "1_0", "0x1", "abc"] {
            assert_eq!(Attribute::from(json!(text)).float(), None, "{text}");
        }
        assert!(Attribute::from(json!("NaN")).float().is_some_and(f64::is_nan));
    }
}
