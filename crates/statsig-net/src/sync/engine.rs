//! Wires the parts of the synchronisation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use statsig_background::{ForkGuard, TaskSupervisor, UniformRandom};
use statsig_core::{Clock, PayloadFormat, Reach, SpecOrigin, SpecSource, SpecTarget};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::acceptor::{AcceptorOptions, EngineParts, PayloadAcceptor};
use super::delta_policy::DeltaPolicy;
use super::details::{InitializeDetails, last_error};
use super::fetcher::Fetcher;
use super::health::{HealthParts, SyncHealth};
use super::initial_load::InitialLoad;
use super::options::{SpecSources, SyncOptions};
use super::outcome::{AttemptOutcome, SourceAttempt};
use super::persister::{Destination, Persister};
use super::poller::{Poller, StalenessLimits};
use super::readiness::Readiness;
use super::reclaimer;
use super::schedule::{PollSchedule, PollTiming};
use super::stats::SyncStats;
use super::stream_health::{SourceIdentity, StreamStates};
use super::stream_supervisor::StreamSupervisor;
use super::write_back::WriteBackQueue;
use crate::metrics::{InitializationReport, Metrics};
use crate::secret::chain_of;
use crate::{concurrent, deadline};

/// Longest time for the data stores to shut down.
const STORES: Duration = Duration::from_secs(5);

/// The parts, and what only their wiring needs.
pub(super) struct Engine {
    pub(super) options: SyncOptions,
    sources: SpecSources,
    pub(super) acceptor: PayloadAcceptor,
    stats: Arc<SyncStats>,
    streams: Arc<StreamStates>,
    pub(super) poller: Arc<Poller>,
    pub(super) readiness: Readiness,
    initial_load: InitialLoad,
    /// Whether each source of the first load is the fallback.
    is_fallback: Vec<bool>,
    pub(super) tasks: TaskSupervisor,
    /// Wakes the poller.
    poll_now: Arc<Notify>,
    /// The details, once the first load has ended.
    pub(super) initialized: watch::Sender<Option<InitializeDetails>>,
    /// Begin of the first load.
    begun: Mutex<Option<Instant>>,
    is_polling: AtomicBool,
}

fn identity_of(source: &Arc<dyn SpecSource>) -> SourceIdentity {
    (source.origin(), source.reach())
}

impl Engine {
    pub(super) fn new(
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
        let fetcher = Fetcher { acceptor: acceptor.clone(), stats: Arc::clone(&stats), stop: tasks.stop_signal() };
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
            is_polling: AtomicBool::new(false),
        }
    }

    /// Resolves when everything is to end.
    pub(super) async fn stopped(&self) {
        self.tasks.stop_signal().stopped().await;
    }

    /// Begins the first load, unless it has begun; returns the time of its begin.
    pub(super) fn begin(self: &Arc<Self>) -> Instant {
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
        self.is_polling.store(true, Ordering::Relaxed);
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

    pub(super) fn health(&self) -> SyncHealth {
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
        parts.read(self.is_polling.load(Ordering::Relaxed))
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
        let details = details.unwrap_or_else(|| self.details(begun, false));
        self.stats.metrics().initialization(&InitializationReport {
            is_success: details.init_success,
            has_specs: details.is_config_spec_ready,
            timed_out: details.timed_out,
            origin: &details.source,
            address: details.source_api.as_deref(),
            duration: details.duration,
        });
    }

    /// Returns the details of a load that did not begin.
    pub(super) fn details_of_target(&self) -> InitializeDetails {
        let specs = self.acceptor.specs();
        InitializeDetails {
            is_config_spec_ready: specs.version.is_some(),
            specs_time: specs.version.map_or(0, |version| version.time_ms),
            source: specs.origin,
            ..InitializeDetails::default()
        }
    }

    /// Returns the details as of now.
    pub(super) fn details(&self, begun: Instant, timed_out: bool) -> InitializeDetails {
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
            error: last_error(&attempts, timed_out),
            attempts,
            ..self.details_of_target()
        }
    }

    pub(super) async fn shutdown(&self, within: Duration, others: impl Future<Output = ()>) {
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
