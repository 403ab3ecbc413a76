//! Kinds of values that options have.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::ProxyOptions;
use super::group::{OptionRow, OptionValue};

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
    ($($type:ty: $kind:literal;)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = $kind;

            fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match value {
                    Value::String(text) => Some(text.into()),
                    _ => Self::wrong(name, problems),
                }
            }

            fn read_text(text: &str, _: &str, _: &mut Vec<String>) -> Option<Self> {
                Some(text.to_owned().into())
            }
        }
    )*};
}

text_values! {
    String: "text";
    SecretText: "text (secret)";
    SpecsText: "text";
    AddressText: "an address";
    PathBuf: "a path";
}

impl OptionValue for bool {
    const KIND: &'static str = "`true` or `false`";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        value.as_bool().or_else(|| Self::wrong(name, problems))
    }

    fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => Self::wrong(name, problems),
        }
    }
}

macro_rules! number_values {
    ($($type:ty)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = "a whole number, 0 or more";

            fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                value.as_u64().and_then(|number| number.try_into().ok()).or_else(|| Self::wrong(name, problems))
            }
        }
    )*};
}

number_values! { u32 u64 usize }

impl OptionValue for f64 {
    const KIND: &'static str = "a number";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        value.as_f64().or_else(|| Self::wrong(name, problems))
    }
}

impl OptionValue for Duration {
    const KIND: &'static str = "milliseconds, a whole number";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        value.as_u64().map(Self::from_millis).or_else(|| Self::wrong(name, problems))
    }
}

impl OptionValue for Map<String, Value> {
    const KIND: &'static str = "an object";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        match value {
            Value::Object(object) => Some(object),
            _ => Self::wrong(name, problems),
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
                    None => Self::wrong(name, problems),
                }
            }

            fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match text.to_ascii_lowercase().as_str() {
                    $($word $(| $alias)* => Some(Self::$variant),)*
                    _ => Self::wrong(name, problems),
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
        let Value::Array(items) = value else { return Self::wrong(name, problems) };
        let texts = items.into_iter().map(|item| item.as_str().map(SecretText::from));
        texts.collect::<Option<Self>>().or_else(|| Self::wrong(name, problems))
    }
}

impl OptionValue for Vec<SourceName> {
    const KIND: &'static str =
        "a list of `data_store`, `bootstrap`, `network`, `statsig_network`, `file`, `snapshot` and `stream`";

    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        let Value::Array(items) = value else { return Self::wrong(name, problems) };
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
        let Value::Object(object) = value else { return Self::wrong(name, problems) };
        let mut proxies = Self::new();
        for (endpoint, proxy) in object {
            if proxy.is_null() {
                continue;
            }
            let path = format!("{name}.{endpoint}");
            let Some(endpoint) = EndpointName::read_text(&endpoint, &path, problems) else { continue };
            if let Some(proxy) = ProxyOptions::read(proxy, &path, problems) {
                proxies.insert(endpoint, proxy);
            }
        }
        Some(proxies)
    }
}
