//! A spool that cannot be opened, or not be used for a while.

use statsig_background::testing::{FileFault, FileOperation};

use super::*;
use crate::pipeline::SpoolState;

/// Starts a pipeline whose spool may not be open.
fn start_unopened(
    machine: &Machine,
    mode: SpoolMode,
    faults: Arc<FaultyFileSystem>,
    up: &Switch,
) -> EventPipeline<Event> {
    let spool = Spool::open_or_retry(machine.spool_options.clone(), faults, machine.clock.clone()).unwrap();
    let (attempts, _) = unbounded_channel();
    let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(up.plan())), attempts });
    let clock = Arc::new(SameClock(machine.clock.clone()));
    EventPipeline::start_with_spool(machine.options.clone(), spool, mode, sink, clock, &Handle::current())
}

/// Lets time pass, on the clock of the spool as well.
async fn pass(machine: &Machine, seconds: u64) {
    for _ in 0..seconds {
        machine.clock.advance(1_000);
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_cannot_be_opened_is_done_without_and_opened_once_it_can() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        for op in [FileOperation::EnsureDir, FileOperation::MakePrivate, FileOperation::Lock] {
            let machine = Machine::new();
            // What an earlier process left.
            let old = machine.start(mode, |_| busy());
            (0..20).for_each(|number| old.pipeline.log(exposure(number)));
            assert_eq!(old.pipeline.flush(10 * SECOND).await.spooled, 20);
            machine.disk.kill(statsig_background::FileSystem::process_id(&*old.fs));

            let (up, faults) = (Switch::default(), Arc::new(FaultyFileSystem::new(Arc::new(machine.disk.process()))));
            up.turn(true);
            faults.break_down(op, FileFault::DISK_FULL);
            let pipeline = start_unopened(&machine, mode, Arc::clone(&faults), &up);
            (20..30).for_each(|number| pipeline.log(exposure(number)));
            let report = pipeline.flush(10 * SECOND).await;
            assert_eq!((report.delivered, report.pending), (10, 0), "{op:?}: from memory");
            let health = pipeline.spool_health().unwrap();
            assert_eq!(health.state, SpoolState::Unavailable, "{op:?}");
            assert!(health.last_error.as_ref().is_some_and(|error| error.contains("injected fault")), "{health:?}");
            assert!(health.next_retry.is_some_and(|retry| retry <= 60 * SECOND), "{health:?}");

            pass(&machine, 130).await;
            let health = pipeline.spool_health().unwrap();
            assert_eq!(health.state, SpoolState::Unavailable, "{op:?}");
            assert!(health.since >= 130 * SECOND && health.last_error_ago.is_some_and(|ago| ago <= 70 * SECOND));
            faults.heal();
            pass(&machine, 80).await;
            let health = pipeline.spool_health().unwrap();
            assert_eq!((health.state, health.next_retry), (SpoolState::Ok, None), "{op:?}");
            let stats = pipeline.stats();
            assert!(stats.is_balanced());
            assert_eq!((stats.recovered, stats.delivered, stats.pending), (20, 30, 0), "{op:?}");

            up.turn(false);
            (30..40).for_each(|number| pipeline.log(exposure(number)));
            assert_eq!(pipeline.shutdown(3 * SECOND).await.spooled, 10, "{op:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_spool_at_the_end_what_is_not_delivered_has_failed() {
    let machine = Machine::new();
    let faults = Arc::new(FaultyFileSystem::new(Arc::new(machine.disk.process())));
    faults.break_down(FileOperation::EnsureDir, FileFault::Error(std::io::ErrorKind::ReadOnlyFilesystem));
    let pipeline = start_unopened(&machine, SpoolMode::Overflow, faults, &Switch::default());
    (0..30).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.spooled, report.pending), (0, 30, 0, 0));
    assert_eq!(dropped(&pipeline.stats()), [(DropCause::Shutdown, 30)]);
    assert_eq!(pipeline.spool_health().unwrap().state, SpoolState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_was_full_once_is_found_to_work_without_a_batch_to_write() {
    let machine = Machine::new();
    let up = Switch::default();
    let process = machine.start(SpoolMode::Overflow, up.plan());
    process.faults.break_down(FileOperation::Create, FileFault::DISK_FULL);
    (0..10).for_each(|number| process.pipeline.log(exposure(number)));
    let _ = process.pipeline.flush(SECOND).await;
    assert_eq!(process.pipeline.spool_health().unwrap().state, SpoolState::Unavailable);
    up.turn(true);
    assert!(process.pipeline.flush(100 * SECOND).await.is_complete());
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(process.pipeline.spool_health().unwrap().state, SpoolState::Unavailable, "it is still full");
    process.faults.heal();
    tokio::time::sleep(120 * SECOND).await;
    let health = process.pipeline.spool_health().unwrap();
    assert_eq!(health.state, SpoolState::Ok);
    assert!(health.last_error.is_some_and(|error| error.contains("no space left")));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_without_a_spool_has_no_health_of_one() {
    assert_eq!(super::super::start(options(), |_| taken()).0.spool_health(), None);
}
