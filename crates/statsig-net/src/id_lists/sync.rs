//! What to read, when, and what becomes of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::{IdListEntry, IdListSource, SourceError, SourceErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::lines;
use super::lists::{IdLists, List};
use super::options::{IdListOptions, IdListReport};
use super::set::IdSet;
use crate::metrics::{IdListRound, Metrics};
use crate::process::AtHome;
use crate::random::Random;
use crate::secret::chain_of;

/// Rounds in a row in which a file is too short before its list is read anew.
const SHRUNK_ROUNDS: u32 = 3;

/// How it goes with ID lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListHealth {
    /// What the last round came to; all empty before the first.
    pub last_round: IdListReport,
    /// Time since a round last brought every list up to date.
    pub last_success: Option<Duration>,
    /// Rounds in a row that did not.
    pub failures: u32,
    /// Lists that there are.
    pub lists: usize,
    /// Whether rounds go on; not so after a shutdown.
    pub running: bool,
    /// Rounds that panicked; the next one comes all the same.
    pub restarts: u64,
}

/// What is noted of rounds.
#[derive(Debug, Default)]
struct Page {
    last: IdListReport,
    succeeded: Option<Instant>,
    failures: u32,
    restarts: u64,
}

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
    inner: Arc<Inner>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    options: IdListOptions,
    lists: Arc<IdLists>,
    source: Arc<dyn IdListSource>,
    random: Random,
    metrics: Metrics,
    /// One round at a time.
    round: tokio::sync::Mutex<()>,
    ending: watch::Sender<bool>,
    page: Mutex<Page>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
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
        let inner = Arc::new(Inner {
            random: Random::new(options.jitter_seed),
            metrics: Metrics::new(options.observer.clone()),
            options,
            lists,
            source,
            round: tokio::sync::Mutex::new(()),
            ending: watch::Sender::new(false),
            page: Mutex::default(),
        });
        let task = runtime.spawn(AtHome::new(run(Arc::clone(&inner), runtime.clone())));
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
                IdListReport { error: Some("the client is shut down".to_owned()), ..IdListReport::default() }
            }
            report = self.inner.sync() => report,
        }
    }

    /// How it goes, as of now. Takes a short lock that no evaluation takes.
    #[must_use]
    pub fn health(&self) -> IdListHealth {
        let page = self.inner.page();
        IdListHealth {
            last_round: page.last.clone(),
            last_success: page.succeeded.map(|at| at.elapsed()),
            failures: page.failures,
            lists: self.inner.lists.len(),
            running: !*self.inner.ending.borrow(),
            restarts: page.restarts,
        }
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

/// Rounds for ever; one that panics is as one that failed.
async fn run(inner: Arc<Inner>, runtime: Handle) {
    let mut ending = inner.ending.subscribe();
    loop {
        let pause = inner.random.around(inner.options.interval, 0.1);
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => return,
            () = sleep(pause) => {}
        }
        let round = runtime.spawn({
            let inner = Arc::clone(&inner);
            AtHome::new(async move { drop(inner.sync().await) })
        });
        let abort = round.abort_handle();
        tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => {
                abort.abort();
                return;
            }
            done = round => if done.is_err_and(|error| error.is_panic()) {
                inner.page().restarts += 1;
                inner.metrics.panicked("id-lists");
                tracing::error!("a round of ID lists panicked");
            },
        }
    }
}

impl Inner {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sync(self: &Arc<Self>) -> IdListReport {
        let _turn = self.round.lock().await;
        let begun = Instant::now();
        let report = self.round().await;
        self.tell(&report, begun.elapsed());
        if let Some(error) = &report.error {
            tracing::debug!(error, "no manifest of ID lists");
        }
        for (list, error) in &report.failed {
            tracing::warn!(list, error, "an ID list could not be brought up to date");
        }
        let mut page = self.page();
        page.last.clone_from(&report);
        if report.success && report.failed.is_empty() {
            (page.succeeded, page.failures) = (Some(Instant::now()), 0);
        } else {
            page.failures = page.failures.saturating_add(1);
        }
        drop(page);
        report
    }

    fn tell(&self, report: &IdListReport, duration: Duration) {
        let status = self.lists.status();
        self.metrics.id_lists(&IdListRound {
            duration,
            manifest_error: report.error.as_deref(),
            changed: report.changed,
            failed: report.failed.len(),
            lists: status.len(),
            ids: status.iter().map(|list| list.len).sum(),
            bytes: status.iter().map(|list| list.memory_bytes).sum(),
        });
    }

