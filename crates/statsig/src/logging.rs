//! Between the client's calls and the event logger, which may not be there.
//!
//! The one place that knows both: without the feature `logger`, or with logging off, every method
//! does nothing and a check costs no more than its evaluation.

use statsig_core::{
    DynamicConfig, EvaluationContext, Experiment, FeatureGate, Layer, PreparedName, ResolvedParameter, SnapshotStore,
};
#[cfg(feature = "logger")]
use statsig_logger::{EventLogger, ExposureOrigin, LayerWatch};
#[cfg(feature = "logger")]
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::options::Exposing;
#[cfg(feature = "logger")]
use crate::{process::Process, runtime::BackgroundRuntime};

/// How long pending events are delivered after the last handle of a client is gone.
#[cfg(feature = "logger")]
const FAREWELL: Duration = Duration::from_secs(3);

/// The event logger of a client, if it has one.
#[derive(Default)]
pub(crate) struct Logging {
    #[cfg(feature = "logger")]
    on: Option<On>,
    /// Held while the settings of the specs in force are taken over.
    #[cfg(feature = "logger")]
    settings: Arc<Mutex<()>>,
}

#[cfg(feature = "logger")]
struct On {
    logger: Arc<EventLogger>,
    runtime: BackgroundRuntime,
    process: Arc<Process>,
}

impl Logging {
    #[cfg(feature = "logger")]
    pub(crate) fn new(logger: Arc<EventLogger>, runtime: BackgroundRuntime, process: Arc<Process>) -> Self {
        Self { on: Some(On { logger, runtime, process }), settings: Arc::default() }
    }

    /// The logger, unless this is known to be a forked child, which must not touch what it has inherited.
    #[cfg(feature = "logger")]
    #[inline]
    pub(crate) fn logger(&self) -> Option<&Arc<EventLogger>> {
        self.on.as_ref().filter(|on| !on.process.is_known_left()).map(|on| &on.logger)
    }

    /// The logger for an event of the application's own, which is counted as lost in a forked child.
    #[cfg(feature = "logger")]
    pub(crate) fn logger_of_events(&self) -> Option<&Arc<EventLogger>> {
        self.on.as_ref().filter(|on| !on.process.loses_event()).map(|on| &on.logger)
    }
}

#[cfg(feature = "logger")]
impl Exposing {
    fn origin(self) -> Option<ExposureOrigin> {
        match self {
            Self::No => None,
            Self::Check => Some(ExposureOrigin::Check),
            Self::Lookup => Some(ExposureOrigin::Lookup),
        }
    }
}

#[cfg(feature = "logger")]
impl Logging {
    pub(crate) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Takes over the settings of the specs in force.
    pub(crate) fn specs_changed(&self, specs: &SnapshotStore) {
        if let Some(logger) = self.logger() {
            // Of two updates at once, the one that comes last here sees the later specs.
            let _one_at_a_time = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            logger.apply_project_settings(specs.load().ruleset().meta());
        }
    }

    /// What to call when specs come into force.
    #[cfg(feature = "net")]
    pub(crate) fn listener(&self, specs: &Arc<SnapshotStore>) -> impl Fn() + Send + Sync + use<> {
        let (logger, specs) = (self.logger().cloned(), Arc::downgrade(specs));
        let settings = Arc::clone(&self.settings);
        move || {
            if let (Some(logger), Some(specs)) = (&logger, specs.upgrade()) {
                let _one_at_a_time = settings.lock().unwrap_or_else(PoisonError::into_inner);
                logger.apply_project_settings(specs.load().ruleset().meta());
            }
        }
    }

    pub(crate) fn not_exposed(&self, name: &str) {
        if let Some(logger) = self.logger() {
            logger.not_exposed(name);
        }
    }

    #[inline]
    pub(crate) fn check_gate(&self, context: &EvaluationContext<'_>, name: &str) -> bool {
        let Some(logger) = self.logger() else { return context.check_gate(name) };
        let check = context.gate_check(name);
        logger.gate_checked(context, name, &check);
        check.value()
    }

    #[inline]
    pub(crate) fn check_prepared_gate(&self, context: &EvaluationContext<'_>, name: &PreparedName) -> bool {
        let Some(logger) = self.logger() else { return context.check_prepared_gate(name) };
        let check = context.prepared_gate_check(name);
        logger.gate_checked(context, name.name(), &check);
        check.value()
    }

