//! Keeps the current config specs up to date.
//!
//! ```text
//! sources ──▶ InitialLoad, Poller ──┐
//!                                   ├──▶ PayloadAcceptor ──▶ SpecTarget: RulesetTarget, PayloadTarget
//! streams ──▶ StreamSupervisor ─────┘          │
//!                                              ├──▶ listener
//!                                              └──▶ WriteBackQueue ──▶ Persister: data store, disk
//! ```
//!
//! | file | content |
//! | --- | --- |
//! | `acceptor`, `turn` | the only way in for payloads: judges them one at a time, hands them to the target |
//! | `fetcher` | one fetch from one source |
//! | `delta_policy` | whether a fetch accepts a delta, or is full |
//! | `initial_load` | the first load: sources in order, or overlapping, within a time |
//! | `schedule` | when to poll which source: a state machine without I/O |
//! | `poller` | polls by the schedule, and on demand |
//! | `stream_supervisor` | subscriptions: backoff, failover to polling, liveness |
//! | `write_back`, `store_writer`, `persister` | accepted payloads, for the next start and other processes |
//! | `reclaimer` | frees what was replaced |
//! | `readiness` | waiting for specs that are good enough |
//! | `stats`, `source_health`, `stream_health`, `persist_health`, `health` | records, and the health read from them |
//! | `outcome`, `details`, `updated`, `options` | reports and options |
//! | `engine`, `spec_sync` | wire all parts; the calls of the engine |
//!
//! Each part gets its inputs and nothing else; `engine` alone knows all of them. Invariants: specs never go back to
//! older ones; a payload that cannot be used changes nothing; every task is supervised and ends at shutdown; no
//! evaluation waits for anything here.

mod acceptor;
mod delta_policy;
mod details;
mod engine;
mod fetcher;
mod health;
mod inherited;
mod initial_load;
mod options;
mod outcome;
mod persist_health;
mod persister;
mod poller;
mod readiness;
mod reclaimer;
mod schedule;
mod source_health;
mod spec_sync;
mod stats;
mod store_writer;
mod stream_health;
mod stream_supervisor;
mod turn;
mod updated;
mod write_back;

pub use self::acceptor::{AcceptorOptions, PayloadAcceptor};
pub use self::details::InitializeDetails;
pub use self::health::{PollingState, SyncHealth};
pub use self::options::{FollowedStream, SpecSources, StreamOptions, SyncOptions};
pub use self::outcome::{AttemptOutcome, SourceAttempt, SyncReport};
pub use self::persist_health::PersistHealth;
pub use self::readiness::ReadyPolicy;
pub use self::source_health::SourceHealth;
pub use self::spec_sync::SpecSync;
pub use self::store_writer::StoreWriter;
pub use self::stream_health::{StreamHealth, StreamState, UpdatesBy};
pub use self::updated::{SpecsListener, SpecsUpdated};
