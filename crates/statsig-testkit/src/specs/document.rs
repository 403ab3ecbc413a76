//! What the parts of a document share.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::condition::ConditionBuilder;

/// What the parts of a document share.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) conditions: Map<String, Value>,
    /// Keys of conditions by their text: equal ones are written once.
    keys: HashMap<String, String>,
    pub(super) id_lists: Map<String, Value>,
}

impl Document {
    /// The key of a condition in the document's map.
    pub(super) fn condition(&mut self, condition: &ConditionBuilder, rule_id_type: &str) -> String {
        if let Some(list) = condition.id_list() {
            self.id_lists.insert(list.to_owned(), true.into());
        }
        let value = condition.to_json(rule_id_type);
        let next = (self.keys.len() + 1).to_string();
        let key = self.keys.entry(value.to_string()).or_insert_with(|| next.clone());
        if *key == next {
            self.conditions.insert(next, value);
        }
        key.clone()
    }
}
