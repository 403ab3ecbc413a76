//! Lanes: threads are spread over a few, so that they rarely write to the same memory.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Number of lanes.
pub(crate) const LANES: usize = 16;

/// The lane that the current thread keeps to, below [`LANES`].
pub(crate) fn own_lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // While the thread ends, any will do.
    OWN.try_with(|own| *own).unwrap_or(0) % LANES
}

/// Apart from its neighbours in the cache.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// A counter that threads add to without meeting.
#[derive(Debug, Default)]
pub(crate) struct LaneCounter([Padded<AtomicU64>; LANES]);

impl LaneCounter {
    pub(crate) fn add_one(&self) {
        self.0[own_lane()].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Ordering::Relaxed)).sum()
    }
}
