//! Frees specs that were replaced, so that no thread that answers requests has to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Inner;
use super::health::Worker;
use super::supervise::supervise;

/// Pause before specs that were in use when they were replaced are looked at again; doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// What it grows to while somebody keeps them.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) fn spawn(inner: &Arc<Inner>) {
    supervise(inner, "specs-reclaimer", run);
}

async fn run(inner: Arc<Inner>, worker: Worker) {
    let mut updates = inner.acceptor.updates();
    loop {
        tokio::select! {
            biased;
            () = inner.ended() => return,
            updated = updates.changed() => if updated.is_err() {
                return;
            },
        }
        let mut pause = FIRST_PAUSE;
        while in_use(&inner).await > 0 {
            tokio::select! {
                biased;
                () = inner.ended() => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        inner.books.succeeded(worker);
    }
}

/// Frees what can be freed on a blocking thread; returns how many old specs are still in use.
async fn in_use(inner: &Inner) -> usize {
    let store = Arc::clone(&inner.store);
    tokio::task::spawn_blocking(move || store.free_replaced()).await.unwrap_or(0)
}
