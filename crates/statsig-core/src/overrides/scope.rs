//! Overrides that end by themselves.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::LocalOverrides;
use super::table::{Entry, Kind, Owner};
use crate::hooks::ExperimentOverride;
use crate::json::Json;

/// Overrides that end when it is dropped, also by a panic: what a test sets cannot leak into the
/// next one.
///
/// Made by [`LocalOverrides::scope`]. While it lives, its overrides hide those that were set
/// without a scope in the same place (kind, name and ID), which show again afterwards as they are
/// then. Nothing else ends them, not even [`LocalOverrides::remove_all_overrides`], and they end
/// nothing but themselves.
///
/// Where scopes overlap in the same place, the value that was set last counts. They may end in any
/// order: one that ends takes only its own value with it, and the newest of those that are left
/// counts. Scopes that run at the same time still see each other, as far as their overrides are for
/// the same users: give parallel tests users of their own and override by ID, or each test a client
/// of its own.
///
/// A scope that is forgotten (`std::mem::forget`) keeps its overrides for ever.
///
/// ```
/// use statsig_core::{LocalOverrides, OverrideAdapter, StatsigUser};
///
/// let overrides = LocalOverrides::new();
/// let user = StatsigUser::with_user_id("user-1");
/// overrides.override_gate("beta", false, None);
/// {
///     let scope = overrides.scope();
///     scope.override_gate("beta", true, None);
///     assert_eq!(overrides.gate("beta", &user), Some(true));
/// }
/// assert_eq!(overrides.gate("beta", &user), Some(false));
/// ```
#[must_use = "the overrides of a scope end when it is dropped"]
pub struct OverrideScope {
    overrides: LocalOverrides,
    owner: Owner,
    places: Mutex<HashSet<Place, RandomState>>,
}

/// Where a scope has set a value.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    kind: Kind,
    name: SmolStr,
    id: Option<SmolStr>,
}

impl OverrideScope {
    pub(super) fn new(overrides: LocalOverrides, owner: Owner) -> Self {
        Self { overrides, owner, places: Mutex::default() }
    }

    /// Sets the value of a gate.
    pub fn override_gate(&self, name: &str, value: bool, id: Option<&str>) {
        self.set(name, Entry::Gate(value), id);
    }

    /// Sets the value of a dynamic config.
    pub fn override_dynamic_config(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(name, Entry::DynamicConfig(value.into()), id);
    }

    /// Sets the value of an experiment; of value and group, the one set last counts.
    pub fn override_experiment(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(name, Entry::Experiment(ExperimentOverride::Value(value.into())), id);
    }

    /// Gives an experiment the value of one of its groups; see
    /// [`LocalOverrides::override_experiment_by_group_name`].
    pub fn override_experiment_by_group_name(&self, name: &str, group: &str, id: Option<&str>) {
        self.set(name, Entry::Experiment(ExperimentOverride::Group(group.to_owned())), id);
    }

    /// Sets the values of a layer.
    pub fn override_layer(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(name, Entry::Layer(value.into()), id);
    }

    /// Sets the parameters of a store; see [`LocalOverrides::override_parameter_store`].
    pub fn override_parameter_store(&self, name: &str, parameters: impl Into<Json>, id: Option<&str>) {
        self.set(name, Entry::ParameterStore(parameters.into()), id);
    }

    fn set(&self, name: &str, entry: Entry, id: Option<&str>) {
        let place = Place { kind: entry.kind(), name: name.into(), id: id.map(SmolStr::from) };
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
        self.overrides.set(self.owner, name, entry, id);
    }
}

impl Drop for OverrideScope {
    fn drop(&mut self) {
        let places = std::mem::take(self.places.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !places.is_empty() {
            self.overrides.change(|tables| {
                for place in &places {
                    tables.end(self.owner, place.kind, &place.name, place.id.as_deref());
                }
            });
        }
    }
}

impl std::fmt::Debug for OverrideScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("OverrideScope").field("overrides", &places.len()).finish_non_exhaustive()
    }
}
