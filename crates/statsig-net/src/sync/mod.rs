//! Keeps the current config specs up to date.
//!
//! ```text
//! sources ──▶ InitialLoad, Poller ──┐
//!                                   ├──▶ PayloadAcceptor ──▶ SpecTarget: RulesetTarget, PayloadTarget
//! streams ──▶ StreamSupervisor ─────┘          │
//!                                              ├──▶ listener
//!                                              └──▶ WriteBackQueue ──▶ Persister: data store, disk
//! ```
//!
//! | file | content |
//! | --- | --- |
//! | `acceptor`, `turn` | the only way in for payloads: judges them one at a time, hands them to the target |
//! | `fetcher` | one fetch from one source |
//! | `delta_policy` | whether a fetch accepts a delta, or is full |
//! | `initial_load` | the first load: sources in order, or overlapping, within a time |
//! | `schedule` | when to poll which source: a state machine without I/O |
//! | `poller` | polls by the schedule, and on demand |
//! | `stream_supervisor` | subscriptions: backoff, failover to polling, liveness |
//! | `write_back`, `store_writer`, `persister` | accepted payloads, for the next start and other processes |
//! | `reclaimer` | frees what was replaced |
//! | `readiness` | waiting for specs that are good enough |
//! | `stats`, `source_health`, `stream_health`, `persist_health`, `health` | records, and the health read from them |
//! | `outcome`, `details`, `updated`, `options` | reports and options |
//!
//! Each part gets its inputs and nothing else; this file alone knows all of them. Invariants: specs never go back to
//! older ones; a payload that cannot be used changes nothing; every task is supervised and ends at shutdown; no
//! evaluation waits for anything here.

mod acceptor;
mod delta_policy;
mod details;
mod fetcher;
mod health;
mod initial_load;
mod options;
mod outcome;
mod persist_health;
mod persister;
mod poller;
mod readiness;
mod reclaimer;
mod schedule;
mod source_health;
mod stats;
mod store_writer;
mod stream_health;
mod stream_supervisor;
mod turn;
mod updated;
mod write_back;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use statsig_background::{ForkGuard, TaskSupervisor, UniformRandom};
use statsig_core::{Clock, PayloadFormat, Reach, SpecOrigin, SpecSource, SpecTarget, SpecTrigger};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::acceptor::{AcceptorOptions, PayloadAcceptor};
pub use self::details::InitializeDetails;
pub use self::health::{PollingState, SyncHealth};
pub use self::options::{FollowedStream, SpecSources, StreamOptions, SyncOptions};
pub use self::outcome::{AttemptOutcome, SourceAttempt, SyncReport};
pub use self::persist_health::PersistHealth;
pub use self::readiness::ReadyPolicy;
pub use self::source_health::SourceHealth;
pub use self::store_writer::StoreWriter;
pub use self::stream_health::{StreamHealth, StreamState, UpdatesBy};
pub use self::updated::{SpecsListener, SpecsUpdated};

use self::acceptor::EngineParts;
use self::delta_policy::DeltaPolicy;
use self::fetcher::Fetcher;
use self::health::HealthParts;
use self::initial_load::InitialLoad;
use self::persister::{Destination, Persister};
use self::poller::{Poller, StalenessLimits};
use self::readiness::Readiness;
use self::schedule::{PollSchedule, PollTiming};
use self::stats::SyncStats;
use self::stream_health::{SourceIdentity, StreamStates};
use self::stream_supervisor::StreamSupervisor;
use self::write_back::WriteBackQueue;
use crate::metrics::Metrics;
use crate::secret::chain_of;
use crate::{INHERITED, concurrent, deadline};

/// Longest time for the data stores to shut down.
const STORES: Duration = Duration::from_secs(5);

