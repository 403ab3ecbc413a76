//! A clock that only moves when the test says so, while sockets work.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Stops tokio's clock in a runtime of one thread, also for tests that talk to sockets.
///
/// `tokio::time::pause` alone moves the clock on whenever all tasks wait, if only for a socket: every
/// time limit would strike at once. Holding this keeps the clock where it is until
/// [`advance`](Self::advance). Timers of a [`FakeStatsig`](super::FakeStatsig) are not concerned.
#[derive(Debug)]
pub struct FrozenTime {
    // Ends the blocking task when dropped.
    _busy: Sender<()>,
}

impl FrozenTime {
    /// Stops the clock of the current runtime.
    #[must_use]
    pub fn start() -> Self {
        tokio::time::pause();
        let (busy, done) = channel::<()>();
        // The clock does not move by itself while a blocking task runs.
        tokio::task::spawn_blocking(move || {
            let _ = done.recv();
        });
        Self { _busy: busy }
    }

    /// Moves the clock on, in steps of at most a tenth of a second, so that tasks which wait step by
    /// step find each of their moments.
    pub async fn advance(&self, time: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            tokio::time::advance(step).await;
            left -= step;
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
    }
}
