//! Options of the synchronisation.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::Backoff;
use statsig_core::{AcceptedEncodings, DataStore, Observer, SpecSource, SpecStream};

use super::store_writer::StoreWriter;
use super::updated::SpecsListener;
use crate::proxy_config::ProxyConfig;
use crate::secret::SdkKey;
use crate::sources::LastKnownGood;

/// Longest pause between polls while they fail, unless the sync interval is longer.
const DEFAULT_POLL_BACKOFF: Duration = Duration::from_secs(10);

/// Sources of specs, and places in which accepted ones are persisted.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SpecSources {
    /// Sources of the first load, in order, until one returns specs that can be used.
    pub initial: Vec<Arc<dyn SpecSource>>,
    /// Sources of each poll, in order, until one succeeds.
    pub polled: Vec<Arc<dyn SpecSource>>,
    /// Last source of the first load, and of every fifth poll in a row in which the upstream sources failed:
    /// Statsig's own servers, behind a proxy of one's own.
    pub fallback: Option<Arc<dyn SpecSource>>,
    /// Streams, each with its options.
    pub streams: Vec<FollowedStream>,
    /// Writer that shares specs from upstream sources with other processes.
    pub write_back: Option<StoreWriter>,
    /// File that accepted specs are kept in; last source of the first load.
    pub last_known_good: Option<LastKnownGood>,
}

impl std::fmt::Debug for SpecSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |sources: &[Arc<dyn SpecSource>]| -> Vec<String> {
            sources.iter().map(|source| source.name().to_owned()).collect()
        };
        let streams: Vec<&str> = self.streams.iter().map(|followed| followed.stream.name()).collect();
        f.debug_struct("SpecSources")
            .field("initial", &names(&self.initial))
            .field("polled", &names(&self.polled))
            .field("fallback", &self.fallback.as_ref().map(|source| source.name()))
            .field("streams", &streams)
            .field("write_back", &self.write_back.is_some())
            .field("last_known_good", &self.last_known_good)
            .finish()
    }
}

impl SpecSources {
    /// Returns no sources.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source, for the first load and polls.
    #[must_use]
    pub fn then(mut self, source: Arc<dyn SpecSource>) -> Self {
        self.initial.push(Arc::clone(&source));
        self.polled.push(source);
        self
    }

    /// Adds a stream with default options.
    #[must_use]
    pub fn with_stream(self, stream: Arc<dyn SpecStream>) -> Self {
        self.with_stream_options(stream, StreamOptions::default())
    }

    /// Adds a stream with options of its own.
    #[must_use]
    pub fn with_stream_options(mut self, stream: Arc<dyn SpecStream>, options: StreamOptions) -> Self {
        self.streams.push(FollowedStream { stream, options });
        self
    }

    /// Returns the sources of the first load, in order, each with whether it is the fallback.
    pub(super) fn at_start(&self) -> Vec<(Arc<dyn SpecSource>, bool)> {
        let last = self.last_known_good.clone().map(|kept| Arc::new(kept) as Arc<dyn SpecSource>);
        let own = self.initial.iter().cloned().map(|source| (source, false));
        // Unless it has a place of its own.
        let last = last.filter(|_| !self.initial.iter().any(|source| source.is_own_copy()));
        own.chain(self.fallback.clone().map(|source| (source, true))).chain(last.map(|kept| (kept, false))).collect()
    }

    /// Returns every source once.
    pub(super) fn every(&self) -> Vec<Arc<dyn SpecSource>> {
        let mut all: Vec<Arc<dyn SpecSource>> = Vec::new();
        for source in self.initial.iter().chain(&self.polled).chain(&self.fallback) {
            once(&mut all, source);
        }
        all
    }

    /// Returns every stream once.
    pub(super) fn every_stream(&self) -> Vec<Arc<dyn SpecStream>> {
        let mut all = Vec::new();
        self.streams.iter().for_each(|followed| once(&mut all, &followed.stream));
        all
    }

