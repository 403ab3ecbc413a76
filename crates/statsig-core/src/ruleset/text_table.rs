//! Finds things by a text without entropy, also when the texts are hostile.
//!
//! Names, salts and values come from a payload, and its author may choose them so that their hashes are equal
//! under a known seed. A seed at random would prevent that, but takes entropy, which this crate does not have. Instead
//! a table counts how often a look-up met a different text. When that is more often than by chance, everything moves
//! into an ordered map, whose look-ups take logarithmic time for any choice of texts.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::HashTable;

/// Different texts that may be met before they are put down to intent, beside one for each look-up.
///
/// By chance it is one for ten look-ups.
const MISTAKEN: usize = 1_000;

/// A map from texts to small values that know where their text is kept.
#[derive(Debug)]
pub(crate) struct TextTable<V> {
    hashed: HashTable<(u32, V)>,
    /// All values, with copies of their texts; empty until the hashes fail.
    ordered: BTreeMap<Box<[u8]>, V>,
    is_ordered: bool,
    lookups: usize,
    mistaken: usize,
}

impl<V> Default for TextTable<V> {
    fn default() -> Self {
        Self { hashed: HashTable::new(), ordered: BTreeMap::new(), is_ordered: false, lookups: 0, mistaken: 0 }
    }
}

/// The place of a text that is not in the table yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vacant(u32);

#[allow(clippy::cast_possible_truncation)] // one half of the hash
fn hash(text: &[u8]) -> u32 {
    foldhash::fast::FixedState::default().hash_one(text) as u32
}

/// Spreads a hash over the bits that the table looks at: the low ones, and the highest seven.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl<V: Copy> TextTable<V> {
    /// Finds the value of `text`, where `text_of` returns the text of a value.
    #[inline]
    pub(crate) fn find<'t>(&mut self, text: &[u8], text_of: impl Fn(&V) -> &'t [u8]) -> Result<V, Vacant> {
        let hash = hash(text);
        if self.is_ordered {
            return self.ordered.get(text).copied().ok_or(Vacant(hash));
        }
        let mut mistaken = 0;
        let found = self.hashed.find(spread(hash), |(known, value)| {
            let is_same = *known == hash && text_of(value) == text;
            mistaken += usize::from(!is_same);
            is_same
        });
        let found = found.map(|(_, value)| *value).ok_or(Vacant(hash));
        self.lookups += 1;
        self.mistaken += mistaken;
        if mistaken > 0 && self.mistaken > self.lookups + MISTAKEN {
            self.order(text_of);
        }
        found
    }

    /// Adds the value of `text`, which was looked for before.
    #[inline]
    pub(crate) fn insert(&mut self, vacant: Vacant, text: &[u8], value: V) {
        if self.is_ordered {
            self.ordered.insert(text.into(), value);
        } else {
            self.hashed.insert_unique(spread(vacant.0), (vacant.0, value), |(hash, _)| spread(*hash));
        }
    }

    #[cold]
    fn order<'t>(&mut self, text_of: impl Fn(&V) -> &'t [u8]) {
        self.is_ordered = true;
        let hashed = std::mem::take(&mut self.hashed);
        self.ordered = hashed.into_iter().map(|(_, value)| (text_of(&value).into(), value)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of positions in a list of texts.
    fn fill(texts: &[String]) -> TextTable<usize> {
        let mut table = TextTable::default();
        for (at, text) in texts.iter().enumerate() {
            if let Err(vacant) = table.find(text.as_bytes(), |&at: &usize| texts[at].as_bytes()) {
                table.insert(vacant, text.as_bytes(), at);
            }
        }
        table
    }

    fn assert_holds(table: &mut TextTable<usize>, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            let found = table.find(text.as_bytes(), |&at: &usize| texts[at].as_bytes());
            assert_eq!(found.ok().map(|found| &texts[found]), Some(&texts[at]));
        }
        assert!(table.find(b"absent", |&at: &usize| texts[at].as_bytes()).is_err());
    }

    #[test]
    fn texts_are_found_and_chance_does_not_look_like_intent() {
        let texts: Vec<String> = (0..200_000).map(|at| format!("name_{}", at % 150_000)).collect();
        let mut table = fill(&texts);
        assert_holds(&mut table, &texts);
        assert!(!table.is_ordered && table.mistaken * 4 < table.lookups, "{} of {}", table.mistaken, table.lookups);
    }

    #[test]
    fn texts_chosen_for_their_hashes_are_kept_in_order() {
        // In tables of up to 128 places all of them have one place and one tag.
        let is_chosen = |text: &String| hash(text.as_bytes()) & 0xFE00_007F == 0x2A00_0023;
        let chosen: Vec<String> = (0..).map(|at| format!("{at:x}")).filter(is_chosen).take(50).collect();
        let mut table = fill(&chosen);
        assert!(table.is_ordered, "{} of {}", table.mistaken, table.lookups);
        assert_holds(&mut table, &chosen);
        let more = [chosen, vec!["another".to_owned()]].concat();
        let mut table = fill(&more);
        assert_holds(&mut table, &more);
    }
}
