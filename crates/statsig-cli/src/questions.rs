//! Names that are evaluated for each user, by kind, and suggestions for names that the project does not have.

use std::collections::HashSet;

use serde::Serialize;
use statsig::{Entity, Reason, Statsig, StatsigUser};

use crate::malformed::{self, Malformed};
use crate::text::clean;
use crate::warnings::Warnings;

/// A kind of value: which call of the SDK is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Gate,
    DynamicConfig,
    Experiment,
    Layer,
    ParameterStore,
}

impl Kind {
    /// The word in tables, and the option that asks for it.
    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::DynamicConfig => "config",
            Self::Experiment => "experiment",
            Self::Layer => "layer",
            Self::ParameterStore => "store",
        }
    }

    fn of(entity: Entity) -> Option<Self> {
        match entity {
            Entity::FeatureGate | Entity::Segment | Entity::Holdout => Some(Self::Gate),
            Entity::DynamicConfig | Entity::Autotune => Some(Self::DynamicConfig),
            Entity::Experiment => Some(Self::Experiment),
            Entity::Layer => Some(Self::Layer),
            _ => None,
        }
    }
}

/// One thing to evaluate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The reason why the project's spec of that name cannot be used.
    pub(crate) malformed: Option<String>,
}

/// Names of the command line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) gates: &'a [String],
    pub(crate) configs: &'a [String],
    pub(crate) experiments: &'a [String],
    pub(crate) layers: &'a [String],
    pub(crate) stores: &'a [String],
    pub(crate) all: bool,
}

/// Everything to evaluate, in order and without repetition.
#[derive(Debug)]
pub(crate) struct Questions {
    list: Vec<Question>,
    /// Those whose name the project does not have.
    unknown: Vec<Question>,
}

impl Questions {
    /// The names as given, and with `all` those that the project lists after them.
    pub(crate) fn new(statsig: &Statsig, asked: &Asked<'_>) -> Self {
        let listed = |list: &dyn Fn() -> Vec<String>| if asked.all { list() } else { Vec::new() };
        let kinds = [
            (Kind::Gate, asked.gates, listed(&|| statsig.get_feature_gate_list())),
            (
                Kind::DynamicConfig,
                asked.configs,
                listed(&|| [statsig.get_dynamic_config_list(), statsig.get_autotune_list()].concat()),
            ),
            (Kind::Experiment, asked.experiments, listed(&|| statsig.get_experiment_list())),
            (Kind::Layer, asked.layers, listed(&|| statsig.get_layer_list())),
            (Kind::ParameterStore, asked.stores, listed(&|| statsig.get_parameter_store_list())),
        ];
        let snapshot = statsig.snapshot();
        let malformed = malformed::list(snapshot.ruleset());
        let reason = |kind: Kind, name: &str| malformed::reason(snapshot.ruleset(), kind, name);
        let mut seen = HashSet::new();
        let mut list = Vec::new();
        for (kind, given, names) in kinds {
            for name in given.iter().cloned().chain(names) {
                if seen.insert((kind, name.clone())) {
                    list.push(Question { malformed: reason(kind, &name), kind, name });
                }
            }
            for Malformed { kind, name, reason } in malformed.iter().filter(|spec| asked.all && spec.kind == kind) {
                // An experiment that was asked for is not asked for again as a config.
                let is_asked = |other: Kind| seen.contains(&(other, name.clone()));
                if !(is_asked(*kind) || *kind == Kind::DynamicConfig && is_asked(Kind::Experiment)) {
                    list.push(Question { malformed: Some(reason.clone()), kind: *kind, name: name.clone() });
                    seen.insert((*kind, name.clone()));
                }
            }
        }
        let nobody = StatsigUser::new();
        let unknown = list.iter().filter(|question| !is_known(statsig, question, &nobody)).cloned().collect();
        Self { list, unknown }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Question> {
        self.list.iter()
    }

    /// Returns whether the project has every name.
    pub(crate) fn all_known(&self) -> bool {
        self.unknown.is_empty()
    }

    /// Warns of each name that the project does not have, with what may have been meant, and of each spec that cannot
    /// be used.
    ///
    /// `hint` makes of a kind and a name the arguments that ask for it.
    pub(crate) fn warn_of_unknown(&self, statsig: &Statsig, hint: impl Fn(&str, &str) -> String, warnings: Warnings) {
        for question in &self.unknown {
            let name = clean(&question.name);
            let kind = question.kind.short();
            if let Some(reason) = &question.malformed {
                let reason = clean(reason);
                warnings.warn(&format!("the {kind} `{name}` cannot be used, its spec is malformed: {reason}"));
                continue;
            }
            let meant = suggestion(statsig, question, &hint).map(|meant| format!("; {meant}")).unwrap_or_default();
            warnings.warn(&format!("the project has no {kind} `{name}`{meant}"));
        }
    }
}

/// Returns whether the project has it, as the evaluation itself sees it.
fn is_known(statsig: &Statsig, question: &Question, nobody: &StatsigUser) -> bool {
    let name = &question.name;
    let reason = match question.kind {
        Kind::Gate => statsig.get_feature_gate(nobody, name).details().kind(),
        Kind::DynamicConfig => statsig.get_dynamic_config(nobody, name).details().kind(),
        Kind::Experiment => statsig.get_experiment(nobody, name).details().kind(),
        Kind::Layer => statsig.get_layer(nobody, name).details().kind(),
        Kind::ParameterStore => statsig.get_parameter_store(nobody, name).details().kind(),
    };
    reason != Reason::Unrecognized
}

/// Suggests the same name of another kind, or the most similar name of any kind.
fn suggestion(statsig: &Statsig, asked: &Question, hint: impl Fn(&str, &str) -> String) -> Option<String> {
    let snapshot = statsig.snapshot();
    let ruleset = snapshot.ruleset();
    let specs = ruleset.entities().filter_map(|(name, entity, _)| Some((Kind::of(entity)?, name)));
    let stores = ruleset.parameter_store_names().into_iter().map(|name| (Kind::ParameterStore, name));
    let (distance, kind, name) = specs
        .chain(stores)
        .map(|(kind, name)| (strsim::osa_distance(name, &asked.name), kind, name))
        // Names stand in the ruleset in an order of its own.
        .min_by_key(|&(distance, kind, name)| (distance, kind != asked.kind, name))?;
    let near = 1.max(asked.name.chars().count() / 3);
    let (word, shown) = (kind.short(), clean(name));
    match distance {
        0 => Some(format!("it has the {word} `{shown}`: {}", hint(word, name))),
        _ if distance <= near && kind == asked.kind => Some(format!("did you mean `{shown}`?")),
        _ if distance <= near => Some(format!("did you mean the {word} `{shown}`: {}?", hint(word, name))),
        _ => None,
    }
}
