//! Bytes on disk: headers of segments and records, and acknowledgements.
//!
//! The tables are in the documentation of the [module](super). Decoding accepts any bytes.

use uuid::Uuid;

/// Bytes of a segment header.
pub(super) const SEGMENT_HEADER_LEN: usize = 32;
/// Bytes of a record header; the body follows.
pub(super) const RECORD_HEADER_LEN: usize = 48;
/// Bytes of an acknowledgement.
pub(super) const ACK_LEN: usize = 32;

const MAGIC: [u8; 4] = *b"SGEV";
/// Version that is written. Version 1, which is read as well, has no records with metadata.
const FORMAT: u16 = 2;
const OLDEST_FORMAT: u16 = 1;
/// A record that holds one whole batch.
pub(super) const KIND_BATCH: u8 = 0;
/// A record that holds one whole batch after the metadata of the SDK that logged it; other kinds are reserved.
pub(super) const KIND_BATCH_WITH_METADATA: u8 = 1;
/// Outcome of a record that the spool itself dropped; those of the caller are in `AckOutcome`.
pub(super) const OUTCOME_DROPPED: u8 = 0;
/// Outcome of damage that was counted, which may be more than the record at its offset.
pub(super) const OUTCOME_DAMAGED: u8 = 255;

/// What precedes the records of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) created_ms: u64,
    pub(super) salt: u32,
}

/// Why a segment header is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderProblem {
    /// Not the bytes that we wrote.
    Damaged,
    /// Intact, but of another version.
    UnknownFormat,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut out = [0; SEGMENT_HEADER_LEN];
        put(&mut out, 0, MAGIC);
        put(&mut out, 4, FORMAT.to_le_bytes());
        put(&mut out, 8, self.created_ms.to_le_bytes());
        put(&mut out, 16, self.salt.to_le_bytes());
        let sum = crc32c::crc32c(&out[..28]);
        put(&mut out, 28, sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER_LEN]) -> Result<Self, HeaderProblem> {
        let sum = u32::from_le_bytes(take(bytes, 28));
        if take(bytes, 0) != MAGIC || sum != crc32c::crc32c(&bytes[..28]) {
            return Err(HeaderProblem::Damaged);
        }
        if !(OLDEST_FORMAT..=FORMAT).contains(&u16::from_le_bytes(take(bytes, 4))) {
            return Err(HeaderProblem::UnknownFormat);
        }
        Ok(Self::unchecked(bytes))
    }

    /// Returns the fields of a header without regard to its checksum.
    pub(super) fn unchecked(bytes: &[u8; SEGMENT_HEADER_LEN]) -> Self {
        Self { created_ms: u64::from_le_bytes(take(bytes, 8)), salt: u32::from_le_bytes(take(bytes, 16)) }
    }
}

/// What precedes the body of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) id: Uuid,
    pub(super) created_ms: u64,
    pub(super) event_count: u32,
    pub(super) body_len: u32,
    pub(super) body_sum: u32,
    pub(super) attempts: u16,
    pub(super) encoding: u8,
    pub(super) kind: u8,
}

impl RecordHeader {
    pub(super) fn encode(&self, salt: u32) -> [u8; RECORD_HEADER_LEN] {
        let mut out = [0; RECORD_HEADER_LEN];
        put(&mut out, 4, self.body_sum.to_le_bytes());
        put(&mut out, 8, self.body_len.to_le_bytes());
        put(&mut out, 12, self.event_count.to_le_bytes());
        put(&mut out, 16, *self.id.as_bytes());
        put(&mut out, 32, self.created_ms.to_le_bytes());
        put(&mut out, 40, self.attempts.to_le_bytes());
        put(&mut out, 42, [self.encoding, self.kind]);
        let sum = salted(salt, &out[4..]);
        put(&mut out, 0, sum.to_le_bytes());
        out
    }

    /// Returns the header if its checksum is right for a segment of this salt.
    pub(super) fn decode(bytes: &[u8; RECORD_HEADER_LEN], salt: u32) -> Option<Self> {
        let intact = u32::from_le_bytes(take(bytes, 0)) == salted(salt, &bytes[4..]);
        intact.then(|| Self::unchecked(bytes))
    }

    /// Returns the fields of a header without regard to its checksum.
    pub(super) fn unchecked(bytes: &[u8; RECORD_HEADER_LEN]) -> Self {
        Self {
            body_sum: u32::from_le_bytes(take(bytes, 4)),
            body_len: u32::from_le_bytes(take(bytes, 8)),
            event_count: u32::from_le_bytes(take(bytes, 12)),
            id: Uuid::from_bytes(take(bytes, 16)),
            created_ms: u64::from_le_bytes(take(bytes, 32)),
            attempts: u16::from_le_bytes(take(bytes, 40)),
            encoding: bytes[42],
            kind: bytes[43],
        }
    }

