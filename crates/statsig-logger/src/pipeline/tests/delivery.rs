//! When and how batches go out.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once_and_the_rest_within_the_interval() {
    let (pipeline, mut attempts) = start(options(), |_| taken());
    let begin = Instant::now();
    for number in 0..13 {
        pipeline.log(exposure(number));
    }
    let first = attempts.recv().await.unwrap();
    assert_eq!((first.events(), first.at), (numbers(0..10), begin));
    let rest = attempts.recv().await.unwrap();
    assert_eq!(rest.events(), numbers(10..13));
    let waited = rest.at - begin;
    assert!(waited >= 48 * SECOND && waited <= 60 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn kinds_go_apart_and_in_order_and_fill_a_batch_together() {
    let (pipeline, mut attempts) = start(options(), |_| taken());
    let begin = Instant::now();
    for number in 0..6 {
        pipeline.log(custom(number));
        pipeline.log(exposure(number));
    }
    // Ten events wait, none of either kind fills a batch: the larger part goes, and leaves too few.
    let first = attempts.recv().await.unwrap();
    assert_eq!((first.events(), first.at), (numbers(0..6), begin));
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (6, 0, 0));
    assert_eq!(attempts.recv().await.unwrap().events(), ["\"0\"", "\"1\"", "\"2\"", "\"3\"", "\"4\"", "\"5\""]);
    assert_eq!(pipeline.stats().delivered, 12);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_again_as_it_was() {
    let mut failures = 5;
    let (pipeline, mut attempts) = start(options(), move |_| {
        failures -= 1;
        if failures >= 0 { busy() } else { taken() }
    });
    let begin = Instant::now();
    pipeline.log(exposure(1));
    let report = pipeline.flush(300 * SECOND).await;
    assert!(report.is_complete());
    let first = attempts.recv().await.unwrap();
    let mut last = begin;
    for attempt in 1..=5 {
        let again = attempts.recv().await.unwrap();
        assert_eq!((again.batch.id, again.batch.attempt), (first.batch.id, attempt));
        assert!(Arc::ptr_eq(&again.batch.body, &first.batch.body));
        let (pause, most) = (again.at - last, SECOND * (1 << (attempt - 1)));
        // Timers have a resolution of 1 ms.
        assert!(pause <= most + Duration::from_millis(1), "{pause:?} before attempt {attempt}");
        last = again.at;
    }
    assert!(last > begin);
    assert_eq!(pipeline.stats().retries, 5);
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_end_the_pause_that_the_destination_asked_for() {
    for (asked, least, most) in [(7, 7, 8), (3_600, 60, 60)] {
        let mut calls = 0;
        let (pipeline, mut attempts) = start(options(), move |_| {
            calls += 1;
            if calls == 1 { Step::Answer(Delivery::retry_after(asked * SECOND, "later")) } else { taken() }
        });
        pipeline.log(exposure(1));
        let cut_short = pipeline.flush(SECOND).await;
        assert_eq!((cut_short.delivered, cut_short.pending), (0, 1));
        assert!(pipeline.flush(100 * SECOND).await.is_complete());
        let first = attempts.recv().await.unwrap().at;
        let pause = attempts.recv().await.unwrap().at - first;
        assert!(pause >= least * SECOND && pause <= most * SECOND + Duration::from_millis(1), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_ends_a_pause_of_our_own() {
    let mut calls = 0;
    let slow = PipelineOptions { backoff_base: 50 * SECOND, ..options() };
    let (pipeline, mut attempts) = start(slow, move |_| {
        calls += 1;
        if calls == 1 { busy() } else { taken() }
    });
    for number in 0..10 {
        pipeline.log(exposure(number));
    }
    let first = attempts.recv().await.unwrap().at;
    assert!(pipeline.flush(SECOND).await.is_complete());
    assert!(attempts.recv().await.unwrap().at - first < SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_halved_until_it_passes() {
    let (pipeline, mut attempts) = start(options(), |batch| match batch.event_count {
        1..=2 => taken(),
        _ => Step::Answer(Delivery::TooLarge),
    });
    for number in 0..10 {
        pipeline.log(exposure(number));
    }
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.failed), (10, 0));
    let mut passed = Vec::new();
    while let Ok(attempt) = attempts.try_recv() {
        if attempt.batch.event_count <= 2 {
            passed.extend(attempt.events());
        }
    }
    passed.sort_by_key(|number| number.parse::<u64>().unwrap());
    assert_eq!(passed, numbers(0..10));
    // 10 = 5 + 5 = 2 + (1 + 2) + 2 + (1 + 2)
    assert_eq!(pipeline.stats().splits, 5);
}

#[tokio::test(start_paused = true)]
async fn one_event_that_is_too_large_alone_is_given_up() {
    let is_seven = |batch: &EventBatch| {
        body::events(&body::decoded(batch).unwrap()).unwrap().iter().any(|event| event.get() == "7")
    };
    let (pipeline, _attempts) =
        start(options(), move |batch| if is_seven(batch) { Step::Answer(Delivery::TooLarge) } else { taken() });
    for number in 0..10 {
        pipeline.log(exposure(number));
    }
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (9, 1, 0));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::TooLarge, 1)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_deliveries_at_once_than_allowed_and_one_while_they_fail() {
    for (failing, expected) in [(false, 4), (true, 1)] {
        let mut calls = 0;
        let (pipeline, mut attempts) = start(options(), move |_| {
            calls += 1;
            if failing && calls == 1 { busy() } else { Step::Late(5 * SECOND, Delivery::Delivered) }
        });
        if failing {
            (0..10).for_each(|number| pipeline.log(exposure(number)));
            attempts.recv().await.unwrap();
        }
        (0..80).for_each(|number| pipeline.log(exposure(number)));
        let first = attempts.recv().await.unwrap().at;
        let mut together = 1;
        while attempts.recv().await.unwrap().at == first {
            together += 1;
        }
        assert_eq!(together, expected);
        assert!(pipeline.flush(300 * SECOND).await.is_complete());
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_at_fault_is_given_up_but_an_outage_costs_no_attempt() {
    // An outage of 100 attempts.
    let mut calls = 0;
    let (pipeline, _attempts) = start(options(), move |_| {
        calls += 1;
        if calls <= 100 { busy() } else { taken() }
    });
    (0..50).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.flush(Duration::from_secs(20_000)).await;
    assert_eq!((report.delivered, report.failed), (50, 0));

    // One batch that never passes, while others do.
    let mut poison = None;
    let (pipeline, _attempts) =
        start(options(), move |batch| if *poison.get_or_insert(batch.id) == batch.id { busy() } else { taken() });
    for round in 0..20 {
        (0..10).for_each(|number| pipeline.log(exposure(round * 10 + number)));
        let _ = pipeline.flush(2 * SECOND).await;
    }
    let stats = pipeline.stats();
    assert_eq!(dropped(&stats), [(DropCause::Attempts, 10)]);
    assert_eq!((stats.delivered, stats.pending), (190, 0));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_says_what_made_it() {
    let mut fails = true;
    let (pipeline, mut attempts) = start(options(), move |batch| {
        // The first attempt of the batch that a flush asks for.
        if batch.event_count == 4 && std::mem::take(&mut fails) { busy() } else { taken() }
    });
    let mut next = async || {
        let batch = attempts.recv().await.unwrap().batch;
        (batch.event_count, batch.flush_type.as_str())
    };
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(next().await, (10, "scheduled:full_batch"));
    (0..3).for_each(|number| pipeline.log(exposure(number)));
    assert_eq!(next().await, (3, "scheduled:max_time"));
    (0..4).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(60 * SECOND).await.is_complete());
    assert_eq!((next().await, next().await), ((4, "manual"), (4, "manual")));
    (0..5).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.shutdown(60 * SECOND).await.is_complete());
    assert_eq!(next().await, (5, "shutdown"));
}

#[tokio::test(start_paused = true)]
async fn options_may_be_as_large_as_they_like() {
    let boundless = PipelineOptions {
        batch_events: usize::MAX,
        batch_interval: Duration::MAX,
        batch_bytes: usize::MAX,
        queue_events: usize::MAX,
        queue_bytes: usize::MAX,
        retry_queue_size: usize::MAX,
        backoff_base: Duration::MAX,
        backoff_cap: Duration::MAX,
        delivery_timeout: Duration::MAX,
        ..options()
    };
    let mut failures = 2;
    let (pipeline, _attempts) = start(boundless, move |_| {
        failures -= 1;
        if failures >= 0 { Step::Answer(Delivery::retry_after(Duration::MAX, "come back later")) } else { taken() }
    });
    pipeline.log(exposure(1));
    assert!(pipeline.flush(Duration::MAX).await.is_complete());
    pipeline.log(exposure(2));
    assert!(pipeline.shutdown(Duration::MAX).await.is_complete());
    assert_eq!((pipeline.stats().delivered, pipeline.stats().sender_restarts), (2, 0));
}
