//! Conditions.

use super::state::State;
use super::target;
use super::tree::{BucketTrace, ConditionOutcome, ConditionTrace, SpecTrace};
use super::walk::Walker;
use crate::evaluate::{Abort, Call, Exposed, Kind, Seen, evaluate_test, matches_pattern};
use crate::ruleset::{Condition, GateRef, Input, Test, Text};

impl<'a> Walker<'a> {
    /// Sets `passed`, or `unsupported` without touching `passed`.
    pub(super) fn condition(
        &mut self,
        r: &mut State,
        condition: &'a Condition,
        told: &mut ConditionTrace,
    ) -> Result<(), Abort> {
        told.outcome = ConditionOutcome::Failed;
        if self.shows() {
            told.id = self.text(condition.id);
            told.condition_type = self.text(condition.type_name);
            told.field = self.maybe_text(condition.field_name);
            told.operator = self.maybe_text(condition.operator).filter(|_| condition.has_operator());
        }
        let before = std::mem::take(&mut r.unsupported);
        match &condition.input {
            Input::Public => r.passed = true,
            Input::Unsupported => r.unsupported = true,
            Input::Gate { gate, expected } => {
                let mut trace = Box::<SpecTrace>::default();
                let end = self.gate(r, *gate, *expected, &mut trace);
                told.asked.push(*trace);
                end?;
            }
            Input::AnyGate { gates, expected } => self.any_gate(r, gates, *expected, told)?,
            input => self.test(r, condition, input, told)?,
        }
        told.outcome = match (r.unsupported, r.passed) {
            (true, _) => ConditionOutcome::Unsupported,
            (false, true) => ConditionOutcome::Pass,
            (false, false) => ConditionOutcome::Fail,
        };
        r.unsupported |= before;
        Ok(())
    }

    fn test(
        &mut self,
        r: &mut State,
        condition: &'a Condition,
        input: &'a Input,
        told: &mut ConditionTrace,
    ) -> Result<(), Abort> {
        let looked = self.look_up(input, told)?;
        told.origin = looked.origin;
        if self.shows() {
            told.seen = Some(target::observed(&looked));
            told.target = target::shown(self.ruleset, &condition.test, &looked);
        }
        match &condition.test {
            Test::Unsupported => r.unsupported = true,
            Test::PatternLimit => told.limit = Some("pattern limit"),
            Test::Matches(pattern) => match matches_pattern(pattern.as_deref(), &looked.seen, &mut self.patterns) {
                Some(found) => r.passed = found,
                None => told.limit = Some("pattern limit"),
            },
            test => r.passed = evaluate_test(self.ruleset, test, &looked.seen, self.context.id_lists),
        }
        r.unsupported |= told.limit.is_some();
        Ok(())
    }

    /// A condition on another gate.
    fn gate(&mut self, r: &mut State, gate: GateRef, expected: bool, trace: &mut SpecTrace) -> Result<(), Abort> {
        let nested = self.nested(gate, trace)?;
        let nested = &nested.state;
        self.expose(r, &nested.exposures);
        if nested.unsupported {
            r.unsupported = true;
            return Ok(());
        }
        r.rule_id = nested.rule_id;
        r.override_config = nested.override_config.or(r.override_config);
        if !gate.is_segment && !nested.rule().is_empty() {
            self.expose(r, &[Exposed { gate: gate.name, rule_id: nested.rule(), value: nested.passed }]);
        }
        r.passed = nested.passed == expected;
        Ok(())
    }

    /// Several gates, of which one must be as expected; the first that is ends it. What is inside
    /// them is not exposed.
    fn any_gate(
        &mut self,
        r: &mut State,
        gates: &[GateRef],
        expected: bool,
        told: &mut ConditionTrace,
    ) -> Result<(), Abort> {
        self.look_at(gates.len())?;
        let mut any = false;
        for gate in gates {
            let mut one = Box::<State>::default();
            let shown = self.node();
            let mut trace = Box::<SpecTrace>::default();
            let end = self.showing(shown, |walker| walker.gate(&mut one, *gate, expected, &mut trace));
            if shown {
                told.asked.push(*trace);
            }
            end?;
            if one.unsupported {
                self.expose(r, &one.exposures);
                r.unsupported = true;
                return Ok(());
            }
            if !gate.is_segment && !one.rule().is_empty() {
                self.expose(r, &one.exposures[one.exposures.len().saturating_sub(1)..]);
            }
            if one.passed {
                any = true;
                break;
            }
        }
        r.passed = any;
        Ok(())
    }

