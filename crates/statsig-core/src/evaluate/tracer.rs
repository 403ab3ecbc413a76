//! Hooks through which an evaluation is recorded.
//!
//! The [`Evaluator`](super::Evaluator) has one implementation and a [`Tracer`] as its type parameter:
//!
//! * [`NoTrace`] records nothing: the hooks are empty and leave no instruction behind;
//! * [`ExposureTrace`] collects secondary exposures;
//! * `ExplanationTrace` in [`crate::explain`] collects them too, and builds the tree of an explanation.
//!
//! Hooks receive what the evaluator has found and return nothing: a tracer cannot change a result.

use super::evaluator::{Call, Recognition};
use super::exposure_trace::ExposureTrace;
use super::outcome::Outcome;
use super::user_value::Seen;
use crate::json::Json;
use crate::ruleset::{Cmab, Condition, MappingCandidate, Rule, Spec, Text};

/// Records the steps of an evaluation.
///
/// Steps nest: the hooks `enter_…` and `leave_…` come in pairs, except where an evaluation is aborted.
/// Code that recovers from an abort first calls [`Tracer::unwind`] with the number of steps that were
/// open before.
pub(crate) trait Tracer {
    /// Whether secondary exposures are collected, for which every condition of a rule is evaluated.
    const EXPOSES: bool;
    /// Whether a reader will see the steps: nested gates are then always remembered, and what only an
    /// explanation shows is computed.
    const EXPLAINS: bool = false;

    /// Returns the exposures collected so far; `None` if none are collected.
    #[inline(always)]
    fn exposures(&self) -> Option<&ExposureTrace> {
        None
    }

    /// Returns the exposures collected so far, for changes.
    #[inline(always)]
    fn exposures_mut(&mut self) -> Option<&mut ExposureTrace> {
        None
    }

    /// Returns the number of steps that were entered and not left.
    #[inline(always)]
    fn open_steps(&self) -> usize {
        0
    }

    /// Closes steps as aborted until `open` of them are left.
    #[inline(always)]
    fn unwind(&mut self, _open: usize) {}

