//! How config specs and ID lists come in, and how events go out.
//!
//! This crate is the network side of the `statsig` client. It fetches, in the background, what
//! `statsig-core` evaluates, and puts it in force; it delivers what the event pipeline has cut into
//! batches. It knows nothing about rules.
//!
//! Everything runs on a tokio runtime of the caller's and on its clock.

mod endpoints;
mod error;
mod event_sink;
pub mod id_lists;
mod identity;
mod network;
#[cfg(feature = "proto")]
mod proto;
mod proxy_config;
mod random;
mod secret;
pub mod sources;
mod sync;
pub mod transport;

pub use endpoints::EndpointOptions;
pub use error::{Error, ErrorKind};
pub use event_sink::{EventSinkOptions, HttpEventSink};
pub use identity::ClientIdentity;
pub use network::{Network, NetworkOptions};
pub use proxy_config::{AuthenticationMode, NetworkEndpoint, NetworkProtocol, ProxyConfig};
pub use secret::SdkKey;
pub use sync::{
    AttemptOutcome, InitializeDetails, PollingState, SourceAttempt, SpecSources, SpecSync, SpecsListener, SpecsUpdated,
    StoreWriter, StreamHealth, StreamOptions, StreamState, SyncHealth, SyncOptions, SyncReport,
};
