//! Streams that are full: by number, and by size.

use std::sync::Arc;

use statsig_core::{BatchEncoding, EventBatch, EventSink};
use statsig_store_redis::streams::{EventDrainer, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;

use super::{Destination, Fault, batch, name, quick, stream};
use crate::metrics::{Ear, undocumented};
use crate::{options, soon};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn a_full_stream_drops_the_oldest_and_counts_them() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream().max_batches(50)).unwrap();
    for serial in 0..1_000 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    let left = drainer.backlog().await.unwrap();
    assert!((50..1_000).contains(&left), "{left}");
    assert_eq!(sink.stats().dropped + left, 1_000);
    soon("the stream to drain", drainer.drain()).await.unwrap();
    let newest = destination.taken().iter().map(|batch| u128::from_be_bytes(batch.id)).min().unwrap();
    assert_eq!(newest, 1_000 - u128::from(left), "the oldest are gone");
}

/// A batch of one event that is so long.
pub(super) fn batch_of(serial: u128, bytes: usize) -> EventBatch {
    let body = format!("[\"{}\"]", "x".repeat(bytes)).into_bytes();
    let len = body.len();
    EventBatch::new(serial.to_be_bytes(), 5, 1, body, BatchEncoding::Identity, len)
}

fn weight(server: &RedisServer) -> u64 {
    server.command(&["MEMORY", "USAGE", &name(server, "}"), "SAMPLES", "0"]).unwrap().text().parse().unwrap()
}

fn serials(batches: &[EventBatch]) -> Vec<u128> {
    let mut serials: Vec<u128> = batches.iter().map(|batch| u128::from_be_bytes(batch.id)).collect();
    serials.sort_unstable();
    serials
}

#[tokio::test]
async fn a_stream_is_bounded_in_bytes_whatever_the_sizes_of_batches() {
    let server = RedisServer::start().unwrap();
    let bound = 4 * MIB;
    let stream = || stream().max_bytes(bound);
    let ear = Arc::new(Ear::default());
    // Several writers, of small batches and of large ones, and each with a connection of its own.
    let sinks = [50, 3_000, 70_000, 400_000]
        .map(|bytes| (bytes, RedisEventSink::open(options(&server).observer(ear.clone()), stream()).unwrap()));
    let (mut serial, mut heaviest) = (0, 0);
    // First the small ones, then the large ones, and then by turns: the oldest are not like the others.
    let turns = [[0, 0, 0, 1], [2, 3, 2, 3], [0, 1, 2, 3], [3, 0, 0, 0]];
    for turn in turns.iter().flat_map(|turn| std::iter::repeat_n(turn, 25)) {
        for at in turn {
            let (bytes, sink) = &sinks[*at];
            assert!(sink.deliver(&batch_of(serial, *bytes)).await.is_delivered());
            serial += 1;
            heaviest = heaviest.max(weight(&server));
        }
    }
    // By a 64th, and one batch; and what the measure of Redis leaves out.
    let most = bound + bound / 64 + 400_000 + 10_000;
    assert!((bound..=most).contains(&heaviest), "{heaviest}");
    assert!(weight(&server) > bound / 2, "{}", weight(&server));

    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    let left = drainer.backlog().await.unwrap();
    let dropped: u64 = sinks.iter().map(|(_, sink)| sink.stats().dropped).sum();
    assert_eq!((dropped + left, ear.counter("redis.stream.trimmed_count bound=bytes")), (serial as u64, dropped));
    soon("the stream to drain", drainer.drain()).await.unwrap();
    let expected: Vec<u128> = (u128::from(dropped)..serial).collect();
    assert_eq!(serials(&destination.taken()), expected, "the oldest are gone, and no others");
    assert_eq!(ear.errors().first().map(String::as_str), Some("statsig::redis_stream_full"));
    assert_eq!(undocumented(&ear), [""; 0]);
}

#[tokio::test]
async fn what_is_settled_makes_room_and_the_newest_batch_stays_whatever_its_size() {
    let server = RedisServer::start().unwrap();
    let stream = || stream().max_bytes(MIB);
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    // Four times the bound, but never at once.
    for serial in 0..40 {
        assert!(sink.deliver(&batch_of(serial, 100_000)).await.is_delivered());
        if serial % 8 == 7 {
            soon("the stream to drain", drainer.drain()).await.unwrap();
        }
    }
    assert_eq!((sink.stats().dropped, destination.taken().len()), (0, 40));
    // One that is held while others come and go is no reason to drop any.
    assert!(sink.deliver(&batch_of(40, 10)).await.is_delivered());
    let events = name(&server, "}");
    server.command(&["XREADGROUP", "GROUP", "statsig", "holder", "STREAMS", &events, ">"]).unwrap();
    for serial in 41..49 {
        assert!(sink.deliver(&batch_of(serial, 200_000)).await.is_delivered());
        let patient = quick().claim_after(std::time::Duration::from_secs(600));
        let drainer = EventDrainer::open(options(&server), stream(), patient, destination.clone()).unwrap();
        soon("the stream to drain", drainer.drain()).await.unwrap();
    }
    assert_eq!((sink.stats().dropped, drainer.backlog().await.unwrap()), (0, 1));
    // Larger than the bound by itself.
    for serial in 49..52 {
        assert!(sink.deliver(&batch_of(serial, 2 << 20)).await.is_delivered());
        assert_eq!(drainer.backlog().await.unwrap(), 1, "it takes the place of all before it");
    }
    assert_eq!(sink.stats().dropped, 3);
}

#[tokio::test]
async fn a_much_too_large_stream_shrinks_bit_by_bit() {
    let server = RedisServer::start().unwrap();
    let unbounded = RedisEventSink::open(options(&server), stream().max_bytes(u64::MAX)).unwrap();
    for serial in 0..300 {
        assert!(unbounded.deliver(&batch_of(serial, 100_000)).await.is_delivered());
    }
    assert_eq!(unbounded.stats().dropped, 0);
    let bound = 3_200_000;
    let sink = RedisEventSink::open(options(&server), stream().max_bytes(bound)).unwrap();
    let mut before = weight(&server);
    let mut rounds = 0;
    for serial in 300.. {
        assert!(sink.deliver(&batch_of(serial, 1_000)).await.is_delivered());
        let now = weight(&server);
        // A sixteenth of the bound and the batch that goes beyond: no call takes long.
        assert!(before.saturating_sub(now) <= bound / 16 + 100_000 + 2_000, "{before} {now}");
        (before, rounds) = (now, rounds + 1);
        if now <= bound {
            break;
        }
    }
    assert!(rounds >= 100, "{rounds}");
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn writers_of_a_cluster_weigh_too() {
    let cluster = statsig_testkit::redis_server::RedisCluster::start(3).unwrap();
    let urls = cluster.urls();
    let options = statsig_store_redis::RedisOptions::cluster(urls.iter().map(String::as_str)).unwrap();
    let stream = stream().shards(5).max_bytes(MIB);
    let sink = RedisEventSink::open(options.clone(), stream.clone()).unwrap();
    for serial in 0..100 {
        assert!(sink.deliver(&batch_of(serial, 100_000)).await.is_delivered());
    }
    let drainer = EventDrainer::open(options, stream, quick(), Destination::with(Fault::None)).unwrap();
    let left = drainer.backlog().await.unwrap();
    assert!((40..=60).contains(&left), "{left}");
    assert_eq!(sink.stats().dropped + left, 100);
}
