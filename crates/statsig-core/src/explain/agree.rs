//! What the walk comes to, in the form in which the evaluator's result is compared with it.

use super::state::State;
use super::tree::SpecKind;
use super::verdict::{Conclusion, ExposedGate, ExposureTrace, PARAMETERS, ParameterTrace, Verdict};
use super::walk::Walker;
use crate::evaluate::{Abort, DEPTH_ERROR, Exposed, Recognition};
use crate::json::JsonRef;

impl Walker<'_> {
    /// The conclusion from how the evaluation of a name ended.
    pub(super) fn conclusion(&self, kind: SpecKind, mut r: State, end: Result<Recognition, Abort>) -> Conclusion {
        if end.is_err() {
            r = State::default();
        }
        let (recognized, overridden, unsupported) = (end != Ok(Recognition::Unrecognized), r.overridden, r.unsupported);
        if unsupported {
            // What was found before must not leak.
            r.passed = false;
            r.value = crate::evaluate::ConfigValue::None;
            r.rule_id = None;
            r.explored = false;
            r.group_name = None;
            r.parameter_rules = None;
        }
        let outcome = match end {
            Err(_) => return self.conclude(kind, &r, format!("Error:{DEPTH_ERROR}"), None),
            Ok(Recognition::Unrecognized) => "Unrecognized",
            Ok(Recognition::Recognized) if overridden => {
                return self.conclude(kind, &r, "LocalOverride:Recognized".to_owned(), r.version);
            }
            Ok(Recognition::Recognized) if unsupported => "Unsupported",
            Ok(Recognition::Recognized) => "Recognized",
        };
        let source = self.context.snapshot.source();
        let reason = if source.has_values() { format!("{source}:{outcome}") } else { source.to_string() };
        self.conclude(kind, &r, reason, r.version.filter(|_| recognized))
    }

    fn conclude(&self, kind: SpecKind, r: &State, reason: String, version: Option<u32>) -> Conclusion {
        let text = |text| self.ruleset.str(text).to_owned();
        let id_type = r.id_type.map(text).unwrap_or_default();
        let is_layer = kind == SpecKind::Layer;
        let of_experiment = matches!(kind, SpecKind::Experiment | SpecKind::Layer);
        let view = super::merge::view(self.ruleset, &r.value);
        let value = if view.as_object().is_some() { view } else { JsonRef::empty_object() };
        let rule_id = text(r.rule());
        Conclusion {
            exposure: self.exposure(r, value, is_layer),
            verdict: Verdict {
                value: if kind == SpecKind::Gate { serde_json::Value::Bool(r.passed).into() } else { value.to_owned() },
                rule_id: if r.explored { format!("{rule_id}:explore") } else { rule_id },
                group_name: r.group_name.filter(|_| of_experiment).map(text),
                reason,
                unit_id: if id_type.is_empty() { None } else { self.context.user.unit_id(&id_type) },
                id_type,
                version,
                override_config_name: r.override_config.map(text),
                rule_passed: matches!(kind, SpecKind::DynamicConfig | SpecKind::Experiment).then_some(r.passed),
                is_experiment_active: of_experiment.then_some(r.is_experiment_active),
                is_user_in_experiment: of_experiment.then_some(r.is_experiment_group),
                allocated_experiment: self.allocated(r).filter(|_| is_layer),
            },
        }
    }

    fn allocated(&self, r: &State) -> Option<String> {
        r.delegate.and_then(|at| self.ruleset.spec(at)).map(|spec| self.ruleset.str(spec.name).to_owned())
    }

    fn exposure(&self, r: &State, value: JsonRef<'_>, is_layer: bool) -> ExposureTrace {
        let ruleset = self.ruleset;
        let gates = |list: &[Exposed]| list.iter().map(|one| ExposedGate::from(one.resolve(ruleset))).collect();
        let mut exposure = ExposureTrace { secondary_exposures: gates(&r.exposures), ..Default::default() };
        if !is_layer {
            return exposure;
        }
        exposure.undelegated_secondary_exposures = gates(r.undelegated.as_deref().unwrap_or_default());
        let explicit: Vec<&str> =
            r.explicit_parameters.and_then(|list| ruleset.names(list)).map(Iterator::collect).unwrap_or_default();
        let suffix = if r.explored { ":explore" } else { "" };
        for (name, _) in value.as_object().into_iter().flatten().take(PARAMETERS) {
            let own_rule = r.parameter_rules.iter().flatten().find(|(known, _)| known == name);
            let is_explicit = explicit.contains(&name);
            exposure.parameters.push(ParameterTrace {
                name: name.to_owned(),
                rule_id: match own_rule {
                    Some(&(_, rule)) => ruleset.str(rule).to_owned(),
                    None => format!("{}{suffix}", ruleset.str(r.rule())),
                },
                is_explicit,
                allocated_experiment: self.allocated(r).filter(|_| is_explicit),
            });
        }
        exposure
    }
}
