//! Batches out of a stream, to wherever they go.

mod answers;
mod deliver;
mod held;
mod settle;
mod take;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use redis::cmd;
use statsig_adapters::{DataStoreError, DataStoreErrorKind, EventSink};
use statsig_background::{TaskSupervisor, UniformRandom};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::options::{DrainOptions, EventStream};
use crate::error::OptionsError;
use crate::link::{Link, jittered};
use crate::metrics::Metrics;
use crate::op::Op;
use crate::options::RedisOptions;
use crate::script::Script;
use crate::stats::Counters;

const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What an [`EventDrainer`] did. Every batch that was taken is delivered, known, dead, or split into two
/// that are taken later, or it is still in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainStats {
    /// Batches that the destination took.
    pub delivered: u64,
    /// Events in them.
    pub delivered_events: u64,
    /// Those of `delivered` whose destination answered three times with success, but never confirmed
    /// that it has them.
    pub unconfirmed: u64,
    /// Batches that had been delivered before, and were not sent again.
    pub known: u64,
    /// Batches that the destination refuses, or that cannot be read; set aside.
    pub dead: u64,
    /// Events in them, as far as they can be read.
    pub dead_events: u64,
    /// Batches that were too large, and were replaced by their halves.
    pub split: u64,
    /// Batches taken over from another drainer.
    pub claimed: u64,
    /// Attempts that have to be made again.
    pub retries: u64,
    /// Commands to Redis that failed, and panics of the destination.
    pub errors: u64,
}

/// Batches that a drainer took and has not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldBatches {
    /// The drainer, by its [name in the group](DrainOptions::consumer).
    pub consumer: String,
    /// Which of the stream's shards they are in.
    pub shard: u16,
    /// How many they are.
    pub batches: u64,
    /// Where in the stream the oldest of them is: the same as long as that one stays.
    pub oldest: String,
}

/// Takes batches out of a Redis Stream and delivers them to an [`EventSink`].
///
/// Any number of drainers may work on one stream, in one process or many. See the
/// [module](crate::streams) for promises and layout.
///
/// ```no_run
/// use std::sync::Arc;
/// use statsig_adapters::{EventSink, NoopSink};
/// use statsig_store_redis::RedisOptions;
/// use statsig_store_redis::streams::{DrainOptions, EventDrainer, EventStream};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let destination: Arc<dyn EventSink> = Arc::new(NoopSink);
/// let redis = RedisOptions::single("redis://redis.internal")?;
/// let drainer = EventDrainer::open(redis, EventStream::new("secret-key"), DrainOptions::new(), destination)?;
/// # let terminated = async {};
/// drainer.run(terminated).await;
/// println!("{} events delivered", drainer.stats().delivered_events);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EventDrainer(Arc<Inner>);

struct Inner {
    /// For commands that answer at once.
    link: Link,
    metrics: Metrics,
    redis: RedisOptions,
    stream: EventStream,
    options: DrainOptions,
    sink: Arc<dyn EventSink>,
    settle: Script,
    split: Script,
    stats: Stats,
}

#[derive(Default)]
struct Stats {
    delivered: AtomicU64,
    delivered_events: AtomicU64,
    unconfirmed: AtomicU64,
    known: AtomicU64,
    dead: AtomicU64,
    dead_events: AtomicU64,
    split: AtomicU64,
    claimed: AtomicU64,
    retries: AtomicU64,
    errors: AtomicU64,
}

/// Until when a shard is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Stopped,
    Empty,
}

impl EventDrainer {
    /// A drainer; does not connect.
    ///
    /// # Errors
    /// If the options cannot work.
    pub fn open(
        redis: RedisOptions,
        stream: EventStream,
        options: DrainOptions,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, OptionsError> {
        redis.check()?;
        let metrics = Metrics::new(redis.observer.as_ref(), "drainer");
        let link = Link::new(&redis, Arc::new(Counters::default()), metrics.clone())?;
        let settle = Script::new(include_str!("../scripts/event_settle.lua"));
        let split = Script::new(include_str!("../scripts/event_split.lua"));
        let stats = Stats::default();
        let inner = Inner { link, metrics, redis, stream, options, sink, settle, split, stats };
        Ok(Self(Arc::new(inner)))
    }

    /// Delivers until `stop` is ready, whatever fails on the way: Redis and the destination are
    /// tried again for ever. Then finishes the attempts under way, which takes at most the
    /// [`deliver_timeout`](DrainOptions::deliver_timeout), and leaves the rest to others.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let stopping = watch::Sender::new(false);
        let work = self.shards(Until::Stopped, &stopping);
        let mut work = std::pin::pin!(work);
        tokio::select! {
            _ = &mut work => {}
            () = stop => {
                stopping.send_replace(true);
                let _ = work.await;
            }
        }
    }

    /// Delivers what is in the stream now, and what comes meanwhile, until it is empty. What another
    /// drainer holds is left to it, unless it is due to be claimed.
    ///
    /// # Errors
    /// If Redis fails; attempts to deliver are repeated for ever.
    pub async fn drain(&self) -> Result<(), DataStoreError> {
        self.shards(Until::Empty, &watch::Sender::new(false)).await
    }

