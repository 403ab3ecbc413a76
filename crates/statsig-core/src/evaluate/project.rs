//! Evaluating all of a project for one user.
//!
//! Most specs ask the same few gates: holdouts, targeting gates, segments. Here each of them is
//! evaluated once, and its result is shared by all that ask: wherever a gate is asked from, it gives
//! the same result and the same exposures, unless cycles, chains that are too deep or look-ups by
//! name are in reach ([`Spec::shares_gates`](crate::ruleset::Spec::shares_gates)). Specs that reach
//! such a thing are evaluated as they are on their own, so that they end as they would there.
//!
//! Exposures of nested gates lose their repetitions here, which keeps lists as short as the number
//! of gates. Whoever reads a project's exposures removes repetitions anyway, and the first of equal
//! ones stays the first.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::context::EvaluationContext;
use super::evaluator::{Abort, Call, Evaluator, MAX_CONDITIONS, Recognition};
use super::exposure_trace::{ExposureTrace, MAX_EXPOSURES};
use super::nested::Nested;
use super::outcome::{Exposed, Outcome};
use crate::pattern::PatternBudget;
use crate::ruleset::{Ruleset, position};
use crate::value::Attribute;

/// What specs that share nothing may cost in all: as many conditions and specs as a few checks.
const MAX_UNSHARED_WORK: u64 = 8 * MAX_CONDITIONS as u64;
/// Steps that the patterns of a whole project may take: those of a hundred checks.
const MAX_PATTERN_STEPS: u64 = 100 * PatternBudget::CHECK as u64;
/// Exposures that may be copied from shared results, in all. The rest is dropped.
const MAX_SHARED_COPIES: usize = 1 << 20;
/// Exposures of all gates for which there is room from the start.
const EXPECTED_EXPOSURES: usize = 1_024;
/// Lists of up to this many exposures are compared pair by pair.
const PAIRWISE: usize = 24;

/// A set of exposures.
///
/// They consist of places in the ruleset, which nobody can choose so that they collide: the hash needs no random seed.
pub(crate) type ExposedSet = HashSet<Exposed, FixedState>;

/// Removes exposures that were there before, from position `from` on; the first of equal ones stays.
pub(crate) fn without_repeats(list: &mut Vec<Exposed>, from: usize, seen: &mut ExposedSet) {
    let count = list.len().saturating_sub(from);
    if count < 2 {
        return;
    }
    seen.clear();
    let mut kept = from;
    for at in from..list.len() {
        let one = list[at];
        let repeated = if count > PAIRWISE { !seen.insert(one) } else { list[from..kept].contains(&one) };
        if !repeated {
            list[kept] = one;
            kept += 1;
        }
    }
    list.truncate(kept);
}

/// Results of nested gates, by the position of their spec.
#[derive(Debug, Default)]
pub(super) struct SharedGates {
    gates: Vec<Option<Shared>>,
    exposures: Vec<Exposed>,
    seen: ExposedSet,
    copied: usize,
}

#[derive(Debug, Clone, Copy)]
struct Shared {
    result: Nested,
    /// Its exposures, in those of all gates.
    start: u32,
    len: u32,
}

impl SharedGates {
    fn new(ruleset: &Ruleset) -> Self {
        let specs = ruleset.specs.len();
        Self {
            gates: vec![None; specs],
            exposures: Vec::with_capacity(specs.min(EXPECTED_EXPOSURES)),
            ..Self::default()
        }
    }

    /// The result of a gate that was evaluated before; its exposures join `exposures`.
    pub(super) fn recall(&mut self, gate: u32, exposures: &mut Vec<Exposed>) -> Option<Nested> {
        let known = (*self.gates.get(gate as usize)?)?;
        let own = self.exposures.get(known.start as usize..(known.start + known.len) as usize).unwrap_or_default();
        let room = (MAX_EXPOSURES - exposures.len().min(MAX_EXPOSURES)).min(MAX_SHARED_COPIES - self.copied);
        let own = &own[..own.len().min(room)];
        exposures.extend_from_slice(own);
        self.copied += own.len();
        Some(known.result)
    }

