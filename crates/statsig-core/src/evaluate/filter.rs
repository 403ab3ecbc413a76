//! Asking only some rules of an experiment, about users with an assignment.

use super::evaluator::{Abort, Evaluator};
use super::outcome::Outcome;
use super::tracer::Tracer;
use crate::ruleset::{Rule, Ruleset, Spec};

/// Which rules of an experiment are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleFilter {
    /// Those that leave users out.
    Targeting,
    /// Those that put users into groups by hand.
    Overrides,
}

impl RuleFilter {
    fn keeps(self, ruleset: &Ruleset, rule: &Rule) -> bool {
        let id = ruleset.str(rule.id);
        match self {
            Self::Targeting => id == "targetingGate" || id == "inlineTargetingRules",
            Self::Overrides => id.ends_with("override"),
        }
    }
}

impl<T: Tracer> Evaluator<'_, T> {
    /// Follows the rules that `filter` keeps; without any, nobody passes.
    pub(super) fn follow_filtered(&mut self, r: &mut Outcome, spec: &Spec, filter: RuleFilter) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        let mut kept = ruleset.rules[spec.rules()].iter().filter(|rule| filter.keeps(ruleset, rule)).peekable();
        if kept.peek().is_none() {
            r.passed = false;
            self.finalize(r, spec, None);
            return Ok(());
        }
        self.follow(r, spec, kept)
    }
}
