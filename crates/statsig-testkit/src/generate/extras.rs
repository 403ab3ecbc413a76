//! Config mappings, contextual bandits, parameter stores, and the keys of the whole document.

use super::specs::{ID_TYPES, Spec, config_value, gate_name, rule, spec_name};
use super::{Choices, Node, Style};

/// A kind of spec, for names that may be of any.
fn any_kind(choices: &Choices<'_>) -> Spec {
    choices.pick(&[Some(Spec::Config), Some(Spec::Config), Some(Spec::Gate), Some(Spec::Layer)]).unwrap_or(Spec::Config)
}

/// All top-level members beside the specs and conditions.
pub(super) fn extras(choices: &Choices<'_>, style: Style) -> Vec<(String, Node)> {
    let mut members = Vec::new();
    style.field(choices, &mut members, "has_updates", true.into());
    style.field(choices, &mut members, "time", Node::raw("1700000000000"));
    if choices.one_in(2) {
        style.field(choices, &mut members, "default_environment", Node::Text(choices.text()));
    }
    if choices.one_in(2) {
        let app = choices.value(1);
        style.field(choices, &mut members, "app_id", app);
    }
    if choices.one_in(2) {
        mappings(choices, style, &mut members);
    }
    if choices.one_in(2) {
        let count = choices.below(4);
        let cmabs: Vec<_> = (0..count).map(|_| (spec_name(choices, Spec::Config), cmab(choices, style))).collect();
        members.push(("cmab_configs".to_owned(), Node::Object(cmabs)));
    }
    if choices.one_in(2) {
        let count = choices.below(4);
        let stores: Vec<_> = (0..count).map(|at| (format!("store_{at}"), store(choices, style))).collect();
        members.push(("param_stores".to_owned(), Node::Object(stores)));
    }
    members
}

/// Which config takes another's place, cycles included.
fn mappings(choices: &Choices<'_>, style: Style, members: &mut Vec<(String, Node)>) {
    let rules: Vec<_> = (0..3).map(|at| (format!("o{at}"), rule(choices, style, Node::raw("true"), false))).collect();
    members.push(("override_rules".to_owned(), Node::Object(rules)));
    let count = choices.below(5);
    let overrides = (0..count)
        .map(|_| {
            let kind = any_kind(choices);
            let name = spec_name(choices, kind);
            let candidates = (0..choices.below(4))
                .map(|_| {
                    let new_name = spec_name(choices, kind);
                    let rule_name = Node::text(format!("o{}", choices.below(4)));
                    let start = Node::raw(choices.pick(&["0", "-1", "1600000000000", "9999999999999"]));
                    let mut when = vec![("rule_name".to_owned(), rule_name)];
                    style.field(choices, &mut when, "start_time", start);
                    let mut mapping = Vec::new();
                    style.field(choices, &mut mapping, "new_config_name", Node::Text(new_name));
                    style.field(choices, &mut mapping, "rules", Node::List(vec![Node::Object(when)]));
                    Node::Object(mapping)
                })
                .collect();
            (name, Node::List(candidates))
        })
        .collect();
    members.push(("overrides".to_owned(), Node::Object(overrides)));
}

fn cmab(choices: &Choices<'_>, style: Style) -> Node {
    let mut members = Vec::new();
    let salt = Node::Text(choices.text());
    style.field(choices, &mut members, "salt", salt);
    style.field(choices, &mut members, "defaultValue", config_value(choices));
    style.field(choices, &mut members, "idType", choices.pick(ID_TYPES).into());
    style.field(choices, &mut members, "enabled", (!choices.one_in(4)).into());
    style.field(choices, &mut members, "version", Node::raw("6"));
    style.field(choices, &mut members, "sampleRate", Node::raw(choices.pick(&["0", "0.1", "1", "-1", "1e300"])));
    style.field(choices, &mut members, "higherIsBetter", choices.one_in(2).into());
    let count = choices.below(4);
    let groups = (0..count)
        .map(|_| {
            let id = format!("g{}", choices.below(3));
            Node::object([
                ("name", Node::text(id.to_uppercase())),
                ("id", Node::Text(id)),
                ("parameterValues", config_value(choices)),
            ])
        })
        .collect();
    style.field(choices, &mut members, "groups", Node::List(groups));
    if choices.one_in(2) {
        let weights = (0..choices.below(4)).map(|at| (format!("g{at}"), weights(choices))).collect();
        style.field(choices, &mut members, "config", Node::Object(weights));
    }
    if choices.one_in(2) {
        let gate = gate_name(choices);
        style.field(choices, &mut members, "targetingGateName", Node::Text(gate));
    }
    Node::Object(members)
}

fn weights(choices: &Choices<'_>) -> Node {
    let by_value = Node::object([(choices.text(), choices.number()), (choices.text(), choices.number())]);
    Node::object([
        ("alpha", choices.number()),
        ("intercept", choices.number()),
        ("records", Node::raw(choices.pick(&["0", "10", "18446744073709551615"]))),
        ("weightsNumerical", Node::object([("level", choices.number())])),
        ("weightsCategorical", Node::object([("country", by_value)])),
    ])
}

fn store(choices: &Choices<'_>, style: Style) -> Node {
    let count = choices.below(6);
    let parameters = (0..count)
        .map(|at| {
            let parameter = choices.pick(&["color", "size", "absent"]);
            let mut members = vec![("ref_type".to_owned(), "x".into()), ("param_type".to_owned(), "string".into())];
            match choices.below(5) {
                0 => style.field(choices, &mut members, "value", choices.value(1)),
                1 => {
                    members.push(("gate_name".to_owned(), Node::Text(gate_name(choices))));
                    members.push(("pass_value".to_owned(), choices.value(1)));
                    members.push(("fail_value".to_owned(), choices.value(1)));
                }
                kind => {
                    let (key, spec) = match kind {
                        2 => ("config_name", Spec::Config),
                        3 => ("experiment_name", Spec::Config),
                        _ => ("layer_name", Spec::Layer),
                    };
                    members.push((key.to_owned(), Node::Text(spec_name(choices, spec))));
                    members.push(("param_name".to_owned(), parameter.into()));
                }
            }
            (format!("p{at}"), Node::Object(members))
        })
        .collect();
    Node::object([("parameters", Node::Object(parameters))])
}
