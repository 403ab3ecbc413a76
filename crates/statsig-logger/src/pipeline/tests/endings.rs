//! Flush, shutdown, and what goes wrong in between.

use std::sync::atomic::{AtomicU64, Ordering};

use statsig_core::Clock;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_flush_reports_what_was_accepted_before_and_nothing_else() {
    let (pipeline, _attempts) = start(options(), |_| Step::Late(SECOND, Delivery::Delivered));
    let empty = pipeline.flush(SECOND).await;
    assert_eq!((empty.delivered, empty.failed, empty.pending), (0, 0, 0));
    (0..3).for_each(|number| pipeline.log(exposure(number)));
    let flush = pipeline.flush(10 * SECOND);
    let more = async {
        tokio::task::yield_now().await;
        (3..5).for_each(|number| pipeline.log(exposure(number)));
        pipeline.flush(10 * SECOND).await
    };
    let (first, second) = tokio::join!(flush, more);
    assert_eq!((first.delivered, first.failed, first.pending), (3, 0, 0));
    assert!((2..=5).contains(&second.delivered) && second.failed + second.pending == 0, "{second:?}");
    assert_eq!(pipeline.stats().delivered, 5);
}

#[tokio::test(start_paused = true)]
async fn a_flush_says_what_failed() {
    let (pipeline, _attempts) = start(options(), |batch| match batch.event_count {
        10 => taken(),
        _ => Step::Answer(Delivery::reject("odd")),
    });
    (0..25).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.flush(10 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (20, 5, 0));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Rejected, 5)]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_whose_future_is_dropped_goes_on() {
    let (pipeline, mut attempts) = start(options(), |_| Step::Late(SECOND, Delivery::Delivered));
    pipeline.log(exposure(1));
    assert!(tokio::time::timeout(SECOND / 2, pipeline.flush(10 * SECOND)).await.is_err());
    assert!(attempts.recv().await.is_some());
    assert!(pipeline.flush(10 * SECOND).await.is_complete());
    assert_eq!(pipeline.stats().delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_and_then_accepts_nothing() {
    let (pipeline, _attempts) = start(options(), |_| taken());
    (0..123).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (123, 0, 0));
    pipeline.log(exposure(9));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Shutdown, 1)]);
    let again = pipeline.shutdown(3 * SECOND).await;
    assert_eq!((again.delivered, again.failed, again.pending), (0, 0, 0));
    assert!(pipeline.flush(SECOND).await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_in_time_whatever_the_sink_does() {
    type Reply = fn() -> Step;
    let hangs: Reply = || Step::Late(Duration::from_secs(1_000_000), Delivery::Delivered);
    let asks: Reply = || Step::Answer(Delivery::retry_after(60 * SECOND, "later"));
    for reply in [hangs, asks, busy, || Step::Panic] {
        let (pipeline, _attempts) = start(options(), move |_| reply());
        (0..123).for_each(|number| pipeline.log(custom(number)));
        let begin = Instant::now();
        let report = pipeline.shutdown(3 * SECOND).await;
        let took = Instant::now() - begin;
        assert!(took <= 3 * SECOND + Duration::from_millis(110), "{took:?}");
        assert_eq!((report.delivered, report.failed, report.pending), (0, 123, 0));
        let stats = pipeline.stats();
        assert_eq!((dropped(&stats), stats.pending), (vec![(DropCause::Shutdown, 123)], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_is_dropped_leaves_no_task() {
    let (pipeline, mut attempts) = start(options(), |_| Step::Late(1_000 * SECOND, Delivery::Delivered));
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    assert!(attempts.recv().await.is_some());
    drop(pipeline);
    // The sink, and with it the sender of this channel, is gone with the task.
    assert!(attempts.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_sink_costs_an_attempt_and_no_event() {
    let mut calls = 0;
    let (pipeline, _attempts) = start(options(), move |_| {
        calls += 1;
        if calls <= 2 { Step::Panic } else { taken() }
    });
    (0..20).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.flush(300 * SECOND).await;
    assert_eq!((report.delivered, report.failed), (20, 0));
    let stats = pipeline.stats();
    assert_eq!((stats.sink_panics, stats.retries, stats.sender_restarts), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_panics_is_dropped_alone() {
    let (pipeline, mut attempts) = start(options(), |_| taken());
    for number in 0..5 {
        pipeline.log(Event { panics: number == 3, ..exposure(number) });
    }
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (4, 1, 0));
    assert_eq!(attempts.recv().await.unwrap().events(), ["0", "1", "2", "4"]);
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Unencodable, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_sending_task_that_panics_is_started_again() {
    struct PanicsAtFirst(AtomicU64);
    impl Clock for PanicsAtFirst {
        fn now_ms(&self) -> i64 {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "as the test wants it");
            1
        }
    }
    let (attempts, mut receiver) = unbounded_channel();
    let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(|_| taken())), attempts });
    let clock = Arc::new(PanicsAtFirst(AtomicU64::new(0)));
    let pipeline = EventPipeline::start(options(), sink, clock, &Handle::current());
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    let lost = pipeline.flush(10 * SECOND).await;
    assert_eq!((lost.delivered, lost.failed, lost.pending), (0, 10, 0));
    (10..15).for_each(|number| pipeline.log(exposure(number)));
    assert!(pipeline.flush(10 * SECOND).await.is_complete());
    assert_eq!(receiver.recv().await.unwrap().events(), numbers(10..15));
    let stats = pipeline.stats();
    assert_eq!((stats.sender_restarts, dropped(&stats)), (1, vec![(DropCause::Unencodable, 10)]));
}

#[tokio::test(start_paused = true)]
async fn times_that_no_clock_can_add_are_as_good_as_for_ever() {
    let endless = PipelineOptions {
        batch_interval: Duration::MAX,
        backoff_base: Duration::MAX,
        backoff_cap: Duration::MAX,
        delivery_timeout: Duration::MAX,
        ..options()
    };
    for reply in [|| Step::Answer(Delivery::retry_after(Duration::MAX, "later")), busy] {
        let mut failures = 2;
        let (pipeline, _attempts) = start(endless.clone(), move |_| {
            failures -= 1;
            if failures < 0 { taken() } else { reply() }
        });
        pipeline.tune(PipelineTuning { batch_interval: Some(Duration::MAX), ..PipelineTuning::default() });
        (0..15).for_each(|number| pipeline.log(exposure(number)));
        let report = pipeline.shutdown(Duration::MAX).await;
        assert_eq!((report.delivered, report.failed, report.pending), (15, 0, 0));
        assert_eq!(pipeline.stats().sender_restarts, 0);
    }
}
