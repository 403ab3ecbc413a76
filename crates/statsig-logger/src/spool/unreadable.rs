//! Records that the medium refuses: tried again for minutes before they are given up.

use super::inner::Inner;
use super::segment::{EntryState, SegmentKey};
use super::stats::DropCause;

/// Least number of reads that fail before a record is given up.
const LEAST_READS: u32 = 3;
/// Least time from the first of them to the last.
const LEAST_TIME_MS: u64 = 120_000;
/// Pause after the first failure; the others grow with their number.
const PAUSE_MS: u64 = 30_000;

/// History of a record that could not be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedReads {
    reads: u32,
    since_ms: u64,
    retry_at_ms: u64,
}

impl Inner {
    /// Keeps a record back that the medium has refused, or gives it up.
    ///
    /// Other records are handed out meanwhile: one bad sector does not hold up the queue.
    pub(super) fn set_unreadable(&mut self, key: SegmentKey, index: usize) {
        let now_ms = self.clock.monotonic_ms();
        let unread = FailedReads { reads: 0, since_ms: now_ms, retry_at_ms: now_ms };
        let history = self.failed_reads.entry((key, index)).or_insert(unread);
        history.reads += 1;
        if history.reads >= LEAST_READS && now_ms.saturating_sub(history.since_ms) >= LEAST_TIME_MS {
            self.failed_reads.remove(&(key, index));
            return self.drop_entry(key, index, DropCause::Unreadable);
        }
        history.retry_at_ms = now_ms + PAUSE_MS * u64::from(history.reads);
        if let Some(segment) = self.segment_mut(key) {
            segment.set_state(index, EntryState::Unreadable);
        }
    }

    /// Notes that a record could be read after all.
    pub(super) fn set_readable(&mut self, key: SegmentKey, index: usize) {
        if !self.failed_reads.is_empty() {
            self.failed_reads.remove(&(key, index));
        }
    }

    /// Makes records ready again that were kept back for long enough.
    pub(super) fn retry_unreadable(&mut self) {
        if self.failed_reads.is_empty() {
            return;
        }
        let now_ms = self.clock.monotonic_ms();
        let keys: Vec<(SegmentKey, usize)> = self.failed_reads.keys().copied().collect();
        for (key, index) in keys {
            let state = self.segment(key).and_then(|segment| segment.entry(index)).map(|entry| entry.state);
            let due = self.failed_reads.get(&(key, index)).is_some_and(|history| history.retry_at_ms <= now_ms);
            match state {
                Some(EntryState::Unreadable) if due => {
                    if let Some(segment) = self.segment_mut(key) {
                        segment.set_state(index, EntryState::Ready);
                    }
                }
                Some(EntryState::Unreadable | EntryState::Ready) => {}
                // Evicted, outdated or moved.
                _ => drop(self.failed_reads.remove(&(key, index))),
            }
        }
    }
}
