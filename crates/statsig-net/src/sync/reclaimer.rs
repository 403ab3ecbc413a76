//! Frees specs that were replaced, so that no thread that answers requests has to.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::Worker;
use statsig_core::SpecTarget;
use tokio::sync::watch;
use tokio::time::sleep;

/// Pause before specs that were in use when they were replaced are looked at again; doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Frees the replaced specs of a target after each update, until the end.
pub(super) async fn run(target: &Arc<dyn SpecTarget>, mut updates: watch::Receiver<u64>, worker: &Worker) {
    let stop = worker.stop_signal();
    loop {
        tokio::select! {
            biased;
            () = stop.stopped() => return,
            updated = updates.changed() => if updated.is_err() {
                return;
            },
        }
        let mut pause = FIRST_PAUSE;
        while count_in_use(target).await > 0 {
            tokio::select! {
                biased;
                () = stop.stopped() => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        worker.report_success();
    }
}

/// Frees what can be freed on a blocking thread; returns how many replaced specs are still in use.
async fn count_in_use(target: &Arc<dyn SpecTarget>) -> usize {
    let target = Arc::clone(target);
    tokio::task::spawn_blocking(move || target.free_replaced()).await.unwrap_or(0)
}
