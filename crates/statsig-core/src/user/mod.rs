//! Whom an evaluation is for.
//!
//! A [`StatsigUser`] is immutable, shared data: build it once, clone it freely (a reference count),
//! evaluate it many times. Values keep their JSON kinds; what operators see of them is computed
//! when they ask (`docs/protocol/evaluation.md#values`).

mod accessors;
mod builder;
mod logged;
mod wire;

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

pub use builder::{StatsigUserBuilder, UnitId};
use logged::Cached;
pub use logged::LoggedUser;
pub(crate) use logged::Merged;

use crate::ruleset::TopField;
use crate::value::{Attribute, AttributeMap};

/// A user, or whatever else is the unit of a check: a company, a device, a session.
///
/// Every evaluation needs a unit to bucket by: give a user ID, custom IDs, or both. A user without
/// either is allowed, and is bucketed like one whose ID is the empty string.
///
/// Cloning costs a reference count. Two users are equal when all their fields are. `Debug` shows
/// which private attributes there are, never their values.
///
/// ```
/// use statsig_core::StatsigUser;
///
/// let user = StatsigUser::builder()
///     .user_id("user-1")
///     .custom_id("companyID", 42)
///     .email("ada@corp.example")
///     .custom("level", 7)
///     .private_attribute("plan", "enterprise")
///     .build();
/// assert_eq!(user.user_id().as_deref(), Some("user-1"));
/// assert!(!format!("{user:?}").contains("enterprise"));
/// ```
///
/// In JSON it has the wire shape of the Statsig SDKs: `userID`, `customIDs`, `email`, `ip`,
/// `userAgent`, `country`, `locale`, `appVersion`, `custom`, `privateAttributes`,
/// `statsigEnvironment`. Reading also accepts `userId`, `user_id`, `customIds`, `custom_ids`,
/// `user_agent`, `app_version`, `private_attributes` and `statsig_environment`, ignores unknown
/// keys, and takes any JSON value for a field. **Writing includes the private attributes**, so that
/// a user survives the round trip; strip them with [`StatsigUser::without_private_attributes`]
/// before the text leaves the process.
#[derive(Clone, PartialEq, Default)]
pub struct StatsigUser {
    data: Arc<UserData>,
}

#[derive(Clone, PartialEq, Default)]
pub(crate) struct UserData {
    pub(crate) user_id: Option<Attribute>,
    pub(crate) email: Option<Attribute>,
    pub(crate) ip: Option<Attribute>,
    pub(crate) user_agent: Option<Attribute>,
    pub(crate) country: Option<Attribute>,
    pub(crate) locale: Option<Attribute>,
    pub(crate) app_version: Option<Attribute>,
    pub(crate) custom_ids: AttributeMap,
    pub(crate) custom: AttributeMap,
    pub(crate) private: AttributeMap,
    pub(crate) environment: AttributeMap,
    exposure_hash: Cached,
    memory_bytes: Cached,
}

impl UserData {
    /// Everything but the maps, by its name in JSON; the user ID first.
    pub(crate) fn single_fields(&self) -> [(&'static str, &Option<Attribute>); 7] {
        [
            ("userID", &self.user_id),
            ("email", &self.email),
            ("ip", &self.ip),
            ("userAgent", &self.user_agent),
            ("country", &self.country),
            ("locale", &self.locale),
            ("appVersion", &self.app_version),
        ]
    }
}

impl StatsigUser {
    /// A user with nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A user with a user ID: one allocation, two if the ID is longer than 23 bytes.
    #[must_use]
    pub fn with_user_id(user_id: impl Into<UnitId>) -> Self {
        Self::builder().user_id(user_id).build()
    }

    /// A user with custom IDs, by id type.
    #[must_use]
    pub fn with_custom_ids<K: AsRef<str>, V: Into<UnitId>>(custom_ids: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::builder().custom_ids(custom_ids).build()
    }

    /// Starts building a user.
    pub fn builder() -> StatsigUserBuilder {
        StatsigUserBuilder::default()
    }

    /// Starts building a user like this one.
    pub fn to_builder(&self) -> StatsigUserBuilder {
        StatsigUserBuilder::from_data(UserData::clone(&self.data))
    }

    /// Memory that the user holds, in bytes, as far as it is its own. An estimate from above, computed
    /// once.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let data = &*self.data;
        let bytes = data.memory_bytes.get_or_compute(|| {
            let maps = [&data.custom_ids, &data.custom, &data.private, &data.environment];
            let fields = data.single_fields().into_iter().filter_map(|(_, field)| field.as_ref());
            let texts: usize = fields.map(Attribute::heap_bytes).sum();
            let entries: usize = maps.into_iter().map(AttributeMap::heap_bytes).sum();
            (size_of::<UserData>() + texts + entries) as u64
        });
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The same user without private attributes: what may leave the process.
    #[must_use]
    pub fn without_private_attributes(&self) -> Self {
        if self.data.private.is_empty() {
            return self.clone();
        }
        let mut data = UserData::clone(&self.data);
        data.private = AttributeMap::default();
        Self { data: Arc::new(data) }
    }

    /// The user ID, then the custom IDs in the order of their names.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Attribute> {
        self.data.user_id.iter().chain(self.data.custom_ids.values())
    }

    pub(crate) fn from_data(data: UserData) -> Self {
        Self { data: Arc::new(data) }
    }

    pub(crate) fn data(&self) -> &UserData {
        &self.data
    }

    #[inline]
    pub(crate) fn field(&self, field: TopField) -> Option<&Attribute> {
        let data = &*self.data;
        match field {
            TopField::UserId => &data.user_id,
            TopField::Email => &data.email,
            TopField::Ip => &data.ip,
            TopField::Country => &data.country,
            TopField::Locale => &data.locale,
            TopField::AppVersion => &data.app_version,
            TopField::UserAgent => &data.user_agent,
        }
        .as_ref()
    }

    #[inline]
    pub(crate) fn unit(&self, is_user_id: bool, exact: &str, lower: &str) -> Option<&Attribute> {
        if is_user_id { self.data.user_id.as_ref() } else { self.custom_id(exact, lower) }
    }

    /// Returns a custom ID, by the name of its type or else by that in lower case.
    pub(crate) fn custom_id(&self, exact: &str, lower: &str) -> Option<&Attribute> {
        self.data.custom_ids.get(exact).or_else(|| self.data.custom_ids.get(lower))
    }
}

impl fmt::Debug for StatsigUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = &*self.data;
        let mut out = f.debug_struct("StatsigUser");
        for (name, field) in data.single_fields() {
            if let Some(value) = field {
                out.field(name, &format_args!("{}", value.to_json()));
            }
        }
        for (name, map) in
            [("customIDs", &data.custom_ids), ("custom", &data.custom), ("statsigEnvironment", &data.environment)]
        {
            if !map.is_empty() {
                out.field(name, &format_args!("{}", map.to_json()));
            }
        }
        if !data.private.is_empty() {
            let names: Vec<&SmolStr> = data.private.names().collect();
            out.field("privateAttributes", &format_args!("{} hidden: {}", names.len(), Names(&names)));
        }
        out.finish()
    }
}

struct Names<'a>(&'a [&'a SmolStr]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
