//! Refusals and answers that confirm nothing, without a spool.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn refusal() -> Step {
    Step::Answer(Delivery::refused("the host answers 403"))
}

fn unconfirmed() -> Step {
    Step::Answer(Delivery::unconfirmed("the host answers 200 without confirming"))
}

/// Receives attempts until none comes for an hour.
async fn all(attempts: &mut UnboundedReceiver<Attempt>) -> Vec<Attempt> {
    let mut seen = Vec::new();
    while let Ok(Some(attempt)) = tokio::time::timeout(60 * MINUTE, attempts.recv()).await {
        seen.push(attempt);
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_is_retried_for_ten_minutes_and_then_dropped() {
    let (pipeline, mut attempts) = start(options(), |_| refusal());
    let begin = Instant::now();
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    let seen = all(&mut attempts).await;
    let last = seen.last().unwrap().at - begin;
    assert!(last >= 10 * MINUTE && last <= 11 * MINUTE + SECOND, "{last:?}");
    assert!((10..=40).contains(&seen.len()), "{}", seen.len());
    assert!(seen.iter().all(|attempt| attempt.batch.id == seen[0].batch.id));
    let stats = pipeline.stats();
    assert_eq!(dropped(&stats), [(DropCause::Refused, 10)]);
    assert_eq!((stats.pending, stats.retries as usize), (0, seen.len() - 1));
    let health = pipeline.delivery_health();
    assert_eq!((health.failures as usize, health.next_attempt), (seen.len(), None));
    assert_eq!(health.last_error.as_deref(), Some("the host answers 403"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_ends_in_time_loses_nothing_and_clears_the_failure() {
    let begin = Instant::now();
    let (pipeline, mut attempts) = start(options(), move |_| match begin.elapsed() {
        elapsed if elapsed < 8 * MINUTE => refusal(),
        _ => taken(),
    });
    (0..30).for_each(|number| pipeline.log(exposure(number)));
    attempts.recv().await.unwrap();
    tokio::time::sleep(SECOND).await;
    let health = pipeline.delivery_health();
    assert!(health.failures > 0 && health.next_attempt.is_some_and(|next| next <= MINUTE), "{health:?}");
    assert!(health.last_failure.is_some_and(|ago| ago <= 2 * SECOND), "{health:?}");
    let _ = all(&mut attempts).await;
    let stats = pipeline.stats();
    assert!(stats.is_balanced());
    assert_eq!((stats.delivered, stats.dropped.total(), stats.unconfirmed), (30, 0, 0));
    assert_eq!(pipeline.delivery_health(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn other_failures_in_between_do_not_restart_the_ten_minutes() {
    let mut calls = 0;
    let (pipeline, mut attempts) = start(options(), move |_| {
        calls += 1;
        if calls % 2 == 1 { refusal() } else { busy() }
    });
    let begin = Instant::now();
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    let last = all(&mut attempts).await.last().unwrap().at - begin;
    assert!(last >= 10 * MINUTE && last <= 12 * MINUTE + SECOND, "{last:?}");
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Refused, 10)]);
}

#[tokio::test(start_paused = true)]
async fn refused_batches_do_not_hold_up_those_that_pass() {
    // A firewall that dislikes every second batch.
    let (pipeline, mut attempts) = start(options(), |batch| {
        let raw = body::decoded(batch).unwrap();
        let first = body::events(&raw).unwrap()[0].get().parse::<u64>().unwrap();
        if first / 10 % 2 == 0 { refusal() } else { taken() }
    });
    let begin = Instant::now();
    for batch in 0..40 {
        (0..10).for_each(|number| pipeline.log(exposure(batch * 10 + number)));
        tokio::time::sleep(10 * SECOND).await;
        let stats = pipeline.stats();
        assert!(stats.is_balanced());
        // A refusal looks like an outage until another batch passes: the pause is at most a minute.
        assert!(stats.delivered + 30 >= (batch / 2) * 10, "after {:?}: {stats:?}", begin.elapsed());
    }
    let seen = all(&mut attempts).await;
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Refused, 200)]);
    assert_eq!(pipeline.stats().delivered, 200);
    let first = &seen[0].batch.id;
    let tries = seen.iter().filter(|attempt| attempt.batch.id == *first).count();
    assert!((10..=60).contains(&tries), "pauses of its own: {tries}");
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_a_refusal_asks_for_is_kept() {
    let mut calls = 0;
    let (pipeline, mut attempts) = start(options(), move |_| {
        calls += 1;
        let reason = "the host answers 403".into();
        if calls == 1 { Step::Answer(Delivery::Refused { after: Some(40 * SECOND), reason }) } else { taken() }
    });
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    let first = attempts.recv().await.unwrap().at;
    let pause = attempts.recv().await.unwrap().at - first;
    assert!(pause >= 40 * SECOND && pause <= 45 * SECOND, "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_at_the_end_is_dropped_as_refused() {
    let (pipeline, _attempts) = start(options(), |_| refusal());
    (0..5).for_each(|number| pipeline.log(exposure(number)));
    let begin = Instant::now();
    let report = pipeline.shutdown(60 * SECOND).await;
    assert!(begin.elapsed() < SECOND, "a refusal does not end within a shutdown");
    assert_eq!((report.delivered, report.failed, report.pending), (0, 5, 0));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Refused, 5)]);
    assert_eq!(pipeline.delivery_health().next_attempt, None);
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_batch_is_sent_twice_more_within_a_minute() {
    let (pipeline, mut attempts) = start(options(), |_| unconfirmed());
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    tokio::time::sleep(SECOND).await;
    let health = pipeline.delivery_health();
    assert_eq!((health.failures, pipeline.stats().delivered), (1, 0));
    assert!(health.next_attempt.is_some_and(|next| next > 10 * SECOND), "{health:?}");
    // A flush does not use up the attempts.
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.pending), (0, 10));
    let seen = all(&mut attempts).await;
    assert_eq!(seen.iter().map(|attempt| attempt.batch.attempt).collect::<Vec<_>>(), [0, 1, 2]);
    let pauses = [seen[1].at - seen[0].at, seen[2].at - seen[1].at];
    assert!(pauses[0] >= 15 * SECOND && pauses[1] >= 30 * SECOND && pauses[0] + pauses[1] <= MINUTE, "{pauses:?}");
    let stats = pipeline.stats();
    assert!(stats.is_balanced());
    assert_eq!((stats.delivered, stats.unconfirmed, stats.pending, stats.dropped.total()), (10, 10, 0, 0));
    assert_eq!((stats.batches_delivered, stats.retries), (1, 2));
    assert!(pipeline.delivery_health().last_error.is_some(), "nothing was confirmed yet");
}

