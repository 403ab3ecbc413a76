//! Statsig-compatible feature flags and experiments, evaluated in the process.
//!
//! A [`Statsig`] client holds a project's compiled config specs and answers, for a user, what a
//! gate says, which values a config has, and which group of an experiment the user is in. Checks
//! are synchronous, take well under a microsecond and never fail: what cannot be evaluated has a
//! default value and a reason.
//!
//! ```
//! use statsig::{Getters, Statsig, StatsigUser};
//!
//! # fn main() -> Result<(), statsig::Error> {
//! let specs = br#"{
//!     "has_updates": true, "time": 1700000000000, "dynamic_configs": {}, "layer_configs": {},
//!     "condition_map": {"1": {"type": "public", "idType": "userID"}},
//!     "feature_gates": {"new_checkout": {
//!         "type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
//!         "defaultValue": false, "idType": "userID",
//!         "rules": [{"name": "all", "id": "all", "passPercentage": 100, "conditions": ["1"],
//!                    "returnValue": true, "idType": "userID"}]
//!     }}
//! }"#;
//! let statsig = Statsig::builder().bootstrap(specs).build()?;
//! let user = StatsigUser::with_user_id("user-1");
//!
//! assert!(statsig.check_gate(&user, "new_checkout"));
//! let colour = statsig.get_experiment(&user, "button_color_v3").get_string("Button Color", "blue");
//! assert_eq!(colour, "blue"); // there is no such experiment
//! # Ok(())
//! # }
//! ```
//!
//! # Adapters
//!
//! Data stores, sources, streams and event sinks of your own implement the traits of [`store`], [`sources`] and
//! [`events`]; each of these modules has every type that its traits use.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `net` | yes | config specs and ID lists from the network, data stores and files; events by HTTP |
//! | `logger` | yes | exposures and custom events: deduplicated, batched, delivered to an `EventSink` |
//! | `spool` | no | events that cannot be delivered rest on disk, across outages, restarts and crashes |
//! | `redis` | no | Redis as a data store: the module `redis` |
//! | `toml` | no | options from TOML files: `StatsigOptions::from_toml` |
//! | `streams` | no | events through a Redis Stream: `redis::streams` |
//! | `proto` | no | config specs in the vendor's binary form |
//! | `zstd` | no | answers of servers compressed with Zstandard |
//! | `user-agent` | yes | browser and operating system from the user's `userAgent` |
//! | `ip-country` | yes | the country from the user's `ip`; a 400 KB table |

mod builder;
mod callbacks;
mod client;
mod error;
#[cfg(feature = "logger")]
pub mod events;
pub mod explain;
mod key;
mod logging;
#[cfg(feature = "net")]
mod networking;
mod options;
mod parameter_store;
#[cfg(any(feature = "net", feature = "logger"))]
mod process;
#[cfg(any(feature = "net", feature = "logger"))]
mod runtime;
mod shared;
#[cfg(feature = "net")]
pub mod sources;
#[cfg(feature = "net")]
pub mod store;
mod subscriptions;

pub use builder::{StatsigBuilder, SystemClock};
#[cfg(any(feature = "net", feature = "logger"))]
pub use callbacks::CallbackHealth;
#[cfg(any(feature = "net", feature = "logger"))]
pub use client::{Health, PartHealth, ShutdownReport};
pub use client::{PreparedDynamicConfig, PreparedExperiment, PreparedGate, PreparedLayer, Statsig};
pub use error::{Error, Misconfiguration};
pub use options::{
    AddressText, Bounds, DataStoreOptions, EndpointName, EvaluationOptions, ForeignOption, OptionRow,
    OutboundProxyOptions, ProxyOptions, ProxyProtocol, ProxyTlsOptions, SecretText, SourceName, SpecsText, SpoolPolicy,
    StatsigOptions, StoreKeySchema, TlsFileOptions,
};
pub use parameter_store::ParameterStore;
pub use statsig_core::{
    ClientConfig, ClientConfigKind, ClientExposure, ClientGate, ClientInitializeOptions, ClientInitializeResponse,
    ClientInitializeSummary, ClientLayer, ClientParameterStore, ClientSdkInfo, Clock, CompileLimits, DynamicConfig,
    Entity, EvaluationDetails, Experiment, ExperimentEvaluationOptions, ExperimentGroup, ExperimentGroups,
    ExperimentOverride, Explanation, FeatureGate, FixedClock, Getters, HashAlgorithm, HashedName, IdHash, IdListLookup,
    InMemoryIdLists, InMemoryPersistentStorage, Json, JsonRef, Layer, LayerEvaluationOptions, LayerParameter,
    LocalOverrides, OverrideAdapter, OverrideScope, PersistentStorage, Problem, ProblemKind, Reason, ResponseFormat,
    RulesetMeta, RulesetSize, SecondaryExposure, Snapshot, SpecOrigin, SpecUpdate, StatsigUser, StatsigUserBuilder,
    StickyExposure, StickyValues, StorageError, UnitId, UpdateOutcome, UserPersistedValues, id_hash, storage_key,
};
pub use subscriptions::{ClientEvent, EventKind, SubscriptionId, UnknownEventKind};

