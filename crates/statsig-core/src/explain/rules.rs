//! Rules: conditions, percentages, delegates, local overrides, config mappings.

use sha2::{Digest, Sha256};

use super::shown::{Shown, cut};
use super::state::State;
use super::tree::{
    BucketTrace, CandidateOutcome, CandidateTrace, ConditionOutcome, ConditionTrace, OverrideTrace, PercentageTrace,
    RuleOutcome, RuleTrace, SpecTrace,
};
use super::walk::Walker;
use crate::evaluate::{Abort, Call, ConfigValue, Kind, Recognition};
use crate::hooks::ExperimentOverride;
use crate::json::Json;
use crate::ruleset::{Mapping, MappingCandidate, Pass, Rule, Spec, well_known};
use crate::value::{Attribute, TextBuffer};

impl<'a> Walker<'a> {
    /// Sets `passed` to whether all conditions hold; each of them is evaluated.
    pub(super) fn match_rule(&mut self, r: &mut State, rule: &'a Rule, told: &mut RuleTrace) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        self.look_at(rule.conditions_len as usize)?;
        let mut all = true;
        for &at in &ruleset.rule_conditions[rule.conditions()] {
            let shown = self.node();
            let mut condition_told = Box::<ConditionTrace>::default();
            let condition = ruleset.conditions.get(at as usize);
            let end = match condition {
                Some(condition) => self.showing(shown, |walker| walker.condition(r, condition, &mut condition_told)),
                None => {
                    condition_told.condition_type = "missing".to_owned();
                    condition_told.outcome = ConditionOutcome::Unsupported;
                    r.unsupported = true;
                    Ok(())
                }
            };
            if shown {
                told.conditions.push(*condition_told);
            } else {
                told.conditions_left_out += 1;
            }
            end?;
            if condition.is_none() {
                return Ok(());
            }
            all &= r.passed;
        }
        r.passed = all;
        Ok(())
    }

    /// Whether the user is within the rule's percentage, hashed with the salt of `spec`.
    #[inline(never)] // its variables would lie on the stack for as long as an evaluation goes deeper
    pub(super) fn passes(&self, rule: &Rule, spec: Option<&Spec>, told: &mut RuleTrace) -> bool {
        let percent = rule.pass_percentage;
        let (passes, bucket, passes_below) = match rule.pass {
            Pass::Nobody => (false, None, None),
            Pass::Everybody => (true, None, None),
            Pass::Below { threshold, .. } => {
                let ruleset = self.ruleset;
                let salt = format!("{}.{}", spec.map_or("", |spec| ruleset.str(spec.salt)), ruleset.str(rule.salt));
                let unit = self.unit_id(rule.unit);
                let text = format!("{salt}.{}", unit.as_deref().unwrap_or_default());
                let hash = Sha256::digest(text.as_bytes())[..8].iter().fold(0_u64, |hash, &b| hash << 8 | u64::from(b));
                let bucket = self.bucket_trace(hash, 10_000, &salt, rule.unit, unit);
                (bucket.bucket < u64::from(threshold), Some(bucket), Some(threshold))
            }
        };
        told.percentage = Some(PercentageTrace { percent, passes, bucket, passes_below });
        passes
    }

    pub(super) fn bucket_trace(
        &self,
        hash: u64,
        of: u64,
        salt: &str,
        unit: u32,
        unit_id: Option<String>,
    ) -> BucketTrace {
        let id_type = self.ruleset.unit_types.get(unit as usize).map(|unit| self.text(unit.name)).unwrap_or_default();
        BucketTrace { bucket: hash % of, of, salt: cut(salt), id_type, unit_id: unit_id.map(|id| cut(&id)) }
    }

    /// The user's ID of an id type, as it is hashed.
    pub(super) fn unit_id(&self, unit: u32) -> Option<String> {
        self.unit(unit)?.text(&mut TextBuffer::new()).map(str::to_owned)
    }

