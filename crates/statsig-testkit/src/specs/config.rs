//! Dynamic configs.

use serde_json::Value;

use super::condition::ConditionBuilder;
use super::rule::RuleBuilder;
use super::spec::{Spec, spec_setters};

/// A dynamic config; without rules everyone gets its default value.
///
/// ```
/// use serde_json::json;
/// use statsig_testkit::specs::{ConditionInput, DynamicConfigBuilder};
///
/// let config = DynamicConfigBuilder::new("limits", json!({"uploads": 10}))
///     .when(ConditionInput::user_field("plan").is_any_of(["pro"]), json!({"uploads": 100}));
/// # let _ = config;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DynamicConfigBuilder {
    pub(super) spec: Spec,
}

spec_setters!(DynamicConfigBuilder);

impl DynamicConfigBuilder {
    /// A config with a default value: an object.
    #[must_use]
    pub fn new(name: impl Into<String>, default_value: impl Into<Value>) -> Self {
        Self { spec: Spec::new(name.into(), "dynamic_config", default_value.into()) }
    }

    /// Gives a value to all for whom the condition holds.
    #[must_use]
    pub fn when(self, condition: ConditionBuilder, value: impl Into<Value>) -> Self {
        let id = format!("rule_{}", self.spec.rules.len() + 1);
        self.rule(RuleBuilder::new(id).when(condition).returns(value))
    }
}
