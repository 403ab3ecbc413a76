//! What a project's settings and the application's environment change.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use statsig::{BatchEncoding, Delivery, EventBatch, EventSink, FixedClock, Statsig, StatsigUser};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::support::{Logged, NOW, specs, user};

const LONG: Duration = Duration::from_secs(60);

/// Takes everything, and tells what it took.
struct Tells(UnboundedSender<(u32, BatchEncoding, &'static str)>);

#[async_trait::async_trait]
impl EventSink for Tells {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let _ = self.0.send((batch.event_count, batch.encoding, batch.flush_type.as_str()));
        Delivery::Delivered
    }
}

type Batches = UnboundedReceiver<(u32, BatchEncoding, &'static str)>;

fn client(configs: Value, flags: Value) -> (Statsig, Batches) {
    let (sender, batches) = unbounded_channel();
    let builder = Statsig::builder().bootstrap(with_settings(0, configs, flags)).clock(Arc::new(FixedClock(NOW)));
    // The batches are smaller than the project says, unless it is heard.
    let builder = builder.event_sink(Arc::new(Tells(sender))).event_queue_size(7);
    (builder.build().unwrap(), batches)
}

fn with_settings(later_ms: u64, configs: Value, flags: Value) -> Vec<u8> {
    specs(|specs| {
        specs["time"] = (1_790_000_000_000_u64 + later_ms).into();
        specs["sdk_configs"] = configs;
        specs["sdk_flags"] = flags;
    })
}

fn log(statsig: &Statsig, events: u32) {
    (0..events).for_each(|_| statsig.identify(&user()));
}

#[tokio::test(start_paused = true)]
async fn a_project_sets_size_and_encoding_of_batches() {
    let (statsig, mut batches) = client(json!({"event_queue_size": 3}), json!({"stop_log_event_compression": true}));
    log(&statsig, 3);
    assert_eq!(batches.recv().await, Some((3, BatchEncoding::Identity, "scheduled:full_batch")));

    // What a later document leaves out, or gives another type, stays.
    for (later_ms, configs) in [
        (1, json!({})),
        (2, json!({"event_queue_size": "5"})),
        (3, json!({"event_queue_size": 0})),
        (4, json!({"event_queue_size": -5})),
    ] {
        statsig.update_specs(with_settings(later_ms, configs, json!({}))).unwrap();
        log(&statsig, 3);
        assert_eq!(batches.recv().await, Some((3, BatchEncoding::Identity, "scheduled:full_batch")));
    }
    // What it changes, changes. Fractions are cut off.
    let changed = with_settings(5, json!({"event_queue_size": 2.9}), json!({"stop_log_event_compression": false}));
    statsig.update_specs(changed).unwrap();
    log(&statsig, 2);
    assert_eq!(batches.recv().await, Some((2, BatchEncoding::Gzip, "scheduled:full_batch")));
    assert!(statsig.shutdown(LONG).await.events.is_complete());
    assert!(batches.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_project_sets_the_interval() {
    // In force after the interval that runs: one of 60 seconds that began with the client.
    let (statsig, mut batches) = client(json!({"event_logging_interval_seconds": 5}), json!({}));
    let mut waited = Vec::new();
    for _ in 0..4 {
        let begin = tokio::time::Instant::now();
        log(&statsig, 1);
        assert_eq!(batches.recv().await, Some((1, BatchEncoding::Gzip, "scheduled:max_time")));
        waited.push(begin.elapsed());
    }
    assert!(waited[1..].iter().all(|waited| *waited <= Duration::from_secs(5)), "{waited:?}");

    for interval in [json!("60"), json!(0), json!(-1), json!(0.9), json!(null), json!([60])] {
        let document = with_settings(1, json!({"event_logging_interval_seconds": interval}), json!({}));
        statsig.update_specs(document).unwrap();
    }
    for _ in 0..3 {
        let begin = tokio::time::Instant::now();
        log(&statsig, 1);
        assert_eq!(batches.recv().await.map(|batch| batch.0), Some(1));
        assert!(begin.elapsed() <= Duration::from_secs(5));
    }
    // Longer than any clock counts.
    let document = with_settings(2, json!({"event_logging_interval_seconds": 1e300}), json!({}));
    statsig.update_specs(document).unwrap();
    log(&statsig, 1);
    assert!(statsig.flush_events(LONG).await.is_complete());
    log(&statsig, 1);
    assert!(statsig.shutdown(LONG).await.events.is_complete());
    assert_eq!(statsig.event_stats().sender_restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn batches_say_what_made_them() {
    let (statsig, mut batches) = client(json!({}), json!({}));
    log(&statsig, 8);
    assert_eq!(batches.recv().await, Some((7, BatchEncoding::Gzip, "scheduled:full_batch")));
    assert_eq!(batches.recv().await, Some((1, BatchEncoding::Gzip, "scheduled:max_time")));
    log(&statsig, 2);
    assert!(statsig.flush_events(LONG).await.is_complete());
    assert_eq!(batches.recv().await, Some((2, BatchEncoding::Gzip, "manual")));
    log(&statsig, 3);
    assert!(statsig.shutdown(LONG).await.events.is_complete());
    assert_eq!(batches.recv().await, Some((3, BatchEncoding::Gzip, "shutdown")));
}

/// A project that logs next to nothing of `global_holdout`.
fn sampled(mode: &str) -> Vec<u8> {
    let mode = json!(mode);
    specs(move |specs| {
        specs["sdk_configs"] = json!({"sampling_mode": mode, "special_case_sampling_rate": 0});
    })
}

/// Number of exposures of 20 users, after the first of the rule.
fn logged_of_twenty(logged: &Logged) -> usize {
    for at in 0..20 {
        let _ = logged.statsig.check_gate(&StatsigUser::with_user_id(format!("u{at}")), "global_holdout");
    }
    logged.events().len() - 1
}

#[test]
fn sampling_is_for_production_only() {
    for (environment, expected) in [(None, 0), (Some("production"), 0), (Some("Production"), 0), (Some("staging"), 19)]
    {
        let logged = Logged::with(sampled("on"), |builder| match environment {
            Some(tier) => builder.environment(tier),
            None => builder,
        });
        assert_eq!(logged_of_twenty(&logged), expected, "{environment:?}");
        let sampled_out = 19 - expected as u64;
        assert_eq!(logged.statsig.exposure_counts().sampled_out, sampled_out, "{environment:?}");
    }
}

#[test]
fn overridden_users_are_never_sampled_out() {
    let by_rule = |rule: &str| {
        let rule = rule.to_owned();
        specs(move |specs| {
            specs["sdk_configs"] = json!({"sampling_mode": "on"});
            let gate = &mut specs["feature_gates"]["global_holdout"];
            gate["rules"] = json!([{"name": rule, "id": rule, "salt": "r", "passPercentage": 100,
                "conditions": ["all"], "returnValue": true, "idType": "userID", "samplingRate": 0}]);
        })
    };
    for (rule, expected) in [("r1", 0), ("r1:override", 19), ("r1:id_override", 19), ("override", 0)] {
        let logged = Logged::with(by_rule(rule), |builder| builder);
        assert_eq!(logged_of_twenty(&logged), expected, "{rule}");
    }
}

#[test]
fn what_a_later_document_leaves_out_of_the_sampling_stays() {
    let logged = Logged::with(sampled("on"), |builder| builder);
    let later = |configs: Value, later_ms| logged.statsig.update_specs(with_settings(later_ms, configs, json!({})));
    let count = |first: u32| {
        for at in first..first + 10 {
            let _ = logged.statsig.check_gate(&StatsigUser::with_user_id(format!("u{at}")), "global_holdout");
        }
        logged.events().len()
    };
    assert_eq!(count(0), 1);
    later(json!({"special_case_sampling_rate": "1", "sampling_mode": 7}), 1).unwrap();
    assert_eq!(count(10), 0);
    later(json!({"special_case_sampling_rate": 1}), 2).unwrap();
    assert_eq!(count(20), 10);
    later(json!({"sampling_mode": "no such mode", "special_case_sampling_rate": 0}), 3).unwrap();
    assert_eq!(count(30), 10);
}
