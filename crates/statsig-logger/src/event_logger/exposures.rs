//! From a result to an exposure in the queue.
//!
//! Every check passes through here on the application's thread, so the order matters: the time, a
//! hash of what was exposed to whom, and one look into the table of recent exposures. Only what is
//! new there is looked at closer. A check that did not record the nested gates that took part, which
//! is the fast way to check, is then evaluated once more to find them.

use std::sync::{Arc, Weak};

use statsig_core::{
    DynamicConfig, EvaluationContext, Experiment, ExposureFacts, FeatureGate, GateCheck, Layer, LayerObserver,
    SecondaryExposure, StatsigUser,
};

use super::EventLogger;
use super::exposure_detail::{Draft, LayerPart};
use super::logged_event::{LoggedEvent, LoggedExposure};
use crate::exposure_key::{ExposureKey, ExposureKind, ExposureParts, exposure_hash};
use crate::sampling::SamplingInput;

/// On whose behalf something is exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExposureOrigin {
    /// A check that the application made.
    Check,
    /// The application's explicit wish, without a check.
    Manual,
    /// A look-up of the SDK's own: behind a parameter store, or an `experiment_group` condition.
    Lookup,
}

/// An exposure before it is known whether it is new.
struct Candidate<'a> {
    kind: ExposureKind,
    name: &'a str,
    rule_id: &'a str,
    id_type: &'a str,
    extra: u64,
    origin: ExposureOrigin,
}

impl Candidate<'_> {
    fn parts(&self, user: &StatsigUser) -> ExposureParts {
        ExposureParts {
            kind: self.kind,
            spec: exposure_hash(self.name),
            rule: exposure_hash(self.rule_id),
            user: match self.origin {
                ExposureOrigin::Lookup => user.exposure_hash_for(self.id_type),
                ExposureOrigin::Check | ExposureOrigin::Manual => user.exposure_hash(),
            },
            extra: self.extra,
        }
    }
}

/// An exposure that was not logged a moment ago.
struct New<'a> {
    user: &'a StatsigUser,
    candidate: Candidate<'a>,
    parts: ExposureParts,
    time_ms: i64,
}

/// What else an exposure says, by its kind.
#[derive(Default)]
struct Says<'a> {
    gate_value: bool,
    rule_passed: Option<bool>,
    layer: Option<LayerPart<'a>>,
}

impl EventLogger {
    /// Logs the exposure of a gate check, and those of the look-ups that it made.
    pub fn gate_checked(&self, context: &EvaluationContext<'_>, name: &str, check: &GateCheck<'_>) {
        self.lookups(context, check.experiment_group_lookups());
        let rule_id = check.rule_id();
        let candidate = gate_candidate(name, &rule_id, check.value());
        let Some(new) = self.first_sight(context.user(), candidate) else { return };
        match check.exposure() {
            Some(facts) => {
                let says = Says { gate_value: check.value(), ..Says::default() };
                self.push(&new, facts, says, std::iter::empty);
            }
            None => self.log_gate(&new, check.value(), &context.feature_gate(name, true)),
        }
    }

    /// Logs the exposure of a gate, and those of the look-ups that its evaluation made.
    pub fn gate(&self, context: &EvaluationContext<'_>, gate: &FeatureGate, origin: ExposureOrigin) {
        self.lookups(context, gate.experiment_group_lookups());
        let candidate =
            Candidate { id_type: gate.id_type(), origin, ..gate_candidate(gate.name(), gate.rule_id(), gate.value()) };
        let Some(new) = self.first_sight(context.user(), candidate) else { return };
        if gate.has_recorded() {
            self.log_gate(&new, gate.value(), gate);
        } else {
            self.log_gate(&new, gate.value(), &context.feature_gate(gate.name(), true));
        }
    }

    fn log_gate(&self, new: &New<'_>, value: bool, recorded: &FeatureGate) {
        let says = Says { gate_value: value, ..Says::default() };
        self.push(new, recorded.exposure(), says, || recorded.secondary_exposures());
    }

