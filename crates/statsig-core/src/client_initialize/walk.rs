//! The one walk over a project that both ways of making a response share.

use std::collections::HashSet;
use std::ops::Range;

use super::options::{ClientInitializeOptions, ResponseFormat};
use super::prepared::shared_text;
use super::tables::Tables;
use super::target_app::TargetApp;
use crate::evaluate::{
    Call, ConfigValue, EvaluationContext, Exposed, ExposedSet, Kind, Outcome, ProjectEvaluator, Undelegated,
    without_repeats,
};
use crate::json::JsonRef;
use crate::ruleset::{Entity, NO_INDEX, Ruleset, SharedText, Spec, Text, well_known};

/// A part of the response that holds evaluated entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Gates,
    Configs,
    Layers,
}

/// What is to be evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// Position in [`Ruleset::specs`].
    Spec(u32),
    /// Position in [`Ruleset::cmabs`].
    Cmab(u32),
}

/// How an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Gate,
    DynamicConfig,
    Experiment,
    Autotune,
    Layer,
}

/// An entry of the response.
#[derive(Debug)]
pub(super) struct Evaluated {
    pub(super) name: Text,
    pub(super) shape: Shape,
    pub(super) outcome: Outcome,
    /// Place of its exposures in [`Walk::exposures`].
    pub(super) exposures: Range<u32>,
    pub(super) undelegated: Range<u32>,
    /// Place of its value in [`Tables`].
    pub(super) value_id: u32,
}

/// Exposures of one entry for which there is room from the start.
const EXPECTED_EXPOSURES: usize = 64;

