//! Which exposures of a busy rule are logged.
//!
//! A project can ask for one of `n` exposures of a rule, where all of them would only cost money.
//! The server scales the numbers up again, so each exposure that goes through the sampling carries
//! the rate. Comes after deduplication: exposures that are equal are sampled equally anyway.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::dedupe::ExposureDedupe;
use crate::exposure_key::{ExposureKey, ExposureParts};

/// Pairs of spec and rule that the first-time set holds.
const FIRST_TIME_RULES: usize = 100_000;
/// How long a pair counts as logged, unless the project says otherwise.
const FIRST_TIME_WINDOW: Duration = Duration::from_secs(60);
/// Special-case rates are kept shifted by one, so that zero can mean none.
const NO_RATE: u64 = 0;

/// Whether sampling is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SamplingMode {
    /// Every exposure is logged.
    #[default]
    Off,
    /// What the sampling does not keep is not logged.
    On,
    /// Every exposure is logged, and says what the sampling would have done.
    Shadow,
}

impl SamplingMode {
    /// The mode of this name in a project's SDK settings: `on`, `shadow`, and any other is off.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "on" => Self::On,
            "shadow" => Self::Shadow,
            _ => Self::Off,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::On,
            2 => Self::Shadow,
            _ => Self::Off,
        }
    }
}

/// What an evaluation tells the sampling.
#[derive(Debug, Clone, Copy)]
pub struct SamplingInput<'a> {
    /// What tells the exposure apart.
    pub parts: &'a ExposureParts,
    /// The rule ID that is logged.
    pub rule_id: &'a str,
    /// The rule's own rate: one of so many.
    pub rule_rate: Option<u64>,
    /// The spec asks for all its exposures.
    pub forward_all: bool,
    /// A nested gate without a rate was evaluated on the way, which makes the exposure part of an
    /// analysis.
    pub analytical: bool,
}

/// The part of an exposure's own `statsigMetadata` that speaks of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SamplingMark {
    /// Did not go through the sampling: `{}`.
    Unsampled,
    /// Went through it.
    Sampled {
        /// One of so many, or `None` if nothing gives a rate.
        rate: Option<u64>,
        /// `Shadow`, or else `On`.
        shadow: bool,
        /// Whether the sampling keeps it; it is logged without that only in shadow mode.
        kept: bool,
    },
}

impl SamplingMark {
    /// Appends the metadata as a JSON object.
    pub fn write_json(self, out: &mut Vec<u8>) {
        let Self::Sampled { rate, shadow, kept } = self else {
            out.extend_from_slice(b"{}");
            return;
        };
        out.extend_from_slice(b"{\"samplingRate\":");
        match rate {
            Some(rate) => out.extend_from_slice(rate.to_string().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(if shadow { b",\"samplingMode\":\"shadow\"" } else { b",\"samplingMode\":\"on\"" });
        out.extend_from_slice(if kept { b",\"shadowLogged\":\"logged\"}" } else { b",\"shadowLogged\":\"dropped\"}" });
    }
}

/// Decides which exposures are logged (section *sampling* of the protocol).
///
/// Shared by all threads without a lock, in fixed memory.
#[derive(Debug)]
pub struct ExposureSampler {
    mode: AtomicU8,
    special_rate: AtomicU64,
    production: AtomicBool,
    first_time: ExposureDedupe,
}

impl Default for ExposureSampler {
    fn default() -> Self {
        Self::new()
    }
}

impl ExposureSampler {
    /// A sampler that is off until the project's settings say otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self {
            mode: AtomicU8::new(SamplingMode::Off as u8),
            special_rate: AtomicU64::new(NO_RATE),
            production: AtomicBool::new(true),
            first_time: ExposureDedupe::new(FIRST_TIME_RULES, FIRST_TIME_WINDOW),
        }
    }

    /// Takes over the project's mode (`sampling_mode`).
    pub fn set_mode(&self, mode: SamplingMode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// Takes over the project's rate for users that no rule meets (`special_case_sampling_rate`).
    pub fn set_special_rate(&self, rate: Option<u64>) {
        self.special_rate.store(rate.map_or(NO_RATE, |rate| rate.saturating_add(1)), Ordering::Relaxed);
    }

    /// Takes over how long a rule counts as logged (`exposure_spec_sampling_ttl_ms`).
    pub fn set_first_time_window(&self, window: Duration) {
        self.first_time.set_window(window);
    }

    /// Says whether the application runs in the `production` environment, the default. In any
    /// other, every exposure is logged.
    pub fn set_production(&self, production: bool) {
        self.production.store(production, Ordering::Relaxed);
    }

    /// How to log an exposure; `None` if it is not to be logged.
    ///
    /// Of each rule of each spec, the first exposure in a window is logged whatever the rate.
    /// Overridden users (rule IDs that end in `:override` or `:id_override`) always are, and so is
    /// every user outside of production. In shadow mode all are, with the mark that they would have
    /// anywhere. Never blocks or allocates.
    #[must_use]
    pub fn decide(&self, input: &SamplingInput<'_>, now_ms: u64) -> Option<SamplingMark> {
        let mode = SamplingMode::from_code(self.mode.load(Ordering::Relaxed));
        let exempt = mode == SamplingMode::Off || input.forward_all || input.analytical;
        if exempt || self.first_time.is_first(ExposureKey::of_rule(input.parts), now_ms) {
            return Some(SamplingMark::Unsampled);
        }
        let rate = self.rate(input);
        let kept = match rate {
            None => true,
            // One of no exposures at all.
            Some(0) => false,
            Some(rate) => ExposureKey::new(input.parts).bits().is_multiple_of(rate),
        };
        let shadow = mode == SamplingMode::Shadow;
        if !shadow && rate.is_some_and(|rate| rate != 1) && self.always_logs(input) {
            // One that stands for itself alone carries no rate, or the server would scale it up.
            return Some(SamplingMark::Unsampled);
        }
        (kept || shadow).then_some(SamplingMark::Sampled { rate, shadow, kept })
    }

    /// Whether every exposure is logged whatever its rate: of overridden users, and outside of production.
    fn always_logs(&self, input: &SamplingInput<'_>) -> bool {
        let is_overridden = input.rule_id.ends_with(":override") || input.rule_id.ends_with(":id_override");
        is_overridden || !self.production.load(Ordering::Relaxed)
    }

    fn rate(&self, input: &SamplingInput<'_>) -> Option<u64> {
        let special = match input.rule_id {
            "default" | "disabled" | "" => self.special_rate.load(Ordering::Relaxed).checked_sub(1),
            _ => None,
        };
        special.or(input.rule_rate)
    }
}

#[cfg(test)]
mod tests;
