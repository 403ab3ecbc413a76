//! Rules, conditions and config mappings in words.

use super::{Page, quoted, shown, unit};
use crate::explain::NODES;
use crate::explain::lines::{Line, Role};
use crate::explain::tree::{
    BucketTrace, CandidateOutcome, CandidateTrace, ConditionOutcome, ConditionTrace, Observed, PercentageTrace,
    RuleOutcome, RuleTrace, SpecKind,
};

impl Page {
    pub(in crate::explain) fn rule(&mut self, rule: &RuleTrace, depth: usize) {
        let line = Line::new(depth).plain("rule ").name(&rule.id);
        let line = match &rule.group_name {
            Some(group) => line.plain(" (group ").name(group).plain("): "),
            None => line.plain(": "),
        };
        self.push(match rule.outcome {
            RuleOutcome::NotReached => line.note("not reached"),
            RuleOutcome::NoMatch => line.add(Role::Fail, "no match"),
            RuleOutcome::OutsidePercentage => line.add(Role::Fail, "outside the percentage"),
            RuleOutcome::Decided => line.add(Role::Pass, "decides"),
            RuleOutcome::Delegated => line.add(Role::Pass, "hands over"),
            RuleOutcome::Contributed => line.add(Role::Pass, "contributes"),
            RuleOutcome::Superseded => line.note("its experiment came too late"),
            RuleOutcome::Unsupported => line.add(Role::Trouble, "unsupported"),
            RuleOutcome::Failed => line.add(Role::Trouble, "broken off"),
        });
        self.inside_rule(rule, depth + 1);
    }

    fn inside_rule(&mut self, rule: &RuleTrace, depth: usize) {
        for condition in &rule.conditions {
            self.condition(condition, depth);
        }
        if rule.conditions_left_out > 0 {
            let more = format!("… {} more conditions, cut after {NODES} nodes", rule.conditions_left_out);
            self.push(Line::new(depth).note(more));
        }
        if let Some(percentage) = &rule.percentage {
            self.percentage(percentage, depth);
        }
        if let Some(delegate) = &rule.delegate {
            self.inner_spec(Line::new(depth), delegate);
        }
        if !rule.parameters.is_empty() {
            self.push(Line::new(depth).plain("gives ").name(rule.parameters.join(", ")));
        }
    }

    fn percentage(&mut self, percentage: &PercentageTrace, depth: usize) {
        let line = verdict(Line::new(depth), percentage.passes).plain("percentage ");
        let line = line.value(percentage.percent.to_string());
        self.push(match (&percentage.bucket, percentage.passes_below) {
            (Some(found), Some(below)) => {
                let line = bucket(line.plain(": "), found).plain(", passes below ").value(below.to_string());
                hashed(line, found)
            }
            _ => line,
        });
    }

    fn condition(&mut self, condition: &ConditionTrace, depth: usize) {
        let line = Line::new(depth);
        let mut line = match condition.outcome {
            ConditionOutcome::Pass => verdict(line, true),
            ConditionOutcome::Fail => verdict(line, false),
            ConditionOutcome::Unsupported => {
                line.add(Role::Trouble, condition.limit.unwrap_or("unsupported")).plain(" ")
            }
            ConditionOutcome::Failed => line.add(Role::Trouble, "broken off "),
        };
        line = line.plain(&condition.condition_type);
        if let Some(field) = &condition.field {
            line = line.plain(" ").name(field);
        }
        if let Some(seen) = &condition.seen {
            line = line.plain(": ");
            line = match (seen, &condition.bucket) {
                (_, Some(found)) => bucket(line, found),
                (Observed::Missing, _) => line.note("missing"),
                (Observed::Private, _) => line.note(crate::explain::HIDDEN),
                (Observed::Shown(value), _) => line.value(shown(value)),
            };
        }
        if let Some(operator) = &condition.operator {
            line = line.plain(" ").plain(operator).plain(" ");
            line = match &condition.target {
                Some(target) => line.value(shown(target)),
                None => line.note("no target that it can use"),
            };
        }
        if let Some(found) = &condition.bucket {
            line = hashed(line, found);
        }
        if let Some(origin) = condition.origin {
            line = line.note(format!(" ({origin})"));
        }
        if let [only] = condition.asked.as_slice() {
            let line = line.plain(" ");
            if only.kind == SpecKind::Gate {
                self.named_spec(line, only)
            } else {
                self.inner_spec(line, only)
            }
            return;
        }
        self.push(line);
        for gate in &condition.asked {
            self.inner_spec(Line::new(depth + 1), gate);
        }
    }

    pub(in crate::explain) fn candidate(&mut self, candidate: &CandidateTrace, depth: usize) {
        let line = Line::new(depth).plain("mapping to ").name(&candidate.new_config).plain(": ");
        self.push(match candidate.outcome {
            CandidateOutcome::NotReached => line.add(Role::Trouble, "broken off"),
            CandidateOutcome::NotStarted => {
                let start = format!(" (starts at {})", candidate.start_time);
                line.add(Role::Fail, "not started").note(start)
            }
            CandidateOutcome::RuleMissing => line.add(Role::Trouble, "its rule is missing"),
            CandidateOutcome::NoMatch => line.add(Role::Fail, "no match"),
            CandidateOutcome::OutsidePercentage => line.add(Role::Fail, "outside the percentage"),
            CandidateOutcome::ConfigMissing => line.add(Role::Fail, "there is no such config"),
            CandidateOutcome::ConfigFailed => line.add(Role::Trouble, "nested too deep"),
            CandidateOutcome::Taken => line.add(Role::Pass, "taken"),
        });
        if let Some(rule) = &candidate.rule {
            self.rule(rule, depth + 1);
        }
        if let Some(config) = &candidate.config {
            self.inner_spec(Line::new(depth + 1), config);
        }
    }
}

fn verdict(line: Line, passes: bool) -> Line {
    if passes { line.add(Role::Pass, "pass ") } else { line.add(Role::Fail, "fail ") }
}

pub(super) fn bucket(line: Line, found: &BucketTrace) -> Line {
    line.plain("bucket ").value(found.bucket.to_string()).plain(" of ").plain(found.of.to_string())
}

/// What a bucket was hashed from.
pub(super) fn hashed(line: Line, found: &BucketTrace) -> Line {
    let line = line.note(format!(" (salt {}, ", quoted(&found.salt)));
    unit(line, &found.id_type, found.unit_id.as_deref()).note(")")
}
