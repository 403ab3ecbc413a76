//! Health of streams, and the rate of polls that follows from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_core::{Reach, SpecOrigin};
use tokio::sync::watch;
use tokio::time::Instant;

/// State of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// The stream connects, or waits for the first event.
    Connecting,
    /// The stream works.
    Live,
    /// The stream failed, and will be connected again.
    Backoff,
    /// The stream cannot work as things are set up, and is left alone: a store that announces no changes.
    Off,
}

/// Health of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamHealth {
    /// Name of the stream.
    pub name: String,
    /// State of the stream.
    pub state: StreamState,
    /// Failures in a row.
    pub failures: u32,
    /// Whether polling has taken over.
    pub failed_over: bool,
    /// Number of successful connections after a failure.
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

/// Identity of a source or stream: a stream follows the source of the same origin and reach.
pub(super) type SourceIdentity = (SpecOrigin, Reach);

/// A polled source as its stream sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedState {
    /// No stream follows the source, or one of them is not live.
    None,
    /// Every stream of the source is live.
    Live,
    /// The same, and polls of the source may be left out.
    SparesPolls,
}

/// States of all streams.
pub(super) struct StreamStates {
    records: Mutex<Vec<StreamRecord>>,
    streams: Vec<SourceIdentity>,
    /// The polled sources, and the fallback.
    polled: Vec<SourceIdentity>,
    /// Whether polls are only a safety net.
    slow: watch::Sender<bool>,
    /// Whether the rate changed because a stream cannot work, not because one broke.
    needs_no_poll: AtomicBool,
}

#[derive(Debug)]
struct StreamRecord {
    health: StreamHealth,
    failed: Option<Instant>,
    next_attempt: Option<Instant>,
    notice: Option<Instant>,
}

impl StreamStates {
    pub(super) fn new(streams: Vec<(String, SourceIdentity)>, polled: Vec<SourceIdentity>) -> Self {
        let record = |name: &String| StreamRecord {
            health: StreamHealth {
                name: name.clone(),
                state: StreamState::Connecting,
                failures: 0,
                failed_over: false,
                reconnections: 0,
                last_error: None,
                last_failure: None,
                next_attempt: None,
                updates: None,
                last_notice: None,
            },
            failed: None,
            next_attempt: None,
            notice: None,
        };
        let records: Vec<_> = streams.iter().map(|(name, _)| record(name)).collect();
        let streams = streams.into_iter().map(|(_, identity)| identity).collect();
        let states = Self {
            records: Mutex::new(records),
            streams,
            polled,
            slow: watch::Sender::new(false),
            needs_no_poll: AtomicBool::new(false),
        };
        let is_slow = states.are_polls_a_safety_net(&states.records());
        states.slow.send_replace(is_slow);
        states
    }

    fn records(&self) -> MutexGuard<'_, Vec<StreamRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows whether polls are only a safety net.
    pub(super) fn slow(&self) -> watch::Receiver<bool> {
        self.slow.subscribe()
    }

    pub(super) fn is_slow(&self) -> bool {
        *self.slow.borrow()
    }

    /// Returns whether the last change of the rate is no reason to poll at once; only once for each change.
    pub(super) fn take_needs_no_poll(&self) -> bool {
        self.needs_no_poll.swap(false, Ordering::Relaxed)
    }

    /// Returns whether a stream may still prove contact with the upstream.
    pub(super) fn may_reach_upstream(&self) -> bool {
        let records = self.records();
        let mut usable =
            self.streams.iter().zip(&*records).filter(|(_, record)| record.health.state != StreamState::Off);
        usable.any(|((_, reach), _)| *reach == Reach::Upstream)
    }

