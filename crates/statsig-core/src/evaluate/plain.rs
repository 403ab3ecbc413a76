//! The short way to a gate's value.
//!
//! Most gates cannot go wrong: nothing in their reach is unsupported, nests too deep or is looked
//! up by name ([`Spec::is_plain`](crate::ruleset::Spec::is_plain)). Of such a gate only the value is
//! wanted when nothing is recorded, so that its rules are followed just as far as needed: a rule
//! ends at the first condition that does not hold, and nested gates are asked the same way.

use super::context::EvaluationContext;
use super::evaluator::Evaluator;
use super::inputs::Inputs;
use super::operator::{evaluate_test, evaluate_text_test};
use super::outcome::Decision;
use super::tracer::NoTrace;
use super::user_value::Seen;
use crate::ruleset::{Condition, Input, NO_INDEX, Rule, Ruleset, Spec, well_known};

impl EvaluationContext<'_> {
    /// Decides a plain gate: see [`Spec::is_plain`](crate::ruleset::Spec::is_plain).
    #[inline]
    pub(crate) fn plain_decision(&self, spec: &Spec) -> Decision {
        let ruleset = self.snapshot.ruleset();
        // Public gates and rollouts look at no field.
        if let Some(rule) = ruleset.rules.get(spec.rules_start as usize)
            && spec.rules_len > 0
            && rule.matches_everybody
            && rule.delegate == NO_INDEX
        {
            return self.decided_by(ruleset, rule, spec);
        }
        Inputs::new(*self).plain_decision(spec)
    }

    /// Decides a plain gate by a rule whose conditions hold.
    #[inline]
    fn decided_by(&self, ruleset: &Ruleset, rule: &Rule, spec: &Spec) -> Decision {
        let passed =
            if self.passes(ruleset, rule, spec, &mut NoTrace) { !rule.value_is_false } else { spec.default_is_true };
        Decision { passed, rule_id: rule.id, explored: false, sampling_rate: rule.sampling_rate }
    }
}

impl<'a> Inputs<'a> {
    fn plain_decision(&mut self, spec: &Spec) -> Decision {
        match self.deciding_rule(spec) {
            Some(rule) if rule.delegate != NO_INDEX => Evaluator::new(self.context, NoTrace).decision_of(spec),
            Some(rule) => self.context.decided_by(self.ruleset, rule, spec),
            None => {
                let rule_id = if spec.enabled { well_known::DEFAULT } else { well_known::DISABLED };
                Decision { passed: spec.default_is_true, rule_id, ..Decision::NONE }
            }
        }
    }

    /// Returns the value of a plain gate that a condition asks.
    fn plain_gate_at(&mut self, gate: u32) -> bool {
        let Some(spec) = self.ruleset.spec(gate) else { return false };
        match self.deciding_rule(spec) {
            Some(rule) if rule.delegate != NO_INDEX => self.plain_decision(spec).passed,
            Some(rule) if self.passes(rule, spec, &mut NoTrace) => !rule.value_is_false,
            Some(_) | None => spec.default_is_true,
        }
    }

    /// Returns the first rule of a plain spec whose conditions hold.
    #[inline]
    fn deciding_rule(&mut self, spec: &Spec) -> Option<&'a Rule> {
        let ruleset = self.ruleset;
        ruleset.rules.get(spec.rules())?.iter().find(|rule| self.plain_rule(rule))
    }

    /// Returns whether all conditions of a rule of a plain spec hold; stops at the first that does not.
    #[inline]
    pub(super) fn plain_rule(&mut self, rule: &Rule) -> bool {
        if rule.matches_everybody {
            return true;
        }
        let conditions = self.ruleset.rule_conditions.get(rule.conditions()).unwrap_or_default();
        conditions.iter().all(|&at| match self.recent.get(at) {
            Some(holds) => holds,
            None => self.plain_condition(at),
        })
    }

    /// Returns whether a condition of a plain spec holds, and remembers that.
    #[inline(never)]
    fn plain_condition(&mut self, at: u32) -> bool {
        let ruleset = self.ruleset;
        let Some(condition) = ruleset.conditions.get(at as usize) else { return false };
        let holds = match &condition.input {
            // Most conditions.
            Input::UserField { field } => match self.user_field(*field, &mut NoTrace) {
                Seen::Text(text) => evaluate_text_test(ruleset, &condition.test, text, self.context.id_lists),
                seen => evaluate_test(ruleset, &condition.test, &seen, self.context.id_lists),
            },
            Input::Public => true,
            Input::Gate { gate, expected } => self.plain_gate_at(gate.spec) == *expected,
            Input::AnyGate { gates, expected } => gates.iter().any(|gate| self.plain_gate_at(gate.spec) == *expected),
            _ => self.plain_test(condition),
        };
        self.recent.insert(at, holds);
        holds
    }

    /// Looks the value of a condition up and applies its operator.
    #[inline(never)]
    fn plain_test(&mut self, condition: &Condition) -> bool {
        let seen = self.look_up(&condition.input, &mut NoTrace);
        evaluate_test(self.ruleset, &condition.test, &seen, self.context.id_lists)
    }
}
