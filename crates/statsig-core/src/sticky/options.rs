//! Options of calls that may give an earlier result again.

use super::UserPersistedValues;

/// Options of reading an experiment or a layer.
///
/// Without any, a call is like the one without options: with a
/// [`PersistentStorage`](crate::PersistentStorage) in use it also ends the user's assignment.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ExperimentEvaluationOptions {
    /// No exposure is to be logged.
    pub disable_exposure_logging: bool,
    /// What the storage keeps for the user. An empty map asks for an assignment; `None` asks that
    /// there be none, and ends one that there is.
    pub user_persisted_values: Option<UserPersistedValues>,
    /// Whom the experiment's targeting now leaves out gets what the rules say; the assignment stays.
    pub enforce_targeting: bool,
    /// For whom the experiment's own overrides now decide gets what the rules say; the assignment
    /// stays. Local overrides need no option: they always come first.
    pub enforce_overrides: bool,
}

/// Options of reading a layer: those of an experiment, where "the experiment" is the one that the
/// user was allocated to when the layer's values were kept.
pub type LayerEvaluationOptions = ExperimentEvaluationOptions;

impl ExperimentEvaluationOptions {
    /// No values, nothing enforced, exposures logged.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the exposure is left out of the log.
    #[must_use]
    pub fn with_exposure_logging_disabled(mut self, disabled: bool) -> Self {
        self.disable_exposure_logging = disabled;
        self
    }

    /// The values that the storage keeps for the user.
    #[must_use]
    pub fn with_user_persisted_values(mut self, values: impl Into<Option<UserPersistedValues>>) -> Self {
        self.user_persisted_values = values.into();
        self
    }

    /// Whether targeting counts for users with an assignment too.
    #[must_use]
    pub fn with_enforced_targeting(mut self, enforced: bool) -> Self {
        self.enforce_targeting = enforced;
        self
    }

    /// Whether the experiment's overrides count for users with an assignment too.
    #[must_use]
    pub fn with_enforced_overrides(mut self, enforced: bool) -> Self {
        self.enforce_overrides = enforced;
        self
    }
}
