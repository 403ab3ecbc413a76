//! Contextual bandits.

use super::state::State;
use super::tree::{ArmTrace, BanditChoice, BanditTrace, Score, SpecTrace};
use super::walk::Walker;
use crate::evaluate::{Abort, ConfigValue, Exposed, Seen, random};
use crate::ruleset::{Cmab, CmabGroup, CmabWeights, GateRef, Text, well_known};

impl<'a> Walker<'a> {
    pub(super) fn bandit(&mut self, r: &mut State, cmab: &'a Cmab, trace: &mut SpecTrace) -> Result<(), Abort> {
        let mut told = Box::new(BanditTrace { higher_is_better: cmab.higher_is_better, ..Default::default() });
        let end = self.run_bandit(r, cmab, &mut told);
        trace.bandit = Some(told);
        end
    }

    fn run_bandit(&mut self, r: &mut State, cmab: &'a Cmab, told: &mut BanditTrace) -> Result<(), Abort> {
        r.id_type = Some(cmab.id_type);
        r.version = Some(cmab.version);
        r.is_experiment_active = cmab.enabled;
        r.passed = false;
        r.value = ConfigValue::At(cmab.default_value);
        if !cmab.enabled || cmab.groups.is_empty() {
            told.choice = BanditChoice::NotRunning;
            r.rule_id = Some(well_known::PRESTART);
            return Ok(());
        }
        if let Some(gate) = cmab.targeting_gate
            && !self.is_targeted(r, gate, told)?
        {
            told.choice = BanditChoice::NotTargeted;
            r.rule_id = Some(well_known::INLINE_TARGETING);
            return Ok(());
        }
        let group = self.choose(cmab, told);
        let explored = matches!(told.choice, BanditChoice::EqualShares | BanditChoice::Explored);
        r.explored |= explored;
        r.passed = true;
        r.value = ConfigValue::At(group.value);
        r.rule_id = Some(group.id);
        r.group_name = Some(group.name);
        Ok(())
    }

    /// The targeting gate is exposed whatever its rule; one that nests too deep is closed.
    fn is_targeted(&mut self, r: &mut State, gate: GateRef, told: &mut BanditTrace) -> Result<bool, Abort> {
        let levels = (self.depth, self.frames);
        let mut trace = Box::<SpecTrace>::default();
        let end = self.nested(gate, &mut trace);
        told.targeting_gate = Some(trace);
        let (mut passed, mut rule_id) = (false, Text::EMPTY);
        match end {
            Ok(nested) => {
                let nested = &nested.state;
                self.expose(r, &nested.exposures);
                r.overridden |= nested.overridden;
                r.unsupported |= nested.unsupported;
                r.override_config = nested.override_config.or(r.override_config);
                if !nested.unsupported {
                    (passed, rule_id) = (nested.passed, nested.rule());
                }
            }
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => (self.depth, self.frames) = levels,
        }
        if !gate.is_segment {
            self.expose(r, &[Exposed { gate: gate.name, rule_id, value: passed }]);
        }
        Ok(passed)
    }

    #[allow(clippy::cast_precision_loss)] // buckets and counts are small, or only weights
    fn choose(&mut self, cmab: &'a Cmab, told: &mut BanditTrace) -> &'a CmabGroup {
        let groups = &cmab.groups;
        let bucket = self.bucket(cmab.prefix, cmab.unit, 10_000);
        let number = bucket.bucket as f64;
        told.bucket = Some(bucket);
        let weight = |group: &CmabGroup| match cmab.weights.get(group.weights as usize) {
            _ if !cmab.has_weights => None,
            Some(known) => Some(1.0 / (known.records as f64 + 1.0)),
            None => Some(1.0),
        };
        let known: Vec<Option<(f64, bool)>> = cmab.weights.iter().map(|weights| self.score(weights)).collect();
        let scores: Vec<Option<(f64, bool)>> =
            groups.iter().map(|group| known.get(group.weights as usize).copied().flatten()).collect();
        let chosen;
        (told.choice, chosen) = if !cmab.has_weights {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position
            let at = (number / (10_000.0 / groups.len() as f64)).floor() as usize;
            (BanditChoice::EqualShares, at.min(groups.len() - 1))
        } else {
            told.explores_below = Some(cmab.sample_rate * 10_000.0);
            if number < cmab.sample_rate * 10_000.0 {
                let weights: Vec<f64> = groups.iter().map(|group| weight(group).unwrap_or(1.0)).collect();
                (BanditChoice::Explored, self.draw(&weights))
            } else {
                match best(&scores, cmab.higher_is_better) {
                    Some(at) => (BanditChoice::Best, at),
                    None => (BanditChoice::Random, self.draw(&vec![1.0; groups.len()])),
                }
            }
        };
        for (at, group) in groups.iter().enumerate() {
            if !self.node() {
                told.arms_left_out = groups.len() - at;
                break;
            }
            told.arms.push(ArmTrace {
                name: self.text(group.name),
                id: self.text(group.id),
                chosen: at == chosen,
                score: match scores[at] {
                    None => Score::Unknown,
                    Some((_, true)) => Score::Private,
                    Some((score, false)) => Score::Known(score),
                },
                weight: weight(group),
            });
        }
        &groups[chosen]
    }

    /// What an arm promises, and whether a private attribute has a part in it.
    fn score(&self, weights: &CmabWeights) -> Option<(f64, bool)> {
        if weights.numerical.is_empty() && weights.categorical.is_empty() {
            return None;
        }
        let mut any_private = false;
        let mut seen = |field: u32| {
            let (seen, private) = self.field(field);
            any_private |= private;
            seen
        };
        let mut score = weights.intercept + weights.alpha;
        for known in &weights.categorical {
            score += seen(known.field).with_text(|text| {
                let known = known.weights.iter().find(|(value, _)| text == Some(self.ruleset.str(*value)));
                known.map_or(0.0, |(_, weight)| *weight)
            });
        }
        for (field, weight) in &weights.numerical {
            let value: Option<f64> = Seen::float(&seen(*field));
            score += value.map_or(0.0, |value| value * weight);
        }
        Some((score, any_private))
    }

    /// The position that a random number falls to.
    fn draw(&self, weights: &[f64]) -> usize {
        let mut rest = random(self.context.seed) * weights.iter().sum::<f64>();
        let fallen = weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        fallen.unwrap_or(weights.len() - 1)
    }
}

/// The first of the best scores.
fn best(scores: &[Option<(f64, bool)>], higher_is_better: bool) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for (at, score) in scores.iter().enumerate() {
        let Some((score, _)) = *score else { continue };
        // Any number is better than a score that is none.
        let better = best.is_none_or(|(top, _)| {
            top.is_nan() && !score.is_nan() || if higher_is_better { score > top } else { score < top }
        });
        if better {
            best = Some((score, at));
        }
    }
    best.map(|(_, at)| at)
}
