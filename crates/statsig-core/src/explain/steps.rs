//! Steps of an evaluation that are being recorded, and how they become parts of a tree.

use std::ops::Range;

use super::tree::{
    BanditTrace, CandidateOutcome, CandidateTrace, ConditionTrace, RuleOutcome, RuleTrace, SpecOutcome, SpecTrace,
};
use crate::evaluate::Kind;
use crate::ruleset::{Spec, Text};

/// A step that was entered and not yet left.
///
/// The traces lie on the heap; an evaluation that is recorded needs no more stack than another.
#[derive(Debug)]
pub(super) struct OpenStep {
    pub(super) node: Node,
    /// Whether the step is part of the tree.
    pub(super) shown: bool,
}

/// What a step adds to the tree.
#[derive(Debug)]
pub(super) enum Node {
    Spec(Box<OpenSpec>),
    Rule(Box<RuleTrace>),
    Condition(Box<ConditionTrace>),
    /// One gate of a condition on several.
    Alternative(Option<Box<SpecTrace>>),
    Candidate(Box<CandidateTrace>),
    Bandit(Box<BanditTrace>),
}

/// A spec that is being evaluated.
#[derive(Debug)]
pub(super) struct OpenSpec {
    pub(super) trace: SpecTrace,
    pub(super) kind: Kind,
    /// Outcome, if it is not that a rule decides.
    pub(super) outcome: Option<SpecOutcome>,
    /// Positions of the rules that were not entered; empty unless one was.
    pub(super) rules_left: Range<usize>,
    /// Positions of the rules that were not entered.
    rules: Range<usize>,
    /// Positions in [`SpecTrace::rules`] of the rules that contribute to a merging layer; `None` for
    /// those that are not shown.
    pub(super) contributions: Vec<Option<usize>>,
}

impl OpenSpec {
    pub(super) fn new(trace: SpecTrace, kind: Kind) -> Self {
        Self { trace, kind, outcome: None, rules: 0..0, rules_left: 0..0, contributions: Vec::new() }
    }

    /// Notes that the rules of a spec are going to decide.
    pub(super) fn found(&mut self, spec: &Spec, salt: String) {
        self.trace.entity = Some(spec.entity.as_str());
        self.trace.enabled = Some(spec.enabled);
        self.trace.salt = Some(salt);
        self.rules = spec.rules();
    }

    /// Notes that the next rule is entered.
    pub(super) fn enter_rule(&mut self) {
        self.rules.next();
        self.rules_left = self.rules.clone();
    }

    /// Adds a rule, after those that were entered before.
    pub(super) fn add_rule(&mut self, rule: RuleTrace, shown: bool) {
        if rule.outcome == RuleOutcome::Contributed {
            self.contributions.push(shown.then_some(self.trace.rules.len()));
        }
        if shown {
            self.trace.rules.push(rule);
        } else {
            self.trace.rules_left_out += 1;
        }
    }

    /// Adds a candidate of a config mapping.
    pub(super) fn add_candidate(&mut self, candidate: CandidateTrace, shown: bool) {
        if candidate.outcome == CandidateOutcome::Taken {
            self.outcome = Some(SpecOutcome::Mapped);
        }
        if shown {
            self.trace.mappings.push(candidate);
        }
    }
}

impl Node {
    /// Adds the tree of a spec that this step asked.
    pub(super) fn add_spec(&mut self, spec: SpecTrace) {
        match self {
            Self::Rule(rule) => rule.delegate = Some(Box::new(spec)),
            Self::Condition(condition) => condition.asked.push(spec),
            Self::Alternative(asked) => *asked = Some(Box::new(spec)),
            Self::Candidate(candidate) => candidate.config = Some(Box::new(spec)),
            Self::Bandit(bandit) => bandit.targeting_gate = Some(Box::new(spec)),
            // A spec asks others through one of the above.
            Self::Spec(_) => {}
        }
    }
}

/// What is kept of a remembered gate, to show it again in short.
#[derive(Debug, Clone)]
pub(super) struct GateSummary {
    pub(super) outcome: SpecOutcome,
    pub(super) passed: bool,
    pub(super) rule_id: String,
    /// Whether its tree is in the explanation.
    pub(super) shown: bool,
}

/// Gates whose evaluation is remembered, by name.
pub(super) type RememberedGates = std::collections::HashMap<Text, GateSummary, foldhash::fast::FixedState>;
