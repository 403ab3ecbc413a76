//! Contextual bandits (`docs/protocol/evaluation.md#composites`).

use super::evaluator::{Abort, Evaluator};
use super::outcome::{ConfigValue, Outcome};
use super::tracer::{ArmChoice, BanditEnd, Tracer};
use crate::ruleset::{Categorical, Cmab, CmabGroup, CmabWeights, well_known};

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Lets a bandit decide an experiment.
    pub(super) fn bandit(&mut self, r: &mut Outcome, cmab: &Cmab) -> Result<(), Abort> {
        self.tracer.enter_bandit(cmab);
        let end = self.ask_bandit(r, cmab)?;
        self.tracer.leave_bandit(cmab, end);
        Ok(())
    }

    fn ask_bandit(&mut self, r: &mut Outcome, cmab: &Cmab) -> Result<BanditEnd, Abort> {
        r.id_type = Some(cmab.id_type).into();
        r.version = Some(cmab.version);
        r.is_experiment_active = cmab.enabled;
        r.passed = false;
        r.value = ConfigValue::At(cmab.default_value);
        if !cmab.enabled || cmab.groups.is_empty() {
            r.rule_id = well_known::PRESTART;
            return Ok(BanditEnd::NotRunning);
        }
        if let Some(gate) = cmab.targeting_gate
            && !self.targeting_gate(r, gate)?
        {
            r.rule_id = well_known::INLINE_TARGETING;
            return Ok(BanditEnd::NotTargeted);
        }
        if T::EXPLAINS {
            for weights in &cmab.weights {
                let score = self.score(weights);
                self.tracer.scored(score);
            }
        }
        let bucket = self.inputs.bucket::<10_000>(cmab.prefix, cmab.unit);
        let (by, at) = self.choose(cmab, bucket);
        let group = &cmab.groups[at];
        r.explored |= by.explores();
        r.passed = true;
        r.value = ConfigValue::At(group.value);
        r.rule_id = group.id;
        r.group_name = Some(group.name).into();
        Ok(BanditEnd::Chosen { by, group: at, bucket })
    }

    /// Chooses a group for the user's bucket; there is at least one.
    #[allow(clippy::cast_precision_loss)] // buckets are small
    fn choose(&mut self, cmab: &Cmab, bucket: u64) -> (ArmChoice, usize) {
        let groups = &cmab.groups;
        if !cmab.has_weights {
            // `floor(bucket / (10000 / n))`, in integers.
            let share = 10_000.0 / groups.len() as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position
            let at = (bucket as f64 / share).floor() as usize;
            return (ArmChoice::EqualShares, at.min(groups.len() - 1));
        }
        if (bucket as f64) < cmab.sample_rate * 10_000.0 {
            return (ArmChoice::Explored, self.draw(groups, |group| cmab.exploration_weight(group)));
        }
        // Of equal scores the first counts, so that only the first group of an id can be the best.
        let mut best: Option<(f64, u32)> = None;
        for weights in &cmab.weights {
            let Some(score) = self.score(weights).filter(|_| (weights.group as usize) < groups.len()) else { continue };
            // A score that is no number (infinity times a zero weight) compares with nothing: any number is better.
            let better = best.is_none_or(|(top, _)| {
                top.is_nan() && !score.is_nan() || if cmab.higher_is_better { score > top } else { score < top }
            });
            if better {
                best = Some((score, weights.group));
            }
        }
        match best {
            Some((_, at)) => (ArmChoice::Best, at as usize),
            None => (ArmChoice::Random, self.draw(groups, |_| 1.0)),
        }
    }

    /// Returns what an arm promises for this user; `None` if nothing was learned about it.
    fn score(&mut self, weights: &CmabWeights) -> Option<f64> {
        if weights.numerical.is_empty() && weights.categorical.is_empty() {
            return None;
        }
        let ruleset = self.ruleset;
        let mut score = weights.intercept + weights.alpha;
        for Categorical { field, weights } in &weights.categorical {
            score += self.inputs.user_field(*field, &mut self.tracer).with_text(|text| {
                let known = weights.iter().find(|(value, _)| text == Some(ruleset.str(*value)));
                known.map_or(0.0, |(_, weight)| *weight)
            });
        }
        for (field, weight) in &weights.numerical {
            score += self.inputs.user_field(*field, &mut self.tracer).float().map_or(0.0, |value| value * weight);
        }
        Some(score)
    }

    /// Draws the position of a random group, by weight.
    fn draw(&self, groups: &[CmabGroup], weight: impl Fn(&CmabGroup) -> f64) -> usize {
        let total: f64 = groups.iter().map(&weight).sum();
        let mut rest = self.inputs.context.random_fraction() * total;
        let drawn = groups.iter().position(|group| {
            rest -= weight(group);
            rest < 0.0
        });
        drawn.unwrap_or(groups.len() - 1)
    }
}

impl Cmab {
    /// Returns the weight of a group in an exploring draw: the less is known about it, the more.
    #[allow(clippy::cast_precision_loss)] // only a weight
    pub(crate) fn exploration_weight(&self, group: &CmabGroup) -> f64 {
        self.weights.get(group.weights as usize).map_or(1.0, |known| 1.0 / (known.records as f64 + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::{EvaluationContext, EvaluationSettings, Ruleset, Snapshot, StatsigUser};
    use statsig_adapters::{FixedClock, SpecOrigin};

    /// The arm that a user gets; each arm has an intercept and a weight of the field `score`.
    fn arm(arms: &[(&str, f64, f64)], higher_is_better: bool, score: &str) -> String {
        let groups: Vec<_> = arms.iter().map(|(id, ..)| json!({"name": id, "id": id, "parameterValues": {}})).collect();
        let weights = arms.iter().map(|(id, intercept, weight)| {
            let learned = json!({"alpha": 0, "intercept": intercept, "records": 1, "weightsCategorical": {},
                "weightsNumerical": {"score": weight}});
            ((*id).to_owned(), learned)
        });
        let payload = json!({"has_updates": true, "time": 1, "feature_gates": {}, "dynamic_configs": {},
            "layer_configs": {}, "condition_map": {}, "cmab_configs": {"b": {"salt": "s", "defaultValue": {},
            "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0, "higherIsBetter": higher_is_better,
            "groups": groups, "config": weights.collect::<serde_json::Map<_, _>>()}}});
        let ruleset = Ruleset::compile(payload.to_string().as_bytes()).unwrap();
        let snapshot = Arc::new(Snapshot::new(ruleset, SpecOrigin::Bootstrap, 1));
        let user = StatsigUser::builder().user_id("u").custom("score", score).build();
        let settings = EvaluationSettings::new();
        let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(1)).with_seed(3);
        assert!(!context.explain_experiment("b").disagrees);
        context.experiment("b", false).rule_id().to_owned()
    }

    #[test]
    fn a_score_that_is_no_number_beats_no_number() {
        for higher_is_better in [true, false] {
            for arms in [[("nan", 9.0, 0.0), ("low", 1.0, 1.0)], [("low", 1.0, 1.0), ("nan", 9.0, 0.0)]] {
                assert_eq!(arm(&arms, higher_is_better, "Infinity"), "low", "{arms:?}");
            }
        }
        assert_eq!(arm(&[("nan", 9.0, 0.0), ("low", 1.0, 1.0)], true, "2"), "nan", "9 beats 3");
        // Where no score is a number, the first arm stands, as in the official core.
        for higher_is_better in [true, false] {
            assert_eq!(arm(&[("a", 1.0, 0.0), ("b", 2.0, 0.0)], higher_is_better, "inf"), "a");
        }
    }
}
