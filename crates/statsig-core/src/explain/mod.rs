//! Why an evaluation came out as it did.
//!
//! In: an [`EvaluationContext`] and a name. Out: an [`Explanation`]: the result, the exposure that
//! it would log, and a tree of every rule and condition that was looked at, with the value seen, the
//! operator, the target and the outcome. [`Display`](std::fmt::Display) makes text of it, `serde`
//! makes JSON, and [`Explanation::lines`] hands out the text in pieces with roles, for colours.
//!
//! The evaluator itself builds the tree: it runs with a tracer that
//! records its steps. The result is that of an evaluation without it. Both are compared, field by
//! field; if they ever differ, [`Explanation::disagrees`] says that the tree is not to be trusted.
//!
//! Private attributes never get in: neither their values, nor what is derived from them (a country,
//! a browser, a score), nor targets that repeat them. The outcome of a condition on them does.
//!
//! Trees are bounded, whatever the specs: 24 specs inside each other, 2,000 nodes, some hundred
//! bytes for a value. What is beyond is evaluated all the same and marked as cut.

mod arms;
mod buckets;
mod builder;
mod lines;
mod nodes;
mod outcomes;
mod render;
mod shown;
mod steps;
mod target;
mod tracer;
mod tree;
mod verdict;

use std::fmt;

use serde::Serialize;

pub use lines::{Line, Role, Span};
pub use shown::Shown;
pub use tree::{
    ArmTrace, BanditChoice, BanditTrace, BucketTrace, CandidateOutcome, CandidateTrace, ConditionOutcome,
    ConditionTrace, Cut, Observed, OverrideTrace, PercentageTrace, RuleOutcome, RuleTrace, Score, SpecKind,
    SpecOutcome, SpecTrace,
};
pub use verdict::{ExposedGate, ExposureTrace, ParameterTrace, Verdict};

use crate::evaluate::{Call, EvaluationContext, Evaluator, Kind, RandomNumbers};
use crate::results::Record;
use builder::{ExplanationTrace, Tree};
use statsig_adapters::FixedClock;
use verdict::Conclusion;

/// Specs inside each other that are shown.
const LEVELS: usize = 24;
/// Nodes of a tree: specs, rules, conditions, candidates, arms.
const NODES: usize = 2_000;
/// Stands in place of what would tell a private attribute.
const HIDDEN: &str = "(private)";

/// Why an evaluation came out as it did.
///
/// Plain data, detached from the ruleset and the user. `Display` gives readable text, indented, of
/// several lines, without colours and without a line break at the end; `serde` gives JSON with the
/// fields below. The text may change between versions, names in the JSON may only be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked for.
    pub kind: SpecKind,
    /// The name that was asked for.
    pub name: String,
    /// The result, exactly as an evaluation gives it.
    pub result: Verdict,
    /// What its exposure would say. Nothing is logged.
    pub exposure: ExposureTrace,
    /// How the result came about.
    pub trace: SpecTrace,
    /// Whether some part of the tree was too much to be shown.
    pub is_cut: bool,
    /// Whether the tree came to another result than the evaluation. This is an error in this library,
    /// or in an override adapter that changes its answers: `result` and `exposure` hold, `trace` is
    /// not to be trusted.
    pub disagrees: bool,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.lines().iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{line}")?;
        }
        Ok(())
    }
}

impl EvaluationContext<'_> {
    /// Explains the check of a gate.
    ///
    /// Takes some ten times as long as the check, and allocates; logs nothing. Explanations of
    /// names without a spec say so.
    #[must_use]
    pub fn explain_gate(&self, name: &str) -> Explanation {
        self.explain(Kind::Gate, name)
    }

    /// Explains the evaluation of a dynamic config; otherwise like [`Self::explain_gate`].
    #[must_use]
    pub fn explain_dynamic_config(&self, name: &str) -> Explanation {
        self.explain(Kind::DynamicConfig, name)
    }

    /// Explains the evaluation of an experiment; otherwise like [`Self::explain_gate`].
    ///
    /// A contextual bandit that explores draws at random: the explanation is that of one drawing.
    #[must_use]
    pub fn explain_experiment(&self, name: &str) -> Explanation {
        self.explain(Kind::Experiment, name)
    }

    /// Explains the evaluation of a layer, and where each parameter comes from; otherwise like
    /// [`Self::explain_gate`].
    #[must_use]
    pub fn explain_layer(&self, name: &str) -> Explanation {
        self.explain(Kind::Layer, name)
    }

    fn explain(&self, kind: Kind, name: &str) -> Explanation {
        // Both evaluations must see the same time and draw the same numbers.
        let clock = FixedClock(self.clock.now_ms());
        let random_numbers = match self.random_numbers {
            RandomNumbers::Seed(seed) => RandomNumbers::Seed(seed),
            _ => RandomNumbers::Seed(self.random_bits()),
        };
        let context = EvaluationContext { clock: &clock, random_numbers, ..*self };
        let call = Call::by_name(self.snapshot.ruleset(), name, kind);
        let untraced = Conclusion::of(Record::of(context, call, true), kind, self.user);
        let mut tree = Tree::default();
        let evaluator = Evaluator::new(context, ExplanationTrace::new(context));
        let record = Record::evaluate(evaluator, call, |tracer| tree = tracer.finish());
        let traced = Conclusion::of(record, kind, self.user);
        Explanation {
            kind: kind.into(),
            name: name.to_owned(),
            // Where both had to drop exposures, they need not have dropped the same.
            disagrees: traced.verdict != untraced.verdict
                || (!tree.has_dropped_exposures && traced.exposure != untraced.exposure),
            result: untraced.verdict,
            exposure: untraced.exposure,
            trace: tree.root,
            is_cut: tree.is_cut,
        }
    }
}

#[cfg(test)]
mod tests;
