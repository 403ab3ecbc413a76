//! Reading back what a dead process wrote, believing nothing.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::Path;

use statsig_background::FileSystem;
use uuid::Uuid;

use super::format::{
    ACK_LEN, Ack, HeaderProblem, OUTCOME_DAMAGED, RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader,
};
use super::options::MAX_SEGMENT_BYTES;
use super::resync::{find_salt, next_header};
use super::segment::whole_acks;
use super::window::Window;

/// Bytes of acknowledgements read at once, a multiple of their length.
const ACK_WINDOW: usize = 128 * ACK_LEN;

/// A record header found in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) offset: u32,
    pub(super) header: RecordHeader,
}

/// A stretch of a segment that is no intact record.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) range: Range<u64>,
    /// The header, if only the body is damaged. Without it, the stretch held one record or more.
    pub(super) header: Option<RecordHeader>,
    /// The medium refused part of it, so that a later process may find a record there.
    pub(super) unreadable: bool,
}

/// Content of a segment.
pub(super) struct Scan {
    pub(super) segment: SegmentHeader,
    /// `true` if the header of the segment itself is damaged.
    pub(super) damaged_header: bool,
    pub(super) records: Vec<Found>,
    pub(super) damages: Vec<Damage>,
    /// A write that a crash interrupted: where it begins, and its header if that was written.
    pub(super) torn: Option<(u64, Option<RecordHeader>)>,
    /// The medium refused some bytes.
    pub(super) unreadable: bool,
    pub(super) file_len: u64,
}

/// Reason why a segment has no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unscannable {
    /// Shorter than its header, which a crash at creation leaves.
    Empty,
    /// Neither its header nor any of its records is intact.
    Damaged,
    UnknownFormat,
    /// It cannot be read for now.
    Unreadable,
    /// It is not there any more.
    Gone,
}

impl From<io::Error> for Unscannable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            _ => Self::Unreadable,
        }
    }
}

/// Walks over the record headers of a segment, and searches for the next one where damage interrupts the walk.
///
/// Memory is bounded by the file's size: one entry for each 48 bytes at most. Bodies are read only next to damage.
pub(super) fn scan_segment(fs: &dyn FileSystem, path: &Path) -> Result<Scan, Unscannable> {
    let mut file = fs.open(path)?;
    let mut window = Window::new(&mut *file)?;
    if window.len < SEGMENT_HEADER_LEN as u64 {
        return Err(Unscannable::Empty);
    }
    let head = window.at::<SEGMENT_HEADER_LEN>(0)?;
    let (segment, damaged_header) = match head.map(|head| SegmentHeader::decode(&head)) {
        Some(Ok(segment)) => (segment, false),
        Some(Err(HeaderProblem::UnknownFormat)) => return Err(Unscannable::UnknownFormat),
        Some(Err(HeaderProblem::Damaged)) | None => {
            let hint = head.map(|head| SegmentHeader::unchecked(&head).salt);
            match find_salt(&mut window, hint)? {
                Some(salt) => (SegmentHeader { created_ms: 0, salt }, head.is_some()),
                None if window.unreadable => return Err(Unscannable::Unreadable),
                None => return Err(Unscannable::Damaged),
            }
        }
    };
    let mut first = SEGMENT_HEADER_LEN as u64;
    if damaged_header {
        // Bytes may be missing.
        first = next_header(&mut window, 0, segment.salt)?.map_or(first, |found| found.min(first));
    }
    let unreadable = window.unreadable;
    let scan = Scan {
        segment,
        damaged_header,
        records: Vec::new(),
        damages: Vec::new(),
        torn: None,
        unreadable,
        file_len: window.len,
    };
    // Offsets have 32 bits, and no segment of ours is longer than this.
    window.len = window.len.min(2 * MAX_SEGMENT_BYTES);
    let body_budget = window.len.saturating_mul(4);
    let mut walk = Walk { window, scan, body_budget };
    walk.run(first)?;
    let mut scan = walk.scan;
    if scan.segment.created_ms == 0 {
        scan.segment.created_ms = scan.records.first().map_or(0, |found| found.header.created_ms);
    }
    Ok(scan)
}

struct Walk<'a> {
    window: Window<'a>,
    scan: Scan,
    /// Bytes of bodies that may still be checked: records that overlap must not make the walk quadratic.
    body_budget: u64,
}

