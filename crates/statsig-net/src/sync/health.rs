//! How it goes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::SpecSourceKind;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Inner;
use super::details::AttemptOutcome;
use super::options::SpecSources;
use super::persist_health::{PersistHealth, PersistLog};
use crate::metrics::{Asked, Metrics, STREAM};
use crate::sources::LastKnownGood;

/// Pause between two warnings about one trouble that goes on.
const WARN_EVERY: Duration = Duration::from_secs(120);

/// At which rate sources are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PollingState {
    /// Not begun: the first load is under way, or there is nothing to poll.
    Off,
    /// By the regular interval.
    Regular,
    /// By the long interval: a stream lives that makes polls a mere safety net.
    Slow,
    /// Paused by the application.
    Paused,
}

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// It connects, or waits for the first event.
    Connecting,
    /// It works.
    Live,
    /// It failed, and will be connected again.
    Backoff,
    /// It cannot work as things are set up, and is left alone: a store that does not tell of changes.
    Off,
}

/// How a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamHealth {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: StreamState,
    /// Failures in a row.
    pub failures: u32,
    /// Whether polling has taken over.
    pub failed_over: bool,
    /// How often it was connected again successfully.
    pub reconnections: u64,
    /// The last failure, without secrets.
    pub last_error: Option<String>,
    /// Time since the last failure.
    pub last_failure: Option<Duration>,
    /// Time until the next attempt to connect; `None` while it is connected or connecting, and when it is off.
    pub next_attempt: Option<Duration>,
    /// Means by which changes reach the client now; `None` if the stream is not the feed of a polled data store.
    pub updates: Option<UpdatesBy>,
    /// Time since the last notice; `None` if none came since the client was initialized.
    pub last_notice: Option<Duration>,
}

/// Means by which changes in a data store reach the client.
///
/// Only writers of this project announce what they store. The official proxy, other SDKs and people with a plain
/// `SET` or `HSET` do not. So a feed spares polls only while it brings notices: once it was quiet for a sync
/// interval, the store is polled at that interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpdatesBy {
    /// A notice came within the last sync interval.
    Notices,
    /// The feed is quiet or down: the store is polled.
    Polling {
        /// The pause between two polls.
        every: Duration,
    },
}

impl std::fmt::Display for UpdatesBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Notices => f.write_str("notices"),
            Self::Polling { every } => write!(f, "polling every {} s", every.as_secs_f64()),
        }
    }
}

/// How it goes with a source that was asked, or a stream that told something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SourceHealth {
    /// Its name.
    pub name: String,
    /// Questions so far.
    pub questions: u64,
    /// Time since it last answered with something that can be used, news or not.
    pub last_success: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure, without secrets; `None` once it succeeds.
    pub last_error: Option<String>,
    /// Time since a request to it began that has no answer yet, with all its attempts: a source that hangs shows here
    /// first. `None` if there is none.
    pub asking_for: Option<Duration>,
    /// Time since the last failure, also after a success; `None` if there was none.
    pub last_failure: Option<Duration>,
    /// Time until a poll may ask it again; `None` if it is not polled. A stream or a call may be sooner, and a source
    /// earlier in the list may make it needless.
    pub next_attempt: Option<Duration>,
}

/// How a background task is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// Its name, such as `specs-poller`.
    pub name: String,
    /// Whether it runs; not so after a shutdown.
    pub running: bool,
    /// How often it panicked and was started again.
    pub restarts: u64,
    /// Time since it last did what it is there for; `None` if it never has:
    ///
    /// | worker | success |
    /// | --- | --- |
    /// | `specs-poller` | a regular poll ended, in which a source answered with something that can be used, news or not. Not `sync_now`, and not the first load |
    /// | `specs-stream …` | the stream told something that can be used: specs, word that there are none, a sign of life |
    /// | `specs-keeper …` | what was accepted is where it is kept: it was written, or what is there is as new, or was kept from expiring |
    /// | `specs-reclaimer` | all specs that updates have replaced are freed |
    ///
    /// A worker with nothing to do has no successes, so an old one is no failure by itself: a keeper has none
    /// while nothing changes, and a poller few while streams live.
    pub last_success: Option<Duration>,
}

