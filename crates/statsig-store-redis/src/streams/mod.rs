//! Events through a Redis Stream: applications hand batches to Redis, and drainers deliver them.
//!
//! For fleets that do not want each host to talk to the events endpoint, or that lose their disks
//! with their containers. [`RedisEventSink`] adds batches to a stream; any number of processes run an
//! [`EventDrainer`] that takes them out and hands them to another
//! [`EventSink`](statsig_adapters::EventSink), over HTTP most of the time.
//!
//! # Promises
//!
//! - **At least once.** A batch leaves the stream only after the destination took it, refused it for
//!   good, or the stream grew beyond its bound. What a drainer holds when it dies is claimed by
//!   another one after [`claim_after`](DrainOptions::claim_after).
//! - **Rarely more than once.** A batch is known by its id for
//!   [`remember`](EventStream::remember): the sink does not add it again, and drainers do not
//!   deliver it again. Only a drainer that dies between delivery and settlement repeats one.
//! - **Too large is no end.** A batch that the destination, or
//!   [`max_batch_bytes`](DrainOptions::max_batch_bytes), finds too large is replaced by its halves, in one
//!   call, down to single events. Only a single event that is too large is set aside.
//! - **Bounded.** Beyond [`max_batches`](EventStream::max_batches) and
//!   [`max_bytes`](EventStream::max_bytes) the oldest go, and are counted. Both approximately.
//! - **Durable as Redis is.** A batch that was added survives what the server's persistence and
//!   replication survive; size its memory for the longest outage of the destination.
//!
//! # Layout
//!
//! | key | type | what |
//! | --- | --- | --- |
//! | `statsig:events:{<hash>:<shard>}` | stream | batches: fields `id`, `t`, `n`, `enc`, `raw`, `flush`, `body`, and `sdk` with the metadata of another SDK |
//! | `statsig:events:{<hash>:<shard>}:<id>` | string | that a batch is `queued` or `done` |
//! | `statsig:events:{<hash>:<shard>}:unweighed` | string | bytes added since the stream was last weighed |
//! | `statsig:events:{<hash>:<shard>}:dead` | stream | batches that the destination refuses, with the `reason` |
//!
//! `<hash>` is the hash of the SDK key as in the keys of config specs. The braces keep what belongs
//! together in one slot of a cluster; shards spread the load over its nodes.
//!
//! # Why the stream is weighed
//!
//! Redis bounds a stream by its length alone. An average per batch would be wrong where writers have
//! batches of different sizes, and a sum that is kept beside the stream drifts away from it with every
//! batch that somebody else trims or takes out. So the server is asked, seldom: `MEMORY USAGE` with all
//! blocks, after each 64th of the bound that was added. How much that was is counted in Redis, for all
//! writers together.
//!
//! Needs Redis 6.2.

mod drainer;
mod halves;
mod options;
mod sink;
mod wire;

pub use drainer::{DrainStats, EventDrainer, HeldBatches};
pub use options::{DrainOptions, EventStream};
pub use sink::{RedisEventSink, StreamSinkStats};
