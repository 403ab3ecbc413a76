//! What applications see: typed results that share the ruleset's values.
//!
//! A result keeps the [`Snapshot`](crate::Snapshot) it was read from alive, and refers to names,
//! IDs and values inside it; nothing is copied. Typed getters read the value in place.

mod details;
mod dynamic_config;
mod experiment;
mod feature_gate;
mod getters;
mod layer;
mod parameter_store;
mod record;

pub use details::{EvaluationDetails, Reason};
pub use dynamic_config::DynamicConfig;
pub use experiment::Experiment;
pub use feature_gate::FeatureGate;
pub use getters::Getters;
pub use layer::{Layer, LayerParameter};
pub use parameter_store::{ParameterStore, ParameterTarget, ResolvedParameter};
pub(crate) use record::Record;
