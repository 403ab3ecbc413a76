//! Which fields of each kind of record are compared, and under which name they are counted.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compare::{Checker, Pair};

/// A field and the category that it counts in.
type Field = (&'static str, &'static str);

const GATE: &[Field] = &[
    ("value", "gate value"),
    ("rule_id", "gate rule id"),
    ("id_type", "id type"),
    ("version", "version"),
    ("secondary_exposures", "gate secondary exposures"),
];

const DYNAMIC_CONFIG: &[Field] = &[
    ("value", "config value"),
    ("rule_id", "config rule id"),
    ("id_type", "id type"),
    ("version", "version"),
    ("rule_passed", "config rule passed"),
    ("secondary_exposures", "config secondary exposures"),
];

const EXPERIMENT: &[Field] = &[
    ("value", "experiment value"),
    ("rule_id", "experiment rule id"),
    ("id_type", "id type"),
    ("version", "version"),
    ("group_name", "group name"),
    ("is_experiment_active", "experiment active"),
    ("secondary_exposures", "experiment secondary exposures"),
];

const LAYER: &[Field] = &[
    ("value", "layer value"),
    ("rule_id", "layer rule id"),
    ("id_type", "id type"),
    ("version", "version"),
    ("group_name", "group name"),
    ("is_experiment_active", "experiment active"),
    ("allocated_experiment_name", "layer allocated experiment"),
    ("secondary_exposures", "layer secondary exposures"),
];

/// The parts of a client-initialize response that hold one entry per spec.
const SECTIONS: &[Field] = &[
    ("feature_gates", "client response gate"),
    ("dynamic_configs", "client response config"),
    ("layer_configs", "client response layer"),
    ("param_stores", "client response parameter store"),
];

pub(super) fn gate(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    evaluated(checker, pair, GATE);
}

pub(super) fn dynamic_config(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    evaluated(checker, pair, DYNAMIC_CONFIG);
}

pub(super) fn experiment(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    evaluated(checker, pair, EXPERIMENT);
}

/// A layer, and what the exposure of each of its parameters says.
pub(super) fn layer(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    evaluated(checker, pair, LAYER);
    let Some(params) = pair.expected.get("params").and_then(Value::as_object) else {
        return;
    };
    let actual_params = pair.actual.and_then(|record| record.get("params"));
    for (param, expected) in params {
        let actual = actual_params.and_then(|params| params.get(param));
        for (field, expected) in expected.as_object().into_iter().flatten() {
            checker.check(
                pair,
                &format!("layer parameter {}", field.replace('_', " ")),
                format_args!("params[{param}].{field}"),
                Some(expected),
                actual.and_then(|param| param.get(field)),
            );
        }
    }
}

/// A record with one value and nothing else.
pub(super) fn whole_value(checker: &mut Checker<'_>, pair: &Pair<'_>, category: &str) {
    let actual = pair.actual.and_then(|record| record.get("value"));
    let field = format_args!("value");
    checker.check(pair, category, field, pair.expected.get("value"), actual);
}

pub(super) fn lists(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    for (field, expected) in pair.expected.as_object().into_iter().flatten() {
        if field != "kind" {
            let actual = pair.actual.and_then(|record| record.get(field));
            let place = format_args!("{field}");
            checker.check(pair, "list of names", place, Some(expected), actual);
        }
    }
}

pub(super) fn gcir_record(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    let actual = pair.actual.and_then(|record| record.get("response"));
    if let Some(expected) = pair.expected.get("response") {
        client_response(checker, pair, "response", expected, actual);
    }
}

/// What each call of a script returned; calls without an answer are passed over.
pub(super) fn script_results(checker: &mut Checker<'_>, pair: &Pair<'_>) {
    let results = pair.expected.get("results").and_then(Value::as_array);
    for (index, expected) in results.into_iter().flatten().enumerate() {
        let actual = pair.actual.and_then(|record| record.get("results")?.get(index));
        let Some(fields) = expected.as_object() else {
            continue;
        };
        if fields.contains_key("feature_gates") {
            let place = format!("results[{index}]");
            client_response(checker, pair, &place, expected, actual);
            continue;
        }
        for (field, expected) in fields {
            let actual = actual.and_then(|result| result.get(field));
            let (expected, actual) = without_detail(field, Some(expected), actual);
            checker.check(
                pair,
                &format!("script call {}", field.replace('_', " ")),
                format_args!("results[{index}].{field}"),
                expected.as_deref(),
                actual.as_deref(),
            );
        }
    }
}

