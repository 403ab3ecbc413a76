//! A client on the network: start, updates, outages, events, end, against a server on loopback.
mod closing;
mod deliveries;
mod health;
mod id_lists;
mod metrics;
mod supplied;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use statsig::net::transport::TransportOptions;
use statsig::{
    DataSource, DataStore, InMemoryDataStore, ReadyPolicy, SpecOrigin, Statsig, StatsigBuilder, StatsigUser,
    UpdateOutcome,
};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

const LONG: Duration = Duration::from_secs(60);

/// A project with one gate, open or not.
fn specs(time: u64, open: bool) -> Vec<u8> {
    json!({
        "has_updates": true, "time": time, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"all": {"type": "public", "idType": "userID"}},
        "feature_gates": {"g": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "r", "id": "r", "salt": "r",
            "passPercentage": if open { 100 } else { 0 }, "conditions": ["all"], "returnValue": true, "idType": "userID"}]}},
    })
    .to_string()
    .into_bytes()
}

fn user() -> StatsigUser {
    StatsigUser::with_user_id("u1")
}

fn builder(server: &FakeStatsig) -> StatsigBuilder {
    Statsig::builder().sdk_key("secret-test").api(server.url()).init_timeout(LONG)
}

#[test]
fn starts_follows_and_logs_without_a_runtime() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, false));
    let updates = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&updates);
    let statsig = builder(&server)
        .rules_updated_callback(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();

    assert!(!statsig.check_gate(&user(), "g"));
    assert_eq!(statsig.get_feature_gate(&user(), "g").details().reason(), "Uninitialized");
    let details = statsig.initialize_blocking();
    assert!(details.init_success && details.is_config_spec_ready, "{details:?}");
    assert_eq!(details.source, SpecOrigin::Network);
    assert_eq!(statsig.get_feature_gate(&user(), "g").rule_id(), "r");
    assert_eq!(statsig.initialize_blocking().specs_time, 1_000, "a second call tells the same");

    server.publish_specs(specs(2_000, true));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(statsig.sync_now()).is_some());
    assert!(statsig.check_gate(&user(), "g"));
    assert_eq!(updates.load(Ordering::Relaxed), 2);
    let health = statsig.health();
    assert_eq!(health.specs.unwrap().specs_time, 2_000);

    let report = statsig.shutdown_blocking(LONG);
    assert!(report.events.is_complete() && report.events.delivered >= 3, "{report:?}");
    let events = server.events();
    assert_eq!(events.len() as u64, report.events.delivered);
    assert!(events.iter().all(|event| event["eventName"] == "statsig::gate_exposure"));
    let request = &server.requests_to(Endpoint::Events)[0];
    assert_eq!(request.header("statsig-api-key"), Some("secret-test"));
    assert_eq!(request.header("statsig-sdk-type"), Some("rust-server-oss"));
    let body = request.json().unwrap();
    assert_eq!(body["statsigMetadata"]["flushType"], "shutdown");
    assert_eq!(body["statsigMetadata"]["batchSize"], 500);
    assert!(statsig.check_gate(&user(), "g"), "checks go on");
}

#[tokio::test]
async fn starts_on_the_callers_runtime() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let statsig = builder(&server).build().unwrap();
    let (first, second) = tokio::join!(statsig.initialize(), statsig.initialize());
    assert!(first.is_config_spec_ready && second.is_config_spec_ready);
    assert!(statsig.ready(ReadyPolicy::Fresh, LONG).await);
    assert!(statsig.check_gate(&user(), "g"));
    assert_eq!(server.requests_to(Endpoint::SpecsV2).len(), 1);
    let _ = statsig.shutdown(LONG).await;
}

#[test]
fn an_outage_at_start_leaves_what_else_there_is() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(500, String::new())));
    let down = builder(&server).build().unwrap();
    let details = down.initialize_blocking();
    assert!(!details.is_config_spec_ready && details.attempts.iter().all(|attempt| attempt.outcome.error().is_some()));
    assert_eq!(down.get_feature_gate(&user(), "g").details().reason(), "NoValues");

    let bootstrapped = builder(&server).bootstrap(specs(5, true)).build().unwrap();
    assert!(bootstrapped.check_gate(&user(), "g"), "from the moment it is built");
    assert_eq!(bootstrapped.initialize_blocking().source, SpecOrigin::Bootstrap);

    let broken = builder(&server).bootstrap("no JSON").build().unwrap();
    let details = broken.initialize_blocking();
    assert!(details.attempts.len() >= 2 && !details.is_config_spec_ready, "{details:?}");
}

