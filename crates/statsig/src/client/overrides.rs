//! Answers that come before the rules.

use statsig_core::{LocalOverrides, OverrideScope};

use super::{Overrides, Statsig};
use statsig_core::Json;

impl Statsig {
    /// The client's local overrides; `None` if the builder was given an
    /// [`override_adapter`](crate::StatsigBuilder::override_adapter), which replaces them.
    #[must_use]
    pub fn local_overrides(&self) -> Option<&LocalOverrides> {
        match &self.inner.overrides {
            Overrides::Local(local) => Some(local),
            Overrides::Adapter(_) => None,
        }
    }

    /// Overrides that end when the returned scope is dropped, for tests that run side by side;
    /// `None` as for [`local_overrides`](Self::local_overrides).
    #[must_use]
    pub fn override_scope(&self) -> Option<OverrideScope> {
        self.local_overrides().map(LocalOverrides::scope)
    }
}

macro_rules! delegated {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl Statsig {$(
            $(#[$doc])*
            ///
            /// Without effect if the builder was given an override adapter.
            pub fn $name(&self, $($argument: $type),*) {
                if let Some(local) = self.local_overrides() {
                    local.$name($($argument),*);
                }
            }
        )*}
    };
}

delegated! {
    /// Makes a gate say `value`: to users with this user ID or custom ID, or to everyone.
    override_gate(name: &str, value: bool, id: Option<&str>);
    /// Gives a dynamic config a value, an object: to users with this ID, or to everyone.
    override_dynamic_config(name: &str, value: impl Into<Json>, id: Option<&str>);
    /// Gives an experiment a value, an object: to users with this ID, or to everyone.
    override_experiment(name: &str, value: impl Into<Json>, id: Option<&str>);
    /// Puts users with this ID, or everyone, into a group of an experiment: they get the value of
    /// the first rule with that group name.
    override_experiment_by_group_name(name: &str, group: &str, id: Option<&str>);
    /// Gives a layer a value, an object: to users with this ID, or to everyone.
    override_layer(name: &str, value: impl Into<Json>, id: Option<&str>);
    /// Replaces the parameters of a parameter store, an object: for users with this ID, or for
    /// everyone.
    override_parameter_store(name: &str, parameters: impl Into<Json>, id: Option<&str>);
    /// Removes the override of a gate for an ID; without an ID, all overrides of that gate.
    remove_gate_override(name: &str, id: Option<&str>);
    /// Removes the override of a dynamic config for an ID; without an ID, all of that config.
    remove_dynamic_config_override(name: &str, id: Option<&str>);
    /// Removes the override of an experiment for an ID; without an ID, all of that experiment.
    remove_experiment_override(name: &str, id: Option<&str>);
    /// Removes the override of a layer for an ID; without an ID, all of that layer.
    remove_layer_override(name: &str, id: Option<&str>);
    /// Removes the override of a parameter store for an ID; without an ID, all of that store.
    remove_parameter_store_override(name: &str, id: Option<&str>);
    /// Removes all overrides of everything.
    remove_all_overrides();
}