/// Evaluates a project's entries one after the other.
pub(super) struct Walk<'a> {
    ruleset: &'a Ruleset,
    options: &'a ClientInitializeOptions,
    target: &'a TargetApp,
    shared_text: &'a SharedText,
    /// Memory for the list of a section's entries.
    pub(super) items: Vec<Item>,
    evaluator: ProjectEvaluator<'a>,
    /// Exposures of the entries, without repetitions.
    pub(super) exposures: Vec<Exposed>,
    /// For each of these its id; empty in the format that needs none.
    pub(super) exposure_ids: Vec<u32>,
    pub(super) tables: Tables,
    /// Entries that could not be evaluated: their gates form a cycle or nest too deep.
    pub(super) left_out: usize,
    seen: ExposedSet,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        context: EvaluationContext<'a>,
        options: &'a ClientInitializeOptions,
        target: &'a TargetApp,
    ) -> Self {
        Self {
            ruleset: context.snapshot.ruleset(),
            options,
            target,
            shared_text: shared_text(context.snapshot),
            items: Vec::new(),
            evaluator: ProjectEvaluator::new(context, target.app.as_ref()),
            exposures: Vec::with_capacity(EXPECTED_EXPOSURES),
            exposure_ids: Vec::new(),
            tables: Tables::default(),
            left_out: 0,
            seen: ExposedSet::default(),
        }
    }

    /// Fills `items` with the entries of a section, in the order of the payload, or by name where a checksum needs it.
    pub(super) fn list(&self, section: Section, items: &mut Vec<Item>) {
        items.clear();
        let ruleset = self.ruleset;
        let all = &self.shared_text.sections[section as usize];
        items.reserve(all.len());
        let specs = all.iter().copied().filter(|&at| self.wants(at));
        if self.options.previous_response_hash.is_none() && (section != Section::Configs || ruleset.cmabs.is_empty()) {
            items.extend(specs.map(Item::Spec));
            return;
        }
        let mut specs: Vec<u32> = specs.collect();
        let mut cmabs: Vec<u32> = Vec::new();
        if section == Section::Configs && !ruleset.cmabs.is_empty() {
            cmabs.extend(ruleset.cmab_names.targets().filter(|&at| self.wants_cmab(at)));
            cmabs.sort_unstable();
            // A bandit takes the place of the spec with its name.
            specs.retain(|&at| ruleset.spec(at).is_some_and(|spec| cmabs.binary_search(&spec.cmab).is_err()));
        }
        if self.options.previous_response_hash.is_some() {
            specs.sort_unstable_by_key(|&at| ruleset.spec(at).map(|spec| ruleset.str(spec.name)));
            cmabs.sort_unstable_by_key(|&at| ruleset.cmabs.get(at as usize).map(|cmab| ruleset.str(cmab.name)));
        }
        items.extend(specs.into_iter().map(Item::Spec).chain(cmabs.into_iter().map(Item::Cmab)));
    }

    /// Parameter stores, as positions in [`Ruleset::stores`].
    pub(super) fn stores(&self) -> Vec<u32> {
        let ruleset = self.ruleset;
        let name = |at: u32| ruleset.stores.get(at as usize).map(|store| ruleset.str(store.name));
        let wanted = |at: &u32| {
            ruleset.stores.get(*at as usize).is_some_and(|store| {
                is_in(self.options.param_store_filter.as_ref(), ruleset.str(store.name))
                    && self.target.keeps(ruleset, store.target_apps)
            })
        };
        let mut stores: Vec<u32> = ruleset.store_names.targets().filter(wanted).collect();
        if self.options.previous_response_hash.is_some() {
            stores.sort_unstable_by_key(|&at| name(at));
        } else {
            stores.sort_unstable();
        }
        stores
    }

    /// Evaluates an item; `None` if it has no place in the response.
    pub(super) fn evaluate(&mut self, section: Section, item: Item) -> Option<Evaluated> {
        let (name, shape, call) = self.call(section, item)?;
        let mut outcome = Outcome::new(0);
        if self.evaluator.evaluate(&mut outcome, call).is_err() {
            self.left_out += 1;
            return None;
        }
        if self.is_removed(item, &outcome) {
            return None;
        }
        let exposed = self.evaluator.exposures();
        let from = self.exposures.len();
        self.exposures.extend_from_slice(exposed);
        without_repeats(&mut self.exposures, from, &mut self.seen);
        let middle = self.exposures.len();
        if shape == Shape::Layer {
            match std::mem::take(&mut outcome.undelegated) {
                Undelegated::Unset => {}
                Undelegated::Until(end) => {
                    self.exposures.extend_from_slice(exposed.get(..end as usize).unwrap_or_default());
                }
                Undelegated::Own(own) => self.exposures.extend_from_slice(&own),
            }
            without_repeats(&mut self.exposures, middle, &mut self.seen);
        }
        let mut value_id = NO_INDEX;
        if self.options.response_format != ResponseFormat::V1 {
            let own = self.exposures.get(from..).unwrap_or_default();
            self.exposure_ids.extend(own.iter().map(|one| self.tables.exposure(*one)));
            if self.options.response_format == ResponseFormat::InitV2 && shape != Shape::Gate {
                value_id = self.tables.value(self.ruleset, &outcome.value);
            }
        }
        let place = crate::ruleset::position;
        let end = place(self.exposures.len());
        let (exposures, undelegated) = (place(from)..place(middle), place(middle)..end);
        Some(Evaluated { name, shape, outcome, exposures, undelegated, value_id })
    }

    /// The value of a gate that decides about the whole response.
    pub(super) fn gate(&mut self, gate: Text) -> bool {
        let call = Call::by_name(self.ruleset, self.ruleset.str(gate), Kind::Gate);
        let mut outcome = Outcome::new(0);
        self.evaluator.evaluate(&mut outcome, call).is_ok() && outcome.passed
    }

    /// Forgets the exposures of the entries so far, once they are written.
    pub(super) fn forget(&mut self) {
        self.exposures.clear();
        self.exposure_ids.clear();
    }

    fn call(&self, section: Section, item: Item) -> Option<(Text, Shape, Call<'a>)> {
        let ruleset = self.ruleset;
        match item {
            Item::Spec(at) => {
                let spec = ruleset.spec(at)?;
                let (shape, kind) = match (section, spec.entity) {
                    (Section::Gates, _) => (Shape::Gate, Kind::Gate),
                    (Section::Layers, _) => (Shape::Layer, Kind::Layer),
                    (Section::Configs, Entity::DynamicConfig) => (Shape::DynamicConfig, Kind::DynamicConfig),
                    (Section::Configs, Entity::Experiment) => (Shape::Experiment, Kind::Experiment),
                    (Section::Configs, _) => (Shape::Autotune, Kind::Experiment),
                };
                Some((spec.name, shape, Call { name: ruleset.str(spec.name), kind, spec: at }))
            }
            Item::Cmab(at) => {
                let name = ruleset.cmabs.get(at as usize)?.name;
                let call = Call::by_name(ruleset, ruleset.str(name), Kind::Experiment);
                Some((name, Shape::Autotune, call))
            }
        }
    }

    fn wants(&self, at: u32) -> bool {
        let Some(spec) = self.ruleset.spec(at) else { return false };
        let filter = match spec.entity {
            Entity::Segment | Entity::Holdout => return false,
            Entity::FeatureGate => &self.options.feature_gate_filter,
            Entity::DynamicConfig => &self.options.dynamic_config_filter,
            Entity::Experiment => &self.options.experiment_filter,
            Entity::Layer => &self.options.layer_filter,
            Entity::Autotune | Entity::Other => &None,
        };
        is_in(filter.as_ref(), self.ruleset.str(spec.name)) && self.target.keeps(self.ruleset, spec.target_apps)
    }

    fn wants_cmab(&self, at: u32) -> bool {
        self.ruleset.cmabs.get(at as usize).is_some_and(|cmab| {
            is_in(self.options.experiment_filter.as_ref(), self.ruleset.str(cmab.name))
                && self.target.keeps(self.ruleset, cmab.target_apps)
        })
    }

    fn is_removed(&self, item: Item, outcome: &Outcome) -> bool {
        let Item::Spec(at) = item else { return false };
        match self.ruleset.spec(at).map(|spec: &Spec| spec.entity) {
            Some(Entity::FeatureGate) => {
                self.options.remove_default_value_gates
                    && outcome.rule_id == well_known::DEFAULT
                    && !outcome.passed
                    && self.evaluator.exposures().is_empty()
            }
            Some(Entity::Experiment) => self.options.remove_experiments_in_layers && outcome.is_in_layer,
            _ => false,
        }
    }
}

fn is_in(filter: Option<&HashSet<String>>, name: &str) -> bool {
    filter.is_none_or(|names| names.contains(name))
}

/// The value as it is: not only an object, and `null` where there is none.
pub(super) fn value_of<'v>(ruleset: &'v Ruleset, value: &'v ConfigValue) -> JsonRef<'v> {
    match value {
        ConfigValue::None => JsonRef::null(),
        ConfigValue::At(at) => ruleset.value(*at),
        ConfigValue::Own(json) => json.view(),
    }
}
