//! What a condition sees, and where on the user it is found.

use serde_json::{Map, Value};

use super::context::EvaluationContext;
use super::tracer::Tracer;
use crate::ruleset::{FieldSlot, UserField};
use crate::value::{ArrayAttribute, Attribute, TextBuffer, parse_float, parse_user_time};

/// A value on its way to an operator.
#[derive(Clone, Debug)]
pub(crate) enum Seen<'a> {
    Missing,
    Attribute(&'a Attribute),
    Text(&'a str),
    /// A text that was put together for the occasion.
    #[cfg(feature = "user-agent")]
    Built(smol_str::SmolStr),
    /// A bucket.
    Number(i64),
    /// The current time: an integer to the time operators, nothing to all others.
    Time(i64),
}

impl<'a> Seen<'a> {
    /// What an attribute looks like to an operator.
    #[inline]
    pub(crate) fn of(value: Option<&'a Attribute>) -> Self {
        match value {
            None => Self::Missing,
            Some(Attribute::String(text)) => Self::Text(text),
            Some(other) => Self::Attribute(other),
        }
    }

    /// Calls `f` with the text facet.
    #[inline(always)]
    pub(crate) fn with_text<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        if let Self::Text(text) = self {
            return f(Some(text));
        }
        self.with_rare_text(f)
    }

    fn with_rare_text<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        match self {
            Self::Text(text) => f(Some(text)),
            #[cfg(feature = "user-agent")]
            Self::Built(text) => f(Some(text)),
            Self::Missing | Self::Time(_) => f(None),
            Self::Attribute(other) => f(other.text(&mut TextBuffer::new())),
            Self::Number(number) => f(Some(TextBuffer::new().integer(*number))),
        }
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)] // buckets are small
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Attribute(attribute) => attribute.float(),
            Self::Text(text) => parse_float(text),
            #[cfg(feature = "user-agent")]
            Self::Built(text) => parse_float(text),
            Self::Number(number) => Some(*number as f64),
            Self::Missing | Self::Time(_) => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Self::Attribute(attribute) => attribute.bool(),
            _ => None,
        }
    }

    /// The time facet, or else the integer.
    pub(crate) fn time(&self) -> Option<i64> {
        match self {
            Self::Attribute(attribute) => attribute.time().or_else(|| attribute.int()),
            Self::Text(text) => parse_user_time(text),
            #[cfg(feature = "user-agent")]
            Self::Built(text) => parse_user_time(text),
            Self::Number(number) | Self::Time(number) => Some(*number),
            Self::Missing => None,
        }
    }

    pub(crate) fn array(&self) -> Option<&'a ArrayAttribute> {
        match self {
            Self::Attribute(Attribute::Array(array)) => Some(array),
            _ => None,
        }
    }

    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        match self {
            Self::Attribute(Attribute::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Whether it is missing or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Missing | Self::Time(_) | Self::Attribute(Attribute::Null))
    }
}

impl<'a> EvaluationContext<'a> {
    /// Looks a field up as `docs/protocol/evaluation.md#user` orders: top-level, custom, global
    /// custom, private, aliases.
    #[inline]
    pub(crate) fn user_field<T: Tracer>(&self, field: &UserField, tracer: &mut T) -> Seen<'a> {
        if let FieldSlot::First(top) = field.slot
            && let Some(Attribute::String(text)) = self.user.field(top)
        {
            // By far the most common case.
            let text = text.as_str();
            if !text.is_empty() {
                return Seen::Text(text);
            }
        }
        let ruleset = self.snapshot.ruleset();
        let exact = ruleset.str(field.exact);
        let lower = (field.lower != field.exact).then(|| ruleset.str(field.lower));
        Seen::of(self.user_value(field.slot, exact, lower, tracer))
    }

    /// Returns the value of a field. `lower`: the lower-case name, if it differs.
    pub(crate) fn user_value<T: Tracer>(
        &self,
        slot: FieldSlot,
        exact: &str,
        lower: Option<&str>,
        tracer: &mut T,
    ) -> Option<&'a Attribute> {
        let user: &'a _ = self.user;
        if let FieldSlot::First(field) = slot
            && let Some(value) = user.field(field).filter(|value| value.has_text())
        {
            return Some(value);
        }
        let data = user.data();
        let settings: &'a _ = self.settings;
        for (map, private) in [(&data.custom, false), (&settings.global_custom, false), (&data.private, true)] {
            if map.is_empty() {
                continue;
            }
            // Any present value ends the search, even `null`.
            if let Some(value) = map.get(exact).or_else(|| map.get(lower?)) {
                if private {
                    tracer.private_value();
                }
                return Some(value);
            }
        }
        match slot {
            FieldSlot::Last(field) => user.field(field),
            _ => None,
        }
    }
}
