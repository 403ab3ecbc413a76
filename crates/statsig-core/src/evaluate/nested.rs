//! Gates and experiments that an evaluation asks on its way.

use super::MAX_DEPTH;
use super::evaluator::{Abort, Call, Evaluator, Kind};
use super::outcome::{Exposed, Outcome};
use super::tracer::Tracer;
use crate::ruleset::{GateRef, MaybeText, NO_RATE, Text};

/// What is kept of a nested gate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nested {
    pub(super) passed: bool,
    pub(super) rule_id: Text,
    sampling_rate: u64,
    pub(super) seen_analytical: bool,
    override_config_name: MaybeText,
    overridden: bool,
    pub(super) unsupported: bool,
}

/// A nested gate that was evaluated before.
#[derive(Debug)]
pub(super) struct Remembered {
    result: Nested,
    exposures: Box<[Exposed]>,
}

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Evaluates a condition on another gate: whether it holds, or `None` if it is unsupported.
    pub(super) fn nested_gate(
        &mut self,
        r: &mut Outcome,
        gate: GateRef,
        expected: bool,
    ) -> Result<Option<bool>, Abort> {
        let nested = self.nested(gate)?;
        if nested.unsupported {
            return Ok(None);
        }
        r.rule_id = nested.rule_id;
        r.sampling_rate = nested.sampling_rate;
        r.seen_analytical |= nested.seen_analytical;
        if nested.override_config_name.get().is_some() {
            r.override_config_name = nested.override_config_name;
        }
        if !gate.is_segment {
            if !nested.rule_id.is_empty() {
                self.expose(gate.name, nested.rule_id, nested.passed);
            }
            if nested.sampling_rate == NO_RATE {
                r.seen_analytical = true;
            }
        }
        Ok(Some(nested.passed == expected))
    }

    /// Evaluates a condition on several gates, of which one must be as expected; the first that is
    /// ends it. `None` if one before it is unsupported.
    pub(super) fn any_gate(
        &mut self,
        r: &mut Outcome,
        gates: &[GateRef],
        expected: bool,
    ) -> Result<Option<bool>, Abort> {
        self.look_at(crate::ruleset::position(gates.len()))?;
        for gate in gates {
            let from = self.position();
            let mut one = Outcome::new(from);
            self.tracer.enter_alternative();
            let holds = self.nested_gate(&mut one, *gate, expected)?;
            self.tracer.leave_alternative();
            let Some(holds) = holds else { return Ok(None) };
            // Only the gates themselves are exposed, not what is inside them.
            if let Some(exposures) = self.tracer.exposures_mut() {
                exposures.condense(from, !gate.is_segment && !one.rule_id.is_empty());
            }
            r.seen_analytical |= one.seen_analytical;
            if holds {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    /// Evaluates a gate one level down; its exposures join the list.
    fn nested(&mut self, gate: GateRef) -> Result<Nested, Abort> {
        if self.uses_shared
            && let Some(shared) = &mut self.shared
            && let Some(exposures) = self.tracer.exposures_mut()
            && let Some(known) = shared.recall(gate.spec, exposures.list_mut())
        {
            return Ok(known);
        }
        if let Some(known) = self.memo.as_ref().and_then(|memo| memo.get(&gate.name)) {
            if let Some(exposures) = self.tracer.exposures_mut() {
                exposures.append_copy(&known.exposures);
            }
            self.tracer.recall_gate(gate.name);
            return Ok(known.result);
        }
        let from = self.position();
        let mut n = Outcome::new(from);
        self.descend()?;
        self.evaluate(&mut n, Call { name: self.ruleset.str(gate.name), kind: Kind::Gate, spec: gate.spec })?;
        self.depth -= 1;
        let result = Nested {
            passed: n.passed,
            rule_id: n.rule_id,
            sampling_rate: n.sampling_rate,
            seen_analytical: n.seen_analytical,
            override_config_name: n.override_config_name,
            overridden: n.overridden,
            unsupported: n.unsupported,
        };
        if self.uses_shared
            && let Some(shared) = &mut self.shared
            && let Some(exposures) = self.tracer.exposures_mut()
        {
            shared.remember(gate.spec, result, exposures.list_mut(), from);
        }
        if let Some(memo) = self.memo.as_mut().filter(|_| !gate.name.is_empty()) {
            let exposures = self.tracer.exposures_mut().map(|exposures| exposures.copy_since(from)).unwrap_or_default();
            memo.insert(gate.name, Remembered { result, exposures });
            self.tracer.remember_gate(gate.name);
        }
        Ok(result)
    }

    pub(super) fn descend(&mut self) -> Result<(), Abort> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Abort::TooDeep) } else { Ok(()) }
    }

    /// Evaluates a bandit's targeting gate, which is exposed whatever its rule; one that nests too
    /// deep is closed.
    pub(super) fn targeting_gate(&mut self, r: &mut Outcome, gate: GateRef) -> Result<bool, Abort> {
        let (checkpoint, from) = (self.checkpoint(), self.position());
        let (passed, rule_id) = match self.nested(gate) {
            Ok(nested) => {
                r.seen_analytical |= nested.seen_analytical;
                r.overridden |= nested.overridden;
                r.unsupported |= nested.unsupported;
                if nested.override_config_name.get().is_some() {
                    r.override_config_name = nested.override_config_name;
                }
                if nested.unsupported { (false, Text::EMPTY) } else { (nested.passed, nested.rule_id) }
            }
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => {
                self.resume(&checkpoint);
                self.truncate_exposures(from);
                (false, Text::EMPTY)
            }
        };
        if !gate.is_segment {
            self.expose(gate.name, rule_id, passed);
        }
        Ok(passed)
    }

    #[inline]
    fn expose(&mut self, gate: Text, rule_id: Text, value: bool) {
        if let Some(exposures) = self.tracer.exposures_mut() {
            exposures.push(Exposed { gate, rule_id, value });
        }
    }

    /// Returns the group of the user in an experiment, by a check of its own with levels of its own;
    /// none if that check fails.
    pub(super) fn experiment_group(&mut self, experiment: Text) -> Result<Option<Text>, Abort> {
        if let Some(group) = self.groups.as_ref().and_then(|groups| groups.get(&experiment)) {
            return Ok(*group);
        }
        let (checkpoint, from) = (self.checkpoint(), self.position());
        let filter = self.filter.take();
        let mut r = Outcome::new(from);
        let call = Call::by_name(self.ruleset, self.ruleset.str(experiment), Kind::Experiment);
        self.depth = 0;
        let recognition = self.evaluate(&mut r, call);
        self.resume(&checkpoint);
        self.filter = filter;
        // They belong to the experiment's own exposure.
        self.truncate_exposures(from);
        let group = match recognition {
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => None,
            Ok(_) if r.unsupported => None,
            Ok(_) => r.group_name.get(),
        };
        // The first answer counts: of an experiment that asks for its own group, the innermost.
        self.groups.get_or_insert_default().entry(experiment).or_insert_with(|| {
            self.group_lookups.push(experiment);
            group
        });
        Ok(group)
    }
}