#[test]
fn the_last_known_good_starts_the_next_process() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let folder = tempfile::tempdir().unwrap();
    let before = builder(&server).last_known_good(folder.path()).build().unwrap();
    assert!(before.initialize_blocking().is_config_spec_ready);
    let _ = before.shutdown_blocking(LONG);
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(503, String::new())));
    let after = builder(&server).last_known_good(folder.path()).build().unwrap();
    assert!(after.initialize_blocking().is_config_spec_ready);
    assert!(after.check_gate(&user(), "g"));
}

#[test]
fn a_data_store_comes_first_and_is_written_back() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let store = Arc::new(InMemoryDataStore::default());
    let writer = builder(&server).data_store(store.clone()).build().unwrap();
    assert_eq!(writer.initialize_blocking().source, SpecOrigin::Network);
    // Written in the background.
    while writer.health().specs.unwrap().kept.0 == 0 {
        std::thread::yield_now();
    }

    let reader = builder(&server).data_store(store as Arc<dyn DataStore>).build().unwrap();
    let details = reader.initialize_blocking();
    assert_eq!(details.source, SpecOrigin::Adapter("DataStore".into()), "{details:?}");
    assert!(reader.check_gate(&user(), "g"));
}

#[test]
fn local_mode_touches_no_network() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let local = builder(&server).disable_network(true).bootstrap(specs(5, true)).build().unwrap();
    assert_eq!(local.initialize_blocking().source, SpecOrigin::Bootstrap);
    assert!(local.check_gate(&user(), "g"));
    let _ = local.shutdown_blocking(LONG);
    assert_eq!(server.requests().len(), 0);
    assert_eq!(local.event_stats().accepted, 0);
    assert_eq!(local.update_specs(specs(6, false)).unwrap(), UpdateOutcome::Applied);
}

#[test]
fn id_lists_are_there_when_the_project_asks_for_them() {
    let server = FakeStatsig::start().unwrap();
    let mut project: serde_json::Value = serde_json::from_slice(&specs(1_000, true)).unwrap();
    project["condition_map"]["all"] =
        json!({"type": "unit_id", "operator": "in_segment_list", "targetValue": "vip", "idType": "userID"});
    project["id_lists"] = json!({"vip": true});
    server.publish_specs(project.to_string());
    // The hash of `user-1`.
    server.publish_id_list("vip", "file-1", 1, "+xsKJ5J6c\n");
    let statsig = builder(&server).build().unwrap();
    assert_eq!(statsig.initialize_blocking().is_id_list_ready, Some(true));
    assert!(statsig.check_gate(&StatsigUser::with_user_id("user-1"), "g"));
    assert!(!statsig.check_gate(&user(), "g"));
    assert!(statsig.health().id_lists.is_some_and(|lists| lists.last_success.is_some() && lists.running));
}

#[test]
fn options_that_contradict_each_other_are_told_at_once() {
    let error = Statsig::builder().event_queue_size(0).build().unwrap_err().to_string();
    assert!(error.contains("sdk_key") && error.contains("event_queue_size"), "{error}");
    let store: Arc<dyn DataStore> = Arc::new(InMemoryDataStore::default());
    let error = Statsig::builder().data_store(store).build().unwrap_err().to_string();
    assert!(error.contains("`data_store` needs `sdk_key`"), "{error}");
    let listed =
        Statsig::builder().sdk_key("secret-x").initialize_sources([DataSource::DataStore, DataSource::Bootstrap]);
    let error = listed.build().unwrap_err().to_string();
    assert!(error.contains("`DataSource::DataStore`") && error.contains("`DataSource::Bootstrap`"), "{error}");
    let binary = Statsig::builder().sdk_key("secret-x").enable_dcs_deltas(true).build();
    assert_eq!(binary.is_ok(), cfg!(feature = "proto"), "differences are binary");
    let error = Statsig::builder().sdk_key("secret-abc").api("ftp://x").build().unwrap_err();
    assert!(!format!("{error:?}").contains("secret-abc"));
}

