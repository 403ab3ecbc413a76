//! The walk: the algorithm of `docs/protocol/evaluation.md#algorithm`, with a record of each step.
//!
//! Written from the document, not from the evaluator, in whose place it must be able to stand: each
//! evaluation has a [`State`] of its own with its own lists, results of gates are always remembered,
//! and buckets are hashed from whole texts. What the two share are leaves: operators, the packed
//! values, the bounds.

use std::collections::HashMap;
use std::rc::Rc;

use super::shown::Shown;
use super::state::{ExposureBudget, State};
use super::tree::{Cut, RuleOutcome, RuleTrace, SpecKind, SpecOutcome, SpecTrace};
use super::{LEVELS, NODES};
use crate::evaluate::{
    Abort, Call, ConfigValue, EvaluationContext, Exposed, Kind, MAX_CONDITIONS, MAX_DEPTH, MAX_FRAMES, MAX_STEPS,
    Recognition,
};
use crate::pattern::PatternBudget;
use crate::ruleset::{MaybeText, NO_INDEX, Rule, Ruleset, Spec, Text, well_known};

/// What is kept of a gate that another one asked.
#[derive(Debug)]
pub(super) struct Nested {
    pub(super) state: Box<State>,
    outcome: SpecOutcome,
    /// Whether its tree is in the explanation.
    shown: bool,
}

pub(super) struct Walker<'a> {
    pub(super) context: EvaluationContext<'a>,
    pub(super) ruleset: &'a Ruleset,
    pub(super) depth: u32,
    pub(super) frames: u32,
    steps: u32,
    conditions: u32,
    pub(super) patterns: PatternBudget,
    pub(super) budget: ExposureBudget,
    memo: HashMap<Text, Rc<Nested>>,
    pub(super) groups: HashMap<Text, Option<Text>>,
    /// What is being evaluated, outermost first.
    path: Vec<(Kind, String)>,
    nodes: usize,
    /// Levels at which nothing is shown.
    muted: u32,
    is_cut: bool,
}

/// Whether the rules go on.
enum Next {
    Rule,
    End,
}

impl<'a> Walker<'a> {
    pub(super) fn new(context: EvaluationContext<'a>) -> Self {
        Self {
            context,
            ruleset: context.snapshot.ruleset(),
            depth: 0,
            frames: 0,
            steps: 0,
            conditions: 0,
            patterns: PatternBudget::new(),
            budget: ExposureBudget::new(),
            memo: HashMap::new(),
            groups: HashMap::new(),
            path: Vec::new(),
            nodes: 0,
            muted: 0,
            is_cut: false,
        }
    }

    /// Asks for room for one more node of the tree.
    pub(super) fn node(&mut self) -> bool {
        let room = self.nodes < NODES;
        self.is_cut |= self.muted == 0 && !room;
        let shown = self.muted == 0 && room;
        self.nodes += usize::from(shown);
        shown
    }

    /// Whether something was too much to be shown.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether what is found is shown at all.
    pub(super) fn shows(&self) -> bool {
        self.muted == 0
    }

    /// Evaluates something that is not shown, unless `shown`.
    pub(super) fn showing<R>(&mut self, shown: bool, evaluate: impl FnOnce(&mut Self) -> R) -> R {
        self.muted += u32::from(!shown);
        let result = evaluate(self);
        self.muted -= u32::from(!shown);
        result
    }

    /// Counts conditions towards the limit of a check.
    pub(super) fn look_at(&mut self, conditions: usize) -> Result<(), Abort> {
        self.conditions = self.conditions.saturating_add(crate::ruleset::position(conditions));
        if self.conditions > MAX_CONDITIONS { Err(Abort::Exhausted) } else { Ok(()) }
    }

    pub(super) fn expose(&mut self, r: &mut State, exposures: &[Exposed]) {
        self.budget.append(&mut r.exposures, exposures);
    }

    pub(super) fn text(&self, text: Text) -> String {
        super::shown::cut(self.ruleset.str(text))
    }

    pub(super) fn maybe_text(&self, text: MaybeText) -> Option<String> {
        text.get().map(|text| self.text(text))
    }

