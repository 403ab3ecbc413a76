//! Runs rounds, at intervals and on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::{Clock, IdListSource};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::health::{IdListHealth, RoundLog};
use super::lists::IdLists;
use super::options::{IdListOptions, IdListReport};
use super::progress::Progress;
use super::round;
use crate::deadline;
use crate::metrics::{IdListRound, Metrics};
use statsig_background::{InOwnProcess, SystemClock, UniformRandom};

/// Longest pause after a round that left a file unfinished.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// Keeps ID lists up to date. Ends its task at [`shutdown`](Self::shutdown) or when dropped.
///
/// ```
/// # use std::sync::Arc;
/// # use statsig_core::{IdListChunk, IdListEntry, IdListLookup, IdListManifest, IdListSource, SourceError, id_hash};
/// # use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists};
/// # struct Source;
/// # #[async_trait::async_trait]
/// # impl IdListSource for Source {
/// #     fn name(&self) -> &str { "one" }
/// #     async fn manifest(&self) -> Result<IdListManifest, SourceError> {
/// #         Ok(IdListManifest::new(vec![IdListEntry::new("vip", "memory:", "f1", 10)]))
/// #     }
/// #     async fn read(&self, _: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
/// #         Ok(IdListChunk::new(start, b"+xsKJ5J6c\n"[start as usize..].to_vec()))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let lists = Arc::new(IdLists::new());
/// let runtime = tokio::runtime::Handle::current();
/// let sync = IdListSync::start(IdListOptions::default(), Arc::clone(&lists), Arc::new(Source), &runtime);
/// assert!(sync.sync_now().await.success);
/// assert!(lists.contains("vip", &id_hash("user-1")));
/// # }
/// ```
#[derive(Debug)]
pub struct IdListSync {
    inner: Arc<SyncInner>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the rounds share.
pub(super) struct SyncInner {
    pub(super) options: IdListOptions,
    pub(super) lists: Arc<IdLists>,
    pub(super) source: Arc<dyn IdListSource>,
    pub(super) progress: Progress,
    random: UniformRandom,
    metrics: Metrics,
    /// One round at a time.
    round: tokio::sync::Mutex<()>,
    ending: watch::Sender<bool>,
    log: Mutex<RoundLog>,
}

impl std::fmt::Debug for SyncInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncInner")
            .field("source", &self.source.name())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl IdListSync {
    /// Starts regular rounds on a runtime, the first after one interval: call
    /// [`sync_now`](Self::sync_now) to have lists before.
    #[must_use]
    pub fn start(
        mut options: IdListOptions,
        lists: Arc<IdLists>,
        source: Arc<dyn IdListSource>,
        runtime: &Handle,
    ) -> Self {
        options.interval = options.interval.max(Duration::from_millis(10));
        options.parallel = options.parallel.max(1);
        let inner = Arc::new(SyncInner {
            random: UniformRandom::new(options.jitter_seed),
            metrics: Metrics::new(options.observer.clone()),
            options,
            progress: Progress::new(Arc::clone(&lists)),
            lists,
            source,
            round: tokio::sync::Mutex::new(()),
            ending: watch::Sender::new(false),
            log: Mutex::default(),
        });
        let task = runtime.spawn(InOwnProcess::new(run(Arc::clone(&inner), runtime.clone())));
        Self { inner, task: Mutex::new(Some(task)) }
    }

    /// Brings all lists up to date now. Waits for a round that is under way. Once the rounds are
    /// [ended](Self::shutdown), nothing is asked, and the report says so.
    ///
    /// # Cancel safety
    /// Lists that were brought up to date before stay so.
    pub async fn sync_now(&self) -> IdListReport {
        let mut ending = self.inner.ending.subscribe();
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => {
                IdListReport::without_manifest("the client is shut down")
            }
            report = self.inner.sync() => report,
        }
    }

    /// Returns the health as of now. Takes a short lock that no evaluation takes.
    #[must_use]
    pub fn health(&self) -> IdListHealth {
        self.inner.log().health(self.inner.lists.len(), !*self.inner.ending.borrow())
    }

