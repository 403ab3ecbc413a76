//! ID lists: segments that are too large for the specs.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};

/// Length of an [`IdHash`] in bytes.
pub const ID_HASH_LENGTH: usize = 8;

/// How an ID appears in an ID list: the first eight characters of the Base64 of its SHA-256.
pub type IdHash = [u8; ID_HASH_LENGTH];

/// The hash under which `id` appears in ID lists (`docs/protocol/evaluation.md#hashing`).
///
/// ```
/// assert_eq!(&statsig_core::id_hash("user-1"), b"xsKJ5J6c");
/// ```
#[must_use]
pub fn id_hash(id: &str) -> IdHash {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(id.as_bytes());
    let bits = digest[..6].iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    std::array::from_fn(|at| ALPHABET[(bits >> (42 - 6 * at) & 63) as usize])
}

/// Knows which IDs are in which list.
///
/// Called by `in_segment_list` and `not_in_segment_list` conditions, on the application's thread:
/// answer from memory. A list that is not known has no members.
///
/// ```
/// use statsig_core::{IdHash, IdListLookup};
///
/// struct Everybody;
///
/// impl IdListLookup for Everybody {
///     fn contains(&self, list: &str, _id: &IdHash) -> bool {
///         list == "everybody"
///     }
/// }
/// assert!(Everybody.contains("everybody", &statsig_core::id_hash("user-1")));
/// ```
pub trait IdListLookup: Send + Sync {
    /// Whether the ID with this hash is in the list.
    fn contains(&self, list: &str, id: &IdHash) -> bool;
}

/// ID lists in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InMemoryIdLists {
    lists: HashMap<String, HashSet<IdHash, RandomState>, RandomState>,
}

impl InMemoryIdLists {
    /// No lists.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the lines of a list file in order: `+` and a hash adds an ID, `-` and a hash removes
    /// it. Blanks around a line are ignored, and so are lines of any other form; returns how many
    /// such lines there were.
    pub fn apply(&mut self, list: &str, lines: &str) -> usize {
        let members = self.lists.entry(list.to_owned()).or_default();
        let mut ignored = 0;
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match (line.as_bytes().split_first(), IdHash::try_from(&line.as_bytes()[1..])) {
                (Some((b'+', _)), Ok(id)) => {
                    members.insert(id);
                }
                (Some((b'-', _)), Ok(id)) => {
                    members.remove(&id);
                }
                _ => ignored += 1,
            }
        }
        ignored
    }

    /// Adds an ID by its text.
    pub fn insert(&mut self, list: &str, id: &str) {
        self.lists.entry(list.to_owned()).or_default().insert(id_hash(id));
    }

    /// Number of IDs in a list; 0 if it is not known.
    #[must_use]
    pub fn len(&self, list: &str) -> usize {
        self.lists.get(list).map_or(0, HashSet::len)
    }

    /// Whether there is no list at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }
}

impl IdListLookup for InMemoryIdLists {
    fn contains(&self, list: &str, id: &IdHash) -> bool {
        self.lists.get(list).is_some_and(|members| members.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        for (id, hash) in
            [("user-1", "xsKJ5J6c"), ("123", "pmWkWSBC"), ("", "47DEQpj8"), ("Zoë", "xqEmmFgv"), ("None", "3JN7WYkm")]
        {
            assert_eq!(&id_hash(id), hash.as_bytes());
        }
    }

    #[test]
    fn lines_are_applied_in_order() {
        let mut lists = InMemoryIdLists::new();
        assert_eq!(lists.apply("l", "+xsKJ5J6c\n +pmWkWSBC \r\n\n-xsKJ5J6c\n*bad\n+short\n+tü"), 3);
        assert!(!lists.contains("l", &id_hash("user-1")) && lists.contains("l", &id_hash("123")));
        assert!(!lists.contains("other", &id_hash("123")));
        lists.insert("l", "user-1");
        assert_eq!((lists.len("l"), lists.len("other"), lists.is_empty()), (2, 0, false));
    }
}
