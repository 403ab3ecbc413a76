//! Options of evaluations: environment, global custom fields, derived fields.

use serde_json::Value;

use crate::value::{Attribute, AttributeMap, TextBuffer};

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
