//! The places where this project differs from the recorded results on purpose.

use serde_json::Value;

use super::compare::Kind;

/// One documented difference: which fields it excuses, and why.
///
/// An exception that excuses nothing in a run over the whole corpus has outlived its reason; see
/// [`unused`].
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// A short name, unique among the exceptions of a run.
    pub name: &'static str,
    /// Why the difference is wanted, for whoever reads the list.
    pub reason: &'static str,
    /// Tells whether a difference is one of those meant.
    pub applies: fn(&Difference<'_>) -> bool,
}

/// A field that differs, with everything an [`Exception`] may ask about.
#[derive(Debug, Clone, Copy)]
pub struct Difference<'a> {
    /// The set.
    pub set: &'a str,
    /// The kind of the record.
    pub kind: Kind,
    /// The field, as differences are printed: `rule_id`, `params[color].rule_id`, …
    pub field: &'a str,
    /// The recorded result.
    pub expected_record: &'a Value,
    /// The result that is being checked; nothing if it is missing altogether.
    pub actual_record: Option<&'a Value>,
    /// What the field should hold; nothing if it should not be there.
    pub expected: Option<&'a Value>,
    /// What it holds; nothing if it is missing.
    pub actual: Option<&'a Value>,
}

impl Difference<'_> {
    /// A text field of the recorded result; `""` if there is none.
    #[must_use]
    pub fn recorded(&self, field: &str) -> &str {
        text(Some(self.expected_record), field)
    }

    /// A text field of the result that is being checked; `""` if there is none.
    #[must_use]
    pub fn found(&self, field: &str) -> &str {
        text(self.actual_record, field)
    }
}

fn text<'a>(record: Option<&'a Value>, field: &str) -> &'a str {
    record.and_then(|record| record.get(field)?.as_str()).unwrap_or_default()
}

/// The exceptions among these that excused nothing.
///
/// Worth asking only after the whole corpus was compared: a single set need not use them all.
#[must_use]
pub fn unused<'a>(exceptions: &'a [Exception], report: &super::Report) -> Vec<&'a Exception> {
    exceptions.iter().filter(|exception| !report.exceptions().contains_key(exception.name)).collect()
}

/// Every documented difference between this project and the official server core.
pub const DOCUMENTED: &[Exception] = &[
    Exception {
        name: "unsupported evaluations are neutral",
        reason: "after a condition or operator that it does not know, the reference returns what \
                 happened to be in its state; here the gate is off, the value empty and the rule \
                 ID blank",
        applies: neutral_when_unsupported,
    },
    Exception {
        name: "arrays of parameter stores keep their numbers",
        reason: "the binding that recorded the corpus turns every number at an array's top level \
                 into 0 unless it was written as a 64-bit integer",
        applies: recorded_array_lost_numbers,
    },
    Exception {
        name: "unsupported entries of a client response are neutral",
        reason: "the same in client-initialize responses, where an entry tells no reason: it is off, \
                 its value null, its rule ID blank",
        applies: neutral_in_client_response,
    },
    Exception {
        name: "a cycle leaves the rest of a client response alone",
        reason: "when any gate of a project is in a cycle or nests too deep, the reference answers \
                 with an empty response for the whole project; here only the entries concerned are \
                 missing",
        applies: recorded_response_was_blank,
    },
    Exception {
        name: "nothing of a targeting gate shows in its bandit",
        reason: "in a client-initialize response the reference lets the layer flag and the explicit \
                 parameters of a contextual bandit's targeting gate stand for the bandit's own",
        applies: recorded_bandit_has_parts_of_its_gate,
    },
    Exception {
        name: "users may spell their fields as other SDKs do",
        reason: "the reference reads only the wire names of a user's fields and passes over any \
                 other; here `user_id`, `app_version` and the like are read too",
        applies: user_was_spelled_with_aliases,
    },
    Exception {
        name: "a gate and a config of one name are two exposures",
        reason: "the reference takes an exposure for a repetition of another event that has the same \
                 name, rule, user and value; here the kind of event tells them apart",
        applies: deduplicated_across_kinds,
    },
    Exception {
        name: "checks without exposure expose nothing behind them",
        reason: "the reference logs the experiment behind an `experiment_group` condition even if the \
                 check was made with exposures switched off; here it is then logged with the next \
                 check that is exposed",
        applies: looked_up_without_exposure,
    },
    Exception {
        name: "patterns beyond the limits are unsupported",
        reason: "a pattern that is too large, or takes too many steps, never matches in the reference; \
                 here, where the limits are lower, the evaluation ends as with an unknown operator",
        applies: pattern_was_beyond_the_limits,
    },
    Exception {
        name: "integral floats are integers",
        reason: "the reference skips a spec whose version is written as a float without a fraction; \
                 here it counts as an integer, for scripts that rewrite payloads write all of them so",
        applies: version_was_an_integral_float,
    },
];

fn pattern_was_beyond_the_limits(difference: &Difference<'_>) -> bool {
    let starts = |reason: &str, with: &str| reason.split(':').next() == Some(with);
    difference.set == "corners_patterns"
        && difference.kind == Kind::Gate
        && matches!(difference.field, "value" | "rule_id" | "reason")
        && starts(difference.recorded("reason"), "Recognized")
        && starts(difference.found("reason"), "Unsupported")
        && difference.recorded("rule_id") == "default"
}

