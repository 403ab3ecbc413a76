//! Statsig-compatible config specs, compiled and evaluated locally, without I/O.
//!
//! This crate is the engine under the `statsig` client: applications
//! use that one. It takes the bytes of a project's config specs, compiles them into an immutable
//! [`Ruleset`], and evaluates gates, dynamic configs, experiments, layers and parameter stores for
//! a [`StatsigUser`], exactly as the official server SDKs do.
//!
//! It opens no socket or file, starts no thread, and reads no clock: what it needs from outside
//! comes through the small traits of [`hooks`] and of `statsig-adapters`.
//!
//! ```
//! use std::sync::Arc;
//! use statsig_core::{EvaluationContext, EvaluationSettings, FixedClock, Ruleset, Snapshot, SpecOrigin, StatsigUser};
//!
//! # fn main() -> Result<(), statsig_core::Error> {
//! let ruleset = Ruleset::compile(br#"{
//!     "has_updates": true, "time": 1700000000000, "dynamic_configs": {}, "layer_configs": {},
//!     "condition_map": {"1": {"type": "user_field", "field": "email", "operator": "str_ends_with_any",
//!                             "targetValue": ["@corp.example"], "idType": "userID"}},
//!     "feature_gates": {"beta": {"type": "feature_gate", "entity": "feature_gate", "salt": "s",
//!         "enabled": true, "defaultValue": false, "idType": "userID", "rules": [{"name": "staff",
//!         "id": "staff", "passPercentage": 100, "conditions": ["1"], "returnValue": true, "idType": "userID"}]}}
//! }"#)?;
//! let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 0));
//! let user = StatsigUser::builder().user_id("u-1").email("Ada@Corp.Example").build();
//! let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
//!
//! let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
//! assert!(context.check_gate("beta"));
//! assert_eq!(context.feature_gate("beta", false).rule_id(), "staff");
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | module | what |
//! | --- | --- |
//! | [`hooks`] | the traits that an evaluation calls |
//! | [`client_initialize`] | everything at once, in the form that client SDKs are initialized with |
//! | [`results`] | what an evaluation gives, with typed getters |
//! | [`json`] | config values, packed and read in place |
//! | [`specs`] | kinds of payloads, and parts of them that cannot be used |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `user-agent` | yes | browser and operating system from the user's `userAgent` |
//! | `ip-country` | yes | the country from the user's `ip`; a 400 KB table |
//! | `testing` | no | `testing`: contract tests for implementations of the adapter traits |

pub mod client_initialize;
mod compile;
mod error;
mod evaluate;
mod excerpt;
pub mod explain;
pub mod hooks;
#[cfg(feature = "ip-country")]
mod ip_country;
pub mod json;
mod overrides;
mod pattern;
pub mod results;
mod ruleset;
mod settings;
mod snapshot;
pub mod specs;
mod sticky;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod user;
#[cfg(feature = "user-agent")]
mod user_agent;
mod value;

pub use client_initialize::*;
pub use compile::CompileLimits;
pub use error::{Error, ErrorKind};
pub use evaluate::{EvaluationContext, SecondaryExposure};
pub use excerpt::JsonError;
pub use explain::Explanation;
pub use hooks::*;
#[cfg(feature = "ip-country")]
pub use ip_country::preload as preload_ip_country;
pub use json::{Json, JsonRef};
pub use overrides::{LocalOverrides, OverrideScope};
pub use results::*;
pub use ruleset::{Entity, ExperimentGroup, ExperimentGroups, Ruleset, RulesetMeta, RulesetSize};
pub use settings::EvaluationSettings;
pub use snapshot::{Snapshot, SnapshotGuard, SnapshotStore, UpdateOutcome};
pub use specs::{Format as SpecsFormat, MalformedSpec, PayloadShape, Problem, ProblemKind, SpecSection};
#[doc(inline)]
pub use statsig_adapters::*;
pub use sticky::{
    ExperimentEvaluationOptions, LayerEvaluationOptions, StickyExposure, StickyValues, UserPersistedValues, storage_key,
};
pub use user::{LoggedUser, StatsigUser, StatsigUserBuilder, UnitId};
