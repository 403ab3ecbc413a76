//! Health in the same form for every part: the last failure, failures in a row, what happens next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use statsig::{EventKind, Observer, PartHealth, Statsig, Tag};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use super::{LONG, builder, specs, user};

fn part(statsig: &Statsig, name: &str) -> Option<PartHealth> {
    statsig.health().parts().into_iter().find(|part| part.part == name)
}

/// Waits until a part is as wanted.
fn until(statsig: &Statsig, name: &str, is_so: impl Fn(&PartHealth) -> bool) -> PartHealth {
    let deadline = Instant::now() + LONG;
    loop {
        match part(statsig, name) {
            Some(part) if is_so(&part) => return part,
            other if Instant::now() > deadline => panic!("{other:?}"),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn a_source_that_fails_says_why_and_when_it_is_next_asked() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let statsig = builder(&server).specs_sync_interval(Duration::from_millis(10)).build().unwrap();
    assert!(statsig.initialize_blocking().init_success);
    let fine = until(&statsig, "specs source network", |part| part.failures == 0);
    assert_eq!((fine.last_error, fine.last_failure), (None, None));

    server.fail_always(Endpoint::SpecsV2, Some(Fault::Status(503, String::new())));
    let failing = until(&statsig, "specs source network", |part| part.is_failing());
    let error = failing.last_error.clone().unwrap();
    assert!(error.contains("503") && error.len() <= 200, "{error}");
    assert!(failing.failures > 0 && failing.last_failure.is_some(), "{failing:?}");
    assert!(
        failing.next.as_ref().is_some_and(|next| next.contains("next poll") || next.contains("waiting")),
        "{failing:?}"
    );

    server.fail_always(Endpoint::SpecsV2, None);
    let healed = until(&statsig, "specs source network", |part| !part.is_failing());
    assert!(healed.failures == 0 && healed.last_failure.is_some(), "{healed:?}");
    statsig.shutdown_blocking(LONG);
}

#[test]
fn a_source_that_hangs_shows_before_its_time_is_up() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Hang));
    let statsig = builder(&server).request_timeout(LONG).init_timeout(Duration::from_millis(1)).build().unwrap();
    assert!(statsig.initialize_blocking().timed_out);
    let waiting = until(&statsig, "specs source network", |part| part.next.is_some());
    assert!(waiting.next.as_ref().is_some_and(|next| next.starts_with("waiting for an answer for")), "{waiting:?}");
    statsig.shutdown_blocking(Duration::from_millis(1));
}

#[test]
fn a_last_known_good_file_that_cannot_be_written_says_why() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let folder = tempfile::tempdir().unwrap();
    // A file is where the folder is to be.
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "").unwrap();
    let statsig = builder(&server).last_known_good(&occupied).build().unwrap();
    assert!(statsig.initialize_blocking().init_success);
    let failing = until(&statsig, "last-known-good", PartHealth::is_failing);
    assert!(
        failing.failures > 0 && failing.next.as_ref().is_some_and(|next| next.contains("next attempt")),
        "{failing:?}"
    );
    assert!(failing.last_error.as_ref().is_some_and(|error| error.contains("occupied")), "{failing:?}");

    std::fs::remove_file(&occupied).unwrap();
    server.publish_specs(specs(2_000, true));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(statsig.sync_now()).is_some());
    let healed = until(&statsig, "last-known-good", |part| !part.is_failing());
    assert_eq!((healed.failures, healed.next), (0, None));
    let place = statsig.health().specs.unwrap().persistence.remove(0);
    assert!(place.writes == 1 && place.failed_writes > 0, "{place:?}");
    statsig.shutdown_blocking(LONG);
}

/// Panics at every call.
struct Panics;

impl Observer for Panics {
    fn increment(&self, _: &str, _: u64, _: &[Tag<'_>]) {
        std::panic::panic_any("of the application");
    }
    fn distribution(&self, _: &str, _: f64, _: &[Tag<'_>]) {
        std::panic::panic_any("of the application");
    }
}

#[test]
fn callbacks_that_panic_are_counted_and_named() {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(specs(1_000, true));
    let statsig = builder(&server)
        .observer(Arc::new(Panics))
        .rules_updated_callback(|_| std::panic::panic_any("of the application"))
        .build()
        .unwrap();
    assert_eq!(part(&statsig, "callbacks"), None, "nothing has panicked");
    assert!(statsig.initialize_blocking().init_success);
    let noted = statsig.health().callbacks;
    assert!(noted.panics >= 2, "{noted:?}");
    assert!(statsig.health().specs.unwrap().panics > 0, "counted where it was before, too");

    statsig.subscribe(EventKind::GateEvaluated, |_| std::panic::panic_any("of the application"));
    let before = statsig.health().callbacks.panics;
    assert!(statsig.check_gate(&user(), "g"));
    let health = statsig.health();
    assert!(health.callbacks.panics > before);
    let part = part(&statsig, "callbacks").unwrap();
    assert!(part.last_error.is_some_and(|error| !error.contains("of the application")));
    assert_eq!(part.next.as_deref(), Some("calls go on"));
    statsig.shutdown_blocking(LONG);
}
