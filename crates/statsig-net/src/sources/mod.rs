//! Sources that config specs are pulled from.
//!
//! | source | name | origin | reach |
//! | --- | --- | --- | --- |
//! | [`HttpSpecSource`] | `network`, `statsig-network` | `Network` | `Upstream` |
//! | [`DataStoreSpecSource`] | `data-store` | `Adapter(DataStore)` | `Shared` |
//! | [`BootstrapSpecSource`] | `bootstrap` | `Bootstrap` | `Local` |
//! | [`FileSpecSource`] | `file` | `Adapter(FileBased)` | `Local` |
//! | [`LastKnownGood`] | `last-known-good` | `Adapter(LastKnownGood)` | `Local` |
//!
//! All return bytes; [`PayloadAcceptor`](crate::PayloadAcceptor) decides what becomes of them. A [`SourceChain`]
//! makes one source of several.

mod answer;
mod bootstrap;
mod chain;
mod data_store;
mod file;
mod http;
mod last_known_good;
mod unpack;

use self::answer::answer_with;
pub(crate) use self::answer::{other, version_of};
pub use self::bootstrap::BootstrapSpecSource;
pub use self::chain::SourceChain;
pub(crate) use self::data_store::is_usable;
pub use self::data_store::{DataStoreSpecSource, DataStoreSpecStream};
pub use self::file::{FileSpecSource, FileSpecStream};
pub use self::http::HttpSpecSource;
pub use self::last_known_good::LastKnownGood;
