//! Experiments: a fixed order of rules.

use serde_json::{Map, Value};

use super::condition::{ConditionBuilder, ConditionInput};
use super::document::Document;
use super::rule::RuleBuilder;
use super::spec::{Spec, spec_setters};

/// Buckets that units are split into, for allocation and for groups.
const BUCKETS: u16 = 1_000;

/// An experiment: users who are not held out, meet the targeting and are allocated get one of its
/// groups; all others the default value.
///
/// Rules are made in this order, whatever the order of the calls: overrides of groups, holdouts and
/// other rules that were [added](Self::rule), targeting, allocation, groups.
///
/// ```
/// use serde_json::json;
/// use statsig_testkit::specs::ExperimentBuilder;
///
/// let experiment = ExperimentBuilder::new("button_color")
///     .default_value(json!({"color": "grey"}))
///     .targeting_gate("may_see_experiments")
///     .allocation(20.0)
///     .group("Control", json!({"color": "blue"}))
///     .group("Test", json!({"color": "red"}))
///     .override_ids("Test", ["ada"]);
/// # let _ = experiment;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentBuilder {
    pub(super) spec: Spec,
    overrides: Vec<(String, ConditionBuilder)>,
    targeting: Vec<RuleBuilder>,
    allocation: f64,
    groups: Vec<Group>,
}

/// A group; without buckets it gets an equal share.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: String,
    buckets: Option<u16>,
    value: Value,
}

spec_setters!(ExperimentBuilder);

impl ExperimentBuilder {
    /// An active experiment without groups, whose default value is `{}`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let mut spec = Spec::new(name.into(), "dynamic_config", Value::Object(Map::new()));
        spec.entity = "experiment";
        spec.set("isActive", true);
        Self { spec, overrides: Vec::new(), targeting: Vec::new(), allocation: 100.0, groups: Vec::new() }
    }

    /// What those get who are in no group: an object (default: `{}`).
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.spec.default_value = value.into();
        self
    }

    /// Adds a group with the same share as others without one of their own. Its rule ID is its name.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.groups.push(Group { name: name.into(), buckets: None, value: value.into() });
        self
    }

    /// Adds a group with a share of so many buckets out of 1,000.
    #[must_use]
    pub fn group_of(mut self, buckets: u16, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.groups.push(Group { name: name.into(), buckets: Some(buckets), value: value.into() });
        self
    }

    /// Only users for whom the gate is open take part; the others are decided by a rule
    /// `targetingGate`.
    #[must_use]
    pub fn targeting_gate(mut self, gate: impl Into<String>) -> Self {
        self.targeting.push(RuleBuilder::new("targetingGate").when(ConditionBuilder::fail_gate(gate)));
        self
    }

    /// Users for whom the condition holds do not take part, by a rule `inlineTargetingRules`.
    #[must_use]
    pub fn exclude_when(mut self, condition: ConditionBuilder) -> Self {
        self.targeting.push(RuleBuilder::new("inlineTargetingRules").when(condition));
        self
    }

    /// How many of the users take part, in percent, to a tenth (default: all). The others are
    /// decided by a rule `layerAssignment`.
    #[must_use]
    pub fn allocation(mut self, percentage: f64) -> Self {
        self.allocation = percentage;
        self
    }

    /// Puts the units with these IDs into a group, whatever else is said.
    #[must_use]
    pub fn override_ids<I: Into<String>>(self, group: impl Into<String>, ids: impl IntoIterator<Item = I>) -> Self {
        let ids = ids.into_iter().map(Into::<String>::into);
        self.override_when(group, ConditionInput::unit_id().is_exactly_any_of(ids))
    }

    /// Puts all for whom the condition holds into a group, whatever else is said, by a rule
    /// `GROUP:override`. They do not count as part of the experiment.
    #[must_use]
    pub fn override_when(mut self, group: impl Into<String>, condition: ConditionBuilder) -> Self {
        self.overrides.push((group.into(), condition));
        self
    }

    /// Says that the experiment does not run. Its rules go on deciding.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.spec.set("isActive", false);
        self
    }

    /// The parameters that are the experiment's own when a layer hands over to it (default: all
    /// that its groups have, if a layer of the project does).
    #[must_use]
    pub fn explicit_parameters<P: Into<String>>(mut self, parameters: impl IntoIterator<Item = P>) -> Self {
        let parameters: Vec<String> = parameters.into_iter().map(Into::into).collect();
        self.spec.set("explicitParameters", parameters);
        self
    }

    /// The experiment in a document; `in_layer`: a layer hands over to it.
    pub(super) fn to_json(&self, in_layer: bool, document: &mut Document) -> Value {
        let mut spec = self.spec.clone();
        spec.rule_value = spec.default_value.clone();
        if in_layer {
            spec.set("hasSharedParams", true);
            spec.extras.entry("explicitParameters").or_insert_with(|| self.parameters().into());
        }
        let overrides = self.overrides.iter().map(|(group, condition)| {
            let value = self.groups.iter().find(|other| other.name == *group).map(|group| group.value.clone());
            let rule = RuleBuilder::new(format!("{group}:override")).when(condition.clone()).group_name(group);
            rule.returns(value.unwrap_or_else(|| spec.default_value.clone()))
        });
        let mut rules: Vec<RuleBuilder> = overrides.collect();
        rules.extend(self.spec.rules.iter().cloned());
        rules.extend(self.targeting.iter().cloned());
        rules.extend(self.allocation_rule());
        rules.extend(self.group_rules());
        spec.with_rules(&rules, document)
    }

    /// Names of the parameters that groups have, each once, in their order.
    fn parameters(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.groups.iter().filter_map(|group| group.value.as_object()).flat_map(Map::keys) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Matches those who are not allocated.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    fn allocation_rule(&self) -> Option<RuleBuilder> {
        let allocated = (self.allocation * 10.0).round().clamp(0.0, f64::from(BUCKETS)) as u16;
        let salt = format!("{}:allocation", self.spec.salt());
        let left_out = ConditionInput::bucket(salt).is_none_of(0..allocated);
        (allocated < BUCKETS).then(|| RuleBuilder::new("layerAssignment").when(left_out))
    }

    /// Thresholds rise from group to group: a bucket belongs to the first that is above it.
    fn group_rules(&self) -> Vec<RuleBuilder> {
        let taken: u16 = self.groups.iter().filter_map(|group| group.buckets).fold(0, u16::saturating_add);
        let free = u32::from(BUCKETS.saturating_sub(taken));
        let sharing = u32::try_from(self.groups.iter().filter(|group| group.buckets.is_none()).count()).unwrap_or(1);
        let (mut threshold, mut shared) = (0_u32, 0_u32);
        let group_rule = |group: &Group| {
            threshold += match group.buckets {
                Some(buckets) => u32::from(buckets),
                None => {
                    shared += 1;
                    // What does not divide evenly is spread over the groups.
                    free * shared / sharing - free * (shared - 1) / sharing
                }
            };
            RuleBuilder::new(&group.name)
                .when(ConditionInput::bucket(self.spec.salt()).less_than(threshold))
                .returns(group.value.clone())
                .group_name(&group.name)
                .experiment_group(true)
        };
        self.groups.iter().map(group_rule).collect()
    }
}
