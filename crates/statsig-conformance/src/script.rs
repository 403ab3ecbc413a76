//! Running a script of calls, and collecting what it logs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use statsig::{
    CustomEvent, EvaluationDetails, EvaluationOptions, ExperimentEvaluationOptions, Getters, Layer, Statsig,
    StatsigUser,
};

use super::client_response::{Request, response};
use super::plan::{Check, Manual, Op, Override, ParamRead, Removal, Script};
use super::record::ScriptRecord;
use super::runner::{RunError, read_param, without_source};
use statsig_testkit::MemorySink;

/// Longest wait for the events of one call to arrive in memory.
const FLUSH: Duration = Duration::from_secs(60);

/// The users of a set, by id.
pub(super) type Users = HashMap<String, StatsigUser>;

/// Runs a script on a client of its own, whose events go to `sink`.
pub(super) fn run(
    statsig: &Statsig,
    sink: &Arc<MemorySink>,
    script: &Script,
    users: &Users,
) -> Result<ScriptRecord, RunError> {
    let mut results = Vec::with_capacity(script.ops.len());
    let mut events = Vec::new();
    for op in &script.ops {
        results.push(Call { statsig, users }.make(op)?);
        // After each call, because exposures and other events travel apart.
        let _ = statsig.flush_events_blocking(FLUSH);
        events.extend(sink.take().into_iter().filter_map(normalised));
    }
    Ok(ScriptRecord { name: script.id.clone(), results, events })
}

struct Call<'a> {
    statsig: &'a Statsig,
    users: &'a Users,
}

