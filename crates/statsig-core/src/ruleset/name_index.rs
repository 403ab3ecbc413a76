//! From a spec's name to its place.

use std::hash::{BuildHasher, Hasher};

use super::text::position;

/// An immutable map from names to positions; the names themselves stay where they are.
///
/// Built by sorting, so that hostile names cannot make building slow; equal inputs give equal
/// indexes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NameIndex {
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy, PartialOrd, Ord)]
struct Entry {
    bucket: u32,
    tag: u32,
    target: u32,
}

/// Buckets of up to so many names are looked through one by one.
const SCANNED: usize = 8;

#[allow(clippy::cast_possible_truncation)] // two halves of the hash
fn hash(name: &str) -> (u32, u32) {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(name.as_bytes());
    let hash = hasher.finish();
    (hash as u32, (hash >> 32) as u32)
}

/// Returns the entries of a large bucket with a tag. The bucket is sorted by tag, so that names which were chosen to share
/// it do not make a look-up slow.
#[cold]
fn with_tag(entries: &[Entry], tag: u32) -> &[Entry] {
    let from = entries.partition_point(|entry| entry.tag < tag);
    let to = entries.partition_point(|entry| entry.tag <= tag);
    entries.get(from..to).unwrap_or_default()
}

impl NameIndex {
    /// Indexes `(name, position)` pairs; of equal names the last one counts.
    pub(crate) fn new<'a>(names: impl Iterator<Item = (&'a str, u32)>) -> Self {
        let mut named: Vec<((u32, u32), &str, u32)> = names.map(|(name, target)| (hash(name), name, target)).collect();
        // The later of equal names first, so that `dedup` keeps it.
        named.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.cmp(&a.2)));
        named.dedup_by(|a, b| a.0 == b.0 && a.1 == b.1);
        let buckets = position(named.len().next_power_of_two());
        let mut entries: Vec<Entry> =
            named.iter().map(|&((low, tag), _, target)| Entry { bucket: low & (buckets - 1), tag, target }).collect();
        entries.sort_unstable();
        let mut starts = Vec::with_capacity(buckets as usize + 1);
        let mut at = 0;
        for bucket in 0..=buckets {
            while entries.get(at).is_some_and(|entry| entry.bucket < bucket) {
                at += 1;
            }
            starts.push(position(at));
        }
        Self { starts: starts.into_boxed_slice(), entries: entries.into_boxed_slice() }
    }

    /// The position of `name`, where `name_of` tells the name at a position.
    #[inline]
    pub(crate) fn find<'a, N: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        name: &str,
        name_of: impl Fn(u32) -> &'a N,
    ) -> Option<u32> {
        let (low, tag) = hash(name);
        let bucket = low as usize & self.starts.len().checked_sub(2)?;
        let mut entries = self.entries.get(self.starts[bucket] as usize..self.starts[bucket + 1] as usize)?;
        if entries.len() > SCANNED {
            entries = with_tag(entries, tag);
        }
        for entry in entries {
            if entry.tag == tag && name_of(entry.target).as_ref() == name.as_bytes() {
                return Some(entry.target);
            }
        }
        None
    }

    /// All positions, in an order of the index's own.
    pub(crate) fn targets(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.target)
    }

    /// Number of names.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for size in [0_u32, 1, 2, 3, 17, 1000] {
            let names: Vec<String> = (0..size).map(|i| format!("gate_{i}")).collect();
            let index = NameIndex::new(names.iter().map(String::as_str).zip(0..));
            for (i, name) in (0..).zip(&names) {
                assert_eq!(index.find(name, |at| names[at as usize].as_str()), Some(i));
            }
            assert_eq!(index.find("absent", |at| names[at as usize].as_str()), None);
            assert_eq!(index.len(), size as usize);
        }
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let names = ["a", "b", "a"];
        let index = NameIndex::new(names.into_iter().zip(0..));
        assert_eq!(index.find("a", |at| names[at as usize]), Some(2));
        assert_eq!(index.len(), 2);
    }
}
