//! Loading specs over the network.

use serde_json::{Value, json};
use statsig_testkit::redis_server::RedisServer;
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};
use statsig_testkit::specs::{GateBuilder, ProjectBuilder};

use crate::support::Driver;

fn project(time: u64, gate: GateBuilder) -> Vec<u8> {
    ProjectBuilder::new().set("time", time).gate(gate).build()
}

#[test]
fn a_client_starts_and_follows() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(project(1_000, GateBuilder::new("g")));
    let mut driver = Driver::start();
    let options = json!({"api": server.url(), "init_timeout_ms": 60_000});
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    let details = driver.result(json!({"op": "initialize"}));
    assert_eq!(
        (&details["success"], &details["source"], &details["specs_time"]),
        (&json!(true), &json!("Network"), &json!(1_000))
    );
    assert_eq!(details["attempts"][0]["ok"], true);
    for policy in [json!("any"), json!("fresh"), json!({"max_age_ms": 3_600_000})] {
        let ready = driver.result(json!({"op": "ready", "policy": policy, "timeout_ms": 60_000}));
        assert_eq!((&ready["ready"], ready["age_ms"].is_u64()), (&json!(true), true), "{policy}: {ready}");
    }
    let wrong = driver.failure(json!({"op": "ready", "policy": "newest", "timeout_ms": 1}));
    assert_eq!(wrong.0, "invalid_field");

    server.publish_specs(project(2_000, GateBuilder::on("g")));
    assert_eq!(driver.result(json!({"op": "sync_now"})), json!({"updated": true, "specs_time": 2_000}));
    let found = driver.result(json!({"op": "wait_for_specs", "newer_than": 1_000, "timeout_ms": 60_000}));
    assert_eq!(found["specs_time"], 2_000);
    let late = driver.failure(json!({"op": "wait_for_specs", "newer_than": 9_000, "timeout_ms": 10}));
    assert_eq!(late.0, "timeout");
    assert_eq!(driver.result(json!({"op": "gate", "user": {"userID": "u"}, "name": "g"}))["value"], true);
    let health = driver.result(json!({"op": "health"}));
    assert_eq!(
        (&health["specs"]["specs_time"], &health["specs"]["sources"][0]["name"]),
        (&json!(2_000), &json!("network"))
    );
    // The same four fields wherever something can fail.
    let source = &health["specs"]["sources"][0];
    for object in [source, &health["events"], &health["callbacks"], &health["parts"][0]] {
        for field in ["last_error", "last_error_ms", "consecutive_failures", "next"] {
            assert!(object.get(field).is_some(), "{field} is not in {object}");
        }
    }
    assert!(source["next"].as_str().is_some_and(|next| next.starts_with("next poll in ")), "{source}");
    assert_eq!(health["spool"], Value::Null, "without a spool");
    let workers = health["specs"]["workers"].as_array().unwrap();
    let poller = workers.iter().find(|worker| worker["name"] == "specs-poller").unwrap();
    assert_eq!((&poller["running"], &poller["restarts"]), (&json!(true), &json!(0)));
    assert!(poller.get("last_success_ms").is_some(), "{poller}");
    assert_eq!(driver.result(json!({"op": "shutdown"}))["delivered"], 1);
    assert_eq!(server.events()[0]["eventName"], "statsig::gate_exposure");
}

#[test]
fn an_outage_is_told() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, String::new())));
    let mut driver = Driver::start();
    let options = json!({"api": server.url(), "init_timeout_ms": 60_000});
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    let details = driver.result(json!({"op": "initialize"}));
    assert_eq!((&details["source"], &details["attempts"][0]["ok"]), (&json!("NoValues"), &json!(false)));
    assert!(details["attempts"][0]["error"].is_string());
    let policy = json!({"op": "ready", "policy": "fresh", "timeout_ms": 1});
    assert_eq!(driver.result(policy), json!({"ready": false, "age_ms": null}));
}

