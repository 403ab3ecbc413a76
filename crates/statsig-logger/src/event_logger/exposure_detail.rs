//! What the exposures of many users have in common.
//!
//! Of an exposure, only the user and the time are its own: name, rule, reason and nested gates are
//! the same for all users who meet the same rule in the same way. That part is written as JSON once,
//! kept in a table, and shared. So an exposure in the queue is four words, and encoding it copies
//! two pieces of text around the user.
//!
//! The table is looked up once for each exposure that is logged, by a 64-bit hash with a key of its
//! own in each process: two different details meet with a probability of 2⁻⁶⁴ for each pair. Each
//! lane of threads has a table of its own, emptied when it is full, which bounds the memory whatever
//! names an application asks for and however often the specs change. In the queue, the exposure that
//! had a detail written is charged for its bytes.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use foldhash::quality::RandomState;
use statsig_background::ForkGuard;
use statsig_core::{ExposureFacts, SecondaryExposure};

use super::json;
use super::logged_event::Surroundings;
use crate::exposure_key::{ExposureKey, ExposureKind, ExposureParts};
use crate::lanes::{LANES, Padded, own_lane};
use crate::sampling::SamplingMark;

/// Most details that a lane keeps, and most bytes of them.
const MOST_DETAILS: usize = 2_048;
const MOST_DETAIL_BYTES: usize = 2 << 20;

/// The shared part of exposures, as JSON around the user.
#[derive(Debug)]
pub(super) struct ExposureDetail {
    head: Box<[u8]>,
    tail: Box<[u8]>,
    surroundings: Arc<Surroundings>,
}

impl ExposureDetail {
    /// Up to the value of the member `user`.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// From behind the value of the member `time`.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }

    pub(super) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    #[cfg(test)]
    pub(super) fn of_parts(head: &[u8], tail: &[u8], surroundings: Arc<Surroundings>) -> Self {
        Self { head: head.into(), tail: tail.into(), surroundings }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.head.len() + self.tail.len()
    }
}

/// A layer's parameter, as its exposure names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerPart<'a> {
    pub(super) parameter: &'a str,
    pub(super) allocated_experiment: &'a str,
    pub(super) is_explicit: bool,
    /// Whether an empty list of gates is written as `null`, as of a layer whose own rule decided.
    pub(super) omits_empty_list: bool,
}

/// All that an exposure says beside user and time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) parts: &'a ExposureParts,
    pub(super) facts: ExposureFacts<'a>,
    /// The rule that is logged, which may not be that of `facts`.
    pub(super) rule_id: &'a str,
    /// A gate's value.
    pub(super) gate_value: bool,
    /// Written as `rulePassed` if it is to be.
    pub(super) rule_passed: Option<bool>,
    pub(super) layer: Option<LayerPart<'a>>,
    pub(super) is_manual: bool,
    pub(super) mark: SamplingMark,
}

