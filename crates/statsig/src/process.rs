//! Which process a client belongs to.
//!
//! Threads, tasks and connections do not come along into a forked child, and locks that a thread of the
//! parent held at the time are never released there. So a client does in the child of the process that built
//! it what needs none of them: it evaluates. Everything else ends at once, and says so.

use std::sync::Arc;
#[cfg(feature = "logger")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};

use statsig_background::ForkGuard;

/// What there is to be said of a client that a forked child has inherited.
pub(crate) const INHERITED: &str = "the client was built before this process was forked off, and only answers from the specs that it had: build \
     another one in this process";

/// The process that a client was built in.
#[derive(Debug)]
pub(crate) struct Process {
    guard: ForkGuard,
    /// It was noticed that we are in another one.
    left: AtomicBool,
    /// Events that were logged after that, and go nowhere.
    #[cfg(feature = "logger")]
    lost: AtomicU64,
}

impl Process {
    /// This one.
    pub(crate) fn this() -> Arc<Self> {
        Arc::new(Self {
            guard: ForkGuard::new(),
            left: AtomicBool::new(false),
            #[cfg(feature = "logger")]
            lost: AtomicU64::new(0),
        })
    }

    /// Whether we are in another one: a child that was forked off. Asks the operating system; not for
    /// checks.
    pub(crate) fn is_left(&self) -> bool {
        if self.is_known_left() {
            return true;
        }
        if !self.guard.is_inherited() {
            return false;
        }
        if !self.left.swap(true, Ordering::Relaxed) {
            tracing::warn!(built_in = self.guard.process_id(), "{INHERITED}");
        }
        true
    }

    /// Whether somebody has noticed that we are in another one. Costs next to nothing.
    #[inline]
    pub(crate) fn is_known_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Counts an event that is logged in another process, and goes nowhere; `true` if it is one.
    #[cfg(feature = "logger")]
    pub(crate) fn loses_event(&self) -> bool {
        let left = self.is_left();
        if left {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        left
    }

    /// Such events so far.
    #[cfg(feature = "logger")]
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_noticed_and_remembered() {
        let here = Process::this();
        assert!(!here.is_left() && !here.is_known_left());
        let elsewhere = Process { guard: ForkGuard::inherited(), ..Arc::into_inner(Process::this()).unwrap() };
        assert!(!elsewhere.is_known_left(), "nobody has asked");
        assert!(elsewhere.is_left() && elsewhere.is_known_left());
        #[cfg(feature = "logger")]
        assert!(elsewhere.loses_event() && elsewhere.lost() == 1 && !here.loses_event() && here.lost() == 0);
    }
}
