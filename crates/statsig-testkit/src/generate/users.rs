//! Users.

use super::specs::{FIELDS, ID_TYPES};
use super::{Choices, Node};

const USER_AGENTS: &[&str] = &[
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Safari/537.36",
    "curl/8.1.2",
    "",
    ";;(;) / ,_+\" iPad iPad/; Android",
];

const IPS: &[&str] = &[
    "8.8.8.8",
    "1.1.1.1",
    "127.0.0.1",
    "255.255.255.255",
    "999.1.1.1",
    "-1.2.3.4",
    "+8.8.8.8",
    "1.2.3",
    "1.2.3.4.5",
    "a.b.c.d",
    "::1",
    "99999999999999999999.0.0.0",
    "",
];

/// A user, in JSON, whose attributes are named like the fields that [`super::project`]'s conditions
/// look at. Valid JSON always; the types of fields may be anything that the user's reader accepts.
#[must_use]
pub fn user(choices: &Choices<'_>) -> Node {
    let mut members: Vec<(String, Node)> = Vec::new();
    if !choices.one_in(8) {
        let id = if choices.one_in(4) { choices.value(1) } else { Node::text(format!("user-{}", choices.below(64))) };
        members.push((choices.pick(&["userID", "userId", "user_id"]).to_owned(), id));
    }
    for (name, pool) in [("userAgent", USER_AGENTS), ("ip", IPS)] {
        if choices.one_in(3) {
            let value = if choices.one_in(8) { choices.value(1) } else { Node::text(choices.pick(pool)) };
            members.push((name.to_owned(), value));
        }
    }
    for name in ["email", "country", "locale", "appVersion"] {
        if choices.one_in(3) {
            let value = if choices.one_in(4) { choices.value(1) } else { Node::Text(choices.text()) };
            members.push((name.to_owned(), value));
        }
    }
    for (name, keys) in [
        ("customIDs", ID_TYPES),
        ("custom", FIELDS),
        ("privateAttributes", FIELDS),
        ("statsigEnvironment", &["tier", "TIER", "region", ""]),
    ] {
        if choices.one_in(2) {
            let count = choices.below(6);
            let attributes = (0..count).map(|_| (choices.pick(keys), choices.value(2))).collect::<Vec<_>>();
            // Of equal names the last counts; written once, so that readers need not agree on that.
            let mut unique: Vec<(&str, Node)> = Vec::new();
            for (key, value) in attributes {
                unique.retain(|(known, _)| *known != key);
                unique.push((key, value));
            }
            members.push((name.to_owned(), Node::object(unique)));
        }
    }
    Node::Object(members)
}