impl Draft<'_> {
    /// What tells details apart, but for the nested gates.
    fn hash(&self, hasher: &mut impl Hasher) {
        let details = &self.facts.details;
        // Kind, name, rule, and value or parameter are hashed already.
        hasher.write_u64(ExposureKey::new(&ExposureParts { user: 0, ..*self.parts }).bits());
        let flags = u64::from(self.is_manual)
            | u64::from(self.gate_value) << 1
            | u64::from(self.rule_passed == Some(true)) << 2
            | u64::from(self.rule_passed.is_some()) << 3;
        hasher.write_u64(flags | details.version().map_or(u64::MAX, u64::from) << 4);
        details.kind().hash(hasher);
        details.source().hash(hasher);
        for time in [details.lcut(), details.received_at_ms()] {
            hasher.write_u64(time.unwrap_or(u64::MAX));
        }
        self.mark.hash(hasher);
        self.facts.override_config_name.hash(hasher);
        if let Some(layer) = &self.layer {
            (layer.allocated_experiment, layer.is_explicit, layer.omits_empty_list).hash(hasher);
        }
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.parts.kind {
            ExposureKind::Gate => br#"{"eventName":"statsig::gate_exposure","value":null,"metadata":{"#.as_slice(),
            ExposureKind::Config => br#"{"eventName":"statsig::config_exposure","value":null,"metadata":{"#,
            ExposureKind::Layer => br#"{"eventName":"statsig::layer_exposure","value":null,"metadata":{"#,
        });
        let facts = &self.facts;
        match self.parts.kind {
            ExposureKind::Gate => {
                json::member(out, "gate", facts.name);
                json::member(out, "gateValue", truth(self.gate_value));
            }
            ExposureKind::Config | ExposureKind::Layer => json::member(out, "config", facts.name),
        }
        json::member(out, "ruleID", self.rule_id);
        if let Some(passed) = self.rule_passed {
            json::member(out, "rulePassed", truth(passed));
        }
        if let Some(layer) = &self.layer {
            json::member(out, "allocatedExperiment", layer.allocated_experiment);
            json::member(out, "parameterName", layer.parameter);
            json::member(out, "isExplicitParameter", truth(layer.is_explicit));
        }
        let details = &facts.details;
        json::member(out, "reason", &details.reason());
        for (key, number) in [
            ("lcut", details.lcut()),
            ("receivedAt", details.received_at_ms()),
            ("configVersion", details.version().map(u64::from)),
        ] {
            if let Some(number) = number {
                json::member(out, key, &number.to_string());
            }
        }
        if self.is_manual {
            json::member(out, "isManualExposure", "true");
        }
        if let Some(name) = facts.override_config_name.filter(|_| self.layer.is_none()) {
            json::member(out, "overrideConfigName", name);
        }
        out.extend_from_slice(b"},\"statsigMetadata\":");
        self.mark.write_json(out);
        out.extend_from_slice(b",\"user\":");
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn write_tail<'a>(secondary: impl Iterator<Item = SecondaryExposure<'a>>, omits_empty_list: bool, out: &mut Vec<u8>) {
    let mut secondary = secondary.peekable();
    if omits_empty_list && secondary.peek().is_none() {
        out.extend_from_slice(b",\"secondaryExposures\":null}");
        return;
    }
    out.extend_from_slice(b",\"secondaryExposures\":[");
    for (at, exposure) in secondary.enumerate() {
        out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
        json::member(out, "gate", exposure.gate);
        json::member(out, "gateValue", truth(exposure.value));
        json::member(out, "ruleID", exposure.rule_id);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

#[derive(Debug, Default)]
struct Lane {
    known: HashMap<u64, Arc<ExposureDetail>, foldhash::fast::FixedState>,
    bytes: usize,
}

/// Details by what they say.
#[derive(Debug)]
pub(super) struct ExposureDetails {
    lanes: [Padded<Mutex<Lane>>; LANES],
    hasher: RandomState,
    process: ForkGuard,
}

impl ExposureDetails {
    pub(super) fn new() -> Self {
        Self { lanes: Default::default(), hasher: RandomState::default(), process: ForkGuard::new() }
    }

    /// The shared part of an exposure, and whether it had to be written. `secondary` is asked for
    /// the nested gates once or twice.
    pub(super) fn share<'a, I: Iterator<Item = SecondaryExposure<'a>>>(
        &self,
        draft: &Draft<'_>,
        secondary: impl Fn() -> I,
        surroundings: &Arc<Surroundings>,
    ) -> (Arc<ExposureDetail>, bool) {
        let mut hasher = self.hasher.build_hasher();
        draft.hash(&mut hasher);
        for exposure in secondary() {
            (exposure.gate, exposure.value, exposure.rule_id).hash(&mut hasher);
        }
        // By its address: settings never change, and each change of the environment makes a new one.
        Arc::as_ptr(surroundings).hash(&mut hasher);
        let key = hasher.finish();
        let mut lane = self.process.lock(&self.lanes[own_lane()].0);
        if let Some(known) = lane.as_ref().and_then(|lane| lane.known.get(&key)) {
            return (Arc::clone(known), false);
        }
        let (mut head, mut tail) = (Vec::with_capacity(256), Vec::with_capacity(64));
        draft.write_head(&mut head);
        let omits_empty_list = draft.layer.is_some_and(|layer| layer.omits_empty_list);
        write_tail(secondary(), omits_empty_list, &mut tail);
        let detail =
            Arc::new(ExposureDetail { head: head.into(), tail: tail.into(), surroundings: Arc::clone(surroundings) });
        let Some(lane) = &mut lane else { return (detail, true) };
        if lane.known.len() >= MOST_DETAILS || lane.bytes + detail.memory_bytes() > MOST_DETAIL_BYTES {
            lane.known.clear();
            lane.bytes = 0;
        }
        lane.bytes += detail.memory_bytes();
        lane.known.insert(key, Arc::clone(&detail));
        (detail, true)
    }
}
