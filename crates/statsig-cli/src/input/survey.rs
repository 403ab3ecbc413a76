//! Looks a second time at the JSON of a user: IDs as they are written, and fields that nothing reads.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Largest integer from which on not every integer is a number of its own in an SDK.
const EXACT: u64 = 1 << 53;
/// Fields of one user that are reported.
const MAX_UNREAD: usize = 16;

/// Fields of a user, under all names that are read.
const FIELDS: [(&str, &[&str]); 11] = [
    ("userID", &["userId", "user_id"]),
    ("customIDs", &["customIds", "custom_ids"]),
    ("email", &[]),
    ("ip", &[]),
    ("userAgent", &["user_agent"]),
    ("country", &[]),
    ("locale", &[]),
    ("appVersion", &["app_version"]),
    ("custom", &[]),
    ("privateAttributes", &["private_attributes"]),
    ("statsigEnvironment", &["statsig_environment"]),
];

/// Names of other systems for a field of a user, in lower case and without separators.
const SYNONYMS: [(&str, &[&str]); 9] = [
    ("userID", &["id", "uid", "uuid", "sub", "userkey", "distinctid", "accountid", "username", "key"]),
    ("customIDs", &["customid", "ids", "unitids"]),
    ("email", &["mail", "emailaddress", "useremail"]),
    ("ip", &["ipaddress", "ipaddr", "remoteaddr", "clientip"]),
    ("userAgent", &["ua", "useragentstring"]),
    ("country", &["countrycode"]),
    ("locale", &["language", "lang"]),
    ("appVersion", &["version", "appver", "clientversion"]),
    ("statsigEnvironment", &["environment", "env", "tier"]),
];

/// Names of objects with fields that belong into `custom`.
const CUSTOM: [&str; 8] =
    ["attributes", "properties", "traits", "customattributes", "customproperties", "customfields", "props", "params"];

/// What a line says beside the user that is made of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The user ID as it is written, if it is a number.
    pub(crate) numeric_id: Option<String>,
    /// The first custom ID, as it is written.
    pub(crate) custom_id: Option<String>,
    /// An ID is a number that SDKs do not hold exactly.
    pub(crate) loses_digits: bool,
    /// Fields that nothing reads.
    pub(crate) unread: Vec<Unread>,
}

/// A field that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Unread {
    pub(crate) name: String,
    is_object: bool,
    is_array: bool,
}

impl Survey {
    /// Looks at a line that is a user.
    pub(crate) fn of(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }
}

impl Unread {
    /// Returns what may have been meant.
    pub(crate) fn advice(&self) -> String {
        let name = self.name.as_str();
        let plain = folded(name);
        if self.is_object && ["user", "statsiguser", "data", "payload", "context", "profile"].contains(&&*plain) {
            return format!("the user seems to be inside it: jq -c '.{name} // .' takes it out",);
        }
        if self.is_array && ["users", "data", "items", "results", "records", "rows"].contains(&&*plain) {
            return format!("the users seem to be inside it: jq -c '.{name}[]' takes them out");
        }
        if CUSTOM.contains(&&*plain) || (self.is_object && plain == "metadata") {
            return "did you mean `custom`?".to_owned();
        }
        let same = FIELDS.iter().find(|(field, _)| folded(field) == plain).map(|(field, _)| *field);
        let synonym = || SYNONYMS.iter().find(|(_, names)| names.contains(&&*plain)).map(|(field, _)| *field);
        let similar = || {
            let distance = |field: &str| strsim::osa_distance(&folded(field), &plain);
            let near = FIELDS.iter().map(|(field, _)| (distance(field), *field)).min()?;
            (plain.len() > 3 && near.0 <= 1 + plain.len() / 8).then_some(near.1)
        };
        if let Some(field) = same.or_else(synonym).or_else(similar) {
            return format!("did you mean `{field}`?");
        }
        if plain.ends_with("id") && !self.is_object {
            return format!("other IDs than the user ID belong into `customIDs`: {{\"customIDs\": {{\"{name}\": …}}}}");
        }
        if plain == "private" || plain == "privateattrs" {
            return "did you mean `privateAttributes`?".to_owned();
        }
        "fields of your own belong into `custom`".to_owned()
    }
}

/// A name in lower case and without separators.
fn folded(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The field that a name stands for.
fn field(name: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(field, others)| *field == name || others.contains(&name)).map(|(field, _)| *field)
}

impl<'de> Deserialize<'de> for Survey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SurveyVisitor)
    }
}

/// A name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct SurveyVisitor;

impl<'de> Visitor<'de> for SurveyVisitor {
    type Value = Survey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Survey, A::Error> {
        let mut survey = Survey::default();
        while let Some(Name(name)) = map.next_key()? {
            match field(&name) {
                Some("userID") => {
                    let raw = map.next_value::<&RawValue>()?.get();
                    survey.loses_digits |= loses_digits(raw);
                    survey.numeric_id = is_number(raw).then(|| raw.to_owned());
                }
                Some("customIDs") => {
                    let Some(Ids(ids)) = map.next_value()? else { continue };
                    survey.loses_digits |= ids.iter().any(|raw| loses_digits(raw.get()));
                    survey.custom_id = ids.first().map(|raw| as_written(raw.get()));
                }
                Some(_) => drop(map.next_value::<IgnoredAny>()?),
                None => {
                    let raw = map.next_value::<&RawValue>()?.get();
                    let (is_object, is_array) = (raw.starts_with('{'), raw.starts_with('['));
                    // `null` is as good as nothing.
                    if survey.unread.len() < MAX_UNREAD && raw != "null" {
                        survey.unread.push(Unread { name: name.into_owned(), is_object, is_array });
                    }
                }
            }
        }
        Ok(survey)
    }
}