    /// A spec is going to be evaluated.
    #[inline(always)]
    fn enter_spec(&mut self, _call: Call<'_>) {}

    /// The rules of the entered spec are going to decide: no override, mapping or bandit did.
    #[inline(always)]
    fn found_spec(&mut self, _spec: &Spec) {}

    /// No rule decided: the entered spec has its default value.
    #[inline(always)]
    fn default_decides(&mut self) {}

    /// The entered spec has been evaluated.
    #[inline(always)]
    fn leave_spec(&mut self, _outcome: &Outcome, _recognition: Recognition) {}

    /// A local override decided the entered spec.
    #[inline(always)]
    fn local_override(&mut self, _answer: LocalAnswer<'_>) {}

    /// A rule is going to be matched.
    #[inline(always)]
    fn enter_rule(&mut self, _rule: &Rule) {}

    /// The user was compared with the percentage of the entered rule. `salted_by`: the spec whose salt
    /// is hashed; `bucket`: out of 10,000, `None` where the percentage needs none.
    #[inline(always)]
    fn percentage(&mut self, _rule: &Rule, _salted_by: Option<&Spec>, _bucket: Option<u64>, _passes: bool) {}

    /// The entered rule has been tried.
    #[inline(always)]
    fn leave_rule(&mut self, _end: RuleEnd) {}

    /// A parameter of a merging layer comes from its contributing rule number `contribution`, from 0;
    /// the number after the last rule is that of the default value.
    #[inline(always)]
    fn parameter(&mut self, _contribution: usize, _name: &str) {}

    /// A condition is going to be evaluated; `None` if the payload lacks it.
    #[inline(always)]
    fn enter_condition(&mut self, _condition: Option<&Condition>) {}

    /// The value that is being looked up comes from somewhere else than the field that is named.
    #[inline(always)]
    fn origin(&mut self, _origin: Origin) {}

    /// The value that is being looked up is a private attribute, or derived from one.
    #[inline(always)]
    fn private_value(&mut self) {}

    /// The entered condition applies its operator to `seen`.
    #[inline(always)]
    fn looked_up(&mut self, _condition: &Condition, _seen: &Seen<'_>) {}

    /// The pattern of the entered condition exceeds a limit, which makes the condition unsupported.
    #[inline(always)]
    fn pattern_limit(&mut self) {}

    /// The entered condition has been evaluated; `None` if it is not supported.
    #[inline(always)]
    fn leave_condition(&mut self, _holds: Option<bool>) {}

    /// One of several gates of the entered condition is going to be evaluated.
    #[inline(always)]
    fn enter_alternative(&mut self) {}

    /// That gate has been evaluated.
    #[inline(always)]
    fn leave_alternative(&mut self) {}

    /// The gate left last is remembered under this name.
    #[inline(always)]
    fn remember_gate(&mut self, _gate: Text) {}

    /// A remembered gate takes part again.
    #[inline(always)]
    fn recall_gate(&mut self, _gate: Text) {}

    /// A config that may replace the entered spec is going to be tried.
    #[inline(always)]
    fn enter_candidate(&mut self, _candidate: &MappingCandidate) {}

    /// That config has been tried.
    #[inline(always)]
    fn leave_candidate(&mut self, _end: CandidateEnd) {}

    /// A bandit decides the entered spec.
    #[inline(always)]
    fn enter_bandit(&mut self, _cmab: &Cmab) {}

    /// The next of the bandit's [`Cmab::weights`] has this score for the user; only if
    /// [`Self::EXPLAINS`].
    #[inline(always)]
    fn scored(&mut self, _score: Option<f64>) {}

    /// The bandit has decided.
    #[inline(always)]
    fn leave_bandit(&mut self, _cmab: &Cmab, _end: BanditEnd) {}
}

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoTrace;

impl Tracer for NoTrace {
    const EXPOSES: bool = false;
}

impl Tracer for ExposureTrace {
    const EXPOSES: bool = true;

    #[inline(always)]
    fn exposures(&self) -> Option<&ExposureTrace> {
        Some(self)
    }

    #[inline(always)]
    fn exposures_mut(&mut self) -> Option<&mut ExposureTrace> {
        Some(self)
    }
}

/// Answer of an override adapter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LocalAnswer<'a> {
    Gate(bool),
    Value(&'a Json),
    /// Name of an experiment's group.
    Group(&'a str),
}

/// Result of trying a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleEnd {
    /// A condition does not hold.
    NoMatch,
    /// All conditions hold, but the user is outside the percentage.
    OutsidePercentage,
    /// The rule decides.
    Decided,
    /// The experiment behind the rule decides.
    Delegated,
    /// The rule adds parameters to a merging layer.
    Contributed,
    /// The experiment behind the rule adds nothing to a merging layer.
    Superseded,
    /// A condition is not supported.
    Unsupported,
}

/// Result of trying a candidate of a config mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CandidateEnd {
    NotStarted,
    RuleMissing,
    NoMatch,
    OutsidePercentage,
    ConfigMissing,
    ConfigFailed,
    Taken,
}

/// Result of asking a contextual bandit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BanditEnd {
    /// It is not running, or has no arms.
    NotRunning,
    /// Its targeting gate excludes the user.
    NotTargeted,
    /// It chose an arm.
    Chosen {
        by: ArmChoice,
        /// Position in [`Cmab::groups`].
        group: usize,
        /// The user's bucket, out of 10,000.
        bucket: u64,
    },
}

/// Ways in which a contextual bandit chooses an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArmChoice {
    /// By bucket, in equal shares: nothing has been learned yet.
    EqualShares,
    /// By a weighted draw, in order to learn.
    Explored,
    /// By the best score.
    Best,
    /// By an even draw: no arm has a score.
    Random,
}

impl ArmChoice {
    /// Whether the choice was made in order to learn.
    pub(crate) const fn explores(self) -> bool {
        matches!(self, Self::EqualShares | Self::Explored)
    }
}

/// Origin of a value that is not the field that a condition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    IpCountry,
    UserAgent,
    UserEnvironment,
    SdkEnvironment,
    DefaultEnvironment,
    App,
}
