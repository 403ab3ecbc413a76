//! Layers.

use std::fmt;
use std::sync::Arc;

use super::{Getters, LayerObserver, Record};
use crate::evaluate::{Call, EvaluationContext, Kind, SecondaryExposure};
use crate::json::{JsonKind, JsonRef};

/// The result of reading a layer: parameters that may come from an experiment, read through
/// [`Getters`].
///
/// Getting the layer exposes the user to nothing; reading a parameter does, to the experiment that
/// the parameter belongs to. A name without a layer has no parameters and the reason
/// `…:Unrecognized`.
#[derive(Clone)]
pub struct Layer {
    pub(super) record: Record,
    pub(super) observer: Option<Arc<dyn LayerObserver>>,
}

/// Where a layer's parameter comes from: what its exposure says.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParameter<'a> {
    /// The rule that decided the parameter.
    pub rule_id: &'a str,
    /// The experiment it belongs to, if it is one of the experiment's explicit parameters.
    pub allocated_experiment: Option<&'a str>,
    /// Whether it is one of the experiment's explicit parameters.
    pub is_explicit: bool,
    /// The gates that took part; those of the experiment only for its explicit parameters.
    pub secondary_exposures: Vec<SecondaryExposure<'a>>,
}

impl Layer {
    accessors!();

    /// The same layer, whose reads `observer` hears of.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn LayerObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// A parameter as it is, without regard to type. A read, unlike [`Getters::get_value`]: logged
    /// unless there is no such parameter or its value is `null`.
    #[must_use]
    pub fn get_raw_value(&self, parameter: &str) -> Option<JsonRef<'_>> {
        let value = self.get_value(parameter)?;
        self.on_read(parameter);
        Some(value)
    }

    /// All parameters: an object, `{}` if there is none.
    #[must_use]
    pub fn value(&self) -> JsonRef<'_> {
        self.record.value()
    }

    /// The rule that decided; of a layer that hands over to an experiment, the experiment's rule.
    #[must_use]
    pub fn rule_id(&self) -> &str {
        self.record.rule_id()
    }

    /// The id type of the layer; empty if there is no such layer.
    #[must_use]
    pub fn id_type(&self) -> &str {
        self.record.id_type()
    }

    /// Name of the user's group in the experiment, if the rule that decided has one.
    #[must_use]
    pub fn group_name(&self) -> Option<&str> {
        self.record.group_name()
    }

    /// The experiment that the user is allocated to.
    #[must_use]
    pub fn allocated_experiment(&self) -> Option<&str> {
        self.record.delegate_name()
    }

    /// Whether that experiment runs.
    #[must_use]
    pub fn is_experiment_active(&self) -> bool {
        self.record.outcome.is_experiment_active
    }

    /// Whether the user is in one of the experiment's groups.
    #[must_use]
    pub fn is_user_in_experiment(&self) -> bool {
        self.record.outcome.is_experiment_group
    }

    /// Whether an experiment decided in place of the layer's own rule, or several rules together.
    ///
    /// The exposure of a layer whose own rule decided has no list of gates (`null`) if none took part.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        self.record.delegate_name().is_some() || self.record.outcome.parameter_rules.is_some()
    }

    /// Where a parameter comes from, whether or not it exists. Not a read: nothing is logged.
    #[must_use]
    pub fn parameter(&self, parameter: &str) -> LayerParameter<'_> {
        let source = self.parameter_source(parameter);
        LayerParameter { secondary_exposures: self.parameter_exposures(source.is_explicit).collect(), ..source }
    }

    /// [`Layer::parameter`] with an empty list of exposures. Allocates nothing.
    #[must_use]
    pub fn parameter_source(&self, parameter: &str) -> LayerParameter<'_> {
        let ruleset = self.record.ruleset();
        let outcome = &self.record.outcome;
        let is_explicit = self.record.is_explicit(parameter);
        let of_parameter =
            outcome.parameter_rules.as_ref().and_then(|rules| rules.iter().find(|(name, _)| **name == *parameter));
        LayerParameter {
            rule_id: of_parameter.map_or(self.rule_id(), |&(_, rule)| ruleset.str(rule)),
            allocated_experiment: if is_explicit { self.allocated_experiment() } else { None },
            is_explicit,
            secondary_exposures: Vec::new(),
        }
    }

    /// The gates of [`Layer::parameter`], for a parameter that is explicit or not, without a list.
    pub fn parameter_exposures(&self, is_explicit: bool) -> impl Iterator<Item = SecondaryExposure<'_>> {
        let (all, own) = if is_explicit {
            (Some(self.record.secondary_exposures()), None)
        } else {
            (None, Some(self.undelegated_exposures()))
        };
        all.into_iter().flatten().chain(own.into_iter().flatten())
    }

    /// The gates that belong to the layer itself.
    pub(crate) fn undelegated_exposures(&self) -> impl Iterator<Item = SecondaryExposure<'_>> {
        self.record.undelegated_exposures()
    }
}

impl Getters for Layer {
    fn get_value(&self, parameter: &str) -> Option<JsonRef<'_>> {
        self.value().get(parameter)
    }

    fn on_read(&self, parameter: &str) {
        let Some(observer) = &self.observer else { return };
        // A user who is given `null` gets the caller's fallback, and is exposed to nothing.
        if self.get_value(parameter).is_none_or(|value| value.kind() != JsonKind::Null) {
            observer.parameter_read(self, parameter);
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("name", &self.name())
            .field("value", &self.value())
            .field("rule_id", &self.rule_id())
            .field("allocated_experiment", &self.allocated_experiment())
            .field("reason", &format_args!("{}", self.details()))
            .finish()
    }
}

impl EvaluationContext<'_> {
    /// Evaluates a layer. `record`: also keep the gates that took part.
    #[must_use]
    pub fn layer(&self, name: &str, record: bool) -> Layer {
        Layer {
            record: Record::of(*self, Call::by_name(self.snapshot.ruleset(), name, Kind::Layer), record),
            observer: None,
        }
    }
}
