//! Bounds, what gives way, and that every event is accounted for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;

/// A destination that is down until the test says otherwise.
fn outage(options: PipelineOptions) -> (EventPipeline<Event>, UnboundedReceiver<Attempt>, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let (pipeline, attempts) = start(options, move |_| if seen.load(Ordering::Relaxed) { taken() } else { busy() });
    (pipeline, attempts, up)
}

#[tokio::test(start_paused = true)]
async fn custom_events_give_way_before_exposures() {
    let small = PipelineOptions { queue_events: 100, batch_events: 1_000, ..options() };
    let (pipeline, mut attempts) = start(small, |_| taken());
    (0..80).for_each(|number| pipeline.log(custom(number)));
    (0..120).for_each(|number| pipeline.log(exposure(number)));
    (80..85).for_each(|number| pipeline.log(custom(number)));
    let stats = pipeline.stats();
    assert_eq!((stats.accepted, stats.pending), (205, 100));
    assert_eq!(dropped(&stats), [(DropCause::QueueEvents, 105)]);
    assert!(pipeline.flush(SECOND).await.is_complete());
    assert_eq!(attempts.recv().await.unwrap().events(), numbers(0..100), "the first hundred exposures");
    assert!(attempts.try_recv().is_err(), "no custom event is left");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_custom_event_gives_way_also_when_it_is_staged() {
    let small = PipelineOptions { queue_events: 6, batch_events: 4, retry_queue_size: 1, ..options() };
    let (pipeline, mut attempts, up) = outage(small);
    (0..4).for_each(|number| pipeline.log(exposure(number)));
    attempts.recv().await.unwrap();
    (0..4).for_each(|number| pipeline.log(custom(number)));
    // Stages them, for want of room to cut them.
    let waits = pipeline.flush(Duration::from_millis(1)).await;
    assert_eq!((waits.pending, waits.failed), (8, 0));
    let cut_short = async {
        tokio::task::yield_now().await;
        (4..8).for_each(|number| pipeline.log(exposure(number)));
        up.store(true, Ordering::Relaxed);
    };
    let (report, ()) = tokio::join!(pipeline.flush(1_000 * SECOND), cut_short);
    assert_eq!((report.delivered, report.failed, report.pending), (6, 2, 0));
    assert!(pipeline.flush(1_000 * SECOND).await.is_complete());
    let mut passed = Vec::new();
    while let Ok(attempt) = attempts.try_recv() {
        passed.extend(attempt.events());
    }
    assert!(!passed.contains(&"\"1\"".to_owned()) && passed.contains(&"\"2\"".to_owned()), "{passed:?}");
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::QueueEvents, 2)]);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let small = PipelineOptions { queue_bytes: 1_000, batch_events: 1_000, ..options() };
    let (pipeline, _attempts) = start(small, |_| taken());
    (0..5).for_each(|number| pipeline.log(custom(number)));
    pipeline.log(Event { bytes: 900, ..exposure(1) });
    let stats = pipeline.stats();
    assert_eq!((dropped(&stats), stats.pending), (vec![(DropCause::QueueBytes, 4)], 2));
    pipeline.log(Event { bytes: 1_001, ..exposure(2) });
    let stats = pipeline.stats();
    assert_eq!((dropped(&stats), stats.pending), (vec![(DropCause::QueueBytes, 5)], 2), "nothing gives way in vain");
    assert!(pipeline.flush(SECOND).await.is_complete());
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(pipeline.stats().pending, 10, "the room was given back");
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_memory_is_bounded_and_nothing_that_fits_is_lost() {
    let small = PipelineOptions { queue_events: 100, retry_queue_size: 3, ..options() };
    let (pipeline, mut attempts, up) = outage(small);
    for number in 0..200 {
        pipeline.log(exposure(number));
        if number % 10 == 9 && number < 30 {
            attempts.recv().await.unwrap();
        }
    }
    let stats = pipeline.stats();
    assert_eq!((stats.pending, stats.pending_in_batches), (130, 30));
    assert_eq!(dropped(&stats), [(DropCause::QueueEvents, 70)]);
    up.store(true, Ordering::Relaxed);
    let report = pipeline.flush(300 * SECOND).await;
    assert_eq!((report.delivered, report.failed), (130, 0));
}

#[tokio::test(start_paused = true)]
async fn events_are_counted_while_logging_is_off() {
    let (pipeline, _attempts) = start(options(), |_| taken());
    pipeline.log(exposure(0));
    pipeline.set_disabled(true);
    (1..5).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Disabled, 4)]);
    pipeline.set_disabled(false);
    pipeline.log(exposure(5));
    assert_eq!(pipeline.flush(SECOND).await.delivered, 2);
}

