//! Keeps the specs in force up to date.
//!
//! ```text
//! sources ──ask──▶ start, poll ──┐
//!                                ├──▶ accept ──▶ SnapshotStore (swap)
//! streams ──tell─▶ stream ───────┘       │
//!                                        ├──▶ observers
//!                                        └──▶ keep: data store, last known good
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `accept` | the one place where a document is judged and put in force |
//! | `read` | what came, made into JSON |
//! | `deltas` | whether differences are asked for, or whole documents |
//! | `start` | the first load: sources in order, or overlapping, within a time |
//! | `poll` | regular polls, and those on demand |
//! | `stream` | subscriptions: backoff, failover to polling, liveness |
//! | `ready` | waiting for specs that are good enough |
//! | `keep` | what was accepted, for the next start |
//! | `reclaim` | what was replaced, freed where it disturbs nobody |
//! | `supervise` | tasks that come back after a panic |
//! | `health`, `details`, `options` | what is told, and what is asked for |
//!
//! Invariants: specs never go back to older ones; a document that cannot be used changes nothing;
//! every task is supervised and ends at shutdown; nothing here is waited for by an evaluation.

mod accept;
mod deltas;
mod details;
mod health;
mod keep;
mod options;
mod persist_health;
mod poll;
mod read;
mod ready;
mod reclaim;
mod start;
mod stream;
mod supervise;

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use statsig_core::{Clock, SnapshotStore};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use self::accept::{SpecsListener, SpecsUpdated};
pub use self::details::{AttemptOutcome, InitializeDetails, SourceAttempt};
pub use self::health::{PollingState, SourceHealth, StreamHealth, StreamState, SyncHealth, UpdatesBy, WorkerHealth};
pub use self::keep::StoreWriter;
pub use self::options::{SpecSources, StreamOptions, SyncOptions};
pub use self::persist_health::PersistHealth;
pub use self::poll::SyncReport;
pub use self::ready::ReadyPolicy;

use self::accept::Acceptor;
use self::health::Books;
use self::poll::Rounds;
use crate::deadline;
use crate::metrics::Metrics;
use crate::secret::chain_of;
use statsig_background::UniformRandom;
use statsig_background::{ForkGuard, InOwnProcess};

/// Reason why nothing is done in a forked child.
const INHERITED: &str = "this process was forked off from the one that set this up: set it up anew here";
/// Longest time for the data stores to shut down.
const STORES: Duration = Duration::from_secs(5);

/// Loads config specs, and keeps them up to date in the background.
///
/// Cheap to share by reference; ends its tasks when [`shutdown`](Self::shutdown) or dropped. Starting
/// spawns nothing: that begins with [`initialize`](Self::initialize).
///
/// Belongs to the process that set it up. In a forked child every call that would wait returns at once, and
/// nothing is asked, written or closed: set up another one there.
///
/// ```
/// use std::sync::Arc;
/// use statsig_core::{FixedClock, Snapshot, SnapshotStore, SpecSourceKind};
/// use statsig_net::sources::BootstrapSpecSource;
/// use statsig_net::{SpecSources, SpecSync, SyncOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = Arc::new(FixedClock(1_700_000_000_000));
/// let specs = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecSourceKind::Uninitialized)));
/// let sources = SpecSources::new().then(Arc::new(BootstrapSpecSource::new(*specs, clock.clone())));
/// let runtime = tokio::runtime::Handle::current();
///
/// let sync = SpecSync::start(SyncOptions::default(), Arc::clone(&store), sources, clock, &runtime);
/// let details = sync.initialize().await;
/// assert!(details.is_config_spec_ready);
/// assert_eq!(details.source, SpecSourceKind::Bootstrap);
/// assert_eq!(store.load().ruleset().meta().time, 5);
/// sync.shutdown(std::time::Duration::from_secs(3)).await;
/// # }
/// ```
pub struct SpecSync {
    inner: Arc<Inner>,
    process: ForkGuard,
}

/// What all tasks share.
struct Inner {
    options: SyncOptions,
    sources: SpecSources,
    acceptor: Acceptor,
    store: Arc<SnapshotStore>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    random: UniformRandom,
    books: Books,
    /// `true` once everything shall end.
    ending: watch::Sender<bool>,
    /// The details, once the first load has ended.
    initialized: watch::Sender<Option<InitializeDetails>>,
    begun: Mutex<Option<Instant>>,
    attempts: Mutex<Vec<SourceAttempt>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// A poll is wanted now.
    wake: Notify,
    paused: watch::Sender<bool>,
    /// One cycle of polls at a time.
    cycle: tokio::sync::Mutex<()>,
    /// What came of cycles so far.
    rounds: Mutex<Rounds>,
}

