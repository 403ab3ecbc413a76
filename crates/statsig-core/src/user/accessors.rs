//! Reading a user's fields.

use serde_json::Value;

use super::StatsigUser;
use crate::ruleset::TopField;
use crate::value::{Attribute, TextBuffer};

fn text(value: Option<&Attribute>) -> Option<String> {
    value.and_then(|value| value.text(&mut TextBuffer::new()).map(str::to_owned))
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident => $field:ident;)*) => {
        impl StatsigUser {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Option<String> {
                text(self.field(TopField::$field))
            }
        )*}
    };
}

texts! {
    /// The user ID as it is hashed; numbers in decimal. `None` if there is none, or it has no text.
    user_id => UserId;
    /// The e-mail address, as text.
    email => Email;
    /// The IP address, as text.
    ip => Ip;
    /// The user agent, as text.
    user_agent => UserAgent;
    /// The country that was set, as text; not what the IP address tells.
    country => Country;
    /// The locale, as text.
    locale => Locale;
    /// The version of the application, as text.
    app_version => AppVersion;
}

impl StatsigUser {
    /// Whether there is anything to bucket the user by: a user ID that is not empty, or custom IDs.
    #[must_use]
    #[inline]
    pub fn has_unit_id(&self) -> bool {
        let data = self.data();
        let is_empty = |id: &Attribute| match id {
            Attribute::Null => true,
            Attribute::String(text) => text.is_empty(),
            _ => false,
        };
        !data.custom_ids.is_empty() || data.user_id.as_ref().is_some_and(|id| !is_empty(id))
    }

    /// The ID of an id type, as it is hashed: `userID` in any case, or a custom ID, exact name
    /// first, lower-case name second.
    #[must_use]
    pub fn unit_id(&self, id_type: &str) -> Option<String> {
        let lower = id_type.to_lowercase();
        text(self.unit(lower == "userid", id_type, &lower))
    }

    /// A custom attribute.
    #[must_use]
    pub fn custom(&self, name: &str) -> Option<Value> {
        self.data().custom.get(name).map(Attribute::to_json)
    }

    /// A private attribute. What it returns must not leave the process.
    #[must_use]
    pub fn private_attribute(&self, name: &str) -> Option<Value> {
        self.data().private.get(name).map(Attribute::to_json)
    }

    /// A field of the user's own environment, for instance `tier`, as text.
    #[must_use]
    pub fn environment(&self, field: &str) -> Option<String> {
        text(self.data().environment.get(field))
    }
}
