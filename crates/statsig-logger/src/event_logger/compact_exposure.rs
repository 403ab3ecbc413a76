//! An exposure whose user is JSON in a single allocation.

use std::sync::Arc;

use super::exposure_detail::ExposureDetail;
use super::json;
use super::logged_event::LoggedExposure;

/// Set in the flags if the detail was written for this exposure.
const IS_FIRST: i64 = 1;
/// Set in the flags if the environment of the client or project was removed from the user.
const LACKS_ENVIRONMENT: i64 = 2;
/// Bits of the flags, below the time.
const FLAG_BITS: u32 = 8;

/// An exposure that waits for long: a user with six fields of 20 bytes takes about 220 bytes in
/// place of 600.
#[derive(Debug)]
pub(super) struct CompactExposure {
    pub(super) detail: Arc<ExposureDetail>,
    /// Time in milliseconds and flags (8 bytes, little-endian), then the user as JSON without the
    /// outer braces.
    packed: Box<[u8]>,
}

impl CompactExposure {
    /// Returns `None` for a time that does not fit into 56 bits.
    pub(super) fn new(exposure: &LoggedExposure) -> Option<Self> {
        let time = exposure.time_ms << FLAG_BITS;
        if time >> FLAG_BITS != exposure.time_ms {
            return None;
        }
        let surroundings = exposure.detail.surroundings();
        let mut text = Vec::with_capacity(512);
        surroundings.write_user(&mut text, &exposure.user);
        let members = text.strip_prefix(b"{")?;
        let mut flags = if exposure.is_first { IS_FIRST } else { 0 };
        let environment = surroundings.environment();
        let members = match members.strip_suffix(environment).filter(|_| !environment.is_empty()) {
            Some(members) => {
                flags |= LACKS_ENVIRONMENT;
                members
            }
            None => members.strip_suffix(b"}")?,
        };
        let packed = [&(time | flags).to_le_bytes(), members].concat().into();
        Some(Self { detail: Arc::clone(&exposure.detail), packed })
    }

    /// Returns the time with the flags, and the members of the user.
    fn parts(&self) -> (i64, &[u8]) {
        self.packed.split_first_chunk().map_or((0, &[]), |(time, members)| (i64::from_le_bytes(*time), members))
    }

    pub(super) fn is_first(&self) -> bool {
        self.parts().0 & IS_FIRST != 0
    }

    /// Returns the memory of the allocation, with the rounding of common allocators.
    pub(super) fn packed_bytes(&self) -> usize {
        (self.packed.len() + size_of::<usize>()).next_multiple_of(16)
    }

    pub(super) fn write_user(&self, out: &mut Vec<u8>) {
        let (time, members) = self.parts();
        out.push(b'{');
        out.extend_from_slice(members);
        let end = if time & LACKS_ENVIRONMENT != 0 { self.detail.surroundings().environment() } else { b"}" };
        out.extend_from_slice(end);
    }

    pub(super) fn write_time(&self, out: &mut Vec<u8>) {
        json::write(out, &(self.parts().0 >> FLAG_BITS));
    }
}
