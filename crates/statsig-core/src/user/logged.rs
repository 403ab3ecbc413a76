//! The user as events carry it.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::FixedState;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::StatsigUser;
use crate::settings::EvaluationSettings;
use crate::value::{Attribute, AttributeMap, TextBuffer};

/// Any number: the hash only needs to be the same within one process.
const SEED: u64 = 0x7573_6572_5f69_6473;

/// A user in the form that leaves the process (`docs/protocol/events.md#user`): without private
/// attributes, with the global custom fields and the environment that were in force.
///
/// Serializes as a JSON object; fields that are not set are left out. Made by
/// [`StatsigUser::as_logged`], and costs nothing until it is serialized.
#[derive(Clone, Copy)]
pub struct LoggedUser<'a> {
    user: &'a StatsigUser,
    settings: &'a EvaluationSettings,
    default_environment: Option<&'a str>,
}

impl std::fmt::Debug for LoggedUser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LoggedUser").field(self.user).finish()
    }
}

impl StatsigUser {
    /// The user as events carry it, given the settings of the client and the project's default
    /// environment tier ([`RulesetMeta::default_environment`](crate::RulesetMeta)).
    #[must_use]
    pub fn as_logged<'a>(
        &'a self,
        settings: &'a EvaluationSettings,
        default_environment: Option<&'a str>,
    ) -> LoggedUser<'a> {
        LoggedUser { user: self, settings, default_environment }
    }

    /// A hash of the IDs by which exposures of different users are told apart: the user ID, the
    /// custom ID `stableID`, and all custom IDs with their types.
    ///
    /// Two users with the same IDs have the same hash whatever their other fields say. The same in
    /// every call of one process only: never store or send it. Computed once for each user object
    /// and its clones; allocates nothing.
    #[must_use]
    pub fn exposure_hash(&self) -> u64 {
        let data = self.data();
        data.exposure_hash.get_or_compute(|| {
            let mut hasher = FixedState::with_seed(SEED).build_hasher();
            hash_id(data.user_id.as_ref(), &mut hasher);
            hash_id(self.unit(false, "stableID", "stableid"), &mut hasher);
            for (id_type, id) in data.custom_ids.iter() {
                id_type.hash(&mut hasher);
                hash_id(Some(id), &mut hasher);
            }
            hasher.finish()
        })
    }

    /// Like [`exposure_hash`](Self::exposure_hash), also told apart by the ID of one type, looked up
    /// as [`unit_id`](Self::unit_id) does; the same if the user has no such ID. Not remembered.
    #[must_use]
    pub fn exposure_hash_for(&self, id_type: &str) -> u64 {
        let lower = id_type.to_lowercase();
        let Some(id) = self.unit(lower == "userid", id_type, &lower) else { return self.exposure_hash() };
        let mut hasher = FixedState::with_seed(SEED).build_hasher();
        hasher.write_u64(self.exposure_hash());
        hash_id(Some(id), &mut hasher);
        hasher.finish()
    }
}

/// The text of an ID, so that `1` and `"1"` are the same one; a missing ID is unlike an empty one.
fn hash_id(id: Option<&Attribute>, hasher: &mut impl Hasher) {
    match id {
        None => None::<&str>.hash(hasher),
        // Most IDs; the buffer would cost more than the hash.
        Some(Attribute::String(id)) => Some(id.as_str()).hash(hasher),
        Some(other) => other.text(&mut TextBuffer::new()).hash(hasher),
    }
}

/// A number other than zero that is computed when it is first asked for.
///
/// Takes no part in comparisons: it follows from what is compared.
#[derive(Default)]
pub(crate) struct Cached(AtomicU64);

impl Cached {
    pub(super) fn get_or_compute(&self, compute: impl FnOnce() -> u64) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => {
                let number = compute().max(1);
                self.0.store(number, Ordering::Relaxed);
                number
            }
            number => number,
        }
    }
}

/// A copy is about to be changed: it starts without the number.
impl Clone for Cached {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Cached {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl LoggedUser<'_> {
    /// The environment in force: the user's own, that of the client, the project's default.
    pub(crate) fn serialize_environment<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let own = &self.user.data().environment;
        if own.is_set() {
            return map.serialize_entry("statsigEnvironment", own);
        }
        if !self.settings.environment.is_empty() {
            return map.serialize_entry("statsigEnvironment", &self.settings.environment);
        }
        match self.default_environment {
            Some(tier) => map.serialize_entry("statsigEnvironment", &Tier { tier }),
            None => Ok(()),
        }
    }
}

impl Serialize for LoggedUser<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.user.data();
        let mut map = serializer.serialize_map(None)?;
        if let Some(user_id) = &data.user_id {
            map.serialize_entry("userID", user_id)?;
        }
        if data.custom_ids.is_set() {
            map.serialize_entry("customIDs", &data.custom_ids)?;
        }
        for (name, field) in data.single_fields().into_iter().skip(1) {
            if let Some(value) = field {
                map.serialize_entry(name, value)?;
            }
        }
        let global = &self.settings.global_custom;
        if data.custom.is_set() || !global.is_empty() {
            map.serialize_entry("custom", &Merged { own: &data.custom, global })?;
        }
        self.serialize_environment(&mut map)?;
        map.end()
    }
}

