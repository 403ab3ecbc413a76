//! Payloads from the future order nothing.

use serde_json::json;
use statsig_core::{
    CompileLimits, ProblemKind, Reach, Snapshot, SnapshotStore, SpecOrigin, SpecUpdate, UpdateOutcome, is_future,
};

use super::{compile, specs};

const NOW: u64 = 1_790_000_000_000;
const DAY: u64 = 86_400_000;

/// A store, fed with payloads by time, checksum and the clock at which they come.
struct Feed(SnapshotStore);

impl Feed {
    fn new() -> Self {
        Self(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)))
    }

    fn apply(&self, time: u64, checksum: &str, now: u64) -> UpdateOutcome {
        let mut payload = specs(&json!({}));
        payload["time"] = json!(time);
        payload["checksum"] = json!(checksum);
        let update = SpecUpdate::new(payload.to_string().into_bytes(), SpecOrigin::Network, Reach::Upstream, now);
        self.0.apply(&update, &CompileLimits::default()).unwrap()
    }

    /// Time of the current payload, time that orders, number of problems.
    fn state(&self) -> (u64, u64, usize) {
        let current = self.0.load();
        let problems = current.ruleset().problems();
        assert!(problems.iter().all(|problem| problem.kind == ProblemKind::FutureTime));
        (current.ruleset().meta().time, current.ordering_time_ms(), problems.len())
    }
}

#[test]
fn the_next_valid_time_replaces_a_time_from_the_future() {
    for future in [NOW * 1_000, u64::MAX, NOW + DAY + 1] {
        let feed = Feed::new();
        assert_eq!(feed.apply(NOW - 5, "a", NOW), UpdateOutcome::Applied);
        assert_eq!(feed.state(), (NOW - 5, NOW - 5, 0));
        assert_eq!(feed.apply(future, "b", NOW), UpdateOutcome::Applied);
        assert_eq!(feed.state(), (future, 0, 1));
        assert_eq!(feed.apply(NOW - 9, "c", NOW + 1), UpdateOutcome::Applied);
        assert_eq!(feed.state(), (NOW - 9, NOW - 9, 0));
        assert_eq!(feed.apply(NOW - 10, "d", NOW + 2), UpdateOutcome::Older);
    }
}

#[test]
fn a_time_within_a_day_orders_as_ever() {
    let feed = Feed::new();
    assert_eq!(feed.apply(NOW + DAY, "a", NOW), UpdateOutcome::Applied);
    assert_eq!(feed.state(), (NOW + DAY, NOW + DAY, 0));
    assert_eq!(feed.apply(NOW, "b", NOW), UpdateOutcome::Older);
}

#[test]
fn a_time_that_comes_true_later_still_orders_nothing() {
    let feed = Feed::new();
    feed.apply(NOW + 2 * DAY, "a", NOW);
    assert_eq!(feed.apply(NOW + DAY, "b", NOW + 3 * DAY), UpdateOutcome::Applied);
}

#[test]
fn the_same_content_with_a_valid_time_corrects_the_time() {
    let feed = Feed::new();
    feed.apply(NOW * 1_000, "a", NOW);
    assert_eq!(feed.apply(NOW * 1_000, "a", NOW), UpdateOutcome::Unchanged);
    assert_eq!(feed.apply(NOW, "a", NOW), UpdateOutcome::Applied);
    assert_eq!(feed.state(), (NOW, NOW, 0));
}

#[test]
fn a_clock_that_was_set_late_still_frees_the_client() {
    let feed = Feed::new();
    assert_eq!(feed.apply(NOW * 1_000, "a", 7), UpdateOutcome::Applied);
    assert_eq!(feed.state().2, 0, "a clock in 1970 proves nothing");
    assert_eq!(feed.apply(NOW, "b", NOW), UpdateOutcome::Applied);
}

#[test]
fn a_bootstrapped_payload_from_the_future_is_a_problem() {
    let mut payload = specs(&json!({}));
    payload["time"] = json!(NOW * 1_000);
    let snapshot = Snapshot::new(compile(&payload).unwrap(), SpecOrigin::Bootstrap, NOW);
    assert_eq!(snapshot.ruleset().problems()[0].kind, ProblemKind::FutureTime);
    assert_eq!(snapshot.ruleset().problems()[0].path, "time");
    assert!(is_future(snapshot.ruleset().meta().time, NOW));
}
