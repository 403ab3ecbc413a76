//! Damage on the disk: what it costs, and where it is counted.

use super::*;

/// Leaves events of an outage in the spool of a process that is killed.
async fn leave(machine: &Machine, events: u64) {
    let process = machine.start(SpoolMode::Overflow, |_| busy());
    (0..events).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(10 * SECOND).await.spooled, events);
    machine.disk.kill(statsig_background::FileSystem::process_id(&*process.fs));
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_anywhere_costs_one_batch_at_most_and_is_counted() {
    for step in 0..50 {
        let machine = Machine::new();
        leave(&machine, 100).await;
        let (path, content) = machine.files(".log").remove(0);
        let at = (step * 7_919 + 44) % content.len();
        machine.disk.tamper(Path::new(&path), |bytes| bytes[at] ^= 1 << (step % 8)).unwrap();

        let mut next = machine.start(SpoolMode::Overflow, |_| taken());
        while next.stats().pending > 0 {
            next.settle().await;
        }
        let stats = next.stats();
        let seen: HashSet<String> = next.seen().into_iter().collect();
        let lost = 100 - seen.len() as u64;
        assert!(lost == 0 || lost == 10, "{at}: {lost}");
        assert_eq!(stats.delivered, seen.len() as u64);
        assert_eq!(stats.recovered, stats.delivered + stats.dropped.get(DropCause::SpoolDamaged));
        assert_eq!(stats.spool_corrupt_records, lost / 10, "{at}");
        assert!(lost == 0 || stats.spool_corrupt_segments + stats.dropped.total() > 0, "{at}: {stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_file_costs_its_last_batch_and_says_how_many_events() {
    let machine = Machine::new();
    leave(&machine, 30).await;
    let (path, _) = machine.files(".log").remove(0);
    machine.disk.tamper(Path::new(&path), |bytes| bytes.truncate(bytes.len() - 1)).unwrap();
    let mut next = machine.start(SpoolMode::Overflow, |_| taken());
    while next.stats().pending > 0 {
        next.settle().await;
    }
    let stats = next.stats();
    assert_eq!((next.seen().len(), stats.delivered, stats.recovered), (20, 20, 30));
    assert_eq!(dropped(&stats), [(DropCause::SpoolDamaged, 10)]);
    assert_eq!(stats.spool_truncated_tails, 1);
}
