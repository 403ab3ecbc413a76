//! What is taken at once: less after a read that took too long, and page by page of what others left.

use std::time::Duration;

use statsig_core::EventSink;
use statsig_store_redis::streams::{EventDrainer, EventStream, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;

use super::too_many::batch_of;
use super::{Destination, Fault, batch, name, quick, stream};
use crate::relay::Relay;
use crate::{options, soon};

/// What the server keeps of all commands that it was sent.
const LOGGED: [(&str, &str); 2] = [("slowlog-log-slower-than", "0"), ("slowlog-max-len", "100000")];

/// The word after another one, in each command of this name, in order.
fn arguments(server: &RedisServer, command: &str, after: &str) -> Vec<String> {
    let log = server.command(&["SLOWLOG", "GET", "-1"]).unwrap().text();
    let words: Vec<&str> = log.lines().collect();
    let begins = words.iter().enumerate().filter(|(_, word)| **word == command).map(|(at, _)| at);
    let mut found: Vec<String> = begins
        .filter_map(|at| {
            let rest = &words[at..(at + 16).min(words.len())];
            Some((*rest.get(rest.iter().position(|word| *word == after)? + 1)?).to_owned())
        })
        .collect();
    // The log begins with what was last.
    found.reverse();
    found
}

#[tokio::test]
async fn a_read_that_is_too_large_is_tried_with_less() {
    let server = RedisServer::start_with(&LOGGED).unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    for serial in 0..8 {
        assert!(sink.deliver(&batch_of(serial, 512 << 10)).await.is_delivered());
    }
    // One batch takes a quarter of the time that there is, all of them twice that time.
    let relay = Relay::start(&server).await;
    relay.throttle(Duration::from_millis(500));
    let destination = Destination::with(Fault::None);
    let slow = relay.options().read_timeout(Duration::from_secs(1));
    let drainer = EventDrainer::open(slow, stream(), quick().concurrency(8), destination.clone()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let drainer = drainer.clone();
        async move { drainer.run(async { drop(stopped.await) }).await }
    });
    soon("all to be delivered", async {
        while destination.taken().len() < 8 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.send(()).unwrap();
    soon("the drainer to stop", running).await.unwrap();
    assert_eq!(destination.most_often(), 1);
    // Read once, in vain; what was in the answer is claimed after a while.
    let (read, claimed) = (arguments(&server, "XREADGROUP", "COUNT"), arguments(&server, "XAUTOCLAIM", "COUNT"));
    assert_eq!(read[0], "8");
    assert!(claimed.iter().any(|count| matches!(count.as_str(), "1" | "2")), "{claimed:?}");
    assert!(drainer.stats().claimed >= 8 && drainer.stats().errors >= 1, "{:?}", drainer.stats());
}

#[tokio::test]
async fn what_others_left_is_claimed_page_by_page() {
    let server = RedisServer::start_with(&LOGGED).unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    for serial in 0..60 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    let events = name(&server, "}");
    server.command(&["XGROUP", "CREATE", &events, "statsig", "0"]).unwrap();
    let take = |consumer: &str, count: &str| {
        server.command(&["XREADGROUP", "GROUP", "statsig", consumer, "COUNT", count, "STREAMS", &events, ">"]).unwrap()
    };
    // One that lives holds more than a page looks at; behind it is what a dead one held, and what nobody took.
    take("lives", "35");
    take("dead", "20");
    let held = server.command(&["XPENDING", &events, "statsig", "-", "+", "100", "dead"]).unwrap().text();
    let places: Vec<&str> = held.lines().filter(|line| line.contains('-')).collect();
    assert_eq!(places.len(), 20);
    let idle = [&["XCLAIM", &events, "statsig", "dead", "0"][..], &places, &["IDLE", "3600000", "JUSTID"]].concat();
    server.command(&idle).unwrap();

    let destination = Destination::with(Fault::None);
    let patient = quick().claim_after(Duration::from_secs(600)).concurrency(2);
    let drainer = EventDrainer::open(options(&server), stream(), patient, destination.clone()).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    let stats = drainer.stats();
    assert_eq!((stats.claimed, stats.delivered, destination.most_often()), (20, 25, 1), "{stats:?}");
    assert_eq!(drainer.backlog().await.unwrap(), 35, "the rest is held by one that lives");
    let held = drainer.held().await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0].consumer.as_str(), held[0].batches, held[0].shard), ("lives", 35, 0));
    let first = server.command(&["XRANGE", &events, "-", "+", "COUNT", "1"]).unwrap().text();
    assert_eq!(Some(held[0].oldest.as_str()), first.lines().next());
    let nobody =
        EventDrainer::open(options(&server), EventStream::new("secret-2").shards(3), quick(), destination).unwrap();
    assert_eq!(nobody.held().await.unwrap(), [], "without a group");
    let pages = arguments(&server, "XAUTOCLAIM", "COUNT");
    assert!(pages.len() >= 11, "{pages:?}");
}
