//! Contextual bandits in words.

use super::Page;
use super::rule::{bucket, hashed};
use crate::explain::NODES;
use crate::explain::lines::{Line, Role};
use crate::explain::tree::{ArmTrace, BanditChoice, BanditTrace, Score};

impl Page {
    pub(in crate::explain) fn bandit(&mut self, bandit: &BanditTrace, depth: usize) {
        let line = Line::new(depth).plain("contextual bandit: ");
        self.push(match bandit.choice {
            BanditChoice::Failed => line.add(Role::Trouble, "broken off"),
            BanditChoice::NotRunning => line.add(Role::Fail, "does not run"),
            BanditChoice::NotTargeted => line.add(Role::Fail, "not for this user"),
            BanditChoice::EqualShares => line.plain("nothing learned yet, arms in equal shares"),
            BanditChoice::Explored => line.plain("explores, an arm drawn by weight"),
            BanditChoice::Best if bandit.higher_is_better => line.plain("the highest score wins"),
            BanditChoice::Best => line.plain("the lowest score wins"),
            BanditChoice::Random => line.plain("no arm has a score, one drawn at random"),
        });
        let depth = depth + 1;
        if let Some(gate) = &bandit.targeting_gate {
            self.inner_spec(Line::new(depth).plain("targeting "), gate);
        }
        if let Some(found) = &bandit.bucket {
            let line = bucket(Line::new(depth), found);
            self.push(hashed(
                match bandit.explores_below {
                    Some(below) => line.plain(", explores below ").value(below.to_string()),
                    None => line,
                },
                found,
            ));
        }
        for arm in &bandit.arms {
            self.push(describe(arm, depth));
        }
        if bandit.arms_left_out > 0 {
            self.push(Line::new(depth).note(format!("… {} more arms, cut after {NODES} nodes", bandit.arms_left_out)));
        }
    }
}

fn describe(arm: &ArmTrace, depth: usize) -> Line {
    let line = Line::new(depth).plain("arm ").name(&arm.name).plain(" (rule ").name(&arm.id).plain("): ");
    let line = if arm.chosen { line.add(Role::Pass, "chosen") } else { line.note("not chosen") };
    let line = match &arm.score {
        Score::Unknown => line,
        Score::Private => line.plain(", score ").note(crate::explain::HIDDEN),
        Score::Known(score) => line.plain(", score ").value(score.to_string()),
    };
    match arm.weight {
        Some(weight) => line.plain(", weight ").value(weight.to_string()),
        None => line,
    }
}
