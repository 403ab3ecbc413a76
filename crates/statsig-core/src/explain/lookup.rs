//! Where conditions find a user's values, and whether those are private.

use super::condition::Looked;
use super::walk::Walker;
use crate::evaluate::Seen;
use crate::ruleset::{FieldSlot, Text, TopField, UserAgentPart};

impl<'a> Walker<'a> {
    /// A user's field, and whether it is a private attribute.
    pub(super) fn field(&self, field: u32) -> (Seen<'a>, bool) {
        let Some(field) = self.ruleset.fields.get(field as usize) else { return (Seen::Missing, false) };
        let (exact, lower) = (self.ruleset.str(field.exact), self.ruleset.str(field.lower));
        match self.context.user_value(field.slot, exact, Some(lower)) {
            Some((value, private)) => (Seen::of(Some(value)), private),
            None => (Seen::Missing, false),
        }
    }

    /// A top-level field under its canonical name, for what is derived from it.
    fn top(&self, field: TopField, exact: &str, lower: &str) -> (Option<String>, bool) {
        match self.context.user_value(FieldSlot::First(field), exact, Some(lower)) {
            Some((value, private)) => (Seen::of(Some(value)).with_text(|text| text.map(str::to_owned)), private),
            None => (None, false),
        }
    }

    pub(super) fn ip_based(&self, field: u32, is_country: bool) -> Looked<'a> {
        let found = Looked::from(self.field(field));
        if !is_country || !matches!(found.seen, Seen::Missing) || self.context.settings.without_ip_country {
            return found;
        }
        let (ip, private) = self.top(TopField::Ip, "ip", "ip");
        let country = ip.as_deref().and_then(country_of);
        let seen = country.map_or(Seen::Missing, Seen::Text);
        Looked::from((seen, private)).with_origin("country of the IP address")
    }

    pub(super) fn ua_based(&self, field: u32, part: Option<UserAgentPart>) -> Looked<'a> {
        let found = Looked::from(self.field(field));
        let Some(part) = part else { return found };
        if !matches!(found.seen, Seen::Missing) || self.context.settings.without_user_agent {
            return found;
        }
        let (agent, private) = self.top(TopField::UserAgent, "userAgent", "useragent");
        let seen = agent.map_or(Seen::Missing, |agent| user_agent_part(&agent, part));
        Looked::from((seen, private)).with_origin("user agent")
    }

    /// The user's own environment, else that of the SDK, else the project's default tier.
    pub(super) fn environment(&self, exact: Text, lower: Text) -> Looked<'a> {
        let (exact, lower) = (self.ruleset.str(exact), self.ruleset.str(lower));
        let (user, settings): (&'a _, &'a _) = (self.context.user, self.context.settings);
        if let Some(value) = user.data().environment.get(exact) {
            return Looked::from(Seen::of(Some(value))).with_origin("environment of the user");
        }
        if !settings.environment.is_empty() {
            let value = settings.environment.get(exact).or_else(|| settings.environment.get(lower));
            return Looked::from(Seen::of(value)).with_origin("environment of the SDK");
        }
        let tier = self.ruleset.meta.default_environment.as_deref().filter(|_| exact == "tier" || lower == "tier");
        let seen = tier.map_or(Seen::Missing, Seen::Text);
        Looked::from(seen).with_origin("default environment of the project")
    }
}

#[cfg(feature = "ip-country")]
fn country_of(ip: &str) -> Option<&'static str> {
    crate::ip_country::country_of(ip)
}

#[cfg(not(feature = "ip-country"))]
fn country_of(_ip: &str) -> Option<&'static str> {
    None
}

#[cfg(feature = "user-agent")]
fn user_agent_part(agent: &str, part: UserAgentPart) -> Seen<'static> {
    crate::user_agent::field(agent, part).map_or(Seen::Missing, |text| Seen::Built((&*text).into()))
}

#[cfg(not(feature = "user-agent"))]
fn user_agent_part(_agent: &str, _part: UserAgentPart) -> Seen<'static> {
    Seen::Missing
}
