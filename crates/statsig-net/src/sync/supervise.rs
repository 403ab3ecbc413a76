//! Tasks that come back after a panic.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Inner;
use super::health::Worker;
use statsig_background::InOwnProcess;

/// Longest pause before a task that panicked is started again.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs a task until it ends by itself or everything ends; starts it again if it panics. The task tells the
/// books of its successes, under its number.
pub(super) fn supervise<F>(
    inner: &Arc<Inner>,
    name: impl Into<String>,
    task: impl Fn(Arc<Inner>, Worker) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let shared = Arc::clone(inner);
    let name = name.into();
    let worker = inner.books.worker_begins(&name);
    inner.spawn(async move {
        let _running = Running { inner: Arc::clone(&shared), worker };
        loop {
            let work = AbortOnDrop(shared.runtime.spawn(InOwnProcess::new(task(Arc::clone(&shared), worker))));
            match work.join().await {
                Err(error) if error.is_panic() && !shared.is_ending() => {}
                _ => return,
            }
            shared.books.worker_restarts(worker);
            tracing::error!(task = name, "a background task panicked and is started again");
            tokio::select! {
                () = sleep(shared.random.up_to(PAUSE)) => {}
                () = shared.ended() => return,
            }
        }
    });
}

/// Notes the end of a worker, however it comes.
struct Running {
    inner: Arc<Inner>,
    worker: Worker,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.inner.books.worker_ends(self.worker);
    }
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<(), tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
