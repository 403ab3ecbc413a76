//! Parameter stores of a response: the same for every user, but for hashed names.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::hashing::{HashedName, NameHasher};
use crate::ruleset::{Parameter, ParameterStoreSpec, StoreParameter, Text};

/// A parameter store of a response: what each parameter refers to, for the client to resolve.
#[derive(Debug, Clone, Copy)]
pub struct ClientParameterStore<'r> {
    pub(super) names: NameHasher<'r>,
    pub(super) store: &'r ParameterStoreSpec,
}

impl<'r> ClientParameterStore<'r> {
    /// The name as the project has it; never written, unless names are not hashed.
    #[must_use]
    pub fn plain_name(&self) -> &'r str {
        self.names.ruleset.str(self.store.name)
    }

    /// The hashed name, under which the store stands in the response.
    #[must_use]
    pub fn name(&self) -> HashedName<'r> {
        self.names.hash(self.store.name)
    }

    /// Names of the parameters, which are not hashed.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        let ruleset = self.names.ruleset;
        self.known().map(move |parameter| ruleset.str(parameter.name))
    }

    /// Parameters whose kind is known; clients could do nothing with others.
    fn known(&self) -> impl Iterator<Item = &'r StoreParameter> + use<'r> {
        self.store.parameters.iter().filter(|parameter| parameter.target != Parameter::Unknown)
    }
}

impl Serialize for ClientParameterStore<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ruleset = self.names.ruleset;
        let mut map = serializer.serialize_map(None)?;
        for parameter in self.known() {
            map.serialize_entry(ruleset.str(parameter.name), &Reference { names: self.names, parameter })?;
        }
        map.end()
    }
}

/// A parameter.
struct Reference<'r> {
    names: NameHasher<'r>,
    parameter: &'r StoreParameter,
}

impl Reference<'_> {
    fn serialize_reference<M: SerializeMap>(
        &self,
        map: &mut M,
        key: &'static str,
        to: Text,
        parameter: Text,
    ) -> Result<(), M::Error> {
        map.serialize_entry(key, &self.names.hash(to))?;
        map.serialize_entry("param_name", self.names.ruleset.str(parameter))
    }
}

impl Serialize for Reference<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ruleset = self.names.ruleset;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", ruleset.str(self.parameter.name))?;
        map.serialize_entry("ref_type", ruleset.str(self.parameter.ref_type))?;
        map.serialize_entry("param_type", ruleset.str(self.parameter.param_type))?;
        match self.parameter.target {
            Parameter::Static { value } => map.serialize_entry("value", &ruleset.value(value))?,
            Parameter::Gate { gate, pass, fail } => {
                map.serialize_entry("gate_name", &self.names.hash(gate))?;
                map.serialize_entry("pass_value", &ruleset.value(pass))?;
                map.serialize_entry("fail_value", &ruleset.value(fail))?;
            }
            Parameter::DynamicConfig { config, parameter } => {
                self.serialize_reference(&mut map, "config_name", config, parameter)?;
            }
            Parameter::Experiment { experiment, parameter } => {
                self.serialize_reference(&mut map, "experiment_name", experiment, parameter)?;
            }
            Parameter::Layer { layer, parameter } => {
                self.serialize_reference(&mut map, "layer_name", layer, parameter)?;
            }
            Parameter::Unknown => {}
        }
        map.end()
    }
}
