//! What the process knows of a segment: where its records are and what became of each.

use std::path::{Path, PathBuf};

use super::format::{ACK_LEN, Ack, RECORD_HEADER_LEN};

/// Names a segment within the process: ordinal of its instance (0 is our own) and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SegmentKey {
    pub(super) instance: u32,
    pub(super) seq: u64,
}

/// Where a record is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    Ready,
    InFlight,
    /// The medium refused it; it is ready again later.
    Unreadable,
    Settled,
}

impl EntryState {
    /// Says whether the record waits to be handed out, now or later.
    pub(super) fn is_waiting(self) -> bool {
        matches!(self, Self::Ready | Self::Unreadable)
    }
}

/// A record of a segment: 32 bytes of memory each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) created_ms: u64,
    pub(super) offset: u32,
    pub(super) body_len: u32,
    pub(super) event_count: u32,
    pub(super) attempts: u16,
    pub(super) state: EntryState,
}

impl Entry {
    pub(super) fn record_len(&self) -> u64 {
        RECORD_HEADER_LEN as u64 + u64::from(self.body_len)
    }
}

/// A segment and its acknowledgements.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) ack_path: PathBuf,
    pub(super) salt: u32,
    pub(super) created_ms: u64,
    entries: Vec<Entry>,
    /// No entry before this one is ready.
    cursor: usize,
    ready: usize,
    open: usize,
    /// Earliest creation time of a batch, `u64::MAX` without any.
    pub(super) min_created_ms: u64,
    /// Bytes of the file, and of the acknowledgement file.
    pub(super) disk_len: u64,
    pub(super) ack_len: u64,
    /// Acknowledgements that are not written yet.
    pub(super) backlog: Vec<u8>,
    /// May have been left without an fsync: under policy `Never`, or by a process that died.
    pub(super) unsynced: bool,
    /// An fsync failed and the data stayed here: policy `Never`, or an adopted segment.
    pub(super) tainted: bool,
    /// Holds the only bytes on disk of records that wait in memory for a new place.
    pub(super) held: bool,
    /// The medium refused part of it: another process may have better luck.
    pub(super) incomplete: bool,
}

impl Segment {
    pub(super) fn new(path: PathBuf, salt: u32, created_ms: u64, disk_len: u64) -> Self {
        Self {
            ack_path: path.with_extension("ack"),
            path,
            salt,
            created_ms,
            entries: Vec::new(),
            cursor: 0,
            ready: 0,
            open: 0,
            min_created_ms: u64::MAX,
            disk_len,
            ack_len: 0,
            backlog: Vec::new(),
            unsynced: false,
            tainted: false,
            held: false,
            incomplete: false,
        }
    }

    /// Adds a record and returns its index.
    pub(super) fn push(&mut self, entry: Entry) -> usize {
        let index = self.entries.len();
        self.min_created_ms = self.min_created_ms.min(entry.created_ms);
        match entry.state {
            EntryState::Ready => {
                self.ready += 1;
                self.open += 1;
            }
            EntryState::InFlight | EntryState::Unreadable => self.open += 1,
            EntryState::Settled => {}
        }
        self.entries.push(entry);
        index
    }

    pub(super) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    pub(super) fn entry_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_mut(index)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Moves the creation times of all records.
    pub(super) fn shift_times(&mut self, by_ms: i64) {
        for entry in &mut self.entries {
            entry.created_ms = entry.created_ms.saturating_add_signed(by_ms);
        }
        if self.min_created_ms != u64::MAX {
            self.min_created_ms = self.min_created_ms.saturating_add_signed(by_ms);
        }
    }

    /// Forgets the records from an offset on and returns them with their former indices.
    pub(super) fn split_off(&mut self, offset: u64) -> Vec<(usize, Entry)> {
        let at = self.entries.partition_point(|entry| u64::from(entry.offset) < offset);
        let taken = self.entries.split_off(at);
        for entry in &taken {
            match entry.state {
                EntryState::Ready => {
                    self.ready -= 1;
                    self.open -= 1;
                }
                EntryState::InFlight | EntryState::Unreadable => self.open -= 1,
                EntryState::Settled => {}
            }
        }
        self.cursor = self.cursor.min(at);
        taken.into_iter().enumerate().map(|(index, entry)| (at + index, entry)).collect()
    }

