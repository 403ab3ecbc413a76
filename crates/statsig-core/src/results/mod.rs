//! What applications see: typed results that share the ruleset's values.
//!
//! A result keeps the [`Snapshot`](crate::Snapshot) it was read from alive, and refers to names,
//! IDs and values inside it; nothing is copied. Typed getters read the value in place.

/// What every result tells of its `record`, in the same words.
macro_rules! accessors {
    () => {
        pub(super) fn record(&self) -> &$crate::results::Record {
            &self.record
        }

        /// The name that was asked for.
        #[must_use]
        pub fn name(&self) -> &str {
            self.record.name()
        }

        /// Why the value is what it is.
        #[must_use]
        pub fn details(&self) -> $crate::results::EvaluationDetails<'_> {
            self.record.details()
        }

        /// The gates that took part, in order of evaluation; empty unless the evaluation recorded them.
        pub fn secondary_exposures(&self) -> impl Iterator<Item = $crate::SecondaryExposure<'_>> {
            self.record.secondary_exposures()
        }

        /// The spec that was evaluated in this one's stead through a config mapping.
        #[must_use]
        pub fn override_config_name(&self) -> Option<&str> {
            self.record.override_config_name()
        }
    };
}

mod details;
mod dynamic_config;
mod experiment;
mod exposure;
mod feature_gate;
mod getters;
mod layer;
mod layer_observer;
mod parameter_store;
mod prepared_name;
mod record;
mod sticky;

pub use details::{EvaluationDetails, Reason};
pub use dynamic_config::DynamicConfig;
pub use experiment::Experiment;
pub use exposure::{ExposureFacts, GateCheck};
pub use feature_gate::FeatureGate;
pub use getters::Getters;
pub use layer::{Layer, LayerParameter};
pub use layer_observer::LayerObserver;
pub use parameter_store::{ParameterStore, ParameterTarget, ResolvedParameter};
pub use prepared_name::PreparedName;
pub(crate) use record::Record;

impl From<Record> for FeatureGate {
    fn from(record: Record) -> Self {
        Self { record }
    }
}

impl From<Record> for DynamicConfig {
    fn from(record: Record) -> Self {
        Self { record }
    }
}

impl From<Record> for Experiment {
    fn from(record: Record) -> Self {
        Self { record }
    }
}

impl From<Record> for Layer {
    fn from(record: Record) -> Self {
        Self { record, observer: None }
    }
}
