//! Config specs from code: what a test needs of a project, in a few lines.
//!
//! A [`ProjectBuilder`] takes gates, configs, experiments, layers and parameter stores, and gives the
//! document that Statsig's servers would send (`docs/protocol/evaluation.md#documents`, the current
//! form). Whatever is not said has a default that makes sense: a rule is for everyone, splits by the
//! id type of what it belongs to, and has a salt of its own.
//!
//! ```
//! use statsig::{Getters, Statsig, StatsigUser};
//! use statsig_testkit::specs::{ConditionInput, ExperimentBuilder, GateBuilder, ProjectBuilder};
//!
//! # fn main() -> Result<(), statsig::Error> {
//! let specs = ProjectBuilder::new()
//!     .gate(GateBuilder::on("new_checkout"))
//!     .gate(GateBuilder::new("staff_only").when(ConditionInput::user_field("email").ends_with_any(["@corp.example"])))
//!     .experiment(
//!         ExperimentBuilder::new("button_color")
//!             .group("Control", serde_json::json!({"color": "blue"}))
//!             .group("Test", serde_json::json!({"color": "red"})),
//!     )
//!     .build();
//!
//! let statsig = Statsig::builder().bootstrap(specs).build()?;
//! assert!(statsig.problems().is_empty());
//! let user = StatsigUser::builder().user_id("user-1").email("ada@corp.example").build();
//! assert!(statsig.check_gate(&user, "new_checkout"));
//! assert!(statsig.check_gate(&user, "staff_only"));
//! assert_ne!(statsig.get_experiment(&user, "button_color").get_string("color", "none"), "none");
//! # Ok(())
//! # }
//! ```
//!
//! Documents that are wrong on purpose are made from these: [`ProjectBuilder::to_json`] gives a value
//! to spoil.

mod condition;
mod config;
mod document;
mod experiment;
mod gate;
mod layer;
mod parameter_store;
mod project;
mod rule;
mod spec;
#[cfg(test)]
mod tests;

pub use condition::{ConditionBuilder, ConditionInput};
pub use config::DynamicConfigBuilder;
pub use experiment::ExperimentBuilder;
pub use gate::GateBuilder;
pub use layer::LayerBuilder;
pub use parameter_store::{ParameterStoreBuilder, ParameterType};
pub use project::ProjectBuilder;
pub use rule::RuleBuilder;