impl Walk<'_> {
    fn run(&mut self, first: u64) -> io::Result<()> {
        let mut at = first;
        while at < self.window.len {
            self.window.unreadable = false;
            let head = self.window.at::<RECORD_HEADER_LEN>(at)?;
            let header = head.and_then(|head| RecordHeader::decode(&head, self.scan.segment.salt));
            match header {
                Some(header) if at + header.record_len() <= self.window.len => {
                    // The length of a segment was limited above.
                    let offset = u32::try_from(at).unwrap_or(u32::MAX);
                    self.scan.records.push(Found { offset, header });
                    at += header.record_len();
                }
                too_long => at = self.resume(at, too_long)?,
            }
        }
        Ok(())
    }

    /// Notes the damage at an offset, and returns where the walk goes on.
    fn resume(&mut self, at: u64, too_long: Option<RecordHeader>) -> io::Result<u64> {
        // The record whose body is damaged, if that explains why no record follows it.
        let damaged = match too_long {
            Some(header) => Some((at, header)),
            None => self.take_damaged_last()?,
        };
        let from = damaged.map_or(at, |(offset, _)| offset + RECORD_HEADER_LEN as u64);
        let next = next_header(&mut self.window, from, self.scan.segment.salt)?;
        let unreadable = self.window.unreadable;
        self.scan.unreadable |= unreadable;
        let end = next.unwrap_or(self.window.len);
        if next.is_none() && too_long.is_some() && !unreadable {
            self.scan.torn = Some((at, too_long));
            return Ok(end);
        }
        if let Some((offset, header)) = damaged {
            // Fewer bytes than a header are part of what came before them.
            let explains_all = too_long.is_some() || end < at + RECORD_HEADER_LEN as u64;
            let range = offset..if explains_all { end } else { at };
            self.scan.damages.push(Damage { range, header: Some(header), unreadable });
            if explains_all {
                return Ok(end);
            }
        }
        if next.is_none() && end - at < RECORD_HEADER_LEN as u64 && !unreadable {
            self.scan.torn = Some((at, None));
        } else if at < end {
            self.scan.damages.push(Damage { range: at..end, header: None, unreadable });
        }
        Ok(end)
    }

    /// Takes back the last record if its body is damaged.
    fn take_damaged_last(&mut self) -> io::Result<Option<(u64, RecordHeader)>> {
        let Some(&Found { offset, header }) = self.scan.records.last() else { return Ok(None) };
        let body_len = u64::from(header.body_len);
        if body_len > self.body_budget {
            return Ok(None);
        }
        self.body_budget -= body_len;
        let offset = u64::from(offset);
        match self.window.checksum(offset + RECORD_HEADER_LEN as u64, header.body_len)? {
            Some(sum) if sum != header.body_sum => {
                self.scan.records.pop();
                Ok(Some((offset, header)))
            }
            _ => Ok(None),
        }
    }
}

/// Acknowledgements of a segment.
#[derive(Debug, Default)]
pub(super) struct Acks {
    pub(super) offsets: HashSet<u32>,
    /// Offsets with the batch there; nil where its header could not be read.
    batches: HashSet<(u32, Uuid)>,
    /// Those of damage that was counted.
    pub(super) damaged: HashSet<u32>,
    /// Length of the file without a torn write at its end.
    pub(super) len: u64,
}

impl Acks {
    /// Whether a record is settled. After damage, another record may be at the offset of a settled one.
    pub(super) fn settles(&self, offset: u32, id: Uuid) -> bool {
        [id, Uuid::nil()].iter().any(|id| self.batches.contains(&(offset, *id)))
    }
}

/// Reads an acknowledgement file, adding the batch ids to `ids`. A missing file has none.
///
/// Damaged acknowledgements are skipped: they only cost a second delivery.
pub(super) fn read_acks(fs: &dyn FileSystem, path: &Path, ids: &mut HashSet<Uuid>) -> io::Result<Acks> {
    let mut acks = Acks::default();
    let mut file = match fs.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(acks),
        Err(error) => return Err(error),
    };
    let mut chunk = vec![0; ACK_WINDOW];
    let mut offset = 0;
    loop {
        let count = file.read_at(offset, &mut chunk)?;
        let read = chunk.get(..count).unwrap_or_default();
        for slot in read.as_chunks::<ACK_LEN>().0 {
            let Some(ack) = Ack::decode(slot) else {
                continue;
            };
            acks.offsets.insert(ack.offset);
            acks.batches.insert((ack.offset, ack.id));
            if ack.outcome == OUTCOME_DAMAGED {
                acks.damaged.insert(ack.offset);
            }
            if !ack.id.is_nil() {
                ids.insert(ack.id);
            }
        }
        offset += count as u64;
        if count < chunk.len() {
            break;
        }
    }
    acks.len = whole_acks(offset);
    Ok(acks)
}
