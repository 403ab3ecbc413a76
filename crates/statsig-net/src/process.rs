//! Work that stays in the process that began it.
//!
//! A forked child has copies of all tasks. Most often nobody drives them there; but a program that forks
//! within its runtime goes on driving the child's copy of it. Sockets, and what the kernel tells of them, are
//! shared with the parent then: whatever the child does with them, also closing, disturbs the parent.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Why nothing is done in a forked child.
pub(crate) const INHERITED: &str = "this process was forked off from the one that set this up: set it up anew here";

/// The process that something was set up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This one.
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether we are in another one: a child that was forked off. Asks the operating system.
    pub(crate) fn is_left(self) -> bool {
        Self::this() != self
    }
}

/// A task that in a forked child does nothing any more, and never ends.
pub(crate) struct AtHome<F> {
    process: Process,
    /// On the heap, where it can be left.
    task: Option<Pin<Box<F>>>,
}

impl<F: Future> AtHome<F> {
    pub(crate) fn new(task: F) -> Self {
        Self { process: Process::this(), task: Some(Box::pin(task)) }
    }
}

impl<F: Future> Future for AtHome<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.process.is_left() {
            std::mem::forget(self.task.take());
        }
        match &mut self.task {
            Some(task) => task.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for AtHome<F> {
    fn drop(&mut self) {
        if self.process.is_left() {
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
    fn in_another_process_a_task_is_neither_run_nor_dropped() {
        let elsewhere = Process(0);
        let mut task = AtHome { process: elsewhere, task: Some(Box::pin(Untouchable)) };
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(AtHome { process: elsewhere, task: Some(Box::pin(Untouchable)) });
    }

    #[test]
    fn at_home_it_runs() {
        let mut task = AtHome::new(std::future::ready(()));
        assert_eq!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    }
}
