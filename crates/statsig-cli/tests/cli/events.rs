//! `statsig events forward`: from a real Redis to a fake of Statsig's servers.

use statsig_core::{BatchEncoding, EventBatch, EventSink};
use statsig_store_redis::RedisOptions;
use statsig_store_redis::streams::{EventStream, RedisEventSink};
use statsig_testkit::redis_server::RedisServer;
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
    let ran = Running::start(["events", "forward", "--redis", &url, "--api", &api, "--until-empty"], KEY).end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(
        ran.stdout.ends_with("delivered 0 batches (0 events), 1 batch refused for good; 0 batches left\n"),
        "{}",
        ran.stdout
    );
}
