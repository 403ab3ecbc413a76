//! Spreading threads over a few lanes, so that they rarely write to the same memory.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

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

/// The process that something was made in: a forked child inherits it as it was, and locks that another
/// thread of the parent held are never released there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HomeProcess(u32);

impl HomeProcess {
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether this is a forked child. Asks the operating system.
    pub(crate) fn is_left(self) -> bool {
        self.0 != std::process::id()
    }

    /// Locks what a thread that logs needs; `None` if nobody will ever release it. Asks who we are only
    /// where somebody else holds the lock.
    pub(crate) fn lock<T>(self, mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        match mutex.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if self.is_left() => None,
            Err(TryLockError::WouldBlock) => Some(mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
        }
    }

    #[cfg(test)]
    pub(crate) fn elsewhere() -> Self {
        Self(0)
    }
}

/// This one.
impl Default for HomeProcess {
    fn default() -> Self {
        Self::this()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_does_not_wait_for_a_lock_that_nobody_holds_there() {
        let mutex = Mutex::new(0);
        let held = mutex.lock().unwrap();
        assert!(HomeProcess::elsewhere().lock(&mutex).is_none());
        drop(held);
        assert!(HomeProcess::elsewhere().lock(&mutex).is_some() && HomeProcess::this().lock(&mutex).is_some());
    }

    #[test]
    fn at_home_a_thread_waits_for_its_turn() {
        let mutex = Mutex::new(0);
        let mut held = mutex.lock().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| HomeProcess::this().lock(&mutex).map(|value| *value));
            *held = 1;
            drop(held);
            assert_eq!(waiting.join().unwrap(), Some(1));
        });
    }
}