    async fn round(self: &Arc<Self>) -> IdListReport {
        let manifest = match self.source.manifest().await {
            Ok(manifest) => manifest,
            Err(error) => return IdListReport { error: Some(chain_of(&error)), ..IdListReport::default() },
        };
        let mut report = IdListReport { success: true, ..IdListReport::default() };
        let names: std::collections::BTreeSet<String> = manifest
            .entries
            .iter()
            .map(|entry| entry.name.clone())
            .chain(manifest.unreadable.iter().cloned())
            .collect();
        let room = Arc::new(Semaphore::new(self.options.parallel));
        let mut tasks = JoinSet::new();
        for entry in manifest.entries {
            let (inner, room) = (Arc::clone(self), Arc::clone(&room));
            tasks.spawn(async move {
                let _permit = room.acquire_owned().await;
                let result = inner.bring_up_to_date(&entry).await;
                (entry.name, result)
            });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok((_, Ok(changed))) => report.changed += usize::from(changed),
                Ok((name, Err(error))) => report.failed.push((name, chain_of(&error))),
                Err(error) => report.failed.push((String::new(), chain_of(&error))),
            }
        }
        report.failed.extend(manifest.unreadable.into_iter().map(|name| (name, "its entry cannot be read".to_owned())));
        report.failed.sort();
        report.changed += self.lists.retain(|name| names.contains(name));
        self.free_replaced().await;
        report
    }

    /// Reads what is new of one list; whether anything was.
    async fn bring_up_to_date(&self, entry: &IdListEntry) -> Result<bool, SourceError> {
        let held = self.lists.get(&entry.name);
        if entry.url.is_empty() || entry.file_id.is_empty() {
            return Ok(false);
        }
        if held.as_ref().is_some_and(|held| entry.creation_time < held.creation_time) {
            // An older generation is announced: some server lags behind.
            return Ok(false);
        }
        let fresh = || List {
            set: IdSet::default(),
            file_id: entry.file_id.as_str().into(),
            creation_time: entry.creation_time,
            read_bytes: 0,
            shrunk: 0,
        };
        let mut list = match held.as_deref() {
            Some(held) if *held.file_id == *entry.file_id => held.clone(),
            _ => fresh(),
        };
        let known = held.as_ref().is_some_and(|held| *held.file_id == *entry.file_id);
        let renewed = list.creation_time != entry.creation_time;
        list.creation_time = entry.creation_time;
        if entry.size < list.read_bytes {
            list.shrunk += 1;
            if list.shrunk < SHRUNK_ROUNDS {
                self.lists.put(&entry.name, list);
                return Ok(false);
            }
            list = fresh();
        } else {
            list.shrunk = 0;
        }
        if entry.size <= list.read_bytes {
            // Each put copies the table of all lists.
            if !known || renewed || held.as_ref().is_some_and(|held| held.shrunk > 0) {
                self.lists.put(&entry.name, list);
            }
            return Ok(!known);
        }
        // One that is read afresh takes the place of the one that is held.
        let replaced = held.as_ref().map_or(0, |held| held.read_bytes);
        if self.lists.read_bytes().saturating_sub(replaced).saturating_add(entry.size) > self.options.max_total_bytes {
            let reason =
                format!("it would exceed the limit of {} bytes for all ID lists", self.options.max_total_bytes);
            return Err(SourceError::new(SourceErrorKind::Invalid, reason));
        }
        let chunk = self.source.read(entry, list.read_bytes).await?;
        if chunk.bytes.is_empty() {
            if list.read_bytes == 0 {
                return Err(SourceError::new(SourceErrorKind::Empty, "the file is empty"));
            }
            // Nothing behind what was read: up to date, whatever the manifest says.
            return Ok(false);
        }
        // The second half of an end of line may come first.
        let first = chunk.bytes.iter().find(|byte| !matches!(byte, b'\n' | b'\r'));
        if !matches!(first, Some(b'+' | b'-')) {
            return Err(SourceError::new(SourceErrorKind::Invalid, "the file begins with neither `+` nor `-`"));
        }
        let (name, size, start) = (entry.name.clone(), entry.size, chunk.start);
        let work = tokio::task::spawn_blocking(move || {
            let at_end = start + chunk.bytes.len() as u64 == size;
            // Replaying a log from its beginning over any part of it gives the same set.
            let read = lines::apply(&list.set, &chunk.bytes, at_end);
            list.read_bytes = start + read.consumed as u64;
            list.set = read.set;
            (list, read.ignored)
        });
        let (list, ignored) = work
            .await
            .map_err(|_| SourceError::new(SourceErrorKind::Invalid, "reading the file failed unexpectedly"))?;
        if ignored > 0 {
            tracing::debug!(list = name, ignored, "lines of an ID list were ignored");
        }
        self.lists.put(&name, list);
        drop(held);
        self.free_replaced().await;
        Ok(true)
    }

    /// Frees what was replaced on a thread where it disturbs nobody.
    async fn free_replaced(&self) {
        let lists = Arc::clone(&self.lists);
        // Only a runtime that ends lets this fail, and then all goes.
        let _ = tokio::task::spawn_blocking(move || lists.free_replaced()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;
    use statsig_core::{IdListChunk, IdListManifest};

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
