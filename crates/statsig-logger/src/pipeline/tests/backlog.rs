//! Batch sizes and parallel deliveries while a backlog waits.

use super::*;

/// Batches of 10 events, of up to 60 under backlog.
fn growing() -> PipelineOptions {
    PipelineOptions { backlog_batch_events: 60, ..options() }
}

/// Returns the number of attempts at each point in time, in order, until none comes any more.
async fn together(attempts: &mut UnboundedReceiver<Attempt>) -> Vec<usize> {
    let mut groups: Vec<(Instant, usize)> = Vec::new();
    while let Ok(attempt) = attempts.try_recv() {
        match groups.last_mut() {
            Some((at, number)) if *at == attempt.at => *number += 1,
            _ => groups.push((attempt.at, 1)),
        }
    }
    groups.into_iter().map(|(_, number)| number).collect()
}

async fn sizes(attempts: &mut UnboundedReceiver<Attempt>, batches: usize) -> Vec<u32> {
    let mut sizes = Vec::new();
    for _ in 0..batches {
        sizes.push(attempts.recv().await.unwrap().batch.event_count);
    }
    sizes
}

#[tokio::test(start_paused = true)]
async fn batches_grow_while_more_than_two_wait_and_return_to_normal() {
    let (pipeline, mut attempts) = start(growing(), |_| taken());
    (0..20).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(sizes(&mut attempts, 2).await, [10, 10], "two batches are no backlog");
    (20..41).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(sizes(&mut attempts, 1).await, [20], "whole batches only");
    (41..240).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(sizes(&mut attempts, 5).await, [60, 60, 60, 10, 10]);
    (240..250).for_each(|number| pipeline.log(exposure(number)));
    let normal = attempts.recv().await.unwrap();
    assert_eq!((normal.events(), normal.batch.flush_type.as_str()), (numbers(240..250), "scheduled:full_batch"));
    assert_eq!(pipeline.stats().delivered, 250);
}

#[tokio::test(start_paused = true)]
async fn grown_batches_stay_within_the_bound_of_bytes() {
    let (pipeline, mut attempts) =
        start(PipelineOptions { backlog_batch_events: 3_000, batch_bytes: 1_024, ..options() }, |_| taken());
    (1_000..2_000).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(SECOND).await.is_complete());
    let mut raw = Vec::new();
    while let Ok(attempt) = attempts.try_recv() {
        raw.push(attempt.batch.raw_len);
    }
    // Four digits and a comma or bracket, and another bracket.
    assert!(raw.iter().all(|&bytes| bytes <= 1_024) && raw.contains(&(204 * 5 + 1)), "{raw:?}");
    assert_eq!(pipeline.stats().delivered, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_normal_size_above_that_under_backlog_stays() {
    let (pipeline, mut attempts) = start(growing(), |_| taken());
    pipeline.tune(PipelineTuning { batch_events: Some(100), ..PipelineTuning::default() });
    (0..400).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(sizes(&mut attempts, 4).await, [100; 4]);
    pipeline.tune(PipelineTuning { batch_events: Some(20), ..PipelineTuning::default() });
    (0..60).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(sizes(&mut attempts, 1).await, [60]);
}

#[tokio::test(start_paused = true)]
async fn grown_batches_that_are_too_large_are_halved() {
    let (pipeline, mut attempts) = start(growing(), |batch| match batch.event_count {
        ..=20 => taken(),
        _ => Step::Answer(Delivery::TooLarge),
    });
    (0..200).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(SECOND).await.is_complete());
    let mut passed = Vec::new();
    while let Ok(attempt) = attempts.try_recv() {
        if attempt.batch.event_count <= 20 {
            passed.extend(attempt.events());
        }
    }
    passed.sort_by_key(|number| number.parse::<u64>().unwrap());
    assert_eq!(passed, numbers(0..200));
    let stats = pipeline.stats();
    // Each of three batches of 60: 60 = 30 + 30 = (15 + 15) + (15 + 15)
    assert_eq!((stats.splits, stats.delivered, dropped(&stats)), (9, 200, vec![]));
}

