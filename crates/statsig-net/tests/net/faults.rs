//! Everything that can go wrong while the client runs: evaluation goes on, and sync recovers by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use statsig_core::{Clock, EvaluationContext, EvaluationSettings, Snapshot, SnapshotStore, SpecOrigin, StatsigUser};
use statsig_net::{RulesetTarget, SpecSources, SpecSync, SyncOptions};
use statsig_testkit::server::{Coding, Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{HandClock, NOW, clock, once, settle, specs, until, watched_network_by};

const SECOND: Duration = Duration::from_secs(1);

fn empty() -> Arc<SnapshotStore> {
    Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)))
}

fn options() -> SyncOptions {
    let mut options = SyncOptions::default();
    options.jitter_seed = Some(1);
    options
}

fn gate(store: &SnapshotStore, clock: &dyn Clock) -> bool {
    let (snapshot, settings, user) = (store.load_full(), EvaluationSettings::new(), StatsigUser::with_user_id("u"));
    EvaluationContext::new(&snapshot, &user, &settings, clock).check_gate("beta")
}

#[derive(Debug)]
enum Trouble {
    Server(Fault),
    /// The server keeps the request until the time is up.
    Silence(Fault),
    NoSuchHost,
}

#[tokio::test]
async fn evaluation_goes_on_and_sync_recovers_after_every_fault() {
    let time = FrozenTime::start();
    let (server, elsewhere) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    server.publish_specs(specs(1, true));
    elsewhere.publish_specs(specs(1_000_000, true));
    let store = empty();
    let (network, mut exchanges) = watched_network_by(&server, clock(), |options| options.max_specs_bytes = 8 << 20);
    let source = once(network.spec_source());
    let sync = SpecSync::new(
        options(),
        RulesetTarget::new(Arc::clone(&store)),
        SpecSources::new().then(source),
        clock(),
        &Handle::current(),
    );
    assert!(sync.initialize().await.is_config_spec_ready);
    let with_key = format!("{}/v2/download_config_specs/{}.json", elsewhere.url(), crate::common::KEY);
    let troubles = [
        Trouble::Server(Fault::Status(500, "<html>".into())),
        Trouble::Server(Fault::StatusWith(429, "retry-after", "20".into())),
        Trouble::Server(Fault::Status(401, String::new())),
        Trouble::Silence(Fault::Hang),
        Trouble::Silence(Fault::Drip(Duration::from_millis(50))),
        Trouble::Silence(Fault::Endless),
        Trouble::Server(Fault::Cut(40)),
        Trouble::Server(Fault::Garbage),
        Trouble::Server(Fault::Close),
        Trouble::Server(Fault::Body(b"{\"has_updates\":true,".to_vec())),
        Trouble::Server(Fault::Body(b"{\"has_updates\":true,\"time\":99999}".to_vec())),
        Trouble::Server(Fault::Typed("text/html", b"<html>log in</html>".to_vec())),
        Trouble::Server(Fault::Bomb(Coding::Gzip, 16 << 20)),
        Trouble::Server(Fault::StatusWith(302, "location", with_key)),
        Trouble::NoSuchHost,
    ];
    let updates = sync.subscribe();
    for (round, trouble) in (2..).zip(troubles) {
        // What was published with the fault comes once the fault is over.
        server.publish_specs(specs(round, round % 2 == 0));
        let failed = sync.health().failures;
        match &trouble {
            Trouble::Server(fault) => {
                server.fail_always(Endpoint::SpecsV2, Some(fault.clone()));
                exchanges.next(&time).await;
            }
            Trouble::Silence(fault) => {
                server.fail_always(Endpoint::SpecsV2, Some(fault.clone()));
                exchanges.begins(&time).await;
                assert_eq!(gate(&store, &*clock()), (round - 1) % 2 == 0 || round == 2, "{trouble:?}");
                time.advance(11 * SECOND).await;
            }
            Trouble::NoSuchHost => {
                exchanges.nameless.store(true, Ordering::Relaxed);
                exchanges.next(&time).await;
            }
        }
        while sync.health().failures == failed {
            settle().await;
            // The limit of a request counts from its own start, which may come after the clock was moved.
            if matches!(trouble, Trouble::Silence(_)) {
                time.advance(SECOND / 10).await;
            }
        }
        assert_eq!(store.load().ruleset().meta().time, round - 1, "{trouble:?}");
        assert_eq!(gate(&store, &*clock()), (round - 1) % 2 == 0 || round == 2, "{trouble:?}");
        assert!(sync.health().last_error.is_some_and(|error| !error.contains("fGhIjKl")));
        server.fail_always(Endpoint::SpecsV2, None);
        exchanges.nameless.store(false, Ordering::Relaxed);
        exchanges.next(&time).await;
        // A request that began before the fault was over may have to run out of time first.
        while *updates.borrow() != round {
            settle().await;
            time.advance(SECOND / 10).await;
        }
        until(|| sync.health().failures == 0).await;
        assert_eq!((sync.health().failures, sync.health().last_error), (0, None));
        assert_eq!(gate(&store, &*clock()), round % 2 == 0);
    }
    assert_eq!(sync.health().panics, 0);
    assert_eq!(elsewhere.requests().len(), 0, "the key went to another host");
}

#[tokio::test]
async fn the_time_of_day_may_jump() {
    const DAY: i64 = 86_400_000;
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    let wall = HandClock::at(NOW);
    let first = u64::try_from(NOW).unwrap();
    server.publish_specs(specs(first, true));
    let (network, mut exchanges) = watched_network_by(&server, Arc::clone(&wall), |_| {});
    let store = empty();
    let mut options = options();
    // Looks at the time of day at every poll.
    options.out_of_sync_threshold = Some(3_600 * SECOND);
    let sources = SpecSources::new().then(once(network.spec_source()));
    let sync =
        SpecSync::new(options, RulesetTarget::new(Arc::clone(&store)), sources, wall.clone(), &Handle::current());
    assert!(sync.initialize().await.is_config_spec_ready);
    let mut updates = sync.subscribe();
    for (round, now) in (1..).zip([NOW + 3 * DAY, NOW - 40 * DAY, NOW, 0, -DAY, i64::MIN, i64::MAX, NOW + DAY]) {
        wall.set(now);
        // Nothing new: once around, and all is well.
        let questions = sync.health().questions;
        let pause = exchanges.next(&time).await;
        assert!(pause <= 12 * SECOND, "{now}: {pause:?}");
        until(|| sync.health().questions > questions).await;
        assert_eq!(gate(&store, &*wall), round % 2 == 1, "{now}");
        let health = sync.health();
        assert_eq!((health.failures, health.panics), (0, 0), "{now}");
        assert!(health.last_contact.unwrap() <= SECOND, "{now}: {health:?}");
        assert!(health.last_update.unwrap() <= 40 * SECOND, "{now}: {health:?}");
        // Something new, whatever its own time says of ours.
        server.publish_specs(specs(first + round, round % 2 == 0));
        let pause = exchanges.next(&time).await;
        assert!(pause >= 8 * SECOND && pause <= 12 * SECOND, "{now}: {pause:?}");
        updates.wait_for(|time| *time == first + round).await.unwrap();
        until(|| sync.health().applied == round + 1).await;
        assert_eq!(gate(&store, &*wall), round % 2 == 0, "{now}");
        assert!(sync.health().last_update.unwrap() <= SECOND, "{now}");
    }
    sync.shutdown(SECOND).await;
}
