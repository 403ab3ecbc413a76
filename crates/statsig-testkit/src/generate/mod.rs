//! Made-up projects and users, plausible and otherwise, from a stream of bytes.
//!
//! In: [`Choices`], which property tests and fuzzers feed with arbitrary bytes and benchmarks with
//! [`seeded`] ones. Out: a [`Project`], to be written in either form of the config specs, and
//! [`user`]s whose attributes suit the project's conditions.
//!
//! Names come from small pools. So gates, segments, delegates, config mappings, experiment groups
//! and contextual bandits refer to each other, to themselves, in circles, to nothing, and through
//! chains longer than an evaluation may follow. With [`Style::Wild`], some fields also are missing,
//! given twice, or of a type that nobody expects.
//!
//! ```
//! use statsig_testkit::generate::{Choices, Style, project, seeded, user};
//!
//! let bytes = seeded(1, 4096);
//! let choices = Choices::new(&bytes);
//! let specs = project(&choices, Style::Tame).to_v2();
//! let user = user(&choices).to_string();
//! let statsig = statsig::Statsig::builder().bootstrap(specs).build()?;
//! statsig.check_gate(&serde_json::from_str(&user)?, "gate_0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod choices;
mod conditions;
mod extras;
mod node;
mod specs;
mod users;
mod values;

pub use choices::{Choices, seeded};
pub use node::Node;
pub use users::user;

use specs::{CONDITIONS, Spec};

/// How well-behaved a generated document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Every part has the types that the protocol says.
    Tame,
    /// About one field in a hundred is missing, repeated, or of another type.
    Wild,
}

impl Style {
    fn field(self, choices: &Choices<'_>, members: &mut Vec<(String, Node)>, name: &str, value: Node) {
        // One more decision for each field would make tame documents need twice the bytes.
        let accident = if self == Self::Wild && choices.one_in(96) { choices.below(3) } else { 3 };
        match accident {
            0 => {}
            1 => members.push((name.to_owned(), choices.wild())),
            2 => {
                members.push((name.to_owned(), choices.wild()));
                members.push((name.to_owned(), value));
            }
            _ => members.push((name.to_owned(), value)),
        }
    }
}

/// A project, in parts.
#[derive(Debug, Clone)]
pub struct Project {
    /// Conditions by id, shared by all rules.
    pub conditions: Vec<(String, Node)>,
    /// Feature gates by name, segments and holdouts included.
    pub gates: Vec<(String, Node)>,
    /// Dynamic configs by name, experiments included.
    pub configs: Vec<(String, Node)>,
    /// Layers by name.
    pub layers: Vec<(String, Node)>,
    /// The other members of the document.
    pub extras: Vec<(String, Node)>,
}

/// A project.
#[must_use]
pub fn project(choices: &Choices<'_>, style: Style) -> Project {
    let extras = extras::extras(choices, style);
    let condition = |at| (format!("c{at}"), conditions::condition(choices, style));
    let conditions = (0..CONDITIONS).map(condition).collect();
    let specs = |kind| {
        specs::names(kind)
            // Some names stay without a spec.
            .filter_map(|name| (!choices.one_in(10)).then(|| (name, specs::spec(choices, style, kind))))
            .collect::<Vec<_>>()
    };
    let (mut gates, configs, layers) = (specs(Spec::Gate), specs(Spec::Config), specs(Spec::Layer));
    let mut project = Project { conditions, gates: Vec::new(), configs, layers, extras };
    if choices.one_in(4) {
        chain(choices, &mut project.conditions, &mut gates);
    }
    project.gates = gates;
    project
}

/// Adds gates that ask each other in a row, up to and beyond the depth limit.
fn chain(choices: &Choices<'_>, conditions: &mut Vec<(String, Node)>, gates: &mut Vec<(String, Node)>) {
    let length = 60 + choices.below(20);
    let also = choices.below(CONDITIONS);
    for at in 0..length {
        let next = if at + 1 == length { specs::gate_name(choices) } else { format!("chain_{}", at + 1) };
        let id = format!("to_chain_{at}");
        conditions.push((
            id.clone(),
            Node::object([
                ("type", "pass_gate".into()),
                ("targetValue", Node::Text(next)),
                ("idType", "userID".into()),
            ]),
        ));
        // A condition in front of the next gate: it may fail, and the chain has to be followed all the same.
        let conditions = if at % 7 == 3 { vec![format!("c{also}"), id] } else { vec![id] };
        let rule = Node::object([
            ("name", "r".into()),
            ("id", "r".into()),
            ("passPercentage", Node::raw("100")),
            ("conditions", Node::List(conditions.into_iter().map(Node::Text).collect())),
            ("returnValue", true.into()),
            ("idType", "userID".into()),
        ]);
        gates.push((
            format!("chain_{at}"),
            Node::object([
                ("type", "feature_gate".into()),
                ("entity", "feature_gate".into()),
                ("salt", "s".into()),
                ("enabled", true.into()),
                ("defaultValue", false.into()),
                ("rules", Node::List(vec![rule])),
                ("idType", "userID".into()),
            ]),
        ));
    }
}

