//! Finds what differs between two documents of config specs.
//!
//! Of each document only names and 64-bit hashes are kept. Two parts are the same if their JSON is,
//! whatever the order of members; a rule counts with the content of the conditions that it names. Every member of a
//! document is compared, also those that this version does not know.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use statsig_core::Ruleset;

use super::digest::{Named, digest, digests, parsed};
use crate::malformed;

/// Number of groups of parts.
const COUNT: usize = 11;

/// Groups of parts in the order in which they are reported: the name in JSON, and the noun for people.
pub(super) const GROUPS: [(&str, &str); COUNT] = [
    ("gates", "gate"),
    ("configs", "config"),
    ("layers", "layer"),
    ("parameter_stores", "parameter store"),
    ("mappings", "config mapping"),
    ("bandits", "contextual bandit"),
    ("layer_assignments", "layer assignment"),
    ("id_lists", "ID list"),
    ("settings", "setting"),
    ("malformed", "malformed spec"),
    ("unknown_parts", "unknown part"),
];

/// Number of groups whose totals are reported with the first document.
pub(super) const SPECS: usize = 4;
const SETTINGS: usize = 8;
const MALFORMED: usize = 9;
const UNKNOWN: usize = 10;

/// Sections with entries by name, and the groups that they belong to.
const SECTIONS: [(&str, usize); 9] = [
    ("feature_gates", 0),
    ("dynamic_configs", 1),
    ("layer_configs", 2),
    ("param_stores", 3),
    ("overrides", 4),
    ("cmab_configs", 5),
    ("experiment_to_layer", 6),
    ("layers", 6),
    ("id_lists", 7),
];

/// Members that are settings; a change of an object is that of its entries.
const SETTINGS_BY_ENTRY: [&str; 3] = ["sdk_configs", "sdk_flags", "diagnostics"];

/// Members that are settings as a whole. Entries of some of them are named after SDK keys.
const SETTINGS_AS_A_WHOLE: [&str; 7] = [
    "default_environment",
    "app_id",
    "company_id",
    "hashed_sdk_key_used",
    "sdk_keys_to_app_ids",
    "hashed_sdk_keys_to_app_ids",
    "session_replay_info",
];

/// Members that differ between any two documents, or count with what names their entries.
const NOT_COMPARED: [&str; 5] = ["time", "checksum", "has_updates", "condition_map", "override_rules"];

/// The parts of a document: of each group, the hashes by name.
#[derive(Debug, Default)]
pub(super) struct Inventory([BTreeMap<String, u64>; COUNT]);

/// Changes of the parts of one group. Names are sorted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// Number of parts now.
    pub(super) total: usize,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) changed: Vec<String>,
}

impl Inventory {
    /// Lists a document that was accepted; parts that are malformed have no entries.
    ///
    /// With `has_problems` the document is compiled to find the specs that cannot be used.
    pub(super) fn of(document: &[u8], has_problems: bool) -> Self {
        let mut inventory = Self::default();
        let Ok(members) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(document) else { return inventory };
        let section = |name: &str| members.get(name).copied();
        let mut named = Named::default();
        named.conditions = digests(section("condition_map"), &named).into_iter().collect();
        named.rules = digests(section("override_rules"), &named).into_iter().collect();
        for (name, raw) in &members {
            inventory.add(name, raw, &named);
        }
        if has_problems && let Ok(ruleset) = Ruleset::compile(document) {
            let specs = malformed::list(&ruleset).into_iter();
            // The reason counts: another one is a change.
            inventory.0[MALFORMED] = specs
                .map(|spec| (format!("{} {}", spec.kind.short(), spec.name), digest(&spec.reason.into(), &named)))
                .collect();
        }
        inventory
    }

    fn add(&mut self, name: &str, raw: &RawValue, named: &Named) {
        let Some(value) = parsed(raw).filter(|value| !value.is_null()) else { return };
        if let Some((_, group)) = SECTIONS.iter().find(|(section, _)| *section == name) {
            self.0[*group].extend(digests(Some(raw), named));
        } else if SETTINGS_BY_ENTRY.contains(&name) && value.is_object() {
            let entries = digests(Some(raw), named).into_iter();
            self.0[SETTINGS].extend(entries.map(|(entry, hash)| (format!("{name}.{entry}"), hash)));
        } else if SETTINGS_AS_A_WHOLE.contains(&name) || SETTINGS_BY_ENTRY.contains(&name) {
            self.0[SETTINGS].insert(name.to_owned(), digest(&value, named));
        } else if !NOT_COMPARED.contains(&name) {
            self.0[UNKNOWN].insert(name.to_owned(), digest(&value, named));
        }
    }