#[tokio::test(start_paused = true)]
async fn parallel_deliveries_grow_with_a_backlog_and_a_slow_sink() {
    let (pipeline, mut attempts) = start(options(), |_| Step::Late(SECOND, Delivery::Delivered));
    (0..1_000).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(100 * SECOND).await.is_complete());
    let groups = together(&mut attempts).await;
    assert_eq!(groups[..4], [4, 8, 16, 16]);
    assert!(groups.iter().all(|&number| number <= 16), "{groups:?}");
    // No backlog waited for the last ones: after a while, the number is the initial one.
    for number in 0..200 {
        pipeline.log(exposure(number));
        if number % 10 == 9 {
            assert!(pipeline.flush(2 * SECOND).await.is_complete());
        }
    }
    together(&mut attempts).await;
    (0..400).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(100 * SECOND).await.is_complete());
    assert_eq!(together(&mut attempts).await[..2], [4, 8]);
    assert_eq!(dropped(&pipeline.stats()), []);
}

#[tokio::test(start_paused = true)]
async fn a_maximum_keeps_parallel_deliveries_down() {
    let (pipeline, mut attempts) =
        start(PipelineOptions { max_parallel_deliveries: 5, ..options() }, |_| Step::Late(SECOND, Delivery::Delivered));
    (0..200).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(100 * SECOND).await.is_complete());
    assert_eq!(together(&mut attempts).await, [4, 5, 5, 5, 1]);
}

#[tokio::test(start_paused = true)]
async fn failures_reduce_parallel_deliveries() {
    let mut calls = 0;
    let (pipeline, mut attempts) = start(options(), move |_| {
        calls += 1;
        // The third round trip fails: all 16 of it.
        let outcome = if (13..29).contains(&calls) { Delivery::retry("busy") } else { Delivery::Delivered };
        Step::Late(SECOND, outcome)
    });
    (0..1_000).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(100 * SECOND).await.is_complete());
    // One at a time while the destination fails, then half as many as before.
    assert_eq!(together(&mut attempts).await[..6], [4, 8, 16, 1, 8, 16]);
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.retries, dropped(&stats)), (1_000, 16, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_events_a_second_pass_a_sink_of_a_tenth_of_a_second() {
    let latency = Duration::from_millis(100);
    let (pipeline, mut attempts) =
        start(PipelineOptions { jitter_seed: Some(1), ..PipelineOptions::default() }, move |_| {
            Step::Late(latency, Delivery::Delivered)
        });
    for tick in 0..200 {
        (0..1_000).for_each(|number| pipeline.log(exposure(tick * 1_000 + number)));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(pipeline.flush(SECOND).await.is_complete());
    let stats = pipeline.stats();
    assert_eq!((stats.accepted, stats.delivered, dropped(&stats)), (200_000, 200_000, vec![]));
    assert!(together(&mut attempts).await.iter().all(|&number| number <= 16));
}

#[tokio::test(start_paused = true)]
async fn a_backlog_in_an_outage_is_compacted() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let seen = Arc::clone(&down);
    let bounds = PipelineOptions { queue_bytes: 100_000, retry_queue_size: 1, ..options() };
    let (pipeline, _attempts) =
        start(bounds, move |_| if seen.load(std::sync::atomic::Ordering::Relaxed) { busy() } else { taken() });
    for number in 0..600 {
        pipeline.log(Event { bytes: 1_000, ..exposure(number) });
        if number % 10 == 9 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let stats = pipeline.stats();
    assert_eq!((stats.pending, dropped(&stats)), (600, vec![]));
    assert!(stats.queue_bytes <= 590 * 150 + 12_500, "{stats:?}");
    down.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(pipeline.flush(1_000 * SECOND).await.is_complete());
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.queue_bytes), (600, 0));
    pipeline.log(exposure(1));
    assert_eq!(pipeline.stats().queue_bytes, 100);
}