#[cfg(any(feature = "net", feature = "logger"))]
pub use statsig_core::{Observer, Tag};

#[cfg(feature = "logger")]
pub use statsig_core::{
    BatchEncoding, Delivery, ErrorReport, ErrorReporter, EventBatch, EventSink, NoopSink, SdkMetadata,
    SdkMetadataError, SinkError,
};
#[cfg(feature = "logger")]
pub use statsig_logger::{
    CustomEvent, DeliveryHealth, DropCause, DropCounts, EventStats, EventValue, ExposureCounts, FlushReport,
    FlushedBatch, JsonlError, JsonlFileSink, LogLineLevel,
};

#[cfg(feature = "spool")]
pub use statsig_logger::spool::{FsyncPolicy, SpoolError, SpoolOptions};
#[cfg(feature = "spool")]
pub use statsig_logger::{SpoolHealth, SpoolMode, SpoolState};

#[cfg(feature = "net")]
pub use builder::DataSource;
#[cfg(feature = "net")]
pub use statsig_core::{
    ChangeFeed, ChangeHint, DataStore, DataStoreError, InMemoryDataStore, KeySchema, SpecSource, SpecStream,
};
#[cfg(feature = "net")]
pub use statsig_net as net;
#[cfg(feature = "net")]
pub use statsig_net::{
    AttemptOutcome, EndpointOptions, InitializeDetails, NetworkEndpoint, NetworkOptions, NetworkProtocol,
    PersistHealth, ProxyConfig, ReadyPolicy, SourceAttempt, SourceHealth, SpecsUpdated, StreamHealth, StreamOptions,
    StreamState, SyncHealth, SyncReport, UpdatesBy, WorkerHealth,
};
#[cfg(feature = "redis")]
pub use statsig_store_redis as redis;

/// Compiles the README's example.
#[cfg(all(doctest, feature = "net", feature = "logger"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles the examples of the page about Redis.
#[cfg(all(doctest, feature = "streams"))]
#[doc = include_str!("../../../docs/guide/redis-bootstrap.md")]
struct RedisBootstrap;

/// Compiles the examples of the guide, and runs those that can run.
#[cfg(all(doctest, feature = "net", feature = "logger"))]
mod guide {
    #[doc = include_str!("../../../docs/options.md")]
    struct Options;
    #[doc = include_str!("../../../docs/guide/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../../docs/guide/users.md")]
    struct Users;
    #[doc = include_str!("../../../docs/guide/gates-and-configs.md")]
    struct GatesAndConfigs;
    #[doc = include_str!("../../../docs/guide/experiments-and-layers.md")]
    struct ExperimentsAndLayers;
    #[doc = include_str!("../../../docs/guide/overrides-and-testing.md")]
    struct OverridesAndTesting;
    #[doc = include_str!("../../../docs/guide/client-bootstrapping.md")]
    struct ClientBootstrapping;
    #[doc = include_str!("../../../docs/guide/sticky-assignment.md")]
    struct StickyAssignment;
    #[doc = include_str!("../../../docs/guide/events.md")]
    struct Events;
    #[doc = include_str!("../../../docs/guide/private-attributes.md")]
    struct PrivateAttributes;
    #[doc = include_str!("../../../docs/guide/options.md")]
    struct GuideToOptions;
    #[doc = include_str!("../../../docs/guide/multi-instance.md")]
    struct MultiInstance;
    #[doc = include_str!("../../../docs/guide/observing.md")]
    struct Observing;
    #[doc = include_str!("../../../docs/guide/shutdown.md")]
    struct Shutdown;
}
