//! Detection of forked children, and protection of what they inherit.
//!
//! A forked child has a copy of the parent's memory and its file descriptors, but none of its threads. Tasks of
//! the parent are copies there too, usually not polled; a program that forks within its runtime does drive
//! them. Sockets, and what the kernel knows of them, are shared with the parent: whatever the child does with
//! them, closing included, disturbs the parent. And a lock that another thread held during the fork is never
//! released in the child.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};

/// The process that a component was built in.
///
/// ```
/// let guard = statsig_background::ForkGuard::new();
/// assert!(!guard.is_inherited());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForkGuard {
    process_id: u32,
}

impl ForkGuard {
    /// Remembers the current process.
    #[must_use]
    pub fn new() -> Self {
        Self { process_id: std::process::id() }
    }

    /// Returns a guard of another process, as a forked child holds it. For tests.
    #[must_use]
    pub fn inherited() -> Self {
        // No process that runs this code has the ID 0.
        Self { process_id: 0 }
    }

    /// Returns the ID of the process that the component was built in.
    #[must_use]
    pub fn process_id(self) -> u32 {
        self.process_id
    }

    /// Returns whether this is a forked child of the process that the component was built in. One system call.
    #[must_use]
    pub fn is_inherited(self) -> bool {
        self.process_id != std::process::id()
    }

    /// Locks a mutex; `None` where it is held and this is a forked child, where it may never be released.
    ///
    /// Asks the operating system for the process only while another thread holds the lock. A poisoned mutex is
    /// locked like any other.
    pub fn lock<T>(self, mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        match mutex.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if self.is_inherited() => None,
            Err(TryLockError::WouldBlock) => Some(mutex.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// A guard of the current process.
impl Default for ForkGuard {
    fn default() -> Self {
        Self::new()
    }
}

/// A task that runs only in the process that created it.
///
/// In a forked child it is never polled again, stays pending, and is leaked rather than dropped: dropping it
/// would close what it shares with the parent.
#[derive(Debug)]
pub struct InOwnProcess<F> {
    guard: ForkGuard,
    /// Boxed, so that it can be leaked.
    task: Option<Pin<Box<F>>>,
}

impl<F: Future> InOwnProcess<F> {
    /// Binds a task to the current process.
    #[must_use]
    pub fn new(task: F) -> Self {
        Self { guard: ForkGuard::new(), task: Some(Box::pin(task)) }
    }
}

impl<F: Future> Future for InOwnProcess<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.guard.is_inherited() {
            std::mem::forget(self.task.take());
        }
        match &mut self.task {
            Some(task) => task.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for InOwnProcess<F> {
    fn drop(&mut self) {
        if self.guard.is_inherited() {
            std::mem::forget(self.task.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Panics when it is polled or dropped.
    struct Untouchable;

    impl Future for Untouchable {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            std::panic::panic_any("polled");
        }
    }

    impl Drop for Untouchable {
        fn drop(&mut self) {
            std::panic::panic_any("dropped");
        }
    }

    #[test]
    fn a_task_is_neither_polled_nor_dropped_in_a_forked_child() {
        let inherited = || InOwnProcess { guard: ForkGuard::inherited(), task: Some(Box::pin(Untouchable)) };
        let mut task = inherited();
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(inherited());
    }

    #[test]
    fn a_task_runs_in_its_own_process() {
        let mut task = InOwnProcess::new(std::future::ready(5));
        assert_eq!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(5));
    }

    #[test]
    fn a_forked_child_does_not_wait_for_a_lock() {
        let mutex = Mutex::new(0);
        let held = mutex.lock().unwrap();
        assert!(ForkGuard::inherited().lock(&mutex).is_none());
        drop(held);
        assert!(ForkGuard::inherited().lock(&mutex).is_some() && ForkGuard::new().lock(&mutex).is_some());
    }

    #[test]
    fn a_thread_of_the_own_process_waits_for_the_lock() {
        let mutex = Mutex::new(0);
        let mut held = mutex.lock().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ForkGuard::new().lock(&mutex).map(|value| *value));
            *held = 1;
            drop(held);
            assert_eq!(waiting.join().unwrap(), Some(1));
        });
    }
}
