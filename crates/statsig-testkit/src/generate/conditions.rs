//! Conditions: every type with every operator and all kinds of targets.

use super::specs::{FIELDS, ID_TYPES, Spec, gate_name, spec_name};
use super::{Choices, Node, Style};

const TYPES: &[&str] = &[
    "public",
    "user_field",
    "user_field",
    "user_field",
    "pass_gate",
    "pass_gate",
    "fail_gate",
    "user_bucket",
    "unit_id",
    "ip_based",
    "ua_based",
    "environment_field",
    "current_time",
    "target_app",
    "experiment_group",
    "multi_pass_gate",
    "multi_fail_gate",
    "PUBLIC",
    "moon_phase",
];

const OPERATORS: &[&str] = &[
    "any",
    "none",
    "any_case_sensitive",
    "none_case_sensitive",
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "version_gt",
    "version_gte",
    "version_lt",
    "version_lte",
    "version_eq",
    "version_neq",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "str_contains_none",
    "str_matches",
    "before",
    "after",
    "on",
    "in_segment_list",
    "not_in_segment_list",
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
    "encoded_any",
    "ANY",
];

/// A condition.
pub(super) fn condition(choices: &Choices<'_>, style: Style) -> Node {
    let kind = choices.pick(TYPES);
    let operator = choices.pick(OPERATORS);
    let target = match kind {
        "pass_gate" | "fail_gate" => Node::text(gate_name(choices)),
        "multi_pass_gate" | "multi_fail_gate" => {
            let count = choices.below(4);
            Node::List((0..count).map(|_| Node::text(gate_name(choices))).collect())
        }
        "user_bucket" if choices.one_in(2) => Node::object(
            (0..choices.below(8)).map(|_| (choices.below(256).to_string(), true.into())).collect::<Vec<_>>(),
        ),
        _ => target(choices, operator),
    };
    let field = match kind {
        "experiment_group" => spec_name(choices, Spec::Config),
        _ => choices.pick(FIELDS).to_owned(),
    };
    let mut members = Vec::new();
    style.field(choices, &mut members, "type", kind.into());
    style.field(choices, &mut members, "targetValue", target);
    if !choices.one_in(32) {
        style.field(choices, &mut members, "operator", operator.into());
    }
    if !choices.one_in(16) {
        style.field(choices, &mut members, "field", Node::Text(field));
    }
    if choices.one_in(3) {
        let salt = Node::object([("salt", Node::Text(choices.text()))]);
        style.field(choices, &mut members, "additionalValues", salt);
    }
    style.field(choices, &mut members, "idType", choices.pick(ID_TYPES).into());
    Node::Object(members)
}

/// A target that suits the operator most of the time.
fn target(choices: &Choices<'_>, operator: &str) -> Node {
    if choices.one_in(6) {
        return choices.value(2);
    }
    match operator {
        "gt" | "gte" | "lt" | "lte" | "before" | "after" | "on" => {
            if choices.one_in(3) {
                Node::Text(choices.text())
            } else {
                choices.number()
            }
        }
        "str_matches" => choices.pattern(),
        "eq" | "neq" => choices.value(1),
        _ if operator.starts_with("version_") => Node::Text(choices.text()),
        "in_segment_list" | "not_in_segment_list" => Node::text(choices.pick(&["list", "absent"])),
        _ => choices.list(0),
    }
}
