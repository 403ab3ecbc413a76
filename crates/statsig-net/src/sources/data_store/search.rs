//! Finds the newest entry of a data store that can be used.
//!
//! The store compares entries by what stands beside them, which says nothing about the payload. So each entry that it
//! gives is judged here, and one that cannot be used is left out of the next request.

use std::sync::Arc;

use bytes::Bytes;
use statsig_adapters::{OuterFields, read_outer_fields};
use statsig_core::{EntryRequest, SourceError, SourceErrorKind, SpecVersion, StoreEntry, StoreFormat, StoreKey};

use super::super::{unpack, version_of};
use super::{Reader, error_of};

/// An entry that can be used, as far as its outside tells.
pub(super) struct Usable {
    pub(super) document: Bytes,
    pub(super) format: StoreFormat,
    pub(super) version: SpecVersion,
    key: Option<Arc<str>>,
}

impl Usable {
    pub(super) fn given(&self) -> Given {
        Given { key: self.key.clone(), version: self.version.clone(), len: self.document.len() }
    }
}

/// An entry that was given to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    key: Option<Arc<str>>,
    version: SpecVersion,
    len: usize,
}

impl Given {
    /// Returns whether a client that holds this version has applied the entry, or something newer.
    pub(super) fn is_held(&self, held: &SpecVersion) -> bool {
        let is_same = self.version.checksum.is_some() && self.version.checksum.as_deref() == held.checksum.as_deref();
        is_same || held.time_ms >= self.version.time_ms
    }
}

/// What a search came to.
pub(super) struct Search {
    /// The newest entry that is news and can be used.
    pub(super) best: Option<Usable>,
    /// Why an entry cannot be used, if one cannot.
    pub(super) trouble: Option<SourceError>,
    /// The keys whose entries were not found to be of no use.
    pub(super) rest: Vec<StoreKey>,
}

impl Reader {
    /// Looks for the newest entry that is news to one who holds the known version, `without` the one that was refused.
    ///
    /// # Errors
    /// If the store fails before anything was found.
    pub(super) async fn search(
        &self,
        known: Option<SpecVersion>,
        without: Option<&Given>,
    ) -> Result<Search, SourceError> {
        let now_ms = self.clock.unix_ms();
        let mut found = Search { best: None, trouble: None, rest: self.keys.to_vec() };
        // Keys that are asked about together; each alone where the store does not say which one an entry stands under.
        let mut rounds: Vec<Vec<StoreKey>> = vec![self.keys.to_vec()];
        if let Some(key) = without.and_then(|without| without.key.as_ref()) {
            rounds[0].retain(|other| other.name != *key);
        }
        while let Some(mut keys) = rounds.pop().filter(|keys| !keys.is_empty()) {
            let beaten = found.best.as_ref().map(|best| best.version.clone()).or_else(|| known.clone());
            let request = EntryRequest::new(keys.clone()).unless_known(beaten.clone()).at(now_ms);
            let entry = match self.store.get_entry(&request).await.map_err(error_of) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(error) if found.best.is_none() && found.trouble.is_none() => return Err(error),
                Err(_) => continue,
            };
            let (key, is_compared) = (entry.key.clone(), entry.version.is_some());
            match judge(entry, self.limit()).await {
                Ok(usable) => {
                    if beaten.is_none_or(|beaten| usable.version.is_news_at(&beaten, Some(now_ms))) {
                        found.best = Some(usable);
                    }
                    if is_compared {
                        // Against all other keys of the request.
                        continue;
                    }
                }
                Err(error) => {
                    found.rest.retain(|other| Some(&other.name) != key.as_ref());
                    found.trouble.get_or_insert(error);
                }
            }
            match key {
                Some(key) => {
                    let before = keys.len();
                    keys.retain(|other| other.name != key);
                    if keys.len() < before {
                        rounds.push(keys);
                    }
                }
                None if keys.len() > 1 => rounds.extend(keys.into_iter().rev().map(|key| vec![key])),
                None => {}
            }
        }
        Ok(found)
    }
}

/// Judges an entry by its outside.
///
/// # Errors
/// [`SourceErrorKind::Invalid`], with the kind of what is there instead of config specs;
/// [`SourceErrorKind::Empty`] for an answer that says nothing is new.
pub(super) async fn judge(entry: StoreEntry, limit: usize) -> Result<Usable, SourceError> {
    let StoreEntry { bytes, format, key, version: told, is_delta, .. } = entry;
    let refused = |reason: String| {
        let place = format!("the data store's {} entry", format.as_str());
        SourceError::new(SourceErrorKind::Invalid, format!("{place} cannot be used: {reason}"))
    };
    if is_delta {
        return Err(refused("it is only the difference to an earlier one".to_owned()));
    }
    let document = unpack::unpacked(bytes, limit).await.map_err(|error| refused(error.to_string()))?;
    let judged = unpack::off_thread(document.len(), move || {
        let version = match format {
            StoreFormat::StatsigBr => version_of(&document, format.into()),
            _ => {
                let OuterFields { shape, version, .. } = read_outer_fields(&document);
                match statsig_core::Error::of_shape(shape) {
                    Some(statsig_core::Error::NoUpdates) => return Err(None),
                    Some(error) => return Err(Some(error.to_string())),
                    None => version,
                }
            }
        };
        Ok((document, version))
    });
    let judged = judged.await.map_err(|error| refused(error.to_string()))?;
    let (document, version) = judged.map_err(|reason| match reason {
        Some(reason) => refused(reason),
        None => SourceError::new(SourceErrorKind::Empty, "the data store has no specs, only word that nothing is new"),
    })?;
    // A build that does not read the binary form has to believe what it is told.
    let version = version.or_else(|| told.filter(|_| format != StoreFormat::PlainText && !cfg!(feature = "proto")));
    match version {
        Some(version) => Ok(Usable { document, format, version, key }),
        None => Err(refused("it tells no time of its own".to_owned())),
    }
}

/// Returns whether an entry is config specs, as far as its outside tells.
pub(crate) async fn is_usable(entry: StoreEntry, limit: Option<usize>) -> bool {
    judge(entry, limit.unwrap_or(unpack::MAX_BYTES)).await.is_ok()
}