    /// The group of the user in an experiment, by a check of its own; none if that check fails.
    fn experiment_group(&mut self, experiment: Text, told: &mut ConditionTrace) -> Result<Option<Text>, Abort> {
        if let Some(known) = self.groups.get(&experiment) {
            return Ok(*known);
        }
        let levels = (self.depth, self.frames);
        let mut r = Box::<State>::default();
        let mut trace = Box::<SpecTrace>::default();
        self.depth = 0;
        let call = Call::by_name(self.ruleset, self.ruleset.str(experiment), Kind::Experiment);
        let end = self.evaluate(&mut r, call, &mut trace);
        told.asked.push(*trace);
        (self.depth, self.frames) = levels;
        let group = match end {
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => None,
            Ok(_) => r.group_name.filter(|_| !r.unsupported),
        };
        // Of an experiment that asks for its own group the innermost answer comes first, and stays.
        self.groups.entry(experiment).or_insert(group);
        Ok(group)
    }

    /// The value that the operator is applied to.
    fn look_up(&mut self, input: &'a Input, told: &mut ConditionTrace) -> Result<Looked<'a>, Abort> {
        Ok(match *input {
            Input::UserField { field } => self.field(field).into(),
            Input::IpBased { field, is_country } => self.ip_based(field, is_country),
            Input::UaBased { field, part } => self.ua_based(field, part),
            Input::Environment { exact, lower } => self.environment(exact, lower),
            Input::CurrentTime => Seen::Time(self.context.clock.now_ms()).into(),
            Input::UserBucket { prefix, unit } => {
                let bucket = self.bucket(prefix, unit, 1_000);
                let seen = Seen::Number(bucket.bucket.cast_signed());
                told.bucket = Some(bucket);
                seen.into()
            }
            Input::UnitId { unit } => {
                let name = self.ruleset.unit_types.get(unit as usize).map(|unit| self.text(unit.name));
                told.field = name.or_else(|| told.field.take());
                Seen::of(self.unit(unit)).into()
            }
            Input::TargetApp => Looked::from(Seen::of(self.ruleset.app.as_ref())).with_origin("app of the specs"),
            Input::ExperimentGroup { experiment } => {
                let group = match experiment.get() {
                    Some(experiment) => self.experiment_group(experiment, told)?,
                    None => None,
                };
                group.map_or(Seen::Missing, |group| Seen::Text(self.ruleset.str(group))).into()
            }
            Input::Public | Input::Gate { .. } | Input::AnyGate { .. } | Input::Nothing | Input::Unsupported => {
                Seen::Missing.into()
            }
        })
    }

    /// A bucket that is hashed with a salt prepared at load time.
    pub(super) fn bucket(&self, prefix: u32, unit: u32, of: u64) -> BucketTrace {
        let unit_id = self.unit_id(unit);
        let Some(prefix) = self.ruleset.prefixes.get(prefix as usize) else {
            return self.bucket_trace(0, of, "", unit, unit_id);
        };
        let hash = prefix.hash(&self.ruleset.text, unit_id.as_deref().unwrap_or_default());
        let salt = prefix.salt(&self.ruleset.text);
        self.bucket_trace(hash, of, &salt, unit, unit_id)
    }
}

/// A value on its way to an operator, with what may be told about it.
pub(super) struct Looked<'a> {
    pub(super) seen: Seen<'a>,
    /// A private attribute has a part in it.
    pub(super) private: bool,
    pub(super) origin: Option<&'static str>,
}

impl Looked<'_> {
    pub(super) fn with_origin(mut self, origin: &'static str) -> Self {
        self.origin = Some(origin);
        self
    }
}

impl<'a> From<Seen<'a>> for Looked<'a> {
    fn from(seen: Seen<'a>) -> Self {
        Self { seen, private: false, origin: None }
    }
}

impl<'a> From<(Seen<'a>, bool)> for Looked<'a> {
    fn from((seen, private): (Seen<'a>, bool)) -> Self {
        Self { seen, private, origin: None }
    }
}

impl Condition {
    /// Whether its operator has a say.
    fn has_operator(&self) -> bool {
        !matches!(self.input, Input::Public | Input::Gate { .. } | Input::AnyGate { .. })
    }
}