    pub(super) fn set_state(&mut self, index: usize, state: EntryState) {
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        match entry.state {
            EntryState::Ready => {
                self.ready -= 1;
                self.open -= 1;
            }
            EntryState::InFlight | EntryState::Unreadable => self.open -= 1,
            EntryState::Settled => {}
        }
        match state {
            EntryState::Ready => {
                self.ready += 1;
                self.open += 1;
                self.cursor = self.cursor.min(index);
            }
            EntryState::InFlight | EntryState::Unreadable => self.open += 1,
            EntryState::Settled => {}
        }
        entry.state = state;
    }

    /// Returns the first record that is ready, remembering how far it looked.
    pub(super) fn first_ready(&mut self) -> Option<usize> {
        if self.ready == 0 {
            return None;
        }
        let rest = self.entries.get(self.cursor..)?;
        let ahead = rest.iter().position(|entry| entry.state == EntryState::Ready)?;
        self.cursor += ahead;
        Some(self.cursor)
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// Says whether a record is neither delivered nor given up.
    pub(super) fn has_open(&self) -> bool {
        self.open > 0
    }

    /// Says whether the file may be deleted once it is sealed.
    pub(super) fn is_spent(&self) -> bool {
        self.open == 0 && !self.held && !self.incomplete
    }

    /// Queues an acknowledgement for writing.
    pub(super) fn push_ack(&mut self, ack: Ack) {
        self.backlog.extend_from_slice(&ack.encode());
    }

    /// Bytes on disk, acknowledgements included.
    pub(super) fn bytes(&self) -> u64 {
        self.disk_len + self.ack_len
    }
}

/// Length of an acknowledgement file without a torn write at its end.
pub(super) fn whole_acks(len: u64) -> u64 {
    len - len % ACK_LEN as u64
}

/// File name of a segment.
pub(super) fn segment_name(seq: u64) -> String {
    format!("seg-{seq:020}.log")
}

/// Number of a segment by its file name.
pub(super) fn segment_seq(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("seg-")?.strip_suffix(".log")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Path of a segment in the folder of an instance.
pub(super) fn segment_path(dir: &Path, seq: u64) -> PathBuf {
    dir.join(segment_name(seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u32) -> Entry {
        Entry { created_ms: 10, offset, body_len: 4, event_count: 1, attempts: 0, state: EntryState::Ready }
    }

    #[test]
    fn names_are_read_back_and_others_are_not() {
        assert_eq!(segment_seq(&segment_name(42)), Some(42));
        assert_eq!(segment_seq(&segment_name(u64::MAX)), Some(u64::MAX));
        for name in ["seg-1.log", "seg-00000000000000000001.ack", "seg-.log", ""] {
            assert_eq!(segment_seq(name), None, "{name}");
        }
        assert_eq!(segment_seq("seg-99999999999999999999.log"), None);
        assert_eq!(segment_seq("seg-+0000000000000000001.log"), None);
    }

    #[test]
    fn a_released_record_is_first_again() {
        let mut segment = Segment::new(PathBuf::from("s.log"), 0, 0, 32);
        for offset in [32, 84, 136] {
            segment.push(entry(offset));
        }
        assert_eq!(segment.first_ready(), Some(0));
        segment.set_state(0, EntryState::InFlight);
        assert_eq!(segment.first_ready(), Some(1));
        segment.set_state(1, EntryState::Settled);
        assert_eq!(segment.first_ready(), Some(2));
        segment.set_state(0, EntryState::Ready);
        assert_eq!(segment.first_ready(), Some(0));
        segment.set_state(0, EntryState::Settled);
        segment.set_state(2, EntryState::InFlight);
        assert!(!segment.has_ready() && segment.has_open() && !segment.is_spent());
        segment.set_state(2, EntryState::Settled);
        assert!(segment.is_spent());
    }

    #[test]
    fn records_split_off_are_no_longer_counted() {
        let mut segment = Segment::new(PathBuf::from("s.log"), 0, 0, 32);
        for offset in [32, 84, 136] {
            segment.push(entry(offset));
        }
        segment.set_state(2, EntryState::InFlight);
        let taken = segment.split_off(84);
        let indices: Vec<usize> = taken.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [1, 2]);
        segment.set_state(0, EntryState::Settled);
        assert!(segment.is_spent());
    }
}