/// The number of a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker(usize);

/// How a [`SpecSync`](super::SpecSync) is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncHealth {
    /// Where the specs in force came from.
    pub source: SpecSourceKind,
    /// When the project last changed, as far as they know, in milliseconds since 1970.
    pub specs_time: u64,
    /// How long ago the specs in force were known to be the latest: time since the network last brought
    /// or confirmed them, or, for a client without network, any source; for the last run's copy, since
    /// it was received. `None` without specs, and where nobody knows: for a bootstrap document or
    /// a data store, until the network is reached.
    pub data_age: Option<Duration>,
    /// Time since a source was last reached, with or without news.
    pub last_contact: Option<Duration>,
    /// Time since specs last came into force.
    pub last_update: Option<Duration>,
    /// Failed questions in a row.
    pub failures: u32,
    /// The last failure, without secrets; `None` once a source succeeds.
    pub last_error: Option<String>,
    /// The rate of polling.
    pub polling: PollingState,
    /// Time until the next poll; zero while one is under way, `None` if nothing is polled.
    pub next_poll: Option<Duration>,
    /// Questions to sources so far.
    pub questions: u64,
    /// Documents that came into force so far.
    pub applied: u64,
    /// Documents older than what was in force.
    pub older: u64,
    /// Documents that were kept for the next start, and failures at that.
    pub kept: (u64, u64),
    /// Places in which accepted payloads are kept: the last-known-good file, the data store.
    pub persistence: Vec<PersistHealth>,
    /// Tasks and listeners that panicked.
    pub panics: u64,
    /// Sources that were asked, and streams that told something, in the order of the first time.
    pub sources: Vec<SourceHealth>,
    /// Streams, in the order of the options.
    pub streams: Vec<StreamHealth>,
    /// Background tasks, in the order in which they began.
    pub workers: Vec<WorkerHealth>,
}

/// Everything that is counted.
pub(super) struct Books {
    page: Mutex<Page>,
    /// Told without the lock on the page.
    pub(super) metrics: Metrics,
    /// The rate of polling; `None` while nothing is polled.
    pub(super) slow: watch::Sender<bool>,
    /// Counts the times that a source was reached.
    contacts: watch::Sender<u64>,
    /// The rate of polling has changed because a stream cannot work, not because one broke.
    calm: std::sync::atomic::AtomicBool,
    polling: std::sync::atomic::AtomicBool,
    kinds: Kinds,
}

/// What kinds of streams and polled sources there are.
struct Kinds {
    streams: Vec<SpecSourceKind>,
    /// Also the fallback.
    polled: Vec<SpecSourceKind>,
}

impl Kinds {
    fn of(sources: &SpecSources) -> Self {
        Self {
            streams: sources.streams.iter().map(|stream| stream.kind()).collect(),
            polled: sources.polled.iter().chain(&sources.fallback).map(|source| source.kind()).collect(),
        }
    }

    /// Whether polls are a mere safety net: a stream from the network works, or nothing is polled but
    /// stores and files that tell of changes themselves.
    fn are_followed(&self, streams: &[StreamHealth]) -> bool {
        let mut working = self.streams.iter().zip(streams).filter(|(_, stream)| !stream.failed_over);
        working.any(|(kind, _)| stream_proves_network(kind))
            || !streams.is_empty() && self.polled.iter().all(|kind| self.is_followed(kind, streams))
    }

    /// Returns whether every change in a store or a file comes by its stream, so that polls are a safety net.
    ///
    /// The feed of a data store does not qualify: only some writers announce what they store.
    fn is_followed(&self, kind: &SpecSourceKind, streams: &[StreamHealth]) -> bool {
        let mut own = self.own(kind, streams).peekable();
        *kind != SpecSourceKind::Network
            && !is_data_store(kind)
            && own.peek().is_some()
            && own.all(|(_, stream)| !stream.failed_over)
    }

    /// The streams of one kind.
    fn own<'a>(
        &'a self,
        kind: &'a SpecSourceKind,
        streams: &'a [StreamHealth],
    ) -> impl Iterator<Item = (usize, &'a StreamHealth)> {
        let all = self.streams.iter().zip(streams).enumerate();
        all.filter(move |(_, (of, _))| *of == kind).map(|(index, (_, stream))| (index, stream))
    }
}

