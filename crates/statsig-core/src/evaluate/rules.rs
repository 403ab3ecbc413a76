//! Rules: the first whose conditions hold decides.

use super::evaluator::{Abort, Call, Evaluator, Kind, Recognition};
use super::outcome::{ConfigValue, Outcome, Undelegated};
use super::tracer::{RuleEnd, Tracer};
use crate::ruleset::{NO_INDEX, NO_RATE, Rule, Spec, well_known};

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Lets the first rule of a spec decide whose conditions hold.
    pub(super) fn follow_rules(&mut self, r: &mut Outcome, spec: &Spec) -> Result<(), Abort> {
        self.follow(r, spec, &self.ruleset.rules[spec.rules()])
    }

    /// Lets the first of `rules` decide whose conditions hold.
    #[inline]
    pub(super) fn follow<'r>(
        &mut self,
        r: &mut Outcome,
        spec: &Spec,
        rules: impl IntoIterator<Item = &'r Rule>,
    ) -> Result<(), Abort> {
        for rule in rules {
            self.tracer.enter_rule(rule);
            if self.plain && !T::EXPOSES {
                r.passed = self.inputs.plain_rule(rule);
            } else {
                self.match_rule(r, rule)?;
                if r.unsupported {
                    self.tracer.leave_rule(RuleEnd::Unsupported);
                    return Ok(());
                }
            }
            if !r.passed {
                self.tracer.leave_rule(RuleEnd::NoMatch);
                continue;
            }
            if rule.delegate != NO_INDEX && self.delegate(r, rule)? {
                self.finalize(r, spec, None);
                self.tracer.leave_rule(RuleEnd::Delegated);
                return Ok(());
            }
            if self.inputs.passes(rule, spec, &mut self.tracer) {
                r.value = ConfigValue::At(rule.value);
                r.passed = !rule.value_is_false;
                self.tracer.leave_rule(RuleEnd::Decided);
            } else {
                r.value = ConfigValue::At(spec.default_value);
                r.passed = spec.default_is_true;
                self.tracer.leave_rule(RuleEnd::OutsidePercentage);
            }
            r.rule_id = rule.id;
            r.group_name = rule.group_name;
            r.is_experiment_group = rule.is_experiment_group;
            r.is_experiment_active = spec.is_active.unwrap_or(false);
            self.finalize(r, spec, Some(rule));
            return Ok(());
        }
        r.value = ConfigValue::At(spec.default_value);
        r.passed = spec.default_is_true;
        r.rule_id = if spec.enabled { well_known::DEFAULT } else { well_known::DISABLED };
        self.finalize(r, spec, None);
        self.tracer.default_decides();
        Ok(())
    }

    pub(super) fn finalize(&mut self, r: &mut Outcome, spec: &Spec, rule: Option<&Rule>) {
        r.sampling_rate = rule.map_or(NO_RATE, |rule| rule.sampling_rate);
        r.forward_all_exposures = spec.forward_all_exposures.unwrap_or(false);
        if T::EXPOSES && r.undelegated == Undelegated::Unset && self.position() > r.exposures_from {
            r.undelegated = Undelegated::Until(self.position());
        }
    }

    /// Sets `passed` to whether all conditions hold, or `unsupported`; evaluates each of them.
    pub(super) fn match_rule(&mut self, r: &mut Outcome, rule: &Rule) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        self.look_at(rule.conditions_len)?;
        let mut all = true;
        for &at in &ruleset.rule_conditions[rule.conditions()] {
            let condition = ruleset.conditions.get(at as usize);
            self.tracer.enter_condition(condition);
            let Some(condition) = condition else {
                r.unsupported = true;
                self.tracer.leave_condition(None);
                return Ok(());
            };
            let holds = self.condition(r, condition)?;
            self.tracer.leave_condition(holds);
            match holds {
                Some(holds) => all &= holds,
                None => r.unsupported = true,
            }
        }
        r.passed = all;
        Ok(())
    }

    /// Evaluates the experiment that a rule delegates to; false if there is none.
    pub(super) fn delegate(&mut self, r: &mut Outcome, rule: &Rule) -> Result<bool, Abort> {
        let Some(delegate) = self.ruleset.spec(rule.delegate) else { return Ok(false) };
        r.undelegated = Undelegated::Until(self.position());
        r.passed = false;
        r.value = ConfigValue::None;
        let call = Call { name: self.ruleset.str(delegate.name), kind: Kind::Experiment, spec: rule.delegate };
        if self.evaluate(r, call)? == Recognition::Unrecognized {
            r.undelegated = Undelegated::Unset;
            return Ok(false);
        }
        r.explicit_parameters = delegate.explicit_parameters;
        r.delegate = rule.delegate;
        Ok(true)
    }
}
