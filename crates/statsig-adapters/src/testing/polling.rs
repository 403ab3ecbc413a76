//! Futures, polled by hand: contracts need no runtime.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls a future at most so many times, and drops it.
pub(super) async fn poll_times(future: impl Future, times: u32) {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        let ready = future.as_mut().poll(context).is_ready();
        left = left.saturating_sub(1);
        if ready || left == 0 {
            return Poll::Ready(());
        }
        // Nobody else may: the future may wait for something that never comes.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls two futures in turn until both are ready.
pub(super) async fn both(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut ready = (false, false);
    poll_fn(|context| {
        ready.0 = ready.0 || first.as_mut().poll(context).is_ready();
        ready.1 = ready.1 || second.as_mut().poll(context).is_ready();
        if ready == (true, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Runs a future that never waits for anything but itself.
#[cfg(test)]
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the future waits for something that nobody does");
}
