//! Writing large documents.

use std::fmt::Write;

/// A v2 document, section by section.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) gates: String,
    pub(crate) configs: String,
    pub(crate) layers: String,
    pub(crate) conditions: String,
    /// Further top-level members, each followed by a comma.
    pub(crate) more: String,
}

fn add(section: &mut String, name: impl std::fmt::Display, value: impl std::fmt::Display) {
    let comma = if section.is_empty() { "" } else { "," };
    write!(section, "{comma}\"{name}\":{value}").unwrap();
}

/// Ids in quotes, separated by commas.
pub(crate) fn ids(ids: impl IntoIterator<Item = String>) -> String {
    ids.into_iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",")
}

/// A rule for everybody; `conditions` as [`ids`] writes them, `more` with a leading comma.
pub(crate) fn rule(conditions: &str, value: &str, more: &str) -> String {
    format!(
        r#"{{"name":"r","id":"r","passPercentage":100,"conditions":[{conditions}],"returnValue":{value},"idType":"userID"{more}}}"#
    )
}

/// A spec; `rules` separated by commas, `more` with a leading comma.
pub(crate) fn spec(default: &str, rules: &str, more: &str) -> String {
    format!(
        r#"{{"type":"x","entity":"x","salt":"s","enabled":true,"defaultValue":{default},"idType":"userID","rules":[{rules}]{more}}}"#
    )
}

impl Document {
    pub(crate) fn condition(&mut self, id: impl std::fmt::Display, fields: &str) -> &mut Self {
        add(&mut self.conditions, id, format_args!("{{{fields},\"idType\":\"userID\"}}"));
        self
    }

    /// A condition `id` that the gate `gate` passes.
    pub(crate) fn pass(&mut self, id: impl std::fmt::Display, gate: impl std::fmt::Display) -> &mut Self {
        self.condition(id, &format!(r#""type":"pass_gate","targetValue":"{gate}""#))
    }

    /// A gate that is open when all conditions hold.
    pub(crate) fn gate(&mut self, name: impl std::fmt::Display, conditions: &str) -> &mut Self {
        add(&mut self.gates, name, spec("false", &rule(conditions, "true", ""), ""));
        self
    }

    pub(crate) fn config(&mut self, name: impl std::fmt::Display, rules: &str) -> &mut Self {
        add(&mut self.configs, name, spec("{}", rules, ""));
        self
    }

    pub(crate) fn layer(&mut self, name: impl std::fmt::Display, rules: &str) -> &mut Self {
        add(&mut self.layers, name, spec("{}", rules, r#","useNewLayerEval":true"#));
        self
    }

    pub(crate) fn write(&self) -> String {
        format!(
            r#"{{"has_updates":true,"time":1,{}"feature_gates":{{{}}},"dynamic_configs":{{{}}},"layer_configs":{{{}}},"condition_map":{{{}}}}}"#,
            self.more, self.gates, self.configs, self.layers, self.conditions,
        )
    }
}
