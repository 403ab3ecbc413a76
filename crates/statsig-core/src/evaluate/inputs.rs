//! What conditions look at: the user, the settings, the time, buckets.

use super::context::EvaluationContext;
use super::recent_conditions::RecentConditions;
use super::tracer::{Origin, Tracer};
use super::user_value::Seen;
use crate::pattern::PatternBudget;
#[cfg(any(feature = "ip-country", feature = "user-agent"))]
use crate::ruleset::{FieldSlot, TopField};
use crate::ruleset::{Input, Pass, Rule, Ruleset, Spec, Text};
use crate::value::Attribute;

/// Looks values up for conditions, and remembers those that are dear.
pub(crate) struct Inputs<'a> {
    pub(crate) context: EvaluationContext<'a>,
    pub(crate) ruleset: &'a Ruleset,
    /// What `target_app` conditions see.
    pub(super) app: Option<&'a Attribute>,
    /// What patterns may still cost.
    pub(super) patterns: PatternBudget,
    now: Option<i64>,
    /// Of plain specs.
    pub(super) recent: RecentConditions,
    /// The bucket that was computed last, by prefix and unit.
    last_bucket: Option<((u32, u32), u64)>,
    #[cfg(feature = "user-agent")]
    user_agent: Option<Option<crate::user_agent::UserAgent<'a>>>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(context: EvaluationContext<'a>) -> Self {
        Self {
            context,
            ruleset: context.snapshot.ruleset(),
            app: context.snapshot.ruleset().app.as_ref(),
            patterns: PatternBudget::new(),
            now: None,
            recent: RecentConditions::new(),
            last_bucket: None,
            #[cfg(feature = "user-agent")]
            user_agent: None,
        }
    }

    /// The value of a user field.
    #[inline]
    pub(crate) fn user_field<T: Tracer>(&self, field: u32, tracer: &mut T) -> Seen<'a> {
        self.ruleset.fields.get(field as usize).map_or(Seen::Missing, |field| self.context.user_field(field, tracer))
    }

    /// The value that a condition's operator is applied to.
    pub(crate) fn look_up<T: Tracer>(&mut self, input: &Input, tracer: &mut T) -> Seen<'a> {
        match *input {
            Input::UserField { field } => self.user_field(field, tracer),
            Input::IpBased { field, is_country } => match self.user_field(field, tracer) {
                Seen::Missing if is_country && !self.context.settings.without_ip_country => {
                    tracer.origin(Origin::IpCountry);
                    self.country(tracer)
                }
                seen => seen,
            },
            Input::UaBased { field, part } => match (self.user_field(field, tracer), part) {
                (Seen::Missing, Some(part)) if !self.context.settings.without_user_agent => {
                    tracer.origin(Origin::UserAgent);
                    self.user_agent_part(part, tracer)
                }
                (seen, _) => seen,
            },
            Input::Environment { exact, lower } => self.environment(exact, lower, tracer),
            Input::CurrentTime => Seen::Time(self.now()),
            Input::UserBucket { prefix, unit } => Seen::Number(self.user_bucket(prefix, unit).cast_signed()),
            Input::UnitId { unit } => self.context.unit_id(self.ruleset, unit),
            Input::TargetApp => {
                tracer.origin(Origin::App);
                Seen::of(self.app)
            }
            // These are not values, or asked for by the caller.
            Input::Public
            | Input::Gate { .. }
            | Input::AnyGate { .. }
            | Input::ExperimentGroup { .. }
            | Input::Nothing
            | Input::Unsupported => Seen::Missing,
        }
    }

    /// The user's own environment first, then that of the SDK, then the project's default tier.
    fn environment<T: Tracer>(&self, exact: Text, lower: Text, tracer: &mut T) -> Seen<'a> {
        let ruleset = self.ruleset;
        let (exact, lower) = (ruleset.str(exact), ruleset.str(lower));
        let user: &'a _ = self.context.user;
        if let Some(value) = user.data().environment.get(exact) {
            tracer.origin(Origin::UserEnvironment);
            return Seen::of(Some(value));
        }
        let settings: &'a _ = self.context.settings;
        if !settings.environment.is_empty() {
            tracer.origin(Origin::SdkEnvironment);
            return Seen::of(settings.environment.get(exact).or_else(|| settings.environment.get(lower)));
        }
        tracer.origin(Origin::DefaultEnvironment);
        match &ruleset.meta.default_environment {
            Some(tier) if exact == "tier" || lower == "tier" => Seen::Text(tier),
            _ => Seen::Missing,
        }
    }

    #[cfg(feature = "ip-country")]
    fn country<T: Tracer>(&self, tracer: &mut T) -> Seen<'a> {
        let ip = self.context.user_value(FieldSlot::First(TopField::Ip), "ip", None, tracer);
        let country = Seen::of(ip).with_text(|ip| ip.and_then(crate::ip_country::country_of));
        country.map_or(Seen::Missing, Seen::Text)
    }

    #[cfg(not(feature = "ip-country"))]
    fn country<T: Tracer>(&self, _tracer: &mut T) -> Seen<'a> {
        Seen::Missing
    }

    #[cfg(feature = "user-agent")]
    fn user_agent_part<T: Tracer>(&mut self, part: crate::ruleset::UserAgentPart, tracer: &mut T) -> Seen<'a> {
        use crate::user_agent::{self, FieldText};
        let slot = FieldSlot::First(TopField::UserAgent);
        let Some(value) = self.context.user_value(slot, "userAgent", Some("useragent"), tracer) else {
            return Seen::Missing;
        };
        if let Attribute::String(text) = value {
            let parsed = *self.user_agent.get_or_insert_with(|| user_agent::parse(text));
            return match parsed.map(|agent| agent.field(part)) {
                Some(FieldText::Borrowed(text)) => Seen::Text(text),
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
    fn user_agent_part<T: Tracer>(&mut self, _part: crate::ruleset::UserAgentPart, _tracer: &mut T) -> Seen<'a> {
        Seen::Missing
    }

    /// Returns whether the user is within the percentage of a rule of `spec`.
    #[inline]
    pub(crate) fn passes<T: Tracer>(&self, rule: &Rule, spec: &Spec, tracer: &mut T) -> bool {
        self.context.passes(self.ruleset, rule, spec, tracer)
    }

    /// The user's bucket of a `user_bucket` condition. The groups of an experiment ask for the same
    /// one in turn.
    pub(crate) fn user_bucket(&mut self, prefix: u32, unit: u32) -> u64 {
        if let Some((key, bucket)) = self.last_bucket
            && key == (prefix, unit)
        {
            return bucket;
        }
        let bucket = self.bucket::<1_000>(prefix, unit);
        self.last_bucket = Some(((prefix, unit), bucket));
        bucket
    }

    /// Returns the user's bucket: see [`EvaluationContext::bucket`].
    #[inline]
    pub(crate) fn bucket<const BUCKETS: u64>(&self, prefix: u32, unit: u32) -> u64 {
        self.context.bucket::<BUCKETS>(self.ruleset, prefix, unit)
    }

    /// Milliseconds since 1970; the same throughout the evaluation.
    pub(crate) fn now(&mut self) -> i64 {
        *self.now.get_or_insert_with(|| self.context.clock.now_ms())
    }
}

