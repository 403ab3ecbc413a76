//! The algorithm itself: specs, rules, nested gates, delegates, mappings.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::MAX_DEPTH;
use super::context::EvaluationContext;
use super::filter::RuleFilter;
use super::inputs::Inputs;
use super::outcome::{ConfigValue, Decision, Exposed, Outcome, Undelegated};
use super::project::SharedGates;
use crate::hooks::ExperimentOverride;
use crate::ruleset::{GateRef, Mapping, NO_INDEX, Pass, Rule, Ruleset, Spec, Text, well_known};
use crate::specs::SpecSection;

/// Nested calls of any kind, delegates included; bounds the stack.
pub(crate) const MAX_FRAMES: u32 = 160;
/// Specs that one check may evaluate; with the next, bounds its time.
pub(crate) const MAX_STEPS: u32 = 100_000;
/// Conditions that one check may look at, each as often as it does so.
pub(crate) const MAX_CONDITIONS: u32 = 2_000_000;
/// Exposures that one check may collect; with the next, bounds its memory. The rest is dropped.
pub(crate) const MAX_EXPOSURES: usize = 65_536;
/// Exposures that one check may copy in order to remember nested gates. The rest is dropped.
const MAX_COPIES: usize = 1 << 20;

/// Which table a name is looked up in, and which override applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gate,
    DynamicConfig,
    Experiment,
    Layer,
}

impl Kind {
    /// The section in which the names of this kind stand.
    pub(crate) fn section(self) -> SpecSection {
        match self {
            Self::Gate => SpecSection::FeatureGates,
            Self::DynamicConfig | Self::Experiment => SpecSection::DynamicConfigs,
            Self::Layer => SpecSection::LayerConfigs,
        }
    }
}

/// Whether there was anything to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognition {
    Recognized,
    Unrecognized,
}

/// Why an evaluation ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// Nested too deep; a mapping may go on with its next candidate.
    TooDeep,
    /// The whole check has done too much.
    Exhausted,
}

/// What is to be evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'n> {
    pub(crate) name: &'n str,
    pub(crate) kind: Kind,
    /// Position of the spec, or `NO_INDEX`.
    pub(crate) spec: u32,
}

impl<'n> Call<'n> {
    pub(crate) fn by_name(ruleset: &Ruleset, name: &'n str, kind: Kind) -> Self {
        let names = match kind {
            Kind::Gate => &ruleset.gates,
            Kind::DynamicConfig | Kind::Experiment => &ruleset.configs,
            Kind::Layer => &ruleset.layers,
        };
        Self { name, kind, spec: ruleset.find(names, name).unwrap_or(NO_INDEX) }
    }
}

/// What is kept of a nested gate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nested {
    passed: bool,
    rule_id: Text,
    sampling_rate: u64,
    seen_analytical: bool,
    override_config_name: crate::ruleset::MaybeText,
    overridden: bool,
    unsupported: bool,
}

/// A nested gate that was evaluated before.
#[derive(Debug)]
pub(super) struct Remembered {
    result: Nested,
    exposures: Box<[Exposed]>,
}

/// One check. With `RECORD` it visits everything and collects exposures; without, it does only what
/// the value needs.
pub(crate) struct Evaluator<'a, const RECORD: bool> {
    pub(super) inputs: Inputs<'a>,
    pub(super) ruleset: &'a Ruleset,
    pub(crate) exposures: Vec<Exposed>,
    pub(super) depth: u32,
    pub(super) frames: u32,
    pub(super) steps: u32,
    pub(super) conditions: u32,
    /// Exposures copied to or from `memo`.
    pub(super) copied: usize,
    /// Rules may be followed the short way: see [`Spec::is_plain`]. Decided by the spec that was
    /// asked for, because its limits depend on all that is visited below it.
    plain: bool,
    /// Which rules count at the top; everything but rules is then left out there.
    filter: Option<RuleFilter>,
    /// Results of nested gates by name; only where the specs need it.
    pub(super) memo: Option<HashMap<Text, Remembered>>,
    /// Results of nested gates that several evaluations share.
    pub(super) shared: Option<SharedGates>,
    /// Groups that `experiment_group` conditions asked for, by experiment.
    pub(super) groups: Option<HashMap<Text, Option<Text>>>,
    /// The experiments behind `groups`, in the order in which their evaluations ended.
    pub(crate) group_lookups: Vec<Text>,
}