impl std::fmt::Debug for SpecSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpecSync").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl SpecSync {
    /// Sets everything up. Spawns nothing yet.
    ///
    /// What is accepted goes to `store`; `clock` dates it. Tasks run on `runtime`, with its timers.
    #[must_use]
    pub fn start(
        options: SyncOptions,
        store: Arc<SnapshotStore>,
        sources: SpecSources,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let options = options.sane();
        let metrics = Metrics::new(options.observer.clone());
        let acceptor = Acceptor::new(&options, &sources, Arc::clone(&store), Arc::clone(&clock), metrics.clone());
        let books = Books::new(&sources, metrics);
        let rounds = Rounds::new(&sources);
        let inner = Inner {
            random: UniformRandom::new(options.jitter_seed),
            options,
            sources,
            acceptor,
            store,
            clock,
            runtime: runtime.clone(),
            books,
            ending: watch::Sender::new(false),
            initialized: watch::Sender::new(None),
            begun: Mutex::new(None),
            attempts: Mutex::new(Vec::new()),
            tasks: Mutex::new(Vec::new()),
            wake: Notify::new(),
            paused: watch::Sender::new(false),
            cycle: tokio::sync::Mutex::new(()),
            rounds: Mutex::new(rounds),
        };
        Self { inner: Arc::new(inner), process: ForkGuard::new() }
    }

    /// Loads specs for the first time, then keeps them up to date in the background.
    ///
    /// Returns when specs are in force, or all sources have failed, or the `init_timeout` of the
    /// options is over; loading goes on in the last case. Never an error: the details tell. Further
    /// calls wait for the first, and tell the same.
    ///
    /// # Cancel safety
    /// Loading goes on.
    pub async fn initialize(&self) -> InitializeDetails {
        let inner = &self.inner;
        if self.process.is_inherited() {
            return InitializeDetails::not_asked(&inner.store.load_full(), INHERITED);
        }
        let begun = inner.begin();
        let mut initialized = inner.initialized.subscribe();
        let done = async {
            tokio::select! {
                biased;
                details = initialized.wait_for(Option::is_some) => details.ok().and_then(|details| details.clone()),
                () = inner.ended() => None,
            }
        };
        let result = match inner.options.init_timeout {
            Some(limit) => timeout_at(deadline::after(begun, limit), done).await,
            None => Ok(done.await),
        };
        match result {
            Ok(Some(details)) => details,
            // The client is shut down, or its runtime ended: what is known so far has to do.
            Ok(None) => inner.details(begun, false),
            Err(_) => inner.details(begun, true),
        }
    }

    /// What [`initialize`](Self::initialize) tells, once the first load has ended; `None` before.
    #[must_use]
    pub fn details(&self) -> Option<InitializeDetails> {
        self.inner.initialized.borrow().clone()
    }

    /// Waits until there are specs that are good enough; `false` if the time is up or everything ends
    /// before. Begins nothing: that is [`initialize`](Self::initialize).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        if self.process.is_inherited() {
            return policy == ReadyPolicy::Any && self.inner.store.holds_specs();
        }
        self.inner.ready(policy, within).await
    }

    /// Asks the polled sources now, until one has something new.
    ///
    /// Waits for a poll that is under way. Asks at once: pauses, also those that a server asked for,
    /// do not count.
    ///
    /// # Cancel safety
    /// What was accepted before stays in force.
    pub async fn sync_now(&self) -> SyncReport {
        if self.process.is_inherited() {
            return SyncReport::not_asked(INHERITED);
        }
        self.inner.sync_now().await
    }

    /// Skips regular polls until [`resume_polling`](Self::resume_polling). Streams go on: when one
    /// says that there is something new, sources are asked all the same.
    pub fn pause_polling(&self) {
        self.inner.paused.send_replace(true);
    }

    /// Ends [`pause_polling`](Self::pause_polling).
    pub fn resume_polling(&self) {
        self.inner.paused.send_replace(false);
    }

    /// How it goes, as of now. Takes a short lock that no evaluation takes.
    #[must_use]
    pub fn health(&self) -> SyncHealth {
        self.inner.health()
    }

    /// Tells those who wait that somebody else has put specs in force, in the same store.
    pub fn replaced(&self) {
        self.inner.acceptor.replaced();
    }

    /// Follows the time of the specs in force, in milliseconds since 1970; 0 while there are none.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.acceptor.updates()
    }

    /// Ends all tasks within a time: gives what was accepted last a chance to be kept, and cuts off what is
    /// left. Then closes sources and streams, and shuts data stores down, each once: also a store that is
    /// asked, followed and written, or only one of these. A second call does nothing.
    pub async fn shutdown(&self, within: Duration) {
        self.shutdown_with(within, std::future::ready(())).await;
    }

    /// The same, with others who use the data stores: they end at the same time, and until they have, as far
    /// as the time allows, nothing is closed.
    pub async fn shutdown_with(&self, within: Duration, others: impl Future<Output = ()>) {
        if !self.process.is_inherited() {
            self.inner.shutdown(within, others).await;
        }
    }
}

