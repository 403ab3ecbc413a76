//! Gates, configs and layers that refer to each other.

use super::{Choices, Node, Style};

/// The fields that conditions look at.
pub(super) const FIELDS: &[&str] = &[
    "level",
    "Level",
    "userID",
    "userid",
    "user_id",
    "email",
    "EMAIL",
    "ip",
    "country",
    "Country",
    "locale",
    "appVersion",
    "app_version",
    "userAgent",
    "os_name",
    "osVersion",
    "browser_name",
    "browserversion",
    "tier",
    "TIER",
    "tags",
    "joined",
    "",
];

/// The id types of rules and conditions.
pub(super) const ID_TYPES: &[&str] = &["userID", "UserID", "companyID", "companyid", "user_id", ""];

const PERCENTAGES: &[&str] =
    &["100", "0", "50", "10.5", "99.99", "0.01", "33.333333", "1e-320", "-1", "1e300", "100.0", "99.999999999999999"];

const ENTITIES: &[&str] =
    &["feature_gate", "segment", "holdout", "dynamic_config", "experiment", "autotune", "layer", ""];

/// Parameters of configs, few enough that layers and their experiments share some.
const PARAMETERS: &[&str] = &["color", "size", "text", "n", ""];

/// How many conditions a document has, and a few more that rules name in vain.
pub(super) const CONDITIONS: usize = 24;

/// The kinds of specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spec {
    Gate,
    Config,
    Layer,
}

/// Names per kind; so few that references hit, miss, and come back to where they started.
const NAMES: usize = 10;

pub(super) fn name_at(kind: Spec, at: usize) -> String {
    match kind {
        Spec::Gate if at % 4 == 3 => format!("segment:{at}"),
        Spec::Gate => format!("gate_{at}"),
        Spec::Config => format!("config_{at}"),
        Spec::Layer => format!("layer_{at}"),
    }
}

pub(super) fn names(kind: Spec) -> impl Iterator<Item = String> {
    (0..NAMES).map(move |at| name_at(kind, at))
}

pub(super) fn spec_name(choices: &Choices<'_>, kind: Spec) -> String {
    name_at(kind, choices.below(NAMES))
}

/// Mostly a gate's name; now and then the end of a long chain, or nothing.
pub(super) fn gate_name(choices: &Choices<'_>) -> String {
    match choices.below(24) {
        22 => format!("chain_{}", choices.below(80)),
        23 => String::new(),
        _ => spec_name(choices, Spec::Gate),
    }
}

/// The value of a config: usually an object of a few parameters.
pub(super) fn config_value(choices: &Choices<'_>) -> Node {
    match choices.below(12) {
        9 => choices.value(2),
        10 => choices.object(2),
        11 => Node::raw(choices.pick(&["null", "true", "false"])),
        _ => {
            let count = choices.below(4);
            Node::object((0..count).map(|_| (choices.pick(PARAMETERS), choices.value(1))).collect::<Vec<_>>())
        }
    }
}

/// A rule; `delegates` tells whether it may hand over to an experiment.
pub(super) fn rule(choices: &Choices<'_>, style: Style, value: Node, delegates: bool) -> Node {
    let mut members = Vec::new();
    let id = format!("rule_{}", choices.below(6));
    style.field(choices, &mut members, "name", Node::text(id.clone()));
    style.field(choices, &mut members, "id", Node::text(id));
    if choices.one_in(2) {
        let salt = Node::Text(choices.text());
        style.field(choices, &mut members, "salt", salt);
    }
    style.field(choices, &mut members, "passPercentage", Node::raw(choices.pick(PERCENTAGES)));
    let count = choices.below(4);
    let conditions = (0..count)
        .map(|_| {
            let beyond = usize::from(choices.one_in(64)) * CONDITIONS;
            Node::text(format!("c{}", beyond + choices.below(CONDITIONS)))
        })
        .collect();
    style.field(choices, &mut members, "conditions", Node::List(conditions));
    style.field(choices, &mut members, "returnValue", value);
    style.field(choices, &mut members, "idType", choices.pick(ID_TYPES).into());
    if choices.one_in(2) {
        style.field(choices, &mut members, "groupName", choices.pick(&["Control", "Test", ""]).into());
        style.field(choices, &mut members, "isExperimentGroup", (!choices.one_in(3)).into());
    }
    if delegates && choices.one_in(3) {
        let delegate = spec_name(choices, Spec::Config);
        style.field(choices, &mut members, "configDelegate", Node::Text(delegate));
    }
    if choices.one_in(8) {
        style.field(choices, &mut members, "samplingRate", Node::raw(choices.pick(&["0", "1", "101"])));
    }
    Node::Object(members)
}

/// A gate, config or layer.
pub(super) fn spec(choices: &Choices<'_>, style: Style, kind: Spec) -> Node {
    let value = |choices: &Choices<'_>| match kind {
        Spec::Gate if !choices.one_in(8) => (!choices.one_in(8)).into(),
        _ => config_value(choices),
    };
    let mut members = Vec::new();
    let spec_type = if kind == Spec::Gate { "feature_gate" } else { "dynamic_config" };
    style.field(choices, &mut members, "type", spec_type.into());
    style.field(choices, &mut members, "entity", choices.pick(ENTITIES).into());
    let salt = Node::Text(choices.text());
    style.field(choices, &mut members, "salt", salt);
    style.field(choices, &mut members, "enabled", (!choices.one_in(8)).into());
    let default = if kind == Spec::Gate { choices.one_in(6).into() } else { value(choices) };
    style.field(choices, &mut members, "defaultValue", default);
    let count = choices.below(5);
    let rules = (0..count)
        .map(|_| {
            let value = value(choices);
            rule(choices, style, value, kind != Spec::Gate)
        })
        .collect();
    style.field(choices, &mut members, "rules", Node::List(rules));
    style.field(choices, &mut members, "idType", choices.pick(ID_TYPES).into());
    if choices.one_in(2) {
        style.field(choices, &mut members, "version", Node::raw(choices.below(9).to_string()));
    }
    for flag in ["isActive", "hasSharedParams", "forwardAllExposures"] {
        if choices.one_in(3) {
            style.field(choices, &mut members, flag, (!choices.one_in(3)).into());
        }
    }
    if kind == Spec::Layer {
        style.field(choices, &mut members, "useNewLayerEval", choices.one_in(2).into());
    }
    if choices.one_in(3) {
        let names = (0..choices.below(3)).map(|_| choices.pick(PARAMETERS).into()).collect();
        style.field(choices, &mut members, "explicitParameters", Node::List(names));
    }
    Node::Object(members)
}
