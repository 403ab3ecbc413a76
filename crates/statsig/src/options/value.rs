//! Kinds of values that options have.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::bounds::Bounds;
use super::client::ProxyOptions;
use super::group::{OptionGroup, OptionRow, OptionValue, kind_of};
use super::suggest::{closest, shown};

/// A text that shows nowhere: `Debug` hides it, errors do not repeat it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SecretText {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

/// An address, of which `Debug` hides what stands before an `@`: a user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressText(String);

impl AddressText {
    /// The address itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for AddressText {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.rsplit('@').next().unwrap_or_default())
    }
}

/// A document of config specs, of which `Debug` shows the size.
#[derive(Clone, PartialEq, Eq)]
pub struct SpecsText(String);

impl SpecsText {
    /// The document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SpecsText {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SpecsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

macro_rules! text_values {
    ($($type:ty: $kind:literal, $is_empty:expr;)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = $kind;

            fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match value {
                    Value::String(text) => Some(text.into()),
                    other => Self::wrong(name, kind_of(&other), problems),
                }
            }

            fn read_text(text: &str, _: &str, _: &mut Vec<String>) -> Option<Self> {
                Some(text.to_owned().into())
            }

            fn check(&mut self, name: &str, bounds: Bounds, problems: &mut Vec<String>) -> bool {
                let is_empty: fn(&Self) -> bool = $is_empty;
                if bounds == Bounds::NotEmpty && is_empty(self) {
                    problems.push(format!("`{name}` is empty: give it a value, or leave it out"));
                }
                // What is empty stands for what is missing nowhere: keeping it causes no further message.
                true
            }
        }
    )*};
}

text_values! {
    String: "text", |text| text.trim().is_empty();
    SecretText: "text (secret)", |text| text.0.trim().is_empty();
    SpecsText: "text", |text| text.0.trim().is_empty();
    AddressText: "an address", |text| text.0.trim().is_empty();
    PathBuf: "a path", |path| path.as_os_str().is_empty();
}

impl OptionValue for bool {
    const KIND: &'static str = "`true` or `false`";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        value.as_bool().or_else(|| Self::wrong(name, kind_of(&value), problems))
    }

    fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => Self::wrong(name, "", problems),
        }
    }
}

/// A whole number, also one that is written with a fraction of zero.
fn whole(value: &Value) -> Option<u64> {
    /// From here on, not every whole number can be written as a fraction.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number))?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range and whole")]
        Some(number as u64)
    })
}

/// Notes a number that is out of bounds.
fn note(problem: Option<String>, name: &str, problems: &mut Vec<String>) -> bool {
    let is_fine = problem.is_none();
    problems.extend(problem.map(|problem| format!("`{name}` {problem}")));
    is_fine
}

macro_rules! number_values {
    ($($type:ty)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = "a whole number";

            fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                let number = whole(&value).and_then(|number| number.try_into().ok());
                number.or_else(|| Self::wrong(name, kind_of(&value), problems))
            }

            fn check(&mut self, name: &str, bounds: Bounds, problems: &mut Vec<String>) -> bool {
                note(bounds.problem_of_number(*self as u128, ""), name, problems)
            }
        }
    )*};
}

number_values! { u32 u64 usize }

impl OptionValue for f64 {
    const KIND: &'static str = "a number";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        value.as_f64().or_else(|| Self::wrong(name, kind_of(&value), problems))
    }

    fn check(&mut self, name: &str, bounds: Bounds, problems: &mut Vec<String>) -> bool {
        note(bounds.problem_of_fraction(*self), name, problems)
    }
}

impl OptionValue for Duration {
    const KIND: &'static str = "milliseconds, a whole number";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        whole(&value).map(Self::from_millis).or_else(|| Self::wrong(name, kind_of(&value), problems))
    }

    fn check(&mut self, name: &str, bounds: Bounds, problems: &mut Vec<String>) -> bool {
        note(bounds.problem_of_number(self.as_millis(), ""), name, problems)
    }
}

impl OptionValue for Map<String, Value> {
    const KIND: &'static str = "an object";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        match value {
            Value::Object(object) => Some(object),
            other => Self::wrong(name, kind_of(&other), problems),
        }
    }
}

