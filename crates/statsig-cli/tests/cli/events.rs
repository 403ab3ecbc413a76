//! `statsig events forward`: from a real Redis to a fake of Statsig's servers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};
use statsig_store_redis::RedisOptions;
use statsig_store_redis::streams::{DrainOptions, EventDrainer, EventStream, RedisEventSink};
use statsig_testkit::redis_server::{RedisServer, wait_until};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use crate::follow::Running;

const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWxYz";

/// Puts batches of two events into the stream, as applications do.
fn fill(server: &RedisServer, batches: std::ops::Range<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = RedisOptions::single(&server.url()).unwrap();
        let sink = RedisEventSink::open(options, EventStream::new(KEY)).unwrap();
        for number in batches {
            let body = format!(r#"[{{"eventName": "a{number}"}}, {{"eventName": "b{number}"}}]"#).into_bytes();
            let len = body.len();
            let batch = EventBatch::new([number; 16], 1, 2, body, BatchEncoding::Identity, len);
            assert!(sink.deliver(&batch).await.is_delivered());
        }
    });
}

fn names(statsig: &FakeStatsig) -> Vec<String> {
    let mut names: Vec<String> =
        statsig.events().iter().map(|event| event["eventName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_stream_is_emptied() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    fill(&redis, 1..4);
    let (url, api) = (redis.url(), statsig.url());
    let forward = ["events", "forward", "--redis", &url, "--api", &api, "--until-empty", "--json"];
    let ran = Running::start(forward, KEY).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    let counts: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&counts["delivered"], &counts["delivered_events"], &counts["backlog"]),
        (&3.into(), &6.into(), &0.into())
    );
    assert_eq!(names(&statsig), ["a1", "a2", "a3", "b1", "b2", "b3"]);
    let requests = statsig.requests_to(Endpoint::Events);
    assert!(requests.iter().all(|request| request.header("statsig-api-key") == Some(KEY)));
}

#[test]
fn what_a_dead_process_holds_is_waited_for() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    fill(&redis, 1..4);
    let stream = redis.command(&["KEYS", "*statsig:events:*}"]).unwrap().text();
    redis.command(&["XGROUP", "CREATE", &stream, "statsig", "0"]).unwrap();
    redis.command(&["XREADGROUP", "GROUP", "statsig", "dead", "COUNT", "2", "STREAMS", &stream, ">"]).unwrap();
    let (url, api) = (redis.url(), statsig.url());
    let forward = ["events", "forward", "--redis", &url, "--api", &api, "--until-empty"];
    let soon = ["--deliver-timeout", "1", "--claim-after", "1"];
    let ran = Running::start([&forward[..], &soon].concat(), KEY).end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("delivered 3 batches (6 events); 0 batches left\n"), "{}", ran.stdout);
    assert_eq!(names(&statsig), ["a1", "a2", "a3", "b1", "b2", "b3"]);
}

/// A destination that is always busy.
struct Busy;

#[async_trait]
impl EventSink for Busy {
    async fn deliver(&self, _: &EventBatch) -> Delivery {
        Delivery::retry_after(Duration::from_secs(3_600), "busy")
    }
}

#[test]
fn what_a_process_that_lives_does_not_let_go_is_waited_for_only_so_long() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    fill(&redis, 1..3);
    // It gives a sign of life four times a second.
    let options = RedisOptions::single(&redis.url()).unwrap();
    let short = Duration::from_millis(500);
    let holds = DrainOptions::new().consumer("the-other").claim_after(2 * short).deliver_timeout(short);
    let holds = holds.longest_pause(Duration::from_secs(3_600));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let other = EventDrainer::open(options, EventStream::new(KEY), holds, Arc::new(Busy)).unwrap();
    let other = runtime.spawn(async move { other.run(std::future::pending()).await });
    wait_until("the other one holds both", || {
        redis.command(&["XPENDING", &stream(&redis), "statsig"]).is_ok_and(|held| held.text().starts_with("2\n"))
    })
    .unwrap();
    fill(&redis, 3..4);
    let (url, api) = (redis.url(), statsig.url());
    let forward = ["events", "forward", "--redis", &url, "--api", &api, "--until-empty"];
    let soon = ["--deliver-timeout", "1", "--claim-after", "3", "--wait-for-others", "7"];
    let ran = Running::start([&forward[..], &soon].concat(), KEY).end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    for part in ["held by another process", "held for 7 seconds or more: 2 batches by the consumer the-other"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(ran.stdout.ends_with("delivered 1 batch (2 events); 2 batches left\n"), "{}", ran.stdout);
    assert_eq!(names(&statsig), ["a3", "b3"]);
    other.abort();
}

