//! Rules and conditions.

use serde::Serialize;

use super::{SpecTrace, is_zero};
use crate::explain::shown::Shown;

/// How a rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleOutcome {
    /// The evaluation ended before.
    #[default]
    NotReached,
    /// Some condition does not hold.
    NoMatch,
    /// All conditions hold, but the user is outside the rule's percentage.
    OutsidePercentage,
    /// It decided: its value is the result.
    Decided,
    /// It let an experiment decide.
    Delegated,
    /// In a merging layer: its parameters, or those of its experiment, are part of the result.
    Contributed,
    /// In a merging layer: its experiment came too late to be part of the result.
    Superseded,
    /// A condition is not known to this version.
    Unsupported,
    /// The evaluation broke off inside.
    Failed,
}

/// A rule, with its conditions.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct RuleTrace {
    /// The rule's ID.
    pub id: String,
    /// Name of the group that it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// How it ended.
    pub outcome: RuleOutcome,
    /// All its conditions, in order; empty if it was not reached, or has none and holds for everybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionTrace>,
    /// Number of conditions that are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub conditions_left_out: usize,
    /// Who passes it; `None` if this was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage: Option<PercentageTrace>,
    /// The experiment that it hands over to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegate: Option<Box<SpecTrace>>,
    /// In a merging layer: the parameters that come from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
}

/// Whether a user is within a rule's percentage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PercentageTrace {
    /// The percentage, 0 to 100.
    pub percent: f32,
    /// Whether the user is within it.
    pub passes: bool,
    /// The unit's bucket; `None` where the percentage is 0 or 100, which needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketTrace>,
    /// Buckets below this one pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes_below: Option<u32>,
}

/// Where a unit falls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BucketTrace {
    /// The bucket, from 0.
    pub bucket: u64,
    /// How many buckets there are: 10,000, or 1,000 for a `user_bucket` condition.
    pub of: u64,
    /// What is hashed before the unit ID, without the dot between them. Of a long salt that is not
    /// kept in the ruleset only the end, after `…`.
    pub salt: String,
    /// The id type.
    pub id_type: String,
    /// The unit's ID; `None` if the user has none of this type, which hashes like an empty one.
    pub unit_id: Option<String>,
}

/// What a condition sees of the user.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Observed {
    /// Nothing.
    Missing,
    /// A private attribute, or something derived from one; never shown.
    Private,
    /// A value, abbreviated.
    #[serde(untagged)]
    Shown(Shown),
}

/// How a condition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConditionOutcome {
    /// It holds.
    Pass,
    /// It does not hold.
    #[default]
    Fail,
    /// Its type or operator is not known to this version, or the document lacks it.
    Unsupported,
    /// The evaluation broke off inside.
    Failed,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ConditionTrace {
    /// Its key in the document; empty for conditions that stand inside a rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its type, as written: `user_field`, `pass_gate`, …
    #[serde(rename = "type")]
    pub condition_type: String,
    /// The user's field, or the experiment, that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// How it ended.
    pub outcome: ConditionOutcome,
    /// What it sees; `None` for conditions that look at no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Observed>,
    /// Where that comes from, if it is not the field itself: `user agent`, `country of the IP
    /// address`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'static str>,
    /// The operator, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// What the operator compares with, abbreviated, in the form that it uses (lower case, numbers,
    /// milliseconds). `None` if the target is none that it can use, and without operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Shown>,
    /// Limit that made the condition unsupported: `pattern limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'static str>,
    /// How a bucket was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketTrace>,
    /// The gates, or the experiment, that it asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<SpecTrace>,
}
