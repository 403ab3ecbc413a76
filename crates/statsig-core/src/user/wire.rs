//! Users in JSON, in the shape of the Statsig SDKs.

use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{StatsigUser, UserData};
use crate::excerpt::without_value;
use crate::value::{Attribute, AttributeMap};

#[derive(Deserialize)]
#[serde(expecting = "a user: an object with members such as `userID`")]
struct WireUser {
    #[serde(rename = "userID", alias = "userId", alias = "user_id", default)]
    user_id: Option<Value>,
    #[serde(rename = "customIDs", alias = "customIds", alias = "custom_ids", default)]
    custom_ids: Option<Map<String, Value>>,
    #[serde(default)]
    email: Option<Value>,
    #[serde(default)]
    ip: Option<Value>,
    #[serde(rename = "userAgent", alias = "user_agent", default)]
    user_agent: Option<Value>,
    #[serde(default)]
    country: Option<Value>,
    #[serde(default)]
    locale: Option<Value>,
    #[serde(rename = "appVersion", alias = "app_version", default)]
    app_version: Option<Value>,
    #[serde(default)]
    custom: Option<Map<String, Value>>,
    #[serde(rename = "privateAttributes", alias = "private_attributes", default)]
    private_attributes: Option<Map<String, Value>>,
    #[serde(rename = "statsigEnvironment", alias = "statsig_environment", default)]
    statsig_environment: Option<Map<String, Value>>,
}

impl<'de> Deserialize<'de> for StatsigUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The deserializer's own words would repeat a value of the wrong type, which is user data.
        let wire =
            WireUser::deserialize(deserializer).map_err(|error| D::Error::custom(without_value(&error.to_string())))?;
        let field = |value: Option<Value>| value.map(Attribute::from);
        let map = |map: Option<Map<String, Value>>| map.map(AttributeMap::from).unwrap_or_default();
        Ok(Self::from_data(UserData {
            user_id: field(wire.user_id),
            email: field(wire.email),
            ip: field(wire.ip),
            user_agent: field(wire.user_agent),
            country: field(wire.country),
            locale: field(wire.locale),
            app_version: field(wire.app_version),
            custom_ids: map(wire.custom_ids),
            custom: map(wire.custom),
            private: map(wire.private_attributes),
            environment: map(wire.statsig_environment),
            ..UserData::default()
        }))
    }
}

impl Serialize for StatsigUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.data();
        let mut map = serializer.serialize_map(None)?;
        for (name, field) in data.single_fields() {
            if let Some(value) = field {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, attributes) in [
            ("customIDs", &data.custom_ids),
            ("custom", &data.custom),
            ("privateAttributes", &data.private),
            ("statsigEnvironment", &data.environment),
        ] {
            if attributes.is_set() {
                map.serialize_entry(name, attributes)?;
            }
        }
        map.end()
    }
}