#[derive(Debug, Default)]
struct Page {
    last_contact: Option<Instant>,
    last_network_contact: Option<Instant>,
    last_update: Option<Instant>,
    failures: u32,
    last_error: Option<String>,
    questions: u64,
    applied: u64,
    older: u64,
    kept: (u64, u64),
    persistence: Vec<PersistLog>,
    /// Time of the next poll.
    next_poll: Option<Instant>,
    panics: u64,
    sources: Vec<SourcePage>,
    streams: Vec<StreamHealth>,
    /// Of each stream: time of the last failure, and of the next attempt.
    attempts: Vec<(Option<Instant>, Option<Instant>)>,
    /// Time of the last notice of each stream.
    notices: Vec<Option<Instant>>,
    workers: Vec<WorkerPage>,
}

/// What is noted about a worker.
#[derive(Debug)]
struct WorkerPage {
    health: WorkerHealth,
    succeeded: Option<Instant>,
}

/// What is noted about a source.
#[derive(Debug, Default)]
struct SourcePage {
    health: SourceHealth,
    /// When the requests began that have no answer yet.
    asking: Vec<Instant>,
    succeeded: Option<Instant>,
    failed: Option<Instant>,
    /// When a warning last told of it.
    warned: Option<Instant>,
    /// A warning told of it, and nobody told that it is over.
    in_trouble: bool,
}

impl Page {
    fn source(&mut self, name: &str) -> &mut SourcePage {
        let at = self.sources.iter().position(|source| source.health.name == name).unwrap_or_else(|| {
            let health = SourceHealth { name: name.to_owned(), ..SourceHealth::default() };
            self.sources.push(SourcePage { health, ..SourcePage::default() });
            self.sources.len() - 1
        });
        &mut self.sources[at]
    }
}

/// A request to a source that has no answer yet.
pub(super) struct Asking<'a> {
    books: &'a Books,
    source: &'a str,
    since: Instant,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut page = self.books.page();
        let asking = &mut page.source(self.source).asking;
        if let Some(at) = asking.iter().position(|since| *since == self.since) {
            asking.swap_remove(at);
        }
    }
}

