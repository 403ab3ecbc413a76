//! Typed reads of a config's parameters.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::{JsonKind, JsonRef};

/// Reads parameters by type; implemented by configs, experiments, layers and parameter stores.
///
/// A parameter that is missing or of another type gives the fallback (`get_*`) or `None`
/// (`get_*_opt`); nothing here fails or panics. Strings, booleans and numbers are read in place;
/// arrays, objects and `get` build what they return.
///
/// An integer is also a float; a float is never an integer, not even `1.0`.
pub trait Getters {
    /// The parameter as it is, without regard to type.
    ///
    /// Of a layer this does not count as a read: nothing is logged.
    fn get_value(&self, parameter: &str) -> Option<JsonRef<'_>>;

    /// Called when a getter returns the parameter's own value; what a layer logs.
    fn on_read(&self, parameter: &str) {
        let _ = parameter;
    }

    /// A boolean, or `fallback`.
    fn get_bool(&self, parameter: &str, fallback: bool) -> bool {
        self.get_bool_opt(parameter).unwrap_or(fallback)
    }

    /// A boolean.
    fn get_bool_opt(&self, parameter: &str) -> Option<bool> {
        self.read(parameter, |value| value.as_bool())
    }

    /// A number, or `fallback`.
    fn get_f64(&self, parameter: &str, fallback: f64) -> f64 {
        self.get_f64_opt(parameter).unwrap_or(fallback)
    }

    /// A number.
    fn get_f64_opt(&self, parameter: &str) -> Option<f64> {
        self.read(parameter, |value| value.as_f64())
    }

    /// An integer, or `fallback`.
    fn get_i64(&self, parameter: &str, fallback: i64) -> i64 {
        self.get_i64_opt(parameter).unwrap_or(fallback)
    }

    /// An integer.
    fn get_i64_opt(&self, parameter: &str) -> Option<i64> {
        self.read(parameter, |value| value.as_i64())
    }

    /// A string, or `fallback`. Allocates the string; [`Getters::get_str_opt`] borrows it.
    fn get_string(&self, parameter: &str, fallback: impl Into<String>) -> String
    where
        Self: Sized,
    {
        self.get_str_opt(parameter).map_or_else(|| fallback.into(), str::to_owned)
    }

    /// A string, borrowed from the config.
    fn get_str_opt(&self, parameter: &str) -> Option<&str> {
        let value = self.get_value(parameter)?.as_str()?;
        self.on_read(parameter);
        Some(value)
    }

    /// A string borrowed from the config, or `fallback`.
    fn get_str<'a>(&'a self, parameter: &str, fallback: &'a str) -> &'a str {
        self.get_str_opt(parameter).unwrap_or(fallback)
    }

    /// An array, or `fallback`.
    fn get_array(&self, parameter: &str, fallback: Vec<Value>) -> Vec<Value> {
        self.get_array_opt(parameter).unwrap_or(fallback)
    }

    /// An array.
    fn get_array_opt(&self, parameter: &str) -> Option<Vec<Value>> {
        self.read(parameter, |value| value.as_array().map(|items| items.map(|item| item.to_json()).collect()))
    }

    /// An object, or `fallback`.
    fn get_object(&self, parameter: &str, fallback: serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
        self.get_object_opt(parameter).unwrap_or(fallback)
    }

    /// An object.
    fn get_object_opt(&self, parameter: &str) -> Option<serde_json::Map<String, Value>> {
        self.read(parameter, |value| match value.to_json() {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// Any type that deserializes from the value, or `fallback`.
    fn get<T: DeserializeOwned>(&self, parameter: &str, fallback: T) -> T
    where
        Self: Sized,
    {
        self.get_opt(parameter).unwrap_or(fallback)
    }

    /// Any type that deserializes from the value.
    fn get_opt<T: DeserializeOwned>(&self, parameter: &str) -> Option<T>
    where
        Self: Sized,
    {
        self.read(parameter, |value| value.deserialize().ok())
    }

    /// The value if it is of the same JSON kind as `fallback` (all numbers are one kind), or else
    /// `fallback`; with no fallback, the value of any kind.
    fn get_typed(&self, parameter: &str, fallback: Option<Value>) -> Option<Value> {
        let found = self.read(parameter, |value| {
            fallback.as_ref().is_none_or(|fallback| kind_of(fallback) == value.kind()).then(|| value.to_json())
        });
        found.or(fallback)
    }

    #[doc(hidden)]
    fn read<T>(&self, parameter: &str, convert: impl FnOnce(JsonRef<'_>) -> Option<T>) -> Option<T> {
        let value = convert(self.get_value(parameter)?)?;
        self.on_read(parameter);
        Some(value)
    }
}

fn kind_of(value: &Value) -> JsonKind {
    match value {
        Value::Null => JsonKind::Null,
        Value::Bool(_) => JsonKind::Bool,
        Value::Number(_) => JsonKind::Number,
        Value::String(_) => JsonKind::String,
        Value::Array(_) => JsonKind::Array,
        Value::Object(_) => JsonKind::Object,
    }
}
