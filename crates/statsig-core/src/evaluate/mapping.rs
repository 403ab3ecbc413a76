//! Config mappings: another config in the place of the one that was asked for.

use sha2::{Digest, Sha256};

use super::evaluator::{Abort, Call, Evaluator, Kind, Recognition};
use super::outcome::Outcome;
use super::tracer::{CandidateEnd, RuleEnd, Tracer};
use crate::ruleset::{Mapping, MappingCandidate, Pass, Rule, Spec};

impl<'a, T: Tracer> Evaluator<'a, T> {
    /// Lets another config replace the spec; false if none does.
    pub(super) fn mapped(
        &mut self,
        r: &mut Outcome,
        mapping: &Mapping,
        original: Option<&Spec>,
        kind: Kind,
    ) -> Result<bool, Abort> {
        for candidate in &mapping.candidates {
            self.tracer.enter_candidate(candidate);
            let end = self.try_candidate(r, candidate, original, kind)?;
            self.tracer.leave_candidate(end);
            if end == CandidateEnd::Taken {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn try_candidate(
        &mut self,
        r: &mut Outcome,
        candidate: &MappingCandidate,
        original: Option<&Spec>,
        kind: Kind,
    ) -> Result<CandidateEnd, Abort> {
        let ruleset = self.ruleset;
        if candidate.start_time > self.inputs.now() {
            return Ok(CandidateEnd::NotStarted);
        }
        let Some(rule) = ruleset.rules.get(candidate.rule as usize) else { return Ok(CandidateEnd::RuleMissing) };
        let checkpoint = self.checkpoint();
        self.tracer.enter_rule(rule);
        let end = match self.match_rule(r, rule) {
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Err(Abort::TooDeep) => {
                self.resume(&checkpoint);
                self.reset(r);
                return Ok(CandidateEnd::NoMatch);
            }
            Ok(()) if r.unsupported => RuleEnd::Unsupported,
            Ok(()) if !r.passed => RuleEnd::NoMatch,
            Ok(()) if self.passes_for(rule, original) => RuleEnd::Decided,
            Ok(()) => RuleEnd::OutsidePercentage,
        };
        self.tracer.leave_rule(end);
        self.reset(r);
        match end {
            RuleEnd::Decided => {}
            RuleEnd::OutsidePercentage => return Ok(CandidateEnd::OutsidePercentage),
            _ => return Ok(CandidateEnd::NoMatch),
        }
        r.override_config_name = Some(candidate.new_config).into();
        let call = Call::by_name(ruleset, ruleset.str(candidate.new_config), kind);
        let recognition = match self.descend() {
            Ok(()) => self.evaluate(r, call),
            Err(abort) => Err(abort),
        };
        self.resume(&checkpoint);
        match recognition {
            Ok(Recognition::Recognized) => return Ok(CandidateEnd::Taken),
            Err(Abort::Exhausted) => return Err(Abort::Exhausted),
            Ok(Recognition::Unrecognized) | Err(Abort::TooDeep) => self.reset(r),
        }
        Ok(if recognition.is_ok() { CandidateEnd::ConfigMissing } else { CandidateEnd::ConfigFailed })
    }

    /// Empties an outcome for the next try, exposures included.
    fn reset(&mut self, r: &mut Outcome) {
        self.truncate_exposures(r.exposures_from);
        *r = Outcome::new(r.exposures_from);
    }

    /// Whether the user is within the rule's percentage, hashed with the salt of the spec that may be
    /// replaced.
    fn passes_for(&mut self, rule: &Rule, original: Option<&Spec>) -> bool {
        let Pass::Below { threshold, .. } = rule.pass else {
            let passes = rule.pass == Pass::Everybody;
            self.tracer.percentage(rule, original, None, passes);
            return passes;
        };
        let ruleset = self.ruleset;
        let bucket = self.inputs.context.unit_id(self.ruleset, rule.unit).with_text(|id| {
            let mut hash = Sha256::new();
            hash.update(original.map_or("", |spec| ruleset.str(spec.salt)));
            hash.update(".");
            hash.update(ruleset.str(rule.salt));
            hash.update(".");
            hash.update(id.unwrap_or_default());
            let digest = hash.finalize();
            digest[..8].iter().fold(0_u64, |hash, &byte| hash << 8 | u64::from(byte)) % 10_000
        });
        let passes = bucket < u64::from(threshold);
        self.tracer.percentage(rule, original, Some(bucket), passes);
        passes
    }
}
