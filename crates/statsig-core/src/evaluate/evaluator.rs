//! The algorithm itself: from a name to a spec, and to what decides it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::context::EvaluationContext;
use super::exposure_trace::ExposureTrace;
use super::filter::RuleFilter;
use super::inputs::Inputs;
use super::nested::Remembered;
use super::outcome::{ConfigValue, Decision, Outcome};
use super::project::SharedGates;
use super::tracer::Tracer;
use crate::ruleset::{MaybeText, NO_INDEX, Ruleset, Spec, Text};
use crate::snapshot::Snapshot;
use crate::specs::SpecSection;

/// Nested calls of any kind, delegates included; bounds the stack.
pub(crate) const MAX_FRAMES: u32 = 160;
/// Specs that one check may evaluate; with the next, bounds its time.
pub(crate) const MAX_STEPS: u32 = 100_000;
/// Conditions that one check may look at, each as often as it does so.
pub(crate) const MAX_CONDITIONS: u32 = 2_000_000;

/// Which table a name is looked up in, and which override applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gate,
    DynamicConfig,
    Experiment,
    Layer,
}

impl Kind {
    /// Returns the section in which the names of this kind stand.
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

/// One check, recorded by a [`Tracer`].
pub(crate) struct Evaluator<'a, T> {
    pub(super) inputs: Inputs<'a>,
    pub(super) ruleset: &'a Ruleset,
    pub(crate) tracer: T,
    pub(super) depth: u32,
    pub(super) frames: u32,
    pub(super) steps: u32,
    pub(super) conditions: u32,
    /// Rules may be followed the short way: see [`Spec::is_plain`]. Decided by the spec that was
    /// asked for, because its limits depend on all that is visited below it.
    pub(super) plain: bool,
    /// Which rules count at the top; everything but rules is then left out there.
    pub(super) filter: Option<RuleFilter>,
    /// Results of nested gates by name; only where the specs or the tracer need it.
    pub(super) memo: Option<HashMap<Text, Remembered, FixedState>>,
    /// Results of nested gates that several evaluations share.
    pub(super) shared: Option<Box<SharedGates>>,
    /// True if the evaluation in progress takes part in that.
    pub(super) uses_shared: bool,
    /// Groups that `experiment_group` conditions asked for, by experiment.
    pub(super) groups: Option<HashMap<Text, Option<Text>, FixedState>>,
    /// The experiments behind `groups`, in the order in which their evaluations ended.
    pub(crate) group_lookups: Vec<Text>,
}

/// Levels of an evaluation at one moment, to return to after an abort further down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    depth: u32,
    frames: u32,
    open_steps: usize,
}

impl<'a, T: Tracer> Evaluator<'a, T> {
    pub(crate) fn new(context: EvaluationContext<'a>, tracer: T) -> Self {
        Self {
            inputs: Inputs::new(context),
            ruleset: context.snapshot.ruleset(),
            tracer,
            depth: 0,
            frames: 0,
            steps: 0,
            conditions: 0,
            plain: false,
            filter: None,
            memo: None,
            shared: None,
            uses_shared: false,
            groups: None,
            group_lookups: Vec::new(),
        }
    }

    /// Returns the state of the specs that is evaluated.
    pub(crate) fn snapshot(&self) -> &'a Arc<Snapshot> {
        self.inputs.context.snapshot
    }

    /// Lets only some rules of the spec that is asked for count.
    pub(crate) fn with_filter(mut self, filter: RuleFilter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Evaluates a plain gate by its rules alone.
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
        self.plain = plain && !T::EXPOSES && self.inputs.context.overrides.is_none();
        if needs_memo || T::EXPLAINS {
            self.memo = Some(HashMap::default());
        }
        self.conclude(r, call)
    }

    /// Evaluates, and takes back what an unsupported evaluation must not reveal.
    pub(super) fn conclude(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let recognition = self.evaluate(r, call)?;
        if r.unsupported {
            // What was found so far must not leak: we differ from the reference here on purpose.
            r.passed = false;
            r.value = ConfigValue::None;
            r.rule_id = Text::EMPTY;
            r.explored = false;
            r.group_name = MaybeText::NONE;
            r.parameter_rules = None;
        }
        Ok(recognition)
    }

    pub(super) fn evaluate(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        self.tracer.enter_spec(call);
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
        if let Ok(recognition) = recognition {
            self.tracer.leave_spec(r, recognition);
        }
        recognition
    }

    fn evaluate_spec(&mut self, r: &mut Outcome, call: Call<'_>) -> Result<Recognition, Abort> {
        let filter = self.filter.filter(|_| self.depth == 0);
        if filter.is_none() && self.answered_before_the_rules(r, call)? {
            return Ok(Recognition::Recognized);
        }
        let Some(spec) = self.ruleset.spec(call.spec) else { return Ok(Recognition::Unrecognized) };
        self.tracer.found_spec(spec);
        if r.id_type == MaybeText::NONE {
            r.id_type = Some(spec.id_type).into();
        }
        if r.spec_name == MaybeText::NONE {
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

    /// Returns the position of the next exposure.
    #[inline]
    pub(super) fn position(&self) -> u32 {
        self.tracer.exposures().map_or(0, ExposureTrace::position)
    }

    /// Drops the exposures from a position on.
    #[inline]
    pub(super) fn truncate_exposures(&mut self, from: u32) {
        if let Some(exposures) = self.tracer.exposures_mut() {
            exposures.truncate(from);
        }
    }

    /// Counts conditions towards the limit.
    #[inline]
    pub(super) fn look_at(&mut self, conditions: u32) -> Result<(), Abort> {
        self.conditions = self.conditions.saturating_add(conditions);
        if self.conditions > MAX_CONDITIONS { Err(Abort::Exhausted) } else { Ok(()) }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { depth: self.depth, frames: self.frames, open_steps: self.tracer.open_steps() }
    }

    /// Returns to the levels of a checkpoint.
    pub(super) fn resume(&mut self, checkpoint: &Checkpoint) {
        (self.depth, self.frames) = (checkpoint.depth, checkpoint.frames);
        self.tracer.unwind(checkpoint.open_steps);
    }
}