    /// Logs the exposure of a dynamic config, and those of the look-ups that its evaluation made.
    pub fn dynamic_config(&self, context: &EvaluationContext<'_>, config: &DynamicConfig, origin: ExposureOrigin) {
        self.lookups(context, config.experiment_group_lookups());
        let passed = config.rule_passed();
        let candidate = config_candidate(&config.exposure(), config.rule_id(), passed, origin);
        let Some(new) = self.first_sight(context.user(), candidate) else { return };
        let again;
        let recorded = if config.has_recorded() {
            config
        } else {
            again = context.dynamic_config(config.name(), true);
            &again
        };
        let says = Says { rule_passed: Some(passed), ..Says::default() };
        self.push(&new, recorded.exposure(), says, || recorded.secondary_exposures());
    }

    /// Logs the exposure of an experiment, and those of the look-ups that its evaluation made.
    pub fn experiment(&self, context: &EvaluationContext<'_>, experiment: &Experiment, origin: ExposureOrigin) {
        self.lookups(context, experiment.experiment_group_lookups());
        self.log_experiment(context, experiment, experiment.rule_id(), origin);
    }

    /// Logs that the user was exposed to a group of a contextual bandit, whatever its evaluation
    /// says now.
    pub fn bandit_group(&self, context: &EvaluationContext<'_>, bandit: &Experiment, group_id: &str) {
        self.log_experiment(context, bandit, group_id, ExposureOrigin::Manual);
    }

    fn log_experiment(
        &self,
        context: &EvaluationContext<'_>,
        experiment: &Experiment,
        rule_id: &str,
        origin: ExposureOrigin,
    ) {
        let rule_passed = (origin == ExposureOrigin::Check).then(|| experiment.rule_passed());
        let extra = rule_passed.unwrap_or(experiment.is_user_in_experiment());
        let candidate = config_candidate(&experiment.exposure(), rule_id, extra, origin);
        let Some(new) = self.first_sight(context.user(), candidate) else { return };
        let again;
        let recorded = if experiment.has_recorded() {
            experiment
        } else {
            again = context.experiment(experiment.name(), true);
            &again
        };
        let says = Says { rule_passed, ..Says::default() };
        self.push(&new, recorded.exposure(), says, || recorded.secondary_exposures());
    }

    /// Logs the exposure of a layer's parameter, whether or not the layer has it. The layer should
    /// have been evaluated with the gates that took part.
    pub fn layer_parameter(&self, user: &StatsigUser, layer: &Layer, parameter: &str, origin: ExposureOrigin) {
        let source = layer.parameter_source(parameter);
        let is_manual = origin == ExposureOrigin::Manual;
        let candidate = Candidate {
            kind: ExposureKind::Layer,
            name: layer.name(),
            rule_id: if is_manual { layer.rule_id() } else { source.rule_id },
            id_type: layer.id_type(),
            // A read of the SDK's own is always told apart, even if the user has no ID of the layer's type.
            extra: exposure_hash(&(parameter, origin == ExposureOrigin::Lookup)),
            origin,
        };
        let Some(new) = self.first_sight(user, candidate) else { return };
        let part = LayerPart {
            parameter,
            allocated_experiment: source.allocated_experiment.unwrap_or_default(),
            is_explicit: source.is_explicit,
            omits_empty_list: origin != ExposureOrigin::Lookup && !layer.is_delegated(),
        };
        let says = Says { layer: Some(part), ..Says::default() };
        self.push(&new, layer.exposure(), says, || layer.parameter_exposures(source.is_explicit));
    }

    /// Logs the look-ups that a layer's evaluation made. Call it where the layer is evaluated.
    pub fn layer_evaluated(&self, context: &EvaluationContext<'_>, layer: &Layer) {
        self.lookups(context, layer.experiment_group_lookups());
    }

