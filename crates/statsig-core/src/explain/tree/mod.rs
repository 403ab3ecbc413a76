//! The tree of an explanation: what was looked at, in order, and what came of it.
//!
//! All types are plain data. Their JSON has the names of the fields, in snake case; fields that are
//! empty or absent are left out. New fields and variants may be added, none is renamed.

mod bandit;
mod rule;

use serde::Serialize;

pub use bandit::{ArmTrace, BanditChoice, BanditTrace, Score};
pub use rule::{BucketTrace, ConditionOutcome, ConditionTrace, Observed, PercentageTrace, RuleOutcome, RuleTrace};

use super::shown::Shown;

/// What kind of thing was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpecKind {
    /// A gate, segment or holdout.
    #[default]
    Gate,
    /// A dynamic config.
    DynamicConfig,
    /// An experiment, or an autotune.
    Experiment,
    /// A layer.
    Layer,
}

impl SpecKind {
    /// The kind in words: `gate`, `dynamic config`, `experiment`, `layer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::DynamicConfig => "dynamic config",
            Self::Experiment => "experiment",
            Self::Layer => "layer",
        }
    }
}

/// How a spec's evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpecOutcome {
    /// There is nothing of that name.
    #[default]
    Unrecognized,
    /// A local override answered.
    Overridden,
    /// A config mapping let another config answer.
    Mapped,
    /// A contextual bandit chose.
    Bandit,
    /// A rule decided, or several rules of a merging layer contributed.
    Rule,
    /// No rule did: the default value.
    Default,
    /// Something in it is not known to this version.
    Unsupported,
    /// The evaluation broke off: gates are nested too deep, or it took too many steps.
    Failed,
}

/// Why a part of the tree is not shown. It was evaluated all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cut {
    /// It was shown before: results of gates are remembered.
    SeenBefore,
    /// It is being evaluated already, further up: a circle.
    Cycle,
    /// Too many levels of specs inside each other.
    Depth,
    /// The tree has as many nodes as an explanation may have.
    Nodes,
}

/// The evaluation of one gate, config, experiment or layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct SpecTrace {
    /// Which table the name was looked up in.
    pub kind: SpecKind,
    /// The name.
    pub name: String,
    /// How it ended.
    pub outcome: SpecOutcome,
    /// Of a gate, its value; of others, whether a rule let the user pass.
    pub passed: bool,
    /// The rule that decided; empty if none did.
    pub rule_id: String,
    /// The value, abbreviated; of gates and of what has no value `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Shown>,
    /// What the product calls it: `feature_gate`, `segment`, `holdout`, `experiment`, …; `None` if
    /// the rules were not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<&'static str>,
    /// Whether it is switched on; this decides only what its default is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The salt that its rules' percentages are hashed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// What a local override said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_override: Option<OverrideTrace>,
    /// The configs that might have taken its place, in order, as far as they were looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<CandidateTrace>,
    /// The contextual bandit in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandit: Option<Box<BanditTrace>>,
    /// The rules, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleTrace>,
    /// Number of rules that are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub rules_left_out: usize,
    /// Reason the spec was skipped when the payload was loaded; `None` of sound and of unknown specs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
    /// Why nothing of the above is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// A local override's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverrideTrace {
    /// A value.
    Value(Shown),
    /// The group of an experiment.
    Group(String),
}

/// Why a config took another's place, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CandidateOutcome {
    /// Another one did before, or the evaluation broke off.
    #[default]
    NotReached,
    /// Its time has not come.
    NotStarted,
    /// The document lacks its rule.
    RuleMissing,
    /// Some condition of its rule does not hold, cannot be evaluated, or nests too deep.
    NoMatch,
    /// The user is outside its rule's percentage.
    OutsidePercentage,
    /// There is no such config.
    ConfigMissing,
    /// The new config nests too deep.
    ConfigFailed,
    /// It took the place.
    Taken,
}

/// A config that may take another's place.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct CandidateTrace {
    /// Its name.
    pub new_config: String,
    /// What became of it.
    pub outcome: CandidateOutcome,
    /// From when it may, in milliseconds since 1970.
    pub start_time: i64,
    /// The rule that says for whom; hashed with the salt of the spec that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleTrace>,
    /// Its own evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<SpecTrace>>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
