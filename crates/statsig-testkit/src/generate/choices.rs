//! Where a generated document's decisions come from.

use std::cell::Cell;

/// Decisions read from bytes, one byte each; when the bytes have run out every decision is the
/// first, which is the smallest.
///
/// Bytes are what property tests shrink and what fuzzers mutate, so that both find short documents:
/// see [`Choices::new`]. Benchmarks take theirs from [`seeded`].
#[derive(Debug, Clone)]
pub struct Choices<'b> {
    bytes: &'b [u8],
    /// How many were read. A cell, so that decisions can be arguments of calls that decide more.
    at: Cell<usize>,
}

impl<'b> Choices<'b> {
    /// Decisions from `bytes`.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: Cell::new(0) }
    }

    /// A number below `n`, which must be at most 256; 0 if `n` is 0.
    pub fn below(&self, n: usize) -> usize {
        let byte = self.bytes.get(self.at.get()).copied().unwrap_or(0);
        self.at.set(self.at.get().saturating_add(1));
        usize::from(byte).checked_rem(n).unwrap_or(0)
    }

    /// True once in `n` times, and never without bytes.
    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == n.saturating_sub(1)
    }

    /// One of the items; the default of an empty list.
    pub fn pick<T: Copy + Default>(&self, items: &[T]) -> T {
        let at = self.below(items.len());
        items.get(at).copied().unwrap_or_default()
    }

    /// Whether the bytes have run out.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.at.get() >= self.bytes.len()
    }
}

/// `length` bytes that depend on the seed alone, on every machine.
#[must_use]
pub fn seeded(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_follow_the_bytes_and_end_in_the_first() {
        let choices = Choices::new(&[7, 255, 9]);
        assert_eq!((choices.below(4), choices.one_in(16), choices.pick(&["a", "b"])), (3, true, "b"));
        assert!(choices.is_exhausted());
        assert_eq!((choices.below(4), choices.one_in(16), choices.pick(&["a", "b"])), (0, false, "a"));
        assert_eq!((choices.below(0), choices.pick::<u8>(&[])), (0, 0));
    }

    #[test]
    fn seeded_bytes_are_the_same_everywhere() {
        assert_eq!(seeded(1, 4), seeded(1, 9)[..4]);
        assert_ne!(seeded(1, 16), seeded(2, 16));
        assert_eq!(seeded(0, 3), [0xaf, 0xcd, 0x1d]);
    }
}