#[derive(Serialize)]
struct Tier<'a> {
    tier: &'a str,
}

/// The user's custom attributes, and those of the client that it does not have itself.
pub(crate) struct Merged<'a> {
    pub(crate) own: &'a AttributeMap,
    pub(crate) global: &'a AttributeMap,
}

impl Serialize for Merged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let missing = self.global.iter().filter(|(name, _)| self.own.get(name).is_none());
        serializer.collect_map(self.own.iter().chain(missing))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn logged(user: &StatsigUser, settings: &EvaluationSettings, default: Option<&str>) -> Value {
        serde_json::to_value(user.as_logged(settings, default)).unwrap()
    }

    #[test]
    fn every_field_but_private_attributes() {
        let wire = json!({
            "userID": 7, "customIDs": {"companyID": "c", "n": 1.5}, "email": "e", "ip": "1.2.3.4", "userAgent": "ua",
            "country": "NZ", "locale": "en", "appVersion": "1.2",
            "custom": {"a": [1, "x"], "o": {"k": null}, "n": null, "f": 2.0, "big": 18_446_744_073_709_551_615_u64},
            "statsigEnvironment": {"tier": "staging", "other": "x"},
        });
        let mut with_private = wire.clone();
        with_private["privateAttributes"] = json!({"secret": "s3cret"});
        let user: StatsigUser = serde_json::from_value(with_private).unwrap();
        assert_eq!(logged(&user, &EvaluationSettings::new(), Some("production")), wire);
        let text = serde_json::to_string(&user.as_logged(&EvaluationSettings::new(), None)).unwrap();
        assert!(text.starts_with(r#"{"userID":7,"customIDs":{"companyID":"c","n":1.5},"email":"e","ip":"1.2.3.4","#));
        assert!(text.contains(r#""f":2.0"#) && !text.contains("s3cret"));
    }

    #[test]
    fn what_is_not_set_is_left_out_and_what_is_set_empty_stays() {
        let settings = EvaluationSettings::new();
        assert_eq!(logged(&StatsigUser::new(), &settings, None), json!({}));
        let user: StatsigUser =
            serde_json::from_str(r#"{"userID":"","customIDs":{},"custom":{},"email":null}"#).unwrap();
        assert_eq!(logged(&user, &settings, None), json!({"userID": "", "customIDs": {}, "custom": {}}));
    }

    #[test]
    fn global_fields_and_environments_by_precedence() {
        let settings = EvaluationSettings::new()
            .with_global_custom_fields([("region", "eu"), ("level", "global")])
            .with_environment("Staging");
        let plain = StatsigUser::with_user_id("u");
        let own = plain.to_builder().custom("level", 3).environment_tier("dev").build();
        let bare = EvaluationSettings::new();
        let global = json!({"region": "eu", "level": "global"});
        for (user, settings, default, custom, environment) in [
            (&plain, &bare, None, None, None),
            (&plain, &bare, Some("qa"), None, Some(json!({"tier": "qa"}))),
            (&plain, &settings, Some("qa"), Some(global), Some(json!({"tier": "Staging"}))),
            (&own, &settings, Some("qa"), Some(json!({"region": "eu", "level": 3})), Some(json!({"tier": "dev"}))),
        ] {
            let logged = logged(user, settings, default);
            assert_eq!(logged.get("custom"), custom.as_ref());
            assert_eq!(logged.get("statsigEnvironment"), environment.as_ref());
        }
    }

    #[test]
    fn users_are_told_apart_by_their_ids() {
        let of = |json: Value| serde_json::from_value::<StatsigUser>(json).unwrap().exposure_hash();
        assert_eq!(of(json!({"userID": 1, "email": "a"})), of(json!({"userID": "1", "custom": {"x": 1}})));
        let different = [
            json!({}),
            json!({"userID": ""}),
            json!({"userID": "a"}),
            json!({"customIDs": {"stableID": "a"}}),
            json!({"customIDs": {"companyID": "a"}}),
            json!({"userID": "a", "customIDs": {"companyID": "b", "teamID": "c"}}),
            json!({"userID": "a", "customIDs": {"companyID": "c", "teamID": "b"}}),
        ];
        let hashes: std::collections::HashSet<u64> = different.into_iter().map(of).collect();
        assert_eq!(hashes.len(), 7);

        let user = StatsigUser::builder().user_id("a").custom_id("companyID", "b").build();
        assert_eq!(user.exposure_hash(), user.clone().exposure_hash());
        assert_ne!(user.exposure_hash(), user.to_builder().user_id("b").build().exposure_hash());
        assert_ne!(user.exposure_hash(), user.exposure_hash_for("companyID"));
        assert_eq!(user.exposure_hash(), user.exposure_hash_for("teamID"));
        assert_eq!(user.exposure_hash_for("userid"), user.exposure_hash_for("userID"));
        assert_ne!(user.exposure_hash_for("companyID"), user.exposure_hash_for("userID"));
    }
}
