//! The joints of the workspace: small traits between evaluation and the rest of the world.
//!
//! `statsig-core` calls them and never implements anything with I/O behind them. All are
//! object-safe, `Send + Sync`, and called from application threads: implementations must answer
//! from memory, without blocking.

mod clock;
mod id_list_lookup;
mod override_adapter;
mod spec_source;

pub use clock::{Clock, FixedClock};
pub use id_list_lookup::{ID_HASH_LENGTH, IdHash, IdListLookup, InMemoryIdLists, id_hash};
pub use override_adapter::{ExperimentOverride, OverrideAdapter};
pub use spec_source::{SpecSourceKind, SpecUpdate};