    /// Returns what has changed since an earlier document, by group.
    pub(super) fn since(&self, earlier: &Self) -> [Change; COUNT] {
        std::array::from_fn(|group| change(&self.0[group], &earlier.0[group]))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn changes(before: &Value, after: &Value) -> BTreeMap<&'static str, Change> {
        let [before, after] = [before, after].map(|document| Inventory::of(document.to_string().as_bytes(), true));
        let changes = after.since(&before);
        GROUPS.iter().map(|(name, _)| *name).zip(changes).collect()
    }

    /// Groups that differ, as `group added|removed|changed name`.
    fn described(before: &Value, after: &Value) -> Vec<String> {
        let mut all = Vec::new();
        for (group, change) in changes(before, after) {
            let parts = [("added", change.added), ("removed", change.removed), ("changed", change.changed)];
            for (what, names) in parts {
                all.extend(names.into_iter().map(|name| format!("{group} {what} {name}")));
            }
        }
        all
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
        let found = described(&before, &after);
        // A condition by another name is the same.
        let expected =
            ["configs changed x", "gates added d", "gates removed c", "layers added l", "parameter_stores added p"];
        assert_eq!(found, expected);
        assert_eq!(changes(&before, &after)["gates"].total, 3);
    }

    #[test]
    fn another_condition_is_a_change_of_the_rule() {
        let document = |kind: &str| {
            json!({
                "feature_gates": {"a": {"rules": [{"conditions": ["7"]}]}},
                "condition_map": {"7": {"type": kind}},
            })
        };
        assert_eq!(described(&document("pass_gate"), &document("fail_gate")), ["gates changed a"]);
    }

    #[test]
    fn everything_that_can_change_a_result_is_named() {
        let base = json!({"feature_gates": {}, "time": 1, "checksum": "1"});
        for (name, value, expected) in [
            ("overrides", json!({"c": [{"new_config_name": "d", "rules": []}]}), "mappings added c"),
            ("default_environment", json!("staging"), "settings added default_environment"),
            ("cmab_configs", json!({"b": {"salt": "s"}}), "bandits added b"),
            ("experiment_to_layer", json!({"e": "l"}), "layer_assignments added e"),
            ("layers", json!({"l": ["e"]}), "layer_assignments added l"),
            ("id_lists", json!({"vips": true}), "id_lists added vips"),
            ("app_id", json!("a"), "settings added app_id"),
            ("sdk_configs", json!({"sampling_mode": "on"}), "settings added sdk_configs.sampling_mode"),
            ("sdk_flags", json!({"f": true}), "settings added sdk_flags.f"),
            ("sdk_keys_to_app_ids", json!({"client-k": "a"}), "settings added sdk_keys_to_app_ids"),
            ("session_replay_info", json!({"sampling_rate": 1}), "settings added session_replay_info"),
            ("something_new", json!({"a": 1}), "unknown_parts added something_new"),
        ] {
            let mut after = base.clone();
            after[name] = value;
            assert_eq!(described(&base, &after), [expected], "{name}");
        }
        let mut newer = base.clone();
        (newer["time"], newer["checksum"]) = (json!(2), json!("2"));
        assert!(described(&base, &newer).is_empty());
    }

    #[test]
    fn another_rule_is_a_change_of_the_mapping() {
        let document = |percentage: u8, condition: &str| {
            json!({
                "overrides": {"c": [{"new_config_name": "d", "rules": [{"rule_name": "m", "start_time": 0}]}]},
                "override_rules": {"m": {"passPercentage": percentage, "conditions": ["7"]}},
                "condition_map": {"7": {"type": condition}},
            })
        };
        assert_eq!(described(&document(10, "public"), &document(20, "public")), ["mappings changed c"]);
        assert_eq!(described(&document(10, "public"), &document(10, "user_field")), ["mappings changed c"]);
    }

    #[test]
    fn specs_that_cannot_be_used_are_named() {
        let document = |enabled: Value| {
            json!({
                "has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {}, "condition_map": {},
                "feature_gates": {"g": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": enabled,
                    "defaultValue": false, "idType": "userID", "rules": []}},
            })
        };
        let found = described(&document(json!(true)), &document(json!("true")));
        assert_eq!(found, ["gates changed g", "malformed added gate g"]);
    }

    #[test]
    fn lists_of_version_1_have_names() {
        let list = json!({"feature_gates": [{"name": "a", "x": 1}, {"no": "name"}], "dynamic_configs": []}).to_string();
        let change = &Inventory::of(list.as_bytes(), false).since(&Inventory::default())[0];
        assert_eq!((change.total, change.added.as_slice()), (1, ["a".to_owned()].as_slice()));
        assert_eq!(Inventory::of(b"nonsense", true).since(&Inventory::default())[0], Change::default());
    }
}
