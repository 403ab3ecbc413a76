//! What gates, configs, experiments and layers have in common.

use serde_json::{Map, Value};

use super::condition::ConditionBuilder;
use super::document::Document;
use super::rule::RuleBuilder;

/// A spec under construction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) spec_type: &'static str,
    pub(super) entity: &'static str,
    pub(super) default_value: Value,
    /// What rules return that say nothing of their own.
    pub(super) rule_value: Value,
    pub(super) enabled: bool,
    pub(super) salt: Option<String>,
    pub(super) id_type: String,
    pub(super) rules: Vec<RuleBuilder>,
    /// Keys that only some have.
    pub(super) extras: Map<String, Value>,
}

impl Spec {
    pub(super) fn new(name: String, spec_type: &'static str, default_value: Value) -> Self {
        Self {
            name,
            spec_type,
            entity: spec_type,
            rule_value: default_value.clone(),
            default_value,
            enabled: true,
            salt: None,
            id_type: "userID".to_owned(),
            rules: Vec::new(),
            extras: Map::new(),
        }
    }

    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.extras.insert(key.to_owned(), value.into());
    }

    /// The salt, which is the name unless another was set.
    pub(super) fn salt(&self) -> &str {
        self.salt.as_deref().unwrap_or(&self.name)
    }

    /// Rules in front: who is held out gets the value that those get who are in nothing.
    pub(super) fn holdout(&mut self, holdout: &str) {
        let rule = RuleBuilder::new(holdout).when(ConditionBuilder::pass_gate(holdout));
        let is_gate = self.spec_type == "feature_gate";
        self.rules.insert(0, if is_gate { rule.returns(false) } else { rule });
    }

    pub(super) fn to_json(&self, document: &mut Document) -> Value {
        self.with_rules(&self.rules, document)
    }

    /// The spec with these rules in the place of its own.
    pub(super) fn with_rules(&self, rules: &[RuleBuilder], document: &mut Document) -> Value {
        let rules: Vec<Value> =
            rules.iter().map(|rule| rule.to_json(&self.id_type, &self.rule_value, document)).collect();
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put("type", self.spec_type.into());
        put("entity", self.entity.into());
        put("salt", self.salt().into());
        put("enabled", self.enabled.into());
        put("defaultValue", self.default_value.clone());
        put("idType", self.id_type.as_str().into());
        put("rules", rules.into());
        out.extend(self.extras.clone());
        Value::Object(out)
    }
}

/// Setters of everything that holds a [`Spec`] in its field `spec`.
macro_rules! spec_setters {
    ($builder:ident) => {
        impl $builder {
            /// Adds a rule behind those that are there.
            #[must_use]
            pub fn rule(mut self, rule: crate::specs::RuleBuilder) -> Self {
                self.spec.rules.push(rule);
                self
            }

            /// The id type of the unit (default: `userID`).
            #[must_use]
            pub fn id_type(mut self, id_type: impl Into<String>) -> Self {
                self.spec.id_type = id_type.into();
                self
            }

            /// The salt that percentages and buckets are hashed with (default: the name).
            #[must_use]
            pub fn salt(mut self, salt: impl Into<String>) -> Self {
                self.spec.salt = Some(salt.into());
                self
            }

            /// The version, which results report (default: none).
            #[must_use]
            pub fn version(mut self, version: u32) -> Self {
                self.spec.set("version", version);
                self
            }

            /// Not enabled. Rules that are there still run: without any, the reason for the default
            /// value is called `disabled`.
            #[must_use]
            pub fn disabled(mut self) -> Self {
                self.spec.enabled = false;
                self
            }

            /// The apps that get to see it in client-initialize responses (default: all).
            #[must_use]
            pub fn target_apps<A: Into<String>>(mut self, apps: impl IntoIterator<Item = A>) -> Self {
                let apps: Vec<String> = apps.into_iter().map(Into::into).collect();
                self.spec.set("targetAppIDs", apps);
                self
            }

            /// The user fields that the server says its rules look at (default: not said).
            #[must_use]
            pub fn fields_used<F: Into<String>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
                let fields: Vec<String> = fields.into_iter().map(Into::into).collect();
                self.spec.set("fieldsUsed", fields);
                self
            }

            /// Logs every exposure, without regard to deduplication and sampling.
            #[must_use]
            pub fn forward_all_exposures(mut self) -> Self {
                self.spec.set("forwardAllExposures", true);
                self
            }

            /// Holds users back for whom the gate `holdout` is open: a rule in front of all that
            /// are there so far. See [`GateBuilder::holdout`](crate::specs::GateBuilder::holdout).
            #[must_use]
            pub fn held_out_by(mut self, holdout: &str) -> Self {
                self.spec.holdout(holdout);
                self
            }
        }
    };
}

pub(super) use spec_setters;
