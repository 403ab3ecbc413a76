//! Values and targets of conditions, as far as an explanation may show them.

use super::HIDDEN;
use super::shown::{Shown, cut};
use super::tree::Observed;
use crate::evaluate::{Origin, Seen};
use crate::ruleset::{EqualTarget, Ruleset, Test, Text, TextSet};
use crate::value::VersionPart;

/// Shorter secrets hide only targets that are equal to them, longer ones all that contain them.
const TELLING: usize = 4;

/// Items of a set that are sorted, so that the first of them can be shown.
const SORTED: usize = 1_000;

/// What is known of a value besides the value.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// A private attribute has a part in it.
    pub(super) is_private: bool,
    pub(super) origin: Option<Origin>,
}

/// Names an origin.
pub(super) const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::IpCountry => "country of the IP address",
        Origin::UserAgent => "user agent",
        Origin::UserEnvironment => "environment of the user",
        Origin::SdkEnvironment => "environment of the SDK",
        Origin::DefaultEnvironment => "default environment of the project",
        Origin::App => "app of the specs",
    }
}

/// Shows a value that a condition looked up.
pub(super) fn observed(seen: &Seen<'_>, is_private: bool) -> Observed {
    if is_private {
        return Observed::Private;
    }
    match seen {
        Seen::Missing => Observed::Missing,
        Seen::Attribute(attribute) => Observed::Shown(Shown::attribute(attribute)),
        Seen::Number(number) | Seen::Time(number) => Observed::Shown(Shown::value(*number)),
        other => other.with_text(|text| Observed::Shown(Shown::value(cut(text.unwrap_or_default())))),
    }
}

/// Shows the target in the form that the operator uses; `None` if it can use none.
///
/// A target that repeats a private value is hidden, so that the explanation does not hold it.
pub(super) fn shown(ruleset: &Ruleset, test: &Test, seen: &Seen<'_>, is_private: bool) -> Option<Shown> {
    let secrets = if is_private { Secrets::of(seen) } else { Secrets::default() };
    let text = |text: &str| if secrets.are_in(text) { HIDDEN.to_owned() } else { cut(text) };
    let value = |shown: &str| Shown::value(text(shown));
    let number = |number: f64| match Shown::number(number) {
        Shown::Value { value } if secrets.are_in(&value.to_string()) => Shown::value(HIDDEN),
        shown => shown,
    };
    let texts = |items: &[Text]| Shown::list(items.iter().map(|&item| text(ruleset.str(item))), items.len());
    let set = |set: &TextSet| {
        let mut items: Vec<&str> = set.iter().take(SORTED).collect();
        items.sort_unstable();
        Shown::list(items.into_iter().map(text), set.len())
    };
    match test {
        Test::None | Test::Unsupported | Test::PatternLimit => None,
        Test::Number { target, .. } => target.map(number),
        Test::Version { target, .. } => target.as_deref().map(|parts| value(&version(parts))),
        Test::InSet { set: items, .. } | Test::InSetExact { set: items, .. } | Test::Array { items, .. } => {
            items.as_ref().map(set)
        }
        Test::InBuckets { buckets, .. } => {
            let is_in = |bucket: &usize| buckets[bucket / 64] >> (bucket % 64) & 1 == 1;
            let total = buckets.iter().map(|bits| bits.count_ones() as usize).sum();
            Some(Shown::list((0..64 * buckets.len()).filter(is_in).map(|bucket| bucket.to_string()), total))
        }
        Test::Affix { pieces, .. } => Some(texts(pieces)),
        Test::Matches(pattern) => pattern.as_ref().map(|pattern| value(pattern.source())),
        #[allow(clippy::cast_precision_loss)] // shown only
        Test::Time { target, .. } => target.map(|target| number(target as f64)),
        Test::Equal { target, .. } => match target {
            EqualTarget::Null => Some(Shown::value(serde_json::Value::Null)),
            EqualTarget::Bool(target) if secrets.are_in(if *target { "true" } else { "false" }) => {
                Some(Shown::value(HIDDEN))
            }
            EqualTarget::Bool(target) => Some(Shown::value(*target)),
            EqualTarget::Number(target) => Some(number(*target)),
            EqualTarget::String(target) => Some(value(ruleset.str(*target))),
            EqualTarget::Array(items) => items.as_deref().map(texts),
            EqualTarget::Object(members) => Some(Shown::list(
                members.iter().map(|&(name, value)| text(&format!("{}: {}", ruleset.str(name), ruleset.str(value)))),
                members.len(),
            )),
        },
        Test::IdList { list, .. } => list.map(|list| value(ruleset.str(list))),
    }
}

fn version(parts: &[VersionPart]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|part| part.map_or_else(|| "?".to_owned(), |part| part.to_string())).collect();
    parts.join(".")
}

/// The texts of a private value, in lower case.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn of(seen: &Seen<'_>) -> Self {
        let mut texts = Vec::new();
        seen.with_text(|text| texts.extend(text.map(str::to_lowercase)));
        if let Some(array) = seen.array() {
            texts.extend(array.items.iter().flatten().map(|item| item.to_lowercase()));
        }
        if let Some(object) = seen.object() {
            texts.extend(object.values().map(|value| match value {
                serde_json::Value::String(text) => text.to_lowercase(),
                other => other.to_string().to_lowercase(),
            }));
        }
        texts.retain(|text| !text.is_empty());
        Self(texts)
    }

    fn are_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        self.0
            .iter()
            .any(|secret| if secret.len() < TELLING { text == *secret } else { text.contains(secret.as_str()) })
    }
}
