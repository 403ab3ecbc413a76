//! For which app a response is (`docs/protocol/client-initialize.md#apps`).

use super::hashing::djb2;
use super::options::ClientInitializeOptions;
use crate::ruleset::Ruleset;
use crate::value::{Attribute, TextBuffer};

/// The app of a response.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TargetApp {
    /// What `target_app` conditions see.
    pub(super) app: Option<Attribute>,
    /// The app that entries must be for; `None` keeps them all.
    only: Option<Box<str>>,
    /// A client key was given that the specs do not know.
    pub(super) unknown_key: bool,
}

impl TargetApp {
    /// The app that the options ask for; without any the project's own, which filters nothing.
    pub(super) fn of(ruleset: &Ruleset, options: &ClientInitializeOptions) -> Self {
        if let Some(id) = options.target_app_id.as_deref().filter(|id| !id.is_empty()) {
            let app = Some(Attribute::String(id.into()));
            return Self { only: text(app.as_ref()), app, unknown_key: false };
        }
        let Some(key) = &options.client_sdk_key else {
            return Self { app: ruleset.app.clone(), only: None, unknown_key: false };
        };
        let (plain, hashed) = (&ruleset.apps_by_key, &ruleset.apps_by_hashed_key);
        if plain.is_none() && hashed.is_none() {
            return Self { only: text(ruleset.app.as_ref()), app: ruleset.app.clone(), unknown_key: false };
        }
        // The table of hashed keys decides alone where there is one, even by not having the key.
        let app = match hashed {
            Some(apps) => apps.get(&djb2(key).to_string()),
            None => plain.as_ref().and_then(|apps| apps.get(key)),
        };
        Self { only: text(app), app: app.cloned(), unknown_key: app.is_none() }
    }

    /// Whether something is for this app. `apps`: position in [`Ruleset::name_lists`].
    pub(super) fn keeps(&self, ruleset: &Ruleset, apps: u32) -> bool {
        let Some(only) = &self.only else { return true };
        ruleset.names(apps).is_some_and(|mut apps| apps.any(|app| *app == **only))
    }
}

/// What an app is compared by; an app without text filters nothing.
fn text(app: Option<&Attribute>) -> Option<Box<str>> {
    app.and_then(|app| app.text(&mut TextBuffer::new()).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ruleset with these top-level members besides the usual, and two gates.
    fn ruleset(members: &str) -> Ruleset {
        let gate = |apps: &str| {
            format!(
                r#"{{"type":"feature_gate","entity":"feature_gate","salt":"","enabled":true,"defaultValue":false,
                    "idType":"userID","rules":[]{apps}}}"#
            )
        };
        let document = format!(
            r#"{{"has_updates":true,"time":1,"condition_map":{{}},"dynamic_configs":{{}},"layer_configs":{{}},
                "feature_gates":{{"for_five":{},"for_all":{}}}{members}}}"#,
            gate(r#","targetAppIDs":["5","web"]"#),
            gate("")
        );
        Ruleset::compile(document.as_bytes()).unwrap()
    }

    #[test]
    fn apps_by_options() {
        let key = |key: &str| ClientInitializeOptions::new().with_client_sdk_key(key);
        let id = |id: &str| ClientInitializeOptions::new().with_target_app_id(id);
        // 908407519 is the hash of `client-a`.
        let maps = r#","app_id":"own","sdk_keys_to_app_ids":{"client-a":"plain","client-b":"web"},
                      "hashed_sdk_keys_to_app_ids":{"908407519":5.0}"#;
        let only_plain = r#","app_id":"own","sdk_keys_to_app_ids":{"client-b":"web"}"#;
        let no_hashes = r#","sdk_keys_to_app_ids":{"client-b":"web"},"hashed_sdk_keys_to_app_ids":{}"#;
        let plain = r#","sdk_keys_to_app_ids":{"client-a":{"no":"text"}}"#;
        let own = r#","app_id":"own""#;
        // Whether the first gate is kept, whether the second is, whether the key was unknown, and
        // the app that conditions see.
        for (members, options, first, second, unknown, app) in [
            (own, ClientInitializeOptions::new(), true, true, false, Some("own")),
            (maps, id("web"), true, false, false, Some("web")),
            (maps, id("other"), false, false, false, Some("other")),
            (maps, id(""), true, true, false, Some("own")),
            (maps, key("client-a"), true, false, false, Some("5")),
            // Only the plain table has it, and the hashed one decides alone.
            (maps, key("client-b"), true, true, true, None),
            (only_plain, key("client-b"), true, false, false, Some("web")),
            (no_hashes, key("client-b"), true, true, true, None),
            (maps, key("client-c"), true, true, true, None),
            (maps, key("client-c").with_target_app_id("web"), true, false, false, Some("web")),
            (only_plain, key("client-b").with_target_app_id(""), true, false, false, Some("web")),
            (plain, key("client-a"), true, true, false, None),
            (plain, key("client-b"), true, true, true, None),
            (own, key("any"), false, false, false, Some("own")),
            ("", key("any"), true, true, false, None),
        ] {
            let ruleset = ruleset(members);
            let target = TargetApp::of(&ruleset, &options);
            let kept = |name| {
                let at = ruleset.find(&ruleset.gates, name).unwrap();
                target.keeps(&ruleset, ruleset.spec(at).unwrap().target_apps)
            };
            let seen = (kept("for_five"), kept("for_all"), target.unknown_key, text(target.app.as_ref()));
            assert_eq!(seen, (first, second, unknown, app.map(Into::into)), "{members} {options:?}");
        }
    }
}
