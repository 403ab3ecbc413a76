//! Checks and reads for a user.

use statsig_core::{DynamicConfig, Experiment, FeatureGate, Layer, StatsigUser};

use super::Statsig;
use crate::options::EvaluationOptions;
use crate::parameter_store::ParameterStore;

impl Statsig {
    /// Whether a gate is open for the user; `false` for an unknown gate. Logs an exposure.
    ///
    /// No allocation, no lock, no formatting for gates of ordinary shape, unless the exposure is a
    /// new one.
    #[must_use]
    pub fn check_gate(&self, user: &StatsigUser, name: &str) -> bool {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        self.inner.logging.check_gate(&context, name)
    }

    /// Like [`check_gate`](Self::check_gate), with options.
    #[must_use]
    pub fn check_gate_with_options(&self, user: &StatsigUser, name: &str, options: EvaluationOptions) -> bool {
        if !options.disable_exposure_logging {
            return self.check_gate(user, name);
        }
        self.inner.logging.not_exposed(name);
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).check_gate(name)
    }

    /// A gate with the rule that decided it and why. Logs an exposure.
    #[must_use]
    pub fn get_feature_gate(&self, user: &StatsigUser, name: &str) -> FeatureGate {
        self.get_feature_gate_with_options(user, name, EvaluationOptions::default())
    }

    /// Like [`get_feature_gate`](Self::get_feature_gate), with options.
    #[must_use]
    pub fn get_feature_gate_with_options(
        &self,
        user: &StatsigUser,
        name: &str,
        options: EvaluationOptions,
    ) -> FeatureGate {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let gate = context.feature_gate(name, self.inner.record);
        self.inner.logging.gate(&context, &gate, options.origin());
        gate
    }

    /// The value of a dynamic config; empty for an unknown config. Logs an exposure.
    #[must_use]
    pub fn get_dynamic_config(&self, user: &StatsigUser, name: &str) -> DynamicConfig {
        self.get_dynamic_config_with_options(user, name, EvaluationOptions::default())
    }

    /// Like [`get_dynamic_config`](Self::get_dynamic_config), with options.
    #[must_use]
    pub fn get_dynamic_config_with_options(
        &self,
        user: &StatsigUser,
        name: &str,
        options: EvaluationOptions,
    ) -> DynamicConfig {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let config = context.dynamic_config(name, self.inner.record);
        self.inner.logging.dynamic_config(&context, &config, options.origin());
        config
    }

    /// The parameters of the user's group in an experiment; empty for an unknown experiment. Logs an
    /// exposure.
    #[must_use]
    pub fn get_experiment(&self, user: &StatsigUser, name: &str) -> Experiment {
        self.get_experiment_with_options(user, name, EvaluationOptions::default())
    }

    /// Like [`get_experiment`](Self::get_experiment), with options.
    #[must_use]
    pub fn get_experiment_with_options(
        &self,
        user: &StatsigUser,
        name: &str,
        options: EvaluationOptions,
    ) -> Experiment {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let experiment = context.experiment(name, self.inner.record);
        self.inner.logging.experiment(&context, &experiment, options.origin());
        experiment
    }

    /// The parameters of a layer, which may come from one of its experiments.
    ///
    /// Logs nothing itself; each parameter that is read logs an exposure.
    #[must_use]
    pub fn get_layer(&self, user: &StatsigUser, name: &str) -> Layer {
        self.get_layer_with_options(user, name, EvaluationOptions::default())
    }

    /// Like [`get_layer`](Self::get_layer), with options.
    #[must_use]
    pub fn get_layer_with_options(&self, user: &StatsigUser, name: &str, options: EvaluationOptions) -> Layer {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let layer = context.layer(name, self.inner.record || self.inner.logging.is_on());
        self.inner.logging.layer(&context, layer, options.origin())
    }

    /// A parameter store, whose parameters are resolved for the user when they are read. What a
    /// parameter refers to logs its exposure then.
    #[must_use]
    pub fn get_parameter_store(&self, user: &StatsigUser, name: &str) -> ParameterStore {
        self.get_parameter_store_with_options(user, name, EvaluationOptions::default())
    }

    /// Like [`get_parameter_store`](Self::get_parameter_store), with options.
    #[must_use]
    pub fn get_parameter_store_with_options(
        &self,
        user: &StatsigUser,
        name: &str,
        options: EvaluationOptions,
    ) -> ParameterStore {
        self.inner.logging.not_exposed(name);
        let snapshot = self.inner.specs.load();
        let store = self.inner.context(&snapshot, user).parameter_store(name);
        ParameterStore::new(self.clone(), user.clone(), store, options)
    }
}