    /// Returns every data store once, whether it is read, followed or written.
    pub(super) fn every_store(&self) -> Vec<Arc<dyn DataStore>> {
        let asked = self.every().into_iter().flat_map(|source| source.data_stores());
        let followed = self.streams.iter().flat_map(|followed| followed.stream.data_stores());
        let written = self.write_back.iter().map(|writer| Arc::clone(writer.store()));
        let mut all = Vec::new();
        asked.chain(followed).chain(written).for_each(|store| once(&mut all, &store));
        all
    }
}

/// Adds what is not in a list yet.
fn once<T: ?Sized>(all: &mut Vec<Arc<T>>, one: &Arc<T>) {
    // By the address alone: what else a pointer to a trait's object holds may differ for the same object.
    if !all.iter().any(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(one))) {
        all.push(Arc::clone(one));
    }
}

/// A stream with its options.
#[derive(Clone)]
#[non_exhaustive]
pub struct FollowedStream {
    /// The stream.
    pub stream: Arc<dyn SpecStream>,
    /// When to connect it again, and when to poll in its place.
    pub options: StreamOptions,
}

impl FollowedStream {
    /// Returns a stream with its options.
    #[must_use]
    pub fn new(stream: Arc<dyn SpecStream>, options: StreamOptions) -> Self {
        Self { stream, options }
    }
}

impl std::fmt::Debug for FollowedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowedStream").field("stream", &self.stream.name()).field("options", &self.options).finish()
    }
}

/// Options of one stream: when to connect it again, and when to poll in its place.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamOptions {
    /// Longest pause after the first failure; pauses are uniform between zero and that. Default
    /// 1 second.
    pub retry_backoff_base: Duration,
    /// Factor by which the longest pause grows with each failure in a row. Default 2.
    pub retry_backoff_multiplier: f64,
    /// Limit of its growth. Default 60 seconds.
    pub retry_backoff_cap: Duration,
    /// After so many failures in a row every pause is the longest one. Default: no limit.
    pub max_retry_attempt: Option<u32>,
    /// After more failures in a row than these, polling takes over. Default 4.
    pub failover_threshold: u32,
    /// Longest time from connecting to the first event. Default 10 seconds.
    pub connect_timeout: Duration,
    /// Longest silence of a stream that is not quiet by nature. Default 90 seconds.
    pub silence_limit: Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            retry_backoff_base: Duration::from_secs(1),
            retry_backoff_multiplier: 2.0,
            retry_backoff_cap: Duration::from_secs(60),
            max_retry_attempt: None,
            failover_threshold: 4,
            connect_timeout: Duration::from_secs(10),
            silence_limit: Duration::from_secs(90),
        }
    }
}

impl From<&ProxyConfig> for StreamOptions {
    fn from(config: &ProxyConfig) -> Self {
        let defaults = Self::default();
        Self {
            retry_backoff_base: config.retry_backoff_base,
            retry_backoff_multiplier: config.retry_backoff_multiplier,
            retry_backoff_cap: defaults.retry_backoff_cap.max(config.retry_backoff_base),
            max_retry_attempt: config.max_retry_attempt,
            failover_threshold: config.push_worker_failover_threshold,
            ..defaults
        }
    }
}

impl StreamOptions {
    /// Returns the longest pause after a number of failures in a row.
    pub(super) fn longest_pause(&self, failures: u32) -> Duration {
        Backoff::new(self.retry_backoff_base, self.retry_backoff_multiplier, self.retry_backoff_cap)
            .longest_pause(failures)
    }
}

