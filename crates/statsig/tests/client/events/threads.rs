//! Many threads at once, and one thread's order.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use statsig::{EvaluationOptions, StatsigUser};

use super::support::{Logged, specs};

const THREADS: u64 = 32;
const ROUNDS: u64 = 500;

#[test]
fn counts_of_many_threads_are_exact() {
    let logged = Logged::new();
    let quietly = EvaluationOptions::new().disable_exposure_logging(true);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let statsig = logged.statsig.clone();
            scope.spawn(move || {
                let user = StatsigUser::with_user_id(format!("u{thread}"));
                for _ in 0..ROUNDS {
                    let _ = statsig.check_gate(&user, "new_checkout");
                    let _ = statsig.check_gate_with_options(&user, "by_plan", quietly);
                    let _ = statsig.get_dynamic_config_with_options(&user, "colors", quietly);
                }
            });
        }
    });
    let events = logged.events();
    let mut checks: BTreeMap<String, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["eventName"] == "statsig::non_exposed_checks") {
        let counts: BTreeMap<String, u64> =
            serde_json::from_str(event["metadata"]["checks"].as_str().unwrap()).unwrap();
        counts.into_iter().for_each(|(name, count)| *checks.entry(name).or_default() += count);
    }
    assert_eq!(json!(checks), json!({"by_plan": THREADS * ROUNDS, "colors": THREADS * ROUNDS}));

    let exposures = events.iter().filter(|event| event["eventName"] == "statsig::gate_exposure").count() as u64;
    assert_eq!(exposures, THREADS, "one for each user");
    let counts = logged.statsig.exposure_counts();
    assert_eq!((counts.deduplicated, counts.uncounted_checks), (THREADS * (ROUNDS - 1), 0));
    let stats = logged.statsig.event_stats();
    assert!(stats.is_balanced(), "{stats:?}");
    assert_eq!((stats.accepted, stats.pending), (events.len() as u64, 0));
}

#[test]
fn the_exposures_of_one_thread_keep_their_order_and_so_do_its_events() {
    let logged = Logged::with(specs(|_| ()), |builder| builder.event_queue_size(10));
    let statsig = &logged.statsig;
    let ids: Vec<String> = (0..195).map(|at| format!("u{at}")).collect();
    for id in &ids {
        let user = StatsigUser::with_user_id(id);
        let _ = statsig.check_gate(&user, "new_checkout");
        statsig.log_event(&user, "e", None, None);
    }
    let events = logged.events();
    for name in ["statsig::gate_exposure", "e"] {
        let of_name: Vec<&Value> =
            events.iter().filter(|event| event["eventName"] == name).map(|event| &event["user"]["userID"]).collect();
        assert_eq!(json!(of_name), json!(ids), "{name}");
    }
}
