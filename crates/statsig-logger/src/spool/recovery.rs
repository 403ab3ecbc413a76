//! Reading back what a dead process wrote, believing nothing.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::format::{ACK_LEN, Ack, HeaderProblem, RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader};
use super::fs::{SpoolFile, SpoolFs};
use super::options::MAX_SEGMENT_BYTES;
use super::segment::whole_acks;

/// Bytes read at once while walking over headers.
const WINDOW: usize = 4096;
/// Bytes of acknowledgements read at once, a multiple of their length.
const ACK_WINDOW: usize = 128 * ACK_LEN;

/// How the walk over a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanEnd {
    /// With its last record.
    Clean,
    /// With a record longer than what is left of the file, or with part of a header.
    Torn,
    /// With something that is not a record.
    Damaged,
    /// With a failure to read.
    ReadError,
}

/// A record header found in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) offset: u32,
    pub(super) header: RecordHeader,
}

/// Intact beginning of a segment.
pub(super) struct Scan {
    pub(super) segment: SegmentHeader,
    pub(super) records: Vec<Found>,
    /// Where the intact part ends.
    pub(super) len: u64,
    pub(super) end: ScanEnd,
}

/// Why a segment has no intact beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unscannable {
    /// Shorter than its header, which a crash at creation leaves.
    Empty,
    Damaged,
    UnknownFormat,
    Unreadable,
}

/// Walks over the record headers of a segment.
///
/// Memory is bounded by the file's size: one entry for each 48 bytes at most.
pub(super) fn scan_segment(fs: &dyn SpoolFs, path: &Path) -> Result<Scan, Unscannable> {
    let mut file = fs.open(path).map_err(|_| Unscannable::Unreadable)?;
    let file_len = file.size().map_err(|_| Unscannable::Unreadable)?;
    let mut window = Window { file: &mut *file, start: 0, bytes: Vec::new() };
    let head = window.at::<SEGMENT_HEADER_LEN>(0).map_err(|_| Unscannable::Unreadable)?.ok_or(Unscannable::Empty)?;
    let segment = SegmentHeader::decode(&head).map_err(|problem| match problem {
        HeaderProblem::Damaged => Unscannable::Damaged,
        HeaderProblem::UnknownFormat => Unscannable::UnknownFormat,
    })?;
    let mut scan = Scan { segment, records: Vec::new(), len: SEGMENT_HEADER_LEN as u64, end: ScanEnd::Clean };
    while scan.len < file_len {
        let head = match window.at::<RECORD_HEADER_LEN>(scan.len) {
            Ok(Some(head)) => head,
            Ok(None) => {
                scan.end = ScanEnd::Torn;
                break;
            }
            Err(_) => {
                scan.end = ScanEnd::ReadError;
                break;
            }
        };
        let Some(header) = RecordHeader::decode(&head, segment.salt) else {
            scan.end = ScanEnd::Damaged;
            break;
        };
        let end = scan.len + header.record_len();
        if end > file_len {
            scan.end = ScanEnd::Torn;
            break;
        }
        // No segment of ours is longer than this, and offsets have 32 bits.
        let Some(offset) = u32::try_from(scan.len).ok().filter(|_| end <= 2 * MAX_SEGMENT_BYTES) else {
            scan.end = ScanEnd::Damaged;
            break;
        };
        scan.records.push(Found { offset, header });
        scan.len = end;
    }
    Ok(scan)
}

/// Acknowledgements of a segment.
#[derive(Debug, Default)]
pub(super) struct Acks {
    pub(super) offsets: HashSet<u32>,
    /// Length of the file without a torn write at its end.
    pub(super) len: u64,
}

/// Reads an acknowledgement file, adding the batch ids to `ids`. A missing file has none.
///
/// Damaged acknowledgements are skipped: they only cost a second delivery.
pub(super) fn read_acks(fs: &dyn SpoolFs, path: &Path, ids: &mut HashSet<Uuid>) -> io::Result<Acks> {
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

/// Part of a file in memory, so that short records do not take a read each.
struct Window<'a> {
    file: &'a mut dyn SpoolFile,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Returns `N` bytes at an offset, `None` if the file ends before.
    fn at<const N: usize>(&mut self, offset: u64) -> io::Result<Option<[u8; N]>> {
        if let Some(found) = self.buffered(offset) {
            return Ok(Some(found));
        }
        self.bytes.resize(WINDOW.max(N), 0);
        let count = match self.file.read_at(offset, &mut self.bytes) {
            Ok(count) => count,
            Err(error) => {
                self.bytes.clear();
                return Err(error);
            }
        };
        self.bytes.truncate(count);
        self.start = offset;
        Ok(self.buffered(offset))
    }

    fn buffered<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let at = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..)?.first_chunk().copied()
    }
}
