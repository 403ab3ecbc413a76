//! What all results have in common.

use std::sync::Arc;

use super::details::{EvaluationDetails, Reason};
use super::sticky::Sticky;
use crate::evaluate::{
    Abort, Call, ConfigValue, EvaluationContext, Evaluator, Exposed, ExposureTrace, Kind, NoTrace, Outcome,
    Recognition, SecondaryExposure, Tracer, Undelegated,
};
use crate::json::JsonRef;
use crate::ruleset::{NO_INDEX, Rule, Ruleset, Text, well_known};
use crate::snapshot::Snapshot;
use crate::sticky::{StickyExposure, StickyValues};

/// The name that was asked for.
#[derive(Debug, Clone, PartialEq)]
enum Name {
    /// That of the spec.
    Known(Text),
    /// One that no spec has.
    Other(Box<str>),
}

/// An evaluation with the snapshot that its parts refer to.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    snapshot: Arc<Snapshot>,
    name: Name,
    pub(super) outcome: Outcome,
    pub(super) reason: Reason,
    /// Of nested gates; `None` unless the evaluation recorded them.
    exposures: Option<Vec<Exposed>>,
    /// A rule ID that is not in the specs: see [`Outcome::explored`].
    suffixed_rule_id: Option<Box<str>>,
    /// Experiments whose group was asked for.
    group_lookups: Box<[Text]>,
    /// Stands for what was evaluated.
    sticky: Option<Box<Sticky>>,
}

impl Record {
    /// Evaluates a call and keeps the result. `record`: also the gates that take part.
    pub(crate) fn of(context: EvaluationContext<'_>, call: Call<'_>, record: bool) -> Self {
        if record {
            Self::evaluate(Evaluator::new(context, ExposureTrace::default()), call, drop)
        } else {
            Self::evaluate(Evaluator::new(context, NoTrace), call, drop)
        }
    }

    /// What the first rule of an experiment that `wanted` accepts gives, without a user.
    pub(super) fn of_rule(snapshot: &Arc<Snapshot>, name: &str, wanted: impl Fn(&Rule, &Ruleset) -> bool) -> Self {
        let ruleset = snapshot.ruleset();
        let call = Call::by_name(ruleset, name, Kind::Experiment);
        let spec = ruleset.spec(call.spec);
        let rule = spec.and_then(|spec| ruleset.rules[spec.rules()].iter().find(|rule| wanted(rule, ruleset)));
        let mut outcome = Outcome::new(0);
        outcome.rule_id = well_known::DEFAULT;
        if let (Some(spec), Some(rule)) = (spec, rule) {
            outcome.value = ConfigValue::At(rule.value);
            outcome.passed = true;
            outcome.rule_id = rule.id;
            outcome.group_name = rule.group_name;
            outcome.id_type = Some(spec.id_type).into();
            outcome.version = spec.version;
            outcome.is_experiment_group = rule.is_experiment_group;
            outcome.is_experiment_active = spec.is_active.unwrap_or(false);
        }
        Self {
            snapshot: Arc::clone(snapshot),
            name: spec.map_or_else(|| Name::Other(name.into()), |spec| Name::Known(spec.name)),
            outcome,
            reason: if rule.is_some() { Reason::Recognized } else { Reason::Unrecognized },
            exposures: None,
            suffixed_rule_id: None,
            group_lookups: Box::default(),
            sticky: None,
        }
    }

    /// Evaluates a call and keeps the result, with the exposures that the tracer of a new evaluator
    /// collects. `finish` receives the tracer.
    pub(crate) fn evaluate<T: Tracer>(mut evaluator: Evaluator<'_, T>, call: Call<'_>, finish: impl FnOnce(T)) -> Self {
        let snapshot = evaluator.snapshot();
        let ruleset = snapshot.ruleset();
        let mut outcome = Outcome::new(0);
        let reason = match evaluator.run(&mut outcome, call) {
            Ok(recognition) => reason_of(&outcome, recognition),
            Err(Abort::TooDeep | Abort::Exhausted) => {
                if let Some(exposures) = evaluator.tracer.exposures_mut() {
                    exposures.restart();
                }
                outcome = Outcome::new(0);
                Reason::DepthExceeded
            }
        };
        let name = match ruleset.spec(call.spec) {
            Some(spec) => Name::Known(spec.name),
            None => Name::Other(call.name.into()),
        };
        let suffixed_rule_id =
            outcome.explored.then(|| format!("{}:explore", ruleset.str(outcome.rule_id)).into_boxed_str());
        let exposures = evaluator.tracer.exposures_mut().map(ExposureTrace::take);
        finish(evaluator.tracer);
        Self {
            snapshot: Arc::clone(snapshot),
            name,
            outcome,
            reason,
            exposures,
            suffixed_rule_id,
            group_lookups: evaluator.group_lookups.into_boxed_slice(),
            sticky: None,
        }
    }

    /// Puts an earlier result in the place of this one, of which only name and id type stay.
    pub(super) fn give_again(&mut self, values: Arc<StickyValues>, now_ms: i64) {
        let mut outcome = Outcome::new(0);
        outcome.passed = values.value;
        outcome.value = values.json_value.clone().map_or(ConfigValue::None, ConfigValue::Own);
        outcome.id_type = self.outcome.id_type;
        outcome.version = values.config_version;
        outcome.is_experiment_group = true;
        outcome.is_experiment_active = true;
        self.outcome = outcome;
        self.reason = Reason::Persisted;
        self.exposures = Some(Vec::new());
        self.suffixed_rule_id = None;
        self.sticky = Some(Box::new(Sticky { values, given_at_ms: u64::try_from(now_ms).unwrap_or(0) }));
    }