    /// Ends the rounds within a time. Lists stay as they are. Shuts no data store down: see
    /// [`SpecSync::shutdown_with`](crate::SpecSync::shutdown_with).
    pub async fn shutdown(&self, within: Duration) {
        self.inner.ending.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task
            && tokio::time::timeout(within, &mut task).await.is_err()
        {
            task.abort();
        }
        // One that somebody asked for gives up as well, as soon as it is polled.
        let _ = tokio::time::timeout(within, self.inner.round.lock()).await;
    }
}

impl Drop for IdListSync {
    fn drop(&mut self) {
        self.inner.ending.send_replace(true);
    }
}

/// Runs rounds until the end; one that panics is as one that failed.
async fn run(inner: Arc<SyncInner>, runtime: Handle) {
    let mut ending = inner.ending.subscribe();
    loop {
        let pause = inner.pause();
        inner.log().next = Some(deadline::from_now(pause));
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => return,
            () = sleep(pause) => {}
        }
        let round = runtime.spawn({
            let inner = Arc::clone(&inner);
            InOwnProcess::new(async move { drop(inner.sync().await) })
        });
        let abort = round.abort_handle();
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => {
                abort.abort();
                return;
            }
            done = round => if done.is_err_and(|error| error.is_panic()) {
                inner.log().restarts += 1;
                inner.metrics.panicked("id-lists");
                tracing::error!("a round of ID lists panicked");
            },
        }
    }
}

impl SyncInner {
    fn log(&self) -> MutexGuard<'_, RoundLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of day, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        match &self.options.clock {
            Some(clock) => clock.now_ms(),
            None => SystemClock.now_ms(),
        }
    }

    /// The pause before the next round.
    fn pause(&self) -> Duration {
        let pause = self.random.around(self.options.interval, 0.1);
        if self.log().has_unfinished() { pause.min(SHORT_PAUSE) } else { pause }
    }

    async fn sync(self: &Arc<Self>) -> IdListReport {
        let _turn = self.round.lock().await;
        let begun = Instant::now();
        let report = round::run(self).await;
        let totals = self.lists.totals();
        self.metrics.id_lists(&IdListRound {
            duration: begun.elapsed(),
            manifest_error: report.error.as_deref(),
            changed: report.changed,
            failed: report.failed_count,
            lists: totals.lists,
            ids: totals.ids,
            bytes: totals.memory_bytes,
        });
        self.log().note(&report);
        report
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;
    use statsig_core::{IdListChunk, IdListEntry, IdListManifest, SourceError};

    use super::*;

    /// One list of one line.
    struct One(AtomicI64);

    #[async_trait]
    impl IdListSource for One {
        fn name(&self) -> &str {
            "one"
        }
        async fn manifest(&self) -> Result<IdListManifest, SourceError> {
            let entry = IdListEntry::new("a", "m:", "f", 10).with_creation_time(self.0.load(Ordering::Relaxed));
            Ok(IdListManifest::new(vec![entry]))
        }
        async fn read(&self, _: &IdListEntry, _: u64) -> Result<IdListChunk, SourceError> {
            Ok(IdListChunk::new(0, b"+xsKJ5J6c\n".to_vec()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lists_of_which_nothing_changed_stay_where_they_are() {
        let (lists, source) = (Arc::new(IdLists::new()), Arc::new(One(AtomicI64::new(1))));
        let options = IdListOptions::default();
        let sync = IdListSync::start(options, Arc::clone(&lists), source.clone(), &Handle::current());
        sync.sync_now().await;
        let first = lists.get("a").unwrap();
        assert_eq!(sync.sync_now().await.changed, 0);
        assert!(Arc::ptr_eq(&first, &lists.get("a").unwrap()), "replaced by the same");
        source.0.store(2, Ordering::Relaxed);
        assert_eq!(sync.sync_now().await.changed, 0);
        assert_eq!(lists.get("a").unwrap().creation_time, 2);
    }
}