/// The values of an object, in order.
struct Ids<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Ids<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdsVisitor;
        impl<'de> Visitor<'de> for IdsVisitor {
            type Value = Ids<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ids<'de>, A::Error> {
                let mut values = Vec::new();
                while let Some((IgnoredAny, value)) = map.next_entry()? {
                    values.push(value);
                }
                Ok(Ids(values))
            }
        }
        deserializer.deserialize_map(IdsVisitor)
    }
}

/// Returns whether a JSON value is a number.
fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Returns whether a JSON value is a number that differs from others only in digits that SDKs do not keep.
fn loses_digits(raw: &str) -> bool {
    if !is_number(raw) {
        return false;
    }
    match raw.trim_start_matches('-').parse::<u64>() {
        Ok(integer) => integer > EXACT,
        // A fraction, an exponent, or an integer beyond 64 bits.
        Err(_) => {
            let digits = raw.split(['e', 'E']).next().unwrap_or_default();
            let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
            digits.trim_start_matches('0').trim_end_matches('0').len() > 17
        }
    }
}

/// A JSON value as text: strings without quotes.
fn as_written(raw: &str) -> String {
    if raw.starts_with('"') { serde_json::from_str(raw).unwrap_or_default() } else { raw.to_owned() }
}

#[cfg(test)]
mod tests {
    use statsig::StatsigUser;

    use super::*;

    fn advice(line: &str) -> Vec<String> {
        Survey::of(line.as_bytes()).unread.iter().map(Unread::advice).collect()
    }

    #[test]
    fn every_name_that_is_read_is_known_and_no_other() {
        let is_read = |name: &str| {
            let value =
                if matches!(field(name), Some("customIDs" | "custom" | "privateAttributes" | "statsigEnvironment")) {
                    "{\"a\": \"b\"}"
                } else {
                    "\"x\""
                };
            let user: StatsigUser = serde_json::from_str(&format!("{{\"{name}\": {value}}}")).unwrap();
            serde_json::to_string(&user).unwrap() != "{}"
        };
        for (name, others) in FIELDS {
            for name in [&name].into_iter().chain(others) {
                assert!(is_read(name), "{name}");
            }
        }
        for name in ["UserID", "userid", "id", "useragent", "appversion", "EMAIL", "customids", "user"] {
            assert!(!is_read(name) && field(name).is_none(), "{name}");
        }
    }

    #[test]
    fn advice_names_the_right_field() {
        for (line, expected) in [
            (r#"{"UserID": "u"}"#, "did you mean `userID`?"),
            (r#"{"userid": 1}"#, "did you mean `userID`?"),
            (r#"{"user-id": 1}"#, "did you mean `userID`?"),
            (r#"{"id": 1}"#, "did you mean `userID`?"),
            (r#"{"Email": "x"}"#, "did you mean `email`?"),
            (r#"{"emial": "x"}"#, "did you mean `email`?"),
            (r#"{"customids": {}}"#, "did you mean `customIDs`?"),
            (r#"{"app-version": "1"}"#, "did you mean `appVersion`?"),
            (r#"{"attributes": {}}"#, "did you mean `custom`?"),
            (r#"{"traits": {}}"#, "did you mean `custom`?"),
            (
                r#"{"stableID": "s"}"#,
                "other IDs than the user ID belong into `customIDs`: {\"customIDs\": {\"stableID\": …}}",
            ),
            (r#"{"plan": "pro"}"#, "fields of your own belong into `custom`"),
            (r#"{"user": {"userID": "u"}}"#, "the user seems to be inside it: jq -c '.user // .' takes it out"),
            (r#"{"users": [{"userID": "u"}]}"#, "the users seem to be inside it: jq -c '.users[]' takes them out"),
            (r#"{"statsigUser": {}}"#, "the user seems to be inside it: jq -c '.statsigUser // .' takes it out"),
        ] {
            assert_eq!(advice(line), [expected], "{line}");
        }
        assert!(advice(r#"{"userID": "u", "plan": null, "custom": {"plan": 1}}"#).is_empty());
    }

    #[test]
    fn ids_stay_as_they_are_written() {
        for (line, id, loses) in [
            (r#"{"userID": 1234567890123456789}"#, Some("1234567890123456789"), true),
            (r#"{"userID": 1234567890123456789012345}"#, Some("1234567890123456789012345"), true),
            (r#"{"userID": 9007199254740992}"#, Some("9007199254740992"), false),
            (r#"{"userID": 1.0}"#, Some("1.0"), false),
            (r#"{"userID": 1e3}"#, Some("1e3"), false),
            (r#"{"userID": -7}"#, Some("-7"), false),
            (r#"{"userID": "1234567890123456789"}"#, None, false),
            (r#"{"customIDs": {"deviceID": 9007199254740993}}"#, None, true),
        ] {
            let survey = Survey::of(line.as_bytes());
            assert_eq!((survey.numeric_id.as_deref(), survey.loses_digits), (id, loses), "{line}");
        }
        let survey = Survey::of(br#"{"custom_ids": {"a": "x\u00fc", "b": 1}}"#);
        assert_eq!(survey.custom_id.as_deref(), Some("xü"));
    }
}
