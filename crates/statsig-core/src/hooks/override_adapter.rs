//! Answers that come before the rules.

use crate::json::Json;
use crate::user::StatsigUser;

/// What an override says about an experiment.
#[derive(Debug, Clone, PartialEq)]
pub enum ExperimentOverride {
    /// The value itself: an object.
    Value(Json),
    /// The value of the experiment's first rule with this group name; no value if there is none.
    Group(String),
}

/// Answers an evaluation before the rules do.
///
/// Asked first in every evaluation, also for names without a spec, for nested gates and for the
/// experiment that a layer delegates to. An answer gets rule ID `override` and reason
/// `LocalOverride:Recognized`; `None` lets the rules decide. Called on the application's thread:
/// answer from memory. [`LocalOverrides`](crate::LocalOverrides) is the one that comes with the
/// crate.
///
/// Every method has a default that overrides nothing.
///
/// ```
/// use statsig_core::{OverrideAdapter, StatsigUser};
///
/// /// Opens every gate whose name starts with `internal_` to the staff.
/// struct Staff;
///
/// impl OverrideAdapter for Staff {
///     fn gate(&self, name: &str, user: &StatsigUser) -> Option<bool> {
///         (name.starts_with("internal_") && user.unit_id("staffID").is_some()).then_some(true)
///     }
/// }
/// # assert_eq!(Staff.gate("internal_x", &StatsigUser::with_custom_ids([("staffID", 1)])), Some(true));
/// ```
pub trait OverrideAdapter: Send + Sync {
    /// Whether there is nothing to ask for now. Asked once at the beginning of every evaluation,
    /// which then takes the way of one without overrides; must cost next to nothing.
    fn is_empty(&self) -> bool {
        false
    }

    /// The value of a gate.
    fn gate(&self, name: &str, user: &StatsigUser) -> Option<bool> {
        let _ = (name, user);
        None
    }

    /// The value of a dynamic config: an object.
    fn dynamic_config(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        let _ = (name, user);
        None
    }

    /// The value or the group of an experiment. Dynamic configs that are read as experiments ask
    /// here too, and experiments that are read as dynamic configs do not.
    fn experiment(&self, name: &str, user: &StatsigUser) -> Option<ExperimentOverride> {
        let _ = (name, user);
        None
    }

    /// The values of a layer: an object.
    fn layer(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        let _ = (name, user);
        None
    }

    /// The parameters of a store, as an object: a value that reads as a parameter of the config
    /// specs is one, any other is static.
    fn parameter_store(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        let _ = (name, user);
        None
    }
}
