//! Asking a ruleset what it holds, without a user.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Entity, Input, NameIndex, Rule, Ruleset, Spec, Test};
use crate::json::{Json, JsonRef};

/// A group of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentGroup {
    /// Name of the group; empty if it has none.
    pub group_name: String,
    /// Rule that assigns users to it.
    pub rule_id: String,
    /// Id type by which users are assigned.
    pub id_type: String,
    /// Parameters of the group: an object.
    pub return_value: Json,
}

/// The groups of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExperimentGroups {
    /// Whether the experiment runs; `None` for a name that is not an experiment.
    pub is_experiment_active: Option<bool>,
    /// The groups, in the order of the rules.
    pub groups: Vec<ExperimentGroup>,
}

impl Ruleset {
    /// Names of the feature gates; segments and holdouts are left out. Sorted.
    #[must_use]
    pub fn feature_gate_names(&self) -> Vec<&str> {
        self.names_of(&self.gates, Entity::FeatureGate)
    }

    /// Names of the dynamic configs; experiments and autotunes are left out. Sorted.
    #[must_use]
    pub fn dynamic_config_names(&self) -> Vec<&str> {
        self.names_of(&self.configs, Entity::DynamicConfig)
    }

    /// Names of the experiments. Sorted.
    #[must_use]
    pub fn experiment_names(&self) -> Vec<&str> {
        self.names_of(&self.configs, Entity::Experiment)
    }

    /// Names of the autotunes. Sorted.
    #[must_use]
    pub fn autotune_names(&self) -> Vec<&str> {
        self.names_of(&self.configs, Entity::Autotune)
    }

    /// Names of the layers. Sorted.
    #[must_use]
    pub fn layer_names(&self) -> Vec<&str> {
        self.sorted(self.layers.targets().filter_map(|at| self.spec(at)))
    }

    /// Names of the parameter stores. Sorted.
    #[must_use]
    pub fn parameter_store_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.store_names.targets().map(|at| self.str(self.stores[at as usize].name)).collect();
        names.sort_unstable();
        names
    }

    /// Entity and number of rules of every spec, by name and section, for reports.
    pub fn entities(&self) -> impl Iterator<Item = (&str, Entity, usize)> {
        let all = [&self.gates, &self.configs, &self.layers];
        all.into_iter()
            .flat_map(NameIndex::targets)
            .filter_map(|at| self.spec(at))
            .map(|spec| (self.str(spec.name), spec.entity, spec.rules_len as usize))
    }

    /// Which operators and condition types the conditions use, as written, with how often.
    #[must_use]
    pub fn condition_usage(&self) -> Vec<(String, usize)> {
        let mut usage = BTreeMap::<String, usize>::new();
        for condition in &self.conditions {
            let operator = condition.operator.get().map_or("", |operator| self.str(operator));
            *usage.entry(format!("{} {operator}", self.str(condition.type_name)).trim_end().to_owned()).or_default() +=
                1;
        }
        usage.into_iter().collect()
    }

    /// Which user fields the conditions look at, as written, with how often. Sorted by name.
    #[must_use]
    pub fn field_usage(&self) -> Vec<(&str, usize)> {
        let mut usage = BTreeMap::<&str, usize>::new();
        for condition in &self.conditions {
            let looks_at_field =
                matches!(condition.input, Input::UserField { .. } | Input::IpBased { .. } | Input::UaBased { .. });
            if let (true, Some(name)) = (looks_at_field, condition.field_name.get()) {
                *usage.entry(self.str(name)).or_default() += 1;
            }
        }
        usage.into_iter().collect()
    }

    /// Names of the ID lists that conditions look into. Sorted.
    #[must_use]
    pub fn id_list_names(&self) -> Vec<&str> {
        let lists = self.conditions.iter().filter_map(|condition| match condition.test {
            Test::IdList { list, .. } => list,
            _ => None,
        });
        lists.map(|list| self.str(list)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// User fields that the rules of a gate look at, as the server lists them (`fieldsUsed`).
    #[must_use]
    pub fn fields_needed_for_gate(&self, name: &str) -> Vec<&str> {
        self.fields_needed(&self.gates, name)
    }

    /// The same for a dynamic config or an experiment.
    #[must_use]
    pub fn fields_needed_for_config(&self, name: &str) -> Vec<&str> {
        self.fields_needed(&self.configs, name)
    }

    /// The same for a layer.
    #[must_use]
    pub fn fields_needed_for_layer(&self, name: &str) -> Vec<&str> {
        self.fields_needed(&self.layers, name)
    }

    /// The groups of an experiment, without evaluating it for anyone.
    #[must_use]
    pub fn experiment_groups(&self, name: &str) -> ExperimentGroups {
        let experiment = self
            .find(&self.configs, name)
            .and_then(|at| self.spec(at))
            .filter(|spec| spec.entity == Entity::Experiment);
        let Some(spec) = experiment else { return ExperimentGroups { is_experiment_active: None, groups: Vec::new() } };
        let groups = self.rules[spec.rules()].iter().filter(|rule| rule.is_experiment_group);
        ExperimentGroups {
            is_experiment_active: Some(spec.is_active.unwrap_or(false)),
            groups: groups.map(|rule| self.group(rule)).collect(),
        }
    }

    fn group(&self, rule: &Rule) -> ExperimentGroup {
        let value = self.value(rule.value);
        ExperimentGroup {
            group_name: rule.group_name.get().map_or("", |name| self.str(name)).to_owned(),
            rule_id: self.str(rule.id).to_owned(),
            id_type: self.unit_types.get(rule.unit as usize).map_or("", |unit| self.str(unit.name)).to_owned(),
            return_value: (if value.as_object().is_some() { value } else { JsonRef::empty_object() }).to_owned(),
        }
    }

    fn fields_needed(&self, index: &NameIndex, name: &str) -> Vec<&str> {
        let spec = self.find(index, name).and_then(|at| self.spec(at));
        spec.and_then(|spec| self.names(spec.fields_used)).map(Iterator::collect).unwrap_or_default()
    }

    fn names_of(&self, index: &NameIndex, entity: Entity) -> Vec<&str> {
        self.sorted(index.targets().filter_map(|at| self.spec(at)).filter(|spec| spec.entity == entity))
    }

    fn sorted<'s>(&'s self, specs: impl Iterator<Item = &'s Spec>) -> Vec<&'s str> {
        let mut names: Vec<&str> = specs.map(|spec| self.str(spec.name)).collect();
        names.sort_unstable();
        names
    }
}