#[test]
fn the_accounts_balance_at_every_moment_under_load() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let small = PipelineOptions {
            queue_events: 3_000,
            batch_events: 100,
            compression_level: 1,
            backoff_base: Duration::from_millis(1),
            ..options()
        };
        let mut calls = 0_u32;
        let (pipeline, mut attempts) = start(small, move |_| {
            calls += 1;
            match calls % 7 {
                0 => busy(),
                3 => Step::Answer(Delivery::reject("odd")),
                5 => Step::Answer(Delivery::TooLarge),
                _ => taken(),
            }
        });
        let (running, all_there) = (AtomicBool::new(true), std::sync::Barrier::new(4));
        let snapshots = std::thread::scope(|scope| {
            let loggers: Vec<_> = (0..3)
                .map(|thread| {
                    let (pipeline, all_there) = (&pipeline, &all_there);
                    scope.spawn(move || {
                        all_there.wait();
                        for number in 0..30_000 {
                            let number = thread * 1_000_000 + number;
                            pipeline.log(if number % 3 == 0 { custom(number) } else { exposure(number) });
                        }
                    })
                })
                .collect();
            let reader = scope.spawn(|| {
                let (mut snapshots, mut last) = (0_u32, 0);
                all_there.wait();
                loop {
                    let stats = pipeline.stats();
                    assert!(stats.is_balanced() && stats.accepted >= last, "{stats:?}");
                    last = stats.accepted;
                    snapshots += 1;
                    if !running.load(Ordering::Relaxed) {
                        return snapshots;
                    }
                }
            });
            for logger in loggers {
                logger.join().unwrap();
            }
            running.store(false, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(snapshots > 0);
        let report = pipeline.shutdown(60 * SECOND).await;
        let stats = pipeline.stats();
        assert!(stats.is_balanced() && report.pending == 0, "{stats:?}");
        assert_eq!((stats.accepted, stats.pending), (90_000, 0));
        let mut seen = HashSet::new();
        while let Ok(attempt) = attempts.try_recv() {
            seen.extend(attempt.events());
        }
        assert!(seen.len() as u64 >= stats.delivered);
    });
}

/// What a random test does next.
#[derive(Debug, Clone)]
enum Act {
    Log { events: u8, exposure: bool, panics: bool },
    Wait(u16),
    Flush(u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_u8..40, any::<bool>(), proptest::bool::weighted(0.05))
            .prop_map(|(events, exposure, panics)| Act::Log { events, exposure, panics }),
        2 => (0_u16..30_000).prop_map(Act::Wait),
        1 => (0_u16..5_000).prop_map(Act::Flush),
    ]
}

fn step(code: u8) -> Step {
    match code {
        0..=3 => taken(),
        4..=6 => busy(),
        7 => Step::Answer(Delivery::retry_after(3 * SECOND, "later")),
        8 => Step::Answer(Delivery::reject("odd")),
        9 => Step::Answer(Delivery::TooLarge),
        10 => Step::Panic,
        11 => Step::Late(2 * SECOND, Delivery::Delivered),
        // Longer than the pipeline waits.
        12 => Step::Late(100 * SECOND, Delivery::Delivered),
        _ => Step::Late(SECOND, Delivery::retry("late")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the sink does, every event is delivered, pending, or dropped with a cause, and what
    /// counts as delivered was taken by the sink exactly once.
    #[test]
    fn every_event_is_accounted_for(
        acts in proptest::collection::vec(act(), 1..40),
        steps in proptest::collection::vec(0_u8..14, 1..40),
        end_ms in 0_u64..20_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let taken_events = Arc::new(Mutex::new(Vec::new()));
            let (taken_here, mut calls) = (Arc::clone(&taken_events), 0);
            let small = PipelineOptions {
                queue_events: 150,
                retry_queue_size: 3,
                backlog_batch_events: 25,
                ..options()
            };
            let (pipeline, attempts) = start(small, move |batch| {
                let step = step(steps[calls % steps.len()]);
                calls += 1;
                if let Step::Answer(Delivery::Delivered) = step {
                    let raw = body::decoded(batch).unwrap();
                    taken_here.lock().unwrap().extend(body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()));
                }
                step
            });
            let (mut number, mut flushed) = (0, 0);
            for act in acts {
                match act {
                    Act::Log { events, exposure, panics } => {
                        for _ in 0..events {
                            pipeline.log(Event { number, exposure, bytes: 10, panics });
                            number += 1;
                        }
                    }
                    Act::Wait(ms) => tokio::time::sleep(Duration::from_millis(u64::from(ms))).await,
                    Act::Flush(ms) => {
                        let before = pipeline.stats();
                        let report = pipeline.flush(Duration::from_millis(u64::from(ms))).await;
                        assert_eq!(report.delivered + report.failed + report.pending, before.pending);
                        flushed += report.delivered;
                    }
                }
                let stats = pipeline.stats();
                assert!(stats.is_balanced() && stats.accepted == number, "{stats:?}");
                assert!(stats.pending_in_batches <= 25 * 4, "{stats:?}");
            }
            let before = pipeline.stats();
            let report = pipeline.shutdown(Duration::from_millis(end_ms)).await;
            assert_eq!((report.delivered + report.failed, report.pending), (before.pending, 0));
            let stats = pipeline.stats();
            assert!(stats.is_balanced() && stats.accepted == number && stats.pending == 0, "{stats:?}");
            assert!(stats.delivered >= flushed);
            let taken_events = taken_events.lock().unwrap();
            let distinct: HashSet<&String> = taken_events.iter().collect();
            assert_eq!(distinct.len(), taken_events.len(), "an event was taken twice");
            assert!(taken_events.len() as u64 <= number);
            drop(attempts);
        });
    }
}
