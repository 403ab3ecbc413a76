//! From messages to the JSON of version 2.

use std::error::Error;

use prost::Message;
use prost::bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::messages::{
    Any, AnyValue, CONDITIONS, Condition, ENTITIES, IdType, Kind, OPERATORS, ReturnValue, Returned, Rule, Spec,
    SpecsEnvelope, SpecsTopLevel, UNITS, Unit,
};

pub(super) type Refused = Box<dyn Error + Send + Sync>;

/// The content of a part that is no head, as JSON.
pub(super) fn entity(kind: Kind, envelope: &SpecsEnvelope) -> Result<Vec<u8>, Refused> {
    match kind {
        Kind::Condition => condition(envelope),
        Kind::ParamStore => {
            let json: &RawValue = serde_json::from_slice(data(envelope)?)?;
            Ok(json.get().as_bytes().to_vec())
        }
        _ => spec(envelope),
    }
}

pub(super) fn data(envelope: &SpecsEnvelope) -> Result<&Bytes, Refused> {
    envelope.data.as_ref().ok_or_else(|| "it has no content".into())
}

/// The head, as members of the document.
pub(super) fn head(envelope: &SpecsEnvelope) -> Result<Map<String, Value>, Refused> {
    let message = SpecsTopLevel::decode(data(envelope)?.clone())?;
    let mut head: Map<String, Value> =
        if message.rest.is_empty() { Map::new() } else { serde_json::from_slice(&message.rest)? };
    head.insert("has_updates".into(), message.has_updates.into());
    head.insert("time".into(), message.time.into());
    for (name, text) in [
        ("company_id", message.company_id),
        ("response_format", message.response_format),
        ("checksum", message.checksum),
    ] {
        if !text.is_empty() {
            head.insert(name.into(), text.into());
        }
    }
    // A document of version 2 without experiments in layers has an empty table.
    head.entry("experiment_to_layer").or_insert_with(|| Value::Object(Map::new()));
    Ok(head)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpec<'a> {
    #[serde(rename = "type")]
    spec_type: &'static str,
    entity: &'static str,
    salt: &'a str,
    enabled: bool,
    default_value: &'a RawValue,
    rules: Vec<JsonRule<'a>>,
    id_type: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_shared_params: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_new_layer_eval: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forward_all_exposures: Option<bool>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    explicit_parameters: &'a [String],
    #[serde(rename = "targetAppIDs", skip_serializing_if = "<[String]>::is_empty")]
    target_app_ids: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    fields_used: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRule<'a> {
    name: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<&'a str>,
    pass_percentage: f64,
    conditions: &'a [String],
    id_type: &'a str,
    return_value: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_delegate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_experiment_group: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_control_group: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_rate: Option<u64>,
}

fn spec(envelope: &SpecsEnvelope) -> Result<Vec<u8>, Refused> {
    let message = Spec::decode(data(envelope)?.clone())?;
    let entity = named(&ENTITIES, message.entity, "entity")?;
    let json = JsonSpec {
        spec_type: if matches!(message.entity, 1 | 6 | 7) { "feature_gate" } else { "dynamic_config" },
        entity,
        salt: &message.salt,
        enabled: message.enabled,
        default_value: returned(message.default_value.as_ref())?,
        rules: message.rules.iter().map(rule).collect::<Result<_, _>>()?,
        id_type: unit(message.id_type.as_ref())?,
        version: message.version,
        is_active: message.is_active,
        has_shared_params: message.has_shared_params,
        use_new_layer_eval: message.use_new_layer_eval,
        forward_all_exposures: message.forward_all_exposures,
        explicit_parameters: &message.explicit_parameters,
        target_app_ids: &message.target_app_ids,
        fields_used: &message.fields_used,
    };
    Ok(serde_json::to_vec(&json)?)
}

fn rule(message: &Rule) -> Result<JsonRule<'_>, Refused> {
    let sampling_rate = match message.sampling_rate {
        Some(rate) if !rate.is_finite() || rate < 0.0 || rate.fract() != 0.0 => {
            return Err(format!("the sampling rate {rate} is no whole number").into());
        }
        rate => rate.map(|rate| rate as u64),
    };
    Ok(JsonRule {
        name: &message.name,
        id: &message.id,
        salt: message.salt.as_deref(),
        pass_percentage: message.pass_percentage_float.unwrap_or_else(|| message.pass_percentage.into()),
        conditions: &message.conditions,
        id_type: unit(message.id_type.as_ref())?,
        return_value: returned(message.return_value.as_ref())?,
        group_name: message.group_name.as_deref(),
        config_delegate: message.config_delegate.as_deref(),
        is_experiment_group: message.is_experiment_group,
        is_control_group: message.is_control_group,
        sampling_rate,
    })
}

fn condition(envelope: &SpecsEnvelope) -> Result<Vec<u8>, Refused> {
    let message = Condition::decode(data(envelope)?.clone())?;
    let mut json = Map::new();
    json.insert("type".into(), named(&CONDITIONS, message.condition_type, "condition type")?.into());
    json.insert("idType".into(), unit(message.id_type.as_ref())?.into());
    if let Some(AnyValue { value: Some(target) }) = message.target_value {
        let target = match target {
            Any::Text(text) => text.into(),
            Any::Bool(value) => value.into(),
            Any::Signed(number) => number.into(),
            Any::Unsigned(number) => number.into(),
            Any::Float(number) => number.into(),
            Any::Json(json) => serde_json::from_slice(&json)?,
        };
        json.insert("targetValue".into(), target);
    }
    if let Some(operator) = message.operator {
        json.insert("operator".into(), named(&OPERATORS, operator, "operator")?.into());
    }
    if let Some(field) = message.field {
        json.insert("field".into(), field.into());
    }
    if let Some(values) = message.additional_values {
        json.insert("additionalValues".into(), serde_json::from_slice(&values)?);
    }
    Ok(serde_json::to_vec(&json)?)
}

fn returned(message: Option<&ReturnValue>) -> Result<&RawValue, Refused> {
    match message {
        None => Ok(RawValue::NULL),
        Some(ReturnValue { value: Some(Returned::Bool(true)) }) => Ok(RawValue::TRUE),
        Some(ReturnValue { value: Some(Returned::Bool(false)) }) => Ok(RawValue::FALSE),
        Some(ReturnValue { value: Some(Returned::Json(json)) }) => Ok(serde_json::from_slice(json)?),
        Some(ReturnValue { value: None }) => Err("a value is of a kind that we do not know".into()),
    }
}

fn unit(message: Option<&IdType>) -> Result<&str, Refused> {
    match message.and_then(|message| message.value.as_ref()) {
        None => Ok(""),
        Some(Unit::Known(number)) => named(&UNITS, *number, "unit"),
        Some(Unit::Custom(name)) => Ok(name),
    }
}

/// The name of a number that counts from 1.
fn named(names: &[&'static str], number: i32, what: &str) -> Result<&'static str, Refused> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let name = index.and_then(|index| names.get(index)).copied();
    name.ok_or_else(|| format!("the {what} {number} is not known").into())
}
