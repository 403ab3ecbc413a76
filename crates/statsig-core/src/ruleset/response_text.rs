//! JSON text of a ruleset that client-initialize responses copy.
//!
//! Names, config values and parameter stores are the same for every user. A snapshot encodes them for the first response
//! that needs them and keeps the text as long as the ruleset. [`crate::client_initialize`] fills it in.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::OnceLock;

use foldhash::fast::FixedState;

use super::text::{Text, position};

/// Prepared text of one snapshot: a part that all responses share, and one for each hash algorithm.
#[derive(Debug, Default)]
pub(crate) struct ResponseText {
    pub(crate) shared: OnceLock<SharedText>,
    /// By the position of the algorithm.
    pub(crate) hashed: [OnceLock<HashedText>; 3],
}

/// Prepared text that contains no name.
#[derive(Debug)]
pub(crate) struct SharedText {
    /// Config values, by their place in [`Ruleset::json`](super::Ruleset).
    pub(crate) values: Snippets<u32>,
    /// Positions of the gates, configs and layers, in the order of the payload.
    pub(crate) sections: [Box<[u32]>; 3],
    /// No text of the ruleset contains a character that JSON escapes.
    pub(crate) needs_no_escapes: bool,
}

/// Prepared text that contains names under one hash algorithm.
#[derive(Debug)]
pub(crate) struct HashedText {
    /// Beginning of a secondary exposure, by the gate's name: see [`HashedText::exposure_head`].
    heads: Snippets<Text>,
    /// Parameter stores, by position.
    pub(crate) stores: Snippets<u32>,
}

impl HashedText {
    const BEFORE_NAME: &str = r#"{"gate":"#;
    const AFTER_NAME: &str = r#","gateValue":""#;

    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { heads: Snippets::new(max_bytes), stores: Snippets::new(max_bytes) }
    }

    /// Adds a name, given the JSON string of its hash.
    pub(crate) fn add_name(&mut self, name: Text, json: &str) {
        self.heads.add(name, &[Self::BEFORE_NAME, json, Self::AFTER_NAME]);
    }

    /// Returns the JSON string of a hashed name, with its quotes.
    pub(crate) fn name(&self, name: Text) -> Option<&str> {
        self.heads.get(name)?.strip_prefix(Self::BEFORE_NAME)?.strip_suffix(Self::AFTER_NAME)
    }

    /// Releases unused memory.
    pub(crate) fn shrink(&mut self) {
        self.heads.shrink();
        self.stores.shrink();
    }

    /// Returns the secondary exposure of a gate, up to and with the quote before its value.
    pub(crate) fn exposure_head(&self, gate: Text) -> Option<&str> {
        self.heads.get(gate)
    }
}

/// Pieces of text in one buffer of bounded size.
///
/// Keys are places in the ruleset, which nobody can choose so that they collide: the hash needs no random seed.
pub(crate) struct Snippets<K> {
    text: String,
    places: HashMap<K, (u32, u32), FixedState>,
    max_bytes: usize,
}

impl<K: Hash + Eq> Snippets<K> {
    /// Returns an empty table that holds at most `max_bytes` of text.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), places: HashMap::default(), max_bytes }
    }

    /// Adds a piece, given in parts, unless it is there or the table is full.
    pub(crate) fn add(&mut self, key: K, parts: &[&str]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let start = self.text.len();
        if start.saturating_add(len) > self.max_bytes || self.places.contains_key(&key) {
            return;
        }
        self.text.extend(parts.iter().copied());
        self.places.insert(key, (position(start), position(start + len)));
    }

    /// Returns whether there is a piece for a key.
    pub(crate) fn contains(&self, key: K) -> bool {
        self.places.contains_key(&key)
    }

    /// Returns the piece for a key.
    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&str> {
        let &(start, end) = self.places.get(&key)?;
        self.text.get(start as usize..end as usize)
    }

    /// Releases unused memory.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.places.shrink_to_fit();
    }
}

impl<K> fmt::Debug for Snippets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snippets").field("len", &self.places.len()).field("bytes", &self.text.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::TextPoolBuilder;
    use super::*;

    #[test]
    fn a_full_table_has_no_further_pieces() {
        let mut snippets = Snippets::new(8);
        snippets.add(1_u32, &["ab", "cd"]);
        snippets.add(1, &["other"]);
        snippets.add(2, &["too long"]);
        snippets.add(3, &["efgh"]);
        assert_eq!((snippets.get(1), snippets.get(2), snippets.get(3)), (Some("abcd"), None, Some("efgh")));
        assert!(snippets.contains(3) && !snippets.contains(2));
    }

    #[test]
    fn a_name_and_the_head_of_an_exposure_share_their_text() {
        let mut pool = TextPoolBuilder::default();
        let (gate, other) = (pool.intern("a_gate"), pool.intern("other"));
        let mut hashed = HashedText::new(usize::MAX);
        hashed.add_name(gate, r#""2867927529""#);
        assert_eq!(hashed.name(gate), Some(r#""2867927529""#));
        assert_eq!(hashed.exposure_head(gate), Some(r#"{"gate":"2867927529","gateValue":""#));
        assert_eq!((hashed.name(other), hashed.exposure_head(other)), (None, None));
    }
}
