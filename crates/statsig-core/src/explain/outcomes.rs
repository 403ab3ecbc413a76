//! Ends of the evaluator's steps, in the terms of a tree.

use super::tree::{BanditChoice, CandidateOutcome, RuleOutcome, SpecKind};
use crate::evaluate::{ArmChoice, CandidateEnd, Kind, RuleEnd};

impl From<Kind> for SpecKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Gate => Self::Gate,
            Kind::DynamicConfig => Self::DynamicConfig,
            Kind::Experiment => Self::Experiment,
            Kind::Layer => Self::Layer,
        }
    }
}

impl From<RuleEnd> for RuleOutcome {
    fn from(end: RuleEnd) -> Self {
        match end {
            RuleEnd::NoMatch => Self::NoMatch,
            RuleEnd::OutsidePercentage => Self::OutsidePercentage,
            RuleEnd::Decided => Self::Decided,
            RuleEnd::Delegated => Self::Delegated,
            RuleEnd::Contributed => Self::Contributed,
            RuleEnd::Superseded => Self::Superseded,
            RuleEnd::Unsupported => Self::Unsupported,
        }
    }
}

impl From<CandidateEnd> for CandidateOutcome {
    fn from(end: CandidateEnd) -> Self {
        match end {
            CandidateEnd::NotStarted => Self::NotStarted,
            CandidateEnd::RuleMissing => Self::RuleMissing,
            CandidateEnd::NoMatch => Self::NoMatch,
            CandidateEnd::OutsidePercentage => Self::OutsidePercentage,
            CandidateEnd::ConfigMissing => Self::ConfigMissing,
            CandidateEnd::ConfigFailed => Self::ConfigFailed,
            CandidateEnd::Taken => Self::Taken,
        }
    }
}

impl From<ArmChoice> for BanditChoice {
    fn from(choice: ArmChoice) -> Self {
        match choice {
            ArmChoice::EqualShares => Self::EqualShares,
            ArmChoice::Explored => Self::Explored,
            ArmChoice::Best => Self::Best,
            ArmChoice::Random => Self::Random,
        }
    }
}
