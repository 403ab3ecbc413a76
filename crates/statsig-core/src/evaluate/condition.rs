//! Conditions: what is looked at.

use std::borrow::Cow;

use super::evaluator::{Abort, Evaluator};
use super::operator::evaluate_test;
use super::outcome::Outcome;
use super::user_value::Seen;
use crate::ruleset::{Condition, Input, Test, Text};
#[cfg(feature = "ip-country")]
use crate::ruleset::{FieldSlot, TopField};
use crate::value::Attribute;

impl<'a, const RECORD: bool> Evaluator<'a, RECORD> {
    /// Sets `passed`, or `unsupported` without touching `passed`.
    pub(super) fn condition(&mut self, r: &mut Outcome, condition: &'a Condition) -> Result<(), Abort> {
        match &condition.input {
            Input::Public => r.passed = true,
            Input::Gate { gate, expected } => return self.nested_gate(r, *gate, *expected),
            Input::AnyGate { gates, expected } => return self.any_gate(r, gates, *expected),
            Input::Unsupported => r.unsupported = true,
            input => {
                if condition.test == Test::Unsupported {
                    // The value is looked up all the same: an experiment's group is a check of its own.
                    self.look_up(input)?;
                    r.unsupported = true;
                    return Ok(());
                }
                let seen = self.look_up(input)?;
                r.passed = evaluate_test(self.ruleset, &condition.test, &seen, self.context.id_lists);
            }
        }
        Ok(())
    }

    /// Several gates, of which one must be as expected; the first that is ends it.
    fn any_gate(&mut self, r: &mut Outcome, gates: &[crate::ruleset::GateRef], expected: bool) -> Result<(), Abort> {
        let mut any = false;
        for gate in gates {
            let from = self.exposures.len();
            let mut one = Outcome::new(self.position());
            self.nested_gate(&mut one, *gate, expected)?;
            if one.unsupported {
                r.unsupported = true;
                return Ok(());
            }
            // Only the gates themselves are exposed, not what is inside them.
            if RECORD && self.exposures.len() > from {
                let is_exposed = !gate.is_segment && !one.rule_id.is_empty();
                let own = if is_exposed { self.exposures.pop() } else { None };
                self.exposures.truncate(from);
                self.exposures.extend(own);
            }
            r.seen_analytical |= one.seen_analytical;
            if one.passed {
                any = true;
                break;
            }
        }
        r.passed = any;
        Ok(())
    }

    /// The value that a condition's operator is applied to.
    pub(super) fn look_up(&mut self, input: &Input) -> Result<Seen<'a>, Abort> {
        let ruleset = self.ruleset;
        let field = |at: u32| ruleset.fields.get(at as usize).and_then(|field| self.context.user_field(field));
        Ok(match *input {
            Input::UserField { field: at } => Seen::text_of(field(at)),
            Input::IpBased { field: at, is_country } => match field(at) {
                Some(value) => Seen::Attribute(value),
                None if is_country => self.country(),
                None => Seen::Missing,
            },
            Input::UaBased { field: at, part } => match (field(at), part) {
                (Some(value), _) => Seen::Attribute(value),
                (None, Some(part)) => self.user_agent_part(part),
                (None, None) => Seen::Missing,
            },
            Input::Environment { exact, lower } => self.environment(exact, lower),
            Input::CurrentTime => Seen::Time(self.now()),
            Input::UserBucket { prefix, unit } => Seen::Number(self.bucket(prefix, unit, 1_000).cast_signed()),
            Input::UnitId { unit } => self.unit_id(unit),
            Input::TargetApp => Seen::text_of(ruleset.app.as_ref()),
            Input::ExperimentGroup { experiment } => match experiment.get() {
                Some(experiment) => match self.experiment_group(experiment)? {
                    Some(group) => Seen::Text(Cow::Borrowed(ruleset.str(group))),
                    None => Seen::Missing,
                },
                None => Seen::Missing,
            },
            Input::Public | Input::Gate { .. } | Input::AnyGate { .. } | Input::Nothing | Input::Unsupported => {
                Seen::Missing
            }
        })
    }

    /// The user's own environment first, then that of the SDK, then the project's default tier.
    fn environment(&self, exact: Text, lower: Text) -> Seen<'a> {
        let ruleset = self.ruleset;
        let (exact, lower) = (ruleset.str(exact), ruleset.str(lower));
        let user: &'a _ = self.context.user;
        if let Some(value) = user.data().environment.get(exact) {
            return Seen::Attribute(value);
        }
        let settings: &'a _ = self.context.settings;
        if !settings.environment.is_empty() {
            return Seen::text_of(settings.environment.get(exact).or_else(|| settings.environment.get(lower)));
        }
        match &ruleset.meta.default_environment {
            Some(tier) if exact == "tier" || lower == "tier" => Seen::Text(Cow::Borrowed(tier)),
            _ => Seen::Missing,
        }
    }

    #[cfg(feature = "ip-country")]
    fn country(&self) -> Seen<'a> {
        if self.context.settings.without_ip_country {
            return Seen::Missing;
        }
        let ip = self.context.user_value(FieldSlot::First(TopField::Ip), "ip", "ip").map(|(value, _)| value);
        let country = Seen::text_of(ip).with_text(|ip| ip.and_then(crate::ip_country::country_of));
        country.map_or(Seen::Missing, |country| Seen::Text(Cow::Borrowed(country)))
    }

    #[cfg(not(feature = "ip-country"))]
    fn country(&self) -> Seen<'a> {
        Seen::Missing
    }

    #[cfg(feature = "user-agent")]
    fn user_agent_part(&mut self, part: crate::ruleset::UserAgentPart) -> Seen<'a> {
        use crate::user_agent::{self, FieldText};
        if self.context.settings.without_user_agent {
            return Seen::Missing;
        }
        let slot = FieldSlot::First(TopField::UserAgent);
        let Some((value, _)) = self.context.user_value(slot, "userAgent", "useragent") else { return Seen::Missing };
        if let Attribute::String(text) = value {
            let parsed = *self.user_agent.get_or_insert_with(|| user_agent::parse(text));
            return match parsed.map(|agent| agent.field(part)) {
                Some(FieldText::Borrowed(text)) => Seen::Text(Cow::Borrowed(text)),
                Some(FieldText::Built(text)) => Seen::Built(text),
                None => Seen::Missing,
            };
        }
        Seen::Attribute(value).with_text(|text| match text.and_then(|text| user_agent::field(text, part)) {
            Some(text) => Seen::Built((&*text).into()),
            None => Seen::Missing,
        })
    }

    #[cfg(not(feature = "user-agent"))]
    fn user_agent_part(&mut self, _part: crate::ruleset::UserAgentPart) -> Seen<'a> {
        Seen::Missing
    }
}
