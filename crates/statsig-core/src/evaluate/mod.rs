//! From a ruleset and a user to a result: the algorithm of `docs/protocol/evaluation.md#algorithm`.
//!
//! In: an [`EvaluationContext`], which borrows everything an evaluation depends on, and a name.
//! Out: an [`Outcome`] in terms of the ruleset's tables, which [`crate::results`] turns into what
//! applications see.
//!
//! Nothing here allocates on the way to a gate's value, takes a lock or can fail outward. There are
//! two ways through the same code: a *recording* one that visits every condition and keeps the
//! exposures of nested gates, and a plain one that stops as soon as the value is known.

mod bandit;
mod condition;
mod context;
mod evaluator;
mod filter;
mod inputs;
mod layer;
mod operator;
mod outcome;
mod plain;
mod project;
mod user_value;

pub(crate) use bandit::random;
pub use context::{EvaluationContext, EvaluationSettings};
pub(crate) use evaluator::{
    Abort, Call, Evaluator, Kind, MAX_CONDITIONS, MAX_EXPOSURES, MAX_FRAMES, MAX_STEPS, Recognition,
};
pub(crate) use filter::RuleFilter;
pub(crate) use inputs::Inputs;
pub(crate) use operator::{evaluate_test, matches_pattern};
pub use outcome::SecondaryExposure;
pub(crate) use outcome::{ConfigValue, Decision, Exposed, Outcome, Undelegated};
pub(crate) use project::{ProjectEvaluator, without_repeats};
pub(crate) use user_value::Seen;

/// Levels of nested gates that an evaluation may reach; one more is an error.
pub(crate) const MAX_DEPTH: u32 = 64;

/// What the depth error says; part of the protocol.
pub(crate) const DEPTH_ERROR: &str = "Statsig Evaluation Depth Exceeded";
