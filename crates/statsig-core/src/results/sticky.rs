//! When an earlier result is given again, and when one is kept.

use std::sync::Arc;

use super::{Experiment, Layer, Reason, Record};
use crate::evaluate::{Call, EvaluationContext, Evaluator, Kind, NoTrace, Outcome, RuleFilter, SecondaryExposure};
use crate::ruleset::Ruleset;
use crate::sticky::{ExperimentEvaluationOptions, LayerEvaluationOptions, StickyExposure, StickyValues, storage_key};

impl EvaluationContext<'_> {
    /// Evaluates an experiment, or gives the result again that the user was assigned earlier
    /// (`docs/protocol/evaluation.md#sticky`). `record`: also keep the gates that took part.
    ///
    /// Without a storage the same as [`EvaluationContext::experiment`]. With one:
    ///
    /// * Without values, or if the experiment is not active, the rules decide, and the user's
    ///   assignment is deleted.
    /// * If the values have one for the experiment, it is the result, with the reason `Persisted`,
    ///   unless targeting or overrides are enforced and now decide for the user: then the rules
    ///   decide, and the assignment stays as it is.
    /// * Otherwise the rules decide, and if they put the user in a group, that is saved.
    ///
    /// Where a config mapping puts another experiment in the place of this one, the rules decide,
    /// and it is that one's assignment that is saved or deleted. Users without an ID of the
    /// experiment's id type, unknown names, bandits and local overrides never touch the storage.
    #[must_use]
    pub fn experiment_with(&self, name: &str, record: bool, options: &ExperimentEvaluationOptions) -> Experiment {
        let call = Call::by_name(self.snapshot.ruleset(), name, Kind::Experiment);
        self.called_experiment_with(call, record, options)
    }

    pub(super) fn called_experiment_with(
        &self,
        call: Call<'_>,
        record: bool,
        options: &ExperimentEvaluationOptions,
    ) -> Experiment {
        Experiment { record: evaluate(*self, call, record, options) }
    }

    /// Evaluates a layer, or gives the result again that the user was assigned earlier: like
    /// [`EvaluationContext::experiment_with`], under the name and by the id type of the layer.
    ///
    /// The experiment whose activity and rules count is the one of the assignment, even if the layer
    /// hands over to another one today; if that one is unknown, the layer's own activity counts and
    /// nothing is enforced.
    #[must_use]
    pub fn layer_with(&self, name: &str, record: bool, options: &LayerEvaluationOptions) -> Layer {
        let call = Call::by_name(self.snapshot.ruleset(), name, Kind::Layer);
        self.called_layer_with(call, record, options)
    }

    pub(super) fn called_layer_with(&self, call: Call<'_>, record: bool, options: &LayerEvaluationOptions) -> Layer {
        Layer { record: evaluate(*self, call, record, options), observer: None }
    }

    /// Whether a rule that `filter` keeps decides an experiment for the user.
    fn is_decided_by(&self, filter: RuleFilter, experiment: &str) -> bool {
        let call = Call::by_name(self.snapshot.ruleset(), experiment, Kind::Experiment);
        let mut outcome = Outcome::new(0);
        Evaluator::new(*self, NoTrace).with_filter(filter).run(&mut outcome, call).is_ok() && outcome.passed
    }
}

fn evaluate(
    context: EvaluationContext<'_>,
    call: Call<'_>,
    record: bool,
    options: &ExperimentEvaluationOptions,
) -> Record {
    let Some(storage) = context.storage else { return Record::of(context, call, record) };
    let Call { name, kind, .. } = call;
    let offered = options.user_persisted_values.as_ref();
    // What is saved holds the exposures, also where the caller has no use for them.
    let mut live = Record::of(context, call, record || offered.is_some());
    let ruleset = context.snapshot.ruleset();
    // Through a config mapping, this is the config that took the place of the one asked for. A
    // mapped experiment behind a layer is none to keep a layer under.
    let evaluated = live.outcome.spec_name.get().map(|name| ruleset.str(name));
    let evaluated = evaluated.filter(|name| kind != Kind::Layer || ruleset.find(&ruleset.layers, name).is_some());
    let (Some(own_name), Some(key)) = (evaluated, storage_key(context.user, live.id_type())) else {
        return live.recorded_if(record);
    };
    let kept = offered.filter(|_| own_name == name).and_then(|values| values.shared(own_name));
    if offered.is_none() || !is_active(ruleset, kind, &live, kept.as_deref()) {
        storage.delete(&key, own_name);
        return live.recorded_if(record);
    }
    if let Some(kept) = kept {
        let experiment = if kind == Kind::Layer { kept.config_delegate.as_deref() } else { Some(own_name) };
        let decided_by = |filter| experiment.is_some_and(|experiment| context.is_decided_by(filter, experiment));
        if (options.enforce_targeting && decided_by(RuleFilter::Targeting))
            || (options.enforce_overrides && decided_by(RuleFilter::Overrides))
        {
            return live.recorded_if(record);
        }
        live.give_again(kept, context.clock.now_ms());
        return live.recorded_if(record);
    }
    // A local override, of a layer's experiment say, is for now and must not outlast itself.
    if live.outcome.is_experiment_group && live.reason == Reason::Recognized {
        storage.save(&key, own_name, values_of(&live, kind));
    }
    live.recorded_if(record)
}

/// Whether an assignment may be given or made: by the experiment of the kept one, if it is known
/// and says so, else by the live result.
fn is_active(ruleset: &Ruleset, kind: Kind, live: &Record, kept: Option<&StickyValues>) -> bool {
    let delegate = kept.filter(|_| kind == Kind::Layer).and_then(|kept| kept.config_delegate.as_deref());
    let delegate = delegate.and_then(|name| ruleset.find(&ruleset.configs, name)).and_then(|at| ruleset.spec(at));
    let may_be_made = live.outcome.is_experiment_active;
    delegate.and_then(|delegate| delegate.is_active).unwrap_or(may_be_made)
}

/// What is to be kept of a result.
fn values_of(live: &Record, kind: Kind) -> StickyValues {
    let value = live.value();
    StickyValues {
        value: live.outcome.passed,
        json_value: Some(value.to_owned()),
        rule_id: live.rule_id().to_owned(),
        group_name: live.group_name().map(str::to_owned),
        secondary_exposures: live.secondary_exposures().map(Into::into).collect(),
        undelegated_secondary_exposures: live
            .has_undelegated()
            .then(|| live.undelegated_exposures().map(Into::into).collect()),
        config_delegate: live.delegate_name().filter(|_| kind == Kind::Layer).map(str::to_owned),
        explicit_parameters: live.explicit_parameters().map(|names| names.map(str::to_owned).collect()),
        time: Some(live.ruleset().meta().time),
        config_version: live.outcome.version,
    }
}

/// A result of an earlier evaluation, in the place of the one just made.
#[derive(Debug, Clone)]
pub(super) struct Sticky {
    pub(super) values: Arc<StickyValues>,
    pub(super) given_at_ms: u64,
}

impl StickyExposure {
    /// Returns the exposure as results report it.
    #[must_use]
    pub fn view(&self) -> SecondaryExposure<'_> {
        SecondaryExposure { gate: &self.gate, value: self.value, rule_id: &self.rule_id }
    }
}

impl From<SecondaryExposure<'_>> for StickyExposure {
    fn from(exposure: SecondaryExposure<'_>) -> Self {
        Self { gate: exposure.gate.to_owned(), value: exposure.value, rule_id: exposure.rule_id.to_owned() }
    }
}