impl Drop for SpecSync {
    fn drop(&mut self) {
        if self.process.is_inherited() {
            // The parent's connections are left open, and locks that its threads held left alone.
            return std::mem::forget(Arc::clone(&self.inner));
        }
        self.inner.ending.send_replace(true);
        for task in self.inner.tasks().drain(..) {
            task.abort();
        }
    }
}

/// Waits for all of some futures.
pub(crate) async fn all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut open: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        open.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Inner {
    /// Begins the first load, unless it has begun; returns when that was.
    fn begin(self: &Arc<Self>) -> Instant {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        *begun.get_or_insert_with(|| {
            self.store.mark_without_specs(statsig_core::SpecSourceKind::Loading);
            let now = Instant::now();
            let inner = Arc::clone(self);
            self.spawn(async move { inner.run().await });
            let inner = Arc::clone(self);
            self.spawn(async move { inner.tell_how_it_began(now).await });
            now
        })
    }

    /// The first load, then everything that goes on in the background.
    async fn run(self: Arc<Self>) {
        let begun = Instant::now();
        if !self.options.local_mode {
            keep::spawn(&self);
            reclaim::spawn(&self);
        }
        self.load().await;
        self.store.mark_without_specs(statsig_core::SpecSourceKind::NoValues);
        if self.is_ending() {
            return;
        }
        if !self.options.local_mode {
            stream::spawn(&self);
            poll::spawn(&self);
            if !self.store.holds_specs() && !self.sources.streams.is_empty() && self.sources.initial.is_empty() {
                // No source was to bring the first specs: streams do, or polls in their place.
                let mut updates = self.acceptor.updates();
                tokio::select! {
                    _ = updates.wait_for(|time| *time > 0) => {}
                    () = self.ended() => return,
                }
            }
        }
        let details = self.details(begun, false);
        self.initialized.send_replace(Some(details));
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a task that is ended with the rest.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut ending = self.ending.subscribe();
        let handle = self.runtime.spawn(InOwnProcess::new(async move {
            tokio::select! {
                biased;
                () = task => {}
                // Tasks that have something to finish watch for the end themselves, and get a while.
                () = async {
                    let _ = ending.wait_for(|ending| *ending).await;
                    tokio::time::sleep(keep::GRACE).await;
                } => {}
            }
        }));
        let mut tasks = self.tasks();
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle);
    }

    fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Resolves when everything shall end.
    async fn ended(&self) {
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }

    async fn shutdown(&self, within: Duration, others: impl Future<Output = ()>) {
        if self.ending.send_replace(true) {
            return;
        }
        let until = deadline::from_now(within);
        let tasks = async {
            loop {
                // A task may have spawned another meanwhile.
                let Some(mut task) = self.tasks().pop() else { break };
                if timeout_at(until, &mut task).await.is_err() {
                    task.abort();
                }
            }
        };
        let _ = tokio::join!(tasks, timeout_at(until, others));
        self.close(until).await;
    }

    /// Closes sources and streams, in half of what is left, then the data stores, within [`STORES`]: of either all
    /// at once, so that one that hangs takes nobody else's time. Each is called, also when the time is up.
    async fn close(&self, until: Instant) {
        let (sources, streams) = (self.sources.every(), self.sources.every_stream());
        let sources = sources.iter().map(|source| source.close());
        let streams = streams.iter().map(|stream| stream.close());
        let left = until.saturating_duration_since(Instant::now());
        let _ = timeout_at(until - left / 2, all(sources.chain(streams))).await;
        if self.begun.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            // Nobody has used them yet.
            return;
        }
        let stores = self.sources.every_store();
        let stores = stores.iter().map(|store| async {
            if let Err(error) = store.shutdown().await {
                tracing::warn!(error = chain_of(&error), "a data store was not shut down in good order");
            }
        });
        if timeout_at(until.min(Instant::now() + STORES), all(stores)).await.is_err() {
            tracing::warn!("there was no time to shut the data stores down in good order");
        }
    }
}
