//! Hashes of a project's names, for clients that must not see them.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::Ruleset;
use super::text::Text;

/// SHA-256 digests of a ruleset's names.
///
/// Computed for the first response that needs them, and kept as long as the ruleset: the same names are hashed for
/// every user.
pub(crate) struct NameDigests(HashMap<Text, [u8; 32], foldhash::fast::RandomState>);

impl NameDigests {
    pub(crate) fn new(ruleset: &Ruleset) -> Self {
        let specs = ruleset.specs.iter().map(|spec| spec.name);
        let cmabs = ruleset.cmabs.iter().map(|cmab| cmab.name);
        let stores = ruleset.stores.iter().map(|store| store.name);
        let digest = |name| (name, Sha256::digest(ruleset.str(name)).into());
        Self(specs.chain(cmabs).chain(stores).map(digest).collect())
    }

    /// Returns the digest of the name of a spec, bandit or parameter store.
    pub(crate) fn get(&self, name: Text) -> Option<&[u8; 32]> {
        self.0.get(&name)
    }
}

impl fmt::Debug for NameDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NameDigests").field(&self.0.len()).finish()
    }
}
