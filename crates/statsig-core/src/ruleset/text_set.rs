//! A set of strings that costs little more than their bytes.
//!
//! Target lists can hold a hundred thousand e-mail addresses. A `HashSet<String>` spends some 60
//! bytes on each beside its text. Here the strings lie one after the other, ordered by bucket, each
//! behind its length; a table of bucket starts, one for about four strings, finds the bucket. Both
//! are built by sorting, so that no choice of strings makes building slow.

use std::hash::BuildHasher;

use super::text::position;
use crate::value::{is_lower_ascii, lower};

/// An immutable set of strings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TextSet {
    /// Start of each bucket in `data`, and the end; empty when there is a single bucket.
    starts: Box<[u32]>,
    /// LEB128 length and bytes of each string.
    data: Box<[u8]>,
    len: u32,
}

const PER_BUCKET: usize = 4;

fn hash(text: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}

#[allow(clippy::cast_possible_truncation)] // masked to the number of buckets, a power of two
fn bucket_of(hash: u64, buckets: usize) -> usize {
    (hash as usize) & (buckets - 1)
}

impl TextSet {
    /// Builds a set; duplicates are dropped.
    pub(crate) fn new<'a>(items: impl IntoIterator<Item = &'a str>) -> Self {
        let items: Vec<&[u8]> = items.into_iter().map(str::as_bytes).collect();
        let buckets = (items.len() / PER_BUCKET).next_power_of_two();
        let mut data = Vec::with_capacity(items.iter().map(|item| item.len() + 1).sum());
        let mut starts = Vec::with_capacity(if buckets > 1 { buckets + 1 } else { 0 });
        let mut len = 0;
        if buckets > 1 {
            let (mut sorted, ends) = sort_by_bucket(&items, buckets);
            let mut first = 0;
            for end in ends {
                starts.push(position(data.len()));
                len += write_distinct(&mut data, &mut sorted[first..end]);
                first = end;
            }
            starts.push(position(data.len()));
        } else {
            let mut hashed: Vec<Hashed<'_>> = items.iter().map(|item| (0, *item)).collect();
            len = write_distinct(&mut data, &mut hashed);
        }
        Self { starts: starts.into_boxed_slice(), len: position(len), data: data.into_boxed_slice() }
    }

    /// Number of strings.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether `text` is in the set. Allocates nothing.
    #[inline]
    pub(crate) fn contains(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let bucket = if self.starts.len() <= 2 {
            &self.data
        } else {
            let bucket = bucket_of(hash(text), self.starts.len() - 1);
            &self.data[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
        };
        // A look at one byte spares most comparisons.
        Items { data: bucket }.any(|item| item.len() == text.len() && item.first() == text.first() && item == text)
    }

    /// Whether the lower case of `text` is in the set, whose strings must not have upper-case ASCII
    /// letters. Allocates only for long or non-ASCII text.
    #[inline]
    pub(crate) fn contains_lower(&self, text: &str) -> bool {
        if is_lower_ascii(text.as_bytes()) {
            return self.contains(text);
        }
        if self.starts.is_empty() && text.is_ascii() {
            let text = text.as_bytes();
            let first = text.first().map(u8::to_ascii_lowercase);
            return Items { data: &self.data }.any(|item| {
                item.len() == text.len() && item.first().copied() == first && item.eq_ignore_ascii_case(text)
            });
        }
        self.contains(lower(text).as_str())
    }

    /// The strings, in an order of the set's own.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        Items { data: &self.data }.map(|item| std::str::from_utf8(item).unwrap_or_default())
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.data.len() + 4 * self.starts.len()
    }
}

/// A string behind a part of its hash, which tells most strings apart.
type Hashed<'a> = (u32, &'a [u8]);

/// Sorts items by their bucket alone; also returns the end of each bucket.
fn sort_by_bucket<'a>(items: &[&'a [u8]], buckets: usize) -> (Vec<Hashed<'a>>, Vec<usize>) {
    let hashes: Vec<u64> = items.iter().map(|item| hash(item)).collect();
    let mut ends = vec![0; buckets];
    for &hash in &hashes {
        ends[bucket_of(hash, buckets)] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        // First the start of the bucket; every item moves it by one, up to the end.
        (*end, sum) = (sum, sum + *end);
    }
    let mut sorted = vec![(0, &[][..]); items.len()];
    for (&item, &hash) in items.iter().zip(&hashes) {
        let at = &mut ends[bucket_of(hash, buckets)];
        #[allow(clippy::cast_possible_truncation)] // the upper half
        let upper = (hash >> 32) as u32;
        sorted[*at] = (upper, item);
        *at += 1;
    }
    (sorted, ends)
}

/// Writes the items of a bucket in order; returns how many differ.
fn write_distinct(data: &mut Vec<u8>, bucket: &mut [Hashed<'_>]) -> usize {
    bucket.sort_unstable();
    let mut len = 0;
    for (at, item) in bucket.iter().enumerate() {
        if at == 0 || bucket[at - 1] != *item {
            write_length(data, item.1.len());
            data.extend_from_slice(item.1);
            len += 1;
        }
    }
    len
}

#[allow(clippy::cast_possible_truncation)] // keeps the low 7 bits on purpose
fn write_length(data: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        data.push(length as u8 | 0x80);
        length >>= 7;
    }
    data.push(length as u8);
}

struct Items<'a> {
    data: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&first, mut rest) = self.data.split_first()?;
        if first < 0x80 {
            let (item, tail) = rest.split_at_checked(usize::from(first))?;
            self.data = tail;
            return Some(item);
        }
        let mut length = usize::from(first & 0x7f);
        let mut more = true;
        let mut shift = 7;
        while more {
            let (&byte, tail) = rest.split_first()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            more = byte >= 0x80;
            rest = tail;
        }
        let (item, tail) = rest.split_at_checked(length)?;
        self.data = tail;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_holds_and_nothing_else() {
        for size in [0, 1, 3, 7, 8, 100, 5000] {
            let items: Vec<String> = (0..size).map(|i| format!("user-{i}@example.com")).collect();
            let set = TextSet::new(items.iter().map(String::as_str).chain(items.iter().map(String::as_str)));
            assert_eq!(set.len(), size);
            assert!(items.iter().all(|item| set.contains(item)), "size {size}");
            assert!(!set.contains("user-x@example.com") && !set.contains(""));
            assert_eq!(set.iter().count(), size);
        }
    }

    #[test]
    fn lower_case_is_found_in_small_and_large_sets() {
        for size in [3, 300] {
            let items: Vec<String> = (0..size).map(|i| format!("user-{i}é")).chain(["plain".to_owned()]).collect();
            let set = TextSet::new(items.iter().map(String::as_str));
            assert!(set.contains_lower("USER-2É") && set.contains_lower("PLAIN") && set.contains_lower("plain"));
            assert!(!set.contains_lower("USER-2") && !set.contains_lower("PLAI") && !set.contains_lower(""));
        }
    }

    #[test]
    fn long_and_empty_strings_are_kept() {
        let long = "x".repeat(70_000);
        let set = TextSet::new([long.as_str(), "", "ß"]);
        assert!(set.contains(&long) && set.contains("") && set.contains("ß"));
        assert!(!set.contains(&long[1..]));
    }

    #[test]
    fn a_large_set_costs_little_more_than_its_text() {
        let items: Vec<String> = (0..10_000).map(|i| format!("{i:012}")).collect();
        let json = 15 * items.len();
        assert!(TextSet::new(items.iter().map(String::as_str)).size() <= json);
    }
}
