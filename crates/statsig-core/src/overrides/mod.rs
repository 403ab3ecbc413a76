//! The overrides that an application sets while it runs: the built-in [`OverrideAdapter`].
//!
//! In: names, values and IDs from tests, debug pages, scripts. Out: answers to the evaluator, before
//! it looks at any rule (`docs/protocol/evaluation.md#overrides`).
//!
//! # Why a copied map
//!
//! Gates are checked all the time and overrides hardly ever set. So the overrides are an immutable
//! map behind one atomic pointer: a reader takes no lock and never waits for a writer or another
//! reader, not even for a shard's. A writer copies the table it changes (names and reference
//! counts, not values): about 10 microseconds for a thousand names. A flag beside
//! the pointer tells evaluations that there is nothing to ask for, so that a process without
//! overrides pays one relaxed load a check.

mod scope;
mod table;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

pub use scope::OverrideScope;
use table::{Entry, Owner, Tables};

use crate::hooks::{ExperimentOverride, OverrideAdapter};
use crate::json::Json;
use crate::user::StatsigUser;

/// Overrides that are set and removed at run time, for everyone or for one ID.
///
/// An override answers in the place of the rules, whether or not there is a spec of that name, also
/// for gates that other gates ask for and for the experiment that a layer hands over to. Results
/// have the rule ID `override` and the reason `LocalOverride:Recognized`.
///
/// `id` is the ID of a user or any of its custom IDs; `None` overrides for everyone. A user's own ID
/// is looked up first, then its custom IDs in the order of their names, then the override for
/// everyone. Dynamic configs and experiments are apart: the call that reads one decides which
/// override applies. Values of configs, experiments, layers and stores are objects; anything else
/// reads as `{}`.
///
/// Cloning gives another handle of the same overrides. All calls may be made from any thread at any
/// time. An evaluation sees a change from its next question on, which may be in its middle.
///
/// ```
/// use statsig_core::{LocalOverrides, OverrideAdapter, StatsigUser};
///
/// let overrides = LocalOverrides::new();
/// overrides.override_gate("beta", true, None);
/// overrides.override_gate("beta", false, Some("user-1"));
///
/// assert_eq!(overrides.gate("beta", &StatsigUser::with_user_id("user-1")), Some(false));
/// assert_eq!(overrides.gate("beta", &StatsigUser::with_user_id("user-2")), Some(true));
/// overrides.remove_gate_override("beta", None);
/// assert!(overrides.is_empty());
/// ```
///
/// # Cost
///
/// Without any override, one relaxed load a check. With some, a look-up without lock or allocation
/// for each spec that an evaluation visits. Setting or removing one copies the names of all
/// overrides of its kind, and waits for other writers.
#[derive(Clone, Default)]
pub struct LocalOverrides {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Whether there is any override; changes after `tables` does.
    any: AtomicBool,
    tables: ArcSwap<Tables>,
    writer: Mutex<()>,
    scopes: AtomicU64,
}