/// Declares an option with a few words to choose from.
macro_rules! word_values {
    ($($(#[$meta:meta])* $type:ident, $kind:literal { $($(#[$doc:meta])* $variant:ident: $word:literal $(| $alias:literal)*,)* })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$doc])* #[doc = ""] #[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl OptionValue for $type {
            const KIND: &'static str = $kind;

            fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match value.as_str() {
                    Some(text) => Self::read_text(text, name, problems),
                    None => Self::wrong(name, kind_of(&value), problems),
                }
            }

            fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($word $(| $alias)* => Some(Self::$variant),)*
                    // The word itself is not repeated: it may be a secret in the wrong place.
                    other => {
                        let meant = closest(other, [$($word $(, $alias)*),*]);
                        let meant = meant.map_or_else(String::new, |word| format!(": did you mean `{word}`?"));
                        problems.push(format!("`{name}` must be {}{meant}", Self::KIND));
                        None
                    }
                }
            }
        }

        impl $type {
            /// Returns its name in files and in the environment.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

word_values! {
    /// Where config specs come from, by name.
    SourceName, "`data_store`, `bootstrap`, `network`, `statsig_network`, `file`, `snapshot` or `stream`" {
        /// The data store.
        DataStore: "data_store",
        /// The bootstrap document.
        Bootstrap: "bootstrap",
        /// The configured address.
        Network: "network",
        /// Statsig's own servers.
        StatsigNetwork: "statsig_network",
        /// The file of `specs_file`.
        File: "file",
        /// What the last run has kept in `snapshot_dir`.
        Snapshot: "snapshot",
        /// Whatever tells of new specs by itself.
        Stream: "stream",
    }

    /// How a forward proxy is spoken to, by name.
    ProxyProtocol, "`http`, `grpc`, `grpc_stream` or `websocket`" {
        /// HTTP requests.
        Http: "http",
        /// One gRPC call for each question.
        Grpc: "grpc",
        /// A gRPC stream; other SDKs call it `grpc_websocket`.
        GrpcStream: "grpc_stream" | "grpc_websocket",
        /// A WebSocket.
        Websocket: "websocket",
    }

    /// An endpoint of Statsig's servers, by name.
    EndpointName, "`download_config_specs`, `get_id_lists`, `download_id_list_file`, `log_event` or `all`" {
        /// Config specs.
        DownloadConfigSpecs: "download_config_specs",
        /// The manifest of the ID lists.
        GetIdLists: "get_id_lists",
        /// The files of the ID lists.
        DownloadIdListFile: "download_id_list_file",
        /// Events.
        LogEvent: "log_event",
        /// Every endpoint that has no entry of its own.
        All: "all",
    }

    /// How entries of a data store are named.
    StoreKeySchema, "`v2` or `v3`" {
        /// By a hash of the SDK key.
        V2: "v2",
        /// By the beginning of the SDK key, as the official forward proxy does.
        V3: "v3",
    }

    /// When events are written to the spool.
    SpoolPolicy, "`overflow` or `write_ahead`" {
        /// When they cannot be delivered.
        Overflow: "overflow",
        /// Before their first attempt.
        WriteAhead: "write_ahead",
    }
}

impl OptionValue for Vec<SecretText> {
    const KIND: &'static str = "a list of texts (secret)";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        let Value::Array(items) = value else { return Self::wrong(name, kind_of(&value), problems) };
        let texts = items.into_iter().map(|item| item.as_str().map(SecretText::from));
        texts.collect::<Option<Self>>().or_else(|| Self::wrong(name, "", problems))
    }
}

impl OptionValue for Vec<SourceName> {
    const KIND: &'static str =
        "a list of `data_store`, `bootstrap`, `network`, `statsig_network`, `file`, `snapshot` and `stream`";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        let Value::Array(items) = value else { return Self::wrong(name, kind_of(&value), problems) };
        let before = problems.len();
        let sources = items.into_iter().filter_map(|item| SourceName::read(item, name, problems)).collect();
        (problems.len() == before).then_some(sources)
    }

    fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        let names = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Self::read(names.collect::<Vec<_>>().into(), name, problems)
    }
}

impl OptionValue for BTreeMap<EndpointName, ProxyOptions> {
    const KIND: &'static str = "an object with a proxy for each endpoint: `download_config_specs`, `get_id_lists`, \
                                `download_id_list_file`, `log_event`, `all`";
    const INNER: &'static [OptionRow] = &[];

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        let Value::Object(object) = value else { return Self::wrong(name, kind_of(&value), problems) };
        let mut proxies = Self::new();
        for (endpoint, proxy) in object {
            if proxy.is_null() {
                continue;
            }
            let path = format!("{name}.{}", shown(&endpoint).unwrap_or_else(|| "…".to_owned()));
            let Some(endpoint) = EndpointName::read_text(&endpoint, &path, problems) else { continue };
            if let Some(proxy) = ProxyOptions::read(proxy, &path, problems) {
                proxies.insert(endpoint, proxy);
            }
        }
        Some(proxies)
    }

    fn check(&mut self, name: &str, _: Bounds, problems: &mut Vec<String>) -> bool {
        for (endpoint, proxy) in self {
            proxy.check_all(&format!("{name}.{}.", endpoint.as_str()), problems);
        }
        true
    }
}
