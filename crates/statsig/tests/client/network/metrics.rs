//! What an observer of the client hears of the network.

use std::sync::{Arc, Mutex};

use statsig::{Observer, Tag};
use statsig_testkit::server::FakeStatsig;

use super::{LONG, builder, specs};

#[derive(Default)]
struct Names(Mutex<Vec<String>>);

impl Observer for Names {
    fn increment(&self, name: &str, _: u64, tags: &[Tag<'_>]) {
        assert!(tags.iter().all(|(_, value)| !value.contains("secret-")));
        self.0.lock().unwrap().push(name.to_owned());
    }
    fn distribution(&self, name: &str, _: f64, tags: &[Tag<'_>]) {
        self.increment(name, 1, tags);
    }
}

#[test]
fn the_clients_observer_hears_of_specs_id_lists_and_events() {
    let server = FakeStatsig::start().unwrap();
    let mut project: serde_json::Value = serde_json::from_slice(&specs(1_000, true)).unwrap();
    project["id_lists"] = serde_json::json!({"vip": true});
    server.publish_specs(project.to_string());
    server.publish_id_list("vip", "file-1", 1, "+xsKJ5J6c\n");
    let names = Arc::new(Names::default());
    let statsig = builder(&server).observer(names.clone()).build().unwrap();
    assert!(statsig.initialize_blocking().is_config_spec_ready);
    let _ = statsig.check_gate(&super::user(), "g");
    let _ = statsig.shutdown_blocking(LONG);
    let heard = names.0.lock().unwrap();
    for name in [
        "initialization",
        "config_sync_count",
        "network_request.latency",
        "id_lists_sync_overall.latency",
        "events_successfully_sent_count",
    ] {
        assert!(heard.iter().any(|known| known == name), "{name}: {heard:?}");
    }
}
