//! A lock for one payload at a time, which its holder may enter again.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard};

use statsig_background::ForkGuard;

thread_local! {
    /// Addresses of the turns that this thread has.
    static OWN_TURNS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Lets one thread in at a time, and that thread also within its turn: a listener may supply specs.
#[derive(Debug, Default)]
pub(super) struct Turn {
    lock: Mutex<()>,
    process: ForkGuard,
}

/// Result of waiting for the turn.
pub(super) enum Admittance<'a> {
    /// The thread has the turn until the guard is dropped.
    Granted(TurnGuard<'a>),
    /// The thread had the turn already.
    Nested,
    /// This is a forked child, and a thread of the parent had the turn: it never ends here.
    Stuck,
}

/// The turn of a thread; ends when dropped, also by a panic.
pub(super) struct TurnGuard<'a> {
    turn: &'a Turn,
    _lock: MutexGuard<'a, ()>,
}

impl Turn {
    /// Waits for the turn.
    pub(super) fn wait(&self) -> Admittance<'_> {
        if OWN_TURNS.with_borrow(|own| own.contains(&self.address())) {
            return Admittance::Nested;
        }
        let Some(lock) = self.process.lock(&self.lock) else { return Admittance::Stuck };
        OWN_TURNS.with_borrow_mut(|own| own.push(self.address()));
        Admittance::Granted(TurnGuard { turn: self, _lock: lock })
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        OWN_TURNS.with_borrow_mut(|own| own.retain(|turn| *turn != self.turn.address()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_enters_again_and_another_thread_waits() {
        let (turn, other) = (Turn::default(), Turn::default());
        let guard = turn.wait();
        assert!(matches!(guard, Admittance::Granted(_)) && matches!(turn.wait(), Admittance::Nested));
        let second = other.wait();
        assert!(matches!(second, Admittance::Granted(_)) && matches!(turn.wait(), Admittance::Nested));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| matches!(turn.wait(), Admittance::Granted(_)));
            assert!(!waiting.is_finished());
            drop((guard, second));
            assert!(waiting.join().unwrap());
        });
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = turn.wait();
            std::panic::panic_any("within the turn");
        }));
        assert!(failed.is_err() && matches!(turn.wait(), Admittance::Granted(_)), "a panic ends the turn");
    }

    #[test]
    fn a_forked_child_does_not_wait_for_a_thread_of_the_parent() {
        let turn = Turn { process: ForkGuard::inherited(), ..Turn::default() };
        std::thread::scope(|scope| {
            let guard = turn.wait();
            assert!(matches!(guard, Admittance::Granted(_)), "nobody had it");
            assert!(scope.spawn(|| matches!(turn.wait(), Admittance::Stuck)).join().unwrap());
        });
    }
}
