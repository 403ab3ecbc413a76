//! From a ruleset and a user to a result: the algorithm of `docs/protocol/evaluation.md#algorithm`.
//!
//! In: an [`EvaluationContext`], which borrows everything an evaluation depends on, and a name.
//! Out: an [`Outcome`] in terms of the ruleset's tables, which [`crate::results`] turns into what
//! applications see.
//!
//! Nothing here allocates on the way to a gate's value, takes a lock or can fail outward. The
//! evaluator is written once; its [`Tracer`] decides what is recorded on the way: nothing, secondary
//! exposures, or all that an explanation shows. With [`NoTrace`] the rules of [plain
//! specs](crate::ruleset::Spec::is_plain) are followed only until the value is known.

mod bandit;
mod condition;
mod context;
mod evaluator;
mod exposure_trace;
mod filter;
mod inputs;
mod layer;
mod local_override;
mod mapping;
mod nested;
mod operator;
mod outcome;
mod plain;
mod project;
mod random_numbers;
mod recent_conditions;
mod rules;
mod tracer;
mod user_value;

pub use context::EvaluationContext;
pub(crate) use evaluator::{Abort, Call, Evaluator, Kind, MAX_CONDITIONS, MAX_STEPS, Recognition};
pub(crate) use exposure_trace::ExposureTrace;
pub(crate) use filter::RuleFilter;
pub use outcome::SecondaryExposure;
pub(crate) use outcome::{ConfigValue, Decision, Exposed, Outcome, Undelegated};
pub(crate) use project::{ExposedSet, ProjectEvaluator, without_repeats};
pub(crate) use random_numbers::RandomNumbers;
pub(crate) use tracer::{ArmChoice, BanditEnd, CandidateEnd, LocalAnswer, NoTrace, Origin, RuleEnd, Tracer};
pub(crate) use user_value::Seen;

/// Levels of nested gates that an evaluation may reach; one more is an error.
pub(crate) const MAX_DEPTH: u32 = 64;

/// What the depth error says; part of the protocol.
pub(crate) const DEPTH_ERROR: &str = "Statsig Evaluation Depth Exceeded";
