//! Between the client's calls and the synchronisation of specs and ID lists.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use statsig_core::{IdListLookup, IdListSource, SnapshotStore};
use statsig_net::id_lists::{IdListHealth, IdListOptions, IdListSync, IdLists};
use statsig_net::{InitializeDetails, PayloadAcceptor, ReadyPolicy, SpecSync, SyncHealth, SyncReport};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

/// How ID lists will be fetched.
pub(crate) struct IdListPlan {
    pub(crate) lists: Arc<IdLists>,
    pub(crate) source: Arc<dyn IdListSource>,
    pub(crate) options: IdListOptions,
}

/// Specs and ID lists of a client.
pub(crate) struct Networking {
    sync: SpecSync,
    plan: Option<IdListPlan>,
    id_lists: OnceLock<IdListSync>,
    told: OnceLock<InitializeDetails>,
    /// Everything shall end: what has not begun does not begin.
    ending: AtomicBool,
    init_timeout: Option<Duration>,
    runtime: Handle,
}

impl Networking {
    pub(crate) fn new(
        sync: SpecSync,
        plan: Option<IdListPlan>,
        init_timeout: Option<Duration>,
        runtime: Handle,
    ) -> Self {
        Self {
            sync,
            plan,
            id_lists: OnceLock::new(),
            told: OnceLock::new(),
            ending: AtomicBool::new(false),
            init_timeout,
            runtime,
        }
    }

    /// The lists that conditions are to look into.
    pub(crate) fn lookup(&self) -> Option<Arc<dyn IdListLookup>> {
        self.plan.as_ref().map(|plan| Arc::clone(&plan.lists) as Arc<dyn IdListLookup>)
    }

    pub(crate) async fn initialize(&self, store: &SnapshotStore) -> InitializeDetails {
        if let Some(told) = self.told.get() {
            return told.clone();
        }
        let details = self.load(store).await;
        if details.timed_out {
            // Loading goes on, and the next call may have more to tell.
            return details;
        }
        self.told.get_or_init(|| details).clone()
    }

    async fn load(&self, store: &SnapshotStore) -> InitializeDetails {
        let begun = Instant::now();
        let mut details = self.sync.initialize().await;
        let Some(plan) = self.plan.as_ref().filter(|_| !self.ending.load(Ordering::SeqCst)) else { return details };
        let id_lists = self.id_lists.get_or_init(|| {
            IdListSync::start(plan.options.clone(), Arc::clone(&plan.lists), Arc::clone(&plan.source), &self.runtime)
        });
        if self.ending.load(Ordering::SeqCst) {
            // Whoever ended everything may not have seen them.
            id_lists.shutdown(Duration::ZERO).await;
            return details;
        }
        // Only a project that asks for lists has to wait for them.
        if store.load().ruleset().meta().id_lists.is_empty() {
            return details;
        }
        let report = match self.init_timeout {
            Some(limit) => timeout(limit.saturating_sub(begun.elapsed()), id_lists.sync_now()).await.ok(),
            None => Some(id_lists.sync_now().await),
        };
        details.is_id_list_ready = Some(report.is_some_and(|report| report.success && report.failed.is_empty()));
        details.duration = begun.elapsed();
        details
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.sync.details().is_some()
    }

    /// What was told of the first load, once it has ended.
    pub(crate) fn details(&self) -> Option<InitializeDetails> {
        self.told().or_else(|| self.sync.details())
    }

    /// The same, if somebody has asked before. Takes no lock.
    pub(crate) fn told(&self) -> Option<InitializeDetails> {
        self.told.get().cloned()
    }

    /// Whether somebody was told. Takes no lock.
    pub(crate) fn has_told(&self) -> bool {
        self.told.get().is_some()
    }

    pub(crate) async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        self.sync.ready(policy, within).await
    }

    pub(crate) async fn wait_for_specs(&self, newer_than_ms: u64, within: Duration) -> Option<u64> {
        let mut times = self.sync.subscribe();
        let newer = times.wait_for(|time| *time > newer_than_ms);
        tokio::time::timeout(within, newer).await.ok()?.ok().map(|time| *time)
    }

    pub(crate) async fn sync_now(&self) -> SyncReport {
        self.sync.sync_now().await
    }

    pub(crate) fn acceptor(&self) -> &PayloadAcceptor {
        self.sync.acceptor()
    }

    pub(crate) fn set_polling(&self, polling: bool) {
        if polling { self.sync.resume_polling() } else { self.sync.pause_polling() }
    }

    pub(crate) fn health(&self) -> (SyncHealth, Option<IdListHealth>) {
        (self.sync.health(), self.id_lists.get().map(IdListSync::health))
    }

    pub(crate) async fn shutdown(&self, within: Duration) {
        self.ending.store(true, Ordering::SeqCst);
        let lists = async {
            if let Some(id_lists) = self.id_lists.get() {
                id_lists.shutdown(within).await;
            }
        };
        // They may use the same data store.
        self.sync.shutdown_with(within, lists).await;
    }
}