    /// Forgets the gates that took part, unless they are wanted.
    pub(super) fn recorded_if(mut self, wanted: bool) -> Self {
        if !wanted {
            self.exposures = None;
            self.outcome.undelegated = Undelegated::Unset;
        }
        self
    }

    pub(super) fn ruleset(&self) -> &Ruleset {
        self.snapshot.ruleset()
    }

    pub(super) fn name(&self) -> &str {
        match &self.name {
            Name::Known(name) => self.ruleset().str(*name),
            Name::Other(name) => name,
        }
    }

    pub(super) fn rule_id(&self) -> &str {
        match (&self.sticky, &self.suffixed_rule_id) {
            (Some(sticky), _) => &sticky.values.rule_id,
            (None, Some(rule_id)) => rule_id,
            (None, None) => self.ruleset().str(self.outcome.rule_id),
        }
    }

    pub(super) fn id_type(&self) -> &str {
        self.outcome.id_type.get().map_or("", |id_type| self.ruleset().str(id_type))
    }

    pub(super) fn group_name(&self) -> Option<&str> {
        if let Some(sticky) = &self.sticky {
            return sticky.values.group_name.as_deref();
        }
        self.outcome.group_name.get().map(|name| self.ruleset().str(name))
    }

    pub(super) fn override_config_name(&self) -> Option<&str> {
        self.outcome.override_config_name.get().map(|name| self.ruleset().str(name))
    }

    pub(super) fn delegate_name(&self) -> Option<&str> {
        if let Some(sticky) = &self.sticky {
            return sticky.values.config_delegate.as_deref();
        }
        let delegate = (self.outcome.delegate != NO_INDEX).then_some(self.outcome.delegate)?;
        self.ruleset().spec(delegate).map(|spec| self.ruleset().str(spec.name))
    }

    /// The config value: always an object.
    pub(super) fn value(&self) -> JsonRef<'_> {
        let value = match &self.outcome.value {
            ConfigValue::None => JsonRef::empty_object(),
            ConfigValue::At(at) => self.ruleset().value(*at),
            ConfigValue::Own(json) => json.view(),
        };
        if value.as_object().is_some() { value } else { JsonRef::empty_object() }
    }

    /// Whether a parameter is one of the experiment's own.
    pub(super) fn is_explicit(&self, parameter: &str) -> bool {
        match &self.sticky {
            Some(sticky) => sticky.values.explicit_parameters.iter().flatten().any(|name| name == parameter),
            None => self.outcome.is_explicit(self.ruleset(), parameter),
        }
    }

    pub(super) fn group_lookups(&self) -> impl Iterator<Item = &str> {
        self.group_lookups.iter().map(|&name| self.ruleset().str(name))
    }

    /// Whether the gates that took part are known.
    pub(super) fn has_recorded(&self) -> bool {
        self.exposures.is_some()
    }

    /// The experiment's own parameters, as the specs list them.
    pub(super) fn explicit_parameters(&self) -> Option<impl Iterator<Item = &str>> {
        self.ruleset().names(self.outcome.explicit_parameters)
    }

    pub(super) fn details(&self) -> EvaluationDetails<'_> {
        let details = EvaluationDetails::of(&self.snapshot, self.reason, self.outcome.version);
        match &self.sticky {
            Some(sticky) => {
                EvaluationDetails { lcut: sticky.values.time, received_at_ms: Some(sticky.given_at_ms), ..details }
            }
            None => details,
        }
    }

    pub(super) fn secondary_exposures(&self) -> impl Iterator<Item = SecondaryExposure<'_>> {
        let kept = self.kept_exposures(|values| &values.secondary_exposures);
        self.resolved(self.exposures.as_deref().unwrap_or_default()).chain(kept)
    }

    /// The gates that belong to a layer itself, not to the experiment behind it.
    pub(super) fn undelegated_exposures(&self) -> impl Iterator<Item = SecondaryExposure<'_>> {
        let exposed = self.exposures.as_deref().unwrap_or_default();
        let own = match &self.outcome.undelegated {
            Undelegated::Unset => &[],
            Undelegated::Until(end) => exposed.get(..*end as usize).unwrap_or_default(),
            Undelegated::Own(list) => list,
        };
        let kept = self.kept_exposures(|values| values.undelegated_secondary_exposures.as_deref().unwrap_or_default());
        self.resolved(own).chain(kept)
    }

    /// Whether the evaluation told those gates apart.
    pub(super) fn has_undelegated(&self) -> bool {
        self.outcome.undelegated != Undelegated::Unset
    }

    fn resolved<'s>(&'s self, exposed: &'s [Exposed]) -> impl Iterator<Item = SecondaryExposure<'s>> {
        exposed.iter().map(|exposed| exposed.resolve(self.ruleset()))
    }

    /// Exposures of an earlier result, if they were asked for.
    fn kept_exposures(
        &self,
        list: impl FnOnce(&StickyValues) -> &[StickyExposure],
    ) -> impl Iterator<Item = SecondaryExposure<'_>> {
        let sticky = self.sticky.as_ref().filter(|_| self.exposures.is_some());
        sticky.map_or(&[][..], |sticky| list(&sticky.values)).iter().map(StickyExposure::view)
    }
}

fn reason_of(outcome: &Outcome, recognition: Recognition) -> Reason {
    match recognition {
        Recognition::Unrecognized => Reason::Unrecognized,
        Recognition::Recognized if outcome.overridden => Reason::LocalOverride,
        Recognition::Recognized if outcome.unsupported => Reason::Unsupported,
        Recognition::Recognized => Reason::Recognized,
    }
}
