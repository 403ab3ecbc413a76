//! Conditions: what is looked at.

use super::evaluator::{Abort, Evaluator};
use super::operator::{evaluate_test, matches_pattern, quick_test};
use super::outcome::Outcome;
use super::tracer::Tracer;
use super::user_value::Seen;
use crate::ruleset::{Condition, Input, Test};

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Returns whether a condition holds; `None` if it is unsupported.
    pub(super) fn condition(&mut self, r: &mut Outcome, condition: &'a Condition) -> Result<Option<bool>, Abort> {
        Ok(match &condition.input {
            Input::Public => Some(true),
            Input::Gate { gate, expected } => return self.nested_gate(r, *gate, *expected),
            Input::AnyGate { gates, expected } => return self.any_gate(r, gates, *expected),
            Input::Unsupported => None,
            Input::ExperimentGroup { experiment } => {
                let group = match experiment.get() {
                    Some(experiment) => self.experiment_group(experiment)?,
                    None => None,
                };
                let seen = group.map_or(Seen::Missing, |group| Seen::Text(self.ruleset.str(group)));
                self.test(condition, &seen)
            }
            Input::UserField { field } if !T::EXPLAINS => {
                let seen = self.inputs.user_field(*field, &mut self.tracer);
                match seen {
                    Seen::Text(text) => match quick_test(self.ruleset, &condition.test, text) {
                        Some(holds) => Some(holds),
                        None => self.test(condition, &seen),
                    },
                    _ => self.test(condition, &seen),
                }
            }
            input => {
                let seen = self.inputs.look_up(input, &mut self.tracer);
                self.test(condition, &seen)
            }
        })
    }

    fn test(&mut self, condition: &Condition, seen: &Seen<'_>) -> Option<bool> {
        self.tracer.looked_up(condition, seen);
        match &condition.test {
            Test::Unsupported => None,
            Test::PatternLimit => self.stop_at_pattern_limit(),
            Test::Matches(pattern) => match matches_pattern(pattern.as_deref(), seen, &mut self.inputs.patterns) {
                Some(found) => Some(found),
                None => self.stop_at_pattern_limit(),
            },
            test => Some(evaluate_test(self.ruleset, test, seen, self.inputs.context.id_lists)),
        }
    }

    /// Ends the evaluation like an unknown operator, and counts that.
    #[cold]
    fn stop_at_pattern_limit(&mut self) -> Option<bool> {
        self.tracer.pattern_limit();
        // An explanation evaluates twice, and counts once.
        if !T::EXPLAINS {
            self.inputs.context.snapshot.count_pattern_limit();
        }
        None
    }
}