    /// Keeps the result of a gate whose exposures are those from `from` on.
    pub(super) fn remember(&mut self, gate: u32, result: Nested, exposures: &mut Vec<Exposed>, from: u32) {
        without_repeats(exposures, from as usize, &mut self.seen);
        let Some(slot) = self.gates.get_mut(gate as usize) else { return };
        let own = exposures.get(from as usize..).unwrap_or_default();
        let own = &own[..own.len().min(MAX_SHARED_COPIES - self.copied)];
        *slot = Some(Shared { result, start: position(self.exposures.len()), len: position(own.len()) });
        self.exposures.extend_from_slice(own);
        self.copied += own.len();
    }
}

/// Evaluates one spec after the other for the same user, and collects the exposures of each.
pub(crate) struct ProjectEvaluator<'a> {
    evaluator: Evaluator<'a, ExposureTrace>,
    work_left: u64,
    pattern_steps_left: u64,
}

impl<'a> ProjectEvaluator<'a> {
    /// `app`: what `target_app` conditions see.
    pub(crate) fn new(context: EvaluationContext<'a>, app: Option<&'a Attribute>) -> Self {
        let mut evaluator = Evaluator::new(context, ExposureTrace::with_room());
        evaluator.inputs.app = app;
        evaluator.shared = Some(Box::new(SharedGates::new(evaluator.ruleset)));
        Self { evaluator, work_left: MAX_UNSHARED_WORK, pattern_steps_left: MAX_PATTERN_STEPS }
    }

    /// Evaluates a name into an outcome that is new. Its exposures are there until the next call.
    pub(crate) fn evaluate(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let budget = PatternBudget::at_most(self.pattern_steps_left);
        self.evaluator.inputs.patterns = budget;
        let recognition = self.evaluate_alone(r, call);
        self.pattern_steps_left -= u64::from(budget.left() - self.evaluator.inputs.patterns.left());
        recognition
    }

    fn evaluate_alone(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let evaluator = &mut self.evaluator;
        evaluator.tracer.restart();
        (evaluator.depth, evaluator.frames, evaluator.steps, evaluator.conditions) = (0, 0, 0, 0);
        evaluator.uses_shared = evaluator.ruleset.spec(call.spec).is_some_and(|spec| spec.shares_gates);
        if evaluator.uses_shared {
            return evaluator.conclude(r, call);
        }
        if self.work_left == 0 {
            return Err(Abort::Exhausted);
        }
        evaluator.memo = Some(HashMap::default());
        evaluator.groups = None;
        let recognition = evaluator.conclude(r, call);
        evaluator.memo = None;
        let work = u64::from(evaluator.steps) + u64::from(evaluator.conditions);
        self.work_left = self.work_left.saturating_sub(work);
        recognition
    }

    /// What the last evaluation exposed. Repetitions are still in it.
    pub(crate) fn exposures(&self) -> &[Exposed] {
        self.evaluator.tracer.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::Text;

    #[test]
    fn the_first_of_equal_exposures_stays() {
        let exposed = |value| Exposed { gate: Text::EMPTY, rule_id: Text::EMPTY, value };
        let other = |rule| Exposed { gate: rule, rule_id: Text::EMPTY, value: true };
        let names = [crate::ruleset::well_known::DEFAULT, crate::ruleset::well_known::DISABLED];
        for many in [1, 3, 40] {
            let mut list = vec![exposed(true)];
            for _ in 0..many {
                list.extend([exposed(false), other(names[0]), exposed(true), other(names[1])]);
            }
            let mut seen = ExposedSet::default();
            without_repeats(&mut list, 1, &mut seen);
            // What lies before `from` does not count.
            assert_eq!(list, [exposed(true), exposed(false), other(names[0]), exposed(true), other(names[1])]);
            without_repeats(&mut list, 0, &mut seen);
            assert_eq!(list, [exposed(true), exposed(false), other(names[0]), other(names[1])]);
        }
    }
}