#[test]
fn one_process_fills_a_store_and_another_starts_from_it() {
    let (server, redis) = (FakeStatsig::start().unwrap(), RedisServer::start().unwrap());
    server.publish_specs(project(1_000, GateBuilder::on("g")));
    let mut driver = Driver::start();
    let create = |driver: &mut Driver, client: &str, options: Value| {
        driver.result(json!({"op": "create", "client": client, "sdk_key": "secret-k", "options": options}));
        driver.result(json!({"op": "initialize", "client": client}))
    };
    let store = json!({"redis_url": redis.url()});
    let writer = create(
        &mut driver,
        "writer",
        json!({"api": server.url(), "init_timeout_ms": 60_000, "data_store": store, "enable_id_lists": false}),
    );
    assert_eq!(writer["source"], "Network", "{writer}");
    // Ends when what was accepted is written.
    driver.result(json!({"op": "shutdown", "client": "writer", "timeout_ms": 60_000}));
    server.stop();
    let only_store = json!({"data_store": store, "init_timeout_ms": 60_000, "enable_id_lists": false,
        "initialize_sources": ["data_store"], "config_sync_sources": ["data_store"]});
    let reader = create(&mut driver, "reader", only_store);
    assert_eq!((&reader["source"], &reader["specs_time"]), (&json!("Adapter(DataStore)"), &json!(1_000)), "{reader}");
    let gate = json!({"op": "gate", "client": "reader", "user": {"userID": "u"}, "name": "g"});
    assert_eq!(driver.result(gate)["value"], true);
}

#[test]
fn a_proxy_takes_the_place_of_statsigs_servers() {
    let proxy = FakeStatsig::start().unwrap();
    proxy.publish_specs(project(1_000, GateBuilder::on("g")));
    let address = proxy.address().to_string();
    let mut driver = Driver::start();
    let options = json!({"proxy": {"protocol": "http", "address": address}, "init_timeout_ms": 60_000});
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    assert_eq!(driver.result(json!({"op": "initialize"}))["source"], "Network");
    assert_eq!(driver.result(json!({"op": "gate", "user": {"userID": "u"}, "name": "g"}))["value"], true);
    assert_eq!(driver.result(json!({"op": "shutdown", "timeout_ms": 60_000}))["delivered"], 1);
    assert_eq!(proxy.events().len(), 1, "events go there, too");

    let by_stream = json!({"proxy": {"protocol": "grpc_stream", "address": address}});
    let refused = driver.failure(json!({"op": "create", "client": "s", "sdk_key": "secret-k", "options": by_stream}));
    assert_eq!(refused.0, "invalid_option");
}

#[test]
fn what_the_last_run_kept_may_come_first() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(project(1_000, GateBuilder::on("g")));
    let folder = tempfile::tempdir().unwrap();
    let mut driver = Driver::start();
    let mut options = json!({"api": server.url(), "snapshot_dir": folder.path(), "init_timeout_ms": 60_000});
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    driver.result(json!({"op": "initialize"}));
    driver.result(json!({"op": "shutdown", "timeout_ms": 60_000}));
    options["initialize_sources"] = json!(["snapshot", "network"]);
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    let details = driver.result(json!({"op": "initialize"}));
    assert_eq!(details["source"], "Adapter(LastKnownGood)", "{details}");
    assert_eq!(details["attempts"].as_array().unwrap().len(), 1);
    let wait = json!({"op": "ready", "policy": "fresh", "timeout_ms": 60_000});
    assert_eq!(driver.result(wait)["ready"], true, "the network is polled at once");
}

/// A suite that names one endpoint reaches that one only.
#[test]
fn nobody_is_reached_who_was_not_named() {
    let server = FakeStatsig::start().unwrap();
    let specs = String::from_utf8(project(1_000, GateBuilder::on("g"))).unwrap();
    let log_event = format!("{}/v1/log_event", server.url());
    let mut driver = Driver::start();
    let options = json!({"bootstrap": specs, "log_event_url": log_event, "init_timeout_ms": 60_000});
    driver.result(json!({"op": "create", "sdk_key": "secret-k", "options": options}));
    let details = driver.result(json!({"op": "initialize"}));
    let asked: Vec<_> = details["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["source"]).collect();
    assert_eq!(asked, ["bootstrap"], "{details}");
    let health = driver.result(json!({"op": "health"}));
    assert_eq!(health["id_lists"], Value::Null);
    assert!(!health["specs"]["workers"].to_string().contains("poller"), "{health}");
    assert_eq!(driver.result(json!({"op": "gate", "user": {"userID": "u"}, "name": "g"}))["value"], true);
    assert_eq!(driver.result(json!({"op": "shutdown", "timeout_ms": 60_000}))["delivered"], 1);
    assert_eq!((server.events().len(), server.requests_to(Endpoint::SpecsV2).len()), (1, 0));
}
