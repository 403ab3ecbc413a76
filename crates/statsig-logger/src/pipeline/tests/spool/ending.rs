//! The end of a process, in order and not, and the next one.

use statsig_background::testing::{FileFault, FileOperation};

use super::*;

fn hangs() -> Step {
    Step::Late(Duration::from_secs(1_000_000), Delivery::Delivered)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_a_sink_that_hangs_leaves_everything_to_the_spool() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let process = machine.start(mode, |_| hangs());
        // Those of the first ten batches are on their way, the last are in none.
        (0..123).for_each(|number| process.pipeline.log(custom(number)));
        process.settle().await;
        (123..127).for_each(|number| process.pipeline.log(custom(number)));
        let begin = Instant::now();
        let report = process.pipeline.shutdown(3 * SECOND).await;
        assert!(begin.elapsed() <= 3 * SECOND, "{:?}", begin.elapsed());
        assert_eq!((report.delivered, report.failed, report.spooled, report.pending), (0, 0, 127, 0));
        let stats = process.stats();
        assert_eq!((stats.pending, stats.pending_on_disk, dropped(&stats)), (127, 127, vec![]));
        process.pipeline.log(custom(999));
        assert_eq!(dropped(&process.stats()), [(DropCause::Shutdown, 1)]);
        let again = process.pipeline.shutdown(3 * SECOND).await;
        assert_eq!((again.spooled, again.pending), (127, 0));

        let mut next = machine.start(mode, |_| taken());
        assert_eq!(next.stats().recovered, 127);
        while next.stats().pending > 0 {
            next.settle().await;
        }
        let seen: HashSet<String> = next.seen().into_iter().collect();
        assert_eq!(seen.len(), 127);
        assert_eq!(next.stats().delivered, 127);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_each_batch_a_chance_and_does_not_wait_for_the_backlog() {
    let machine = Machine::new();
    let up = Switch::default();
    let process = machine.start(SpoolMode::Overflow, up.plan());
    (0..100).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(SECOND).await.spooled, 100);
    up.turn(true);
    (100..104).for_each(|number| process.pipeline.log(exposure(number)));
    let begin = Instant::now();
    let report = process.pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.pending), (4, 0, 0));
    assert_eq!(report.spooled, 100);
    assert!(begin.elapsed() < SECOND);
    assert!(process.stats().pending_on_disk <= 100);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_a_disk_that_works_says_what_is_lost() {
    let machine = Machine::new();
    let process = machine.start(SpoolMode::Overflow, |_| hangs());
    process.faults.break_down(FileOperation::Create, FileFault::IO_ERROR);
    (0..50).for_each(|number| process.pipeline.log(custom(number)));
    let report = process.pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.spooled, report.pending), (0, 50, 0, 0));
    assert_eq!(dropped(&process.stats()), [(DropCause::Shutdown, 50)]);
}

/// Runs a process in a runtime of its own, and ends both in some way.
fn in_own_runtime(machine: &Machine, mode: SpoolMode, events: u64, end: impl FnOnce(Process) -> Option<Process>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let left = runtime.block_on(async {
        let process = machine.start(mode, |_| hangs());
        (0..events).for_each(|number| process.pipeline.log(exposure(number)));
        process.settle().await;
        (events..events + 3).for_each(|number| process.pipeline.log(custom(number)));
        end(process)
    });
    drop(runtime);
    drop(left);
}

fn recovered(machine: &Machine) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut process = machine.start(SpoolMode::Overflow, |_| taken());
        let recovered = process.stats().recovered;
        let report = process.pipeline.flush(SECOND).await;
        assert!(report.is_safe());
        while process.stats().pending > 0 {
            process.settle().await;
        }
        let seen: HashSet<String> = process.seen().into_iter().collect();
        assert_eq!(seen.len() as u64, recovered);
        let _ = process.pipeline.shutdown(SECOND).await;
        recovered
    })
}

#[test]
fn dropped_without_a_shutdown_everything_is_on_disk_whichever_ends_first() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        in_own_runtime(&machine, mode, 100, |process| {
            drop(process);
            None
        });
        assert_eq!(recovered(&machine), 103, "{mode:?}, the pipeline");
        in_own_runtime(&machine, mode, 100, Some);
        assert_eq!(recovered(&machine), 103, "{mode:?}, the runtime");

        // Before its task has even begun.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let process = {
            let _entered = runtime.enter();
            machine.start(mode, |_| hangs())
        };
        (0..7).for_each(|number| process.pipeline.log(exposure(number)));
        drop(runtime);
        let stats = process.stats();
        assert_eq!((stats.pending, stats.pending_on_disk), (7, 7));
        assert_eq!(recovered(&machine), 7, "{mode:?}, the runtime at once");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_in_a_runtime_that_goes_on_it_closes_the_spool_and_never_uses_the_network() {
    let machine = Machine::new();
    let mut process = machine.start(SpoolMode::Overflow, |_| taken());
    (0..5).for_each(|number| process.pipeline.log(exposure(number)));
    drop(process.pipeline);
    // The sink goes with the task.
    assert!(process.attempts.recv().await.is_none(), "no attempt");
    let next = machine.start(SpoolMode::Overflow, |_| taken());
    assert_eq!(next.stats().recovered, 5);
}

#[test]
fn a_crash_loses_what_the_mode_says() {
    for (mode, kept) in [(SpoolMode::Overflow, 0), (SpoolMode::WriteAhead, 100)] {
        let machine = Machine::new();
        in_own_runtime(&machine, mode, 100, |process| {
            // From here on, nothing that it does reaches the disk.
            machine.disk.kill(statsig_background::FileSystem::process_id(&*process.fs));
            Some(process)
        });
        assert_eq!(recovered(&machine), kept, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_left_is_taken_over_while_this_one_runs() {
    let machine = Machine::new();
    let old = machine.start(SpoolMode::Overflow, |_| busy());
    (0..30).for_each(|number| old.pipeline.log(exposure(number)));
    assert_eq!(old.pipeline.flush(SECOND).await.spooled, 30);
    let new = machine.start(SpoolMode::Overflow, |_| taken());
    assert_eq!(new.stats().recovered, 0);
    machine.disk.kill(statsig_background::FileSystem::process_id(&*old.fs));
    machine.clock.advance(61_000);
    tokio::time::sleep(20 * SECOND).await;
    let stats = new.stats();
    assert_eq!((stats.accepted, stats.recovered, stats.delivered), (0, 30, 30));
}