/// Options of a [`SpecSync`](super::SpecSync).
#[derive(Clone)]
#[non_exhaustive]
pub struct SyncOptions {
    /// Longest time that `initialize` waits; the first load goes on beyond it. Default 10 seconds.
    /// With several sources, each gets an even share of what is left before the next is asked as well.
    pub init_timeout: Option<Duration>,
    /// At start, ask the next source as well once so much time has passed without an answer. When one
    /// answers with specs that can be used, those that were asked too get as much time again, within half
    /// of what `init_timeout` leaves: of what comes until then the freshest is what the load ends with,
    /// and what comes later counts if it is newer. Default: only by `init_timeout`.
    pub hedge_after: Option<Duration>,
    /// Pause between polls, measured from the end of one to the beginning of the next. Default 10
    /// seconds, at least 10 milliseconds; varies by a tenth.
    pub poll_interval: Duration,
    /// Pause between polls while a stream from the network lives, or all that is polled tells of changes
    /// itself. Default 5 minutes.
    pub slow_poll_interval: Duration,
    /// Longest pause between polls while they fail: pauses are uniform between 1 second and a limit that doubles with
    /// each failure up to this. At least `poll_interval`. Default: `poll_interval`, but not below 10 seconds. What a
    /// server asks for by `Retry-After` counts as well, up to this or 5 minutes, whichever is longer.
    pub max_poll_backoff: Option<Duration>,
    /// Specs whose own time is longer ago are taken for stale: polls go on to the next source although
    /// one succeeded. A quiet project is always stale by this. Default: never.
    pub out_of_sync_threshold: Option<Duration>,
    /// When no network source was reached for so long, polls go on to the next source although one
    /// succeeded: a store that nobody writes any more must not hide the network. Default 5 minutes.
    pub max_silence: Option<Duration>,
    /// Which failed poll in a row asks the fallback. Default 5.
    pub fallback_every: u32,
    /// Whether upstream sources may send deltas to the payload held; with the feature
    /// `proto`, and unless specs are written to a [data store](SpecSources::write_back). Saves transfer,
    /// costs the memory of the payload's text. Default `false`.
    pub deltas: bool,
    /// Deltas in a row without newer specs after which a regular poll fetches everything,
    /// at most every 5 minutes. Default 10; 0 is never.
    pub delta_no_progress_threshold: u32,
    /// Content encodings that transfers may use. Default: all that this build decodes.
    pub encodings: AcceptedEncodings,
    /// The key that payloads must be made for, where they name one. Default: any.
    pub sdk_key: Option<SdkKey>,
    /// Load once, from sources that are not on the network, and nothing in the background.
    pub local_mode: bool,
    /// Callback for specs that became current.
    pub on_update: Option<SpecsListener>,
    /// Receives metrics and errors: `docs/protocol/network.md#metrics`.
    pub observer: Option<Arc<dyn Observer>>,
    /// Seed of pauses; random by default.
    pub jitter_seed: Option<u64>,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            init_timeout: Some(Duration::from_secs(10)),
            hedge_after: None,
            poll_interval: Duration::from_secs(10),
            slow_poll_interval: Duration::from_secs(300),
            max_poll_backoff: None,
            out_of_sync_threshold: None,
            max_silence: Some(Duration::from_secs(300)),
            fallback_every: 5,
            deltas: false,
            delta_no_progress_threshold: 10,
            encodings: AcceptedEncodings::ALL,
            sdk_key: None,
            local_mode: false,
            on_update: None,
            observer: None,
            jitter_seed: None,
        }
    }
}

impl std::fmt::Debug for SyncOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncOptions")
            .field("init_timeout", &self.init_timeout)
            .field("poll_interval", &self.poll_interval)
            .field("local_mode", &self.local_mode)
            .finish_non_exhaustive()
    }
}

impl SyncOptions {
    /// Returns the options with every number raised to the least that works.
    pub(super) fn sane(mut self) -> Self {
        let least = Duration::from_millis(10);
        self.poll_interval = self.poll_interval.max(least);
        self.slow_poll_interval = self.slow_poll_interval.max(self.poll_interval);
        self.fallback_every = self.fallback_every.max(1);
        self
    }

    /// Returns the longest pause between polls while they fail.
    pub(super) fn longest_poll_backoff(&self) -> Duration {
        self.max_poll_backoff.unwrap_or(DEFAULT_POLL_BACKOFF).max(self.poll_interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_cap() {
        let options = StreamOptions::default();
        let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, 1_000].map(|n| options.longest_pause(n).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
        let mut config = ProxyConfig::new(crate::NetworkProtocol::Grpc, "h");
        config.retry_backoff_base = Duration::from_secs(600);
        config.retry_backoff_multiplier = f64::NAN;
        let odd = StreamOptions::from(&config);
        assert_eq!((odd.longest_pause(1).as_secs(), odd.longest_pause(9).as_secs()), (600, 600));
    }
}
