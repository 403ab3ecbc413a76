//! Time-ordered identifiers.

use uuid::{Builder, Uuid};

/// Returns a UUID of version 7: milliseconds since 1970, then 74 random bits from the operating system.
///
/// Takes no lock, unlike [`Uuid::now_v7`], whose counter is behind a lock of the whole process: a thread of the
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
}