    /// Evaluates a spec into `r`, and tells about it in `trace`.
    pub(super) fn evaluate(
        &mut self,
        r: &mut State,
        call: Call<'_>,
        trace: &mut SpecTrace,
    ) -> Result<Recognition, Abort> {
        trace.kind = call.kind.into();
        trace.name = super::shown::cut(call.name);
        trace.outcome = SpecOutcome::Failed;
        self.steps += 1;
        self.frames += 1;
        if self.steps > MAX_STEPS {
            return Err(Abort::Exhausted);
        }
        if self.frames > MAX_FRAMES {
            return Err(Abort::TooDeep);
        }
        let place = (call.kind, call.name.to_owned());
        let cut = if self.path.contains(&place) {
            Some(Cut::Cycle)
        } else if self.path.len() >= LEVELS {
            self.is_cut |= self.muted == 0;
            Some(Cut::Depth)
        } else {
            // The spec itself is a node, too.
            (!self.node() && self.muted == 0).then_some(Cut::Nodes)
        };
        trace.cut = cut;
        self.path.push(place);
        let end = self.showing(cut.is_none(), |walker| walker.evaluate_spec(r, call, trace));
        self.path.pop();
        let recognition = end?;
        self.frames -= 1;
        self.tell_result(r, call.kind, trace);
        Ok(recognition)
    }

    fn tell_result(&self, r: &State, kind: Kind, trace: &mut SpecTrace) {
        if r.unsupported {
            trace.outcome = SpecOutcome::Unsupported;
            return;
        }
        trace.passed = r.passed;
        trace.rule_id = self.rule_text(r);
        if kind != Kind::Gate && self.muted == 0 {
            trace.value = match &r.value {
                ConfigValue::None => None,
                ConfigValue::At(at) => Some(Shown::packed(self.ruleset.value(*at))),
                ConfigValue::Own(json) => Some(Shown::packed(json.view())),
            };
        }
    }

    /// The rule ID as results have it.
    pub(super) fn rule_text(&self, r: &State) -> String {
        let id = self.text(r.rule());
        if r.explored { format!("{id}:explore") } else { id }
    }

    fn evaluate_spec(&mut self, r: &mut State, call: Call<'_>, trace: &mut SpecTrace) -> Result<Recognition, Abort> {
        if self.overridden(r, call, trace) {
            trace.outcome = SpecOutcome::Overridden;
            return Ok(Recognition::Recognized);
        }
        let ruleset = self.ruleset;
        let spec = ruleset.spec(call.spec);
        if let Some(at) = ruleset.find_mapping(call.name)
            && self.mapped(r, &ruleset.mappings[at as usize], spec, call.kind, trace)?
        {
            trace.outcome = SpecOutcome::Mapped;
            return Ok(Recognition::Recognized);
        }
        if call.kind == Kind::Experiment
            && let Some(at) = ruleset.find_cmab(call.name)
        {
            self.bandit(r, &ruleset.cmabs[at as usize], trace)?;
            trace.outcome = SpecOutcome::Bandit;
            return Ok(Recognition::Recognized);
        }
        let Some(spec) = spec else {
            trace.outcome = SpecOutcome::Unrecognized;
            trace.malformed = ruleset.malformed(call.kind.section(), call.name).map(|spec| spec.reason.clone());
            return Ok(Recognition::Unrecognized);
        };
        trace.entity = Some(spec.entity.as_str());
        trace.enabled = Some(spec.enabled);
        trace.salt = Some(self.text(spec.salt));
        r.id_type = r.id_type.or(Some(spec.id_type));
        r.version = r.version.or(spec.version);
        if let Some(active) = spec.is_active {
            r.is_experiment_active = active;
        }
        if spec.explicit_parameters != NO_INDEX {
            r.explicit_parameters = Some(spec.explicit_parameters);
        }
        if spec.unsupported {
            r.unsupported = true;
        } else if call.kind == Kind::Layer && spec.merges_layers {
            self.merge(r, spec, trace)?;
        } else {
            self.follow_rules(r, spec, trace)?;
        }
        Ok(Recognition::Recognized)
    }

    fn follow_rules(&mut self, r: &mut State, spec: &'a Spec, trace: &mut SpecTrace) -> Result<(), Abort> {
        let rules = &self.ruleset.rules[spec.rules()];
        for (at, rule) in rules.iter().enumerate() {
            let shown = self.node();
            let mut told = self.rule_trace(rule, RuleOutcome::Failed, shown);
            let next = self.showing(shown, |walker| walker.try_rule(r, spec, rule, &mut told));
            attach(trace, told, shown);
            match next {
                Ok(Next::Rule) => {}
                end => {
                    self.not_reached(&rules[at + 1..], trace);
                    end?;
                    trace.outcome = SpecOutcome::Rule;
                    return Ok(());
                }
            }
        }
        trace.outcome = SpecOutcome::Default;
        r.value = ConfigValue::At(spec.default_value);
        r.passed = self.is_true(spec.default_value);
        r.rule_id = Some(if spec.enabled { well_known::DEFAULT } else { well_known::DISABLED });
        r.finalize();
        Ok(())
    }

