//! Where config specs come from, when asked.
//!
//! | source | name | what evaluations say |
//! | --- | --- | --- |
//! | [`HttpSpecSource`] | `network`, `statsig-network` | `Network` |
//! | [`DataStoreSpecSource`] | `data-store` | `Adapter(DataStore)` |
//! | [`BootstrapSpecSource`] | `bootstrap` | `Bootstrap` |
//! | [`FileSpecSource`] | `file` | `Adapter(FileBased)` |
//! | [`LastKnownGood`] | `last-known-good` | `Adapter(LastKnownGood)` |
//!
//! All give bytes; what becomes of these is decided by [`SpecSync`](crate::SpecSync). A
//! [`SourceChain`] makes one source of several.

mod bootstrap;
mod chain;
mod data_store;
mod file;
mod http;
mod last_known_good;
mod unpack;

pub use self::bootstrap::BootstrapSpecSource;
pub use self::chain::SourceChain;
pub(crate) use self::data_store::is_usable;
pub use self::data_store::{DataStoreSpecSource, DataStoreSpecStream};
pub use self::file::{FileSpecSource, FileSpecStream};
pub use self::http::HttpSpecSource;
pub use self::last_known_good::LastKnownGood;

use statsig_core::{
    EntryVersion, KeySchema, SourceError, SourceErrorKind, SpecCursor, SpecFetch, SpecUpdate, StoreFormat,
};

/// The answer of a source that holds a whole document: `Unchanged` if it is no news.
fn whole(update: SpecUpdate, cursor: &SpecCursor) -> Result<SpecFetch, SourceError> {
    if update.document.is_empty() {
        return Err(SourceError::new(SourceErrorKind::Empty, "the document is empty"));
    }
    if cursor.time == 0 {
        return Ok(SpecFetch::Updated(update));
    }
    let known = EntryVersion::new(cursor.time, cursor.checksum.as_deref().map(str::to_owned));
    match version_of(&update.document, update.format) {
        // One that is older is handed on, so that the asking side sees that this source lags behind.
        Some(version) if version.lcut == known.lcut && !version.is_news_to(&known) => Ok(SpecFetch::Unchanged),
        _ => Ok(SpecFetch::Updated(update)),
    }
}

/// The time and the checksum of a document; `None` if it has none, or this build cannot read its form.
pub(crate) fn version_of(document: &[u8], format: StoreFormat) -> Option<EntryVersion> {
    match format {
        StoreFormat::PlainText => EntryVersion::of_json(document),
        #[cfg(feature = "proto")]
        StoreFormat::StatsigBr => crate::proto::head::version(document),
        #[allow(unreachable_patterns, reason = "the enum may grow")]
        _ => None,
    }
}

/// Milliseconds since 1970.
fn now(clock: &dyn statsig_core::Clock) -> u64 {
    u64::try_from(clock.now_ms()).unwrap_or(0)
}

/// The schema of keys that other writers may have.
pub(crate) fn other(schema: KeySchema) -> KeySchema {
    if schema == KeySchema::Prefix { KeySchema::Hashed } else { KeySchema::Prefix }
}
