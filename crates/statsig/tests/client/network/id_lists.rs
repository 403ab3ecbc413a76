//! ID lists beside a data store.

use std::sync::Arc;

use serde_json::json;
use statsig::{DataStore, InMemoryDataStore, StatsigUser};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use super::{LONG, builder, specs};

#[test]
fn a_process_that_starts_with_nothing_but_the_store_has_lists() {
    let server = FakeStatsig::start().unwrap();
    let mut project: serde_json::Value = serde_json::from_slice(&specs(1_000, true)).unwrap();
    project["condition_map"]["all"] =
        json!({"type": "unit_id", "operator": "in_segment_list", "targetValue": "vip", "idType": "userID"});
    project["id_lists"] = json!({"vip": true});
    server.publish_specs(project.to_string());
    // The hash of `user-1`.
    server.publish_id_list("vip", "file-1", 1, "+xsKJ5J6c\n");
    let store: Arc<dyn DataStore> = Arc::new(InMemoryDataStore::default());
    let writer = builder(&server).data_store(Arc::clone(&store)).build().unwrap();
    assert_eq!(writer.initialize_blocking().is_id_list_ready, Some(true));
    while writer.health().specs.unwrap().kept.0 == 0 {
        std::thread::yield_now();
    }
    for endpoint in [Endpoint::SpecsV2, Endpoint::IdLists, Endpoint::IdListFile] {
        server.fail_always(endpoint, Some(Fault::Status(500, String::new())));
    }
    let reader = builder(&server).data_store(store).build().unwrap();
    let details = reader.initialize_blocking();
    assert_eq!((details.is_config_spec_ready, details.is_id_list_ready), (true, Some(true)), "{details:?}");
    assert!(reader.check_gate(&StatsigUser::with_user_id("user-1"), "g"));
    assert!(!reader.check_gate(&StatsigUser::with_user_id("user-2"), "g"));
    let _ = (writer.shutdown_blocking(LONG), reader.shutdown_blocking(LONG));
}