impl<'a, const RECORD: bool> Evaluator<'a, RECORD> {
    pub(crate) fn new(context: EvaluationContext<'a>) -> Self {
        Self {
            inputs: Inputs::new(context),
            ruleset: context.snapshot.ruleset(),
            exposures: Vec::new(),
            depth: 0,
            frames: 0,
            steps: 0,
            conditions: 0,
            copied: 0,
            plain: false,
            filter: None,
            memo: None,
            shared: None,
            groups: None,
            group_lookups: Vec::new(),
        }
    }

    /// Lets only some rules of the spec that is asked for count.
    pub(crate) fn with_filter(mut self, filter: RuleFilter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// What a gate says whose rules have the last word.
    pub(super) fn decision_of(&mut self, spec: &Spec) -> Decision {
        let mut r = Outcome::new(0);
        self.plain = true;
        if self.follow_rules(&mut r, spec).is_ok() { Decision::of(&r) } else { Decision::NONE }
    }

    /// Evaluates a name for the application, into an outcome that is new.
    pub(crate) fn run(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let (plain, needs_memo) = match self.ruleset.spec(call.spec) {
            Some(spec) => (spec.is_plain, spec.needs_memo),
            None => (false, !self.ruleset.mappings.is_empty() || !self.ruleset.cmabs.is_empty()),
        };
        self.plain = plain && !RECORD && self.inputs.context.overrides.is_none();
        if needs_memo {
            self.memo = Some(HashMap::new());
        }
        self.conclude(r, call)
    }

    /// Evaluates, and takes back what an unsupported evaluation must not tell.
    pub(super) fn conclude(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let recognition = self.evaluate(r, call)?;
        if r.unsupported {
            // What was found so far must not leak: we differ from the reference here on purpose.
            r.passed = false;
            r.value = ConfigValue::None;
            r.rule_id = Text::EMPTY;
            r.explored = false;
            r.group_name = crate::ruleset::MaybeText::NONE;
            r.parameter_rules = None;
        }
        Ok(recognition)
    }

    pub(super) fn evaluate(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        self.steps += 1;
        self.frames += 1;
        if self.steps > MAX_STEPS {
            return Err(Abort::Exhausted);
        }
        if self.frames > MAX_FRAMES {
            return Err(Abort::TooDeep);
        }
        let recognition = self.evaluate_spec(r, call);
        self.frames -= 1;
        recognition
    }

    fn evaluate_spec(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let filter = self.filter.filter(|_| self.depth == 0);
        if filter.is_none() && self.answered_before_the_rules(r, call)? {
            return Ok(Recognition::Recognized);
        }
        let Some(spec) = self.ruleset.spec(call.spec) else { return Ok(Recognition::Unrecognized) };
        if r.id_type == crate::ruleset::MaybeText::NONE {
            r.id_type = Some(spec.id_type).into();
        }
        if r.spec_name == crate::ruleset::MaybeText::NONE {
            r.spec_name = Some(spec.name).into();
        }
        r.version = r.version.or(spec.version);
        r.is_experiment_active = spec.is_active.unwrap_or(r.is_experiment_active);
        r.is_in_layer = spec.has_shared_params.unwrap_or(r.is_in_layer);
        if spec.explicit_parameters != NO_INDEX {
            r.explicit_parameters = spec.explicit_parameters;
        }
        if spec.unsupported {
            r.unsupported = true;
            return Ok(Recognition::Recognized);
        }
        match filter {
            Some(filter) => self.follow_filtered(r, spec, filter)?,
            None if call.kind == Kind::Layer && spec.merges_layers => self.merge_layer(r, spec)?,
            None => self.follow_rules(r, spec)?,
        }
        Ok(Recognition::Recognized)
    }

    /// Whether a local override, a mapping or a bandit has the answer.
    fn answered_before_the_rules(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<bool, Abort> {
        if self.inputs.context.overrides.is_some() && self.overridden(r, call) {
            return Ok(true);
        }
        let ruleset = self.ruleset;
        let spec = ruleset.spec(call.spec);
        if !ruleset.mappings.is_empty() {
            let mapping = match spec {
                Some(spec) => ruleset.mappings.get(spec.mapping as usize),
                None => ruleset.find_mapping(call.name).and_then(|at| ruleset.mappings.get(at as usize)),
            };
            if let Some(mapping) = mapping
                && self.mapped(r, mapping, spec, call.kind)?
            {
                return Ok(true);
            }
        }
        if call.kind == Kind::Experiment && !ruleset.cmabs.is_empty() {
            let cmab = match spec {
                Some(spec) => ruleset.cmabs.get(spec.cmab as usize),
                None => ruleset.find_cmab(call.name).and_then(|at| ruleset.cmabs.get(at as usize)),
            };
            if let Some(cmab) = cmab {
                self.bandit(r, cmab)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first rule whose conditions hold decides.
    pub(super) fn follow_rules(&mut self, r: &mut Outcome, spec: &Spec) -> Result<(), Abort> {
        self.follow(r, spec, &self.ruleset.rules[spec.rules()])
    }

    /// The first of `rules` whose conditions hold decides.
    #[inline]
    pub(super) fn follow<'r>(
        &mut self,
        r: &mut Outcome,
        spec: &Spec,
        rules: impl IntoIterator<Item = &'r Rule>,
    ) -> Result<(), Abort> {
        for rule in rules {
            if self.plain {
                r.passed = self.inputs.plain_rule(rule);
            } else {
                self.match_rule(r, rule)?;
                if r.unsupported {
                    return Ok(());
                }
            }
            if !r.passed {
                continue;
            }
            if rule.delegate != NO_INDEX && self.delegate(r, rule)? {
                self.finalize(r, spec, None);
                return Ok(());
            }
            if self.inputs.passes(rule) {
                r.value = ConfigValue::At(rule.value);
                r.passed = !rule.value_is_false;
            } else {
                r.value = ConfigValue::At(spec.default_value);
                r.passed = spec.default_is_true;
            }
            r.rule_id = rule.id;
            r.group_name = rule.group_name;
            r.is_experiment_group = rule.is_experiment_group;
            r.is_experiment_active = spec.is_active.unwrap_or(false);
            self.finalize(r, spec, Some(rule));
            return Ok(());
        }
        r.value = ConfigValue::At(spec.default_value);
        r.passed = spec.default_is_true;
        r.rule_id = if spec.enabled { well_known::DEFAULT } else { well_known::DISABLED };
        self.finalize(r, spec, None);
        Ok(())
    }

    pub(super) fn finalize(&mut self, r: &mut Outcome, spec: &Spec, rule: Option<&Rule>) {
        r.sampling_rate = rule.map_or(crate::ruleset::NO_RATE, |rule| rule.sampling_rate);
        r.forward_all_exposures = spec.forward_all_exposures.unwrap_or(false);
        if RECORD && r.undelegated == Undelegated::Unset && self.exposures.len() > r.exposures_from as usize {
            r.undelegated = Undelegated::Until(self.position());
        }
    }

    /// Where the next exposure goes.
    pub(super) fn position(&self) -> u32 {
        crate::ruleset::position(self.exposures.len())
    }

    /// Sets `passed` to whether all conditions hold.
    pub(super) fn match_rule(&mut self, r: &mut Outcome, rule: &Rule) -> Result<(), Abort> {
        let ruleset = self.ruleset;
        self.look_at(rule.conditions_len)?;
        let mut all = true;
        for &at in &ruleset.rule_conditions[rule.conditions()] {
            let Some(condition) = ruleset.conditions.get(at as usize) else {
                r.unsupported = true;
                return Ok(());
            };
            self.condition(r, condition)?;
            all &= r.passed;
        }
        r.passed = all;
        Ok(())
    }

    /// Counts conditions towards the limit.
    #[inline]
    pub(super) fn look_at(&mut self, conditions: u32) -> Result<(), Abort> {
        self.conditions = self.conditions.saturating_add(conditions);
        if self.conditions > MAX_CONDITIONS { Err(Abort::Exhausted) } else { Ok(()) }
    }

    /// Evaluates the experiment that a rule delegates to; false if there is none.
    pub(super) fn delegate(&mut self, r: &mut Outcome, rule: &Rule) -> Result<bool, Abort> {
        let Some(delegate) = self.ruleset.spec(rule.delegate) else { return Ok(false) };
        r.undelegated = Undelegated::Until(self.position());
        r.passed = false;
        r.value = ConfigValue::None;
        let call = Call { name: self.ruleset.str(delegate.name), kind: Kind::Experiment, spec: rule.delegate };
        if self.evaluate(r, call)? == Recognition::Unrecognized {
            r.undelegated = Undelegated::Unset;
            return Ok(false);
        }
        r.explicit_parameters = delegate.explicit_parameters;
        r.delegate = rule.delegate;
        Ok(true)
    }

    /// A condition on another gate.
    pub(super) fn nested_gate(&mut self, r: &mut Outcome, gate: GateRef, expected: bool) -> Result<(), Abort> {
        let nested = self.nested(gate)?;
        if nested.unsupported {
            r.unsupported = true;
            return Ok(());
        }
        r.passed = nested.passed;
        r.rule_id = nested.rule_id;
        r.sampling_rate = nested.sampling_rate;
        r.seen_analytical |= nested.seen_analytical;
        if nested.override_config_name.get().is_some() {
            r.override_config_name = nested.override_config_name;
        }
        if !gate.is_segment {
            if !nested.rule_id.is_empty() {
                self.expose(gate.name, nested.rule_id, nested.passed);
            }
            if nested.sampling_rate == crate::ruleset::NO_RATE {
                r.seen_analytical = true;
            }
        }
        if !expected {
            r.passed = !r.passed;
        }
        Ok(())
    }

    /// Evaluates a gate one level down; its exposures join the list.
    fn nested(&mut self, gate: GateRef) -> Result<Nested, Abort> {
        if let Some(shared) = &mut self.shared
            && let Some(known) = shared.recall(gate.spec, &mut self.exposures)
        {
            return Ok(known);
        }
        if let Some(known) = self.memo.as_ref().and_then(|memo| memo.get(&gate.name)) {
            let room = (MAX_EXPOSURES - self.exposures.len()).min(MAX_COPIES - self.copied);
            let exposures = &known.exposures[..known.exposures.len().min(room)];
            self.exposures.extend_from_slice(exposures);
            self.copied += exposures.len();
            return Ok(known.result);
        }
        let from = self.position();
        let mut n = Outcome::new(from);
        self.descend()?;
        self.evaluate(&mut n, Call { name: self.ruleset.str(gate.name), kind: Kind::Gate, spec: gate.spec })?;
        self.depth -= 1;
        let result = Nested {
            passed: n.passed,
            rule_id: n.rule_id,
            sampling_rate: n.sampling_rate,
            seen_analytical: n.seen_analytical,
            override_config_name: n.override_config_name,
            overridden: n.overridden,
            unsupported: n.unsupported,
        };
        if let Some(shared) = &mut self.shared {
            shared.remember(gate.spec, result, &mut self.exposures, from);
        }
        if let Some(memo) = self.memo.as_mut().filter(|_| !gate.name.is_empty()) {
            let own = self.exposures.get(from as usize..).unwrap_or_default();
            let exposures: Box<[Exposed]> = own[..own.len().min(MAX_COPIES - self.copied)].into();
            self.copied += exposures.len();
            memo.insert(gate.name, Remembered { result, exposures });
        }
        Ok(result)
    }

    fn descend(&mut self) -> Result<(), Abort> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Abort::TooDeep) } else { Ok(()) }
    }

    /// Evaluates a bandit's targeting gate, which is exposed whatever its rule; one that nests too
    /// deep is closed.
    pub(super) fn targeting_gate(&mut self, r: &mut Outcome, gate: GateRef) -> Result<bool, Abort> {
        let (depth, frames, from) = (self.depth, self.frames, self.exposures.len());
        let (passed, rule_id) = match self.nested(gate) {
            Ok(nested) => {
                r.seen_analytical |= nested.seen_analytical;
                r.overridden |= nested.overridden;
                r.unsupported |= nested.unsupported;
                if nested.override_config_name.get().is_some() {
                    r.override_config_name = nested.override_config_name;
                }
                if nested.unsupported { (false, Text::EMPTY) } else { (nested.passed, nested.rule_id) }
            }
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => {
                (self.depth, self.frames) = (depth, frames);
                self.exposures.truncate(from);
                (false, Text::EMPTY)
            }
        };
        if !gate.is_segment {
            self.expose(gate.name, rule_id, passed);
        }
        Ok(passed)
    }

    pub(super) fn expose(&mut self, gate: Text, rule_id: Text, value: bool) {
        if RECORD && self.exposures.len() < MAX_EXPOSURES {
            if self.exposures.capacity() == 0 {
                self.exposures.reserve(8);
            }
            self.exposures.push(Exposed { gate, rule_id, value });
        }
    }

    /// The group of the user in an experiment, by a check of its own with levels of its own; none
    /// if that check fails.
    pub(super) fn experiment_group(&mut self, experiment: Text) -> Result<Option<Text>, Abort> {
        if let Some(group) = self.groups.as_ref().and_then(|groups| groups.get(&experiment)) {
            return Ok(*group);
        }
        let (depth, frames, from) = (self.depth, self.frames, self.exposures.len());
        let filter = self.filter.take();
        let mut r = Outcome::new(self.position());
        let call = Call::by_name(self.ruleset, self.ruleset.str(experiment), Kind::Experiment);
        self.depth = 0;
        let recognition = self.evaluate(&mut r, call);
        (self.depth, self.frames, self.filter) = (depth, frames, filter);
        // They belong to the experiment's own exposure.
        self.exposures.truncate(from);
        let group = match recognition {
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => None,
            Ok(_) if r.unsupported => None,
            Ok(_) => r.group_name.get(),
        };
        // The first answer counts: of an experiment that asks for its own group, the innermost.
        self.groups.get_or_insert_default().entry(experiment).or_insert_with(|| {
            self.group_lookups.push(experiment);
            group
        });
        Ok(group)
    }

    /// Empties an outcome for the next try, exposures included.
    fn reset(&mut self, r: &mut Outcome) {
        self.exposures.truncate(r.exposures_from as usize);
        *r = Outcome::new(r.exposures_from);
    }

    /// Lets another config take the spec's place; false if none does.
    fn mapped(
        &mut self,
        r: &mut Outcome,
        mapping: &Mapping,
        original: Option<&Spec>,
        kind: Kind,
    ) -> Result<bool, Abort> {
        let ruleset = self.ruleset;
        for candidate in &mapping.candidates {
            if candidate.start_time > self.inputs.now() {
                continue;
            }
            let Some(rule) = ruleset.rules.get(candidate.rule as usize) else { continue };
            let (depth, frames) = (self.depth, self.frames);
            let matched = match self.match_rule(r, rule) {
                Err(Abort::Exhausted) => return Err(Abort::Exhausted),
                Err(Abort::TooDeep) => {
                    (self.depth, self.frames) = (depth, frames);
                    false
                }
                Ok(()) => !r.unsupported && r.passed,
            };
            self.reset(r);
            if !matched || !self.passes_for(rule, original) {
                continue;
            }
            r.override_config_name = Some(candidate.new_config).into();
            let call = Call::by_name(ruleset, ruleset.str(candidate.new_config), kind);
            let recognition = match self.descend() {
                Ok(()) => self.evaluate(r, call),
                Err(abort) => Err(abort),
            };
            (self.depth, self.frames) = (depth, frames);
            match recognition {
                Ok(Recognition::Recognized) => return Ok(true),
                Err(Abort::Exhausted) => return Err(Abort::Exhausted),
                Ok(Recognition::Unrecognized) | Err(Abort::TooDeep) => self.reset(r),
            }
        }
        Ok(false)
    }

    /// Like [`Self::passes`], hashed with the salt of the spec that may be replaced.
    fn passes_for(&self, rule: &Rule, original: Option<&Spec>) -> bool {
        let Pass::Below { threshold, .. } = rule.pass else { return self.inputs.passes(rule) };
        let ruleset = self.ruleset;
        self.inputs.unit_id(rule.unit).with_text(|id| {
            let mut hash = Sha256::new();
            hash.update(original.map_or("", |spec| ruleset.str(spec.salt)));
            hash.update(".");
            hash.update(ruleset.str(rule.salt));
            hash.update(".");
            hash.update(id.unwrap_or_default());
            let digest = hash.finalize();
            digest[..8].iter().fold(0_u64, |hash, &byte| hash << 8 | u64::from(byte)) % 10_000 < u64::from(threshold)
        })
    }

    /// Asks the override adapter.
    fn overridden(&mut self, r: &mut Outcome, call: Call<'_>) -> bool {
        let Some(overrides) = self.inputs.context.overrides else { return false };
        let user = self.inputs.context.user;
        match call.kind {
            Kind::Gate => match overrides.gate(call.name, user) {
                Some(value) => r.passed = value,
                None => return false,
            },
            Kind::DynamicConfig | Kind::Layer => {
                let value = if call.kind == Kind::Layer {
                    overrides.layer(call.name, user)
                } else {
                    overrides.dynamic_config(call.name, user)
                };
                match value {
                    Some(value) => r.value = ConfigValue::Own(value),
                    None => return false,
                }
            }
            Kind::Experiment => match overrides.experiment(call.name, user) {
                Some(ExperimentOverride::Value(value)) => r.value = ConfigValue::Own(value),
                Some(ExperimentOverride::Group(group)) => r.value = self.value_of_group(call.spec, &group),
                None => return false,
            },
        }
        r.rule_id = well_known::OVERRIDE;
        r.overridden = true;
        true
    }

    fn value_of_group(&self, spec: u32, group: &str) -> ConfigValue {
        let ruleset = self.ruleset;
        let rules = ruleset.spec(spec).map(|spec| &ruleset.rules[spec.rules()]).unwrap_or_default();
        let named = rules.iter().find(|rule| rule.group_name.get().is_some_and(|name| ruleset.str(name) == group));
        named.map_or(ConfigValue::None, |rule| ConfigValue::At(rule.value))
    }
}