/// Loads config specs into a target, and keeps them up to date in the background.
///
/// The target is the ruleset of a client ([`RulesetTarget`](crate::RulesetTarget)) or a feed of a proxy
/// ([`PayloadTarget`](crate::PayloadTarget)). Ends its tasks when [`shutdown`](Self::shutdown) or dropped. Nothing is
/// spawned before [`initialize`](Self::initialize).
///
/// Belongs to the process that set it up. In a forked child every call that would wait returns at once, and
/// nothing is fetched, written or closed: set up another one there.
///
/// ```
/// use std::sync::Arc;
/// use statsig_core::{FixedClock, Snapshot, SnapshotStore, SpecOrigin};
/// use statsig_net::sources::BootstrapSpecSource;
/// use statsig_net::{RulesetTarget, SpecSources, SpecSync, SyncOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = Arc::new(FixedClock(1_700_000_000_000));
/// let specs = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
/// let sources = SpecSources::new().then(Arc::new(BootstrapSpecSource::new(&specs[..], clock.clone())));
/// let target = RulesetTarget::new(Arc::clone(&store));
/// let runtime = tokio::runtime::Handle::current();
///
/// let sync = SpecSync::new(SyncOptions::default(), target, sources, clock, &runtime);
/// let details = sync.initialize().await;
/// assert!(details.is_config_spec_ready);
/// assert_eq!(details.source, SpecOrigin::Bootstrap);
/// assert_eq!(store.load().ruleset().meta().time, 5);
/// sync.shutdown(std::time::Duration::from_secs(3)).await;
/// # }
/// ```
pub struct SpecSync {
    engine: Arc<Engine>,
    process: ForkGuard,
}

/// The parts, and what only their wiring needs.
struct Engine {
    options: SyncOptions,
    sources: SpecSources,
    acceptor: PayloadAcceptor,
    stats: Arc<SyncStats>,
    streams: Arc<StreamStates>,
    poller: Arc<Poller>,
    readiness: Readiness,
    initial_load: InitialLoad,
    /// Whether each source of the first load is the fallback.
    is_fallback: Vec<bool>,
    tasks: TaskSupervisor,
    /// Wakes the poller.
    poll_now: Arc<Notify>,
    /// The details, once the first load has ended.
    initialized: watch::Sender<Option<InitializeDetails>>,
    /// Begin of the first load.
    begun: Mutex<Option<Instant>>,
    is_polling: std::sync::atomic::AtomicBool,
}

impl std::fmt::Debug for SpecSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpecSync").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl SpecSync {
    /// Sets everything up. Spawns nothing.
    ///
    /// Accepted payloads go to `target`; `clock` dates them. Tasks run on `runtime`, with its timers.
    #[must_use]
    pub fn new(
        options: SyncOptions,
        target: Arc<dyn SpecTarget>,
        sources: SpecSources,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        Self { engine: Arc::new(Engine::new(options.sane(), target, sources, clock, runtime)), process: ForkGuard::new() }
    }

    /// Loads specs for the first time, then keeps them up to date in the background.
    ///
    /// Returns when there are specs, or all sources have failed, or the `init_timeout` of the
    /// options is over; loading goes on in the last case. Never an error: the details contain it. Further
    /// calls wait for the first, and return the same.
    ///
    /// # Cancel safety
    /// Loading goes on.
    pub async fn initialize(&self) -> InitializeDetails {
        let engine = &self.engine;
        if self.process.is_inherited() {
            return engine.details_of_target().refused(INHERITED);
        }
        let begun = engine.begin();
        let mut initialized = engine.initialized.subscribe();
        let done = async {
            tokio::select! {
                biased;
                details = initialized.wait_for(Option::is_some) => details.ok().and_then(|details| details.clone()),
                () = engine.stopped() => None,
            }
        };
        let result = match engine.options.init_timeout {
            Some(limit) => timeout_at(deadline::after(begun, limit), done).await,
            None => Ok(done.await),
        };
        match result {
            Ok(Some(details)) => details,
            // The client is shut down, or its runtime ended: the details so far have to do.
            Ok(None) => engine.details(begun, false),
            Err(_) => engine.details(begun, true),
        }
    }

    /// Returns what [`initialize`](Self::initialize) returns, once the first load has ended; `None` before.
    #[must_use]
    pub fn details(&self) -> Option<InitializeDetails> {
        self.engine.initialized.borrow().clone()
    }

    /// Waits until there are specs that are good enough; `false` if the time is over or everything ends
    /// before. Begins nothing: that is [`initialize`](Self::initialize).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        if self.process.is_inherited() {
            return policy == ReadyPolicy::Any && self.engine.acceptor.has_specs();
        }
        self.engine.readiness.wait(policy, within).await
    }

    /// Fetches from the polled sources now, until one has something new.
    ///
    /// Waits for a poll that is under way. Begins at once: pauses, also those that a server asked for,
    /// do not count.
    ///
    /// # Cancel safety
    /// What was accepted before stays current.
    pub async fn sync_now(&self) -> SyncReport {
        if self.process.is_inherited() {
            return SyncReport::not_asked(INHERITED);
        }
        if self.engine.tasks.is_stopping() {
            return SyncReport::default();
        }
        self.engine.poller.cycle(SpecTrigger::Manual, true).await.0
    }

    /// Skips regular polls until [`resume_polling`](Self::resume_polling). Streams go on: when one
    /// announces a change, sources are polled all the same.
    pub fn pause_polling(&self) {
        self.engine.poller.set_paused(true);
    }

    /// Ends [`pause_polling`](Self::pause_polling).
    pub fn resume_polling(&self) {
        self.engine.poller.set_paused(false);
    }

    /// Returns the health as of now. Takes short locks that no evaluation takes.
    #[must_use]
    pub fn health(&self) -> SyncHealth {
        self.engine.health()
    }

    /// Returns the acceptor, for payloads that the application supplies.
    #[must_use]
    pub fn acceptor(&self) -> &PayloadAcceptor {
        &self.engine.acceptor
    }

    /// Follows the time of the current specs, in milliseconds since 1970; 0 while there are none.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.engine.acceptor.updates()
    }

    /// Ends all tasks within a time: gives what was accepted last a chance to be persisted, and cuts off what is
    /// left. Then closes sources and streams, and shuts data stores down, each once: also a store that is
    /// read, followed and written, or only one of these. A second call does nothing.
    pub async fn shutdown(&self, within: Duration) {
        self.shutdown_with(within, std::future::ready(())).await;
    }

    /// Does the same with others that use the data stores: they end at the same time, and until they have, as far
    /// as the time allows, nothing is closed.
    pub async fn shutdown_with(&self, within: Duration, others: impl Future<Output = ()>) {
        if !self.process.is_inherited() {
            self.engine.shutdown(within, others).await;
        }
    }
}

