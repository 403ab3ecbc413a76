//! Hashes parts of a document, and finds the entries of a section.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Hashes of what parts name instead of holding it: a part counts with the content of these.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Conditions, by the name that rules have for them.
    pub(super) conditions: HashMap<String, u64>,
    /// Rules of config mappings, by name.
    pub(super) rules: HashMap<String, u64>,
}

/// Parses a part of a document.
pub(super) fn parsed(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

/// Returns the entries of a section: an object by name, or, in version 1, a list of objects with a `name`.
pub(super) fn entries(section: Option<&RawValue>) -> Vec<(String, &RawValue)> {
    #[derive(Deserialize)]
    struct WithName {
        name: String,
    }
    let Some(section) = section.map(RawValue::get) else { return Vec::new() };
    if let Ok(by_name) = serde_json::from_str::<BTreeMap<String, &RawValue>>(section) {
        return by_name.into_iter().collect();
    }
    let list = serde_json::from_str::<Vec<&RawValue>>(section).unwrap_or_default();
    let named = list.into_iter().filter_map(|raw| Some((serde_json::from_str::<WithName>(raw.get()).ok()?.name, raw)));
    named.collect()
}

/// Hashes the entries of a section, by name.
pub(super) fn digests(section: Option<&RawValue>, named: &Named) -> BTreeMap<String, u64> {
    let entries = entries(section).into_iter();
    entries.filter_map(|(name, raw)| Some((name, digest(&parsed(raw)?, named)))).collect()
}

/// Hashes a value; the order of members does not count.
pub(super) fn digest(value: &Value, named: &Named) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Object(members) => {
            let sum = members.iter().map(|(key, value)| member(key, value, named)).fold(0, u64::wrapping_add);
            (5, sum, members.len()).hash(&mut hasher);
        }
        Value::Array(items) => {
            4.hash(&mut hasher);
            items.iter().for_each(|item| digest(item, named).hash(&mut hasher));
        }
        Value::String(text) => (3, text).hash(&mut hasher),
        Value::Number(number) => (2, number.to_string()).hash(&mut hasher),
        Value::Bool(flag) => (1, flag).hash(&mut hasher),
        Value::Null => 0.hash(&mut hasher),
    }
    hasher.finish()
}

fn member(key: &str, value: &Value, named: &Named) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let referred = |name: &Value, all: &HashMap<String, u64>| {
        let known = name.as_str().and_then(|name| all.get(name)).copied();
        known.unwrap_or_else(|| digest(name, named))
    };
    match value {
        Value::Array(names) if key == "conditions" => {
            names.iter().for_each(|name| referred(name, &named.conditions).hash(&mut hasher));
        }
        Value::String(_) if key == "rule_name" => referred(value, &named.rules).hash(&mut hasher),
        _ => digest(value, named).hash(&mut hasher),
    }
    hasher.finish()
}
