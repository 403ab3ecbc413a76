//! What an exposure says of the evaluation behind it.
//!
//! The contract between evaluation and event logger (`docs/protocol/events.md#exposures`): results
//! tell everything that an exposure carries or depends on, and whoever evaluates decides whether
//! and how it is logged. Nothing here is built unless it is asked for.

use std::borrow::Cow;
use std::fmt;

use super::{DynamicConfig, EvaluationDetails, Experiment, FeatureGate, Layer, Reason, Record};
use crate::evaluate::{Call, Decision, EvaluationContext, Evaluator, Kind, NoTrace, Outcome};
use crate::ruleset::{NO_RATE, Spec, Text};
use crate::snapshot::Snapshot;

/// What an exposure tells of an evaluation, borrowed from its result.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ExposureFacts<'a> {
    /// The name that was asked for.
    pub name: &'a str,
    /// The rule that decided; empty if nothing did.
    pub rule_id: &'a str,
    /// The id type of the spec; empty if there is none.
    pub id_type: &'a str,
    /// A gate's value; of others, whether a rule decided and the user was within its percentage.
    pub passed: bool,
    /// Whether the user is in one of an experiment's groups.
    pub is_experiment_group: bool,
    /// Why the value is what it is.
    pub details: EvaluationDetails<'a>,
    /// The spec that was evaluated in this one's stead through a config mapping.
    pub override_config_name: Option<&'a str>,
    /// The rate of the rule that decided: one exposure of so many. `None` if it has none, if no rule
    /// decided, and where an experiment decided in a layer's stead.
    pub sampling_rate: Option<u64>,
    /// The spec asks for all its exposures. Reliable only if the evaluation recorded the gates that
    /// took part.
    pub forward_all: bool,
    /// A nested gate without a rate took part, which makes the exposure part of an analysis.
    /// Reliable only if the evaluation recorded the gates that took part.
    pub analytical: bool,
}

impl Record {
    pub(super) fn exposure(&self) -> ExposureFacts<'_> {
        let outcome = &self.outcome;
        ExposureFacts {
            name: self.name(),
            rule_id: self.rule_id(),
            id_type: self.id_type(),
            passed: outcome.passed,
            is_experiment_group: outcome.is_experiment_group,
            details: self.details(),
            override_config_name: self.override_config_name(),
            sampling_rate: (outcome.sampling_rate != NO_RATE).then_some(outcome.sampling_rate),
            forward_all: outcome.forward_all_exposures,
            analytical: outcome.seen_analytical,
        }
    }
}

macro_rules! exposed {
    ($($result:ty),*) => {$(
        impl $result {
            /// What an exposure of this result says.
            #[must_use]
            pub fn exposure(&self) -> ExposureFacts<'_> {
                self.record().exposure()
            }

            /// Experiments whose group the evaluation asked for on its way, in the order in which
            /// they were answered. Each is an exposure of its own, before that of this result.
            pub fn experiment_group_lookups(&self) -> impl Iterator<Item = &str> {
                self.record().group_lookups()
            }

            /// Whether the evaluation recorded the gates that took part.
            #[must_use]
            pub fn has_recorded(&self) -> bool {
                self.record().has_recorded()
            }
        }
    )*};
}

exposed!(FeatureGate, DynamicConfig, Experiment, Layer);

/// The outcome of a gate check with as much as deduplication of exposures needs; borrows from the
/// snapshot and costs no more than the check.
#[derive(Clone)]
pub struct GateCheck<'a> {
    snapshot: &'a Snapshot,
    decision: Decision,
    /// The gate, if the decision is all that its exposure depends on.
    alone: Option<&'a Spec>,
    group_lookups: Vec<Text>,
}

impl<'a> GateCheck<'a> {
    /// Whether the gate is open for the user.
    #[must_use]
    pub fn value(&self) -> bool {
        self.decision.passed
    }

    /// The rule that decided, as [`FeatureGate::rule_id`].
    #[must_use]
    pub fn rule_id(&self) -> Cow<'a, str> {
        let rule_id = self.snapshot.ruleset().str(self.decision.rule_id);
        if self.decision.explored { format!("{rule_id}:explore").into() } else { rule_id.into() }
    }

    /// What an exposure of the check says, without any gate that took part; `None` if only an
    /// evaluation that records gates can tell.
    #[must_use]
    pub fn exposure(&self) -> Option<ExposureFacts<'a>> {
        let spec = self.alone?;
        let ruleset = self.snapshot.ruleset();
        Some(ExposureFacts {
            name: ruleset.str(spec.name),
            rule_id: ruleset.str(self.decision.rule_id),
            id_type: ruleset.str(spec.id_type),
            passed: self.decision.passed,
            is_experiment_group: false,
            details: EvaluationDetails::of(self.snapshot, Reason::Recognized, spec.version),
            override_config_name: None,
            sampling_rate: (self.decision.sampling_rate != NO_RATE).then_some(self.decision.sampling_rate),
            forward_all: spec.forward_all_exposures.unwrap_or(false),
            analytical: false,
        })
    }

    /// As [`FeatureGate::experiment_group_lookups`].
    pub fn experiment_group_lookups(&self) -> impl Iterator<Item = &'a str> {
        self.group_lookups.iter().map(|&name| self.snapshot.ruleset().str(name))
    }
}

impl fmt::Debug for GateCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateCheck").field("value", &self.value()).field("rule_id", &self.rule_id()).finish()
    }
}

impl<'a> EvaluationContext<'a> {
    /// Checks a gate like [`check_gate`](Self::check_gate), and tells the rule that decided.
    #[must_use]
    pub fn gate_check(&self, name: &str) -> GateCheck<'a> {
        self.called_gate_check(Call::by_name(self.snapshot.ruleset(), name, Kind::Gate))
    }

    #[inline]
    pub(super) fn called_gate_check(&self, call: Call<'_>) -> GateCheck<'a> {
        let snapshot = &**self.snapshot;
        let ruleset = snapshot.ruleset();
        let plain = |decision, alone| GateCheck { snapshot, decision, alone, group_lookups: Vec::new() };
        if self.overrides.is_none() {
            match ruleset.spec(call.spec) {
                Some(spec) if spec.is_plain => {
                    let decision = self.plain_decision(spec);
                    return plain(decision, spec.stands_alone.then_some(spec));
                }
                None if ruleset.mappings.is_empty() => return plain(Decision::NONE, None),
                _ => {}
            }
        }
        let mut outcome = Outcome::new(0);
        let mut evaluator = Evaluator::new(*self, NoTrace);
        let decision = match evaluator.run(&mut outcome, call) {
            Ok(_) => Decision::of(&outcome),
            Err(_) => Decision::NONE,
        };
        GateCheck { snapshot, decision, alone: None, group_lookups: evaluator.group_lookups }
    }
}
