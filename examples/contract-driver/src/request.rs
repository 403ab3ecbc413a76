//! What comes in.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use statsig::StatsigUser;

use crate::answer::{Failure, FailureKind};

/// One line of the input.
#[derive(Debug)]
pub struct Request {
    pub id: Value,
    pub op: String,
    pub client: String,
    pub fields: Fields,
}

/// A line that is no request, with the id to tell it by, if it has one.
#[derive(Debug)]
pub struct NoRequest {
    pub id: Value,
    pub failure: Failure,
}

impl Request {
    pub fn parse(line: &[u8]) -> Result<Self, NoRequest> {
        let malformed = |id: Value, message: String| NoRequest {
            id,
            failure: Failure::new(FailureKind::MalformedRequest, message),
        };
        let value: Value = serde_json::from_slice(line).map_err(|error| malformed(Value::Null, error.to_string()))?;
        let Value::Object(mut fields) = value else {
            return Err(malformed(Value::Null, "a request is a JSON object".to_owned()));
        };
        let id = fields.remove("id").unwrap_or_default();
        let Some(Value::String(op)) = fields.remove("op") else {
            return Err(malformed(id, "a request names its operation in `op`".to_owned()));
        };
        let client = match fields.remove("client") {
            None | Some(Value::Null) => "main".to_owned(),
            Some(Value::String(client)) => client,
            Some(_) => return Err(malformed(id, "`client` is a text".to_owned())),
        };
        Ok(Self { id, op, client, fields: Fields(fields) })
    }
}

/// The fields of a request, each to be taken once. A `null` is like none.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.0.remove(name).filter(|value| !value.is_null()) else { return Ok(None) };
        serde_path_to_error::deserialize(value).map(Some).map_err(|error| {
            let place = match error.path().to_string() {
                path if path == "." => name.to_owned(),
                path if path.starts_with('[') => format!("{name}{path}"),
                path => format!("{name}.{path}"),
            };
            Failure::new(FailureKind::InvalidField, format!("`{place}`: {}", error.into_inner()))
        })
    }

    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::new(FailureKind::InvalidField, format!("`{name}` is missing")))
    }

    /// The value as it is; here a `null` is one.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        Ok(self.optional(name)?.unwrap_or(false))
    }

    pub fn name(&mut self) -> Result<String, Failure> {
        self.required("name")
    }

    pub fn user(&mut self) -> Result<StatsigUser, Failure> {
        self.required("user")
    }
}
