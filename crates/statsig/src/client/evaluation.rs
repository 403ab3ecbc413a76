//! Checks and reads for a user.

use statsig_core::{
    DynamicConfig, EvaluationContext, Experiment, ExperimentEvaluationOptions, FeatureGate, Layer,
    LayerEvaluationOptions, StatsigUser,
};

use super::Statsig;
use crate::options::{EvaluationOptions, Exposing};
use crate::parameter_store::ParameterStore;
use crate::subscriptions::{ClientEvent, EventKind};

impl Statsig {
    /// Whether a gate is open for the user; `false` for an unknown gate. Logs an exposure.
    ///
    /// No allocation, no lock, no formatting for gates of ordinary shape, unless the exposure is a
    /// new one.
    #[must_use]
    pub fn check_gate(&self, user: &StatsigUser, name: &str) -> bool {
        if self.inner.subscriptions.wants(EventKind::GateEvaluated) {
            return self.check_gate_and_tell(user, name, EvaluationOptions::default());
        }
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
        if self.inner.subscriptions.wants(EventKind::GateEvaluated) {
            return self.check_gate_and_tell(user, name, options);
        }
        self.inner.logging.not_exposed(name);
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).check_gate(name)
    }

    /// The same for those who listen, who want to know more than the value. Apart, so that a check for
    /// which nobody listens has no room to make for it.
    #[cold]
    #[inline(never)]
    fn check_gate_and_tell(&self, user: &StatsigUser, name: &str, options: EvaluationOptions) -> bool {
        self.get_feature_gate_with_options(user, name, options).value()
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
        self.evaluate_gate(user, options, |context, record| context.feature_gate(name, record))
    }

    /// Evaluates a gate, logs its exposure and reports it to subscribers. `evaluate` gets whether to record the gates
    /// that take part; likewise below.
    pub(super) fn evaluate_gate(
        &self,
        user: &StatsigUser,
        options: EvaluationOptions,
        evaluate: impl FnOnce(&EvaluationContext<'_>, bool) -> FeatureGate,
    ) -> FeatureGate {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let gate = evaluate(&context, self.inner.record);
        self.inner.logging.gate(&context, &gate, Exposing::unless(options.disable_exposure_logging));
        self.inner.subscriptions.tell(ClientEvent::GateEvaluated(&gate));
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
        self.evaluate_config(user, options, |context, record| context.dynamic_config(name, record))
    }

    /// Evaluates a dynamic config, logs its exposure and reports it to subscribers.
    pub(super) fn evaluate_config(
        &self,
        user: &StatsigUser,
        options: EvaluationOptions,
        evaluate: impl FnOnce(&EvaluationContext<'_>, bool) -> DynamicConfig,
    ) -> DynamicConfig {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let config = evaluate(&context, self.inner.record);
        self.inner.logging.dynamic_config(&context, &config, Exposing::unless(options.disable_exposure_logging));
        self.inner.subscriptions.tell(ClientEvent::DynamicConfigEvaluated(&config));
        config
    }

    /// The parameters of the user's group in an experiment; empty for an unknown experiment. Logs an
    /// exposure.
    ///
    /// With a persistent storage, this also ends the user's sticky assignment: see
    /// [`get_experiment_with_options`](Self::get_experiment_with_options).
    #[must_use]
    pub fn get_experiment(&self, user: &StatsigUser, name: &str) -> Experiment {
        self.get_experiment_with_options(user, name, &ExperimentEvaluationOptions::new())
    }

    /// Like [`get_experiment`](Self::get_experiment), with options: among them the values that a
    /// persistent storage keeps for the user, so that the user stays in its group
    /// (`docs/protocol/evaluation.md#sticky`).
    #[must_use]
    pub fn get_experiment_with_options(
        &self,
        user: &StatsigUser,
        name: &str,
        options: &ExperimentEvaluationOptions,
    ) -> Experiment {
        self.evaluate_experiment(user, options, |context, record| context.experiment_with(name, record, options))
    }

    /// Evaluates an experiment, logs its exposure and reports it to subscribers.
    pub(super) fn evaluate_experiment(
        &self,
        user: &StatsigUser,
        options: &ExperimentEvaluationOptions,
        evaluate: impl FnOnce(&EvaluationContext<'_>, bool) -> Experiment,
    ) -> Experiment {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let experiment = evaluate(&context, self.records_sticky());
        self.inner.logging.experiment(&context, &experiment, Exposing::unless(options.disable_exposure_logging));
        self.inner.subscriptions.tell(ClientEvent::ExperimentEvaluated(&experiment));
        experiment
    }

    /// The parameters of a layer, which may come from one of its experiments.
    ///
    /// Logs nothing itself; each parameter that is read logs an exposure. With a persistent storage,
    /// this also ends the user's sticky assignment.
    #[must_use]
    pub fn get_layer(&self, user: &StatsigUser, name: &str) -> Layer {
        self.get_layer_with_options(user, name, &LayerEvaluationOptions::new())
    }

    /// Like [`get_layer`](Self::get_layer), with options: see
    /// [`get_experiment_with_options`](Self::get_experiment_with_options).
    #[must_use]
    pub fn get_layer_with_options(&self, user: &StatsigUser, name: &str, options: &LayerEvaluationOptions) -> Layer {
        self.evaluate_layer(user, options, |context, record| context.layer_with(name, record, options))
    }

    /// Evaluates a layer, reports it to subscribers, and has its reads logged.
    pub(super) fn evaluate_layer(
        &self,
        user: &StatsigUser,
        options: &LayerEvaluationOptions,
        evaluate: impl FnOnce(&EvaluationContext<'_>, bool) -> Layer,
    ) -> Layer {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let layer = evaluate(&context, self.inner.record || self.inner.logging.is_on());
        self.inner.subscriptions.tell(ClientEvent::LayerEvaluated(&layer));
        self.inner.logging.layer(&context, layer, Exposing::unless(options.disable_exposure_logging))
    }

    /// Whether experiments record the gates that take part: a result that may have come from a
    /// storage cannot be evaluated once more to find them.
    fn records_sticky(&self) -> bool {
        self.inner.record || self.inner.persistent_storage.is_some() && self.inner.logging.is_on()
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
