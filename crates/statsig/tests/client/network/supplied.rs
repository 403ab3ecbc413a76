//! Specs that the application supplies go the way of all others.

use std::sync::{Arc, Mutex};

use statsig::{Error, Statsig, StatsigBuilder, UpdateOutcome};
use statsig_testkit::server::FakeStatsig;

use super::{LONG, builder, specs, user};

/// Config specs that say which key they were made for.
fn made_for(time: u64, hash: &str) -> Vec<u8> {
    let text = String::from_utf8(specs(time, true)).unwrap();
    text.replacen('{', &format!(r#"{{"hashed_sdk_key_used":"{hash}","#), 1).into_bytes()
}

/// Pairs of times that a client reported: of the specs before, and of those that became current.
type ReportedTimes = Arc<Mutex<Vec<(u64, u64)>>>;

/// Builds a client, with the times that it reports.
fn heard(builder: StatsigBuilder) -> (Statsig, ReportedTimes) {
    let times = ReportedTimes::default();
    let heard = Arc::clone(&times);
    let statsig = builder
        .rules_updated_callback(move |updated| heard.lock().unwrap().push((updated.previous_time, updated.time)))
        .build()
        .unwrap();
    (statsig, times)
}

fn refuses_foreign_specs(statsig: &Statsig) {
    let refused = statsig.update_specs(made_for(9_000, "1")).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)) && !refused.is_retryable(), "{refused:?}");
    for other in [r#"{"message":"Forbidden"}"#, r#"{"has_updates":false"#, ""] {
        let refused = statsig.update_specs(other).unwrap_err();
        assert!(matches!(refused, Error::Specs(_)), "{other}: {refused:?}");
    }
}

#[test]
fn supplied_specs_are_checked_reported_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, false));
    let (statsig, times) = heard(builder(&server).last_known_good(folder.path()));
    assert!(statsig.initialize_blocking().is_config_spec_ready);
    refuses_foreign_specs(&statsig);
    assert_eq!(statsig.update_specs(specs(2_000, true)).unwrap(), UpdateOutcome::Applied);
    assert!(statsig.check_gate(&user(), "g"));
    assert_eq!(*times.lock().unwrap(), [(0, 1_000), (1_000, 2_000)]);
    assert_eq!(statsig.update_specs(specs(2_000, true)).unwrap(), UpdateOutcome::Unchanged);
    assert_eq!(statsig.update_specs(specs(1_500, true)).unwrap(), UpdateOutcome::Older);
    assert_eq!(times.lock().unwrap().len(), 2);
    let _ = statsig.shutdown_blocking(LONG);

    // The next client starts with what was supplied, though no server is there.
    drop(server);
    let unreachable =
        Statsig::builder().sdk_key("secret-test").api("http://127.0.0.1:9").last_known_good(folder.path());
    let (next, _) = heard(unreachable);
    assert_eq!(next.initialize_blocking().specs_time, 2_000);
    let _ = next.shutdown_blocking(LONG);
}

#[test]
fn a_client_without_sources_checks_and_reports_supplied_specs() {
    let alone = Statsig::builder().sdk_key("secret-test").disable_network(true).bootstrap(specs(1_000, false));
    let (statsig, times) = heard(alone);
    refuses_foreign_specs(&statsig);
    assert_eq!(statsig.update_specs(specs(2_000, true)).unwrap(), UpdateOutcome::Applied);
    assert_eq!(*times.lock().unwrap(), [(1_000, 2_000)]);
    assert!(statsig.check_gate(&user(), "g"));
}

#[test]
fn a_callback_may_supply_specs() {
    let own: Arc<std::sync::OnceLock<Statsig>> = Arc::default();
    let client = Arc::clone(&own);
    let statsig = Statsig::builder()
        .sdk_key("secret-test")
        .disable_network(true)
        .bootstrap(specs(1_000, false))
        .rules_updated_callback(move |updated| {
            if updated.time == 2_000 {
                let statsig = client.get().unwrap();
                assert_eq!(statsig.update_specs(specs(3_000, true)).unwrap(), UpdateOutcome::Applied);
            }
        })
        .build()
        .unwrap();
    let _ = own.set(statsig.clone());
    assert_eq!(statsig.update_specs(specs(2_000, false)).unwrap(), UpdateOutcome::Applied);
    assert_eq!(statsig.snapshot().ruleset().meta().time, 3_000);
}
