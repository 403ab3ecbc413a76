//! Reports say what is true, whatever happens to the spool meanwhile.

use statsig_background::FileSystem;

use super::*;

fn delete(machine: &Machine, process: &Process, ends: &[&str]) {
    for path in machine.disk.files() {
        if ends.iter().any(|end| path.ends_with(end)) {
            process.fs.remove_file(path.as_ref()).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_report_as_spooled_what_somebody_has_deleted() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let process = machine.start(mode, |_| busy());
        (0..100).for_each(|number| process.pipeline.log(exposure(number)));
        assert_eq!(process.pipeline.flush(10 * SECOND).await.spooled, 100);
        delete(&machine, &process, &[".log", ".ack"]);
        // What comes after that is safe.
        (100..120).for_each(|number| process.pipeline.log(exposure(number)));
        let report = process.pipeline.shutdown(3 * SECOND).await;
        let stats = process.stats();
        assert_eq!((report.delivered, report.pending), (0, 0), "{mode:?}");
        assert_eq!(report.spooled, stats.pending, "{mode:?}");
        assert_eq!(report.spooled + report.failed, 120, "{mode:?}");
        assert!(report.spooled <= 20 && stats.dropped.get(DropCause::SpoolDamaged) >= 100, "{mode:?}: {stats:?}");
        assert_eq!(machine.start(mode, |_| taken()).stats().recovered, report.spooled, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_report_as_spooled_what_somebody_has_deleted() {
    let machine = Machine::new();
    let process = machine.start(SpoolMode::Overflow, |_| busy());
    (0..100).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(10 * SECOND).await.spooled, 100);
    delete(&machine, &process, &[".log"]);
    let report = process.pipeline.flush(10 * SECOND).await;
    // But for one that is on its way, from memory.
    assert!(report.failed >= 90 && report.spooled + report.failed == 100, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_report_as_spooled_what_made_room_for_the_rest() {
    let mut machine = Machine::new();
    machine.spool_options.segment_bytes = 1_024;
    machine.spool_options.max_bytes = 4_096;
    let process = machine.start(SpoolMode::Overflow, |_| Step::Late(1_000 * SECOND, Delivery::Delivered));
    (0..2_000).for_each(|number| process.pipeline.log(exposure(number)));
    let report = process.pipeline.shutdown(SECOND / 2).await;
    let stats = process.stats();
    assert_eq!((report.delivered, report.pending), (0, 0));
    assert_eq!((report.spooled, report.failed), (stats.pending, stats.dropped.total()));
    assert!(stats.dropped.get(DropCause::SpoolFull) > 500, "{stats:?}");
    assert_eq!(machine.start(SpoolMode::Overflow, |_| taken()).stats().recovered, report.spooled);
}