    /// Whether checks have exposures logged.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.logger().is_some()
    }

    pub(crate) fn gate(&self, context: &EvaluationContext<'_>, gate: &FeatureGate, exposing: Exposing) {
        match (self.logger(), exposing.origin()) {
            (Some(logger), Some(origin)) => logger.gate(context, gate, origin),
            (Some(logger), None) => logger.not_exposed(gate.name()),
            (None, _) => {}
        }
    }

    pub(crate) fn dynamic_config(&self, context: &EvaluationContext<'_>, config: &DynamicConfig, exposing: Exposing) {
        match (self.logger(), exposing.origin()) {
            (Some(logger), Some(origin)) => logger.dynamic_config(context, config, origin),
            (Some(logger), None) => logger.not_exposed(config.name()),
            (None, _) => {}
        }
    }

    pub(crate) fn experiment(&self, context: &EvaluationContext<'_>, experiment: &Experiment, exposing: Exposing) {
        match (self.logger(), exposing.origin()) {
            (Some(logger), Some(origin)) => logger.experiment(context, experiment, origin),
            (Some(logger), None) => logger.not_exposed(experiment.name()),
            (None, _) => {}
        }
    }

    /// The layer, of which reads are logged or counted.
    pub(crate) fn layer(&self, context: &EvaluationContext<'_>, layer: Layer, exposing: Exposing) -> Layer {
        let Some(logger) = self.logger() else { return layer };
        let watch = match exposing.origin() {
            Some(origin) => {
                logger.layer_evaluated(context, &layer);
                LayerWatch::Expose(origin)
            }
            None => {
                logger.not_exposed(layer.name());
                LayerWatch::Count
            }
        };
        logger.watch_layer(context.user(), layer, watch)
    }

    /// Exposes what a store's parameter was resolved through. `is_read`: the parameter's own value
    /// is returned to the application.
    pub(crate) fn resolved(
        &self,
        context: &EvaluationContext<'_>,
        resolved: &ResolvedParameter<'_>,
        exposing: Exposing,
        is_read: bool,
    ) {
        match resolved {
            ResolvedParameter::Gate(gate, _) => self.gate(context, gate, exposing),
            ResolvedParameter::DynamicConfig(config, _) => self.dynamic_config(context, config, exposing),
            ResolvedParameter::Experiment(experiment, _) => self.experiment(context, experiment, exposing),
            ResolvedParameter::Layer(layer, parameter) => {
                let Some(logger) = self.logger() else { return };
                let Some(origin) = exposing.origin() else {
                    logger.not_exposed(layer.name());
                    if is_read {
                        logger.not_exposed(layer.name());
                    }
                    return;
                };
                logger.layer_evaluated(context, layer);
                if is_read {
                    logger.layer_parameter(context.user(), layer, parameter, origin);
                }
            }
            _ => {}
        }
    }
}

/// Delivers what is pending, in the background.
#[cfg(feature = "logger")]
impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(on) = self.on.take() {
            if on.process.is_left() {
                // It belongs to the parent; nobody here could wait for it, or close it without harm.
                return std::mem::forget(on);
            }
            let On { logger, runtime, .. } = on;
            let handle = runtime.handle().clone();
            handle.spawn(async move {
                let report = logger.shutdown(FAREWELL).await;
                if report.failed > 0 {
                    tracing::warn!(
                        events = report.failed,
                        "a client was dropped without shutdown, and events were lost"
                    );
                }
                drop(runtime);
            });
        }
    }
}

#[cfg(not(feature = "logger"))]
#[allow(clippy::unused_self, reason = "the same calls as with a logger")]
impl Logging {
    pub(crate) fn is_on(&self) -> bool {
        false
    }

    pub(crate) fn specs_changed(&self, _: &SnapshotStore) {}

    #[cfg(feature = "net")]
    pub(crate) fn listener(&self, _: &std::sync::Arc<statsig_core::SnapshotStore>) -> impl Fn() + Send + Sync + use<> {
        || ()
    }

    pub(crate) fn not_exposed(&self, _: &str) {}

    #[inline]
    pub(crate) fn check_gate(&self, context: &EvaluationContext<'_>, name: &str) -> bool {
        context.check_gate(name)
    }

    #[inline]
    pub(crate) fn check_prepared_gate(&self, context: &EvaluationContext<'_>, name: &PreparedName) -> bool {
        context.check_prepared_gate(name)
    }

    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        false
    }

    pub(crate) fn gate(&self, _: &EvaluationContext<'_>, _: &FeatureGate, _: Exposing) {}

    pub(crate) fn dynamic_config(&self, _: &EvaluationContext<'_>, _: &DynamicConfig, _: Exposing) {}

    pub(crate) fn experiment(&self, _: &EvaluationContext<'_>, _: &Experiment, _: Exposing) {}

    pub(crate) fn layer(&self, _: &EvaluationContext<'_>, layer: Layer, _: Exposing) -> Layer {
        layer
    }

    pub(crate) fn resolved(&self, _: &EvaluationContext<'_>, _: &ResolvedParameter<'_>, _: Exposing, _: bool) {}
}
