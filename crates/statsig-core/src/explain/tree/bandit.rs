//! Contextual bandits.

use serde::Serialize;

use super::{BucketTrace, SpecTrace, is_zero};

/// How a contextual bandit chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BanditChoice {
    /// Its targeting gate could not be evaluated to the end.
    #[default]
    Failed,
    /// It does not run, or has no arms: the default value.
    NotRunning,
    /// Its targeting gate keeps the user out: the default value.
    NotTargeted,
    /// It has learned nothing yet: by the user's bucket, in equal shares.
    EqualShares,
    /// The user's bucket is below the sample rate: drawn at random, by weight. Another evaluation
    /// may draw another arm.
    Explored,
    /// The arm that promises most, or least.
    Best,
    /// Nothing is known about any arm: drawn at random. Another evaluation may draw another arm.
    Random,
}

/// A contextual bandit.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct BanditTrace {
    /// How it chose.
    pub choice: BanditChoice,
    /// Whether the highest score wins, or the lowest.
    pub higher_is_better: bool,
    /// The gate that says whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targeting_gate: Option<Box<SpecTrace>>,
    /// The unit's bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketTrace>,
    /// Buckets below this one explore; `None` if it has learned nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explores_below: Option<f64>,
    /// The arms, in order; empty if none was to be chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmTrace>,
    /// Number of arms that are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub arms_left_out: usize,
}

/// What an arm of a bandit promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Score {
    /// Nothing was learned about it, or scores play no part.
    Unknown,
    /// It depends on a private attribute, and would tell it.
    Private,
    /// A number.
    #[serde(untagged)]
    Known(f64),
}

/// An arm of a bandit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArmTrace {
    /// Its name: the group's.
    pub name: String,
    /// Its rule ID.
    pub id: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// What it promises for this user.
    pub score: Score,
    /// Its weight in a draw, before scaling to a sum of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}
