//! What all results have in common.

use std::sync::Arc;

use super::details::{EvaluationDetails, Reason};
use crate::evaluate::{
    Abort, Call, ConfigValue, EvaluationContext, Evaluator, Exposed, Kind, Outcome, Recognition, SecondaryExposure,
};
use crate::json::JsonRef;
use crate::ruleset::{NO_INDEX, Rule, Ruleset, Text, well_known};
use crate::snapshot::Snapshot;

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
}

impl Record {
    /// Evaluates `name` and keeps the result. `record`: also the gates that take part.
    pub(super) fn of(context: EvaluationContext<'_>, name: &str, kind: Kind, record: bool) -> Self {
        if record { Self::evaluate::<true>(context, name, kind) } else { Self::evaluate::<false>(context, name, kind) }
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
        }
    }

    fn evaluate<const RECORD: bool>(context: EvaluationContext<'_>, name: &str, kind: Kind) -> Self {
        let mut evaluator = Evaluator::<RECORD>::new(context);
        let ruleset = context.snapshot.ruleset();
        let call = Call::by_name(ruleset, name, kind);
        let mut outcome = Outcome::new(0);
        let reason = match evaluator.run(&mut outcome, call) {
            Ok(recognition) => reason_of(&outcome, recognition),
            Err(Abort::TooDeep | Abort::Exhausted) => {
                evaluator.exposures.clear();
                outcome = Outcome::new(0);
                Reason::DepthExceeded
            }
        };
        let name = match ruleset.spec(call.spec) {
            Some(spec) => Name::Known(spec.name),
            None => Name::Other(name.into()),
        };
        let suffixed_rule_id =
            outcome.explored.then(|| format!("{}:explore", ruleset.str(outcome.rule_id)).into_boxed_str());
        // Not cut to size, which would cost another allocation.
        let exposures = RECORD.then_some(evaluator.exposures);
        Self {
            snapshot: Arc::clone(context.snapshot),
            name,
            outcome,
            reason,
            exposures,
            suffixed_rule_id,
            group_lookups: evaluator.group_lookups.into_boxed_slice(),
        }
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
        match &self.suffixed_rule_id {
            Some(rule_id) => rule_id,
            None => self.ruleset().str(self.outcome.rule_id),
        }
    }

    pub(super) fn id_type(&self) -> &str {
        self.outcome.id_type.get().map_or("", |id_type| self.ruleset().str(id_type))
    }

    pub(super) fn group_name(&self) -> Option<&str> {
        self.outcome.group_name.get().map(|name| self.ruleset().str(name))
    }

    pub(super) fn override_config_name(&self) -> Option<&str> {
        self.outcome.override_config_name.get().map(|name| self.ruleset().str(name))
    }

    pub(super) fn delegate_name(&self) -> Option<&str> {
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

    pub(super) fn details(&self) -> EvaluationDetails<'_> {
        EvaluationDetails {
            source: self.snapshot.source(),
            reason: self.reason,
            lcut: self.ruleset().meta().time,
            received_at_ms: self.snapshot.received_at_ms(),
            version: if self.reason == Reason::Unrecognized { None } else { self.outcome.version },
        }
    }

    pub(super) fn group_lookups(&self) -> impl Iterator<Item = &str> {
        self.group_lookups.iter().map(|&name| self.ruleset().str(name))
    }

    pub(super) fn has_recorded(&self) -> bool {
        self.exposures.is_some()
    }

    pub(super) fn exposed(&self) -> &[Exposed] {
        self.exposures.as_deref().unwrap_or_default()
    }

    pub(super) fn secondary_exposures(&self) -> impl Iterator<Item = SecondaryExposure<'_>> {
        self.exposed().iter().map(|exposed| exposed.resolve(self.ruleset()))
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