    pub(super) fn unit(&self, unit: u32) -> Option<&'a Attribute> {
        let unit = self.ruleset.unit_types.get(unit as usize)?;
        let (name, lower) = (self.ruleset.str(unit.name), self.ruleset.str(unit.lower));
        self.context.user.unit(unit.is_user_id, name, lower)
    }

    /// Evaluates the experiment that a rule delegates to; false if there is none.
    pub(super) fn delegate(&mut self, r: &mut State, rule: &Rule, told: &mut RuleTrace) -> Result<bool, Abort> {
        let Some(delegate) = self.ruleset.spec(rule.delegate) else { return Ok(false) };
        r.undelegated = Some(r.exposures.clone());
        r.passed = false;
        r.value = ConfigValue::None;
        let call = Call { name: self.ruleset.str(delegate.name), kind: Kind::Experiment, spec: rule.delegate };
        let mut trace = Box::<SpecTrace>::default();
        let end = self.evaluate(r, call, &mut trace);
        told.delegate = Some(trace);
        if end? == Recognition::Unrecognized {
            r.undelegated = None;
            return Ok(false);
        }
        let explicit = delegate.explicit_parameters;
        r.explicit_parameters = (explicit != crate::ruleset::NO_INDEX).then_some(explicit);
        r.delegate = Some(rule.delegate);
        Ok(true)
    }

    /// Asks the override adapter.
    pub(super) fn overridden(&mut self, r: &mut State, call: Call<'_>, trace: &mut SpecTrace) -> bool {
        let Some(overrides) = self.context.overrides else { return false };
        let user = self.context.user;
        let told = match call.kind {
            Kind::Gate => overrides.gate(call.name, user).map(|value| {
                r.passed = value;
                OverrideTrace::Value(Shown::value(value))
            }),
            Kind::DynamicConfig => overrides.dynamic_config(call.name, user).map(|value| own_value(r, value)),
            Kind::Layer => overrides.layer(call.name, user).map(|value| own_value(r, value)),
            Kind::Experiment => overrides.experiment(call.name, user).map(|answer| match answer {
                ExperimentOverride::Value(value) => own_value(r, value),
                ExperimentOverride::Group(group) => {
                    let ruleset = self.ruleset;
                    let rules = ruleset.spec(call.spec).map(|spec| &ruleset.rules[spec.rules()]).unwrap_or_default();
                    let is_group = |rule: &&Rule| rule.group_name.get().is_some_and(|name| ruleset.str(name) == group);
                    r.value = rules.iter().find(is_group).map_or(ConfigValue::None, |rule| ConfigValue::At(rule.value));
                    OverrideTrace::Group(cut(&group))
                }
            }),
        };
        if told.is_none() {
            return false;
        }
        trace.local_override = told;
        r.rule_id = Some(well_known::OVERRIDE);
        r.overridden = true;
        true
    }

    /// Lets another config take the spec's place; false if none does.
    pub(super) fn mapped(
        &mut self,
        r: &mut State,
        mapping: &'a Mapping,
        original: Option<&Spec>,
        kind: Kind,
        trace: &mut SpecTrace,
    ) -> Result<bool, Abort> {
        for candidate in &mapping.candidates {
            let shown = self.node();
            let mut told = Box::<CandidateTrace>::default();
            told.new_config = self.text(candidate.new_config);
            told.start_time = candidate.start_time;
            let end = self.showing(shown, |walker| walker.try_candidate(r, candidate, original, kind, &mut told));
            let taken = told.outcome == CandidateOutcome::Taken;
            if shown {
                trace.mappings.push(*told);
            }
            end?;
            if taken {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn try_candidate(
        &mut self,
        r: &mut State,
        candidate: &MappingCandidate,
        original: Option<&Spec>,
        kind: Kind,
        told: &mut CandidateTrace,
    ) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        if candidate.start_time > self.context.clock.now_ms() {
            told.outcome = CandidateOutcome::NotStarted;
            return Ok(());
        }
        let Some(rule) = ruleset.rules.get(candidate.rule as usize) else {
            told.outcome = CandidateOutcome::RuleMissing;
            return Ok(());
        };
        let levels = (self.depth, self.frames);
        let mut rule_told = self.rule_trace(rule, RuleOutcome::NoMatch, true);
        let end = self.match_rule(r, rule, &mut rule_told);
        let matched = end.is_ok() && !r.unsupported && r.passed;
        rule_told.outcome = match end {
            Err(_) => RuleOutcome::Failed,
            Ok(()) if r.unsupported => RuleOutcome::Unsupported,
            Ok(()) => RuleOutcome::NoMatch,
        };
        if matched && self.passes(rule, original, &mut rule_told) {
            rule_told.outcome = RuleOutcome::Decided;
        } else if matched {
            rule_told.outcome = RuleOutcome::OutsidePercentage;
        }
        let decided = rule_told.outcome;
        told.rule = Some(*rule_told);
        if end == Err(Abort::Exhausted) {
            return Err(Abort::Exhausted);
        }
        (self.depth, self.frames) = levels;
        *r = State::default();
        if decided != RuleOutcome::Decided {
            let outside = decided == RuleOutcome::OutsidePercentage;
            told.outcome = if outside { CandidateOutcome::OutsidePercentage } else { CandidateOutcome::NoMatch };
            return Ok(());
        }
        r.override_config = Some(candidate.new_config);
        let mut trace = Box::<SpecTrace>::default();
        let call = Call::by_name(ruleset, ruleset.str(candidate.new_config), kind);
        let end = match self.descend() {
            Ok(()) => self.evaluate(r, call, &mut trace),
            Err(abort) => Err(abort),
        };
        told.config = Some(trace);
        (self.depth, self.frames) = levels;
        told.outcome = match end {
            Ok(Recognition::Recognized) => CandidateOutcome::Taken,
            Ok(Recognition::Unrecognized) => CandidateOutcome::ConfigMissing,
            Err(Abort::TooDeep) => CandidateOutcome::ConfigFailed,
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
        };
        if told.outcome != CandidateOutcome::Taken {
            *r = State::default();
        }
        Ok(())
    }
}

fn own_value(r: &mut State, value: Json) -> OverrideTrace {
    let told = OverrideTrace::Value(Shown::packed(value.view()));
    r.value = ConfigValue::Own(value);
    told
}
