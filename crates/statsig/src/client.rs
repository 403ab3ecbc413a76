//! The client that an application holds.

use std::sync::Arc;

use statsig_core::{
    Clock, CompileLimits, DynamicConfig, EvaluationContext, EvaluationSettings, Experiment, ExperimentGroups,
    FeatureGate, IdListLookup, Layer, OverrideAdapter, Problem, Snapshot, SnapshotStore, SpecSourceKind, SpecUpdate,
    StatsigUser, UpdateOutcome,
};

use crate::builder::StatsigBuilder;
use crate::error::Error;
use crate::parameter_store::ParameterStore;

/// A Statsig client: a handle that is cheap to clone and to share between threads.
///
/// All checks are synchronous, answer from memory, and never fail or panic. Concurrent calls do not
/// wait for each other or for an update.
#[derive(Clone)]
pub struct Statsig {
    inner: Arc<Inner>,
}

struct Inner {
    specs: SnapshotStore,
    settings: EvaluationSettings,
    limits: CompileLimits,
    clock: Arc<dyn Clock>,
    id_lists: Option<Arc<dyn IdListLookup>>,
    overrides: Option<Arc<dyn OverrideAdapter>>,
    record: bool,
}

impl Inner {
    #[inline]
    fn context<'a>(&'a self, snapshot: &'a Arc<Snapshot>, user: &'a StatsigUser) -> EvaluationContext<'a> {
        EvaluationContext::new(snapshot, user, &self.settings, &*self.clock)
            .with_id_lists(self.id_lists.as_deref())
            .with_overrides(self.overrides.as_deref())
    }
}

impl std::fmt::Debug for Statsig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("Statsig")
            .field("source", snapshot.source())
            .field("specs_time", &snapshot.ruleset().meta().time)
            .finish_non_exhaustive()
    }
}

impl Statsig {
    /// Starts building a client.
    pub fn builder() -> StatsigBuilder {
        StatsigBuilder::default()
    }

    pub(crate) fn new(
        snapshot: Snapshot,
        settings: EvaluationSettings,
        limits: CompileLimits,
        clock: Arc<dyn Clock>,
        id_lists: Option<Arc<dyn IdListLookup>>,
        overrides: Option<Arc<dyn OverrideAdapter>>,
        record: bool,
    ) -> Self {
        let specs = SnapshotStore::new(snapshot);
        Self { inner: Arc::new(Inner { specs, settings, limits, clock, id_lists, overrides, record }) }
    }

    /// Replaces the config specs, unless the new ones are older.
    ///
    /// Compiles on the calling thread; checks go on meanwhile with the specs in force.
    ///
    /// # Errors
    /// When the document cannot be used; the specs in force stay.
    pub fn update_specs(&self, specs: impl Into<Vec<u8>>) -> Result<UpdateOutcome, Error> {
        let received_at_ms = u64::try_from(self.inner.clock.now_ms()).unwrap_or(0);
        let update = SpecUpdate::new(specs.into(), SpecSourceKind::Bootstrap, received_at_ms);
        Ok(self.inner.specs.apply(&update, &self.inner.limits)?)
    }

    /// The specs in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.specs.load_full()
    }

    /// Parts of the specs in force that were skipped or will not behave as written.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.snapshot().ruleset().problems().to_vec()
    }

    /// Whether a gate is open for the user; `false` for an unknown gate.
    ///
    /// No allocation, no lock, no formatting for gates of ordinary shape.
    #[must_use]
    pub fn check_gate(&self, user: &StatsigUser, name: &str) -> bool {
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).check_gate(name)
    }

    /// A gate with the rule that decided it and why.
    #[must_use]
    pub fn get_feature_gate(&self, user: &StatsigUser, name: &str) -> FeatureGate {
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).feature_gate(name, self.inner.record)
    }

    /// The value of a dynamic config; empty for an unknown config.
    #[must_use]
    pub fn get_dynamic_config(&self, user: &StatsigUser, name: &str) -> DynamicConfig {
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).dynamic_config(name, self.inner.record)
    }

    /// The parameters of the user's group in an experiment; empty for an unknown experiment.
    #[must_use]
    pub fn get_experiment(&self, user: &StatsigUser, name: &str) -> Experiment {
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).experiment(name, self.inner.record)
    }

    /// The parameters of a layer, which may come from one of its experiments.
    #[must_use]
    pub fn get_layer(&self, user: &StatsigUser, name: &str) -> Layer {
        let snapshot = self.inner.specs.load();
        self.inner.context(&snapshot, user).layer(name, self.inner.record)
    }

    /// A parameter store, whose parameters are resolved for the user when they are read.
    #[must_use]
    pub fn get_parameter_store(&self, user: &StatsigUser, name: &str) -> ParameterStore {
        let snapshot = self.inner.specs.load();
        let store = self.inner.context(&snapshot, user).parameter_store(name);
        ParameterStore::new(self.clone(), user.clone(), store)
    }

    /// Calls `f` with everything that an evaluation for `user` depends on.
    pub(crate) fn with_context<R>(
        &self,
        snapshot: &Arc<Snapshot>,
        user: &StatsigUser,
        f: impl FnOnce(EvaluationContext<'_>, bool) -> R,
    ) -> R {
        f(self.inner.context(snapshot, user), self.inner.record)
    }

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