#[tokio::test(start_paused = true)]
async fn a_captive_portal_of_half_a_minute_discards_nothing() {
    let begin = Instant::now();
    let (pipeline, mut attempts) = start(options(), move |_| match begin.elapsed() {
        elapsed if elapsed < 30 * SECOND => unconfirmed(),
        _ => taken(),
    });
    (0..60).for_each(|number| pipeline.log(exposure(number)));
    let seen = all(&mut attempts).await;
    assert!(seen.len() <= 18, "{}", seen.len());
    let stats = pipeline.stats();
    assert!(stats.is_balanced());
    assert_eq!((stats.delivered, stats.unconfirmed, stats.dropped.total()), (60, 0, 0));
    assert_eq!(pipeline.delivery_health(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_never_confirms_holds_up_nothing() {
    let small = PipelineOptions { retry_queue_size: 2, queue_events: 100, ..options() };
    let (pipeline, mut attempts) = start(small, |_| unconfirmed());
    for number in 0..1_000 {
        pipeline.log(exposure(number));
        tokio::time::sleep(SECOND / 10).await;
    }
    let seen = all(&mut attempts).await;
    let stats = pipeline.stats();
    assert_eq!(seen.len() as u64, 3 * stats.batches_delivered);
    assert!(stats.is_balanced());
    assert_eq!((stats.delivered, stats.unconfirmed, stats.dropped.total()), (1_000, 1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn unconfirmed_batches_in_memory_are_bounded_by_bytes() {
    let small = PipelineOptions { retry_queue_size: 2, queue_bytes: 1_000, compression_level: 0, ..options() };
    let (pipeline, _attempts) = start(small, |_| unconfirmed());
    for number in 0..2_000 {
        pipeline.log(Event { bytes: 10, ..exposure(number) });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let stats = pipeline.stats();
    assert!(stats.is_balanced());
    assert!(stats.pending_in_batches < 400, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_asks_once_more_and_counts_what_is_not_confirmed() {
    let (pipeline, mut attempts) = start(options(), |_| unconfirmed());
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    attempts.recv().await.unwrap();
    let begin = Instant::now();
    let report = pipeline.shutdown(3 * SECOND).await;
    assert!(begin.elapsed() < SECOND);
    assert_eq!((report.delivered, report.failed, report.pending), (10, 0, 0));
    let stats = pipeline.stats();
    assert!(stats.is_balanced());
    assert_eq!((stats.unconfirmed, attempts.recv().await.unwrap().batch.attempt), (10, 1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_cut_short_counts_what_was_answered_with_success() {
    let mut calls = 0;
    let (pipeline, mut attempts) = start(options(), move |_| {
        calls += 1;
        if calls == 1 { unconfirmed() } else { Step::Late(MINUTE, Delivery::Delivered) }
    });
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    attempts.recv().await.unwrap();
    (10..15).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (10, 5, 0));
    let stats = pipeline.stats();
    assert_eq!(dropped(&stats), [(DropCause::Shutdown, 5)]);
    assert_eq!((stats.delivered, stats.unconfirmed), (10, 10));
}
