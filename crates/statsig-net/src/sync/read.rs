//! Documents as they come, made into JSON that can be compiled.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use statsig_core::{SpecUpdate, StoreFormat};

/// What a later difference is put together with.
#[cfg(feature = "proto")]
pub(super) type Parts = crate::proto::Document;
/// This build reads no form that has parts.
#[cfg(not(feature = "proto"))]
pub(super) type Parts = std::convert::Infallible;

/// A document that was read.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) json: Cow<'a, [u8]>,
    pub(super) parts: Option<Arc<Parts>>,
    /// Whether a difference came, or what its source takes for one.
    pub(super) is_delta: bool,
    /// Whether what is held is a part of it.
    pub(super) refers_to_base: bool,
}

/// Why a document cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) reason: Box<dyn Error + Send + Sync>,
    /// It is a difference that does not fit what is held.
    pub(super) is_misfit: bool,
}

/// Reads a document, which may be the difference to the one held.
pub(super) fn read<'a>(update: &'a SpecUpdate, limit: usize, held: Option<&Parts>) -> Result<Read<'a>, Unreadable> {
    let refused = |reason: &str| Unreadable { reason: reason.into(), is_misfit: update.is_delta };
    #[cfg(not(feature = "proto"))]
    let _ = (limit, held);
    match update.format {
        StoreFormat::PlainText if update.is_delta => Err(refused("a difference in this form is not known")),
        StoreFormat::PlainText => {
            Ok(Read { json: Cow::Borrowed(&update.document), parts: None, is_delta: false, refers_to_base: false })
        }
        #[cfg(feature = "proto")]
        StoreFormat::StatsigBr => {
            let decoded = crate::proto::decode(&update.document, limit, held)
                .map_err(|error| Unreadable { is_misfit: error.is_about_difference(), reason: error.into() })?;
            Ok(Read {
                json: Cow::Owned(decoded.json),
                parts: decoded.parts.map(Arc::new),
                is_delta: decoded.is_delta || update.is_delta,
                refers_to_base: decoded.is_delta,
            })
        }
        #[allow(unreachable_patterns, reason = "the enum may grow")]
        _ => Err(refused("this build does not read this form of config specs")),
    }
}