impl Drop for SpecSync {
    fn drop(&mut self) {
        if self.process.is_inherited() {
            // The parent's connections stay open, and locks that its threads held are left alone.
            return std::mem::forget(Arc::clone(&self.engine));
        }
        self.engine.tasks.abort();
    }
}

fn identity_of(source: &Arc<dyn SpecSource>) -> SourceIdentity {
    (source.origin(), source.reach())
}

impl Engine {
    fn new(
        options: SyncOptions,
        target: Arc<dyn SpecTarget>,
        sources: SpecSources,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let random = || UniformRandom::new(options.jitter_seed);
        let metrics = Metrics::new(options.observer.clone());
        let tasks = TaskSupervisor::new(runtime, metrics.observer(), random());
        let has_store = sources.write_back.as_ref().is_some_and(|writer| !writer.store().is_read_only());
        // Clients that write to a data store fetch full payloads, never deltas.
        let has_deltas = options.deltas && !has_store && target.accepts(PayloadFormat::Protobuf);
        let parts = EngineParts {
            queue: Arc::new(WriteBackQueue::new(has_store, sources.last_known_good.is_some())),
            deltas: DeltaPolicy::new(has_deltas, options.delta_no_progress_threshold),
            encodings: options.encodings,
            process: Some(ForkGuard::new()),
        };
        let acceptor_options = AcceptorOptions {
            sdk_key: options.sdk_key.clone(),
            on_update: options.on_update.clone(),
            observer: options.observer.clone(),
        };
        let acceptor =
            PayloadAcceptor::with_parts(target, acceptor_options, Arc::clone(&clock), metrics.clone(), parts);
        let stats = Arc::new(SyncStats::new(metrics));
        let polled: Vec<Arc<dyn SpecSource>> = sources.polled.iter().chain(&sources.fallback).cloned().collect();
        let identities = sources.streams.iter().map(|followed| {
            let stream = &followed.stream;
            (stream.name().to_owned(), (stream.origin(), stream.reach()))
        });
        let streams = StreamStates::new(identities.collect(), polled.iter().map(identity_of).collect());
        let streams = Arc::new(streams);
        let fetcher =
            Fetcher { acceptor: acceptor.clone(), stats: Arc::clone(&stats), stop: tasks.stop_signal() };
        let poll_now = Arc::new(Notify::new());
        let timing = PollTiming {
            interval: options.poll_interval,
            slow_interval: options.slow_poll_interval,
            longest_backoff: options.longest_poll_backoff(),
            fallback_every: options.fallback_every,
        };
        let reaches: Vec<Reach> = sources.polled.iter().map(|source| source.reach()).collect();
        let fallback = sources.fallback.as_ref().map(|source| source.reach());
        let poller = Poller::new(
            polled,
            PollSchedule::new(timing, &reaches, fallback, options.local_mode, random()),
            fetcher.clone(),
            Arc::clone(&streams),
            Arc::clone(&poll_now),
            Arc::clone(&clock),
            options.poll_interval,
            StalenessLimits { out_of_sync: options.out_of_sync_threshold, max_silence: options.max_silence },
        );
        let (at_start, is_fallback) = sources.at_start().into_iter().unzip();
        let initial_load = InitialLoad {
            sources: at_start,
            fetcher,
            tasks: tasks.clone(),
            init_timeout: options.init_timeout,
            hedge_after: options.hedge_after,
            is_offline: options.local_mode,
            attempts: Arc::default(),
        };
        let readiness = Readiness {
            acceptor: acceptor.clone(),
            stats: Arc::clone(&stats),
            streams: Arc::clone(&streams),
            has_upstream_source: sources.every().iter().any(|source| source.reach() == Reach::Upstream),
            is_offline: options.local_mode,
            clock,
            stop: tasks.stop_signal(),
        };
        Self {
            options,
            sources,
            acceptor,
            stats,
            streams,
            poller: Arc::new(poller),
            readiness,
            initial_load,
            is_fallback,
            tasks,
            poll_now,
            initialized: watch::Sender::new(None),
            begun: Mutex::new(None),
            is_polling: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Resolves when everything is to end.
    async fn stopped(&self) {
        self.tasks.stop_signal().stopped().await;
    }

    /// Begins the first load, unless it has begun; returns the time of its begin.
    fn begin(self: &Arc<Self>) -> Instant {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        *begun.get_or_insert_with(|| {
            self.acceptor.target().mark_without_specs(SpecOrigin::Loading);
            let now = Instant::now();
            let engine = Arc::clone(self);
            self.tasks.spawn(async move { engine.run().await });
            let engine = Arc::clone(self);
            self.tasks.spawn(async move { engine.report_initialization(now).await });
            now
        })
    }

    /// Runs the first load, then starts everything that goes on in the background.
    async fn run(&self) {
        let begun = Instant::now();
        if !self.options.local_mode {
            self.spawn_persisters();
            self.spawn_reclaimer();
        }
        self.initial_load.run().await;
        self.acceptor.target().mark_without_specs(SpecOrigin::NoValues);
        if self.tasks.is_stopping() {
            return;
        }
        if !self.options.local_mode {
            self.spawn_streams();
            self.spawn_poller();
            let streams_come_first = !self.sources.streams.is_empty() && self.sources.initial.is_empty();
            if streams_come_first && !self.acceptor.has_specs() {
                // Streams bring the first specs, or polls in their place.
                let mut updates = self.acceptor.updates();
                tokio::select! {
                    _ = updates.wait_for(|time| *time > 0) => {}
                    () = self.stopped() => return,
                }
            }
        }
        let details = self.details(begun, false);
        self.initialized.send_replace(Some(details));
    }

    fn spawn_persisters(&self) {
        let queue = self.acceptor.queue();
        let store = self.sources.write_back.clone().filter(|_| queue.store().is_some()).map(Destination::Store);
        let disk = self.sources.last_known_good.clone().map(Destination::Disk);
        for destination in [store, disk].into_iter().flatten() {
            let name = destination.worker_name();
            let persister = Arc::new(Persister {
                destination,
                queue: Arc::clone(queue),
                stats: Arc::clone(&self.stats),
                random: UniformRandom::new(self.options.jitter_seed),
            });
            self.tasks.spawn_worker(name, move |worker| {
                let persister = Arc::clone(&persister);
                async move { persister.run(&worker).await }
            });
        }
    }

    fn spawn_reclaimer(&self) {
        let (target, acceptor) = (Arc::clone(self.acceptor.target()), self.acceptor.clone());
        self.tasks.spawn_worker("specs-reclaimer", move |worker| {
            let (target, updates) = (Arc::clone(&target), acceptor.updates());
            async move { reclaimer::run(&target, updates, &worker).await }
        });
    }

    fn spawn_streams(&self) {
        for (index, followed) in self.sources.streams.iter().enumerate() {
            let name = format!("specs-stream {}", followed.stream.name());
            let supervisor = Arc::new(StreamSupervisor {
                stream: Arc::clone(&followed.stream),
                options: followed.options.clone(),
                index,
                acceptor: self.acceptor.clone(),
                stats: Arc::clone(&self.stats),
                states: Arc::clone(&self.streams),
                poll_now: Arc::clone(&self.poll_now),
                random: UniformRandom::new(self.options.jitter_seed),
            });
            self.tasks.spawn_worker(name, move |worker| {
                let supervisor = Arc::clone(&supervisor);
                async move { supervisor.run(&worker).await }
            });
        }
    }

    fn spawn_poller(&self) {
        if !self.poller.has_sources() {
            return;
        }
        self.is_polling.store(true, std::sync::atomic::Ordering::Relaxed);
        let (first, started) = (self.poller.first_pause(), Instant::now());
        let poller = Arc::clone(&self.poller);
        self.tasks.spawn_worker("specs-poller", move |worker| {
            let poller = Arc::clone(&poller);
            async move {
                let pause = first.saturating_sub(started.elapsed());
                poller.run(&worker, pause).await;
            }
        });
    }

    fn health(&self) -> SyncHealth {
        let parts = HealthParts {
            acceptor: &self.acceptor,
            stats: &self.stats,
            streams: &self.streams,
            poller: &self.poller,
            readiness: &self.readiness,
            tasks: &self.tasks,
            interval: self.options.poll_interval,
            slow_interval: self.options.slow_poll_interval,
        };
        parts.read(self.is_polling.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Reports to the observer what `initialize` returns to the application, and when it does.
    async fn report_initialization(&self, begun: Instant) {
        let mut initialized = self.initialized.subscribe();
        let limit = self.options.init_timeout;
        let details = tokio::select! {
            biased;
            Ok(details) = initialized.wait_for(Option::is_some) => details.clone(),
            () = self.stopped() => None,
            () = async { sleep_until(deadline::after(begun, limit.unwrap_or_default())).await }, if limit.is_some() => {
                Some(self.details(begun, true))
            }
        };
        self.stats.metrics().initialization(&details.unwrap_or_else(|| self.details(begun, false)));
    }

    /// Returns the details of a load that did not begin.
    fn details_of_target(&self) -> InitializeDetails {
        let specs = self.acceptor.specs();
        InitializeDetails {
            is_config_spec_ready: specs.version.is_some(),
            specs_time: specs.version.map_or(0, |version| version.time_ms),
            source: specs.origin,
            ..InitializeDetails::default()
        }
    }

    /// Returns the details as of now.
    fn details(&self, begun: Instant, timed_out: bool) -> InitializeDetails {
        let mut attempts = self.initial_load.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for attempt in attempts.iter_mut().filter(|attempt| attempt.outcome == AttemptOutcome::Pending) {
            attempt.duration = begun.elapsed().saturating_sub(attempt.started_after);
        }
        // The fetches are those of the sources of the first load, in their order.
        let is_used = |attempt: &SourceAttempt| !matches!(attempt.outcome, AttemptOutcome::Skipped(_));
        let fallback_spec_used =
            attempts.iter().zip(&self.is_fallback).any(|(attempt, is_fallback)| *is_fallback && is_used(attempt));
        InitializeDetails {
            duration: begun.elapsed(),
            init_success: !timed_out && !self.tasks.is_stopping(),
            timed_out,
            source_api: self.acceptor.address(),
            data_age: self.readiness.data_age(),
            fallback_spec_used,
            error: details::last_error(&attempts, timed_out),
            attempts,
            ..self.details_of_target()
        }
    }

    async fn shutdown(&self, within: Duration, others: impl Future<Output = ()>) {
        if !self.tasks.stop() {
            return;
        }
        let until = deadline::from_now(within);
        let _ = tokio::join!(self.tasks.shutdown(within), timeout_at(until, others));
        self.close(until).await;
    }

    /// Closes sources and streams, in half of what is left, then the data stores, within [`STORES`]: of either all
    /// at once, so that one that hangs takes nobody else's time. Each is called, also when the time is over.
    async fn close(&self, until: Instant) {
        let (sources, streams) = (self.sources.every(), self.sources.every_stream());
        let sources = sources.iter().map(|source| source.close());
        let streams = streams.iter().map(|stream| stream.close());
        let left = until.saturating_duration_since(Instant::now());
        let _ = timeout_at(until - left / 2, concurrent::all(sources.chain(streams))).await;
        if self.begun.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            // Nothing has used them yet.
            return;
        }
        let stores = self.sources.every_store();
        let stores = stores.iter().map(|store| async {
            if let Err(error) = store.shutdown().await {
                tracing::warn!(error = chain_of(&error), "failed to shut a data store down");
            }
        });
        if timeout_at(until.min(Instant::now() + STORES), concurrent::all(stores)).await.is_err() {
            tracing::warn!("failed to shut the data stores down in time");
        }
    }
}
