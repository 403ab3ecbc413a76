//! Batches that a destination does not take in one piece.

use std::io::{Read, Write};

use statsig_core::{BatchEncoding, EventBatch, EventSink};
use statsig_store_redis::streams::{EventDrainer, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;

use super::{Destination, Fault, name, quick, stream};
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
