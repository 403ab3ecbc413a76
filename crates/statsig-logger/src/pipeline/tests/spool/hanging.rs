//! Sinks that do not answer, and disks that do not return.

use statsig_background::testing::{FileFault, FileOperation};

use super::*;

fn hangs() -> Step {
    Step::Late(Duration::from_secs(1_000_000), Delivery::Delivered)
}

/// Moves the time while a blocking thread hangs, which stops it from moving by itself, until something is true.
async fn pass_until(process: &Process, what: &str, is_true: impl Fn(&EventStats) -> bool) -> Duration {
    let (begin, real) = (Instant::now(), std::time::Instant::now());
    loop {
        let stats = process.stats();
        if is_true(&stats) {
            return begin.elapsed();
        }
        assert!(real.elapsed() < 60 * SECOND, "{what}: {stats:?}");
        tokio::time::advance(Duration::from_millis(10)).await;
        std::thread::yield_now();
    }
}

/// The same for a call of the pipeline.
async fn pass<T>(call: impl Future<Output = T>) -> T {
    let real = std::time::Instant::now();
    tokio::pin!(call);
    loop {
        assert!(real.elapsed() < 60 * SECOND);
        tokio::select! {
            biased;
            done = &mut call => return done,
            () = tokio::time::advance(Duration::from_millis(10)) => std::thread::yield_now(),
        }
    }
}

/// Ends a process in order, and returns how many events the next one finds.
async fn left_behind(machine: &Machine, process: &Process) -> u64 {
    let _ = process.pipeline.shutdown(SECOND).await;
    machine.start(SpoolMode::Overflow, |_| taken()).stats().recovered
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_an_answer_is_on_disk_after_a_second_and_forgotten_when_it_comes() {
    let machine = Machine::new();
    let mut process = machine.start(SpoolMode::Overflow, |_| Step::Late(5 * SECOND, Delivery::Delivered));
    (0..25).for_each(|number| process.pipeline.log(exposure(number)));
    let mut flush = Box::pin(process.pipeline.flush(20 * SECOND));
    let early = tokio::time::timeout(Duration::from_millis(740), &mut flush).await;
    assert!(early.is_err() && machine.files(".log").is_empty());
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut flush).await.is_err());
    let stats = process.stats();
    assert_eq!((stats.pending, stats.pending_on_disk, stats.delivered), (25, 25, 0));
    // Three batches, written once each.
    let written: usize = machine.files(".log").iter().map(|(_, content)| content.len()).sum();
    let report = flush.as_mut().await;
    drop(flush);
    assert_eq!((report.delivered, report.spooled, report.pending), (25, 0, 0));
    process.settle().await;
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.batches_delivered, stats.pending), (25, 3, 0));
    assert!(machine.files(".log").iter().map(|(_, content)| content.len()).sum::<usize>() <= written);
    assert_eq!(process.seen().len(), 25, "one attempt each");
    assert_eq!(left_behind(&machine, &process).await, 0);
}

