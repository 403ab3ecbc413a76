//! The short way to a gate's value.
//!
//! Most gates cannot go wrong: nothing in their reach is unsupported, nests too deep or is looked
//! up by name ([`Spec::is_plain`](crate::ruleset::Spec::is_plain)). Of such a gate only the value is
//! wanted when nothing is recorded, so that its rules are followed just as far as needed: a rule
//! ends at the first condition that does not hold, and nested gates are asked the same way.

use super::evaluator::Evaluator;
use super::inputs::Inputs;
use super::operator::evaluate_test;
use super::outcome::Decision;
use super::tracer::NoTrace;
use crate::ruleset::{Input, NO_INDEX, Rule, Spec, well_known};

impl Inputs<'_> {
    /// A gate of which only the value is wanted, and whose rules may be followed only so far: see
    /// [`Spec::is_plain`](crate::ruleset::Spec::is_plain).
    pub(crate) fn plain_gate(&mut self, spec: &Spec) -> bool {
        self.plain_decision(spec).passed
    }

    /// Like [`Self::plain_gate`], with the rule that decided.
    #[inline]
    pub(crate) fn plain_decision(&mut self, spec: &Spec) -> Decision {
        let ruleset = self.ruleset;
        for rule in &ruleset.rules[spec.rules()] {
            if !self.plain_rule(rule) {
                continue;
            }
            if rule.delegate != NO_INDEX {
                return Evaluator::new(self.context, NoTrace).decision_of(spec);
            }
            let passed =
                if self.passes(rule, spec, &mut NoTrace) { !rule.value_is_false } else { spec.default_is_true };
            return Decision { passed, rule_id: rule.id, explored: false, sampling_rate: rule.sampling_rate };
        }
        let rule_id = if spec.enabled { well_known::DEFAULT } else { well_known::DISABLED };
        Decision { passed: spec.default_is_true, rule_id, ..Decision::NONE }
    }

    fn plain_gate_at(&mut self, gate: u32) -> bool {
        self.ruleset.spec(gate).is_some_and(|spec| self.plain_gate(spec))
    }

    /// Whether all conditions of a rule of a plain spec hold; stops at the first that does not.
    pub(super) fn plain_rule(&mut self, rule: &Rule) -> bool {
        if rule.matches_everybody {
            return true;
        }
        let ruleset = self.ruleset;
        for &at in &ruleset.rule_conditions[rule.conditions()] {
            let Some(condition) = ruleset.conditions.get(at as usize) else { return false };
            let holds = match &condition.input {
                Input::Public => true,
                Input::Gate { gate, expected } => self.plain_gate_at(gate.spec) == *expected,
                Input::AnyGate { gates, expected } => {
                    let mut any = false;
                    for gate in gates {
                        any = any || self.plain_gate_at(gate.spec) == *expected;
                    }
                    any
                }
                input => {
                    let seen = match *input {
                        // Most conditions; worth a call less.
                        Input::UserField { field } => self.user_field(field, &mut NoTrace),
                        _ => self.look_up(input, &mut NoTrace),
                    };
                    evaluate_test(ruleset, &condition.test, &seen, self.context.id_lists)
                }
            };
            if !holds {
                return false;
            }
        }
        true
    }
}