    fn try_rule(&mut self, r: &mut State, spec: &Spec, rule: &'a Rule, told: &mut RuleTrace) -> Result<Next, Abort> {
        self.match_rule(r, rule, told)?;
        if r.unsupported {
            told.outcome = RuleOutcome::Unsupported;
            return Ok(Next::End);
        }
        if !r.passed {
            told.outcome = RuleOutcome::NoMatch;
            return Ok(Next::Rule);
        }
        if self.delegate(r, rule, told)? {
            told.outcome = RuleOutcome::Delegated;
            r.finalize();
            return Ok(Next::End);
        }
        if self.passes(rule, Some(spec), told) {
            told.outcome = RuleOutcome::Decided;
            r.value = ConfigValue::At(rule.value);
            r.passed = self.ruleset.value(rule.value).as_bool() != Some(false);
        } else {
            told.outcome = RuleOutcome::OutsidePercentage;
            r.value = ConfigValue::At(spec.default_value);
            r.passed = self.is_true(spec.default_value);
        }
        r.rule_id = Some(rule.id);
        r.group_name = rule.group_name.get();
        r.is_experiment_group = rule.is_experiment_group;
        r.is_experiment_active = spec.is_active.unwrap_or(false);
        r.finalize();
        Ok(Next::End)
    }

    fn is_true(&self, value: u32) -> bool {
        self.ruleset.value(value).as_bool() == Some(true)
    }

    /// On the heap, like all that an evaluation holds while it goes deeper: stacks are small.
    pub(super) fn rule_trace(&self, rule: &Rule, outcome: RuleOutcome, shown: bool) -> Box<RuleTrace> {
        if self.muted > 0 || !shown {
            return Box::default();
        }
        let mut trace = Box::<RuleTrace>::default();
        trace.id = self.text(rule.id);
        trace.group_name = self.maybe_text(rule.group_name);
        trace.outcome = outcome;
        trace
    }

    pub(super) fn not_reached(&mut self, rules: &[Rule], trace: &mut SpecTrace) {
        for (at, rule) in rules.iter().enumerate() {
            if !self.node() {
                trace.rules_left_out += rules.len() - at;
                break;
            }
            trace.rules.push(*self.rule_trace(rule, RuleOutcome::NotReached, true));
        }
    }

    /// A gate, one level down. Its exposures are in the state that is returned, not yet anywhere else.
    pub(super) fn nested(&mut self, gate: crate::ruleset::GateRef, trace: &mut SpecTrace) -> Result<Rc<Nested>, Abort> {
        let name = self.ruleset.str(gate.name);
        if let Some(known) = self.memo.get(&gate.name) {
            let known = Rc::clone(known);
            trace.name = super::shown::cut(name);
            trace.cut = Some(if known.shown { Cut::SeenBefore } else { Cut::Nodes });
            trace.outcome = known.outcome;
            self.tell_result(&known.state, Kind::Gate, trace);
            return Ok(known);
        }
        let mut state = Box::<State>::default();
        trace.name = super::shown::cut(name);
        trace.outcome = SpecOutcome::Failed;
        self.descend()?;
        self.evaluate(&mut state, Call { name, kind: Kind::Gate, spec: gate.spec }, trace)?;
        self.depth -= 1;
        let shown = self.muted == 0 && trace.cut.is_none();
        let nested = Rc::new(Nested { state, outcome: trace.outcome, shown });
        if !name.is_empty() {
            self.memo.insert(gate.name, Rc::clone(&nested));
        }
        Ok(nested)
    }

    pub(super) fn descend(&mut self) -> Result<(), Abort> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Abort::TooDeep) } else { Ok(()) }
    }
}

pub(super) fn attach(trace: &mut SpecTrace, rule: Box<RuleTrace>, shown: bool) {
    if shown {
        trace.rules.push(*rule);
    } else {
        trace.rules_left_out += 1;
    }
}

impl From<Kind> for SpecKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Gate => Self::Gate,
            Kind::DynamicConfig => Self::DynamicConfig,
            Kind::Experiment => Self::Experiment,
            Kind::Layer => Self::Layer,
        }
    }
}