#[tokio::test(start_paused = true)]
async fn batches_behind_attempts_without_an_answer_are_on_disk_too() {
    let machine = Machine::new();
    let process = machine.start(SpoolMode::Overflow, |_| hangs());
    // Four on their way, the others wait.
    (0..200).for_each(|number| process.pipeline.log(exposure(number)));
    tokio::time::sleep(SECOND).await;
    assert_eq!(process.stats().pending_on_disk, 200);
    machine.disk.kill(statsig_background::FileSystem::process_id(&*process.fs));
    let mut next = machine.start(SpoolMode::Overflow, |_| taken());
    while next.stats().pending > 0 {
        next.settle().await;
    }
    assert_eq!(next.seen().into_iter().collect::<HashSet<_>>().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn whatever_the_late_answer_is_the_batch_is_accounted_for_once() {
    for answer in ["retry", "reject", "too large", "panic"] {
        let machine = Machine::new();
        let mut calls = 0;
        let process = machine.start(SpoolMode::Overflow, move |batch| {
            calls += 1;
            match answer {
                "retry" if calls == 1 => Step::Late(3 * SECOND, Delivery::retry("busy")),
                "reject" => Step::Late(3 * SECOND, Delivery::reject("odd")),
                "too large" if batch.event_count > 5 => Step::Late(3 * SECOND, Delivery::TooLarge),
                "panic" if calls == 1 => Step::Panic,
                _ => taken(),
            }
        });
        (0..10).for_each(|number| process.pipeline.log(exposure(number)));
        tokio::time::sleep(100 * SECOND).await;
        let stats = process.stats();
        let rejected = if answer == "reject" { 10 } else { 0 };
        assert_eq!((stats.delivered, stats.dropped.get(DropCause::Rejected)), (10 - rejected, rejected), "{answer}");
        assert_eq!(stats.pending, 0, "{answer}");
        assert_eq!(left_behind(&machine, &process).await, 0, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_never_stops_delivery_to_a_sink_that_works() {
    for op in [FileOperation::Append, FileOperation::Create, FileOperation::Sync] {
        let machine = Machine::new();
        let mut process = machine.start(SpoolMode::WriteAhead, |_| taken());
        process.faults.break_down(op, FileFault::Hang);
        (0..95).for_each(|number| process.pipeline.log(exposure(number)));
        let took = pass_until(&process, "delivery", |stats| stats.delivered == 95).await;
        assert!(took < 6 * SECOND, "{op:?}: {took:?}");
        // Synchronization is due some time after the writes, so that the hang may begin after the delivery.
        let is_known = || process.pipeline.spool_health().unwrap().state == crate::SpoolState::Hanging;
        let _ = pass_until(&process, "the hang", |_| process.faults.waiting() > 0 && is_known()).await;
        // Now that it is known, nothing waits for the disk any more.
        (95..195).for_each(|number| process.pipeline.log(exposure(number)));
        let took = pass_until(&process, "delivery", |stats| stats.delivered == 195).await;
        assert!(took < SECOND, "{op:?}: {took:?}");
        assert!(process.stats().spool_failures > 0);
        let health = process.pipeline.spool_health().unwrap();
        assert_eq!((health.state, health.next_retry), (crate::SpoolState::Hanging, None));
        let report = pass(process.pipeline.flush(5 * SECOND)).await;
        assert!(report.is_safe(), "{op:?}: {report:?}");

        process.faults.heal();
        // What the write had stored in the end is not sent again.
        let _ = pass_until(&process, "rest", |stats| stats.pending == 0).await;
        assert_eq!(process.stats().delivered, 195);
        assert_eq!(process.seen().len(), 195, "{op:?}: once each");
        assert_eq!(left_behind(&machine, &process).await, 0, "{op:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_ordered_to_a_disk_that_hangs_is_delivered_when_the_sink_is_back() {
    let machine = Machine::new();
    let up = Switch::default();
    let process = machine.start(SpoolMode::Overflow, up.plan());
    process.faults.break_down(FileOperation::Append, FileFault::Hang);
    (0..95).for_each(|number| process.pipeline.log(exposure(number)));
    let _ = pass_until(&process, "a failed attempt", |stats| stats.retries > 0).await;
    up.turn(true);
    let took = pass_until(&process, "delivery", |stats| stats.delivered >= 90).await;
    assert!(took < 10 * SECOND, "{took:?}");
    process.faults.heal();
    let _ = pass_until(&process, "the disk", |stats| stats.pending <= 5).await;
    let report = process.pipeline.flush(10 * SECOND).await;
    assert!(report.is_complete(), "{report:?}");
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.pending), (95, 0));
    assert_eq!(left_behind(&machine, &process).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_a_disk_that_hangs_leaves_nothing_pending_and_stays_true() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        for sink_works in [false, true] {
            let machine = Machine::new();
            let process = machine.start(mode, move |_| if sink_works { taken() } else { busy() });
            process.faults.break_down(FileOperation::Append, FileFault::Hang);
            (0..95).for_each(|number| process.pipeline.log(exposure(number)));
            let report = pass(process.pipeline.shutdown(5 * SECOND)).await;
            let expected = if sink_works { (95, 0, 0, 0) } else { (0, 95, 0, 0) };
            assert_eq!((report.delivered, report.failed, report.spooled, report.pending), expected, "{mode:?}");
            assert_eq!(process.stats().pending, 0, "{mode:?}");

            // The disk takes one batch in the end: it is there for the next process, and counted as such.
            process.faults.heal();
            let real = std::time::Instant::now();
            let recovered = loop {
                let next = machine.start(SpoolMode::Overflow, |_| taken());
                let stats = process.stats();
                assert_eq!(stats.pending, stats.pending_on_disk);
                let recovered = next.stats().recovered;
                if recovered > 0 || sink_works && real.elapsed() > SECOND / 5 {
                    assert_eq!(stats.pending, recovered, "{mode:?}");
                    break recovered;
                }
                assert!(real.elapsed() < 60 * SECOND, "{stats:?}");
                std::thread::yield_now();
            };
            assert_eq!(recovered > 0, !sink_works, "{mode:?}");
        }
    }
}
