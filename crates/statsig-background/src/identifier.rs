//! Time-ordered identifiers.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

/// Returns a UUID of version 7: milliseconds since 1970, then 74 random bits from the operating system.
///
/// Takes no lock, unlike `Uuid::now_v7`, whose counter is behind a lock of the whole process: a thread of the
/// parent may hold it while another one forks, and the child would wait for it without end. Identifiers of the
/// same millisecond are in no order.
///
/// ```
/// let id = statsig_background::new_uuid_v7(1_700_000_000_000);
/// assert_eq!(id.get_version_num(), 7);
/// ```
#[must_use]
pub fn new_uuid_v7(now_ms: i64) -> Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    // Version and variant of the random UUID are in bytes 6 and 8; bytes 12 to 15 are all random.
    random[6] = Uuid::new_v4().as_bytes()[15];
    random[8] = Uuid::new_v4().as_bytes()[14];
    Builder::from_unix_timestamp_millis(u64::try_from(now_ms).unwrap_or(0), &random).into_uuid()
}

/// Bits of a state that hold the counter; the milliseconds are above them.
const COUNTER_BITS: u32 = 16;

/// Generates UUIDs of version 7 in increasing order, without a lock.
///
/// Each consists of milliseconds since 1970, a counter of 16 bits that starts at a random number below 2^15 in each
/// new millisecond, and 58 random bits from the operating system (RFC 9562, section 6.2, method 1). A counter that
/// overflows, or a clock that goes back, leaves the milliseconds ahead of the clock.
///
/// A forked child continues the counter of its parent; the random bits keep their identifiers apart.
///
/// ```
/// let sequence = statsig_background::UuidSequence::new();
/// assert!(sequence.next(1_700_000_000_000) < sequence.next(1_700_000_000_000));
/// ```
#[derive(Debug, Default)]
pub struct UuidSequence(AtomicU64);

impl UuidSequence {
    /// Returns a new sequence.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the next identifier, for a time in milliseconds since 1970.
    #[must_use]
    pub fn next(&self, now_ms: i64) -> Uuid {
        let random = new_uuid_v7(0).as_u128();
        let start = (random as u64 >> 32) & ((1 << (COUNTER_BITS - 1)) - 1);
        let millis = u64::try_from(now_ms).unwrap_or(0).min(u64::MAX >> COUNTER_BITS);
        let fresh = (millis << COUNTER_BITS) | start;
        let following = |state: u64| Some(fresh.max(state.wrapping_add(1)));
        let state = match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, following) {
            Ok(before) | Err(before) => fresh.max(before.wrapping_add(1)),
        };
        let (millis, counter) = (state >> COUNTER_BITS, (state & ((1 << COUNTER_BITS) - 1)) as u16);
        // 12 bits of the counter before the variant, 4 behind it.
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&(counter >> 4).to_be_bytes());
        rest[2..].copy_from_slice(&(random as u64).to_be_bytes());
        // The variant takes the two highest bits of this byte.
        rest[2] = ((counter & 0xf) << 2) as u8 | (rest[2] & 0b11);
        Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_are_distinct_and_carry_their_time() {
        let ids: HashSet<Uuid> = (0..10_000).map(|_| new_uuid_v7(1_700_000_000_000)).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.iter().all(|id| id.as_u128() >> 80 == 1_700_000_000_000));
        // Each of the random bits is set in some and clear in others.
        let (all, any) = ids.iter().fold((u128::MAX, 0), |(all, any), id| (all & id.as_u128(), any | id.as_u128()));
        let random_bits: u128 = 0x0fff_3fff_ffff_ffff_ffff;
        assert_eq!((all & random_bits, any & random_bits), (0, random_bits));
        assert!(new_uuid_v7(2).as_u128() > new_uuid_v7(1).as_u128());
        assert_eq!(new_uuid_v7(-5).as_u128() >> 80, 0);
    }

    #[test]
    fn a_sequence_increases_in_one_millisecond_across_threads_and_when_the_clock_goes_back() {
        let sequence = UuidSequence::new();
        let next: Vec<Uuid> = std::thread::scope(|scope| {
            let thread = || (0..50_000).map(|at| sequence.next(1_700_000_000_000 - at % 3)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(thread)).collect();
            threads
                .into_iter()
                .flat_map(|thread| {
                    let ids = thread.join().unwrap();
                    assert!(ids.is_sorted());
                    ids
                })
                .collect()
        });
        // More than a counter holds, so that it overflows.
        assert_eq!(next.iter().collect::<HashSet<_>>().len(), 200_000);
        let last = *next.iter().max().unwrap();
        assert!(last.as_u128() >> 80 > 1_700_000_000_000 && sequence.next(5) > last);
        assert!(next.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
    }

    #[test]
    fn sequences_that_are_copies_of_each_other_repeat_no_identifier() {
        let (parent, child) = (UuidSequence::new(), UuidSequence::new());
        let _ = parent.next(1_700_000_000_000);
        child.0.store(parent.0.load(Ordering::Relaxed), Ordering::Relaxed);
        let ids: HashSet<Uuid> = (0..1_000).flat_map(|_| [parent.next(0), child.next(0)]).collect();
        assert_eq!(ids.len(), 2_000);
        for counter in [0, 1, 0xf, 0x10, 0xffff] {
            parent.0.store((9 << 16) + counter - 1, Ordering::Relaxed);
            let id = parent.next(0).as_u128();
            let low = (id >> 58) & 0xf;
            assert_eq!((id >> 80, (id >> 64) & 0xfff, low), (9, u128::from(counter >> 4), u128::from(counter & 0xf)));
        }
    }
}
