//! What there is in the specs: names, groups, fields. Nothing here needs a user or logs anything.

use statsig_core::{Experiment, ExperimentGroups};

use super::Statsig;

impl Statsig {
    /// The experiment as the members of a group see it, without a user.
    ///
    /// Unknown experiments and groups give an empty experiment with rule ID `default`.
    #[must_use]
    pub fn get_experiment_by_group_name(&self, experiment: &str, group_name: &str) -> Experiment {
        self.snapshot().experiment_by_group_name(experiment, group_name)
    }

    /// The experiment as the group with the rule `rule_id` sees it; otherwise like
    /// [`Statsig::get_experiment_by_group_name`].
    #[must_use]
    pub fn get_experiment_by_group_id_advanced(&self, experiment: &str, rule_id: &str) -> Experiment {
        self.snapshot().experiment_by_group_id(experiment, rule_id)
    }

    /// The groups of an experiment, and whether it runs.
    #[must_use]
    pub fn get_experiment_groups(&self, experiment: &str) -> ExperimentGroups {
        self.snapshot().ruleset().experiment_groups(experiment)
    }

    /// Names of the feature gates, sorted; segments and holdouts are left out.
    #[must_use]
    pub fn get_feature_gate_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().feature_gate_names())
    }

    /// Names of the dynamic configs, sorted; experiments and autotunes are left out.
    #[must_use]
    pub fn get_dynamic_config_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().dynamic_config_names())
    }

    /// Names of the experiments, sorted.
    #[must_use]
    pub fn get_experiment_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().experiment_names())
    }

    /// Names of the autotunes, sorted.
    #[must_use]
    pub fn get_autotune_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().autotune_names())
    }

    /// Names of the layers, sorted.
    #[must_use]
    pub fn get_layer_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().layer_names())
    }

    /// Names of the parameter stores, sorted.
    #[must_use]
    pub fn get_parameter_store_list(&self) -> Vec<String> {
        owned(self.snapshot().ruleset().parameter_store_names())
    }

    /// User fields that a gate's rules look at, as the server lists them.
    #[must_use]
    pub fn get_fields_needed_for_gate(&self, name: &str) -> Vec<String> {
        owned(self.snapshot().ruleset().fields_needed_for_gate(name))
    }

    /// User fields that a dynamic config's rules look at.
    #[must_use]
    pub fn get_fields_needed_for_dynamic_config(&self, name: &str) -> Vec<String> {
        owned(self.snapshot().ruleset().fields_needed_for_config(name))
    }

    /// User fields that an experiment's rules look at.
    #[must_use]
    pub fn get_fields_needed_for_experiment(&self, name: &str) -> Vec<String> {
        owned(self.snapshot().ruleset().fields_needed_for_config(name))
    }

    /// User fields that a layer's rules look at.
    #[must_use]
    pub fn get_fields_needed_for_layer(&self, name: &str) -> Vec<String> {
        owned(self.snapshot().ruleset().fields_needed_for_layer(name))
    }
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}
