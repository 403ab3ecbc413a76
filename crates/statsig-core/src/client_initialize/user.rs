//! The user as a response repeats it (`docs/protocol/client-initialize.md#user`).
//!
//! Private attributes leave the process as a sum of hashes at most.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::hashing::djb2_of;
use crate::settings::EvaluationSettings;
use crate::user::{Merged, StatsigUser};
use crate::value::{Attribute, AttributeMap, TextBuffer};

/// The user with what the SDK adds to it, and without its private attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct UserEcho<'r> {
    pub(super) user: &'r StatsigUser,
    pub(super) settings: &'r EvaluationSettings,
    /// The project's own tier.
    pub(super) default_environment: Option<&'r str>,
}

impl Serialize for UserEcho<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.user.data();
        let mut map = serializer.serialize_map(None)?;
        for (name, field) in data.single_fields() {
            if let Some(value) = field {
                map.serialize_entry(name, value)?;
            }
        }
        if data.custom_ids.is_set() {
            map.serialize_entry("customIDs", &data.custom_ids)?;
        }
        let global = &self.settings.global_custom;
        if data.custom.is_set() || global.is_set() {
            map.serialize_entry("custom", &Merged { own: &data.custom, global })?;
        }
        self.user.as_logged(self.settings, self.default_environment).serialize_environment(&mut map)?;
        map.end()
    }
}

/// The IDs that the evaluation was for, as text.
pub(super) struct EvaluatedKeys<'r>(pub(super) &'r StatsigUser);

impl Serialize for EvaluatedKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.0.data();
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &data.user_id
            && let Some(id) = id.text(&mut TextBuffer::new()).filter(|id| !id.is_empty())
        {
            map.serialize_entry("userID", id)?;
        }
        if !data.custom_ids.is_empty() {
            map.serialize_entry("customIDs", &CustomIds(&data.custom_ids))?;
        }
        map.end()
    }
}

struct CustomIds<'r>(&'r AttributeMap);

impl Serialize for CustomIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (id_type, id) in self.0.iter() {
            map.serialize_entry(id_type, id.text(&mut TextBuffer::new()).unwrap_or_default())?;
        }
        map.end()
    }
}

/// A hash of the private attributes, by which a client sees that they changed; it does not depend
/// on their order. `None` if there are none.
pub(super) fn private_attributes_hash(user: &StatsigUser) -> Option<u32> {
    let private = &user.data().private;
    let hash = |(name, value): (&str, &Attribute)| {
        let mut buffer = TextBuffer::new();
        djb2_of([name, ":", value.text(&mut buffer).unwrap_or_default()])
    };
    (!private.is_empty()).then(|| private.iter().map(hash).fold(0, u32::wrapping_add))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn hashes_of_private_attributes() {
        for (private, expected) in [
            (json!({"vip": true}), 1_455_393_483),
            (json!({"email": "x@y.z"}), 1_167_926_047),
            (json!({"age": 30}), 2_875_216_568),
            (json!({"vip": true, "email": "x@y.z", "age": 30}), 1_203_568_802),
            (json!({"f": 2.0}), 99_870),
            (json!({"f": 1.5}), 95_975_588),
            (json!({"l": [1, "a"]}), 970_224_866),
            (json!({"d": {"a": 1}}), 3_158),
            (json!({"d": null}), 3_158),
            (json!({"p": 1, "q": "é"}), 220_103),
        ] {
            let user: StatsigUser = serde_json::from_value(json!({ "privateAttributes": private })).unwrap();
            assert_eq!(private_attributes_hash(&user), Some(expected), "{private}");
        }
        let none: StatsigUser = serde_json::from_value(json!({"privateAttributes": {}})).unwrap();
        assert_eq!((private_attributes_hash(&none), private_attributes_hash(&StatsigUser::new())), (None, None));
    }

    fn echo(user: Value, settings: &EvaluationSettings, default_environment: Option<&str>) -> Value {
        let user: StatsigUser = serde_json::from_value(user).unwrap();
        serde_json::to_value(UserEcho { user: &user, settings, default_environment }).unwrap()
    }

    #[test]
    fn users_are_repeated_with_what_the_sdk_adds() {
        let bare = EvaluationSettings::new();
        let full = EvaluationSettings::new()
            .with_environment("staging")
            .with_global_custom_fields([("plan", json!("g")), ("level", json!(1))]);
        for (user, settings, tier, expected) in [
            (json!({}), &bare, None, json!({})),
            (json!({"userID": "", "customIDs": {}}), &bare, None, json!({"userID": "", "customIDs": {}})),
            (json!({"privateAttributes": {"a": "secret"}, "email": null}), &bare, None, json!({})),
            (json!({}), &bare, Some("dev"), json!({"statsigEnvironment": {"tier": "dev"}})),
            (
                json!({"custom": {"plan": "own", "n": null}, "customIDs": {"c": 1.0}}),
                &full,
                Some("dev"),
                json!({"custom": {"level": 1, "plan": "own", "n": null}, "customIDs": {"c": 1.0},
                       "statsigEnvironment": {"tier": "staging"}}),
            ),
            (
                json!({"statsigEnvironment": {"tier": "own", "x": 1}, "custom": {}}),
                &bare,
                Some("dev"),
                json!({"statsigEnvironment": {"tier": "own", "x": 1}, "custom": {}}),
            ),
        ] {
            assert_eq!(echo(user, settings, tier), expected);
        }
    }

    #[test]
    fn evaluated_keys_are_texts() {
        for (user, expected) in [
            (json!({}), json!({})),
            (json!({"userID": "", "customIDs": {}}), json!({})),
            (
                json!({"userID": 42.0, "customIDs": {"c": 7, "d": ""}}),
                json!({"userID": "42", "customIDs": {"c": "7", "d": ""}}),
            ),
        ] {
            let user: StatsigUser = serde_json::from_value(user).unwrap();
            assert_eq!(serde_json::to_value(EvaluatedKeys(&user)).unwrap(), expected);
        }
    }
}
