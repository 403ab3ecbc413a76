//! Drainers, destinations and servers that go away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use statsig_core::EventSink;
use statsig_store_redis::streams::{EventDrainer, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;

use super::{Destination, Fault, batch, name, quick, stream};
use crate::{options, soon};

#[tokio::test]
async fn what_a_dead_drainer_held_is_claimed() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    for serial in 0..40 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    let (dies, lives) = (Destination::with(Fault::HangsAfter(13)), Destination::with(Fault::None));
    let patient = quick().deliver_timeout(Duration::from_secs(600)).concurrency(4);
    let first = EventDrainer::open(options(&server), stream(), patient, dies.clone()).unwrap();
    let dying = tokio::spawn(async move { first.run(std::future::pending()).await });
    soon("the first drainer to be in the middle", async {
        while dies.hanging.load(Ordering::Relaxed) == 0 {
            dies.hangs.notified().await;
        }
    })
    .await;
    // As a killed process: not one more command.
    dying.abort();
    let _ = dying.await;
    let second = EventDrainer::open(options(&server), stream(), quick(), lives.clone()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let second = second.clone();
        async move { second.run(async { drop(stopped.await) }).await }
    });
    soon("the rest to be delivered", async {
        while second.backlog().await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.send(()).unwrap();
    soon("the drainer to stop", running).await.unwrap();
    let (first, rest) = (dies.taken().len(), lives.taken().len());
    assert!(first >= 13 && first + rest >= 40, "{first} {rest}");
    let mut ids: Vec<[u8; 16]> = dies.taken().iter().chain(&lives.taken()).map(|batch| batch.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40, "nothing is lost");
    let stats = second.stats();
    assert!(stats.claimed >= 1 && stats.delivered + stats.known >= 27, "{stats:?}");
    let consumers = server.command(&["XINFO", "CONSUMERS", &name(&server, "}"), "statsig"]).unwrap().text();
    assert_eq!(consumers.matches("pending\n0").count(), 1, "who left in order is not listed any more: {consumers}");
}

#[tokio::test]
async fn a_destination_that_is_down_or_panics_is_tried_again() {
    let server = RedisServer::start().unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    for (serial, fault) in [(1, Fault::Busy(5)), (2, Fault::Panics)] {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
        let destination = Destination::with(fault);
        let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn({
            let drainer = drainer.clone();
            async move { drainer.run(async { drop(stopped.await) }).await }
        });
        soon("the delivery", async {
            while drainer.stats().delivered == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        stop.send(()).unwrap();
        soon("the drainer to stop", running).await.unwrap();
        assert_eq!(destination.taken().len(), 1);
        assert_eq!(drainer.backlog().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_server_that_restarts_interrupts_only() {
    let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]).unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let drainer = drainer.clone();
        async move { drainer.run(async { drop(stopped.await) }).await }
    });
    for serial in 0..60 {
        if serial % 20 == 10 {
            server.kill().unwrap();
            assert!(sink.deliver(&batch(serial)).await.is_retryable());
            server.restart().unwrap();
        }
        soon("the batch to be taken", async { while !sink.deliver(&batch(serial)).await.is_delivered() {} }).await;
    }
    soon("all to be delivered", async {
        while destination.taken().len() < 60 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.send(()).unwrap();
    soon("the drainer to stop", running).await.unwrap();
    let sum = drainer.stats().delivered;
    assert!((60..=120).contains(&sum), "{sum}");
}

#[tokio::test]
async fn a_full_server_keeps_nothing_that_has_arrived() {
    let server = RedisServer::start_with(&[("maxmemory-policy", "noeviction")]).unwrap();
    let sink = RedisEventSink::open(options(&server), stream()).unwrap();
    // Makes the group, for which there is no room later.
    let first = EventDrainer::open(options(&server), stream(), quick(), Destination::with(Fault::None)).unwrap();
    soon("nothing to drain", first.drain()).await.unwrap();
    for serial in 0..20 {
        assert!(sink.deliver(&batch(serial)).await.is_delivered());
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let destination = Destination::with(Fault::None);
    let drainer = EventDrainer::open(options(&server), stream(), quick(), destination.clone()).unwrap();
    soon("the stream to drain", drainer.drain()).await.unwrap();
    assert_eq!((destination.taken().len(), destination.most_often()), (20, 1));
    assert_eq!((drainer.backlog().await.unwrap(), drainer.stats().errors), (0, 0));
    // Refused ones leave it too.
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert!(sink.deliver(&batch(20)).await.is_delivered());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let refuses = EventDrainer::open(options(&server), stream(), quick(), Destination::with(Fault::Rejects)).unwrap();
    soon("the stream to drain", refuses.drain()).await.unwrap();
    assert_eq!((refuses.backlog().await.unwrap(), refuses.stats().dead), (0, 1));
    assert!(server.command(&["XRANGE", &name(&server, ":dead"), "-", "+"]).unwrap().text().contains("reason\nno"));
}