fn version_was_an_integral_float(difference: &Difference<'_>) -> bool {
    const SPECS: [&str; 2] = ["spec 14", "lay 14"];
    let names = |list: Option<&Value>| {
        let names = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| !SPECS.contains(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    if difference.set != "corners_graph" {
        return false;
    }
    if difference.kind == Kind::Lists {
        return names(difference.expected) == names(difference.actual);
    }
    // The last one is a layer that hands over to the first.
    SPECS.contains(&difference.recorded("name")) || difference.recorded("name") == "del 14"
}

/// The exposure of a look-up, in a set where checks that look experiments up are made without
/// exposure: missing where it is recorded, or there later.
fn looked_up_without_exposure(difference: &Difference<'_>) -> bool {
    let recorded = || {
        let at = difference.field.strip_prefix("events[")?.strip_suffix(']')?.parse::<usize>().ok()?;
        difference.expected_record.get("events")?.get(at)
    };
    let event = match (difference.expected, difference.actual) {
        (Some(_), None) => recorded(),
        (None, Some(event)) => Some(event),
        _ => None,
    };
    let metadata = |event: &Value| event.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    difference.set == "experiments"
        && difference.kind == Kind::Script
        && difference.actual_record.is_some()
        && event.is_some_and(|event| {
            let metadata = metadata(event);
            event.get("eventName") == Some(&"statsig::config_exposure".into())
                && !metadata.contains_key("rulePassed")
                && !metadata.contains_key("isManualExposure")
        })
}

/// An event that is not recorded, because a gate of the same name was checked with the same result.
fn deduplicated_across_kinds(difference: &Difference<'_>) -> bool {
    let (None, Some(event)) = (difference.expected, difference.actual) else { return false };
    let of = |event: &Value, pointer: &str| event.pointer(pointer).cloned();
    let recorded = difference.expected_record.get("events").and_then(Value::as_array);
    of(event, "/eventName") == Some("statsig::config_exposure".into())
        && recorded.into_iter().flatten().any(|gate| {
            of(gate, "/eventName") == Some("statsig::gate_exposure".into())
                && of(gate, "/metadata/gate") == of(event, "/metadata/config")
                && of(gate, "/metadata/ruleID") == of(event, "/metadata/ruleID")
                && of(gate, "/metadata/gateValue") == of(event, "/metadata/rulePassed")
                && gate.get("user") == event.get("user")
        })
}

fn neutral_when_unsupported(difference: &Difference<'_>) -> bool {
    let unsupported = |reason: &str| reason.split(':').next() == Some("Unsupported");
    if !unsupported(difference.recorded("reason")) || !unsupported(difference.found("reason")) {
        return false;
    }
    match (difference.field, difference.actual) {
        ("value", Some(Value::Bool(value))) => !value,
        ("value", Some(Value::Object(value))) => value.is_empty(),
        ("rule_id", Some(Value::String(rule))) => rule.is_empty(),
        ("rule_passed", Some(Value::Bool(passed))) => !passed,
        // The parameters of a value that is not there have no exposures.
        (field, None) => field.starts_with("params["),
        _ => false,
    }
}

/// The entry of a client response that a field is part of, and the rest of the field.
fn entry_of<'a>(difference: &Difference<'a>) -> Option<(&'a Value, &'a str)> {
    let (section, rest) = difference.field.strip_prefix("response.")?.split_once('[')?;
    let (name, field) = rest.rsplit_once("].")?;
    let entry = difference.actual_record?.get("response")?.get(section)?.get(name)?;
    (difference.kind == Kind::Gcir).then_some((entry, field))
}

fn neutral_in_client_response(difference: &Difference<'_>) -> bool {
    let Some((entry, "value" | "rule_id" | "group")) = entry_of(difference) else { return false };
    let is_blank = |field: &str| entry.get(field).is_none_or(|text| text == "");
    is_blank("rule_id") && is_blank("group") && matches!(entry.get("value"), Some(Value::Bool(false) | Value::Null))
}

fn recorded_bandit_has_parts_of_its_gate(difference: &Difference<'_>) -> bool {
    let Some((entry, "is_in_layer" | "explicit_parameters")) = entry_of(difference) else { return false };
    let is_bandit = entry.get("rule_id").and_then(Value::as_str).is_some_and(|rule| rule.ends_with(":explore"));
    is_bandit && difference.actual.is_none() && difference.set == "corners_client_response"
}

fn recorded_response_was_blank(difference: &Difference<'_>) -> bool {
    let says = |record: Option<&Value>, updates: bool| {
        record.and_then(|record| record.get("response")?.get("has_updates")) == Some(&Value::Bool(updates))
    };
    let is_blank = match (difference.field, difference.expected) {
        ("response.has_updates", Some(Value::Bool(updates))) => !updates,
        ("response.time", Some(Value::Number(time))) => time.as_u64() == Some(0),
        ("response.hash_used", Some(Value::String(hash))) => hash.is_empty(),
        ("response.evaluated_keys", Some(Value::Object(keys))) => keys.is_empty(),
        // Whatever is in a section.
        (field, None) => field.ends_with(']'),
        _ => false,
    };
    difference.kind == Kind::Gcir
        && is_blank
        && says(Some(difference.expected_record), false)
        && says(difference.actual_record, true)
}

fn user_was_spelled_with_aliases(difference: &Difference<'_>) -> bool {
    difference.recorded("user") == "aliases_on_the_wire" && difference.set.starts_with("corners_lookups")
}

fn recorded_array_lost_numbers(difference: &Difference<'_>) -> bool {
    let (Some(Value::Array(expected)), Some(Value::Array(actual))) = (difference.expected, difference.actual) else {
        return false;
    };
    let as_recorded = |actual: &Value| match actual {
        Value::Number(number) if !number.is_i64() => Value::from(0),
        other => other.clone(),
    };
    difference.kind == Kind::Param
        && expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(expected, actual)| super::equality::same(expected, &as_recorded(actual)))
}
