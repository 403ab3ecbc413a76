//! Event endpoints that refuse, redirect or confirm nothing, and how `health()` describes it.

use std::time::{Duration, Instant};

use statsig::{DropCause, Statsig};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use super::{LONG, builder, user};

/// Waits until the client has tried so often in vain.
fn wait_for_failures(statsig: &Statsig, failures: u32) -> statsig::DeliveryHealth {
    let deadline = Instant::now() + LONG;
    loop {
        let health = statsig.health().event_delivery;
        if health.failures >= failures {
            return health;
        }
        assert!(Instant::now() < deadline, "{health:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_balanced(statsig: &Statsig) -> bool {
    let stats = statsig.event_stats();
    stats.is_balanced() && stats.accepted + stats.recovered == stats.delivered + stats.pending + stats.dropped.total()
}

#[test]
fn a_refused_key_is_named_until_a_delivery_succeeds() {
    let server = FakeStatsig::start().unwrap();
    // What the server writes may be a user's, and is not repeated.
    server.fail_always(Endpoint::Events, Some(Fault::Status(401, "no such key: secret-test, user ada".to_owned())));
    let statsig = builder(&server).build().unwrap();
    statsig.log_event(&user(), "bought", None, None);
    let report = statsig.flush_events_blocking(Duration::from_millis(200));
    assert_eq!((report.delivered, report.pending), (0, 1));
    let health = wait_for_failures(&statsig, 1);
    let error = health.last_error.unwrap();
    let host = server.url().trim_start_matches("http://").to_owned();
    assert_eq!(error, format!("{host} answers 401 Unauthorized"));
    assert!(health.last_failure.is_some() && health.next_attempt.is_some_and(|next| next <= Duration::from_secs(60)));
    assert!(is_balanced(&statsig));

    server.fail_always(Endpoint::Events, None);
    assert!(statsig.flush_events_blocking(LONG).is_complete());
    assert_eq!(statsig.health().event_delivery, statsig::DeliveryHealth::default());
    assert!(is_balanced(&statsig) && statsig.event_stats().dropped.total() == 0);
}

#[test]
fn what_is_refused_at_the_end_is_dropped_as_refused() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::Events, Some(Fault::Status(403, String::new())));
    let statsig = builder(&server).build().unwrap();
    statsig.log_event(&user(), "bought", None, None);
    let begin = Instant::now();
    assert_eq!(statsig.shutdown_blocking(LONG).events.failed, 1);
    assert!(begin.elapsed() < LONG / 2);
    assert_eq!(statsig.event_stats().dropped.get(DropCause::Refused), 1);
    assert!(is_balanced(&statsig));
}

#[test]
fn an_address_to_correct_is_named() {
    let server = FakeStatsig::start().unwrap();
    let elsewhere = "https://events.example/secret-test/log_event".to_owned();
    server.fail_always(Endpoint::Events, Some(Fault::StatusWith(308, "location", elsewhere)));
    let statsig = builder(&server).build().unwrap();
    statsig.log_event(&user(), "bought", None, None);
    let _ = statsig.flush_events_blocking(Duration::from_millis(200));
    let error = wait_for_failures(&statsig, 1).last_error.unwrap();
    assert!(error.contains("308: set `log_event_url` to the new address at https://events.example;"), "{error}");
    assert!(error.chars().count() <= 200 && !error.contains("secret-test"), "{error}");
    assert!(is_balanced(&statsig));
}

#[test]
fn answers_that_confirm_nothing_are_counted_at_the_end() {
    let server = FakeStatsig::start().unwrap();
    server.fail_always(Endpoint::Events, Some(Fault::Typed("text/html", b"<html>Log in, ada</html>".to_vec())));
    let statsig = builder(&server).build().unwrap();
    statsig.log_event(&user(), "bought", None, None);
    let report = statsig.flush_events_blocking(Duration::from_millis(200));
    assert_eq!((report.delivered, report.pending), (0, 1), "tried again later");
    let error = wait_for_failures(&statsig, 1).last_error.unwrap();
    assert!(error.contains("200 OK with HTML or XML") && !error.contains("ada"), "{error}");
    assert_eq!(statsig.shutdown_blocking(LONG).events.delivered, 1);
    let stats = statsig.event_stats();
    assert_eq!((stats.delivered, stats.unconfirmed, stats.dropped.total()), (1, 1, 0));
    assert!(is_balanced(&statsig));
}
