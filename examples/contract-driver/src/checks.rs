//! Checks and reads for a user.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use statsig::{
    ClientInitializeOptions, EvaluationDetails, EvaluationOptions, ExperimentEvaluationOptions, HashAlgorithm,
    LayerEvaluationOptions, Statsig,
};

use crate::answer::{Answer, Failure, FailureKind, json};
use crate::request::Fields;

fn options(fields: &mut Fields) -> Result<EvaluationOptions, Failure> {
    Ok(EvaluationOptions::new().disable_exposure_logging(fields.flag("disable_exposure")?))
}

/// The result with what all results have.
fn answer(mut result: Value, rule_id: &str, details: &EvaluationDetails<'_>) -> Answer {
    result["rule_id"] = rule_id.into();
    result["reason"] = details.reason().into();
    result["source"] = details.source().to_string().into();
    json(result)
}

pub fn gate(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name, options) = (fields.user()?, fields.name()?, options(fields)?);
    let gate = statsig.get_feature_gate_with_options(&user, &name, options);
    answer(json!({"value": gate.value(), "id_type": gate.id_type()}), gate.rule_id(), &gate.details())
}

pub fn config(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name, options) = (fields.user()?, fields.name()?, options(fields)?);
    let config = statsig.get_dynamic_config_with_options(&user, &name, options);
    let result = json!({
        "value": config.value(),
        "id_type": config.id_type(),
        // Rules of dynamic configs may have one, but the client does not tell.
        "group_name": null,
    });
    answer(result, config.rule_id(), &config.details())
}

pub fn experiment(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name) = (fields.user()?, fields.name()?);
    let options = ExperimentEvaluationOptions::new().with_exposure_logging_disabled(fields.flag("disable_exposure")?);
    let experiment = statsig.get_experiment_with_options(&user, &name, &options);
    let result = json!({
        "value": experiment.value(),
        "id_type": experiment.id_type(),
        "group_name": experiment.group_name(),
    });
    answer(result, experiment.rule_id(), &experiment.details())
}

pub fn layer(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name) = (fields.user()?, fields.name()?);
    let parameters: Vec<String> = fields.optional("params")?.unwrap_or_default();
    let options = LayerEvaluationOptions::new().with_exposure_logging_disabled(fields.flag("disable_exposure")?);
    let layer = statsig.get_layer_with_options(&user, &name, &options);
    let read = |name: String| {
        let value = layer.get_raw_value(&name).map_or(Value::Null, |value| value.to_json());
        (name, value)
    };
    let parameters: Map<String, Value> = parameters.into_iter().map(read).collect();
    let result = json!({
        "params": parameters,
        "group_name": layer.group_name(),
        "allocated_experiment": layer.allocated_experiment(),
    });
    answer(result, layer.rule_id(), &layer.details())
}

/// The types that a parameter of a store can be read as.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ParamType {
    #[serde(alias = "bool")]
    Boolean,
    #[serde(alias = "float")]
    Number,
    Integer,
    String,
    Array,
    Object,
    /// Whatever it is.
    Any,
}

pub fn param(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, store, param): (_, String, String) =
        (fields.user()?, fields.required("store")?, fields.required("param")?);
    let param_type: ParamType = fields.optional("type")?.unwrap_or(ParamType::Any);
    let options = options(fields)?;
    let store = statsig.get_parameter_store_with_options(&user, &store, options);
    let value = match param_type {
        ParamType::Boolean => store.get_bool(&param, fields.required("fallback")?).into(),
        ParamType::Number => store.get_f64(&param, fields.required("fallback")?).into(),
        ParamType::Integer => store.get_i64(&param, fields.required("fallback")?).into(),
        ParamType::String => store.get_string(&param, fields.required::<String>("fallback")?).into(),
        ParamType::Array => store.get_array(&param, fields.required("fallback")?).into(),
        ParamType::Object => store.get_object(&param, fields.required("fallback")?).into(),
        ParamType::Any => store.get_value(&param).or_else(|| fields.value("fallback")).unwrap_or_default(),
    };
    json(json!({"value": value}))
}

pub fn explain(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let (user, name, kind) = (fields.user()?, fields.name()?, fields.required("kind")?);
    json(match kind {
        Kind::Gate => statsig.explain_gate(&user, &name),
        Kind::Config => statsig.explain_config(&user, &name),
        Kind::Experiment => statsig.explain_experiment(&user, &name),
        Kind::Layer => statsig.explain_layer(&user, &name),
    })
}

/// What a name is the name of.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Gate,
    Config,
    Experiment,
    Layer,
}

pub fn client_initialize(statsig: &Statsig, fields: &mut Fields) -> Answer {
    let user = fields.user()?;
    let mut options = ClientInitializeOptions::new().with_local_overrides(fields.flag("include_local_overrides")?);
    if let Some(hash) = fields.optional::<String>("hash")? {
        let algorithm: HashAlgorithm = hash.parse().map_err(|error| Failure::of(FailureKind::InvalidField, &error))?;
        options = options.with_hash_algorithm(algorithm);
    }
    if let Some(key) = fields.optional::<String>("client_key")? {
        options = options.with_client_sdk_key(key);
    }
    let response = statsig.get_client_initialize_response_as_string(&user, &options);
    serde_json::value::RawValue::from_string(response).map_err(|error| Failure::of(FailureKind::Failed, &error))
}
