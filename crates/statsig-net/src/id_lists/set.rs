//! A set of hashes in little more than 8 bytes each.
//!
//! The hashes are spread over shards by their bits; each shard is a sorted array. A change makes new
//! arrays for the shards that it touches and shares the others with the set before, so readers keep
//! whichever set they have. Shards hold about 256 hashes: a look-up is one multiplication, then a
//! binary search of eight steps within two kilobytes.

use std::sync::Arc;

use statsig_core::IdHash;

/// Hashes per shard, about.
const SHARD: usize = 256;

/// A set of hashes. Cloning shares everything.
#[derive(Debug, Clone)]
pub(crate) struct IdSet {
    shards: Arc<[Arc<[u64]>]>,
    /// By how much a mixed hash is shifted to give its shard; 64 when there is but one.
    shift: u32,
    len: usize,
}

/// Whether a hash is to be in the set or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: u64,
    pub(crate) add: bool,
}

/// A hash as a number.
pub(crate) fn number(id: &IdHash) -> u64 {
    u64::from_be_bytes(*id)
}

impl Default for IdSet {
    fn default() -> Self {
        Self { shards: Arc::new([Arc::from([])]), shift: 64, len: 0 }
    }
}

impl IdSet {
    /// Number of hashes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Memory that the set takes, in bytes, without what the allocator adds.
    pub(crate) fn bytes(&self) -> usize {
        let overhead = 2 * size_of::<usize>();
        self.shards.len() * (size_of::<Arc<[u64]>>() + overhead) + self.len * size_of::<u64>()
    }

    /// Whether a hash is in the set.
    pub(crate) fn contains(&self, id: &IdHash) -> bool {
        let id = number(id);
        self.shards.get(shard_of(id, self.shift)).is_some_and(|shard| shard.binary_search(&id).is_ok())
    }

    /// The set after some changes, in order. Costs time in proportion to the changes and the shards
    /// that they touch, plus one step for each shard.
    pub(crate) fn with(&self, changes: &[Change]) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let mut base = self.resized(self.len + changes.iter().filter(|change| change.add).count());
        let shift = base.shift;
        // Stable, so that of changes of one hash the last comes last.
        let mut sorted: Vec<(usize, Change)> =
            changes.iter().map(|change| (shard_of(change.id, shift), *change)).collect();
        sorted.sort_by_key(|(shard, change)| (*shard, change.id));
        let mut shards = base.shards.to_vec();
        for group in sorted.chunk_by(|one, other| one.0 == other.0) {
            let Some(shard) = group.first().and_then(|(shard, _)| shards.get_mut(*shard)) else { continue };
            let merged = merge(shard, group);
            base.len = base.len - shard.len() + merged.len();
            *shard = merged;
        }
        base.shards = shards.into();
        base
    }

    /// The same set with shards for about so many hashes.
    fn resized(&self, len: usize) -> Self {
        let wanted = (len / SHARD).max(1).next_power_of_two();
        let now = self.shards.len();
        // Room to grow and to shrink, so that a set at the border is not spread anew each time.
        if wanted <= now * 2 && wanted * 8 >= now {
            return self.clone();
        }
        let shift = 64 - wanted.trailing_zeros();
        let mut shards: Vec<Vec<u64>> = Vec::new();
        shards.resize_with(wanted, Vec::new);
        for id in self.shards.iter().flat_map(|shard| shard.iter().copied()) {
            if let Some(shard) = shards.get_mut(shard_of(id, shift)) {
                shard.push(id);
            }
        }
        let sorted = shards.into_iter().map(|mut shard| {
            shard.sort_unstable();
            Arc::from(shard)
        });
        Self { shards: sorted.collect(), shift, len: self.len }
    }
}

/// The shard of a hash: hashes are Base64 letters, whose bits are unevenly spread until mixed.
fn shard_of(id: u64, shift: u32) -> usize {
    let mixed = (id ^ id >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.checked_shr(shift).unwrap_or(0) as usize
}

/// A sorted shard after sorted changes, of which the last of each hash counts.
fn merge(shard: &[u64], changes: &[(usize, Change)]) -> Arc<[u64]> {
    let mut out = Vec::with_capacity(shard.len() + changes.len());
    let mut old = shard.iter().copied().peekable();
    for same in changes.chunk_by(|one, other| one.1.id == other.1.id) {
        let Some((_, last)) = same.last() else { continue };
        while let Some(id) = old.next_if(|id| *id < last.id) {
            out.push(id);
        }
        let _ = old.next_if_eq(&last.id);
        if last.add {
            out.push(last.id);
        }
    }
    out.extend(old);
    out.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use statsig_core::id_hash;

    use super::*;

    fn change(n: u32, add: bool) -> Change {
        Change { id: number(&id_hash(&n.to_string())), add }
    }

    #[test]
    fn ten_million_ids_take_little_more_than_eight_bytes_each() {
        // A million here; the bench does ten. The share of the shards is the same.
        let changes: Vec<Change> =
            (0..1_000_000_u64).map(|n| Change { id: n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n, add: true }).collect();
        let mut set = IdSet::default();
        for block in changes.chunks(100_000) {
            set = set.with(block);
        }
        assert_eq!(set.len(), 1_000_000);
        let each = set.bytes() as f64 / set.len() as f64;
        assert!(each < 9.0, "{each}");
        let longest = set.shards.iter().map(|shard| shard.len()).max().unwrap();
        assert!(longest < 8 * SHARD, "{longest}");
    }

    #[test]
    fn sets_before_a_change_stay_as_they_were() {
        let before = IdSet::default().with(&(0..5_000).map(|n| change(n, true)).collect::<Vec<_>>());
        let after = before.with(&[change(7, false), change(9_999, true)]);
        assert_eq!((before.len(), after.len()), (5_000, 5_000));
        assert!(before.contains(&id_hash("7")) && !after.contains(&id_hash("7")));
        assert!(!before.contains(&id_hash("9999")) && after.contains(&id_hash("9999")));
        let shared = before.shards.iter().zip(after.shards.iter()).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert!(shared.count() >= before.shards.len() - 2);
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(blocks in prop::collection::vec(
            prop::collection::vec((0_u32..3_000, prop::bool::weighted(0.7)), 0..800), 0..8)) {
            let (mut set, mut model) = (IdSet::default(), HashSet::new());
            for block in blocks {
                set = set.with(&block.iter().map(|(n, add)| change(*n, *add)).collect::<Vec<_>>());
                for (n, add) in block {
                    if add { model.insert(n); } else { model.remove(&n); }
                }
                prop_assert_eq!(set.len(), model.len());
                for n in 0..3_000 {
                    prop_assert_eq!(set.contains(&id_hash(&n.to_string())), model.contains(&n));
                }
            }
        }
    }
}
