//! Parameter stores, for one user.

use serde_json::{Map, Value};
use statsig_core::{EvaluationDetails, JsonRef, ResolvedParameter, StatsigUser};

use crate::client::Statsig;
use crate::options::{EvaluationOptions, Exposing};
use crate::subscriptions::ClientEvent;

/// A parameter store as one user sees it.
///
/// Reading a parameter evaluates what it refers to, at that moment and with the specs that the
/// store was read from, and logs its exposure. A parameter that is missing, of another type, or
/// refers to something that does not exist gives the fallback.
#[derive(Debug, Clone)]
pub struct ParameterStore {
    statsig: Statsig,
    user: StatsigUser,
    store: statsig_core::ParameterStore,
    options: EvaluationOptions,
}

impl ParameterStore {
    pub(crate) fn new(
        statsig: Statsig,
        user: StatsigUser,
        store: statsig_core::ParameterStore,
        options: EvaluationOptions,
    ) -> Self {
        Self { statsig, user, store, options }
    }

    /// The name that was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        self.store.name()
    }

    /// Whether the store exists, and where it came from.
    #[must_use]
    pub fn details(&self) -> EvaluationDetails<'_> {
        self.store.details()
    }

    /// Names of the parameters, sorted.
    #[must_use]
    pub fn parameter_names(&self) -> Vec<&str> {
        self.store.parameter_names()
    }

    /// A boolean, or `fallback`.
    #[must_use]
    pub fn get_bool(&self, parameter: &str, fallback: bool) -> bool {
        self.read(parameter, |value| value.as_bool()).unwrap_or(fallback)
    }

    /// A number, or `fallback`.
    #[must_use]
    pub fn get_f64(&self, parameter: &str, fallback: f64) -> f64 {
        self.read(parameter, |value| value.as_f64()).unwrap_or(fallback)
    }

    /// An integer, or `fallback`; a float is never an integer, not even `1.0`.
    #[must_use]
    pub fn get_i64(&self, parameter: &str, fallback: i64) -> i64 {
        self.read(parameter, |value| value.as_i64()).unwrap_or(fallback)
    }

    /// A string, or `fallback`.
    #[must_use]
    pub fn get_string(&self, parameter: &str, fallback: impl Into<String>) -> String {
        self.read(parameter, |value| value.as_str().map(str::to_owned)).unwrap_or_else(|| fallback.into())
    }

    /// An array, or `fallback`.
    #[must_use]
    pub fn get_array(&self, parameter: &str, fallback: Vec<Value>) -> Vec<Value> {
        let array =
            self.read(parameter, |value| value.as_array().map(|items| items.map(|item| item.to_json()).collect()));
        array.unwrap_or(fallback)
    }

    /// An object, or `fallback`.
    #[must_use]
    pub fn get_object(&self, parameter: &str, fallback: Map<String, Value>) -> Map<String, Value> {
        let object = self.read(parameter, |value| match value.to_json() {
            Value::Object(object) => Some(object),
            _ => None,
        });
        object.unwrap_or(fallback)
    }

    /// Any type that deserializes from the value, or `fallback`.
    #[must_use]
    pub fn get<T: serde::de::DeserializeOwned>(&self, parameter: &str, fallback: T) -> T {
        self.read(parameter, |value| value.deserialize().ok()).unwrap_or(fallback)
    }

    /// The value as it is, if there is one.
    #[must_use]
    pub fn get_value(&self, parameter: &str) -> Option<Value> {
        self.read(parameter, |value| Some(value.to_json()))
    }

    fn read<T>(&self, parameter: &str, convert: impl FnOnce(JsonRef<'_>) -> Option<T>) -> Option<T> {
        let exposing = if self.options.disable_exposure_logging { Exposing::No } else { Exposing::Lookup };
        self.statsig.with_context(self.store.snapshot(), &self.user, |context, record| {
            let logging = self.statsig.logging();
            let resolved = context.resolve_parameter(&self.store, parameter, record || logging.is_on())?;
            let converted = resolved.value().and_then(convert);
            logging.resolved(&context, &resolved, exposing, converted.is_some());
            if let Some(event) = evaluated(&resolved) {
                self.statsig.subscriptions().tell(event);
            }
            converted
        })
    }
}

/// What was evaluated for a parameter.
fn evaluated<'a>(resolved: &'a ResolvedParameter<'_>) -> Option<ClientEvent<'a>> {
    Some(match resolved {
        ResolvedParameter::Gate(gate, _) => ClientEvent::GateEvaluated(gate),
        ResolvedParameter::DynamicConfig(config, _) => ClientEvent::DynamicConfigEvaluated(config),
        ResolvedParameter::Experiment(experiment, _) => ClientEvent::ExperimentEvaluated(experiment),
        ResolvedParameter::Layer(layer, _) => ClientEvent::LayerEvaluated(layer),
        _ => return None,
    })
}
