//! Handles for single gates, dynamic configs, experiments and layers.

use statsig_core::{
    DynamicConfig, Experiment, ExperimentEvaluationOptions, FeatureGate, Layer, LayerEvaluationOptions, PreparedName,
    StatsigUser,
};

use super::Statsig;
use crate::options::EvaluationOptions;
use crate::subscriptions::EventKind;

impl Statsig {
    /// Returns a handle for a gate, which looks the name up once for each update of the specs.
    ///
    /// For names that are checked often, and to write a name in one place only. The gate need not exist: a check through
    /// the handle has the result, the exposure, the overrides and the events of [`check_gate`](Self::check_gate), also
    /// after an update that adds, removes or moves it.
    ///
    /// A handle owns a clone of the client, so that it can stand in a struct or a `static` and be sent to other threads.
    /// As long as a handle lives, the client does: call [`shutdown`](Self::shutdown) at the end of the program instead of
    /// relying on the last handle being dropped.
    ///
    /// # Cost
    /// The handle is as large as eight words; making one copies the name, without an allocation if it has at most 23
    /// bytes. A check saves the look-up of the name: two atomic reads take its place, and no lock. A gate that has the
    /// same value for every user needs nothing else while the client logs no exposures and nothing is overridden.
    ///
    /// ```
    /// use statsig::{PreparedGate, Statsig, StatsigUser};
    ///
    /// struct Checkout {
    ///     is_new: PreparedGate,
    /// }
    ///
    /// # let specs = br#"{"has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {},
    /// #                  "condition_map": {}, "feature_gates": {}}"#;
    /// let statsig = Statsig::builder().bootstrap(specs).build()?;
    /// let checkout = Checkout { is_new: statsig.gate("new_checkout") };
    /// let user = StatsigUser::with_user_id("user-1");
    /// assert_eq!(checkout.is_new.check(&user), statsig.check_gate(&user, "new_checkout"));
    /// # Ok::<(), statsig::Error>(())
    /// ```
    #[must_use]
    pub fn gate(&self, name: &str) -> PreparedGate {
        PreparedGate { client: self.clone(), name: PreparedName::gate(name) }
    }

    /// Returns a handle for a dynamic config: see [`gate`](Self::gate).
    #[must_use]
    pub fn config(&self, name: &str) -> PreparedDynamicConfig {
        PreparedDynamicConfig { client: self.clone(), name: PreparedName::dynamic_config(name) }
    }

    /// Returns a handle for an experiment: see [`gate`](Self::gate).
    #[must_use]
    pub fn experiment(&self, name: &str) -> PreparedExperiment {
        PreparedExperiment { client: self.clone(), name: PreparedName::experiment(name) }
    }

    /// Returns a handle for a layer: see [`gate`](Self::gate).
    #[must_use]
    pub fn layer(&self, name: &str) -> PreparedLayer {
        PreparedLayer { client: self.clone(), name: PreparedName::layer(name) }
    }
}

macro_rules! handles {
    ($($(#[$doc:meta])* $handle:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $handle {
            client: Statsig,
            name: PreparedName,
        }

        impl $handle {
            /// Returns the name.
            #[must_use]
            pub fn name(&self) -> &str {
                self.name.name()
            }
        }

        impl std::fmt::Debug for $handle {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($handle)).field(&self.name()).finish()
            }
        }
    )*};
}

handles! {
    /// A gate of a client, prepared for checks: see [`Statsig::gate`].
    PreparedGate
    /// A dynamic config of a client, prepared for reads: see [`Statsig::config`].
    PreparedDynamicConfig
    /// An experiment of a client, prepared for reads: see [`Statsig::experiment`].
    PreparedExperiment
    /// A layer of a client, prepared for reads: see [`Statsig::layer`].
    PreparedLayer
}

impl PreparedGate {
    /// Returns whether the gate is open for the user, like [`Statsig::check_gate`].
    #[must_use]
    pub fn check(&self, user: &StatsigUser) -> bool {
        let client = &*self.client.inner;
        if client.subscriptions.wants(EventKind::GateEvaluated) {
            return self.get(user).value();
        }
        if client.answers_constants(user)
            && let Some(value) = self.name.constant_gate(&client.specs)
        {
            return value;
        }
        let snapshot = client.specs.load();
        client.logging.check_prepared_gate(&client.context(&snapshot, user), &self.name)
    }

    /// Like [`check`](Self::check), with options.
    #[must_use]
    pub fn check_with_options(&self, user: &StatsigUser, options: EvaluationOptions) -> bool {
        if !options.disable_exposure_logging {
            return self.check(user);
        }
        let client = &*self.client.inner;
        if client.subscriptions.wants(EventKind::GateEvaluated) {
            return self.get_with_options(user, options).value();
        }
        client.logging.not_exposed(self.name());
        let snapshot = client.specs.load();
        client.context(&snapshot, user).check_prepared_gate(&self.name)
    }

    /// Returns the gate with the rule that decided it, like [`Statsig::get_feature_gate`].
    #[must_use]
    pub fn get(&self, user: &StatsigUser) -> FeatureGate {
        self.get_with_options(user, EvaluationOptions::default())
    }

    /// Like [`get`](Self::get), with options.
    #[must_use]
    pub fn get_with_options(&self, user: &StatsigUser, options: EvaluationOptions) -> FeatureGate {
        self.client.evaluate_gate(user, options, |context, record| context.prepared_feature_gate(&self.name, record))
    }
}

impl PreparedDynamicConfig {
    /// Returns the value for the user, like [`Statsig::get_dynamic_config`].
    #[must_use]
    pub fn get(&self, user: &StatsigUser) -> DynamicConfig {
        self.get_with_options(user, EvaluationOptions::default())
    }

    /// Like [`get`](Self::get), with options.
    #[must_use]
    pub fn get_with_options(&self, user: &StatsigUser, options: EvaluationOptions) -> DynamicConfig {
        self.client
            .evaluate_config(user, options, |context, record| context.prepared_dynamic_config(&self.name, record))
    }
}

impl PreparedExperiment {
    /// Returns the parameters of the user's group, like [`Statsig::get_experiment`].
    #[must_use]
    pub fn get(&self, user: &StatsigUser) -> Experiment {
        self.get_with_options(user, &ExperimentEvaluationOptions::new())
    }

    /// Like [`get`](Self::get), with options: see [`Statsig::get_experiment_with_options`].
    #[must_use]
    pub fn get_with_options(&self, user: &StatsigUser, options: &ExperimentEvaluationOptions) -> Experiment {
        self.client.evaluate_experiment(user, options, |context, record| {
            context.prepared_experiment_with(&self.name, record, options)
        })
    }
}

impl PreparedLayer {
    /// Returns the parameters of the layer, like [`Statsig::get_layer`].
    #[must_use]
    pub fn get(&self, user: &StatsigUser) -> Layer {
        self.get_with_options(user, &LayerEvaluationOptions::new())
    }

    /// Like [`get`](Self::get), with options: see [`Statsig::get_layer_with_options`].
    #[must_use]
    pub fn get_with_options(&self, user: &StatsigUser, options: &LayerEvaluationOptions) -> Layer {
        self.client
            .evaluate_layer(user, options, |context, record| context.prepared_layer_with(&self.name, record, options))
    }
}
