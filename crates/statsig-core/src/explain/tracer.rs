//! The tracer that builds the tree of an explanation from the steps of the evaluator.

use super::builder::ExplanationTrace;
use super::shown::{Shown, cut};
use super::steps::{GateSummary, Node, OpenSpec};
use super::target::{self, Lookup};
use super::tree::{
    BanditTrace, CandidateTrace, ConditionOutcome, ConditionTrace, Cut, OverrideTrace, PercentageTrace, RuleOutcome,
    RuleTrace, SpecOutcome, SpecTrace,
};
use super::{LEVELS, arms, buckets};
use crate::evaluate::{
    BanditEnd, Call, CandidateEnd, ExposureTrace, Kind, LocalAnswer, Origin, Outcome, Recognition, RuleEnd, Seen,
    Tracer,
};
use crate::ruleset::{Cmab, Condition, Input, MappingCandidate, Pass, Rule, Spec, Text};

/// Names of parameters that are listed for a rule.
const NAMES: usize = 64;

impl Tracer for ExplanationTrace<'_> {
    const EXPOSES: bool = true;
    const EXPLAINS: bool = true;

    fn exposures(&self) -> Option<&ExposureTrace> {
        Some(&self.exposures)
    }

    fn exposures_mut(&mut self) -> Option<&mut ExposureTrace> {
        Some(&mut self.exposures)
    }

    fn open_steps(&self) -> usize {
        self.steps.len()
    }

    fn unwind(&mut self, open: usize) {
        while self.steps.len() > open {
            if let Some(step) = self.leave() {
                self.attach(step);
            }
        }
    }

    fn enter_spec(&mut self, call: Call<'_>) {
        let place = (call.kind, call.name.to_owned());
        let cut_as = if self.path.contains(&place) {
            Some(Cut::Cycle)
        } else if self.path.len() >= LEVELS {
            self.budget.cut_level();
            Some(Cut::Depth)
        } else {
            // The spec itself is a node, too.
            (!self.budget.take() && self.budget.shows()).then_some(Cut::Nodes)
        };
        let trace = SpecTrace {
            kind: call.kind.into(),
            name: cut(call.name),
            outcome: SpecOutcome::Failed,
            cut: cut_as,
            ..SpecTrace::default()
        };
        self.path.push(place);
        self.enter(Node::Spec(Box::new(OpenSpec::new(trace, call.kind))), cut_as.is_none());
    }

    fn found_spec(&mut self, spec: &Spec) {
        let salt = self.text(spec.salt);
        if let Some(open) = self.spec() {
            open.found(spec, salt);
        }
    }

    fn default_decides(&mut self) {
        if let Some(spec) = self.spec() {
            spec.outcome = Some(SpecOutcome::Default);
        }
    }

    fn leave_spec(&mut self, outcome: &Outcome, recognition: Recognition) {
        let named = self.path.last().filter(|_| recognition == Recognition::Unrecognized);
        let malformed = named.and_then(|(kind, name)| self.ruleset.malformed(kind.section(), name));
        let malformed = malformed.map(|spec| spec.reason.clone());
        let Some(mut step) = self.leave() else { return };
        if let Node::Spec(spec) = &mut step.node {
            let kind = spec.kind;
            spec.trace.outcome = match recognition {
                Recognition::Unrecognized => SpecOutcome::Unrecognized,
                Recognition::Recognized => spec.outcome.unwrap_or(SpecOutcome::Rule),
            };
            spec.trace.malformed = malformed;
            self.record_result(&mut spec.trace, outcome, kind);
            self.last_gate = (kind == Kind::Gate).then(|| GateSummary {
                outcome: spec.trace.outcome,
                passed: spec.trace.passed,
                rule_id: spec.trace.rule_id.clone(),
                shown: self.budget.shows() && spec.trace.cut.is_none(),
            });
        }
        self.attach(step);
    }

    fn local_override(&mut self, answer: LocalAnswer<'_>) {
        let Some(spec) = self.spec() else { return };
        spec.outcome = Some(SpecOutcome::Overridden);
        spec.trace.local_override = Some(match answer {
            LocalAnswer::Gate(value) => OverrideTrace::Value(Shown::value(value)),
            LocalAnswer::Value(value) => OverrideTrace::Value(Shown::packed(value.view())),
            LocalAnswer::Group(group) => OverrideTrace::Group(cut(group)),
        });
    }

    fn enter_rule(&mut self, rule: &Rule) {
        // The rule of a candidate is shown with it.
        let shown = match self.spec() {
            Some(spec) => {
                spec.enter_rule();
                self.budget.take()
            }
            None => true,
        };
        let trace = if shown && self.budget.shows() {
            self.rule_trace(rule, RuleOutcome::Failed)
        } else {
            RuleTrace { outcome: RuleOutcome::Failed, ..RuleTrace::default() }
        };
        self.enter(Node::Rule(Box::new(trace)), shown);
    }

    fn percentage(&mut self, rule: &Rule, salted_by: Option<&Spec>, bucket: Option<u64>, passes: bool) {
        if !self.budget.shows() {
            return;
        }
        let bucket = bucket.map(|bucket| {
            let spec_salt = salted_by.map_or("", |spec| self.ruleset.str(spec.salt));
            let salt = format!("{spec_salt}.{}", self.ruleset.str(rule.salt));
            buckets::trace(&self.context, bucket, 10_000, &salt, rule.unit)
        });
        let passes_below = match rule.pass {
            Pass::Below { threshold, .. } => Some(threshold),
            Pass::Nobody | Pass::Everybody => None,
        };
        let percent = rule.pass_percentage;
        if let Some(trace) = self.rule() {
            trace.percentage = Some(PercentageTrace { percent, passes, bucket, passes_below });
        }
    }

    fn leave_rule(&mut self, end: RuleEnd) {
        let Some(mut step) = self.leave() else { return };
        if let Node::Rule(rule) = &mut step.node {
            rule.outcome = end.into();
        }
        self.attach(step);
    }

    fn parameter(&mut self, contribution: usize, name: &str) {
        let Some(spec) = self.spec() else { return };
        let at = spec.contributions.get(contribution).copied().flatten();
        if let Some(rule) = at.and_then(|at| spec.trace.rules.get_mut(at))
            && rule.parameters.len() < NAMES
        {
            rule.parameters.push(cut(name));
        }
    }

    fn enter_condition(&mut self, condition: Option<&Condition>) {
        self.lookup = Lookup::default();
        let shown = self.budget.take();
        let mut trace = ConditionTrace { outcome: ConditionOutcome::Failed, ..ConditionTrace::default() };
        match condition {
            Some(condition) if shown => {
                trace.id = self.text(condition.id);
                trace.condition_type = self.text(condition.type_name);
                trace.field = self.maybe_text(condition.field_name);
                trace.operator = self.maybe_text(condition.operator).filter(|_| condition.has_operator());
            }
            Some(_) => {}
            None => "missing".clone_into(&mut trace.condition_type),
        }
        self.enter(Node::Condition(Box::new(trace)), shown);
    }

    fn origin(&mut self, origin: Origin) {
        self.lookup.origin = Some(origin);
    }

    fn private_value(&mut self) {
        self.lookup.is_private = true;
    }

    fn looked_up(&mut self, condition: &Condition, seen: &Seen<'_>) {
        let lookup = std::mem::take(&mut self.lookup);
        if !self.budget.shows() {
            return;
        }
        let (context, ruleset) = (self.context, self.ruleset);
        let Some(trace) = self.condition() else { return };
        trace.origin = lookup.origin.map(target::origin);
        trace.seen = Some(target::observed(seen, lookup.is_private));
        trace.target = target::shown(ruleset, &condition.test, seen, lookup.is_private);
        match (&condition.input, seen) {
            (Input::UserBucket { prefix, unit }, Seen::Number(bucket)) => {
                let prefix = ruleset.prefixes.get(*prefix as usize);
                let salt = prefix.map(|prefix| prefix.salt(&ruleset.text)).unwrap_or_default();
                trace.bucket = Some(buckets::trace(&context, bucket.cast_unsigned(), 1_000, &salt, *unit));
            }
            (Input::UnitId { unit }, _) => {
                let name = ruleset.unit_types.get(*unit as usize).map(|unit| cut(ruleset.str(unit.name)));
                trace.field = name.or_else(|| trace.field.take());
            }
            _ => {}
        }
    }

    fn pattern_limit(&mut self) {
        if let Some(condition) = self.condition() {
            condition.limit = Some("pattern limit");
        }
    }

    fn leave_condition(&mut self, holds: Option<bool>) {
        let Some(mut step) = self.leave() else { return };
        if let Node::Condition(condition) = &mut step.node {
            condition.outcome = match holds {
                None => ConditionOutcome::Unsupported,
                Some(true) => ConditionOutcome::Pass,
                Some(false) => ConditionOutcome::Fail,
            };
        }
        self.attach(step);
    }

    fn enter_alternative(&mut self) {
        let shown = self.budget.take();
        self.enter(Node::Alternative(None), shown);
    }

    fn leave_alternative(&mut self) {
        if let Some(step) = self.leave() {
            self.attach(step);
        }
    }

    fn remember_gate(&mut self, gate: Text) {
        if let Some(summary) = self.last_gate.take() {
            self.remembered.insert(gate, summary);
        }
    }

    fn recall_gate(&mut self, gate: Text) {
        let Some(summary) = self.remembered.get(&gate).cloned() else { return };
        let trace = SpecTrace {
            name: self.text(gate),
            outcome: summary.outcome,
            passed: summary.passed,
            rule_id: summary.rule_id,
            cut: Some(if summary.shown { Cut::SeenBefore } else { Cut::Nodes }),
            ..SpecTrace::default()
        };
        if let Some(step) = self.steps.last_mut() {
            step.node.add_spec(trace);
        }
    }

    fn enter_candidate(&mut self, candidate: &MappingCandidate) {
        let shown = self.budget.take();
        let trace = CandidateTrace {
            new_config: self.text(candidate.new_config),
            start_time: candidate.start_time,
            ..CandidateTrace::default()
        };
        self.enter(Node::Candidate(Box::new(trace)), shown);
    }

    fn leave_candidate(&mut self, end: CandidateEnd) {
        let Some(mut step) = self.leave() else { return };
        if let Node::Candidate(candidate) = &mut step.node {
            candidate.outcome = end.into();
        }
        self.attach(step);
    }

    fn enter_bandit(&mut self, cmab: &Cmab) {
        self.scores.clear();
        self.lookup = Lookup::default();
        let trace = BanditTrace { higher_is_better: cmab.higher_is_better, ..BanditTrace::default() };
        self.enter(Node::Bandit(Box::new(trace)), true);
    }

    fn scored(&mut self, score: Option<f64>) {
        let lookup = std::mem::take(&mut self.lookup);
        self.scores.push(score.map(|score| (score, lookup.is_private)));
    }

    fn leave_bandit(&mut self, cmab: &Cmab, end: BanditEnd) {
        // Scores may have been computed once more for the choice; a condition that asks for the group comes next.
        self.lookup = Lookup::default();
        let Some(mut step) = self.leave() else { return };
        if let Node::Bandit(bandit) = &mut step.node {
            arms::conclude(bandit, &self.context, &mut self.budget, cmab, end, &self.scores);
        }
        self.attach(step);
    }
}

impl Condition {
    /// Whether its operator has a say.
    fn has_operator(&self) -> bool {
        !matches!(self.input, Input::Public | Input::Gate { .. } | Input::AnyGate { .. })
    }
}
