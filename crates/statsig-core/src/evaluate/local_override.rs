//! Local overrides, which answer before the rules.

use super::evaluator::{Call, Evaluator, Kind};
use super::outcome::{ConfigValue, Outcome};
use super::tracer::{LocalAnswer, Tracer};
use crate::hooks::ExperimentOverride;
use crate::json::Json;
use crate::ruleset::well_known;

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Asks the override adapter; false if it has no answer.
    pub(super) fn overridden(&mut self, r: &mut Outcome, call: Call<'_>) -> bool {
        let Some(overrides) = self.inputs.context.overrides else { return false };
        let user = self.inputs.context.user;
        match call.kind {
            Kind::Gate => match overrides.gate(call.name, user) {
                Some(value) => {
                    self.tracer.local_override(LocalAnswer::Gate(value));
                    r.passed = value;
                }
                None => return false,
            },
            Kind::DynamicConfig | Kind::Layer => {
                let value = if call.kind == Kind::Layer {
                    overrides.layer(call.name, user)
                } else {
                    overrides.dynamic_config(call.name, user)
                };
                match value {
                    Some(value) => r.value = self.overriding_value(value),
                    None => return false,
                }
            }
            Kind::Experiment => match overrides.experiment(call.name, user) {
                Some(ExperimentOverride::Value(value)) => r.value = self.overriding_value(value),
                Some(ExperimentOverride::Group(group)) => {
                    self.tracer.local_override(LocalAnswer::Group(&group));
                    r.value = self.value_of_group(call.spec, &group);
                }
                None => return false,
            },
        }
        r.rule_id = well_known::OVERRIDE;
        r.overridden = true;
        true
    }

    fn overriding_value(&mut self, value: Json) -> ConfigValue {
        self.tracer.local_override(LocalAnswer::Value(&value));
        ConfigValue::Own(value)
    }

    fn value_of_group(&self, spec: u32, group: &str) -> ConfigValue {
        let ruleset = self.ruleset;
        let rules = ruleset.spec(spec).map(|spec| &ruleset.rules[spec.rules()]).unwrap_or_default();
        let named = rules.iter().find(|rule| rule.group_name.get().is_some_and(|name| ruleset.str(name) == group));
        named.map_or(ConfigValue::None, |rule| ConfigValue::At(rule.value))
    }
}
