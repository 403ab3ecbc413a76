//! Building users in code.

use std::fmt;

use serde_json::Value;
use smol_str::SmolStr;

use super::{StatsigUser, UserData};
use crate::value::{Attribute, AttributeMap};

/// An ID: a string or a number.
///
/// Numbers are hashed by their decimal text, after a conversion to `f64`: integers above 2^53 lose
/// precision, `2.0` is hashed as `2`. Prefer strings.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitId(Attribute);

macro_rules! unit_id_from {
    ($($source:ty, $value:ident => $attribute:expr;)*) => {$(
        impl From<$source> for UnitId {
            fn from($value: $source) -> Self {
                Self($attribute)
            }
        }
    )*};
}

unit_id_from! {
    &str, value => Attribute::String(SmolStr::new(value));
    String, value => Attribute::String(value.into());
    &String, value => Attribute::String(SmolStr::new(value));
    i32, value => Attribute::Int(value.into());
    u32, value => Attribute::Int(value.into());
    i64, value => Attribute::Int(value);
    u64, value => Attribute::from(Value::from(value));
    f64, value => Attribute::Float(value);
}

/// Builds a [`StatsigUser`]; made by [`StatsigUser::builder`].
///
/// Every setter replaces what was set before; the plural ones replace the whole map.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct StatsigUserBuilder {
    data: UserData,
}

impl fmt::Debug for StatsigUserBuilder {
    /// As the user itself: private attributes are hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().build().fmt(f)
    }
}

fn text(value: impl AsRef<str>) -> Option<Attribute> {
    Some(Attribute::String(SmolStr::new(value)))
}

impl StatsigUserBuilder {
    /// Starts with a user ID.
    pub fn new_with_user_id(user_id: impl Into<UnitId>) -> Self {
        Self::default().user_id(user_id)
    }

    /// Starts with custom IDs, by id type.
    pub fn new_with_custom_ids<K: AsRef<str>, V: Into<UnitId>>(custom_ids: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::default().custom_ids(custom_ids)
    }

    pub(super) fn from_data(data: UserData) -> Self {
        Self { data }
    }

    /// The ID that rules with id type `userID` bucket by.
    pub fn user_id(mut self, user_id: impl Into<UnitId>) -> Self {
        self.data.user_id = Some(user_id.into().0);
        self
    }

    /// All IDs of other types, for instance `companyID`.
    pub fn custom_ids<K: AsRef<str>, V: Into<UnitId>>(mut self, custom_ids: impl IntoIterator<Item = (K, V)>) -> Self {
        self.data.custom_ids = custom_ids.into_iter().map(|(id_type, id)| (id_type, id.into().0)).collect();
        self
    }

    /// One ID of another type.
    pub fn custom_id(mut self, id_type: impl AsRef<str>, id: impl Into<UnitId>) -> Self {
        self.data.custom_ids.insert(id_type, id.into().0);
        self
    }

    /// The e-mail address.
    pub fn email(mut self, email: impl AsRef<str>) -> Self {
        self.data.email = text(email);
        self
    }

    /// The IP address; a dotted IPv4 address tells the country where none is set.
    pub fn ip(mut self, ip: impl AsRef<str>) -> Self {
        self.data.ip = text(ip);
        self
    }

    /// The browser's user agent text; tells operating system and browser. Above 1,000 bytes it tells nothing.
    pub fn user_agent(mut self, user_agent: impl AsRef<str>) -> Self {
        self.data.user_agent = text(user_agent);
        self
    }

    /// The country, as two letters.
    pub fn country(mut self, country: impl AsRef<str>) -> Self {
        self.data.country = text(country);
        self
    }

    /// The locale, for instance `en_US`.
    pub fn locale(mut self, locale: impl AsRef<str>) -> Self {
        self.data.locale = text(locale);
        self
    }

    /// The version of the application, for instance `2.10.1`.
    pub fn app_version(mut self, app_version: impl AsRef<str>) -> Self {
        self.data.app_version = text(app_version);
        self
    }

    /// One custom attribute: any JSON value.
    pub fn custom(mut self, name: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.data.custom.insert(name, value.into().into());
        self
    }

    /// All custom attributes.
    pub fn customs<K: AsRef<str>, V: Into<Value>>(mut self, custom: impl IntoIterator<Item = (K, V)>) -> Self {
        self.data.custom = attributes(custom);
        self
    }

    /// One attribute that takes part in evaluation, and never leaves the process.
    pub fn private_attribute(mut self, name: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.data.private.insert(name, value.into().into());
        self
    }

    /// All private attributes.
    pub fn private_attributes<K: AsRef<str>, V: Into<Value>>(
        mut self,
        private: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.data.private = attributes(private);
        self
    }

    /// The environment tier of this user; wins over that of the SDK.
    pub fn environment_tier(mut self, tier: impl AsRef<str>) -> Self {
        self.data.environment.insert("tier", Attribute::String(SmolStr::new(tier)));
        self
    }

    /// The user's whole environment, by field; wins over that of the SDK field by field.
    pub fn statsig_environment<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.data.environment =
            environment.into_iter().map(|(field, value)| (field, Attribute::String(SmolStr::new(value)))).collect();
        self
    }

    /// The finished user.
    #[must_use]
    pub fn build(self) -> StatsigUser {
        StatsigUser::from_data(self.data)
    }
}

fn attributes<K: AsRef<str>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> AttributeMap {
    entries.into_iter().map(|(name, value)| (name, Attribute::from(value.into()))).collect()
}
