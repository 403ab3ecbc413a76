//! Events through a stream: nothing is lost, whoever dies.

mod deaths;
mod pages;
mod too_large;
mod too_many;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::testing::event_sink_contract;
use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};
use statsig_store_redis::streams::{DrainOptions, EventDrainer, EventStream, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;
use tokio::sync::Notify;

use crate::metrics::{Ear, undocumented};
use crate::{options, soon};

/// Keeps what it gets; may refuse, hang, or let through only so many.
#[derive(Default)]
struct Destination {
    taken: Mutex<HashMap<[u8; 16], (EventBatch, u32)>>,
    fault: Mutex<Fault>,
    /// Deliveries that wait for ever.
    hanging: AtomicU64,
    hangs: Notify,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    Busy(u32),
    Rejects,
    Refuses,
    ConfirmsNothing,
    TooLarge,
    /// Takes no more bytes in one piece.
    TooLargeOver(usize),
    /// Takes so many, and then hangs.
    HangsAfter(usize),
    Panics,
}

impl Destination {
    fn with(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault: Mutex::new(fault), ..Self::default() })
    }

    fn taken(&self) -> Vec<EventBatch> {
        self.taken.lock().unwrap().values().map(|(batch, _)| batch.clone()).collect()
    }

    fn most_often(&self) -> u32 {
        self.taken.lock().unwrap().values().map(|(_, times)| *times).max().unwrap_or(0)
    }
}

#[async_trait]
impl EventSink for Destination {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let hang = {
            let mut fault = self.fault.lock().unwrap();
            match &mut *fault {
                Fault::Busy(0) | Fault::None => false,
                Fault::Busy(times) => {
                    *times -= 1;
                    return Delivery::retry_after(Duration::from_secs(600), "busy");
                }
                Fault::Rejects => return Delivery::reject("no"),
                Fault::Refuses => return Delivery::refused("403"),
                Fault::ConfirmsNothing => return Delivery::unconfirmed("204"),
                Fault::TooLarge => return Delivery::TooLarge,
                Fault::TooLargeOver(most) if batch.raw_len > *most => return Delivery::TooLarge,
                Fault::TooLargeOver(_) => false,
                Fault::HangsAfter(most) => self.taken.lock().unwrap().len() >= *most,
                Fault::Panics => {
                    *fault = Fault::None;
                    drop(fault);
                    panic!("the destination has a bug");
                }
            }
        };
        if hang {
            self.hanging.fetch_add(1, Ordering::Relaxed);
            self.hangs.notify_one();
            return std::future::pending().await;
        }
        self.taken.lock().unwrap().entry(batch.id).or_insert_with(|| (batch.clone(), 0)).1 += 1;
        Delivery::Delivered
    }
}

fn stream() -> EventStream {
    EventStream::new("secret-1")
}

fn name(server: &RedisServer, suffix: &str) -> String {
    let keys = server.command(&["KEYS", &format!("*statsig:events:*{suffix}")]).unwrap().text();
    keys.lines().next().unwrap_or_default().to_owned()
}

fn quick() -> DrainOptions {
    let short = Duration::from_millis(300);
    DrainOptions::new().claim_after(2 * short).deliver_timeout(short).longest_pause(Duration::from_millis(20))
}