/// Names worth asking for, whether or not a project has them; the last of each kind never exists.
#[derive(Debug, Clone)]
pub struct Names {
    /// Of gates.
    pub gates: Vec<String>,
    /// Of configs and experiments.
    pub configs: Vec<String>,
    /// Of layers.
    pub layers: Vec<String>,
    /// Of parameter stores.
    pub stores: Vec<String>,
    /// Of the parameters in stores.
    pub parameters: Vec<String>,
}

impl Names {
    /// All names that [`project`] may use.
    #[must_use]
    pub fn all() -> Self {
        let of = |kind| specs::names(kind).chain([String::from("absent")]);
        let chain = [0, 5, 12, 25, 79].map(|at| format!("chain_{at}"));
        Self {
            gates: chain.into_iter().chain(of(Spec::Gate)).collect(),
            configs: of(Spec::Config).collect(),
            layers: of(Spec::Layer).collect(),
            stores: (0..4).map(|at| format!("store_{at}")).collect(),
            parameters: (0..6).map(|at| format!("p{at}")).collect(),
        }
    }
}

impl Project {
    /// The document in the current form: specs by name, conditions in a map of their own.
    #[must_use]
    pub fn to_v2(&self) -> String {
        let mut members = self.extras.clone();
        members.push(("condition_map".to_owned(), Node::Object(self.conditions.clone())));
        members.push(("feature_gates".to_owned(), Node::Object(self.gates.clone())));
        members.push(("dynamic_configs".to_owned(), Node::Object(self.configs.clone())));
        members.push(("layer_configs".to_owned(), Node::Object(self.layers.clone())));
        Node::Object(members).to_string()
    }

    /// The document in the legacy form: lists of specs, with the conditions inside their rules.
    #[must_use]
    pub fn to_v1(&self) -> String {
        let mut members = self.extras.clone();
        for (section, specs) in
            [("feature_gates", &self.gates), ("dynamic_configs", &self.configs), ("layer_configs", &self.layers)]
        {
            members
                .push((section.to_owned(), Node::List(specs.iter().map(|spec| self.with_conditions(spec)).collect())));
        }
        Node::Object(members).to_string()
    }

    fn with_conditions(&self, (name, spec): &(String, Node)) -> Node {
        let Node::Object(members) = spec else { return spec.clone() };
        let mut members = members.clone();
        members.insert(0, ("name".to_owned(), Node::text(name.clone())));
        for (_, rules) in members.iter_mut().filter(|(key, _)| key == "rules") {
            let Node::List(rules) = rules else { continue };
            for rule in rules {
                let Node::Object(rule) = rule else { continue };
                for (_, conditions) in rule.iter_mut().filter(|(key, _)| key == "conditions") {
                    let Node::List(conditions) = conditions else { continue };
                    conditions.iter_mut().for_each(|condition| self.put_in(condition));
                }
            }
        }
        Node::Object(members)
    }

    /// Replaces a condition's id by the condition.
    fn put_in(&self, condition: &mut Node) {
        let Node::Text(id) = condition else { return };
        if let Some((_, known)) = self.conditions.iter().find(|(key, _)| key == id) {
            *condition = known.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn tame_documents_are_sound_but_for_their_references() {
        for seed in 0..50 {
            let bytes = seeded(seed, 6_000);
            let project = project(&Choices::new(&bytes), Style::Tame);
            for text in [project.to_v2(), project.to_v1()] {
                let value: Value = serde_json::from_str(&text).unwrap();
                assert!(value["feature_gates"].is_object() || value["feature_gates"].is_array());
                let statsig = statsig::Statsig::builder().bootstrap(&text).build().unwrap();
                let skipped = |problem: &statsig::Problem| problem.kind == statsig::ProblemKind::SpecSkipped;
                assert!(!statsig.problems().iter().any(skipped), "{:?}", statsig.problems());
            }
        }
    }

    #[test]
    fn documents_vary() {
        let documents: std::collections::HashSet<String> =
            (0..50).map(|seed| project(&Choices::new(&seeded(seed, 6_000)), Style::Wild).to_v2()).collect();
        assert_eq!(documents.len(), 50);
    }

    #[test]
    fn no_bytes_give_the_smallest_project() {
        let project = project(&Choices::new(&[]), Style::Wild);
        assert!(serde_json::from_str::<Value>(&project.to_v2()).is_ok());
        assert_eq!(user(&Choices::new(&[])).to_string(), r#"{"userID":"user-0"}"#);
    }
}