impl Books {
    pub(super) fn new(sources: &SpecSources, metrics: Metrics) -> Self {
        let kinds = Kinds::of(sources);
        let streams = sources.streams.iter().map(|stream| StreamHealth {
            name: stream.name().to_owned(),
            state: StreamState::Connecting,
            failures: 0,
            failed_over: false,
            reconnections: 0,
            last_error: None,
            last_failure: None,
            next_attempt: None,
            updates: None,
            last_notice: None,
        });
        let attempts = vec![(None, None); sources.streams.len()];
        let notices = vec![None; sources.streams.len()];
        let page = Page { streams: streams.collect(), attempts, notices, ..Page::default() };
        let slow = watch::Sender::new(kinds.are_followed(&page.streams));
        Self {
            page: Mutex::new(page),
            metrics,
            slow,
            calm: std::sync::atomic::AtomicBool::new(false),
            contacts: watch::Sender::new(0),
            polling: std::sync::atomic::AtomicBool::new(false),
            kinds,
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request to a source, until the returned value is dropped.
    pub(super) fn asking<'a>(&'a self, source: &'a str) -> Asking<'a> {
        let since = Instant::now();
        self.page().source(source).asking.push(since);
        Asking { books: self, source, since }
    }

    pub(super) fn polling_begins(&self) {
        self.polling.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Notes what became of a question, or of a document that a stream brought, and how long it took.
    pub(super) fn note(&self, asked: Asked<'_>, outcome: &AttemptOutcome, duration: Option<Duration>) {
        let (word, kind) = outcome.words();
        self.metrics.sync(asked, word, kind, duration);
        if let Some(message) = self.write_down(asked, outcome) {
            self.metrics.error("statsig::config_sync", &message);
        }
    }

    /// Returns a trouble that is worth a warning.
    fn write_down(&self, asked: Asked<'_>, outcome: &AttemptOutcome) -> Option<String> {
        let (source, now) = (asked.name, Instant::now());
        let mut page = self.page();
        page.questions += 1;
        let own = page.source(source);
        own.health.questions += 1;
        let mut warns = false;
        match outcome {
            AttemptOutcome::Failed { error, .. } => {
                own.health.failures = own.health.failures.saturating_add(1);
                own.health.last_error = Some(error.clone());
                own.failed = Some(now);
                warns = own.warned.is_none_or(|warned| now.duration_since(warned) >= WARN_EVERY);
                if warns {
                    (own.warned, own.in_trouble) = (Some(now), true);
                    let failures = own.health.failures;
                    tracing::warn!(source, error, failures, "config specs cannot be synchronised");
                } else {
                    tracing::debug!(source, error, "config specs cannot be synchronised");
                }
            }
            AttemptOutcome::Pending | AttemptOutcome::Skipped(_) => {}
            _ => {
                if std::mem::take(&mut own.in_trouble) {
                    tracing::info!(source, after = own.health.failures, "config specs are synchronised again");
                }
                (own.health.failures, own.health.last_error) = (0, None);
                own.succeeded = Some(now);
            }
        }
        match outcome {
            AttemptOutcome::Failed { error, .. } => {
                page.failures = page.failures.saturating_add(1);
                let message = format!("{source}: {error}");
                page.last_error = Some(message.clone());
                return warns.then_some(message);
            }
            AttemptOutcome::Pending | AttemptOutcome::Skipped(_) => {}
            success => {
                page.failures = 0;
                page.last_error = None;
                // Our own copy knows nothing of the world.
                if !LastKnownGood::is_source(asked.kind) {
                    page.last_contact = Some(now);
                }
                if proves_network(asked) {
                    page.last_network_contact = Some(now);
                }
                match success {
                    AttemptOutcome::Applied => {
                        page.applied += 1;
                        page.last_update = Some(now);
                    }
                    AttemptOutcome::Older => page.older += 1,
                    _ => {}
                }
                drop(page);
                self.contacts.send_modify(|contacts| *contacts += 1);
            }
        }
        None
    }

    /// Returns whether every stream of a source that is not on the network lives, and there is one.
    pub(super) fn has_live_feed(&self, kind: &SpecSourceKind) -> bool {
        let page = self.page();
        let mut own = self.kinds.own(kind, &page.streams).peekable();
        *kind != SpecSourceKind::Network
            && own.peek().is_some()
            && own.all(|(_, stream)| stream.state == StreamState::Live)
    }

    /// Returns whether the feed of a source spares its polls: it lives, and if it is that of a data store, a notice
    /// came within the given time.
    pub(super) fn spares_polls(&self, kind: &SpecSourceKind, within: Duration) -> bool {
        self.has_live_feed(kind) && (!is_data_store(kind) || self.was_noticed(kind, within))
    }

    fn was_noticed(&self, kind: &SpecSourceKind, within: Duration) -> bool {
        let page = self.page();
        let mut own = self.kinds.own(kind, &page.streams);
        own.any(|(index, _)| page.notices.get(index).copied().flatten().is_some_and(|at| at.elapsed() < within))
    }

    /// Notes that a stream brought a notice of a change.
    pub(super) fn noticed(&self, index: usize) {
        if let Some(notice) = self.page().notices.get_mut(index) {
            *notice = Some(Instant::now());
        }
    }

    /// Whether a stream may yet prove that the network was reached.
    pub(super) fn may_stream_from_network(&self) -> bool {
        let page = self.page();
        let mut usable =
            self.kinds.streams.iter().zip(&page.streams).filter(|(_, told)| told.state != StreamState::Off);
        usable.any(|(kind, _)| stream_proves_network(kind))
    }

    /// When a network source was last reached.
    pub(super) fn network_contact(&self) -> Option<Instant> {
        self.page().last_network_contact
    }

    /// When a source was last reached.
    pub(super) fn contact(&self) -> Option<Instant> {
        self.page().last_contact
    }

    /// Tells of every contact.
    pub(super) fn contacts(&self) -> watch::Receiver<u64> {
        self.contacts.subscribe()
    }

    /// Notes a write of an accepted payload, or why it failed and when it is repeated.
    pub(super) fn kept(&self, place: &'static str, written: Result<(), &str>, retry_after: Option<Duration>) {
        {
            let mut page = self.page();
            match written {
                Ok(()) => page.kept.0 += 1,
                Err(_) => page.kept.1 += 1,
            }
            let at = page.persistence.iter().position(|log| log.place() == place).unwrap_or_else(|| {
                page.persistence.push(PersistLog::new(place));
                page.persistence.len() - 1
            });
            page.persistence[at].note(written, retry_after);
        }
        self.metrics.kept(place, written.is_ok());
    }

    /// Notes when the next poll is due.
    pub(super) fn next_poll(&self, due: Instant) {
        self.page().next_poll = Some(due);
    }

    /// Notes a failure of a stream, and when it is connected again.
    pub(super) fn stream_retries(&self, index: usize, retry_after: Duration) {
        if let Some(attempt) = self.page().attempts.get_mut(index) {
            let now = Instant::now();
            *attempt = (Some(now), now.checked_add(retry_after));
        }
    }

    /// Counts a panic of a task.
    pub(super) fn panicked(&self, task: &str) {
        self.page().panics += 1;
        self.metrics.panicked(task);
    }

    /// A new background task; returns its number.
    pub(super) fn worker_begins(&self, name: &str) -> Worker {
        let workers = &mut self.page().workers;
        let health = WorkerHealth { name: name.to_owned(), running: true, restarts: 0, last_success: None };
        workers.push(WorkerPage { health, succeeded: None });
        Worker(workers.len() - 1)
    }

    /// A worker did what it is there for.
    pub(super) fn succeeded(&self, Worker(worker): Worker) {
        if let Some(worker) = self.page().workers.get_mut(worker) {
            worker.succeeded = Some(Instant::now());
        }
    }

    /// A task panicked, and will be started again.
    pub(super) fn worker_restarts(&self, Worker(worker): Worker) {
        let name = {
            let mut page = self.page();
            page.panics += 1;
            page.workers.get_mut(worker).map(|worker| {
                worker.health.restarts += 1;
                worker.health.name.clone()
            })
        };
        self.metrics.panicked(name.as_deref().unwrap_or_default());
    }

    pub(super) fn worker_ends(&self, Worker(worker): Worker) {
        if let Some(worker) = self.page().workers.get_mut(worker) {
            worker.health.running = false;
        }
    }

    /// Changes what is known about a stream, and with it the rate of polling.
    pub(super) fn stream(&self, index: usize, change: impl FnOnce(&mut StreamHealth)) {
        let slow = {
            let mut page = self.page();
            if let Some(stream) = page.streams.get_mut(index) {
                change(stream);
            }
            self.kinds.are_followed(&page.streams)
        };
        self.slow.send_if_modified(|known| std::mem::replace(known, slow) != slow);
    }
}

/// Whether an answer from there proves that Statsig's servers, or a proxy in their place, were
/// reached. A data store or a file tells only that somebody writes it; other streams are connections.
fn proves_network(asked: Asked<'_>) -> bool {
    *asked.kind == SpecSourceKind::Network || asked.trigger == STREAM && stream_proves_network(asked.kind)
}

/// Whether a stream of this kind proves that.
fn stream_proves_network(kind: &SpecSourceKind) -> bool {
    match kind {
        SpecSourceKind::Network => true,
        SpecSourceKind::Adapter(name) => !matches!(&**name, "DataStore" | "FileBased"),
        _ => false,
    }
}

/// Returns whether a source or a stream reads a data store.
fn is_data_store(kind: &SpecSourceKind) -> bool {
    matches!(kind, SpecSourceKind::Adapter(name) if &**name == "DataStore")
}

impl Books {
    /// Notes that a stream will never work. Polls go on at the regular rate; none is made at once because
    /// of it.
    pub(super) fn stream_is_off(&self, index: usize, why: String) {
        let slow = {
            let mut page = self.page();
            if let Some(stream) = page.streams.get_mut(index) {
                (stream.state, stream.failed_over, stream.last_error) = (StreamState::Off, true, Some(why));
            }
            self.kinds.are_followed(&page.streams)
        };
        self.slow.send_if_modified(|known| {
            let changes = std::mem::replace(known, slow) != slow;
            self.calm.store(changes, std::sync::atomic::Ordering::Relaxed);
            changes
        });
        // Who waits for the network may have nothing to wait for any more.
        self.contacts.send_modify(|contacts| *contacts += 1);
    }

    /// Whether the rate has changed for no reason to poll at once; tells so once.
    pub(super) fn takes_it_calmly(&self) -> bool {
        self.calm.swap(false, std::sync::atomic::Ordering::Relaxed)
    }
}

impl Inner {
    pub(super) fn health(&self) -> SyncHealth {
        let snapshot = self.store.load_full();
        let polling = match (self.books.polling.load(std::sync::atomic::Ordering::Relaxed), *self.paused.borrow()) {
            (false, _) => PollingState::Off,
            (true, true) => PollingState::Paused,
            (true, false) if *self.books.slow.borrow() => PollingState::Slow,
            (true, false) => PollingState::Regular,
        };
        let data_age = self.data_age();
        let streams = self.stream_health();
        let next = self.next_attempts();
        let page = self.books.page();
        let sources = page.sources.iter().map(|source| SourceHealth {
            last_success: source.succeeded.map(|at| at.elapsed()),
            asking_for: source.asking.iter().min().map(Instant::elapsed),
            last_failure: source.failed.map(|at| at.elapsed()),
            next_attempt: next.iter().find(|(name, _)| *name == source.health.name).map(|(_, left)| *left),
            ..source.health.clone()
        });
        let workers = page.workers.iter().map(|worker| WorkerHealth {
            last_success: worker.succeeded.map(|at| at.elapsed()),
            ..worker.health.clone()
        });
        let now = Instant::now();
        let streams = streams.into_iter().zip(&page.attempts).map(|(stream, (failed, next))| StreamHealth {
            last_failure: failed.map(|at| at.elapsed()),
            next_attempt: next
                .filter(|_| stream.state == StreamState::Backoff)
                .map(|at| at.saturating_duration_since(now)),
            ..stream
        });
        let next_poll = page.next_poll.filter(|_| polling != PollingState::Off && polling != PollingState::Paused);
        SyncHealth {
            source: snapshot.source().clone(),
            specs_time: snapshot.ruleset().meta().time,
            data_age,
            last_contact: page.last_contact.map(|at| at.elapsed()),
            last_update: page.last_update.map(|at| at.elapsed()),
            failures: page.failures,
            last_error: page.last_error.clone(),
            polling,
            next_poll: next_poll.filter(|_| !self.is_ending()).map(|at| at.saturating_duration_since(now)),
            questions: page.questions,
            applied: page.applied,
            older: page.older,
            kept: page.kept,
            persistence: page.persistence.iter().map(PersistLog::health).collect(),
            panics: page.panics + self.acceptor.listener_panics(),
            sources: sources.collect(),
            streams: streams.collect(),
            workers: workers.collect(),
        }
    }

    /// Health of the streams, with the means by which changes come.
    fn stream_health(&self) -> Vec<StreamHealth> {
        let options = &self.options;
        let every = if *self.books.slow.borrow() { options.slow_poll_interval } else { options.poll_interval };
        let kinds = &self.books.kinds;
        let updates = |kind: &SpecSourceKind| {
            let is_polled = kinds.polled.contains(kind) && is_data_store(kind);
            let by_notices = || self.books.spares_polls(kind, options.poll_interval);
            is_polled.then(|| if by_notices() { UpdatesBy::Notices } else { UpdatesBy::Polling { every } })
        };
        let updates: Vec<_> = kinds.streams.iter().map(updates).collect();
        let page = self.books.page();
        let streams = page.streams.iter().zip(updates).zip(&page.notices);
        streams
            .map(|((stream, updates), notice)| StreamHealth {
                updates,
                last_notice: notice.map(|at| at.elapsed()),
                ..stream.clone()
            })
            .collect()
    }
}