impl Call<'_> {
    fn user(&self, id: &str) -> Result<&StatsigUser, RunError> {
        self.users.get(id).ok_or_else(|| RunError::UnknownUser(id.to_owned()))
    }

    fn make(&self, op: &Op) -> Result<Value, RunError> {
        let statsig = self.statsig;
        Ok(match op {
            Op::Gate(check) => self.gate(check)?,
            Op::Config(check) => self.config(check)?,
            Op::Experiment(check) => self.experiment(check)?,
            Op::Layer { check, params } => self.layer(check, params)?,
            Op::Param { user, store, param, param_type, fallback, disable_exposure } => {
                let store = statsig.get_parameter_store_with_options(
                    self.user(user)?,
                    store,
                    EvaluationOptions::new().disable_exposure_logging(*disable_exposure),
                );
                json!({"value": read_param(&store, &ParamRead(param.clone(), *param_type, fallback.clone()))})
            }
            Op::Gcir { user, hash, client_key, include_local_overrides } => {
                let (hash, client_key) = (hash.as_deref(), client_key.as_deref());
                let request = Request { hash, client_key, include_local_overrides: *include_local_overrides };
                response(statsig, self.user(user)?, &request)?
            }
            other => {
                self.tell(other)?;
                Value::Null
            }
        })
    }

    /// Makes a call without an answer.
    fn tell(&self, op: &Op) -> Result<(), RunError> {
        let statsig = self.statsig;
        match op {
            Op::Gate(_) | Op::Config(_) | Op::Experiment(_) | Op::Layer { .. } | Op::Param { .. } | Op::Gcir { .. } => {
            }
            Op::ManualGate(Manual { user, name }) => {
                statsig.manually_log_gate_exposure(self.user(user)?, name);
            }
            Op::ManualConfig(Manual { user, name }) => {
                statsig.manually_log_dynamic_config_exposure(self.user(user)?, name);
            }
            Op::ManualExperiment(Manual { user, name }) => {
                statsig.manually_log_experiment_exposure(self.user(user)?, name);
            }
            Op::ManualLayer { manual: Manual { user, name }, param } => {
                statsig.manually_log_layer_parameter_exposure(self.user(user)?, name, param);
            }
            Op::LogEvent { user, event, value, metadata } => {
                let mut custom = CustomEvent::new(event);
                match value {
                    Value::String(text) => custom = custom.value(text.as_str()),
                    Value::Number(number) => custom = custom.value(number.as_f64().unwrap_or(f64::NAN)),
                    _ => {}
                }
                if let Some(metadata) = metadata {
                    custom = custom.all_metadata(metadata.clone());
                }
                statsig.log_custom_event(self.user(user)?, &custom);
            }
            Op::OverrideGate(Override { name, value, id }) => {
                statsig.override_gate(name, value.as_bool().unwrap_or(false), id.as_deref());
            }
            Op::OverrideConfig(Override { name, value, id }) => {
                statsig.override_dynamic_config(name, value.clone(), id.as_deref());
            }
            Op::OverrideExperiment(Override { name, value, id }) => {
                statsig.override_experiment(name, value.clone(), id.as_deref());
            }
            Op::OverrideExperimentGroup { name, group, id } => {
                statsig.override_experiment_by_group_name(name, group, id.as_deref());
            }
            Op::OverrideLayer(Override { name, value, id }) => {
                statsig.override_layer(name, value.clone(), id.as_deref());
            }
            Op::OverrideParamStore(Override { name, value, id }) => {
                statsig.override_parameter_store(name, value.clone(), id.as_deref());
            }
            Op::RemoveGateOverride(Removal { name, id }) => {
                statsig.remove_gate_override(name, id.as_deref());
            }
            Op::RemoveConfigOverride(Removal { name, id }) => {
                statsig.remove_dynamic_config_override(name, id.as_deref());
            }
            Op::RemoveExperimentOverride(Removal { name, id }) => {
                statsig.remove_experiment_override(name, id.as_deref());
            }
            Op::RemoveLayerOverride(Removal { name, id }) => {
                statsig.remove_layer_override(name, id.as_deref());
            }
            Op::RemoveAllOverrides => {
                statsig.remove_all_overrides();
            }
        }
        Ok(())
    }

    fn gate(&self, check: &Check) -> Result<Value, RunError> {
        let gate = self.statsig.get_feature_gate_with_options(self.user(&check.user)?, &check.name, options_of(check));
        Ok(json!({"value": gate.value(), "rule_id": gate.rule_id(), "reason": reason(&gate.details())}))
    }

    fn config(&self, check: &Check) -> Result<Value, RunError> {
        let config =
            self.statsig.get_dynamic_config_with_options(self.user(&check.user)?, &check.name, options_of(check));
        Ok(json!({
            "value": config.value().to_json(), "rule_id": config.rule_id(), "reason": reason(&config.details()),
        }))
    }

    fn experiment(&self, check: &Check) -> Result<Value, RunError> {
        let experiment =
            self.statsig.get_experiment_with_options(self.user(&check.user)?, &check.name, &sticky_options_of(check));
        Ok(json!({
            "value": experiment.value().to_json(), "rule_id": experiment.rule_id(),
            "reason": reason(&experiment.details()), "group_name": experiment.group_name(),
        }))
    }

    fn layer(&self, check: &Check, params: &[String]) -> Result<Value, RunError> {
        let layer =
            self.statsig.get_layer_with_options(self.user(&check.user)?, &check.name, &sticky_options_of(check));
        let values: Map<String, Value> = params.iter().map(|param| (param.clone(), read(&layer, param))).collect();
        Ok(json!({
            "values": values, "rule_id": layer.rule_id(), "reason": reason(&layer.details()),
            "group_name": layer.group_name(), "allocated_experiment_name": layer.allocated_experiment(),
        }))
    }
}

/// Reads a parameter unless it is missing or null.
fn read(layer: &Layer, param: &str) -> Value {
    match layer.get_value(param).map(|value| value.to_json()) {
        None | Some(Value::Null) => Value::Null,
        Some(_) => layer.get_raw_value(param).map_or(Value::Null, |value| value.to_json()),
    }
}

fn options_of(check: &Check) -> EvaluationOptions {
    EvaluationOptions::new().disable_exposure_logging(check.disable_exposure)
}

fn sticky_options_of(check: &Check) -> ExperimentEvaluationOptions {
    ExperimentEvaluationOptions::new().with_exposure_logging_disabled(check.disable_exposure)
}

fn reason(details: &EvaluationDetails<'_>) -> String {
    without_source(&details.to_string()).to_owned()
}

/// An event as the corpus keeps it; `None` for those that it leaves out.
fn normalised(mut event: Value) -> Option<Value> {
    let name = event.get("eventName")?.as_str()?;
    if matches!(name, "statsig::diagnostics" | "statsig::non_exposed_checks") {
        return None;
    }
    let fields = event.as_object_mut()?;
    fields.remove("time");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("receivedAt");
        if let Some(Value::String(reason)) = metadata.get_mut("reason") {
            *reason = without_source(reason).to_owned();
        }
    }
    Some(event)
}
