//! Comparing what a script logged.
//!
//! Both lists of events are lined up first, by what each event is about, so that one missing event
//! is reported as missing instead of as a difference in every event after it.

use serde_json::{Map, Value};

use super::compare::{Checker, Pair};
use super::fields::{keys, without_detail};

/// Most cells of the table that lines up two lists of events; beyond it, the parts of the lists
/// that differ are taken as missing and extra.
const MOST_CELLS: usize = 4_000_000;

/// Fields of an event that stand beside its metadata.
const FIELDS: [&str; 4] = ["value", "user", "secondaryExposures", "statsigMetadata"];

pub(super) fn script_events(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    let expected = events_of(pair.expected);
    let actual = pair.actual.map_or(&[][..], events_of);
    for (index, step) in align(&subjects(expected), &subjects(actual)).into_iter().enumerate() {
        let (Step::Both(e, _) | Step::Missing(e)) = step else {
            if let Step::Extra(a) = step {
                let place = format_args!("events[+{a}]");
                checker.check(pair, "event in order", place, None, actual.get(a));
            }
            continue;
        };
        let found = match step {
            Step::Both(_, a) => actual.get(a),
            _ => None,
        };
        let subject = Value::from(subject(&expected[e]).describe());
        let present = found.is_some().then_some(&subject);
        let place = format_args!("events[{index}]");
        checker.check(pair, "event in order", place, Some(&subject), present);
        if let Some(found) = found {
            event(checker, pair, e, &expected[e], found);
        }
    }
}

fn events_of(record: &Value) -> &[Value] {
    record.get("events").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Compares two events that are about the same.
fn event(checker: &mut Checker<'_>, pair: &Pair<'_>, index: usize, expected: &Value, actual: &Value) {
    let empty_list = Value::Array(Vec::new());
    for field in FIELDS {
        let (mut e, mut a) = (expected.get(field), actual.get(field));
        if e.is_none() && a.is_none() {
            continue;
        }
        if matches!(field, "secondaryExposures" | "statsigMetadata") {
            // Nothing may be written as null, as an empty list, or be left out.
            e = e.filter(|value| !is_empty(value)).or(Some(&empty_list));
            a = a.filter(|value| !is_empty(value)).or(Some(&empty_list));
        }
        let place = format_args!("events[{index}].{field}");
        checker.check(pair, &format!("event {field}"), place, e, a);
    }
    let empty = Map::new();
    let metadata = |event| Value::get(event, "metadata").and_then(Value::as_object);
    let expected = metadata(expected).unwrap_or(&empty);
    let actual = metadata(actual).unwrap_or(&empty);
    for key in keys(expected, actual) {
        let (e, a) = without_detail(key, expected.get(key), actual.get(key));
        checker.check(
            pair,
            &format!("event metadata {key}"),
            format_args!("events[{index}].metadata.{key}"),
            e.as_deref(),
            a.as_deref(),
        );
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// What an event is about: enough to tell which events belong together.
#[derive(PartialEq)]
struct Subject<'a> {
    event: Option<&'a Value>,
    spec: Option<&'a Value>,
    parameter: Option<&'a Value>,
    user: Option<&'a Value>,
}

impl Subject<'_> {
    fn describe(&self) -> String {
        [self.event, self.spec, self.parameter, self.user]
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn subject(event: &Value) -> Subject<'_> {
    let metadata = event.get("metadata");
    let named = |key| metadata.and_then(|fields| fields.get(key));
    Subject {
        event: event.get("eventName"),
        spec: named("gate").or_else(|| named("config")),
        parameter: named("parameterName"),
        user: event.get("user").and_then(|user| user.get("userID")),
    }
}

fn subjects(events: &[Value]) -> Vec<Subject<'_>> {
    events.iter().map(subject).collect()
}

/// One step of an alignment, by position in either list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Both(usize, usize),
    Missing(usize),
    Extra(usize),
}

/// Lines up two lists along their longest common subsequence.
fn align<T: PartialEq>(expected: &[T], actual: &[T]) -> Vec<Step> {
    let same_start = expected.iter().zip(actual).take_while(|(e, a)| e == a).count();
    let mut steps: Vec<Step> = (0..same_start).map(|i| Step::Both(i, i)).collect();
    let (rest_e, rest_a) = (&expected[same_start..], &actual[same_start..]);
    let (rows, columns) = (rest_e.len(), rest_a.len());
    let (mut e, mut a) = (0, 0);
    if rows.saturating_mul(columns) <= MOST_CELLS {
        // longest[i][j]: length of the longest common subsequence of rest_e[i..] and rest_a[j..].
        let mut longest = vec![vec![0_u32; columns + 1]; rows + 1];
        for i in (0..rows).rev() {
            for j in (0..columns).rev() {
                longest[i][j] = if rest_e[i] == rest_a[j] {
                    longest[i + 1][j + 1] + 1
                } else {
                    longest[i + 1][j].max(longest[i][j + 1])
                };
            }
        }
        while e < rows && a < columns {
            if rest_e[e] == rest_a[a] {
                steps.push(Step::Both(same_start + e, same_start + a));
                (e, a) = (e + 1, a + 1);
            } else if longest[e + 1][a] >= longest[e][a + 1] {
                steps.push(Step::Missing(same_start + e));
                e += 1;
            } else {
                steps.push(Step::Extra(same_start + a));
                a += 1;
            }
        }
    }
    steps.extend((e..rows).map(|i| Step::Missing(same_start + i)));
    steps.extend((a..columns).map(|i| Step::Extra(same_start + i)));
    steps
}

#[cfg(test)]
mod tests {
    use super::{Step, align};

    #[test]
    fn lists_are_lined_up_around_what_is_missing_or_extra() {
        use Step::{Both, Extra, Missing};
        let aligned = |e: &str, a: &str| align(e.as_bytes(), a.as_bytes());
        assert_eq!(aligned("", ""), []);
        assert_eq!(aligned("ab", "ab"), [Both(0, 0), Both(1, 1)]);
        assert_eq!(aligned("abc", "ac"), [Both(0, 0), Missing(1), Both(2, 1)]);
        assert_eq!(aligned("ac", "abc"), [Both(0, 0), Extra(1), Both(1, 2)]);
        assert_eq!(aligned("a", "b"), [Missing(0), Extra(0)]);
        assert_eq!(aligned("aab", "ab"), [Both(0, 0), Missing(1), Both(2, 1)]);
    }

    #[test]
    fn huge_lists_are_not_lined_up_cell_by_cell() {
        let expected = vec![1_u8; 3_000];
        let actual = vec![2_u8; 3_000];
        let steps = align(&expected, &actual);
        assert_eq!(steps.len(), 6_000);
        assert_eq!(steps[0], Step::Missing(0));
        assert_eq!(steps[5_999], Step::Extra(2_999));
    }
}