    /// The layer, of which each read is logged as an exposure of `user`, until the logger is gone.
    #[must_use]
    pub fn watch_layer(self: &Arc<Self>, user: &StatsigUser, layer: Layer, watch: LayerWatch) -> Layer {
        let logger = Arc::downgrade(self);
        layer.observed_by(Arc::new(WatchedLayer { logger, user: user.clone(), watch }))
    }

    /// Exposes the experiments whose groups were asked for.
    fn lookups<'n>(&self, context: &EvaluationContext<'_>, names: impl Iterator<Item = &'n str>) {
        for name in names {
            let experiment = context.experiment(name, true);
            self.log_experiment(context, &experiment, experiment.rule_id(), ExposureOrigin::Lookup);
        }
    }

    /// The exposure with its identity and time, if it was not logged a moment ago.
    #[inline]
    fn first_sight<'a>(&self, user: &'a StatsigUser, candidate: Candidate<'a>) -> Option<New<'a>> {
        let time_ms = self.clock.now_ms();
        let parts = candidate.parts(user);
        if self.dedupe.is_first(ExposureKey::new(&parts), u64::try_from(time_ms).unwrap_or(0)) {
            return Some(New { user, candidate, parts, time_ms });
        }
        self.deduplicated.add_one();
        None
    }

    /// Samples a new exposure and puts it into the queue.
    fn push<'s, I: Iterator<Item = SecondaryExposure<'s>>>(
        &self,
        new: &New<'_>,
        facts: ExposureFacts<'_>,
        says: Says<'_>,
        secondary: impl Fn() -> I,
    ) {
        let candidate = &new.candidate;
        let sampling = SamplingInput {
            parts: &new.parts,
            rule_id: candidate.rule_id,
            rule_rate: facts.sampling_rate,
            forward_all: facts.forward_all,
            analytical: facts.analytical,
        };
        let Some(mark) = self.sampler.decide(&sampling, u64::try_from(new.time_ms).unwrap_or(0)) else {
            self.sampled_out.add_one();
            return;
        };
        let draft = Draft {
            parts: &new.parts,
            facts,
            rule_id: candidate.rule_id,
            gate_value: says.gate_value,
            rule_passed: says.rule_passed,
            layer: says.layer,
            is_manual: candidate.origin == ExposureOrigin::Manual,
            mark,
        };
        let (detail, is_first) = self.details.share(&draft, secondary, &self.surroundings.load());
        let (user, time_ms) = (new.user.clone(), new.time_ms);
        self.pipeline.log(LoggedEvent::Exposure(LoggedExposure { user, detail, time_ms, is_first }));
    }
}

fn gate_candidate<'a>(name: &'a str, rule_id: &'a str, value: bool) -> Candidate<'a> {
    let origin = ExposureOrigin::Check;
    Candidate { kind: ExposureKind::Gate, name, rule_id, id_type: "", extra: value.into(), origin }
}

fn config_candidate<'a>(
    facts: &ExposureFacts<'a>,
    rule_id: &'a str,
    extra: bool,
    origin: ExposureOrigin,
) -> Candidate<'a> {
    let (name, id_type) = (facts.name, facts.id_type);
    Candidate { kind: ExposureKind::Config, name, rule_id, id_type, extra: extra.into(), origin }
}

/// What reading a watched layer's parameter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerWatch {
    /// Logs an exposure.
    Expose(ExposureOrigin),
    /// Counts a check without exposure.
    Count,
}

struct WatchedLayer {
    logger: Weak<EventLogger>,
    user: StatsigUser,
    watch: LayerWatch,
}

impl LayerObserver for WatchedLayer {
    fn parameter_read(&self, layer: &Layer, parameter: &str) {
        let Some(logger) = self.logger.upgrade() else { return };
        match self.watch {
            LayerWatch::Expose(origin) => logger.layer_parameter(&self.user, layer, parameter, origin),
            LayerWatch::Count => logger.not_exposed(layer.name()),
        }
    }
}
