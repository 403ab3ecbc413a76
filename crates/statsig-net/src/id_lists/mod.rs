//! ID lists: segments that are too large for the specs.
//!
//! ```text
//! IdListSource ──manifest, ranges──▶ sync ──lines──▶ IdSet (a new one, sharing what did not change)
//!                                                      │ swap
//! evaluation ──contains──▶ IdLists ◀───────────────────┘
//! ```
//!
//! | file | content |
//! | --- | --- |
//! | `sync` | rounds, at intervals and on demand |
//! | `round` | one round: manifest, plan, files |
//! | `file` | reads one file, piece by piece |
//! | `lines` | reads lines: additions and removals |
//! | `progress` | lists that have changed, until they are published together |
//! | `set` | a set of hashes in little more than 8 bytes each |
//! | `lists` | all lists, as evaluations see them |
//! | `options`, `health` | options, the report of a round, health |
//! | `http` | the source on Statsig's servers |
//! | `store` | the source in a data store, and the copy that is left there |

mod file;
mod health;
mod http;
mod lines;
mod lists;
mod options;
mod progress;
mod round;
mod set;
mod store;
mod sync;

#[cfg(feature = "fuzzing")]
pub(crate) use self::lines::agree as lines_agree;

pub use self::health::{FailingIdList, IdListHealth};
pub use self::http::HttpIdListSource;
pub use self::lists::{IdListStatus, IdLists};
pub use self::options::{IdListOptions, IdListReport};
pub use self::store::StoredIdLists;
pub use self::sync::IdListSync;
