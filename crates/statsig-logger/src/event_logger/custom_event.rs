//! Events that the application logs itself.

use serde_json::{Map, Value};

use super::json;

/// Level of a log line that is forwarded as an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogLineLevel {
    /// `trace`.
    Trace,
    /// `debug`.
    Debug,
    /// Without a level of its own; reported as `info`.
    Log,
    /// `info`.
    Info,
    /// `warn`.
    Warn,
    /// `error`.
    Error,
}

impl LogLineLevel {
    fn status(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Log | Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Trace => "Trace",
            Self::Debug => "Debug",
            Self::Log => "Log",
            Self::Info => "Info",
            Self::Warn => "Warn",
            Self::Error => "Error",
        }
    }
}

/// The value of an event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventValue {
    /// A text.
    Text(String),
    /// A number with a fraction: `10.0` is written so. What is not finite is written as `null`.
    Float(f64),
    /// An integer, written without a fraction.
    Integer(i64),
}

macro_rules! value_from {
    ($($source:ty, $value:ident => $made:expr;)*) => {$(
        impl From<$source> for EventValue {
            fn from($value: $source) -> Self {
                $made
            }
        }
    )*};
}

value_from! {
    &str, value => Self::Text(value.to_owned());
    String, value => Self::Text(value);
    f64, value => Self::Float(value);
    f32, value => Self::Float(value.into());
    i64, value => Self::Integer(value);
    i32, value => Self::Integer(value.into());
    u32, value => Self::Integer(value.into());
}

/// An event of the application's own: something that a user did, with a value and metadata.
///
/// Neither names nor sizes are limited here; Statsig's servers drop events whose name contains any
/// of `\ [ ] { } < > # = ; & $ % |`, NUL or a line break, and the logger warns of that once a name.
///
/// ```
/// use statsig_logger::CustomEvent;
///
/// let event = CustomEvent::new("add_to_cart").value(12.5).metadata("sku", "A-17").metadata("qty", 2);
/// assert_eq!(event.name(), "add_to_cart");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an event is sent only when it is logged"]
pub struct CustomEvent {
    name: String,
    value: Option<EventValue>,
    metadata: Option<Map<String, Value>>,
}

impl CustomEvent {
    /// An event without value and metadata.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, metadata: None }
    }

    /// The same event with a value: a text or a number.
    pub fn value(mut self, value: impl Into<EventValue>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The same event with one more entry of metadata: any JSON value.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// The same event with this metadata instead of what it had.
    pub fn all_metadata<K: Into<String>, V: Into<Value>>(mut self, metadata: impl IntoIterator<Item = (K, V)>) -> Self {
        self.metadata = Some(metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// That a user exists, and what is known of it.
    pub(super) fn identify() -> Self {
        Self::new("statsig::identify")
    }

    /// A line of the application's log. `source` is the SDK's type.
    pub(super) fn log_line(
        level: LogLineLevel,
        message: String,
        metadata: impl IntoIterator<Item = (String, String)>,
        source: &str,
    ) -> Self {
        Self::new("statsig::log_line")
            .value(message)
            .all_metadata(metadata)
            .metadata("status", level.status())
            .metadata("source", source)
            .metadata("log_level", level.name())
    }

    /// How often names were checked with exposures switched off.
    pub(super) fn non_exposed_checks(counts: Map<String, Value>) -> Self {
        Self::new("statsig::non_exposed_checks").metadata("checks", Value::Object(counts).to_string())
    }

    /// Whether the servers will take an event of this name.
    pub(super) fn has_sound_name(&self) -> bool {
        !self.name.contains(|c: char| r"\[]{}<>#=;&$%|".contains(c) || matches!(c, '\0' | '\r' | '\n'))
    }

    /// Everything of the event before the value of its member `user`.
    pub(super) fn head(&self) -> Box<[u8]> {
        let mut out = Vec::with_capacity(96 + self.name.len());
        out.extend_from_slice(b"{\"eventName\":");
        json::write(&mut out, &self.name);
        out.extend_from_slice(b",\"value\":");
        match &self.value {
            Some(EventValue::Text(text)) => json::write(&mut out, text),
            Some(EventValue::Float(number)) => json::write(&mut out, number),
            Some(EventValue::Integer(number)) => json::write(&mut out, number),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"metadata\":");
        json::write(&mut out, &self.metadata);
        out.extend_from_slice(b",\"statsigMetadata\":null,\"user\":");
        out.into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(event: &CustomEvent) -> String {
        String::from_utf8(event.head().into()).unwrap()
    }

    #[test]
    fn values_keep_their_kind() {
        for (event, value) in [
            (CustomEvent::new("e"), "null"),
            (CustomEvent::new("e").value("a \"b\""), r#""a \"b\"""#),
            (CustomEvent::new("e").value(10.0), "10.0"),
            (CustomEvent::new("e").value(0.1), "0.1"),
            (CustomEvent::new("e").value(7), "7"),
            (CustomEvent::new("e").value(i64::MIN), "-9223372036854775808"),
            (CustomEvent::new("e").value(f64::NAN), "null"),
            (CustomEvent::new("e").value(f64::NEG_INFINITY), "null"),
        ] {
            let expected =
                format!(r#"{{"eventName":"e","value":{value},"metadata":null,"statsigMetadata":null,"user":"#);
            assert_eq!(head(&event), expected);
        }
    }

    #[test]
    fn metadata_may_be_typed_and_empty() {
        let event = CustomEvent::new("e").metadata("n", 1).metadata("l", vec![Value::Null, true.into()]);
        assert!(head(&event).contains(r#""metadata":{"n":1,"l":[null,true]},"#));
        let empty = CustomEvent::new("e").all_metadata(Vec::<(String, String)>::new());
        assert!(head(&empty).contains(r#""metadata":{},"#));
    }

    #[test]
    fn names_that_servers_drop() {
        for name in ["add to cart", "statsig::identify", "größe", "a.b-c/d", ""] {
            assert!(CustomEvent::new(name).has_sound_name(), "{name}");
        }
        for name in ["a|b", "a[0]", "100%", "a\nb", "nul\0", "back\\slash", "x=1"] {
            assert!(!CustomEvent::new(name).has_sound_name(), "{name}");
        }
    }
}
