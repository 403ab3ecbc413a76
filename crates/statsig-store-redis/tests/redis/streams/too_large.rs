//! Batches that a destination does not take in one piece.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};
use statsig_store_redis::streams::{DrainStats, EventDrainer, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;

use super::{Destination, Fault, name, quick, stream};
use crate::relay::Relay;
use crate::{options, soon};

/// A batch of events that are so long.
fn batch_of(serial: u128, lengths: &[usize], encoding: BatchEncoding) -> EventBatch {
    let events: Vec<String> = lengths.iter().map(|length| format!("\"{serial}-{}\"", "x".repeat(*length))).collect();
    let raw = format!("[{}]", events.join(",")).into_bytes();
    let raw_len = raw.len();
    let body = if encoding == BatchEncoding::Gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&raw).unwrap();
        encoder.finish().unwrap()
    } else {
        raw
    };
    EventBatch::new(serial.to_be_bytes(), 5, lengths.len() as u32, body, encoding, raw_len)
}

/// The lengths of the events in a batch.
fn lengths(batch: &EventBatch) -> Vec<usize> {
    let mut raw = Vec::new();
    match batch.encoding {
        BatchEncoding::Gzip => flate2::read::GzDecoder::new(&*batch.body).read_to_end(&mut raw).unwrap(),
        _ => (&*batch.body).read_to_end(&mut raw).unwrap(),
    };
    assert_eq!((raw.len(), batch.event_count as usize), (batch.raw_len, raw.split(|byte| *byte == b',').count()));
    raw.split(|byte| *byte == b',').map(|event| event.iter().filter(|byte| **byte == b'x').count()).collect()
}

