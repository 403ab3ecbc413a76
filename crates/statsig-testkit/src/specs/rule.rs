//! Rules: for whom, how many of them, and what they get.

use serde_json::{Map, Value};

use super::condition::ConditionBuilder;
use super::document::Document;

/// A rule: all of its conditions must hold, then a percentage of the units gets its value.
///
/// Rules are tried in their order, and the first one whose conditions hold decides, also for the
/// units outside its percentage: these get the default value.
///
/// ```
/// use statsig_testkit::specs::{ConditionInput, GateBuilder, ProjectBuilder, RuleBuilder};
///
/// let half_of_germany =
///     RuleBuilder::new("germany").when(ConditionInput::country().is_any_of(["DE"])).percentage(50.0);
/// let specs = ProjectBuilder::new().gate(GateBuilder::new("new_checkout").rule(half_of_germany)).build();
/// # assert!(!specs.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RuleBuilder {
    id: String,
    conditions: Vec<ConditionBuilder>,
    percentage: f64,
    value: Option<Value>,
    salt: Option<String>,
    id_type: Option<String>,
    group_name: Option<String>,
    is_experiment_group: bool,
    delegate: Option<String>,
    sampling_rate: Option<u64>,
}

impl RuleBuilder {
    /// A rule for everyone, with this rule ID.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            conditions: Vec::new(),
            percentage: 100.0,
            value: None,
            salt: None,
            id_type: None,
            group_name: None,
            is_experiment_group: false,
            delegate: None,
            sampling_rate: None,
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, condition: ConditionBuilder) -> Self {
        self.conditions.push(condition);
        self
    }

    /// How many of the units pass, 0 to 100; fractions are allowed (default: all). What is not
    /// finite counts as none.
    #[must_use]
    pub fn percentage(mut self, percentage: f64) -> Self {
        self.percentage = if percentage.is_finite() { percentage } else { 0.0 };
        self
    }

    /// What the units that pass get (default: `true` of a gate, else the default value).
    #[must_use]
    pub fn returns(mut self, value: impl Into<Value>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The salt that the percentage is hashed with (default: the rule's ID).
    #[must_use]
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = Some(salt.into());
        self
    }

    /// The id type that the percentage splits by, and that of conditions without one of their own
    /// (default: that of the gate, config or layer).
    #[must_use]
    pub fn id_type(mut self, id_type: impl Into<String>) -> Self {
        self.id_type = Some(id_type.into());
        self
    }

    /// The name of the group that the rule stands for.
    #[must_use]
    pub fn group_name(mut self, group_name: impl Into<String>) -> Self {
        self.group_name = Some(group_name.into());
        self
    }

    /// Whether the rule is a group of an experiment (default: no).
    #[must_use]
    pub fn experiment_group(mut self, is_experiment_group: bool) -> Self {
        self.is_experiment_group = is_experiment_group;
        self
    }

    /// The experiment that takes over; for layers.
    #[must_use]
    pub fn delegate(mut self, experiment: impl Into<String>) -> Self {
        self.delegate = Some(experiment.into());
        self
    }

    /// Logs one of so many exposures.
    #[must_use]
    pub fn sampling_rate(mut self, one_of: u64) -> Self {
        self.sampling_rate = Some(one_of);
        self
    }

    pub(super) fn delegate_name(&self) -> Option<&str> {
        self.delegate.as_deref()
    }

    /// The rule in a document.
    pub(super) fn to_json(&self, spec_id_type: &str, own_value: &Value, document: &mut Document) -> Value {
        let id_type = self.id_type.as_deref().unwrap_or(spec_id_type);
        let everyone = [ConditionBuilder::everyone()];
        let conditions = if self.conditions.is_empty() { &everyone[..] } else { &self.conditions };
        let conditions: Vec<Value> =
            conditions.iter().map(|condition| document.condition(condition, id_type).into()).collect();
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put("name", self.id.as_str().into());
        put("id", self.id.as_str().into());
        put("salt", self.salt.as_deref().unwrap_or(&self.id).into());
        put("passPercentage", number(self.percentage));
        put("conditions", conditions.into());
        put("returnValue", self.value.as_ref().unwrap_or(own_value).clone());
        put("idType", id_type.into());
        if let Some(group_name) = &self.group_name {
            put("groupName", group_name.as_str().into());
        }
        if self.is_experiment_group {
            put("isExperimentGroup", true.into());
        }
        if let Some(delegate) = &self.delegate {
            put("configDelegate", delegate.as_str().into());
        }
        if let Some(rate) = self.sampling_rate {
            put("samplingRate", rate.into());
        }
        Value::Object(out)
    }
}

/// Whole percentages without a fraction, as servers write them.
#[allow(clippy::cast_possible_truncation)] // within the range of an i32
fn number(percentage: f64) -> Value {
    if percentage.fract() == 0.0 && percentage.abs() < 1e9 { (percentage as i64).into() } else { percentage.into() }
}
