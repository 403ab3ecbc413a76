//! The JSON form of sticky values, shared with other Statsig SDKs.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::values::{StickyExposure, StickyValues};
use crate::specs::optional_integer;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Values {
    value: bool,
    #[serde(default)]
    json_value: Option<Map<String, Value>>,
    #[serde(default)]
    rule_id: Option<String>,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    secondary_exposures: Vec<StickyExposure>,
    #[serde(default)]
    undelegated_secondary_exposures: Option<Vec<StickyExposure>>,
    #[serde(default)]
    config_delegate: Option<String>,
    #[serde(default)]
    explicit_parameters: Option<Vec<String>>,
    #[serde(default, deserialize_with = "time")]
    time: Option<u64>,
    #[serde(default, deserialize_with = "optional_integer")]
    config_version: Option<u32>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exposure {
    gate: String,
    gate_value: String,
    #[serde(rename = "ruleID")]
    rule_id: String,
}

fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Whole or fractional milliseconds; anything else is no time.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within range, and cut on purpose
    let whole = || value.as_f64().filter(|time| (0.0..1e18).contains(time)).map(|time| time as u64);
    Ok(value.as_u64().or_else(whole))
}

/// Values, or something else in their place.
pub(super) struct Readable {
    pub(super) values: Option<StickyValues>,
}

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self { values: serde_json::from_value(value).ok() })
    }
}

impl From<Values> for StickyValues {
    fn from(wire: Values) -> Self {
        Self {
            value: wire.value,
            json_value: wire.json_value.map(Into::into),
            rule_id: wire.rule_id.unwrap_or_default(),
            group_name: wire.group_name,
            secondary_exposures: wire.secondary_exposures,
            undelegated_secondary_exposures: wire.undelegated_secondary_exposures,
            config_delegate: wire.config_delegate,
            explicit_parameters: wire.explicit_parameters,
            time: wire.time,
            config_version: wire.config_version,
        }
    }
}

impl From<StickyValues> for Values {
    fn from(values: StickyValues) -> Self {
        let object = |json: crate::json::Json| match json.view().to_json() {
            Value::Object(object) => Some(object),
            _ => None,
        };
        Self {
            value: values.value,
            json_value: values.json_value.and_then(object),
            rule_id: Some(values.rule_id),
            group_name: values.group_name,
            secondary_exposures: values.secondary_exposures,
            undelegated_secondary_exposures: values.undelegated_secondary_exposures,
            config_delegate: values.config_delegate,
            explicit_parameters: values.explicit_parameters,
            time: values.time,
            config_version: values.config_version,
        }
    }
}

impl From<Exposure> for StickyExposure {
    fn from(wire: Exposure) -> Self {
        Self { gate: wire.gate, value: wire.gate_value == "true", rule_id: wire.rule_id }
    }
}

impl From<StickyExposure> for Exposure {
    fn from(exposure: StickyExposure) -> Self {
        Self { gate: exposure.gate, gate_value: exposure.value.to_string(), rule_id: exposure.rule_id }
    }
}
