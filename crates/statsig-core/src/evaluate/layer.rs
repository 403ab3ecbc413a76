//! Layers that merge the parameters of several rules (`docs/protocol/evaluation.md#composites`).

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::evaluator::{Abort, Evaluator};
use super::outcome::{ConfigValue, Exposed, Outcome, ParameterRules, Undelegated};
use super::tracer::{RuleEnd, Tracer};
use crate::json::{Json, JsonObject, JsonRef, encode_object};
use crate::ruleset::{MaybeText, NO_INDEX, Rule, Ruleset, Spec, Text, well_known};

/// One contribution to the layer's value: parameters that are not there yet come from it.
struct Part {
    value: ConfigValue,
    rule_id: Text,
}

/// What the rules have decided so far.
struct Decision {
    passed: bool,
    delegate: u32,
    group_name: MaybeText,
    rule_id: Text,
    is_experiment_group: bool,
    explicit_parameters: u32,
}

impl Decision {
    const NONE: Self = Self {
        passed: false,
        delegate: NO_INDEX,
        group_name: MaybeText::NONE,
        rule_id: well_known::DEFAULT,
        is_experiment_group: false,
        explicit_parameters: NO_INDEX,
    };
}

/// A layer's value while it is put together.
struct Merge {
    parts: Vec<Part>,
    own_exposures: Vec<Exposed>,
    decision: Decision,
}

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Merges the parameters of all rules that the user passes; those of earlier rules win.
    pub(super) fn merge_layer(&mut self, r: &mut Outcome, spec: &'a Spec) -> Result<(), Abort> {
        let start = r.exposures_from;
        let mut merge = Merge { parts: Vec::new(), own_exposures: Vec::new(), decision: Decision::NONE };
        for rule in &self.ruleset.rules[spec.rules()] {
            let open_steps = self.tracer.open_steps();
            self.tracer.enter_rule(rule);
            let end = self.merge_rule(r, spec, rule, &mut merge);
            match end {
                Ok(end) => self.tracer.leave_rule(end),
                Err(_) => self.tracer.unwind(open_steps),
            }
            if T::EXPLAINS && matches!(end, Err(_) | Ok(RuleEnd::Unsupported)) {
                // An explanation shows what was merged before.
                self.merged(&merge.parts);
            }
            if end? == RuleEnd::Unsupported {
                r.exposures_from = start;
                r.undelegated = Undelegated::Own(merge.own_exposures);
                return Ok(());
            }
        }
        if merge.parts.is_empty() {
            self.tracer.default_decides();
        }
        self.truncate_exposures(r.exposures_from);
        r.exposures_from = start;
        merge.parts.push(Part { value: ConfigValue::At(spec.default_value), rule_id: well_known::DEFAULT });
        (r.value, r.parameter_rules) = self.merged(&merge.parts);
        let decision = merge.decision;
        r.passed = decision.passed;
        r.delegate = decision.delegate;
        r.group_name = decision.group_name;
        r.rule_id = decision.rule_id;
        r.is_experiment_group = decision.is_experiment_group;
        r.is_experiment_active = spec.is_active.unwrap_or(false);
        r.explicit_parameters = decision.explicit_parameters;
        r.undelegated = Undelegated::Own(merge.own_exposures);
        self.finalize(r, spec, None);
        Ok(())
    }

    fn merge_rule(&mut self, r: &mut Outcome, spec: &Spec, rule: &Rule, merge: &mut Merge) -> Result<RuleEnd, Abort> {
        self.match_rule(r, rule)?;
        // All that was collected since the last rule now belongs to the layer itself. From
        // here on `exposures_from` marks what a skipped delegate would leave behind.
        if let Some(exposures) = self.tracer.exposures() {
            merge.own_exposures.extend_from_slice(exposures.since(r.exposures_from));
        }
        r.exposures_from = self.position();
        if r.unsupported {
            return Ok(RuleEnd::Unsupported);
        }
        if !r.passed {
            return Ok(RuleEnd::NoMatch);
        }
        if !self.inputs.passes(rule, spec, &mut self.tracer) {
            return Ok(RuleEnd::OutsidePercentage);
        }
        if rule.delegate == NO_INDEX || !self.delegate(r, rule)? {
            merge.parts.push(Part { value: ConfigValue::At(rule.value), rule_id: rule.id });
            merge.decision.passed = true;
            return Ok(RuleEnd::Contributed);
        }
        let value = std::mem::take(&mut r.value);
        if !merge.parts.is_empty() || value == ConfigValue::None {
            return Ok(RuleEnd::Superseded);
        }
        r.exposures_from = self.position();
        merge.parts.push(Part { value, rule_id: rule.id });
        merge.decision = Decision {
            passed: r.passed,
            delegate: r.delegate,
            group_name: r.group_name,
            rule_id: rule.id,
            is_experiment_group: rule.is_experiment_group,
            explicit_parameters: r.explicit_parameters,
        };
        Ok(RuleEnd::Contributed)
    }

    /// Returns the merged value, and which rule each parameter came from.
    fn merged(&mut self, parts: &[Part]) -> (ConfigValue, Option<ParameterRules>) {
        // Names come from the payload, which must not be able to choose them so that they collide.
        let mut seen: HashSet<&str, RandomState> = HashSet::default();
        let mut members: Vec<(&str, JsonRef<'_>)> = Vec::new();
        let mut rules: Vec<(Box<str>, Text)> = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            for (name, value) in members_of(self.ruleset, &part.value).into_iter().flatten() {
                if seen.insert(name) {
                    self.tracer.parameter(at, name);
                    members.push((name, value));
                    rules.push((name.into(), part.rule_id));
                }
            }
        }
        let value = Json::from_packed(encode_object(members.into_iter()));
        (ConfigValue::Own(value), Some(rules.into_boxed_slice()))
    }
}

fn members_of<'v>(ruleset: &'v Ruleset, value: &'v ConfigValue) -> Option<JsonObject<'v>> {
    match value {
        ConfigValue::None => None,
        ConfigValue::At(at) => ruleset.value(*at).as_object(),
        ConfigValue::Own(json) => json.view().as_object(),
    }
}
