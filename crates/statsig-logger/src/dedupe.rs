//! Which exposures were logged a moment ago, in fixed memory.
//!
//! A service checks the same gate for the same user many times a minute, and one exposure of them
//! is enough. Every check passes here, on the application's thread, so this is the most expensive
//! place of the logger if it is made badly: a map under a lock stops all threads in turn, and one
//! that is emptied each minute lets all users log again in the same second.
//!
//! # Choice
//!
//! | candidate | memory | a key seen before | when the window turns |
//! | --- | --- | --- | --- |
//! | map with last use, under a lock | grows to its capacity, with an allocation for each key | a lock for writing | all keys at once, or a scan |
//! | two generations of sharded sets | two sets, allocated while they fill | two look-ups under a shard's lock | no scan, but half of the keys at once |
//! | **fixed table of words** | all of it from the start, never more | one cache line read, nothing written | each key at a moment of its own |
//!
//! Two generations would also serve, and never forget a key early; but a shard's lock is written
//! even by a reader, and rotation still lets every active key log again within a few checks.
//!
//! # Table
//!
//! An array of atomic words in buckets of eight, one cache line each. Some bits of a key's hash
//! choose the bucket; 48 others are its *fingerprint*, kept in the word together with 16 bits of
//! the *window* in which it was seen. Windows have the same length for all keys, but begin at a
//! phase that the hash determines: at any moment about as many keys expire as at any other.
//!
//! A key is new if no word of its bucket has its fingerprint and its current window. It then takes
//! its own old word, else an empty one, else the one with the oldest window, by one
//! compare-and-swap. So the table needs no clearing, and what is crowded out is what would soonest
//! have expired.
//!
//! # Errors it can make
//!
//! - *A duplicate passes* if its key was crowded out, or if two threads meet in the same instant.
//!   The table has two words for each key that it is asked to hold; at that load fewer than one in
//!   a hundred is crowded out. A duplicate costs a few bytes and changes no analysis.
//! - *A first sight is suppressed* if another key has the same bucket and fingerprint, within the
//!   same window: at most 8·2⁻⁴⁸, or 3·10⁻¹⁴, a look-up with up to 2¹⁶ buckets, doubling with each
//!   doubling beyond. And if a key comes back after exactly 65,536 windows (45 days), with its word
//!   untouched. Even then it is logged in the next window.
//!
//! Time is given, in milliseconds of any clock; one that runs backwards lets duplicates pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::exposure_key::ExposureKey;

/// Words of a bucket: as many as fit a cache line.
const WAYS: usize = 8;
const WINDOW_BITS: u32 = 16;
const WINDOW_MASK: u64 = (1 << WINDOW_BITS) - 1;
/// Largest number of keys that can be asked for: 256 MiB.
const MOST_KEYS: usize = 1 << 24;
/// Times that a lost race for a word is run again.
const RACES: usize = 4;

#[derive(Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; WAYS]);

/// A set of exposures in which each stays until the end of its window.
///
/// Shared by all threads without a lock. The memory is allocated once, 16 bytes for each key, up to
/// the next power of two.
///
/// ```
/// use std::time::Duration;
/// use statsig_logger::{ExposureDedupe, ExposureKey};
///
/// let dedupe = ExposureDedupe::new(100_000, Duration::from_secs(60));
/// let key = ExposureKey::from_bits(0x5eed);
/// assert!(dedupe.is_first(key, 0));
/// assert!(!dedupe.is_first(key, 1));
/// assert!(dedupe.is_first(key, 60_001));
/// ```
pub struct ExposureDedupe {
    buckets: Box<[Bucket]>,
    window_ms: AtomicU64,
}

impl ExposureDedupe {
    /// An empty set with room for a number of keys (1 to 16,777,216; beyond, the nearest of the
    /// two), each kept for at most one window.
    #[must_use]
    pub fn new(max_keys: usize, window: Duration) -> Self {
        let words = (max_keys.clamp(1, MOST_KEYS) * 2).next_power_of_two();
        let buckets = (0..words.div_ceil(WAYS)).map(|_| Bucket::default()).collect();
        let set = Self { buckets, window_ms: AtomicU64::new(1) };
        set.set_window(window);
        set
    }

    /// Changes the length of windows, to at least 1 ms. What is in the set then counts as expired.
    pub fn set_window(&self, window: Duration) {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX));
        self.window_ms.store(window_ms, Ordering::Relaxed);
    }

    /// Whether the key was not seen in its current window; from now on it was.
    ///
    /// `now_ms` is the time by any clock that does not run backwards. Reads one cache line, and
    /// writes a word of it if the answer is `true`. Never blocks or allocates.
    #[must_use]
    pub fn is_first(&self, key: ExposureKey, now_ms: u64) -> bool {
        let hash = key.bits();
        let word = self.word(hash, now_ms);
        let index = hash.rotate_left(16) as usize & (self.buckets.len() - 1);
        let Some(bucket) = self.buckets.get(index) else { return true };
        for _ in 0..RACES {
            let found = std::array::from_fn(|way| bucket.0[way].load(Ordering::Relaxed));
            let Some(way) = victim(&found, word) else { return false };
            if bucket.0[way].compare_exchange(found[way], word, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        // Others fill this bucket faster than we can look at it. A duplicate may pass.
        true
    }

    /// Bytes of memory, which never change.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.buckets)
    }

    /// The word of a key at a time: fingerprint, never zero, and window.
    fn word(&self, hash: u64, now_ms: u64) -> u64 {
        let window_ms = self.window_ms.load(Ordering::Relaxed);
        // The upper half of a product is the lower half of the hash, scaled to the window.
        let phase = (hash & u64::from(u32::MAX)).wrapping_mul(window_ms) >> 32;
        let window = now_ms.wrapping_add(phase) / window_ms;
        let fingerprint = (hash & (u64::MAX >> WINDOW_BITS)).max(1);
        fingerprint << WINDOW_BITS | window & WINDOW_MASK
    }
}

/// The word to overwrite, or `None` if the key is there.
fn victim(found: &[u64; WAYS], word: u64) -> Option<usize> {
    let mut oldest = (0, 0);
    let mut own = None;
    for (way, &other) in found.iter().enumerate() {
        if other == word {
            return None;
        }
        let age = match other {
            0 => WINDOW_MASK + 1,
            _ => word.wrapping_sub(other) & WINDOW_MASK,
        };
        if other >> WINDOW_BITS == word >> WINDOW_BITS {
            own = Some(way);
        }
        // Words of the same age go in an order of the key's own, not always the first.
        let rank = age << 3 | (way as u64 ^ word >> WINDOW_BITS) & 7;
        if rank >= oldest.0 {
            oldest = (rank, way);
        }
    }
    Some(own.unwrap_or(oldest.1))
}

impl std::fmt::Debug for ExposureDedupe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExposureDedupe").field("words", &(self.buckets.len() * WAYS)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