    /// Changes the health of a stream, and with it the rate of polls.
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut StreamHealth)) {
        let is_slow = {
            let mut records = self.records();
            if let Some(record) = records.get_mut(index) {
                change(&mut record.health);
            }
            self.are_polls_a_safety_net(&records)
        };
        self.slow.send_if_modified(|known| std::mem::replace(known, is_slow) != is_slow);
    }

    /// Records that a stream will never work. Polls go on at the regular rate; none is made at once because of it.
    pub(super) fn turn_off(&self, index: usize, reason: String) {
        let is_slow = {
            let mut records = self.records();
            if let Some(record) = records.get_mut(index) {
                let health = &mut record.health;
                (health.state, health.failed_over, health.last_error) = (StreamState::Off, true, Some(reason));
            }
            self.are_polls_a_safety_net(&records)
        };
        self.slow.send_if_modified(|known| {
            let changes = std::mem::replace(known, is_slow) != is_slow;
            self.needs_no_poll.store(changes, Ordering::Relaxed);
            changes
        });
    }

    /// Records a failure of a stream, and the pause until it is connected again.
    pub(super) fn retries_after(&self, index: usize, pause: Duration) {
        if let Some(record) = self.records().get_mut(index) {
            let now = Instant::now();
            (record.failed, record.next_attempt) = (Some(now), now.checked_add(pause));
        }
    }

    /// Records that a stream brought a notice of a change.
    pub(super) fn noticed(&self, index: usize) {
        if let Some(record) = self.records().get_mut(index) {
            record.notice = Some(Instant::now());
        }
    }

    /// Returns the state of the feed of a source. The feed of a shared store spares polls only if a notice came within
    /// a time.
    pub(super) fn feed_of(&self, source: &SourceIdentity, within: Duration) -> FeedState {
        let records = self.records();
        let own: Vec<&StreamRecord> = self.own(source, &records).collect();
        let is_live = source.1 != Reach::Upstream
            && !own.is_empty()
            && own.iter().all(|record| record.health.state == StreamState::Live);
        let was_noticed = || own.iter().any(|record| record.notice.is_some_and(|at| at.elapsed() < within));
        match is_live {
            false => FeedState::None,
            true if source.1 != Reach::Shared || was_noticed() => FeedState::SparesPolls,
            true => FeedState::Live,
        }
    }

    /// Returns the streams that follow a source.
    fn own<'a>(
        &'a self,
        source: &'a SourceIdentity,
        records: &'a [StreamRecord],
    ) -> impl Iterator<Item = &'a StreamRecord> {
        self.streams.iter().zip(records).filter(move |(identity, _)| *identity == source).map(|(_, record)| record)
    }

    /// Returns whether polls are only a safety net: a stream from the upstream works, or nothing is polled but local
    /// sources whose streams bring every change.
    ///
    /// The feed of a shared store does not qualify: only some writers announce what they store.
    fn are_polls_a_safety_net(&self, records: &[StreamRecord]) -> bool {
        let mut working = self.streams.iter().zip(records).filter(|(_, record)| !record.health.failed_over);
        let is_followed = |source: &SourceIdentity| {
            let mut own = self.own(source, records).peekable();
            source.1 == Reach::Local && own.peek().is_some() && own.all(|record| !record.health.failed_over)
        };
        working.any(|((_, reach), _)| *reach == Reach::Upstream)
            || !records.is_empty() && self.polled.iter().all(is_followed)
    }

    /// Returns the health of each stream, for polls at two rates.
    pub(super) fn health(&self, interval: Duration, slow_interval: Duration) -> Vec<StreamHealth> {
        let every = if self.is_slow() { slow_interval } else { interval };
        let updates = |stream: &SourceIdentity| {
            let is_polled = stream.1 == Reach::Shared && self.polled.contains(stream);
            let by_notices = || self.feed_of(stream, interval) == FeedState::SparesPolls;
            is_polled.then(|| if by_notices() { UpdatesBy::Notices } else { UpdatesBy::Polling { every } })
        };
        let updates: Vec<_> = self.streams.iter().map(updates).collect();
        let now = Instant::now();
        let records = self.records();
        let health = records.iter().zip(updates).map(|(record, updates)| StreamHealth {
            updates,
            last_notice: record.notice.map(|at| now.duration_since(at)),
            last_failure: record.failed.map(|at| now.duration_since(at)),
            next_attempt: record
                .next_attempt
                .filter(|_| record.health.state == StreamState::Backoff)
                .map(|at| at.saturating_duration_since(now)),
            ..record.health.clone()
        });
        health.collect()
    }
}