fn batch(serial: u128) -> EventBatch {
    let body = format!(r#"[{{"eventName":"e{serial}"}}]"#).into_bytes();
    let len = body.len();
    EventBatch::new(serial.to_be_bytes(), 5, 1, body, BatchEncoding::Identity, len)
}

fn same(left: &EventBatch, right: &EventBatch) -> bool {
    let metadata = left.metadata == right.metadata;
    metadata
        && (left.id, left.created_ms, left.event_count, &left.body, left.encoding, left.raw_len, left.flush_type)
            == (
                right.id,
                right.created_ms,
                right.event_count,
                &right.body,
                right.encoding,
                right.raw_len,
                right.flush_type,
            )
}

#[tokio::test]
async fn the_sink_keeps_the_contract_and_every_batch_comes_out_once() {
    let server = RedisServer::start().unwrap();
    for (shards, namespace) in [(1, ""), (4, "own:")] {
        server.command(&["FLUSHALL"]).unwrap();
        let (stream, options) = (stream().shards(shards), options(&server).namespace(namespace));
        let sink = RedisEventSink::open(options.clone(), stream.clone()).unwrap();
        let delivered = soon("the contract", event_sink_contract(&sink)).await;
        let stats = sink.stats();
        // The contract cuts attempts short: Redis may have added a batch without the sink's knowing,
        // and then knows it the next time.
        let batches = delivered.len() as u64;
        assert!(stats.added <= batches && stats.added + stats.known >= batches, "{stats:?}");
        assert!(stats.known >= 1 && stats.dropped == 0);
        let destination = Destination::with(Fault::None);
        let drainer = EventDrainer::open(options, stream, quick(), destination.clone()).unwrap();
        assert_eq!(drainer.backlog().await.unwrap(), delivered.len() as u64);
        soon("the stream to drain", drainer.drain()).await.unwrap();
        let taken = destination.taken();
        assert_eq!(taken.len(), delivered.len());
        assert!(delivered.iter().all(|batch| taken.iter().any(|taken| same(taken, batch))));
        assert_eq!((destination.most_often(), drainer.backlog().await.unwrap()), (1, 0));
        let events: u64 = delivered.iter().map(|batch| u64::from(batch.event_count)).sum();
        assert_eq!(drainer.stats().delivered_events, events);
        // Known for a while: a late retry changes nothing.
        let sink = RedisEventSink::open(
            crate::options(&server).namespace(namespace),
            EventStream::new("secret-1").shards(shards),
        );
        assert!(sink.unwrap().deliver(&delivered[0]).await.is_delivered());
        assert_eq!(drainer.backlog().await.unwrap(), 0);
    }
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn through_a_cluster() {
    let cluster = statsig_testkit::redis_server::RedisCluster::start(3).unwrap();
    let urls = cluster.urls();
    let options = statsig_store_redis::RedisOptions::cluster(urls.iter().map(String::as_str)).unwrap();
    let sink = RedisEventSink::open(options.clone(), stream().shards(5)).unwrap();
    let delivered = soon("the contract", event_sink_contract(&sink)).await;
    let destination = Destination::with(Fault::Busy(3));
    let drainer = EventDrainer::open(options, stream().shards(5), quick(), destination.clone()).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    assert_eq!(destination.taken().len(), delivered.len());
    assert_eq!(drainer.stats().retries, 3);
}

#[tokio::test]
async fn refused_and_unreadable_batches_are_set_aside() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    for (serial, fault) in [(1, Fault::Rejects), (2, Fault::TooLarge)] {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
        let drainer = EventDrainer::open(options(&server), stream(), quick(), Destination::with(fault)).unwrap();
        soon("the stream to drain", drainer.drain()).await.unwrap();
        assert_eq!((drainer.stats().dead, drainer.stats().dead_events), (1, 1));
    }
    // A refusal is final once it lasted for the window; until then the batch stays in the stream.
    assert!(sink.deliver(&batch(4)).await.is_delivered());
    let window = Duration::from_millis(200);
    let refuses = quick().refusal_window(window);
    let drainer = EventDrainer::open(options(&server), stream(), refuses, Destination::with(Fault::Refuses)).unwrap();
    let begin = std::time::Instant::now();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    assert!(begin.elapsed() >= window);
    assert!(drainer.stats().dead == 1 && drainer.stats().retries >= 1, "{:?}", drainer.stats());
    let events = name(&server, "}");
    server.command(&["XADD", &events, "*", "id", "nonsense"]).unwrap();
    assert!(sink.deliver(&batch(3)).await.is_delivered());
    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    assert_eq!((drainer.stats().dead, destination.taken().len()), (1, 1));
    let dead = server.command(&["XRANGE", &name(&server, ":dead"), "-", "+"]).unwrap().text();
    for part in ["reason\nno", "reason\n403", "it is too large", "it cannot be read", "nonsense"] {
        assert!(dead.contains(part), "{part} in {dead}");
    }
}

#[tokio::test]
async fn unconfirmed_batches_are_sent_three_times_and_counted() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    assert!(sink.deliver(&batch(1)).await.is_delivered());
    let destination = Destination::with(Fault::ConfirmsNothing);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    let stats = drainer.stats();
    assert_eq!((stats.delivered, stats.delivered_events, stats.unconfirmed, stats.retries), (1, 1, 1, 2));
    assert_eq!(drainer.backlog().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_drainers_share_the_batches() {
    let server = RedisServer::start().unwrap();
    let destination = Destination::with(Fault::None);
    let drainers = [(); 3].map(|()| {
        let claims_nothing = quick().claim_after(Duration::from_secs(600));
        EventDrainer::open(options(&server), stream().shards(2), claims_nothing, destination.clone()).unwrap()
    });
    let stop = tokio::sync::watch::Sender::new(false);
    let running = drainers.clone().map(|drainer| {
        let mut stopping = stop.subscribe();
        tokio::spawn(async move { drainer.run(async { drop(stopping.wait_for(|stop| *stop).await) }).await })
    });
    let sink = RedisEventSink::open(options(&server), stream().shards(2)).unwrap();
    for serial in 0..300 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    soon("the stream to drain", async {
        while drainers[0].backlog().await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.send_replace(true);
    for running in running {
        soon("a drainer to stop", running).await.unwrap();
    }
    assert_eq!((destination.taken().len(), destination.most_often()), (300, 1), "while nobody dies, exactly once");
    assert_eq!(drainers.iter().map(|drainer| drainer.stats().delivered).sum::<u64>(), 300);
}

#[tokio::test]
async fn sinks_and_drainers_are_measured() {
    let server = RedisServer::start().unwrap();
    let ear = Arc::new(Ear::default());
    let observed = || options(&server).observer(ear.clone());
    let sink = RedisEventSink::open(observed(), stream().max_batches(50)).unwrap();
    for serial in 0..400 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    assert!(sink.deliver(&batch(399)).await.is_delivered());
    let trimmed = ear.counter("redis.stream.trimmed_count bound=batches");
    assert!(trimmed > 0 && trimmed == sink.stats().dropped);
    let batches = |outcome| ear.counter(&format!("redis.stream.batches_count outcome={outcome}"));
    assert_eq!((batches("added"), batches("known")), (400, 1));
    server.command(&["XADD", &name(&server, "}"), "*", "id", "nonsense"]).unwrap();
    let drainer = EventDrainer::open(observed(), stream(), quick(), Destination::with(Fault::Busy(2))).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    let delivered = ear.counter("redis.drain.batches_count outcome=delivered");
    assert_eq!((delivered, delivered + trimmed), (drainer.stats().delivered, 400));
    assert_eq!(ear.counter("redis.drain.events_count outcome=delivered"), delivered);
    assert_eq!(ear.counter("redis.drain.batches_count outcome=dead"), 1);
    assert_eq!(ear.counter("redis.drain.retries_count"), 2);
    assert_eq!(ear.measured("redis.drain.delivery.latency outcome=retry"), 2);
    assert_eq!(ear.measured("redis.drain.delivery.latency outcome=delivered"), delivered);
    assert!(ear.measured("redis.command.latency role=drainer op=settle outcome=ok") > delivered);
    assert_eq!(ear.errors(), ["statsig::redis_stream_full", "statsig::redis_events_set_aside"]);
    assert_eq!(undocumented(&ear), [""; 0]);
}
