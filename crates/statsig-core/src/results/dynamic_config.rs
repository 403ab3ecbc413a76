//! Dynamic configs.

use std::fmt;

use super::{Getters, Record};
use crate::evaluate::{Call, EvaluationContext, Kind};
use crate::json::JsonRef;

/// The result of reading a dynamic config: an object, read through [`Getters`].
///
/// A name without a config gives `{}`, an empty rule ID and the reason `…:Unrecognized`.
#[derive(Clone)]
pub struct DynamicConfig {
    pub(super) record: Record,
}

impl DynamicConfig {
    accessors!();

    /// The whole value: an object, `{}` if there is none.
    #[must_use]
    pub fn value(&self) -> JsonRef<'_> {
        self.record.value()
    }

    /// The rule that decided; `default`, `disabled`, `override`, or empty if there was none.
    #[must_use]
    pub fn rule_id(&self) -> &str {
        self.record.rule_id()
    }

    /// The id type of the config; empty if there is no such config.
    #[must_use]
    pub fn id_type(&self) -> &str {
        self.record.id_type()
    }

    /// Whether a rule decided and the user was within its percentage.
    #[must_use]
    pub fn rule_passed(&self) -> bool {
        self.record.outcome.passed
    }
}

impl Getters for DynamicConfig {
    fn get_value(&self, parameter: &str) -> Option<JsonRef<'_>> {
        self.value().get(parameter)
    }
}

impl fmt::Debug for DynamicConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicConfig")
            .field("name", &self.name())
            .field("value", &self.value())
            .field("rule_id", &self.rule_id())
            .field("reason", &format_args!("{}", self.details()))
            .finish()
    }
}

impl EvaluationContext<'_> {
    /// Evaluates a dynamic config. `record`: also keep the gates that took part.
    #[must_use]
    pub fn dynamic_config(&self, name: &str, record: bool) -> DynamicConfig {
        DynamicConfig {
            record: Record::of(*self, Call::by_name(self.snapshot.ruleset(), name, Kind::DynamicConfig), record),
        }
    }
}
