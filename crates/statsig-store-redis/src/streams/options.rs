//! Which stream, and how it is drained.

use std::time::Duration;

use statsig_adapters::{Clock, KeySchema, StoreKeys};
use statsig_background::{SystemClock, new_uuid_v7};

/// A stream of events, and its bounds. Sinks and drainers of one stream have to agree on the SDK key,
/// the number of shards and the namespace of the [`RedisOptions`](crate::RedisOptions).
#[derive(Debug, Clone)]
pub struct EventStream {
    keys: StoreKeys,
    pub(super) shards: u16,
    pub(super) max_batches: u64,
    pub(super) max_bytes: u64,
    pub(super) max_dead: u64,
    pub(super) remember: Duration,
}

impl EventStream {
    /// The stream of an SDK key: 1 shard, 10,000 batches of 256 MiB together, 1,000 dead batches, ids known
    /// for a day.
    #[must_use]
    pub fn new(sdk_key: &str) -> Self {
        Self {
            keys: StoreKeys::new(sdk_key),
            shards: 1,
            max_batches: 10_000,
            max_bytes: 256 << 20,
            max_dead: 1_000,
            remember: Duration::from_secs(24 * 3_600),
        }
    }

    /// Number of streams that share the batches. More only help in a cluster. At least 1.
    #[must_use]
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = shards.max(1);
        self
    }

    /// Most batches in each shard; approximately, as Redis drops whole blocks of its own.
    #[must_use]
    pub fn max_batches(mut self, batches: u64) -> Self {
        self.max_batches = batches;
        self
    }

    /// Most bytes of memory that each shard takes in Redis, whoever writes to it (default: 256 MiB).
    /// Approximately: the stream may be larger by a 64th and one batch, and the newest batch stays
    /// whatever its size. Besides, dead batches and the marks of ids take memory.
    ///
    /// Each time that a 64th of the bound was added, Redis sums up the blocks of the stream (`MEMORY
    /// USAGE`, 0.3 ms for 10,000 batches), and drops as many of the oldest batches as make
    /// up for the surplus. Where the right to that is missing, only
    /// [`max_batches`](Self::max_batches) counts, which is logged once.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Most batches in each shard that are kept although nobody takes them; 0 to keep none.
    #[must_use]
    pub fn max_dead(mut self, batches: u64) -> Self {
        self.max_dead = batches;
        self
    }

    /// How long a batch is known by its id. At least a second. Each takes about 230 bytes in Redis for that
    /// long, delivered or not: the number of batches in this time, and not
    /// [`max_batches`](Self::max_batches), says how much that is.
    #[must_use]
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time.max(Duration::from_secs(1));
        self
    }

    /// Bytes that are added between two weighings.
    pub(super) fn weigh_every(&self) -> u64 {
        (self.max_bytes / 64).max(1)
    }

    /// The stream of a shard.
    pub(super) fn name(&self, namespace: &str, shard: u16) -> String {
        format!("{namespace}statsig:events:{{{}:{shard}}}", self.keys.id(KeySchema::Hashed))
    }

    /// The shard of a batch.
    pub(super) fn shard(&self, id: &[u8; 16]) -> u16 {
        // The last bytes of an id are random.
        u16::from_be_bytes([id[14], id[15]]) % self.shards
    }
}

/// How a stream is drained.
#[derive(Debug, Clone)]
pub struct DrainOptions {
    pub(super) group: String,
    pub(super) consumer: String,
    pub(super) claim_after: Duration,
    pub(super) deliver_timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) max_batch_bytes: usize,
    pub(super) longest_pause: Duration,
    pub(super) refusal_window: Duration,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl DrainOptions {
    /// Group `statsig`, a consumer name of its own, what others left is claimed after 60 s, 30 s for
    /// a delivery, 4 at once, at most 30 s between attempts, 10 minutes for a batch that is refused.
    #[must_use]
    pub fn new() -> Self {
        Self {
            group: "statsig".to_owned(),
            consumer: new_uuid_v7(SystemClock.now_ms()).simple().to_string(),
            claim_after: Duration::from_secs(60),
            deliver_timeout: Duration::from_secs(30),
            concurrency: 4,
            max_batch_bytes: usize::MAX,
            longest_pause: Duration::from_secs(30),
            refusal_window: Duration::from_secs(10 * 60),
        }
    }

    /// Time for which a batch that the destination refuses is retried before it is set aside; zero
    /// sets it aside at its first refusal.
    #[must_use]
    pub fn refusal_window(mut self, time: Duration) -> Self {
        self.refusal_window = time;
        self
    }

    /// The consumer group. Drainers of one group share the batches. One group per stream: who settles
    /// a batch takes it out for all.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// The name in the group; each drainer needs another one.
    #[must_use]
    pub fn consumer(mut self, consumer: impl Into<String>) -> Self {
        self.consumer = consumer.into();
        self
    }

    /// After what time without a sign of life the batches of another drainer are taken over. Raised
    /// to twice the [`deliver_timeout`](Self::deliver_timeout) if it is less.
    #[must_use]
    pub fn claim_after(mut self, time: Duration) -> Self {
        self.claim_after = time;
        self
    }

    /// Time for one attempt to deliver.
    #[must_use]
    pub fn deliver_timeout(mut self, time: Duration) -> Self {
        self.deliver_timeout = time;
        self
    }

    /// Deliveries at once from each shard. At least 1.
    #[must_use]
    pub fn concurrency(mut self, deliveries: usize) -> Self {
        self.concurrency = deliveries.max(1);
        self
    }

    /// Most bytes of the events in a batch, before compression, that are delivered at once (default: no
    /// bound but the destination's own). Larger batches are cut in two without asking; single events
    /// are tried whatever their size.
    #[must_use]
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.max_batch_bytes = bytes;
        self
    }

    /// The longest wait between two attempts, also where the destination asks for more.
    #[must_use]
    pub fn longest_pause(mut self, time: Duration) -> Self {
        self.longest_pause = time;
        self
    }

    pub(super) fn claim_idle(&self) -> Duration {
        self.claim_after.max(2 * self.deliver_timeout)
    }
}
