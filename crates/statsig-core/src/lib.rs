//! Statsig-compatible config specs, compiled and evaluated locally, without I/O.

pub mod adapters;
mod compile;
mod error;
mod evaluate;
#[cfg(feature = "ip-country")]
mod ip_country;
pub mod json;
pub mod results;
mod ruleset;
mod snapshot;
mod specs;
mod user;
#[cfg(feature = "user-agent")]
mod user_agent;
mod value;

pub use adapters::*;
pub use compile::CompileLimits;
pub use error::{Error, ErrorKind};
pub use evaluate::{EvaluationContext, EvaluationSettings, SecondaryExposure};
#[cfg(feature = "ip-country")]
pub use ip_country::preload as preload_ip_country;
pub use json::{Json, JsonRef};
pub use results::*;
pub use ruleset::{Entity, ExperimentGroup, ExperimentGroups, Ruleset, RulesetMeta, RulesetSize};
pub use snapshot::{Snapshot, SnapshotStore, UpdateOutcome};
pub use specs::{Format as SpecsFormat, Problem, ProblemKind};
pub use user::{StatsigUser, StatsigUserBuilder, UnitId};
