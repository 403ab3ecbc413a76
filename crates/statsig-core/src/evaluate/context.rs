//! Everything that an evaluation depends on.

use std::sync::Arc;

use super::random_numbers::RandomNumbers;
use crate::hooks::{IdListLookup, OverrideAdapter, PersistentStorage};
use crate::settings::EvaluationSettings;
use crate::snapshot::Snapshot;
use crate::user::StatsigUser;
use statsig_adapters::Clock;

/// One user's view of one state of the specs: what an evaluation is a function of.
///
/// Borrows everything and costs nothing to make. The results are defined in [`crate::results`];
/// reading a ruleset through a context takes no lock and cannot fail.
#[derive(Clone, Copy)]
pub struct EvaluationContext<'a> {
    pub(crate) snapshot: &'a Arc<Snapshot>,
    pub(crate) user: &'a StatsigUser,
    pub(crate) settings: &'a EvaluationSettings,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) id_lists: Option<&'a dyn IdListLookup>,
    pub(crate) overrides: Option<&'a dyn OverrideAdapter>,
    pub(crate) storage: Option<&'a dyn PersistentStorage>,
    pub(crate) random_numbers: RandomNumbers,
}

impl<'a> EvaluationContext<'a> {
    /// A context without ID lists, overrides and storage.
    #[must_use]
    pub fn new(
        snapshot: &'a Arc<Snapshot>,
        user: &'a StatsigUser,
        settings: &'a EvaluationSettings,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            snapshot,
            user,
            settings,
            clock,
            id_lists: None,
            overrides: None,
            storage: None,
            random_numbers: RandomNumbers::Sequence,
        }
    }

    /// The state of the specs.
    #[must_use]
    pub fn snapshot(&self) -> &'a Arc<Snapshot> {
        self.snapshot
    }

    /// Whom the evaluation is for.
    #[must_use]
    pub fn user(&self) -> &'a StatsigUser {
        self.user
    }

    /// Answers `in_segment_list` conditions; without it every list is empty.
    #[must_use]
    pub fn with_id_lists(mut self, id_lists: Option<&'a dyn IdListLookup>) -> Self {
        self.id_lists = id_lists;
        self
    }

    /// Answers before the rules; left out if it is empty now.
    #[must_use]
    pub fn with_overrides(mut self, overrides: Option<&'a dyn OverrideAdapter>) -> Self {
        self.overrides = overrides.filter(|overrides| !overrides.is_empty());
        self
    }

    /// Takes what [`EvaluationContext::experiment_with`] and [`EvaluationContext::layer_with`] have to
    /// keep or forget of a user; no other call touches it.
    #[must_use]
    pub fn with_persistent_storage(mut self, storage: Option<&'a dyn PersistentStorage>) -> Self {
        self.storage = storage;
        self
    }

    /// Makes the draws of exploring contextual bandits repeatable.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.random_numbers = RandomNumbers::Seed(seed);
        self
    }

    /// Sets the function that returns 64 uniform random bits at each call.
    ///
    /// Contextual bandits that explore and the sampling of session recordings draw from it; nothing depends on the
    /// numbers being secret. Without it, and without a seed, the numbers are those of SplitMix64 over a counter of the
    /// process, mixed with the time of the clock: uniform, but the same in two processes that draw in the same order
    /// at the same millisecond.
    #[must_use]
    pub fn with_random_numbers(mut self, random_bits: fn() -> u64) -> Self {
        self.random_numbers = RandomNumbers::Function(random_bits);
        self
    }
}