#[test]
fn the_key_is_shown_nowhere() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let key = "secret-never-shown";
    let builder = Statsig::builder().sdk_key(key).api(server.url()).init_timeout(LONG);
    let shown = format!("{builder:?}");
    let statsig = builder.build().unwrap();
    let details = statsig.initialize_blocking();
    let all = format!("{shown} {statsig:?} {details:?} {:?} {:?}", statsig.health(), TransportOptions::default());
    assert!(!all.contains("never-shown"), "{all}");
}

#[test]
fn lost_events_are_reported_to_the_vendor_where_that_is_wished() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    server.fail_always(Endpoint::Events, Some(Fault::Status(400, String::new())));
    for wished in [false, true] {
        let statsig = builder(&server).report_errors_upstream(wished).build().unwrap();
        statsig.log_event(&user(), "bought", None, None);
        assert_eq!(statsig.shutdown_blocking(LONG).events.failed, 1);
    }
    let reports: Vec<_> =
        server.requests().into_iter().filter(|request| request.target.ends_with("/v1/sdk_exception")).collect();
    assert_eq!(reports.len(), 1);
    let body: serde_json::Value = reports[0].json().unwrap();
    assert_eq!((&body["tag"], &body["extra"]["eventCount"]), (&json!("statsig::log_event_failed"), &json!("1")));
    assert!(!body.to_string().contains("bought"));
}

#[test]
fn everything_that_is_wrong_is_listed_at_once() {
    let mut endpoints = statsig::EndpointOptions::default();
    endpoints.specs_url = Some("no address".to_owned());
    endpoints.log_event_url = Some("ftp://example.com/v1/log_event".to_owned());
    let builder = Statsig::builder()
        .sdk_key("secret-test")
        .endpoints(endpoints)
        .initialize_sources([DataSource::Bootstrap])
        .config_sync_sources([DataSource::DataStore])
        .event_queue_size(0);
    let error = builder.build().unwrap_err();
    let statsig::Error::Misconfigured(found) = &error else { panic!("{error:?}") };
    let problems = found.problems().join("\n");
    for named in [
        "`specs_url`",
        "`log_event_url`",
        "`initialize_sources` lists `DataSource::Bootstrap`, which is not configured",
        "`config_sync_sources` lists `DataSource::DataStore`, which is not configured",
        "`event_queue_size`",
    ] {
        assert!(problems.contains(named), "{named} is not in:\n{problems}");
    }
    assert!(!problems.contains("secret-test"));
    // An error that is alone stays what it is.
    let alone = Statsig::builder().bootstrap("{").build().unwrap_err();
    assert!(matches!(alone, statsig::Error::Specs(_)), "{alone:?}");
    let both = Statsig::builder().bootstrap("{").event_queue_size(0).build().unwrap_err();
    let statsig::Error::Misconfigured(found) = &both else { panic!("{both:?}") };
    assert_eq!(found.problems().len(), 2, "{both}");
}

#[tokio::test]
async fn a_second_address_is_asked_right_after_the_first() {
    let (first, second) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    second.publish_specs(specs(1_000, true));
    first.fail_always(Endpoint::SpecsV2, Some(Fault::Status(503, String::new())));
    let options = json!({
        "specs_url": format!("{}/v2/download_config_specs", first.url()),
        "fallback_specs_url": format!("{}/v2/download_config_specs", second.url()),
        "log_event_url": format!("{}/v1/log_event", first.url()), "enable_id_lists": false, "sdk_key": "secret-test",
    });
    let options = statsig::StatsigOptions::from_json(&options.to_string()).unwrap();
    let statsig = Statsig::builder().options(options).build().unwrap();
    let details = statsig.initialize().await;
    let asked: Vec<_> = details.attempts.iter().map(|attempt| attempt.source.as_str()).collect();
    assert_eq!((asked, details.specs_time), (vec!["network", "network-fallback"], 1_000));
    assert_eq!(details.source, SpecOrigin::Network);
    assert!(statsig.check_gate(&user(), "g"));
    // Polls ask in the same order.
    second.publish_specs(specs(2_000, false));
    statsig.sync_now().await;
    assert!(!statsig.check_gate(&user(), "g"));
    statsig.shutdown(LONG).await;
}