#[cfg(unix)]
#[test]
fn events_are_forwarded_until_it_is_interrupted() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    let url = format!("{}/somewhere/log_event", statsig.url());
    let redis_url = redis.url();
    let forward = ["events", "forward", "--redis", &redis_url, "--log-event-url", &url, "--every", "1", "--json"];
    let mut running = Running::start(forward, KEY);
    fill(&redis, 1..3);
    running.json_until(|counts| counts["delivered"] == 2);
    statsig.fail_once(Endpoint::Events, Fault::Status(503, format!("busy {KEY}")));
    fill(&redis, 3..4);
    let complaint = running.complaint();
    assert!(complaint.contains("the server does not take events now; trying again"), "{complaint}");
    running.json_until(|counts| counts["delivered"] == 3);
    let ran = running.interrupt();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains("\"delivered_events\":6") && !ran.stdout.contains("AbCdEfGh"), "{}", ran.stdout);
    assert_eq!(names(&statsig), ["a1", "a2", "a3", "b1", "b2", "b3"]);
    assert!(statsig.requests().iter().all(|request| request.target == "/somewhere/log_event"));
}

#[test]
fn refused_batches_are_counted_and_make_a_script_look() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    statsig.fail_once(Endpoint::Events, Fault::Status(400, "no".into()));
    fill(&redis, 1..2);
    let (url, api) = (redis.url(), statsig.url());
    let forward = ["events", "forward", "--redis", &url, "--api", &api, "--until-empty", "--refusal-window", "0"];
    let ran = Running::start(forward, KEY).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(
        ran.stdout.ends_with("delivered 0 batches (0 events), 1 batch refused for good; 0 batches left\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn batches_that_are_too_large_for_the_server_are_cut_in_two() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    statsig.fail_once(Endpoint::Events, Fault::Status(413, "too much".into()));
    fill(&redis, 1..2);
    let (url, api) = (redis.url(), statsig.url());
    let ran = Running::start(["events", "forward", "--redis", &url, "--api", &api, "--until-empty"], KEY).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout.ends_with("delivered 2 batches (2 events), 1 batch cut in two; 0 batches left\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(names(&statsig), ["a1", "b1"]);
    assert_eq!(statsig.requests_to(Endpoint::Events).len(), 3);
}

/// Waits until the server has so many requests with events, answered or not.
fn wait_for_deliveries(statsig: &FakeStatsig, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let waiting = async {
        let requests = statsig.wait_for_requests(Endpoint::Events, count);
        tokio::time::timeout(std::time::Duration::from_secs(60), requests).await.unwrap();
    };
    runtime.block_on(waiting);
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_was_about_to_deliver_arrives_all_the_same() {
    let (redis, statsig) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    fill(&redis, 1..13);
    let (url, api) = (redis.url(), statsig.url());
    let forward = ["events", "forward", "--redis", &url, "--api", &api, "--every", "1", "--json"];
    for killed in 1..=2 {
        // Of the four deliveries at once two get no answer: the process can neither settle these nor go on.
        statsig.fail_once(Endpoint::Events, Fault::Hang);
        statsig.fail_once(Endpoint::Events, Fault::Hang);
        let running = Running::start(forward, KEY);
        wait_for_deliveries(&statsig, 4 * killed);
        running.kill();
    }
    let held = redis.command(&["XPENDING", &stream(&redis), "statsig"]).unwrap().text();
    let held: usize = held.lines().next().unwrap().parse().unwrap();
    assert!((4..=8).contains(&held), "both had begun and not ended: {held}");

    let soon = ["--claim-after", "2", "--deliver-timeout", "1"];
    let mut last = Running::start(forward.into_iter().chain(soon), KEY);
    let counts = last.json_until(|counts| counts["backlog"] == 0);
    assert_eq!(counts["claimed"].as_u64().unwrap(), held as u64, "{counts}");
    assert!(counts["delivered"].as_u64().unwrap() + counts["known"].as_u64().unwrap() >= 8, "{counts}");
    let ran = last.interrupt();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut arrived = names(&statsig);
    arrived.dedup();
    let mut all: Vec<String> = (1..13).flat_map(|number| [format!("a{number}"), format!("b{number}")]).collect();
    all.sort();
    assert_eq!(arrived, all, "every event, at least once");
    let held = redis.command(&["XPENDING", &stream(&redis), "statsig"]).unwrap().text();
    assert!(held.starts_with("0\n"), "nothing stays behind: {held}");
    assert_eq!(redis.command(&["XLEN", &stream(&redis)]).unwrap().text(), "0");
}

/// The stream's name in Redis.
fn stream(server: &RedisServer) -> String {
    let keys = server.command(&["KEYS", "statsig:events:*}"]).unwrap().text();
    keys.lines().next().unwrap().to_owned()
}
