//! Gates, segments and holdouts.

use serde_json::Value;

use super::condition::{ConditionBuilder, ConditionInput, segment_name};
use super::rule::RuleBuilder;
use super::spec::{Spec, spec_setters};

/// A gate; without rules it is closed for everyone.
///
/// ```
/// use statsig_testkit::specs::{ConditionBuilder, GateBuilder};
///
/// let gate = GateBuilder::new("new_checkout")
///     .held_out_by("holdout_2026")
///     .when(ConditionBuilder::in_segment("beta_testers"))
///     .rollout(12.5);
/// # let _ = gate;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GateBuilder {
    pub(super) spec: Spec,
}

spec_setters!(GateBuilder);

impl GateBuilder {
    /// A gate without rules: closed.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let mut spec = Spec::new(name.into(), "feature_gate", Value::Bool(false));
        spec.rule_value = Value::Bool(true);
        Self { spec }
    }

    /// A gate that is open for everyone, by a rule `everyone`.
    #[must_use]
    pub fn on(name: impl Into<String>) -> Self {
        Self::new(name).rule(RuleBuilder::new("everyone"))
    }

    /// A segment: a gate `segment:NAME` that other gates ask and that exposures do not list.
    #[must_use]
    pub fn segment(name: impl AsRef<str>) -> Self {
        let mut gate = Self::new(segment_name(name.as_ref()));
        gate.spec.entity = "segment";
        gate
    }

    /// A holdout: open for this percentage of the units, whom others then
    /// [hold back](Self::held_out_by).
    #[must_use]
    pub fn holdout(name: impl Into<String>, percentage: f64) -> Self {
        let mut gate = Self::new(name).rollout(percentage);
        gate.spec.entity = "holdout";
        gate
    }

    /// Opens it for all for whom the condition holds.
    #[must_use]
    pub fn when(self, condition: ConditionBuilder) -> Self {
        let rule = RuleBuilder::new(self.next_id()).when(condition);
        self.rule(rule)
    }

    /// Opens it for the units with these IDs.
    #[must_use]
    pub fn for_ids<I: Into<String>>(self, ids: impl IntoIterator<Item = I>) -> Self {
        let ids = ids.into_iter().map(Into::<String>::into);
        self.when(ConditionInput::unit_id().is_exactly_any_of(ids))
    }

    /// Opens it for a percentage of the units that no rule so far has decided for, by a rule
    /// `rollout`.
    #[must_use]
    pub fn rollout(self, percentage: f64) -> Self {
        self.rule(RuleBuilder::new("rollout").percentage(percentage))
    }

    /// Open where no rule decides (default: closed).
    #[must_use]
    pub fn on_by_default(mut self) -> Self {
        self.spec.default_value = Value::Bool(true);
        self
    }

    fn next_id(&self) -> String {
        format!("rule_{}", self.spec.rules.len() + 1)
    }
}
