//! Exposures by hand: evaluated at that moment, and logged whatever was logged before with
//! `disable_exposure_logging`.

use statsig_core::StatsigUser;
use statsig_logger::ExposureOrigin;

use super::Statsig;

impl Statsig {
    /// Logs the exposure of a gate.
    pub fn manually_log_gate_exposure(&self, user: &StatsigUser, name: &str) {
        let Some(logger) = self.inner.logging.logger() else { return };
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        logger.gate(&context, &context.feature_gate(name, true), ExposureOrigin::Manual);
    }

    /// Logs the exposure of a dynamic config.
    pub fn manually_log_dynamic_config_exposure(&self, user: &StatsigUser, name: &str) {
        let Some(logger) = self.inner.logging.logger() else { return };
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        logger.dynamic_config(&context, &context.dynamic_config(name, true), ExposureOrigin::Manual);
    }

    /// Logs the exposure of an experiment.
    pub fn manually_log_experiment_exposure(&self, user: &StatsigUser, name: &str) {
        let Some(logger) = self.inner.logging.logger() else { return };
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        logger.experiment(&context, &context.experiment(name, true), ExposureOrigin::Manual);
    }

    /// Logs the exposure of a layer's parameter, whether or not the layer has it.
    pub fn manually_log_layer_parameter_exposure(&self, user: &StatsigUser, name: &str, parameter: &str) {
        let Some(logger) = self.inner.logging.logger() else { return };
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        let layer = context.layer(name, true);
        logger.layer_evaluated(&context, &layer);
        logger.layer_parameter(user, &layer, parameter, ExposureOrigin::Manual);
    }

    /// Logs that the user was exposed to a group of a contextual bandit, by the group's ID.
    pub fn log_cmab_exposure_for_group(&self, user: &StatsigUser, name: &str, group_id: &str) {
        let Some(logger) = self.inner.logging.logger() else { return };
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        logger.bandit_group(&context, &context.experiment(name, true), group_id);
    }
}