/// The fields of one evaluation that were recorded, and its reason.
fn evaluated(checker: &mut Checker<'_>, pair: &Pair<'_>, fields: &[Field]) {
    let reason = [("reason", "evaluation reason")];
    for (field, category) in fields.iter().chain(&reason) {
        if let Some(expected) = pair.expected.get(field) {
            let actual = pair.actual.and_then(|record| record.get(field));
            let (expected, actual) = without_detail(field, Some(expected), actual);
            checker.check(pair, category, format_args!("{field}"), expected.as_deref(), actual.as_deref());
        }
    }
}

fn client_response(checker: &mut Checker<'_>, pair: &Pair<'_>, place: &str, expected: &Value, actual: Option<&Value>) {
    let empty = Map::new();
    let expected = expected.as_object().unwrap_or(&empty);
    let actual = actual.and_then(Value::as_object).unwrap_or(&empty);
    for (section, label) in SECTIONS {
        let side = |response: &Map<String, Value>| {
            response.get(*section).and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let place = format!("{place}.{section}");
        spec_section(checker, pair, &place, label, &side(expected), &side(actual));
    }
    for field in keys(expected, actual) {
        if field != "sdkInfo" && SECTIONS.iter().all(|(section, _)| *section != field) {
            checker.check(
                pair,
                &format!("client response {field}"),
                format_args!("{place}.{field}"),
                expected.get(field),
                actual.get(field),
            );
        }
    }
}

fn spec_section(
    checker: &mut Checker<'_>,
    pair: &Pair<'_>,
    place: &str,
    label: &str,
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
) {
    let whole = label.ends_with("store");
    for name in keys(expected, actual) {
        let (expected, actual) = (expected.get(name), actual.get(name));
        if whole || expected.is_none() || actual.is_none() {
            let place = format_args!("{place}[{name}]");
            checker.check(pair, label, place, expected, actual);
            continue;
        }
        let empty = Map::new();
        let expected = expected.and_then(Value::as_object).unwrap_or(&empty);
        let actual = actual.and_then(Value::as_object).unwrap_or(&empty);
        for field in keys(expected, actual) {
            checker.check(
                pair,
                &format!("{label} {field}"),
                format_args!("{place}[{name}].{field}"),
                expected.get(field),
                actual.get(field),
            );
        }
    }
}

/// The keys of both, each once, sorted.
pub(super) fn keys<'a>(a: &'a Map<String, Value>, b: &'a Map<String, Value>) -> BTreeSet<&'a str> {
    a.keys().chain(b.keys()).map(String::as_str).collect()
}

/// Cuts the detail from both sides of a `reason`; leaves any other field alone.
pub(super) fn without_detail<'a>(
    field: &str,
    expected: Option<&'a Value>,
    actual: Option<&'a Value>,
) -> (Option<Cow<'a, Value>>, Option<Cow<'a, Value>>) {
    let cut = |value: &'a Value| match value {
        Value::String(reason) if field == "reason" => Cow::Owned(base_reason(reason).into()),
        value => Cow::Borrowed(value),
    };
    (expected.map(cut), actual.map(cut))
}

/// The part of a reason that is compared: before the first colon, or before the second one where
/// a local override answered.
fn base_reason(reason: &str) -> &str {
    let parts = if reason.starts_with("LocalOverride:") { 2 } else { 1 };
    reason.match_indices(':').nth(parts - 1).map_or(reason, |(end, _)| &reason[..end])
}

#[cfg(test)]
mod tests {
    use super::base_reason;

    #[test]
    fn reasons_lose_their_detail() {
        let cases = [
            ("Recognized", "Recognized"),
            ("Recognized:IdListInMemory", "Recognized"),
            ("Error:Statsig Evaluation Depth Exceeded", "Error"),
            ("LocalOverride:Recognized", "LocalOverride:Recognized"),
            ("LocalOverride:Recognized:more", "LocalOverride:Recognized"),
            ("LocalOverride", "LocalOverride"),
            ("", ""),
        ];
        for (reason, base) in cases {
            assert_eq!(base_reason(reason), base);
        }
    }
}
