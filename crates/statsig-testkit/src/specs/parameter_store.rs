//! Parameter stores.

use serde_json::{Map, Value, json};

/// The type that the server says a parameter has. Clients are told; evaluation does not look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterType {
    /// A boolean.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl ParameterType {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The type of a value; that of `null` is `object`.
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Null | Value::Object(_) => Self::Object,
        }
    }
}

/// A parameter store: names for values that stand elsewhere.
///
/// ```
/// use statsig_testkit::specs::{ParameterStoreBuilder, ParameterType};
///
/// let store = ParameterStoreBuilder::new("web")
///     .value("title", "Welcome")
///     .by_gate("greeting", "formal", "Good day", "Hello")
///     .from_experiment("color", ParameterType::String, "button_color", "color");
/// # let _ = store;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterStoreBuilder {
    pub(super) name: String,
    parameters: Map<String, Value>,
    target_apps: Option<Vec<String>>,
}

impl ParameterStoreBuilder {
    /// A store without parameters.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Map::new(), target_apps: None }
    }

    /// A parameter with a value of its own.
    #[must_use]
    pub fn value(self, parameter: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = value.into();
        let param_type = ParameterType::of(&value);
        self.put(parameter, "static", param_type, json!({"value": value}))
    }

    /// A parameter with two values, of which a gate picks one.
    #[must_use]
    pub fn by_gate(
        self,
        parameter: impl Into<String>,
        gate: impl Into<String>,
        pass_value: impl Into<Value>,
        fail_value: impl Into<Value>,
    ) -> Self {
        let pass_value = pass_value.into();
        let param_type = ParameterType::of(&pass_value);
        let of = json!({"gate_name": gate.into(), "pass_value": pass_value, "fail_value": fail_value.into()});
        self.put(parameter, "gate", param_type, of)
    }

    /// A parameter of a dynamic config.
    #[must_use]
    pub fn from_config(
        self,
        parameter: impl Into<String>,
        param_type: ParameterType,
        config: impl Into<String>,
        its_parameter: impl Into<String>,
    ) -> Self {
        let of = json!({"config_name": config.into(), "param_name": its_parameter.into()});
        self.put(parameter, "dynamic_config", param_type, of)
    }

    /// A parameter of an experiment.
    #[must_use]
    pub fn from_experiment(
        self,
        parameter: impl Into<String>,
        param_type: ParameterType,
        experiment: impl Into<String>,
        its_parameter: impl Into<String>,
    ) -> Self {
        let of = json!({"experiment_name": experiment.into(), "param_name": its_parameter.into()});
        self.put(parameter, "experiment", param_type, of)
    }

    /// A parameter of a layer.
    #[must_use]
    pub fn from_layer(
        self,
        parameter: impl Into<String>,
        param_type: ParameterType,
        layer: impl Into<String>,
        its_parameter: impl Into<String>,
    ) -> Self {
        let of = json!({"layer_name": layer.into(), "param_name": its_parameter.into()});
        self.put(parameter, "layer", param_type, of)
    }

    /// The apps that get to see the store in client-initialize responses (default: all).
    #[must_use]
    pub fn target_apps<A: Into<String>>(mut self, apps: impl IntoIterator<Item = A>) -> Self {
        self.target_apps = Some(apps.into_iter().map(Into::into).collect());
        self
    }

    fn put(mut self, parameter: impl Into<String>, ref_type: &str, param_type: ParameterType, mut of: Value) -> Self {
        if let Some(fields) = of.as_object_mut() {
            fields.insert("ref_type".to_owned(), ref_type.into());
            fields.insert("param_type".to_owned(), param_type.name().into());
        }
        self.parameters.insert(parameter.into(), of);
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let mut out = json!({"parameters": self.parameters});
        if let (Some(apps), Some(fields)) = (&self.target_apps, out.as_object_mut()) {
            fields.insert("targetAppIDs".to_owned(), apps.clone().into());
        }
        out
    }
}
