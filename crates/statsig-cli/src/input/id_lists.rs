//! ID lists from where the specs come from: servers and Redis have them, a file has none.

#[cfg(feature = "net")]
use std::sync::Arc;

use statsig_core::IdHash;
#[cfg(feature = "net")]
use statsig_core::IdListLookup;
#[cfg(feature = "net")]
use statsig_net::id_lists::IdLists;

use super::source::Source;
use crate::failure::Failure;
use crate::warnings::Warnings;

/// The lists that were fetched. None at first.
#[derive(Default)]
pub(crate) struct Fetched {
    #[cfg(feature = "net")]
    lists: Arc<IdLists>,
}

impl Fetched {
    /// Fetches these lists, once, if the source has such. Returns those that it does not have, which an
    /// evaluation takes for empty, as that of an SDK does.
    ///
    /// # Errors
    /// A list cannot be fetched. With `may_be_missing` this is a warning.
    pub(crate) fn fetch(
        &self,
        source: &Source,
        wanted: Vec<String>,
        may_be_missing: bool,
        warnings: Warnings,
    ) -> Result<Vec<String>, Failure> {
        #[cfg(feature = "net")]
        if !wanted.is_empty()
            && let Some(remote) = super::remote::RemoteLists::of(source)?
        {
            remote.read(&wanted, &self.lists, may_be_missing, warnings)?;
            let there = self.lists.status();
            return Ok(wanted.into_iter().filter(|name| !there.iter().any(|list| list.name == *name)).collect());
        }
        let _ = (source, may_be_missing, warnings);
        Ok(wanted)
    }

    /// Whether an ID is in a list.
    pub(crate) fn contains(&self, list: &str, id: &IdHash) -> bool {
        #[cfg(feature = "net")]
        return self.lists.contains(list, id);
        #[cfg(not(feature = "net"))]
        {
            let _ = (list, id);
            false
        }
    }
}
