//! Layers that merge the parameters of several rules (`docs/protocol/evaluation.md#composites`).

use std::collections::HashSet;

use super::evaluator::{Abort, Evaluator};
use super::outcome::{ConfigValue, Exposed, Outcome, Undelegated};
use crate::json::{Json, JsonObject, JsonRef, encode_object};
use crate::ruleset::{MaybeText, NO_INDEX, Ruleset, Spec, Text, well_known};

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

impl<'a, const RECORD: bool> Evaluator<'a, RECORD> {
    pub(super) fn merge_layer(&mut self, r: &mut Outcome, spec: &'a Spec) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        let start = r.exposures_from;
        let mut parts: Vec<Part> = Vec::new();
        let mut own_exposures: Vec<Exposed> = Vec::new();
        let mut decision = Decision {
            passed: false,
            delegate: NO_INDEX,
            group_name: MaybeText::NONE,
            rule_id: well_known::DEFAULT,
            is_experiment_group: false,
            explicit_parameters: NO_INDEX,
        };
        for rule in &ruleset.rules[spec.rules()] {
            self.match_rule(r, rule)?;
            // All that was collected since the last rule now belongs to the layer itself. From
            // here on `exposures_from` marks what a skipped delegate would leave behind.
            own_exposures.extend_from_slice(self.exposures.get(r.exposures_from as usize..).unwrap_or_default());
            r.exposures_from = self.position();
            if r.unsupported {
                r.exposures_from = start;
                r.undelegated = Undelegated::Own(own_exposures);
                return Ok(());
            }
            if !r.passed || !self.inputs.passes(rule) {
                continue;
            }
            if rule.delegate != NO_INDEX && self.delegate(r, rule)? {
                let value = std::mem::take(&mut r.value);
                if !parts.is_empty() || value == ConfigValue::None {
                    continue;
                }
                r.exposures_from = self.position();
                parts.push(Part { value, rule_id: rule.id });
                decision = Decision {
                    passed: r.passed,
                    delegate: r.delegate,
                    group_name: r.group_name,
                    rule_id: rule.id,
                    is_experiment_group: rule.is_experiment_group,
                    explicit_parameters: r.explicit_parameters,
                };
            } else {
                parts.push(Part { value: ConfigValue::At(rule.value), rule_id: rule.id });
                decision.passed = true;
            }
        }
        self.exposures.truncate(r.exposures_from as usize);
        r.exposures_from = start;
        parts.push(Part { value: ConfigValue::At(spec.default_value), rule_id: well_known::DEFAULT });
        merge(ruleset, r, &parts);
        r.passed = decision.passed;
        r.delegate = decision.delegate;
        r.group_name = decision.group_name;
        r.rule_id = decision.rule_id;
        r.is_experiment_group = decision.is_experiment_group;
        r.is_experiment_active = spec.is_active.unwrap_or(false);
        r.explicit_parameters = decision.explicit_parameters;
        r.undelegated = Undelegated::Own(own_exposures);
        self.finalize(r, spec, None);
        Ok(())
    }
}

/// Writes the merged value, and which rule each parameter came from.
fn merge(ruleset: &Ruleset, r: &mut Outcome, parts: &[Part]) {
    let mut seen = HashSet::new();
    let mut members: Vec<(&str, JsonRef<'_>)> = Vec::new();
    let mut rules: Vec<(Box<str>, Text)> = Vec::new();
    for part in parts {
        for (name, value) in members_of(ruleset, &part.value).into_iter().flatten() {
            if seen.insert(name) {
                members.push((name, value));
                rules.push((name.into(), part.rule_id));
            }
        }
    }
    r.value = ConfigValue::Own(Json::from_packed(encode_object(members.into_iter())));
    r.parameter_rules = Some(rules.into_boxed_slice());
}

fn members_of<'v>(ruleset: &'v Ruleset, value: &'v ConfigValue) -> Option<JsonObject<'v>> {
    match value {
        ConfigValue::None => None,
        ConfigValue::At(at) => ruleset.value(*at).as_object(),
        ConfigValue::Own(json) => json.view().as_object(),
    }
}
