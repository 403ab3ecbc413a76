//! Contextual bandits as an explanation shows them.

use super::buckets;
use super::nodes::NodeBudget;
use super::shown::cut;
use super::tree::{ArmTrace, BanditChoice, BanditTrace, Score};
use crate::evaluate::{BanditEnd, EvaluationContext};
use crate::ruleset::Cmab;

/// Describes how a bandit decided. `scores`: those of [`Cmab::weights`], in order, with whether a
/// private attribute has a part in them.
pub(super) fn conclude(
    trace: &mut BanditTrace,
    context: &EvaluationContext<'_>,
    budget: &mut NodeBudget,
    cmab: &Cmab,
    end: BanditEnd,
    scores: &[Option<(f64, bool)>],
) {
    let BanditEnd::Chosen { by, group: chosen, bucket } = end else {
        trace.choice = match end {
            BanditEnd::NotTargeted => BanditChoice::NotTargeted,
            _ => BanditChoice::NotRunning,
        };
        return;
    };
    let ruleset = context.snapshot.ruleset();
    trace.choice = by.into();
    let prefix = ruleset.prefixes.get(cmab.prefix as usize);
    let salt = prefix.map(|prefix| prefix.salt(&ruleset.text)).unwrap_or_default();
    trace.bucket = Some(buckets::trace(context, bucket, 10_000, &salt, cmab.unit));
    trace.explores_below = cmab.has_weights.then_some(cmab.sample_rate * 10_000.0);
    for (at, group) in cmab.groups.iter().enumerate() {
        if !budget.take() {
            trace.arms_left_out = cmab.groups.len() - at;
            break;
        }
        trace.arms.push(ArmTrace {
            name: cut(ruleset.str(group.name)),
            id: cut(ruleset.str(group.id)),
            chosen: at == chosen,
            score: match scores.get(group.weights as usize).copied().flatten() {
                None => Score::Unknown,
                Some((_, true)) => Score::Private,
                Some((score, false)) => Score::Known(score),
            },
            weight: cmab.has_weights.then(|| cmab.exploration_weight(group)),
        });
    }
}
