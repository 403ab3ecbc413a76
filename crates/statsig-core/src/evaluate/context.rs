//! Everything that an evaluation depends on.

use std::sync::Arc;

use serde_json::Value;

use crate::hooks::{IdListLookup, OverrideAdapter, PersistentStorage};
use crate::snapshot::Snapshot;
use crate::user::{AttributeMap, StatsigUser};
use crate::value::{Attribute, TextBuffer};
use statsig_adapters::Clock;

/// Options of evaluations that stay the same from call to call.
///
/// `Debug` shows names only.
#[derive(Clone, Default, PartialEq)]
pub struct EvaluationSettings {
    pub(crate) environment: AttributeMap,
    pub(crate) global_custom: AttributeMap,
    pub(crate) without_ip_country: bool,
    pub(crate) without_user_agent: bool,
}

impl std::fmt::Debug for EvaluationSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvaluationSettings")
            .field("environment", &self.environment.names().collect::<Vec<_>>())
            .field("global_custom_fields", &self.global_custom.names().collect::<Vec<_>>())
            .field("ip_country", &!self.without_ip_country)
            .field("user_agent", &!self.without_user_agent)
            .finish()
    }
}

impl EvaluationSettings {
    /// No environment, no global custom fields, look-ups of country and user agent on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment tier of users that bring none of their own, for instance `staging`; an
    /// empty one counts as none.
    #[must_use]
    pub fn with_environment(mut self, tier: impl AsRef<str>) -> Self {
        let tier = tier.as_ref();
        self.environment = (!tier.is_empty()).then(|| ("tier", Attribute::String(tier.into()))).into_iter().collect();
        self
    }

    /// Custom fields that every user has, unless it has its own of the same name.
    #[must_use]
    pub fn with_global_custom_fields<K: AsRef<str>, V: Into<Value>>(
        mut self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.global_custom = fields.into_iter().map(|(name, value)| (name, Attribute::from(value.into()))).collect();
        self
    }

    /// The environment tier, if one is set.
    #[must_use]
    pub fn environment_tier(&self) -> Option<String> {
        self.environment.get("tier").and_then(|tier| tier.text(&mut TextBuffer::new()).map(str::to_owned))
    }

    /// Whether a user's IP address may tell the country; on by default, and without effect unless
    /// the feature `ip-country` is compiled in.
    #[must_use]
    pub fn with_ip_country(mut self, enabled: bool) -> Self {
        self.without_ip_country = !enabled;
        self
    }

    /// Whether a user agent may tell browser and operating system; on by default, and without
    /// effect unless the feature `user-agent` is compiled in.
    #[must_use]
    pub fn with_user_agent(mut self, enabled: bool) -> Self {
        self.without_user_agent = !enabled;
        self
    }
}

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
    pub(crate) seed: Option<u64>,
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
        Self { snapshot, user, settings, clock, id_lists: None, overrides: None, storage: None, seed: None }
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
        self.seed = Some(seed);
        self
    }
}
