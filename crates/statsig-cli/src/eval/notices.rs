//! Warnings about users: fields that nothing reads, and IDs that lose digits. Each is given once.

use std::collections::HashSet;

use crate::input::survey::{Survey, Unread};
use crate::text::{clean, fit};

/// Names that are reported in a run; a file of another kind may have any number.
const MAX_NAMES: usize = 20;
/// Columns of a name.
const NAME_WIDTH: usize = 60;

/// Oddities of a chunk of users, with the numbers of their lines.
#[derive(Debug, Default)]
pub(super) struct Findings {
    unread: Vec<(u64, Unread)>,
    /// The first line with an ID that loses digits.
    loses_digits: Option<u64>,
}

impl Findings {
    /// Adds those of one user.
    pub(super) fn add(&mut self, line: u64, survey: Survey) {
        if survey.loses_digits && self.loses_digits.is_none() {
            self.loses_digits = Some(line);
        }
        for field in survey.unread {
            if self.unread.len() <= MAX_NAMES && !self.unread.iter().any(|(_, seen)| seen.name == field.name) {
                self.unread.push((line, field));
            }
        }
    }
}

/// What has been reported in a run.
#[derive(Debug)]
pub(super) struct Notices<'a> {
    source: &'a str,
    names: HashSet<String>,
    lost_digits: bool,
}

impl<'a> Notices<'a> {
    /// Starts a run; messages call the users `source`.
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, names: HashSet::new(), lost_digits: false }
    }

    /// Returns warnings that are new.
    pub(super) fn of(&mut self, findings: Findings) -> Vec<String> {
        let source = self.source;
        let mut warnings = Vec::new();
        for (line, field) in findings.unread {
            if self.names.len() > MAX_NAMES || self.names.contains(&field.name) {
                continue;
            }
            warnings.push(if self.names.len() == MAX_NAMES {
                format!("{source}:{line}: more fields are no fields of a user, and are not named here")
            } else {
                unread_field(&format!("{source}:{line}"), &field)
            });
            self.names.insert(field.name);
        }
        if let Some(line) = findings.loses_digits
            && !std::mem::replace(&mut self.lost_digits, true)
        {
            warnings.push(lost_digits(&format!("{source}:{line}")));
        }
        warnings
    }
}

/// Warns of a field that nothing reads.
fn unread_field(place: &str, field: &Unread) -> String {
    let name = fit(&clean(&field.name), NAME_WIDTH).0;
    format!("{place}: `{name}` is no field of a user; {}", field.advice())
}

/// Warns of IDs that SDKs do not tell apart.
fn lost_digits(place: &str) -> String {
    format!(
        "{place}: an ID is a number above 2^53: SDKs hash such numbers after rounding, so that neighbours count as one; \
         write IDs as text, in quotes"
    )
}

/// Warnings about a single user.
pub(crate) fn of_user(place: &str, survey: Survey) -> Vec<String> {
    let mut warnings: Vec<String> = survey.unread.iter().map(|field| unread_field(place, field)).collect();
    warnings.extend(survey.loses_digits.then(|| lost_digits(place)));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(first: u64, lines: &[&str]) -> Findings {
        let mut findings = Findings::default();
        (first..).zip(lines).for_each(|(line, text)| findings.add(line, Survey::of(text.as_bytes())));
        findings
    }

    #[test]
    fn each_field_is_reported_once() {
        let mut notices = Notices::new("users");
        let first = findings(1, &[r#"{"userID": "a"}"#, r#"{"UserID": "a", "plan": 1}"#, r#"{"plan": 2}"#]);
        assert_eq!(
            notices.of(first),
            [
                "users:2: `UserID` is no field of a user; did you mean `userID`?",
                "users:2: `plan` is no field of a user; fields of your own belong into `custom`"
            ]
        );
        let second = notices.of(findings(4, &[r#"{"plan": 1, "userID": 9007199254740993}"#]));
        assert!(second.len() == 1 && second[0].starts_with("users:4: an ID is a number above 2^53"), "{second:?}");
        assert!(notices.of(findings(5, &[r#"{"userID": 9007199254740993}"#])).is_empty());
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let mut notices = Notices::new("users");
        let lines: Vec<String> = (0..500).map(|at| format!("{{\"field {at}\": 1}}")).collect();
        let all: usize = lines
            .chunks(7)
            .map(|lines| {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                notices.of(findings(1, &lines)).len()
            })
            .sum();
        assert_eq!(all, MAX_NAMES + 1);
    }
}
