//! The tree of an explanation while it is being built.

use super::nodes::NodeBudget;
use super::shown::{Shown, cut};
use super::steps::{GateSummary, Node, OpenSpec, OpenStep, RememberedGates};
use super::target::Lookup;
use super::tree::{ConditionTrace, RuleOutcome, RuleTrace, SpecOutcome, SpecTrace};
use crate::evaluate::{ConfigValue, EvaluationContext, ExposureTrace, Kind, Outcome, Tracer};
use crate::ruleset::{MaybeText, Rule, Ruleset, Text};

/// Collects exposures, and builds the tree of an explanation.
pub(super) struct ExplanationTrace<'a> {
    pub(super) context: EvaluationContext<'a>,
    pub(super) ruleset: &'a Ruleset,
    pub(super) exposures: ExposureTrace,
    pub(super) budget: NodeBudget,
    /// Steps that were entered and not left, outermost first.
    pub(super) steps: Vec<OpenStep>,
    /// Specs among them, outermost first.
    pub(super) path: Vec<(Kind, String)>,
    /// The gate that was left last.
    pub(super) last_gate: Option<GateSummary>,
    pub(super) remembered: RememberedGates,
    /// What is known of the value that is being looked up.
    pub(super) lookup: Lookup,
    /// Scores of the bandit that was entered last, in the order of [`Cmab::weights`], and whether a
    /// private attribute has a part in them.
    pub(super) scores: Vec<Option<(f64, bool)>>,
    pub(super) root: SpecTrace,
}

/// The tree of an explanation.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: SpecTrace,
    /// Whether some part was too much to be shown.
    pub(super) is_cut: bool,
    /// Whether exposures were dropped because there were too many.
    pub(super) has_dropped_exposures: bool,
}

impl<'a> ExplanationTrace<'a> {
    pub(super) fn new(context: EvaluationContext<'a>) -> Self {
        Self {
            context,
            ruleset: context.snapshot.ruleset(),
            exposures: ExposureTrace::default(),
            budget: NodeBudget::default(),
            steps: Vec::new(),
            path: Vec::new(),
            last_gate: None,
            remembered: RememberedGates::default(),
            lookup: Lookup::default(),
            scores: Vec::new(),
            root: SpecTrace::default(),
        }
    }

    /// Returns what was recorded, once the evaluation has ended.
    pub(super) fn finish(mut self) -> Tree {
        self.unwind(0);
        Tree { root: self.root, is_cut: self.budget.is_cut(), has_dropped_exposures: self.exposures.is_incomplete() }
    }

    pub(super) fn text(&self, text: Text) -> String {
        cut(self.ruleset.str(text))
    }

    pub(super) fn maybe_text(&self, text: MaybeText) -> Option<String> {
        text.get().map(|text| self.text(text))
    }

    pub(super) fn enter(&mut self, node: Node, shown: bool) {
        self.budget.enter(shown);
        self.steps.push(OpenStep { node, shown });
    }

    /// Takes the innermost step off, to be added to the tree.
    pub(super) fn leave(&mut self) -> Option<OpenStep> {
        let mut step = self.steps.pop()?;
        if let Node::Spec(spec) = &mut step.node {
            // Before the level is left: inside a hidden spec they are hidden, too.
            self.add_rules_left(spec);
            self.path.pop();
        }
        self.budget.leave(step.shown);
        Some(step)
    }

    /// Adds the rules that were not reached.
    pub(super) fn add_rules_left(&mut self, spec: &mut OpenSpec) {
        let rules = self.ruleset.rules.get(spec.rules_left.clone()).unwrap_or_default();
        for (at, rule) in rules.iter().enumerate() {
            if !self.budget.take() {
                spec.trace.rules_left_out += rules.len() - at;
                break;
            }
            spec.trace.rules.push(self.rule_trace(rule, RuleOutcome::NotReached));
        }
    }

    pub(super) fn rule_trace(&self, rule: &Rule, outcome: RuleOutcome) -> RuleTrace {
        RuleTrace {
            id: self.text(rule.id),
            group_name: self.maybe_text(rule.group_name),
            outcome,
            ..RuleTrace::default()
        }
    }

    /// Adds a step to the one around it.
    pub(super) fn attach(&mut self, step: OpenStep) {
        let shown = step.shown;
        let around = self.steps.last_mut().map(|step| &mut step.node);
        match (step.node, around) {
            (Node::Spec(spec), Some(around)) => around.add_spec(spec.trace),
            (Node::Spec(spec), None) => self.root = spec.trace,
            (Node::Rule(rule), Some(Node::Spec(spec))) => spec.add_rule(*rule, shown),
            (Node::Rule(rule), Some(Node::Candidate(candidate))) => candidate.rule = Some(*rule),
            (Node::Condition(condition), Some(Node::Rule(rule))) if shown => rule.conditions.push(*condition),
            (Node::Condition(_), Some(Node::Rule(rule))) => rule.conditions_left_out += 1,
            (Node::Alternative(Some(asked)), Some(Node::Condition(condition))) if shown => {
                condition.asked.push(*asked);
            }
            (Node::Candidate(candidate), Some(Node::Spec(spec))) => spec.add_candidate(*candidate, shown),
            (Node::Bandit(bandit), Some(Node::Spec(spec))) => {
                spec.trace.bandit = Some(bandit);
                spec.outcome = Some(SpecOutcome::Bandit);
            }
            // The evaluator nests steps in no other way.
            _ => {}
        }
    }

    /// Returns the spec around the innermost step, if that is a spec.
    pub(super) fn spec(&mut self) -> Option<&mut OpenSpec> {
        match self.steps.last_mut() {
            Some(OpenStep { node: Node::Spec(spec), .. }) => Some(spec),
            _ => None,
        }
    }

    /// Returns the rule that was entered, if it is shown.
    pub(super) fn rule(&mut self) -> Option<&mut RuleTrace> {
        match self.steps.last_mut() {
            Some(OpenStep { node: Node::Rule(rule), .. }) if self.budget.shows() => Some(rule),
            _ => None,
        }
    }

    /// Returns the condition that was entered, if it is shown.
    pub(super) fn condition(&mut self) -> Option<&mut ConditionTrace> {
        match self.steps.last_mut() {
            Some(OpenStep { node: Node::Condition(condition), .. }) if self.budget.shows() => Some(condition),
            _ => None,
        }
    }

    pub(super) fn record_result(&self, trace: &mut SpecTrace, outcome: &Outcome, kind: Kind) {
        if outcome.unsupported {
            trace.outcome = SpecOutcome::Unsupported;
            return;
        }
        trace.passed = outcome.passed;
        let rule_id = self.text(outcome.rule_id);
        trace.rule_id = if outcome.explored { format!("{rule_id}:explore") } else { rule_id };
        if kind != Kind::Gate && self.budget.shows() {
            trace.value = match &outcome.value {
                ConfigValue::None => None,
                ConfigValue::At(at) => Some(Shown::packed(self.ruleset.value(*at))),
                ConfigValue::Own(json) => Some(Shown::packed(json.view())),
            };
        }
    }
}