    /// Computes the salt with which the checksum of a header is right.
    ///
    /// The checksum is an affine function of the salt over GF(2), and one to one: the salt is the solution of 32
    /// linear equations.
    pub(super) fn salt(bytes: &[u8; RECORD_HEADER_LEN]) -> u32 {
        let unsalted = salted(0, &bytes[4..]);
        let mut wanted = u32::from_le_bytes(take(bytes, 0)) ^ unsalted;
        let mut salt = 0;
        // Effects of salts, by their highest bit, and these salts.
        let mut rows = [(0_u32, 0_u32); 32];
        for bit in 0..32 {
            let mut row = (salted(1 << bit, &bytes[4..]) ^ unsalted, 1 << bit);
            while let Some(high) = row.0.checked_ilog2() {
                let known = &mut rows[high as usize];
                if known.0 == 0 {
                    *known = row;
                    break;
                }
                row = (row.0 ^ known.0, row.1 ^ known.1);
            }
        }
        while let Some(high) = wanted.checked_ilog2() {
            let (effect, of) = rows[high as usize];
            if effect == 0 {
                break;
            }
            wanted ^= effect;
            salt ^= of;
        }
        salt
    }

    /// Bytes of header and body.
    pub(super) fn record_len(&self) -> u64 {
        RECORD_HEADER_LEN as u64 + u64::from(self.body_len)
    }
}

/// Note that a record needs no delivery any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) offset: u32,
    /// The batch, or nil if its header could not be read.
    pub(super) id: Uuid,
    pub(super) outcome: u8,
}

impl Ack {
    pub(super) fn encode(&self) -> [u8; ACK_LEN] {
        let mut out = [0; ACK_LEN];
        put(&mut out, 4, self.offset.to_le_bytes());
        put(&mut out, 8, *self.id.as_bytes());
        put(&mut out, 24, [self.outcome]);
        let sum = crc32c::crc32c(&out[4..]);
        put(&mut out, 0, sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; ACK_LEN]) -> Option<Self> {
        if u32::from_le_bytes(take(bytes, 0)) != crc32c::crc32c(&bytes[4..]) {
            return None;
        }
        Some(Self {
            offset: u32::from_le_bytes(take(bytes, 4)),
            id: Uuid::from_bytes(take(bytes, 8)),
            outcome: bytes[24],
        })
    }
}

/// Checksum of a body.
pub(super) fn body_sum(body: &[u8]) -> u32 {
    crc32c::crc32c(body)
}

fn salted(salt: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(salt, bytes)
}

/// Copies a field into a header; the offsets are constants within its length.
fn put<const N: usize>(out: &mut [u8], at: usize, field: [u8; N]) {
    if let Some(slot) = out.get_mut(at..at + N) {
        slot.copy_from_slice(&field);
    }
}

/// Copies a field out of a header; the offsets are constants within its length.
fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(slot) = bytes.get(at..at + N) {
        field.copy_from_slice(slot);
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RecordHeader {
        RecordHeader {
            id: Uuid::from_u128(7),
            created_ms: 1_790_000_000_000,
            event_count: 500,
            body_len: 21,
            body_sum: 0xDEAD_BEEF,
            attempts: 3,
            encoding: 1,
            kind: KIND_BATCH,
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let segment = SegmentHeader { created_ms: 5, salt: 9 };
        assert_eq!(SegmentHeader::decode(&segment.encode()), Ok(segment));
        let record = header().encode(9);
        assert_eq!(RecordHeader::decode(&record, 9), Some(header()));
        let ack = Ack { offset: 32, id: Uuid::from_u128(1), outcome: 1 };
        assert_eq!(Ack::decode(&ack.encode()), Some(ack));
        for bit in 0..SEGMENT_HEADER_LEN * 8 {
            let mut bytes = segment.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderProblem::Damaged), "segment header, bit {bit}");
        }
        for bit in 0..RECORD_HEADER_LEN * 8 {
            let mut bytes = record;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&bytes, 9), None, "record, bit {bit}");
        }
        for bit in 0..ACK_LEN * 8 {
            let mut bytes = ack.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Ack::decode(&bytes), None, "ack, bit {bit}");
        }
    }

    #[test]
    fn a_record_of_another_segment_or_of_zeros_is_not_accepted() {
        assert_eq!(RecordHeader::decode(&header().encode(9), 8), None);
        assert_eq!(RecordHeader::decode(&[0; RECORD_HEADER_LEN], 0), None);
        assert_eq!(Ack::decode(&[0; ACK_LEN]), None);
    }

    #[test]
    fn the_salt_follows_from_a_record() {
        for salt in [0, 1, 9, 0x8000_0000, 0xDEAD_BEEF, u32::MAX] {
            assert_eq!(RecordHeader::salt(&header().encode(salt)), salt);
        }
    }

    #[test]
    fn the_previous_format_is_read() {
        let segment = SegmentHeader { created_ms: 5, salt: 9 };
        let mut bytes = segment.encode();
        assert_eq!(bytes[4], 2);
        bytes[4] = 1;
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Ok(segment));
    }

    #[test]
    fn an_unknown_format_is_told_from_damage() {
        let mut bytes = SegmentHeader { created_ms: 5, salt: 9 }.encode();
        bytes[4] = 3;
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderProblem::UnknownFormat));
    }
}
