//! Exposures and custom events for Statsig-compatible SDKs.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `spool` | [`spool`]: batches on disk, kept across outages, restarts and `kill -9` |
//! | `testing` | in-memory disk and fault injection for tests (with `spool`) |

#[cfg(feature = "spool")]
pub mod spool;
