//! Redis as the shared data store of Statsig-compatible SDKs and proxies.
//!
//! A fleet starts from it while Statsig is out of reach, and moves to a new ruleset together: every
//! write announces itself, and hosts read when told. The payload's own time decides which one stays,
//! inside Redis, so that no old writer can roll the fleet back.
//!
//! | here | what |
//! | --- | --- |
//! | [`RedisDataStore`] | the [`DataStore`](statsig_adapters::DataStore): one server, a cluster, or servers behind sentinels |
//! | [`RedisOptions`], [`TlsOptions`] | where Redis is, and how values are kept |
//! | [`StoreKeys`](statsig_adapters::StoreKeys) | every key that an SDK or a proxy uses; in the core, since it needs no Redis |
//! | `streams` | events through a Redis Stream: a sink, and a drainer |
//!
//! ```no_run
//! use statsig_adapters::{ChangeHint, DataStore, EntryRequest, StoreKeys};
//! use statsig_store_redis::{RedisDataStore, RedisOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisDataStore::open(RedisOptions::single("redis://redis.internal")?)?;
//! let request = EntryRequest::new(StoreKeys::new("secret-key").all_specs_keys());
//! let mut known = None;
//! if let Some(mut feed) = store.watch(&request.keys).await? {
//!     while let Some(hint) = feed.next().await {
//!         if hint != ChangeHint::Interrupted
//!             && let Some(entry) = store.get_entry(&request.clone().unless_known(known.clone())).await?
//!         {
//!             known = entry.version; // and hand `entry.bytes` to whoever evaluates
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Keys, layouts, the way of a write and all metrics are in `docs/protocol/data-store.md`; how to run it,
//! and what happens when something fails, in `docs/guide/redis-bootstrap.md`.
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `tls` | yes | TLS with rustls and ring: system or own authorities, client certificates |
//! | `cluster` | yes | Redis Cluster |
//! | `zstd` | no | compressed values, in a namespace |
//! | `streams` | no | `streams`: events through a Redis Stream |

mod codec;
mod error;
mod feed;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod link;
mod metrics;
mod names;
mod op;
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
