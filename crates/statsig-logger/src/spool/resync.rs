//! Finding the next intact record in a segment after damage.
//!
//! The checksum of a record header covers its own bytes and the salt of the segment, so that a header can be told from
//! anything else at any offset. Without the salt, a record is told by the checksum of its body; its header then says
//! which salt the segment had.

use std::io;

use super::format::{KIND_BATCH, KIND_BATCH_WITH_METADATA, RECORD_HEADER_LEN, RecordHeader};
use super::window::{Chunk, Window};

/// Bytes of a header after its first, which a search has to see as well.
const OVERLAP: usize = RECORD_HEADER_LEN - 1;

/// Most records whose salt is looked for in others: each search reads the rest of the segment.
const MOST_SEARCHES: u32 = 8;

/// Returns the offset of the first record header at or after `from`.
pub(super) fn next_header(window: &mut Window<'_>, from: u64, salt: u32) -> io::Result<Option<u64>> {
    search(window, from, |bytes| RecordHeader::decode(bytes, salt).is_some())
}

/// Finds the salt of a segment whose own header is damaged; `None` if no record in it is intact.
///
/// `hint` is what the damaged header has in its place. A record tells the salt by the checksum in its header, which may be
/// damaged itself: another record has to agree, if there is one.
pub(super) fn find_salt(window: &mut Window<'_>, hint: Option<u32>) -> io::Result<Option<u32>> {
    if let Some(salt) = hint
        && next_header(window, 0, salt)?.is_some()
    {
        return Ok(Some(salt));
    }
    let mut from = 0;
    // Bytes that bodies were checked with: records that claim to be long must not make this quadratic.
    let mut budget = window.len.saturating_mul(4);
    let (mut alone, mut searches) = (None, MOST_SEARCHES);
    loop {
        let (len, left) = (window.len, budget);
        let mut found = None;
        let at = search(window, from, |bytes| {
            let header = RecordHeader::unchecked(bytes);
            let likely = header.event_count > 0
                && header.body_len > 0
                && !header.id.is_nil()
                && header.record_len() <= len
                && u64::from(header.body_len) <= left;
            if likely {
                found = Some((header, RecordHeader::salt(bytes)));
            }
            likely
        })?;
        let (Some(at), Some((header, salt))) = (at, found) else { return Ok(alone) };
        budget = budget.saturating_sub(u64::from(header.body_len));
        if window.checksum(at + RECORD_HEADER_LEN as u64, header.body_len)? == Some(header.body_sum) {
            if next_header(window, at + 1, salt)?.is_some() {
                return Ok(Some(salt));
            }
            alone = alone.or(Some(salt));
            searches -= 1;
            if searches == 0 {
                return Ok(alone);
            }
        }
        from = at + 1;
    }
}

/// Returns the first offset at or after `from` whose bytes may be a record header and are accepted.
fn search(
    window: &mut Window<'_>,
    from: u64,
    mut accept: impl FnMut(&[u8; RECORD_HEADER_LEN]) -> bool,
) -> io::Result<Option<u64>> {
    let mut at = from;
    while at < window.len {
        let bytes = match window.chunk(at, OVERLAP)? {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Unreadable { until } => {
                at = until;
                continue;
            }
        };
        for (index, candidate) in bytes.windows(RECORD_HEADER_LEN).enumerate() {
            // Kind and padding, which spares most checksums.
            let plain = candidate
                .get(43..)
                .is_some_and(|end| matches!(end, [KIND_BATCH | KIND_BATCH_WITH_METADATA, 0, 0, 0, 0]));
            if plain && candidate.first_chunk().is_some_and(&mut accept) {
                return Ok(Some(at + index as u64));
            }
        }
        at += match bytes.len() {
            // The file has become shorter.
            0 => return Ok(None),
            // The chunk ends before an unreadable block, or with the file.
            short @ 1..=OVERLAP => short,
            len => len - OVERLAP,
        } as u64;
    }
    Ok(None)
}
