//! Options: of single calls, and of a client as text that operators write.
//!
//! | file | what |
//! | --- | --- |
//! | `evaluation` | how a single check is made |
//! | `client` | [`StatsigOptions`]: every option of a client that can be written as text |
//! | `group` | what one table of options becomes: a type, a reader, rows of documentation |
//! | `value` | kinds of values |
//! | `read` | from JSON, TOML, files and environment variables |
//! | `apply` | to a builder |

mod apply;
mod client;
mod evaluation;
mod group;
mod read;
mod value;

pub use self::client::{
    DataStoreOptions, OutboundProxyOptions, ProxyOptions, ProxyTlsOptions, StatsigOptions, TlsFileOptions,
};
pub use self::evaluation::EvaluationOptions;
pub(crate) use self::evaluation::Exposing;
pub use self::group::OptionRow;
pub use self::value::{
    AddressText, EndpointName, ProxyProtocol, SecretText, SourceName, SpecsText, SpoolPolicy, StoreKeySchema,
};
