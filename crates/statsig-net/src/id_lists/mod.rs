//! ID lists: segments that are too large for the specs.
//!
//! ```text
//! IdListSource ──manifest, ranges──▶ sync ──lines──▶ IdSet (a new one, sharing what did not change)
//!                                                      │ swap
//! evaluation ──contains──▶ IdLists ◀───────────────────┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `set` | a set of hashes in little more than 8 bytes each |
//! | `lines` | from the bytes of a file to additions and removals |
//! | `lists` | all lists, as evaluations see them |
//! | `options` | what a sync is told, and what it tells |
//! | `sync` | what to read, when, and what becomes of it |
//! | `http` | the source on Statsig's servers |
//! | `store` | the source in a data store, and the copy that is left there |

mod http;
mod lines;
mod lists;
mod options;
mod set;
mod store;
mod sync;

pub use self::http::HttpIdListSource;
pub use self::lists::{IdListStatus, IdLists};
pub use self::options::{IdListOptions, IdListReport};
pub use self::store::StoredIdLists;
pub use self::sync::{IdListHealth, IdListSync};
