//! How config specs and ID lists come in, and how events go out.
//!
//! This crate is the network side of the `statsig` client. It fetches, in the background, what
//! `statsig-core` evaluates, and puts it in force; it delivers what the event pipeline has cut into
//! batches. It knows nothing about rules.
//!
//! Everything runs on a tokio runtime of the caller's and on its clock. The protocol is described in
//! `docs/protocol/network.md`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use statsig_core::{FixedClock, Snapshot, SnapshotStore, SpecOrigin};
//! use statsig_net::{
//!     ClientIdentity, Network, NetworkOptions, RulesetTarget, SdkKey, SpecSources, SpecSync, SyncOptions,
//! };
//!
//! # async fn run() -> Result<(), statsig_net::Error> {
//! let clock = Arc::new(FixedClock(0)); // an application's clock moves
//! let identity = ClientIdentity::new(SdkKey::new("secret-key"))?;
//! let network = Network::new(NetworkOptions::default(), identity, clock.clone())?;
//! let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
//! let sources = SpecSources::new().then(Arc::new(network.spec_source()));
//! let runtime = tokio::runtime::Handle::current();
//! let sync = SpecSync::new(SyncOptions::default(), RulesetTarget::new(store), sources, clock, &runtime);
//! for attempt in sync.initialize().await.attempts {
//!     println!("{}: {:?} after {:?}", attempt.source, attempt.outcome, attempt.duration);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | what | where |
//! | --- | --- |
//! | addresses, connections, who we are | [`Network`], [`transport`] |
//! | where config specs come from | [`sources`] |
//! | loading them and keeping them up to date | [`SpecSync`], [`PayloadAcceptor`] |
//! | what becomes of accepted ones | [`RulesetTarget`], [`PayloadTarget`], [`StoreWriter`] |
//! | streams from a forward proxy | [`streams`] |
//! | ID lists | [`id_lists`] |
//! | events | [`HttpEventSink`] |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `grpc` | no | streams and single fetches from a forward proxy by gRPC |
//! | `websocket` | no | streams from a forward proxy by WebSocket |
//! | `sse` | no | streams from a forward proxy by server-sent events |
//! | `proto` | no | config specs in the vendor's binary form |
//! | `zstd` | no | answers compressed with Zstandard |

mod concurrent;
mod deadline;
mod endpoints;
mod error;
mod error_reporter;
mod event_sink;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod id_lists;
mod identity;
mod mask;
mod metrics;
mod network;
#[cfg(feature = "proto")]
mod proto;
mod proxy_config;
mod secret;
pub mod sources;
pub mod streams;
mod sync;
mod targets;
pub mod transport;

pub use endpoints::EndpointOptions;
pub use error::{Error, ErrorKind};
pub use error_reporter::HttpErrorReporter;
pub use event_sink::{EventSinkOptions, HttpEventSink};
pub use identity::ClientIdentity;
pub use network::{Network, NetworkOptions};
#[cfg(feature = "proto")]
pub use proto::{BinarySpecsError, binary_specs_to_json};
pub use proxy_config::{AuthenticationMode, NetworkEndpoint, NetworkProtocol, ProxyConfig};
pub use secret::SdkKey;
pub use statsig_background::WorkerHealth;
#[cfg(feature = "grpc")]
pub use streams::grpc;
pub use sync::{
    AcceptorOptions, AttemptOutcome, FollowedStream, InitializeDetails, PayloadAcceptor, PersistHealth, PollingState,
    ReadyPolicy, SourceAttempt, SourceHealth, SpecSources, SpecSync, SpecsListener, SpecsUpdated, StoreWriter,
    StreamHealth, StreamOptions, StreamState, SyncHealth, SyncOptions, SyncReport, UpdatesBy,
};
pub use targets::{PayloadTarget, PublishedPayload, RulesetTarget};
