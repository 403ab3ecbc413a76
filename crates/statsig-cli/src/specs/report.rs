//! Collects the facts about a document.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use statsig_core::{Entity, Ruleset};

use crate::malformed;
use crate::questions::Kind;

/// How many of the largest specs are shown.
const LARGEST: usize = 5;

/// Everything that `statsig specs` says; serializes to its JSON form.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    /// `v1` or `v2`.
    pub(super) format: &'static str,
    /// When the project last changed, in milliseconds since 1970.
    pub(super) time: u64,
    pub(super) app_id: Option<serde_json::Value>,
    pub(super) default_environment: Option<String>,
    pub(super) sizes: Sizes,
    /// How many specs of each entity, and how many rules they have.
    pub(super) entities: Vec<EntityCount>,
    pub(super) parameter_stores: usize,
    pub(super) contextual_bandits: usize,
    pub(super) conditions: usize,
    /// Condition types with their operators.
    pub(super) condition_types: Vec<Usage>,
    pub(super) user_fields: Vec<Usage>,
    pub(super) id_lists: Vec<String>,
    /// The specs with the most rules.
    pub(super) largest: Vec<Largest>,
    /// Specs that the document holds and that cannot be used.
    pub(super) malformed: Vec<Malformed>,
    pub(super) problems: Vec<Problem>,
}

/// How large the document is, before and after compilation.
#[derive(Debug, Serialize)]
pub(super) struct Sizes {
    pub(super) document_bytes: usize,
    /// Strings, each kept once.
    pub(super) text_bytes: usize,
    /// Config values, each kept once.
    pub(super) value_bytes: usize,
    pub(super) compile_ms: f64,
}

/// Specs of one entity.
#[derive(Debug, Serialize)]
pub(super) struct EntityCount {
    pub(super) entity: &'static str,
    pub(super) specs: usize,
    pub(super) rules: usize,
}

/// Something that conditions use.
#[derive(Debug, Serialize)]
pub(super) struct Usage {
    pub(super) name: String,
    pub(super) conditions: usize,
}

/// A spec with many rules.
#[derive(Debug, Serialize)]
pub(super) struct Largest {
    pub(super) name: String,
    pub(super) entity: &'static str,
    pub(super) rules: usize,
}

/// A spec that cannot be used.
#[derive(Debug, Serialize)]
pub(super) struct Malformed {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) reason: String,
}

/// Something that is wrong with the document.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) message: String,
}

/// Compiles a document, and takes the time.
pub(super) fn compile(document: &[u8]) -> Result<(Ruleset, Duration), statsig_core::Error> {
    let started = Instant::now();
    let ruleset = Ruleset::compile(document)?;
    Ok((ruleset, started.elapsed()))
}

impl Report {
    /// Collects the facts.
    pub(super) fn new(file: String, ruleset: &Ruleset, compile_time: Duration) -> Self {
        let (meta, size) = (ruleset.meta(), ruleset.size());
        let problems = ruleset.problems().iter().map(|problem| Problem {
            kind: problem.kind.as_str(),
            path: problem.path.clone(),
            message: problem.message.clone(),
        });
        Self {
            file,
            format: meta.format.as_str(),
            time: meta.time,
            app_id: meta.app_id.clone(),
            default_environment: meta.default_environment.clone(),
            sizes: Sizes {
                document_bytes: size.document_bytes,
                text_bytes: size.text_bytes,
                value_bytes: size.value_bytes,
                compile_ms: compile_time.as_secs_f64() * 1e3,
            },
            entities: count_entities(ruleset),
            parameter_stores: size.parameter_stores,
            contextual_bandits: size.cmabs,
            conditions: size.conditions,
            condition_types: usage(ruleset.condition_usage()),
            user_fields: usage(ruleset.field_usage()),
            id_lists: ruleset.id_list_names().into_iter().map(str::to_owned).collect(),
            largest: largest(ruleset),
            malformed: malformed::list(ruleset)
                .into_iter()
                .map(|spec| Malformed { kind: spec.kind, name: spec.name, reason: spec.reason })
                .collect(),
            problems: problems.collect(),
        }
    }
}

fn count_entities(ruleset: &Ruleset) -> Vec<EntityCount> {
    let mut counts = BTreeMap::<Entity, EntityCount>::new();
    for (_, entity, rules) in ruleset.entities() {
        let count = counts.entry(entity).or_insert(EntityCount { entity: entity.as_str(), specs: 0, rules: 0 });
        count.specs += 1;
        count.rules += rules;
    }
    counts.into_values().collect()
}

/// The most used first.
fn usage<N: Into<String>>(counts: Vec<(N, usize)>) -> Vec<Usage> {
    let mut usage: Vec<Usage> =
        counts.into_iter().map(|(name, conditions)| Usage { name: name.into(), conditions }).collect();
    usage.sort_by_key(|usage| std::cmp::Reverse(usage.conditions));
    usage
}

fn largest(ruleset: &Ruleset) -> Vec<Largest> {
    let mut specs: Vec<(&str, Entity, usize)> = ruleset.entities().collect();
    specs.sort_by_key(|&(name, entity, rules)| (std::cmp::Reverse(rules), entity, name));
    specs.truncate(LARGEST);
    let largest = |(name, entity, rules): (&str, Entity, usize)| Largest {
        name: name.to_owned(),
        entity: entity.as_str(),
        rules,
    };
    specs.into_iter().map(largest).collect()
}
