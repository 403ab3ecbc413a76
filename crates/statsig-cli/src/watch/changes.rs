//! What differs between two documents of config specs.
//!
//! Of each document only names and 64-bit hashes are kept. Two specs are the same if their JSON is,
//! whatever the order of members; a rule counts with the content of the conditions that it names.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The kinds of specs, in the order in which they are told.
pub(super) const KINDS: [&str; 4] = ["gate", "config", "layer", "parameter store"];

/// The specs of a document: of each kind, the hashes by name.
#[derive(Debug, Default)]
pub(super) struct Inventory([BTreeMap<String, u64>; 4]);

/// What happened to the specs of one kind. Names are sorted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// How many there are now.
    pub(super) total: usize,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) changed: Vec<String>,
}

/// The parts of a document that are compared.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    feature_gates: Option<&'a RawValue>,
    #[serde(borrow)]
    dynamic_configs: Option<&'a RawValue>,
    #[serde(borrow)]
    layer_configs: Option<&'a RawValue>,
    #[serde(borrow)]
    param_stores: Option<&'a RawValue>,
    #[serde(borrow)]
    condition_map: Option<&'a RawValue>,
}

impl Inventory {
    /// Lists a document that was accepted; parts that are malformed have no specs.
    pub(super) fn of(document: &[u8]) -> Self {
        let Ok(parts) = serde_json::from_slice::<Parts<'_>>(document) else { return Self::default() };
        let mut conditions = HashMap::new();
        for (name, condition) in members(parts.condition_map) {
            if let Ok(condition) = serde_json::from_str::<Value>(condition.get()) {
                conditions.insert(name, digest(&condition, &HashMap::new()));
            }
        }
        let sections = [parts.feature_gates, parts.dynamic_configs, parts.layer_configs, parts.param_stores];
        Self(sections.map(|section| {
            let specs = members(section).into_iter();
            specs.filter_map(|(name, spec)| Some((name, digest(&parsed(spec)?, &conditions)))).collect()
        }))
    }

    /// What has changed since an earlier document.
    pub(super) fn since(&self, earlier: &Self) -> [Change; 4] {
        let mut kinds = self.0.iter().zip(&earlier.0);
        std::array::from_fn(|_| kinds.next().map_or_else(Change::default, |(now, then)| change(now, then)))
    }
}

fn change(now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>) -> Change {
    let names = |these: &BTreeMap<String, u64>, wanted: &dyn Fn(&str, u64) -> bool| {
        these.iter().filter(|(name, hash)| wanted(name, **hash)).map(|(name, _)| name.clone()).collect()
    };
    Change {
        total: now.len(),
        added: names(now, &|name, _| !then.contains_key(name)),
        removed: names(then, &|name, _| !now.contains_key(name)),
        changed: names(now, &|name, hash| then.get(name).is_some_and(|&before| before != hash)),
    }
}

fn parsed(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

/// The specs of a section: an object by name, or, in version 1, a list of objects with a `name`.
fn members(section: Option<&RawValue>) -> Vec<(String, &RawValue)> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let Some(section) = section.map(RawValue::get) else { return Vec::new() };
    if let Ok(by_name) = serde_json::from_str::<BTreeMap<String, &RawValue>>(section) {
        return by_name.into_iter().collect();
    }
    let list = serde_json::from_str::<Vec<&RawValue>>(section).unwrap_or_default();
    let named = list.into_iter().filter_map(|raw| Some((serde_json::from_str::<Named>(raw.get()).ok()?.name, raw)));
    named.collect()
}

/// A hash of a value that does not depend on the order of members.
fn digest(value: &Value, conditions: &HashMap<String, u64>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                match value {
                    Value::Array(names) if key == "conditions" => {
                        for name in names {
                            let known = name.as_str().and_then(|name| conditions.get(name)).copied();
                            known.unwrap_or_else(|| digest(name, conditions)).hash(&mut hasher);
                        }
                    }
                    _ => digest(value, conditions).hash(&mut hasher),
                }
                hasher.finish()
            };
            let sum = members.iter().map(member).fold(0, u64::wrapping_add);
            (5, sum, members.len()).hash(&mut hasher);
        }
        Value::Array(items) => {
            4.hash(&mut hasher);
            items.iter().for_each(|item| digest(item, conditions).hash(&mut hasher));
        }
        Value::String(text) => (3, text).hash(&mut hasher),
        Value::Number(number) => (2, number.to_string()).hash(&mut hasher),
        Value::Bool(flag) => (1, flag).hash(&mut hasher),
        Value::Null => 0.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(change: &Change) -> (usize, [Vec<&str>; 3]) {
        let texts = [&change.added, &change.removed, &change.changed];
        (change.total, texts.map(|names| names.iter().map(String::as_str).collect()))
    }

    #[test]
    fn additions_removals_and_changes_are_found() {
        let before = json!({
            "feature_gates": {"a": {"salt": "1", "on": true}, "b": {"rules": [{"conditions": ["7"]}]}, "c": {}},
            "dynamic_configs": {"x": {"v": [1, 2]}},
            "layer_configs": {},
            "condition_map": {"7": {"type": "public"}},
        });
        let after = json!({
            "feature_gates": {"b": {"rules": [{"conditions": ["8"]}]}, "a": {"on": true, "salt": "1"}, "d": {}},
            "dynamic_configs": {"x": {"v": [2, 1]}},
            "layer_configs": {"l": {}},
            "param_stores": {"p": {}},
            "condition_map": {"8": {"type": "public"}},
        });
        let [before, after] = [before, after].map(|document| Inventory::of(document.to_string().as_bytes()));
        let changes = after.since(&before);
        assert_eq!(names(&changes[0]), (3, [vec!["d"], vec!["c"], vec![]]), "a condition by another name is the same");
        assert_eq!(names(&changes[1]), (1, [vec![], vec![], vec!["x"]]));
        assert_eq!(names(&changes[2]), (1, [vec!["l"], vec![], vec![]]));
        assert_eq!(names(&changes[3]), (1, [vec!["p"], vec![], vec![]]));
    }

    #[test]
    fn another_condition_is_a_change_of_the_rule() {
        let document = |kind: &str| {
            let text = json!({
                "feature_gates": {"a": {"rules": [{"conditions": ["7"]}]}},
                "condition_map": {"7": {"type": kind}},
            });
            Inventory::of(text.to_string().as_bytes())
        };
        assert_eq!(document("fail_gate").since(&document("pass_gate"))[0].changed, ["a"]);
    }

    #[test]
    fn lists_of_version_1_have_names() {
        let list = json!({"feature_gates": [{"name": "a", "x": 1}, {"no": "name"}], "dynamic_configs": []}).to_string();
        let change = &Inventory::of(list.as_bytes()).since(&Inventory::default())[0];
        assert_eq!((change.total, change.added.as_slice()), (1, ["a".to_owned()].as_slice()));
        assert_eq!(Inventory::of(b"nonsense").since(&Inventory::default())[0], Change::default());
    }
}
