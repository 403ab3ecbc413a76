//! Layers that merge the parameters of several rules.

use std::collections::HashSet;

use super::state::State;
use super::tree::{RuleOutcome, RuleTrace, SpecOutcome, SpecTrace};
use super::walk::{Walker, attach};
use crate::evaluate::{Abort, ConfigValue, Exposed};
use crate::json::{Json, JsonRef, encode_object};
use crate::ruleset::{Rule, Ruleset, Spec, Text, well_known};

/// Names of parameters that are listed for a rule.
const NAMES: usize = 64;

/// What the rules of a merging layer have come to so far.
#[derive(Default)]
struct Merged {
    /// Name, value and rule of each parameter.
    parameters: Vec<(String, Json, Text)>,
    names: HashSet<String>,
    /// Exposures of the layer's conditions and of the delegates that count.
    all: Vec<Exposed>,
    /// Those of the layer's conditions.
    own: Vec<Exposed>,
    any_passed: bool,
    passed: bool,
    delegated: Option<Delegated>,
}

/// What the delegate that counts leaves behind.
struct Delegated {
    delegate: Option<u32>,
    group_name: Option<Text>,
    explicit_parameters: Option<u32>,
    rule_id: Text,
    is_experiment_group: bool,
}

impl Merged {
    /// Adds the members of an object that are not there yet; returns their names.
    fn add(&mut self, value: JsonRef<'_>, rule: Text) -> Vec<String> {
        let mut added = Vec::new();
        for (name, value) in value.as_object().into_iter().flatten() {
            if self.names.insert(name.to_owned()) {
                self.parameters.push((name.to_owned(), value.to_owned(), rule));
                if added.len() < NAMES {
                    added.push(super::shown::cut(name));
                }
            }
        }
        added
    }
}

impl<'a> Walker<'a> {
    pub(super) fn merge(&mut self, r: &mut State, spec: &'a Spec, trace: &mut SpecTrace) -> Result<(), Abort> {
        let mut merged = Merged::default();
        let rules = &self.ruleset.rules[spec.rules()];
        for (at, rule) in rules.iter().enumerate() {
            let shown = self.node();
            let mut told = self.rule_trace(rule, RuleOutcome::Failed, shown);
            let end = self.showing(shown, |walker| walker.merge_rule(r, &mut merged, spec, rule, &mut told));
            let unsupported = told.outcome == RuleOutcome::Unsupported;
            attach(trace, told, shown);
            if end.is_err() || unsupported {
                self.not_reached(&rules[at + 1..], trace);
                end?;
                r.exposures = merged.all;
                r.undelegated = Some(merged.own);
                return Ok(());
            }
        }
        let any = merged.any_passed;
        trace.outcome = if any { SpecOutcome::Rule } else { SpecOutcome::Default };
        merged.add(self.ruleset.value(spec.default_value), well_known::DEFAULT);
        r.value = ConfigValue::Own(Json::from_packed(encode_object(
            merged.parameters.iter().map(|(name, value, _)| (name.as_str(), value.view())),
        )));
        r.parameter_rules = Some(merged.parameters.into_iter().map(|(name, _, rule)| (name, rule)).collect());
        r.passed = merged.passed;
        let delegated = merged.delegated.as_ref();
        r.delegate = delegated.and_then(|delegated| delegated.delegate);
        r.group_name = delegated.and_then(|delegated| delegated.group_name);
        r.explicit_parameters = delegated.and_then(|delegated| delegated.explicit_parameters);
        r.rule_id = Some(delegated.map_or(well_known::DEFAULT, |delegated| delegated.rule_id));
        r.is_experiment_group = delegated.is_some_and(|delegated| delegated.is_experiment_group);
        r.is_experiment_active = spec.is_active.unwrap_or(false);
        r.exposures = merged.all;
        r.undelegated = Some(merged.own);
        r.finalize();
        Ok(())
    }

    fn merge_rule(
        &mut self,
        r: &mut State,
        merged: &mut Merged,
        spec: &Spec,
        rule: &'a Rule,
        told: &mut RuleTrace,
    ) -> Result<(), Abort> {
        self.match_rule(r, rule, told)?;
        // What a delegate that did not count has left behind is among these, too.
        let kept = self.budget.append(&mut merged.all, &r.exposures);
        merged.own.extend(r.exposures.drain(..).take(kept));
        told.outcome = if r.unsupported {
            RuleOutcome::Unsupported
        } else if !r.passed {
            RuleOutcome::NoMatch
        } else if !self.passes(rule, Some(spec), told) {
            RuleOutcome::OutsidePercentage
        } else if self.delegate(r, rule, told)? {
            self.merge_delegate(r, merged, rule, told)
        } else {
            merged.passed = true;
            merged.any_passed = true;
            told.parameters = merged.add(self.ruleset.value(rule.value), rule.id);
            RuleOutcome::Contributed
        };
        Ok(())
    }

    fn merge_delegate(&mut self, r: &mut State, merged: &mut Merged, rule: &Rule, told: &mut RuleTrace) -> RuleOutcome {
        let value = std::mem::take(&mut r.value);
        if merged.any_passed || value == ConfigValue::None {
            return RuleOutcome::Superseded;
        }
        told.parameters = merged.add(view(self.ruleset, &value), rule.id);
        self.budget.append(&mut merged.all, &r.exposures);
        r.exposures.clear();
        merged.any_passed = true;
        merged.passed = r.passed;
        merged.delegated = Some(Delegated {
            delegate: r.delegate,
            group_name: r.group_name,
            explicit_parameters: r.explicit_parameters,
            rule_id: rule.id,
            is_experiment_group: rule.is_experiment_group,
        });
        RuleOutcome::Contributed
    }
}

/// The packed value; `null` if there is none.
pub(super) fn view<'v>(ruleset: &'v Ruleset, value: &'v ConfigValue) -> JsonRef<'v> {
    match value {
        ConfigValue::None => JsonRef::null(),
        ConfigValue::At(at) => ruleset.value(*at),
        ConfigValue::Own(json) => json.view(),
    }
}
