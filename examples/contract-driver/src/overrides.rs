//! Local overrides.

use serde::Deserialize;
use serde_json::{Map, Value};
use statsig::Statsig;

use crate::answer::{Answer, Failure, FailureKind, nothing};
use crate::request::Fields;

/// What can be overridden.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Gate,
    Config,
    Experiment,
    Layer,
    ParamStore,
}

pub fn set(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (kind, name) = (fields.required("kind")?, fields.name()?);
    let id: Option<String> = fields.optional("unit_id")?;
    let id = id.as_deref();
    if let Some(group) = fields.optional::<String>("group")? {
        if !matches!(kind, Kind::Experiment) {
            return Err(Failure::new(FailureKind::InvalidField, "`group`: only experiments have groups"));
        }
        statsig.override_experiment_by_group_name(&name, &group, id);
        return nothing();
    }
    match kind {
        Kind::Gate => statsig.override_gate(&name, fields.required("value")?, id),
        Kind::Config => statsig.override_dynamic_config(&name, object(fields)?, id),
        Kind::Experiment => statsig.override_experiment(&name, object(fields)?, id),
        Kind::Layer => statsig.override_layer(&name, object(fields)?, id),
        Kind::ParamStore => statsig.override_parameter_store(&name, object(fields)?, id),
    }
    nothing()
}

pub fn remove(statsig: &Statsig, fields: &mut Fields) -> Answer {
    if fields.flag("all")? {
        statsig.remove_all_overrides();
        return nothing();
    }
    let (kind, name) = (fields.required("kind")?, fields.name()?);
    let id: Option<String> = fields.optional("unit_id")?;
    let id = id.as_deref();
    match kind {
        Kind::Gate => statsig.remove_gate_override(&name, id),
        Kind::Config => statsig.remove_dynamic_config_override(&name, id),
        Kind::Experiment => statsig.remove_experiment_override(&name, id),
        Kind::Layer => statsig.remove_layer_override(&name, id),
        Kind::ParamStore => statsig.remove_parameter_store_override(&name, id),
    }
    nothing()
}

fn object(fields: &mut Fields) -> Result<Value, Failure> {
    fields.required::<Map<String, Value>>("value").map(Value::Object)
}
