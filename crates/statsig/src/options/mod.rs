//! Options: of single calls, and of a client as text that operators write.
//!
//! | file | contents |
//! | --- | --- |
//! | `evaluation` | options of a single check |
//! | `client` | [`StatsigOptions`]: every option of a client that can be written as text |
//! | `bounds` | values that an option may have |
//! | `group` | the macros that make a type, a reader and rows of documentation of a table |
//! | `value` | kinds of values |
//! | `foreign` | names of options in other SDKs |
//! | `suggest` | suggestions for unknown names |
//! | `read` | readers of JSON, TOML, files and environment variables |
//! | `apply` | the way into a builder |

mod apply;
mod bounds;
mod client;
mod evaluation;
mod foreign;
mod group;
mod read;
mod suggest;
mod value;

pub use self::bounds::Bounds;
#[cfg(feature = "net")]
pub(crate) use self::bounds::LEAST_VENDOR_INTERVAL;
pub use self::client::{
    DataStoreOptions, OutboundProxyOptions, ProxyOptions, ProxyTlsOptions, StatsigOptions, TlsFileOptions,
};
pub use self::evaluation::EvaluationOptions;
pub(crate) use self::evaluation::Exposing;
pub use self::foreign::ForeignOption;
pub use self::group::OptionRow;
pub use self::value::{
    AddressText, EndpointName, ProxyProtocol, SecretText, SourceName, SpecsText, SpoolPolicy, StoreKeySchema,
};