    /// Number of batches in the stream: those that nobody took, and those that drainers hold.
    ///
    /// # Errors
    /// If Redis does not tell.
    pub async fn backlog(&self) -> Result<u64, DataStoreError> {
        let deadline = self.0.link.deadline(Op::Count);
        let counts = (0..self.0.stream.shards).map(|shard| async move {
            let mut command = cmd("XLEN");
            command.arg(self.0.name(shard));
            self.0.link.query::<u64>(Op::Count, &command, deadline).await
        });
        Ok(try_join_all(counts).await?.into_iter().sum())
    }

    /// Who holds what: batches that drainers of the group took, this one among them, and have not settled.
    /// Of a drainer that died until its batches are claimed.
    ///
    /// # Errors
    /// If Redis does not tell.
    pub async fn held(&self) -> Result<Vec<HeldBatches>, DataStoreError> {
        let deadline = self.0.link.deadline(Op::Count);
        let shards = (0..self.0.stream.shards).map(|shard| self.0.held(shard, deadline));
        Ok(try_join_all(shards).await?.concat())
    }

    /// What the drainer did so far.
    #[must_use]
    pub fn stats(&self) -> DrainStats {
        let stats = &self.0.stats;
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        DrainStats {
            delivered: get(&stats.delivered),
            delivered_events: get(&stats.delivered_events),
            unconfirmed: get(&stats.unconfirmed),
            known: get(&stats.known),
            dead: get(&stats.dead),
            dead_events: get(&stats.dead_events),
            split: get(&stats.split),
            claimed: get(&stats.claimed),
            retries: get(&stats.retries),
            errors: get(&stats.errors),
        }
    }

    /// Drains every shard in a task of its own; the tasks end with the future.
    async fn shards(&self, until: Until, stopping: &watch::Sender<bool>) -> Result<(), DataStoreError> {
        let random = UniformRandom::new(None);
        let tasks = AbortOnDrop(TaskSupervisor::new(&Handle::current(), self.0.metrics.observer(), random));
        let (errors, mut failed) = mpsc::unbounded_channel();
        for shard in 0..self.0.stream.shards {
            let (inner, stopping, errors) = (Arc::clone(&self.0), stopping.subscribe(), errors.clone());
            let has_started = AtomicBool::new(false);
            tasks.0.spawn_worker(format!("redis-drainer-{shard}"), move |_| {
                if has_started.swap(true, Ordering::Relaxed) {
                    // The panic was that of the destination, or a bug; the other batches do not wait for either.
                    inner.failed();
                }
                let (inner, stopping, errors) = (Arc::clone(&inner), stopping.clone(), errors.clone());
                async move {
                    if let Err(error) = inner.shard(shard, until, stopping).await {
                        // The receiver may be gone.
                        let _ = errors.send(error);
                    }
                }
            });
        }
        drop(errors);
        let mut result = Ok(());
        // Ends when the last worker has.
        while let Some(error) = failed.recv().await {
            result = Err(error);
        }
        result
    }
}

/// Tasks that end with their owner.
struct AbortOnDrop(TaskSupervisor);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Shows neither address nor login.
impl fmt::Debug for EventDrainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventDrainer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Inner {
    fn name(&self, shard: u16) -> String {
        self.stream.name(&self.redis.namespace, shard)
    }

    /// Counts a failure that is not the destination's.
    fn failed(&self) {
        self.stats.errors.fetch_add(1, Ordering::Relaxed);
        self.metrics.increment("redis.drain.errors_count", 1, &[]);
    }

    /// Drains one shard.
    async fn shard(&self, shard: u16, until: Until, mut stopping: watch::Receiver<bool>) -> Result<(), DataStoreError> {
        let name = self.name(shard);
        // Waiting for entries takes a connection of its own, since it holds up what comes after it.
        let wait = self.redis.read_timeout / 2;
        let link = Link::new(&self.redis.clone().attempts(1), Arc::new(Counters::default()), self.metrics.clone())
            .map_err(|error| DataStoreError::new(DataStoreErrorKind::Invalid, error.to_string()))?;
        let mut pause = FIRST_PAUSE;
        let mut place = self.first_place();
        while !*stopping.borrow() {
            let entries = match self.next_entries(&link, &name, wait, &mut place).await {
                Ok(entries) => entries,
                Err(error) if until == Until::Empty => return Err(error),
                Err(error) => {
                    self.failed();
                    tracing::warn!(%error, "events cannot be taken out of the stream; trying again");
                    pause_or_stop(jittered(pause), &mut stopping).await;
                    pause = (2 * pause).min(self.options.longest_pause);
                    continue;
                }
            };
            pause = FIRST_PAUSE;
            if entries.is_empty() && until == Until::Empty && place.is_through() {
                break;
            }
            join_all(entries.into_iter().map(|entry| self.work_off(&name, entry, stopping.clone()))).await;
        }
        self.leave(&name).await;
        Ok(())
    }
}

/// Waits; says whether it is time to stop.
async fn pause_or_stop(pause: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    timeout(pause, stopping.wait_for(|stop| *stop)).await.is_ok()
}