impl<'a> EvaluationContext<'a> {
    /// Returns whether the user is within the percentage of a rule of `spec`.
    #[inline]
    pub(crate) fn passes<T: Tracer>(&self, ruleset: &Ruleset, rule: &Rule, spec: &Spec, tracer: &mut T) -> bool {
        let (passes, bucket) = match rule.pass {
            Pass::Nobody => (false, None),
            Pass::Everybody => (true, None),
            Pass::Below { threshold, prefix } => {
                let bucket = self.bucket::<10_000>(ruleset, prefix, rule.unit);
                (bucket < u64::from(threshold), Some(bucket))
            }
        };
        tracer.percentage(rule, Some(spec), bucket, passes);
        passes
    }

    /// Returns the user's bucket: the hash of prefix and unit ID, modulo a constant.
    #[inline]
    pub(crate) fn bucket<const BUCKETS: u64>(&self, ruleset: &Ruleset, prefix: u32, unit: u32) -> u64 {
        let Some(prefix) = ruleset.prefixes.get(prefix as usize) else { return 0 };
        let hash = match self.unit_id(ruleset, unit) {
            Seen::Text(id) => prefix.hash(&ruleset.text, id),
            other => other.with_text(|id| prefix.hash(&ruleset.text, id.unwrap_or_default())),
        };
        hash % BUCKETS
    }

    #[inline]
    pub(crate) fn unit_id(&self, ruleset: &Ruleset, unit: u32) -> Seen<'a> {
        let Some(unit) = ruleset.unit_types.get(unit as usize) else { return Seen::Missing };
        let user: &'a _ = self.user;
        if unit.is_user_id {
            return Seen::of(user.data().user_id.as_ref());
        }
        Seen::of(user.custom_id(ruleset.str(unit.name), ruleset.str(unit.lower)))
    }
}
