//! Layers.

use std::ops::Range;

use serde_json::Value;

use super::condition::ConditionInput;
use super::rule::RuleBuilder;
use super::spec::{Spec, spec_setters};

/// A layer: parameters with default values, of which experiments take over some.
///
/// ```
/// use serde_json::json;
/// use statsig_testkit::specs::LayerBuilder;
///
/// let layer = LayerBuilder::new("checkout", json!({"color": "grey", "columns": 2}))
///     .experiment_in("button_color", 0..500)
///     .experiment_in("wide_page", 500..1000);
/// # let _ = layer;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerBuilder {
    pub(super) spec: Spec,
}

spec_setters!(LayerBuilder);

impl LayerBuilder {
    /// A layer with the default values of its parameters: an object.
    #[must_use]
    pub fn new(name: impl Into<String>, default_value: impl Into<Value>) -> Self {
        let mut spec = Spec::new(name.into(), "dynamic_config", default_value.into());
        spec.entity = "layer";
        Self { spec }
    }

    /// Hands all users over to an experiment, by a rule with its name.
    #[must_use]
    pub fn experiment(self, experiment: impl Into<String>) -> Self {
        let experiment = experiment.into();
        self.rule(RuleBuilder::new(&experiment).delegate(experiment))
    }

    /// Hands the users in some of 1,000 buckets over to an experiment. The buckets depend on the
    /// layer's name only.
    #[must_use]
    pub fn experiment_in(self, experiment: impl Into<String>, buckets: Range<u16>) -> Self {
        let experiment = experiment.into();
        let allocated = ConditionInput::bucket(&self.spec.name).is_any_of(buckets);
        self.rule(RuleBuilder::new(&experiment).when(allocated).delegate(experiment))
    }

    /// Puts the value together from all rules that hold, instead of stopping at the first one.
    #[must_use]
    pub fn merging(mut self) -> Self {
        self.spec.set("useNewLayerEval", true);
        self
    }

    /// Experiments that it hands over to.
    pub(super) fn experiments(&self) -> impl Iterator<Item = &str> {
        self.spec.rules.iter().filter_map(RuleBuilder::delegate_name)
    }
}