#[tokio::test]
async fn batches_that_are_too_large_come_in_halves() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    let sizes: Vec<usize> = (1..40).chain([5_000]).chain(40..60).collect();
    // The destination says so; or we know before, and it is never asked.
    for (fault, bound) in [(Fault::TooLargeOver(200), usize::MAX), (Fault::None, 200)] {
        server.command(&["FLUSHALL"]).unwrap();
        for (serial, encoding) in [(1, BatchEncoding::Identity), (2, BatchEncoding::Gzip)] {
            assert!(sink.deliver(&batch_of(serial, &sizes, encoding)).await.is_delivered());
        }
        let destination = Destination::with(fault);
        let quick = quick().max_batch_bytes(bound);
        let drainer = EventDrainer::open(options(&server), stream(), quick, destination.clone()).unwrap();
        soon("the stream to drain", drainer.drain()).await.unwrap();
        let taken = destination.taken();
        assert!(taken.iter().all(|batch| batch.event_count == 1 || batch.raw_len <= 200));
        let mut arrived: Vec<usize> = taken.iter().flat_map(lengths).collect();
        arrived.sort_unstable();
        // Only the destination can say that a single event is too large.
        let mut expected: Vec<usize> =
            sizes.iter().chain(&sizes).filter(|size| bound == 200 || **size < 200).copied().collect();
        expected.sort_unstable();
        assert_eq!((arrived, destination.most_often()), (expected, 1));
        let stats = drainer.stats();
        let dead = if bound == 200 { 0 } else { 2 };
        assert_eq!((stats.dead, stats.dead_events, stats.retries), (dead, dead, 0));
        assert_eq!(stats.split + 2, stats.delivered + stats.dead, "each cut makes two of one");
        assert_eq!(drainer.backlog().await.unwrap(), 0);
        let held = server.command(&["XPENDING", &name(&server, "}"), "statsig"]).unwrap().text();
        assert!(held.starts_with("0\n"), "{held}");
        // Whoever has the whole still tries in vain to add it again.
        assert!(sink.deliver(&batch_of(1, &sizes, BatchEncoding::Identity)).await.is_delivered());
        assert_eq!(drainer.backlog().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn without_room_for_halves_the_whole_stays() {
    let server = RedisServer::start_with(&[("maxmemory-policy", "noeviction")]).unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    let destination = Destination::with(Fault::TooLargeOver(300));
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    // Makes the group, for which there is no room later.
    soon("nothing to drain", drainer.drain()).await.unwrap();
    assert!(sink.deliver(&batch_of(1, &[50; 8], BatchEncoding::Gzip)).await.is_delivered());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let draining = tokio::spawn({
        let drainer = drainer.clone();
        async move { drainer.drain().await }
    });
    soon("the full server to be noticed", async {
        while drainer.stats().errors == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((drainer.backlog().await.unwrap(), drainer.stats().split), (1, 0));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    soon("the stream to drain", draining).await.unwrap().unwrap();
    assert_eq!(destination.taken().iter().map(|batch| batch.event_count).sum::<u32>(), 8);
}

/// A destination that waits until it is let go on, and then takes nothing in one piece.
#[derive(Default)]
struct Waits {
    asked: tokio::sync::Notify,
    go_on: tokio::sync::Notify,
}

#[async_trait]
impl EventSink for Waits {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        if batch.event_count == 1 {
            return Delivery::Delivered;
        }
        self.asked.notify_one();
        self.go_on.notified().await;
        Delivery::TooLarge
    }
}

#[tokio::test]
async fn of_two_drainers_that_cut_the_same_batch_one_counts_it() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    assert!(sink.deliver(&batch_of(1, &[10; 2], BatchEncoding::Identity)).await.is_delivered());
    let patient = || quick().deliver_timeout(Duration::from_secs(600));
    let both = [(); 2].map(|()| {
        let waits = Arc::new(Waits::default());
        (EventDrainer::open(options(&server), stream(), patient(), waits.clone()).unwrap(), waits)
    });
    let mut running = Vec::new();
    for (drainer, waits) in &both {
        let drainer = drainer.clone();
        running.push(tokio::spawn(async move { drainer.drain().await }));
        soon("the batch to be taken", waits.asked.notified()).await;
        // As if its drainer had given no sign of life: the other one claims it.
        let events = name(&server, "}");
        let held = server.command(&["XPENDING", &events, "statsig", "-", "+", "1"]).unwrap().text();
        let at = held.lines().next().unwrap();
        let claim = ["XCLAIM", &events, "statsig", "nobody", "0", at, "IDLE", "3600000", "JUSTID"];
        server.command(&claim).unwrap();
    }
    for ((_, waits), running) in both.iter().zip(running) {
        waits.go_on.notify_one();
        soon("the drainer to end", running).await.unwrap().unwrap();
    }
    let stats = both.each_ref().map(|(drainer, _)| drainer.stats());
    let sum = |of: fn(&DrainStats) -> u64| stats.iter().map(of).sum::<u64>();
    assert_eq!((sum(|stats| stats.split), sum(|stats| stats.known)), (1, 1), "{stats:?}");
    assert_eq!((sum(|stats| stats.delivered), both[0].0.backlog().await.unwrap()), (2, 0), "{stats:?}");
}

#[tokio::test]
async fn a_cut_whose_answer_was_lost_is_counted_once() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    // So that the server knows the script.
    assert!(sink.deliver(&batch_of(1, &[10; 2], BatchEncoding::Identity)).await.is_delivered());
    let first = Destination::with(Fault::TooLargeOver(20));
    let first = EventDrainer::open(options(&server), stream(), quick(), first).unwrap();
    soon("the stream to drain", first.drain()).await.unwrap();
    assert!(sink.deliver(&batch_of(2, &[10; 2], BatchEncoding::Identity)).await.is_delivered());
    let relay = Relay::start(&server).await;
    let (waits, short) = (Arc::new(Waits::default()), Duration::from_secs(1));
    let patient = quick().deliver_timeout(Duration::from_secs(600));
    let timeouts = relay.options().read_timeout(short).write_timeout(short);
    let drainer = EventDrainer::open(timeouts, stream(), patient, waits.clone()).unwrap();
    let running = tokio::spawn({
        let drainer = drainer.clone();
        async move { drainer.run(std::future::pending()).await }
    });
    soon("the batch to be taken", waits.asked.notified()).await;
    // The server does what it is told, and nobody hears of it.
    relay.delay(Duration::from_secs(600));
    waits.go_on.notify_one();
    soon("the cut", async {
        while server.command(&["XLEN", &name(&server, "}")]).unwrap().text() != "2" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    relay.delay(Duration::ZERO);
    soon("the halves to be delivered", async {
        while drainer.stats().delivered < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let stats = drainer.stats();
    assert_eq!((stats.split, stats.known, stats.delivered), (1, 0, 2), "{stats:?}");
    running.abort();
}
