//! Redis as the shared data store of Statsig-compatible SDKs and proxies.
mod codec;
mod error;
mod feed;
mod link;
mod names;
mod options;
mod script;
mod stats;
mod store;
#[cfg(feature = "streams")]
pub mod streams;

pub use error::OptionsError;
pub use options::{Layout, RedisOptions, TlsOptions};
pub use stats::RedisStoreStats;
pub use store::RedisDataStore;
