//! Conditions: what is looked at.

use super::evaluator::{Abort, Evaluator};
use super::operator::{evaluate_test, matches_pattern};
use super::outcome::Outcome;
use super::user_value::Seen;
use crate::ruleset::{Condition, Input, Test};

impl<'a, const RECORD: bool> Evaluator<'a, RECORD> {
    /// Sets `passed`, or `unsupported` without touching `passed`.
    pub(super) fn condition(&mut self, r: &mut Outcome, condition: &'a Condition) -> Result<(), Abort> {
        match &condition.input {
            Input::Public => r.passed = true,
            Input::Gate { gate, expected } => return self.nested_gate(r, *gate, *expected),
            Input::AnyGate { gates, expected } => return self.any_gate(r, gates, *expected),
            Input::Unsupported => r.unsupported = true,
            Input::ExperimentGroup { experiment } => {
                let group = match experiment.get() {
                    Some(experiment) => self.experiment_group(experiment)?,
                    None => None,
                };
                let seen = group.map_or(Seen::Missing, |group| Seen::Text(self.ruleset.str(group)));
                self.test(r, condition, &seen);
            }
            input => {
                let seen = self.inputs.look_up(input);
                self.test(r, condition, &seen);
            }
        }
        Ok(())
    }

    fn test(&mut self, r: &mut Outcome, condition: &Condition, seen: &Seen<'_>) {
        match &condition.test {
            Test::Unsupported => r.unsupported = true,
            Test::PatternLimit => self.stop_at_pattern_limit(r),
            Test::Matches(pattern) => match matches_pattern(pattern.as_deref(), seen, &mut self.inputs.patterns) {
                Some(found) => r.passed = found,
                None => self.stop_at_pattern_limit(r),
            },
            test => r.passed = evaluate_test(self.ruleset, test, seen, self.inputs.context.id_lists),
        }
    }

    /// Ends the evaluation like an unknown operator, and counts that.
    #[cold]
    fn stop_at_pattern_limit(&self, r: &mut Outcome) {
        r.unsupported = true;
        self.inputs.context.snapshot.count_pattern_limit();
    }

    /// Several gates, of which one must be as expected; the first that is ends it.
    fn any_gate(&mut self, r: &mut Outcome, gates: &[crate::ruleset::GateRef], expected: bool) -> Result<(), Abort> {
        self.look_at(crate::ruleset::position(gates.len()))?;
        let mut any = false;
        for gate in gates {
            let from = self.exposures.len();
            let mut one = Outcome::new(self.position());
            self.nested_gate(&mut one, *gate, expected)?;
            if one.unsupported {
                r.unsupported = true;
                return Ok(());
            }
            // Only the gates themselves are exposed, not what is inside them.
            let own = self.exposures.last().copied().filter(|_| !gate.is_segment && !one.rule_id.is_empty());
            self.exposures.truncate(from);
            self.exposures.extend(own);
            r.seen_analytical |= one.seen_analytical;
            if one.passed {
                any = true;
                break;
            }
        }
        r.passed = any;
        Ok(())
    }
}