impl LocalOverrides {
    /// No overrides.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a gate.
    pub fn override_gate(&self, name: &str, value: bool, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::Gate(value), id);
    }

    /// Sets the value of a dynamic config.
    pub fn override_dynamic_config(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::DynamicConfig(value.into()), id);
    }

    /// Sets the value of an experiment; of value and group, the one set last counts.
    pub fn override_experiment(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::Experiment(ExperimentOverride::Value(value.into())), id);
    }

    /// Gives an experiment the value of its group called `group`: of the first rule with that group
    /// name in the specs that are then in force; `{}` if there is none.
    pub fn override_experiment_by_group_name(&self, name: &str, group: &str, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::Experiment(ExperimentOverride::Group(group.to_owned())), id);
    }

    /// Sets the values of a layer.
    pub fn override_layer(&self, name: &str, value: impl Into<Json>, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::Layer(value.into()), id);
    }

    /// Sets the parameters of a store, in the place of all that it has: a value that reads as a
    /// parameter of the config specs is one, any other is static.
    pub fn override_parameter_store(&self, name: &str, parameters: impl Into<Json>, id: Option<&str>) {
        self.set(Owner::Nobody, name, Entry::ParameterStore(parameters.into()), id);
    }

    /// Removes the override of a gate for an ID; without one, all overrides of that gate.
    pub fn remove_gate_override(&self, name: &str, id: Option<&str>) {
        self.change(|tables| Arc::make_mut(&mut tables.gates).remove(name, id));
    }

    /// Removes the override of a dynamic config for an ID; without one, all of that config.
    pub fn remove_dynamic_config_override(&self, name: &str, id: Option<&str>) {
        self.change(|tables| Arc::make_mut(&mut tables.dynamic_configs).remove(name, id));
    }

    /// Removes the override of an experiment for an ID, whether of value or group; without one, all
    /// of that experiment.
    pub fn remove_experiment_override(&self, name: &str, id: Option<&str>) {
        self.change(|tables| Arc::make_mut(&mut tables.experiments).remove(name, id));
    }

    /// Removes the override of a layer for an ID; without one, all of that layer.
    pub fn remove_layer_override(&self, name: &str, id: Option<&str>) {
        self.change(|tables| Arc::make_mut(&mut tables.layers).remove(name, id));
    }

    /// Removes the override of a parameter store for an ID; without one, all of that store.
    pub fn remove_parameter_store_override(&self, name: &str, id: Option<&str>) {
        self.change(|tables| Arc::make_mut(&mut tables.parameter_stores).remove(name, id));
    }

    /// Removes all overrides of every kind, except those of an [`OverrideScope`].
    pub fn remove_all_overrides(&self) {
        self.change(Tables::remove_all);
    }

    /// Starts a scope, whose overrides end with it.
    #[must_use = "the overrides of a scope end when it is dropped"]
    pub fn scope(&self) -> OverrideScope {
        let owner = Owner::Scope(self.inner.scopes.fetch_add(1, Ordering::Relaxed));
        OverrideScope::new(self.clone(), owner)
    }

    fn set(&self, owner: Owner, name: &str, entry: Entry, id: Option<&str>) {
        self.change(|tables| tables.set(owner, name, entry, id));
    }

    /// Changes a copy and puts it in the place of the tables in force.
    fn change(&self, change: impl FnOnce(&mut Tables)) {
        let inner = &*self.inner;
        // A change that panicked has not put anything in place.
        let _one_at_a_time = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tables = Tables::clone(&inner.tables.load());
        change(&mut tables);
        let any = !tables.is_empty();
        inner.tables.store(Arc::new(tables));
        inner.any.store(any, Ordering::Relaxed);
    }
}

impl OverrideAdapter for LocalOverrides {
    fn is_empty(&self) -> bool {
        !self.inner.any.load(Ordering::Relaxed)
    }

    fn gate(&self, name: &str, user: &StatsigUser) -> Option<bool> {
        self.inner.tables.load().gates.find(name, user).copied()
    }

    fn dynamic_config(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        self.inner.tables.load().dynamic_configs.find(name, user).cloned()
    }

    fn experiment(&self, name: &str, user: &StatsigUser) -> Option<ExperimentOverride> {
        self.inner.tables.load().experiments.find(name, user).cloned()
    }

    fn layer(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        self.inner.tables.load().layers.find(name, user).cloned()
    }

    fn parameter_store(&self, name: &str, user: &StatsigUser) -> Option<Json> {
        self.inner.tables.load().parameter_stores.find(name, user).cloned()
    }
}

/// Shows how many names are overridden, not for whom.
impl std::fmt::Debug for LocalOverrides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tables = self.inner.tables.load();
        f.debug_struct("LocalOverrides")
            .field("gates", &tables.gates.len())
            .field("dynamic_configs", &tables.dynamic_configs.len())
            .field("experiments", &tables.experiments.len())
            .field("layers", &tables.layers.len())
            .field("parameter_stores", &tables.parameter_stores.len())
            .finish()
    }
}
