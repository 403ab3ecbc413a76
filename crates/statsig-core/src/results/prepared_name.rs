//! Names that are looked up once for a ruleset.

use std::sync::atomic::{AtomicU64, Ordering};

use smol_str::SmolStr;

use super::{DynamicConfig, Experiment, FeatureGate, GateCheck, Layer, Record};
use crate::evaluate::{Call, EvaluationContext, Kind};
use crate::ruleset::NO_INDEX;
use crate::snapshot::{Snapshot, SnapshotStore};
use crate::sticky::{ExperimentEvaluationOptions, LayerEvaluationOptions};

/// A name of a gate, dynamic config, experiment or layer that remembers its place in the current ruleset.
///
/// Evaluations through it give the results of the methods that receive a name. The first one after an update looks the
/// name up again. Threads may share it: they read and replace the place atomically, without a lock.
///
/// ```
/// # use std::sync::Arc;
/// # use statsig_core::{EvaluationSettings, FixedClock, Snapshot, SpecOrigin};
/// use statsig_core::{EvaluationContext, PreparedName, StatsigUser};
///
/// # let snapshot = Arc::new(Snapshot::empty(SpecOrigin::Bootstrap));
/// # let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
/// let new_checkout = PreparedName::gate("new_checkout");
/// let user = StatsigUser::with_user_id("user-1");
/// let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
/// assert_eq!(context.check_prepared_gate(&new_checkout), context.check_gate("new_checkout"));
/// ```
#[derive(Debug)]
pub struct PreparedName {
    name: SmolStr,
    kind: Kind,
    place: AtomicU64,
}

/// Place of a name, packed into 64 bits so that it is replaced as a whole.
///
/// From the highest bit: 32 of the snapshot's generation, 2 of the constant value, 30 of the spec's position.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u64);

impl Place {
    /// That of a name that was never looked up: no snapshot has the generation 0.
    const UNKNOWN: Self = Self(0);
    /// Largest position that fits; stands for "no spec".
    const NO_SPEC: u32 = (1 << 30) - 1;

    /// Returns `None` for a position that does not fit.
    fn new(generation: u32, spec: u32, constant: Option<bool>) -> Option<Self> {
        let spec = if spec == NO_INDEX { Self::NO_SPEC } else { Some(spec).filter(|&spec| spec < Self::NO_SPEC)? };
        let constant = constant.map_or(0, |value| 1 + u64::from(value));
        Some(Self(u64::from(generation) << 32 | constant << 30 | u64::from(spec)))
    }

    #[inline]
    fn generation(self) -> u64 {
        self.0 >> 32
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // 30 bits
    fn spec(self) -> u32 {
        let spec = self.0 as u32 & Self::NO_SPEC;
        if spec == Self::NO_SPEC { NO_INDEX } else { spec }
    }

    #[inline]
    fn constant(self) -> Option<bool> {
        match self.0 >> 30 & 3 {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }
}

impl Clone for PreparedName {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), kind: self.kind, place: AtomicU64::new(self.place.load(Ordering::Relaxed)) }
    }
}

impl PreparedName {
    /// Prepares the name of a gate.
    #[must_use]
    pub fn gate(name: &str) -> Self {
        Self::new(name, Kind::Gate)
    }

    /// Prepares the name of a dynamic config.
    #[must_use]
    pub fn dynamic_config(name: &str) -> Self {
        Self::new(name, Kind::DynamicConfig)
    }

    /// Prepares the name of an experiment.
    #[must_use]
    pub fn experiment(name: &str) -> Self {
        Self::new(name, Kind::Experiment)
    }

    /// Prepares the name of a layer.
    #[must_use]
    pub fn layer(name: &str) -> Self {
        Self::new(name, Kind::Layer)
    }

    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.into(), kind, place: AtomicU64::new(Place::UNKNOWN.0) }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of a gate that is the same for every user, for a check that needs no snapshot.
    ///
    /// `None` unless the name was looked up in the current specs of `store` before. Overrides are not considered: callers
    /// that have some evaluate instead.
    #[inline]
    #[must_use]
    pub fn constant_gate(&self, store: &SnapshotStore) -> Option<bool> {
        let place = Place(self.place.load(Ordering::Relaxed));
        (place.generation() == u64::from(store.generation())).then(|| place.constant())?
    }

    /// Returns what to evaluate; a name of another kind is looked up every time.
    #[inline]
    fn call(&self, snapshot: &Snapshot, kind: Kind) -> Call<'_> {
        let place = Place(self.place.load(Ordering::Relaxed));
        if place.generation() == u64::from(snapshot.generation()) && kind == self.kind {
            return Call { name: &self.name, kind, spec: place.spec() };
        }
        self.look_up(snapshot, kind)
    }

    #[cold]
    fn look_up(&self, snapshot: &Snapshot, kind: Kind) -> Call<'_> {
        let ruleset = snapshot.ruleset();
        let call = Call::by_name(ruleset, &self.name, kind);
        if kind == self.kind {
            let constant = if kind == Kind::Gate { ruleset.constant_gate(call.spec) } else { None };
            if let Some(place) = Place::new(snapshot.generation(), call.spec, constant) {
                self.place.store(place.0, Ordering::Relaxed);
            }
        }
        call
    }
}

impl<'a> EvaluationContext<'a> {
    /// Checks a gate like [`check_gate`](Self::check_gate).
    #[inline]
    #[must_use]
    pub fn check_prepared_gate(&self, name: &PreparedName) -> bool {
        self.check_called_gate(name.call(self.snapshot, Kind::Gate))
    }

    /// Checks a gate like [`gate_check`](Self::gate_check).
    #[inline]
    #[must_use]
    pub fn prepared_gate_check(&self, name: &PreparedName) -> GateCheck<'a> {
        self.called_gate_check(name.call(self.snapshot, Kind::Gate))
    }

    /// Evaluates a gate like [`feature_gate`](Self::feature_gate).
    #[must_use]
    pub fn prepared_feature_gate(&self, name: &PreparedName, record: bool) -> FeatureGate {
        FeatureGate { record: Record::of(*self, name.call(self.snapshot, Kind::Gate), record) }
    }

    /// Evaluates a dynamic config like [`dynamic_config`](Self::dynamic_config).
    #[must_use]
    pub fn prepared_dynamic_config(&self, name: &PreparedName, record: bool) -> DynamicConfig {
        DynamicConfig { record: Record::of(*self, name.call(self.snapshot, Kind::DynamicConfig), record) }
    }

    /// Evaluates an experiment like [`experiment_with`](Self::experiment_with).
    #[must_use]
    pub fn prepared_experiment_with(
        &self,
        name: &PreparedName,
        record: bool,
        options: &ExperimentEvaluationOptions,
    ) -> Experiment {
        self.called_experiment_with(name.call(self.snapshot, Kind::Experiment), record, options)
    }

    /// Evaluates a layer like [`layer_with`](Self::layer_with).
    #[must_use]
    pub fn prepared_layer_with(&self, name: &PreparedName, record: bool, options: &LayerEvaluationOptions) -> Layer {
        self.called_layer_with(name.call(self.snapshot, Kind::Layer), record, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_parts() {
        for generation in [1, 77, u32::MAX] {
            for spec in [0, 5, Place::NO_SPEC - 1, NO_INDEX] {
                for constant in [None, Some(false), Some(true)] {
                    let place = Place::new(generation, spec, constant).unwrap();
                    assert_eq!(place.generation(), u64::from(generation));
                    assert_eq!((place.spec(), place.constant()), (spec, constant));
                }
            }
        }
        assert!(Place::new(1, Place::NO_SPEC, None).is_none());
    }
}
