//! Experiments.

use std::fmt;
use std::sync::Arc;

use super::{Getters, Record};
use crate::evaluate::{Call, EvaluationContext, Kind};
use crate::json::JsonRef;
use crate::snapshot::Snapshot;

/// The result of reading an experiment: the parameters of the user's group, read through [`Getters`].
///
/// A name without an experiment gives `{}`, an empty rule ID and the reason `…:Unrecognized`.
#[derive(Clone)]
pub struct Experiment {
    pub(super) record: Record,
}

impl Experiment {
    accessors!();

    /// The whole value: an object, `{}` if there is none.
    #[must_use]
    pub fn value(&self) -> JsonRef<'_> {
        self.record.value()
    }

    /// The rule that decided: the group's, or that of a holdout, targeting, allocation.
    #[must_use]
    pub fn rule_id(&self) -> &str {
        self.record.rule_id()
    }

    /// The id type of the experiment; empty if there is no such experiment.
    #[must_use]
    pub fn id_type(&self) -> &str {
        self.record.id_type()
    }

    /// Name of the user's group, if the rule that decided has one.
    #[must_use]
    pub fn group_name(&self) -> Option<&str> {
        self.record.group_name()
    }

    /// Whether the experiment runs.
    #[must_use]
    pub fn is_experiment_active(&self) -> bool {
        self.record.outcome.is_experiment_active
    }

    /// Whether the user takes part: is in one of the groups.
    #[must_use]
    pub fn is_user_in_experiment(&self) -> bool {
        self.record.outcome.is_experiment_group
    }

    /// Whether a rule decided and the user was within its percentage.
    #[must_use]
    pub fn rule_passed(&self) -> bool {
        self.record.outcome.passed
    }
}

impl Getters for Experiment {
    fn get_value(&self, parameter: &str) -> Option<JsonRef<'_>> {
        self.value().get(parameter)
    }
}

impl fmt::Debug for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Experiment")
            .field("name", &self.name())
            .field("value", &self.value())
            .field("rule_id", &self.rule_id())
            .field("group_name", &self.group_name())
            .field("reason", &format_args!("{}", self.details()))
            .finish()
    }
}

impl EvaluationContext<'_> {
    /// Evaluates an experiment. `record`: also keep the gates that took part.
    #[must_use]
    pub fn experiment(&self, name: &str, record: bool) -> Experiment {
        Experiment { record: Record::of(*self, Call::by_name(self.snapshot.ruleset(), name, Kind::Experiment), record) }
    }
}

impl Snapshot {
    /// The experiment as the group called `group` sees it, without a user.
    ///
    /// Unknown experiments and groups give an empty experiment with rule ID `default` and the
    /// reason `…:Unrecognized`. Overrides play no part.
    #[must_use]
    pub fn experiment_by_group_name(self: &Arc<Self>, name: &str, group: &str) -> Experiment {
        Experiment {
            record: Record::of_rule(self, name, |rule, ruleset| {
                rule.group_name.get().is_some_and(|g| ruleset.str(g) == group)
            }),
        }
    }

    /// The experiment as the group with the rule `rule_id` sees it, without a user; otherwise like
    /// [`Snapshot::experiment_by_group_name`].
    #[must_use]
    pub fn experiment_by_group_id(self: &Arc<Self>, name: &str, rule_id: &str) -> Experiment {
        Experiment { record: Record::of_rule(self, name, |rule, ruleset| ruleset.str(rule.id) == rule_id) }
    }
}
