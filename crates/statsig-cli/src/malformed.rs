//! Specs that a document holds and that cannot be used, by section and name.

use statsig_core::{ProblemKind, Ruleset};

use crate::questions::Kind;

/// A spec that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The kind that a listing puts it under: the section does not tell configs from experiments.
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Sections of specs, and the kinds of those that they hold.
const SECTIONS: [(&str, Kind); 4] = [
    ("feature_gates.", Kind::Gate),
    ("dynamic_configs.", Kind::DynamicConfig),
    ("layer_configs.", Kind::Layer),
    ("param_stores.", Kind::ParameterStore),
];

/// Lists the specs of a ruleset that were skipped.
pub(crate) fn list(ruleset: &Ruleset) -> Vec<Malformed> {
    let skipped = [ProblemKind::SpecSkipped, ProblemKind::PartSkipped];
    let problems = ruleset.problems().iter().filter(|problem| skipped.contains(&problem.kind));
    let specs = problems.filter_map(|problem| {
        let (prefix, kind) = SECTIONS.iter().find(|(prefix, _)| problem.path.starts_with(prefix))?;
        let name = problem.path[prefix.len()..].to_owned();
        Some(Malformed { kind: *kind, name, reason: without_place(&problem.message).to_owned() })
    });
    specs.collect()
}

/// A message of a parser without the line and column at its end, which are those of a part.
fn without_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}
