//! Batches into a stream.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use statsig_adapters::{DataStoreErrorKind, Delivery, EventBatch, EventSink, SinkError};

use super::options::EventStream;
use super::wire::{FieldTexts, encoding_word, fields, id_text};
use crate::error::OptionsError;
use crate::link::Link;
use crate::metrics::{Metrics, word};
use crate::op::Op;
use crate::options::RedisOptions;
use crate::script::Script;
use crate::stats::Counters;

/// What a [`RedisEventSink`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamSinkStats {
    /// Batches added.
    pub added: u64,
    /// Batches that came again and were there already.
    pub known: u64,
    /// Batches that fell off the other end of the stream, undelivered, when one was added: there were
    /// too many, or they were too large together.
    pub dropped: u64,
}

/// Delivers batches of events into a Redis Stream.
///
/// `Delivered` means that Redis has the batch; how safe it is there depends on the server's
/// persistence and replication, and [`flush`](EventSink::flush) adds nothing to that. A batch that
/// comes again is not added again. Connects when first used, and heals like
/// [`RedisDataStore`](crate::RedisDataStore). Clones share connection and counters.
///
/// See the [module](crate::streams) for promises and layout.
#[derive(Clone)]
pub struct RedisEventSink(Arc<Inner>);

struct Inner {
    link: Link,
    metrics: Metrics,
    stream: EventStream,
    namespace: String,
    add: Script,
    max_bytes: usize,
    added: AtomicU64,
    known: AtomicU64,
    dropped: AtomicU64,
    /// Whether it was said that the server does not tell how large the stream is.
    told_unweighed: AtomicBool,
}

impl RedisEventSink {
    /// A sink into a stream; does not connect. Of the options, those about values and reading do not
    /// matter.
    ///
    /// # Errors
    /// If the options cannot work.
    pub fn open(options: RedisOptions, stream: EventStream) -> Result<Self, OptionsError> {
        options.check()?;
        let metrics = Metrics::new(options.observer.as_ref(), "sink");
        // When to try again is up to the pipeline.
        let link = Link::new(&options.clone().attempts(1), Arc::new(Counters::default()), metrics.clone())?;
        Ok(Self(Arc::new(Inner {
            link,
            metrics,
            stream,
            namespace: options.namespace,
            add: Script::new(include_str!("../scripts/event_add.lua")),
            max_bytes: options.max_value_bytes,
            added: AtomicU64::new(0),
            known: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            told_unweighed: AtomicBool::new(false),
        })))
    }

    /// What the sink did so far.
    #[must_use]
    pub fn stats(&self) -> StreamSinkStats {
        StreamSinkStats {
            added: self.0.added.load(Ordering::Relaxed),
            known: self.0.known.load(Ordering::Relaxed),
            dropped: self.0.dropped.load(Ordering::Relaxed),
        }
    }
}

/// Shows neither address nor login.
impl fmt::Debug for RedisEventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisEventSink").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Inner {
    /// Counts batches that fell off the other end, by the bound that was reached.
    fn trimmed(&self, bound: &str, dropped: u64) {
        if dropped == 0 {
            return;
        }
        self.metrics.increment("redis.stream.trimmed_count", dropped, &[("bound", bound)]);
        if self.dropped.fetch_add(dropped, Ordering::Relaxed) == 0 {
            tracing::warn!(dropped, "Redis: the stream of events is full; the oldest batches are lost");
            self.metrics
                .error("statsig::redis_stream_full", "the stream of events is full; the oldest batches are lost");
        }
    }

    /// Notes that the server does not tell how large the stream is.
    fn unweighed(&self) {
        self.metrics.increment("redis.stream.unweighed_count", 1, &[]);
        if !self.told_unweighed.swap(true, Ordering::Relaxed) {
            tracing::warn!("Redis: MEMORY USAGE is not allowed; the stream of events has no bound in bytes");
        }
    }
}

#[async_trait]
impl EventSink for RedisEventSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let inner = &*self.0;
        let Some(encoding) = encoding_word(batch.encoding) else {
            return Delivery::reject("Redis: the encoding of the batch is unknown");
        };
        let texts = FieldTexts::of(batch);
        if batch.body.len() + texts.metadata_len() > inner.max_bytes {
            return Delivery::TooLarge;
        }
        let name = inner.stream.name(&inner.namespace, inner.stream.shard(&batch.id));
        let mark = format!("{name}:{}", id_text(&batch.id));
        let unweighed = format!("{name}:unweighed");
        let (most, remember) = (inner.stream.max_batches.to_string(), inner.stream.remember.as_secs().to_string());
        let (bytes, every) = (inner.stream.max_bytes.to_string(), inner.stream.weigh_every().to_string());
        let bounds: [&[u8]; 4] = [most.as_bytes(), remember.as_bytes(), bytes.as_bytes(), every.as_bytes()];
        let arguments = [&bounds[..], &fields(batch, encoding, &texts)].concat();
        let (keys, deadline) = ([&*name, &mark, &unweighed], inner.link.deadline(Op::Add));
        let answer = inner.add.call::<(u8, u64, u64, u8)>(&inner.link, Op::Add, &keys, &arguments, deadline).await;
        let (outcome, delivery) = match answer {
            Ok((0, ..)) => {
                inner.known.fetch_add(1, Ordering::Relaxed);
                ("known", Delivery::Delivered)
            }
            Ok((_, too_many, too_heavy, unknown)) => {
                inner.added.fetch_add(1, Ordering::Relaxed);
                inner.trimmed("batches", too_many);
                inner.trimmed("bytes", too_heavy);
                if unknown != 0 {
                    inner.unweighed();
                }
                ("added", Delivery::Delivered)
            }
            Err(error) if error.kind() == DataStoreErrorKind::TooLarge => ("too_large", Delivery::TooLarge),
            // Also what looks final, such as a wrong password: somebody may mend it, and the pipeline
            // bounds how long it tries.
            Err(error) => (word(error.kind()), Delivery::retry(error)),
        };
        inner.metrics.increment("redis.stream.batches_count", 1, &[("outcome", outcome)]);
        delivery
    }

    async fn close(&self, _within: Duration) -> Result<(), SinkError> {
        self.0.link.close().await;
        Ok(())
    }
}
