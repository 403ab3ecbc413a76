//! That every event is accounted for, whatever fails.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use statsig_background::testing::{FileFault, FileOperation};

use super::*;
use crate::ledger::FlushReport;

#[derive(Debug, Clone)]
enum Act {
    Log {
        events: u8,
        exposure: bool,
    },
    Wait(u32),
    Flush(u16),
    Inject {
        op: FileOperation,
        fault: FileFault,
        skip: u32,
        times: u32,
    },
    FailSyncs(u32),
    Heal,
    /// Ends the process, and starts the next.
    Restart {
        end: End,
    },
}

#[derive(Debug, Clone, Copy)]
enum End {
    Shutdown(u16),
    Drop,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    // Reads are left out: what cannot be read is given up, which is another test.
    let op = prop::sample::select(vec![
        FileOperation::Append,
        FileOperation::Sync,
        FileOperation::SyncDir,
        FileOperation::Create,
        FileOperation::RemoveFile,
        FileOperation::Truncate,
        FileOperation::Rewrite,
        FileOperation::Rename,
    ]);
    let fault = prop::sample::select(vec![
        FileFault::DISK_FULL,
        FileFault::IO_ERROR,
        FileFault::ShortWrite(40),
        FileFault::TornWrite(3),
    ]);
    let end = prop_oneof![(0_u16..5_000).prop_map(End::Shutdown), Just(End::Drop), Just(End::Kill)];
    prop_oneof![
        8 => (1_u8..40, any::<bool>()).prop_map(|(events, exposure)| Act::Log { events, exposure }),
        5 => (0_u32..90_000).prop_map(Act::Wait),
        3 => (0_u16..5_000).prop_map(Act::Flush),
        3 => (op, fault, 0_u32..4, 1_u32..6).prop_map(|(op, fault, skip, times)| Act::Inject { op, fault, skip, times }),
        1 => (1_u32..3).prop_map(Act::FailSyncs),
        2 => Just(Act::Heal),
        1 => end.prop_map(|end| Act::Restart { end }),
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

/// Shared by the sinks of all processes.
#[derive(Default)]
struct Destination {
    seen: Mutex<HashSet<String>>,
}

impl Destination {
    fn take(&self, batch: &EventBatch) {
        let raw = body::decoded(batch).unwrap();
        self.seen.lock().unwrap().extend(body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()));
    }
}

fn start(machine: &Machine, mode: SpoolMode, steps: Vec<u8>, destination: &Arc<Destination>) -> Process {
    let (destination, mut calls) = (Arc::clone(destination), 0);
    machine.start(mode, move |batch| {
        let step = step(steps[calls % steps.len()]);
        calls += 1;
        if let Step::Answer(Delivery::Delivered) | Step::Late(_, Delivery::Delivered) = step {
            destination.take(batch);
        }
        step
    })
}

/// A report is about everything that was pending; but for what a job, on its own thread, had done
/// with between the first look and the call.
fn check(report: &FlushReport, before: &EventStats, after: &EventStats) {
    let sum = report.delivered + report.failed + report.spooled + report.pending;
    let settled = |stats: &EventStats| stats.delivered + stats.dropped.total();
    let missing = before.pending.checked_sub(sum);
    assert!(missing.is_some_and(|missing| missing <= settled(after) - settled(before)), "{report:?} {before:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The accounts hold at every moment; what is on disk at the end of a process is found by the
    /// next; and in the end each event was handed to the destination, or is counted as dropped, or
    /// was in memory only when a process was killed.
    #[test]
    fn every_event_is_accounted_for(
        ahead in any::<bool>(),
        acts in prop::collection::vec(act(), 1..40),
        steps in prop::collection::vec(0_u8..14, 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mode = if ahead { SpoolMode::WriteAhead } else { SpoolMode::Overflow };
            let mut machine = Machine::new();
            machine.options.queue_events = 150;
            machine.spool_options.segment_bytes = 1_024;
            let destination = Arc::new(Destination::default());
            let mut process = start(&machine, mode, steps.clone(), &destination);
            let (mut number, mut accepted, mut may_be_lost) = (0, 0, 0);
            for act in acts {
                match act {
                    Act::Log { events, exposure } => {
                        for _ in 0..events {
                            process.pipeline.log(Event { number, exposure, bytes: 10, panics: false });
                            number += 1;
                            accepted += 1;
                        }
                    }
                    Act::Wait(ms) => {
                        machine.clock.advance(u64::from(ms));
                        tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
                    }
                    Act::Flush(ms) => {
                        let before = process.stats();
                        let report = process.pipeline.flush(Duration::from_millis(u64::from(ms))).await;
                        check(&report, &before, &process.stats());
                    }
                    Act::Inject { op, fault, skip, times } => process.faults.inject(op, fault, skip, times),
                    Act::FailSyncs(count) => machine.disk.fail_syncs(count),
                    Act::Heal => {
                        process.faults.heal();
                        machine.disk.fail_syncs(0);
                    }
                    Act::Restart { end } => {
                        let before = process.stats();
                        match end {
                            End::Shutdown(ms) => {
                                let report = process.pipeline.shutdown(Duration::from_millis(u64::from(ms))).await;
                                let after = process.stats();
                                check(&report, &before, &after);
                                assert_eq!((report.pending, after.pending), (0, after.pending_on_disk));
                                may_be_lost += after.dropped.total();
                            }
                            End::Drop => {
                                may_be_lost += before.dropped.total();
                                // Whatever it could not write is lost: nobody can ask it any more.
                                may_be_lost += if before.spool_failures > 0 { before.pending } else { 0 };
                                let mut attempts = process.attempts;
                                process.faults.heal();
                                machine.disk.fail_syncs(0);
                                drop(process.pipeline);
                                while attempts.recv().await.is_some() {}
                            }
                            End::Kill => {
                                machine.disk.kill(statsig_background::FileSystem::process_id(&*process.fs));
                                may_be_lost += before.dropped.total() + before.pending - before.pending_on_disk;
                            }
                        }
                        machine.disk.fail_syncs(0);
                        let on_disk = before.pending_on_disk;
                        process = start(&machine, mode, steps.clone(), &destination);
                        accepted = 0;
                        let now = process.stats();
                        if let End::Kill = end {
                            assert!(now.recovered >= on_disk, "{now:?} after {before:?}");
                        }
                    }
                }
                let stats = process.stats();
                assert_eq!(stats.accepted, accepted);
            }
            // Everything heals, and whatever is left is delivered.
            process.faults.heal();
            machine.disk.fail_syncs(0);
            let _ = process.pipeline.shutdown(SECOND).await;
            let stats = process.stats();
            assert_eq!(stats.pending, stats.pending_on_disk);
            may_be_lost += stats.dropped.total();
            let last = start(&machine, mode, vec![0], &destination);
            assert!(last.stats().recovered >= stats.pending_on_disk);
            while last.stats().pending > 0 {
                last.settle().await;
            }
            let stats = last.stats();
            assert_eq!(stats.delivered, stats.recovered);
            assert!(last.pipeline.shutdown(SECOND).await.is_complete());
            let seen = destination.seen.lock().unwrap().len() as u64;
            assert!(seen + may_be_lost >= number, "{seen} seen, {may_be_lost} perhaps lost, of {number}");
        });
    }
}

#[test]
fn the_accounts_balance_at_every_moment_under_load() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut machine = Machine::new();
            machine.options.queue_events = 3_000;
            machine.options.batch_events = 100;
            machine.options.backoff_base = Duration::from_millis(1);
            machine.options.backoff_cap = Duration::from_millis(5);
            machine.spool_options.max_bytes = 64 << 10;
            let mut calls = 0_u32;
            let process = machine.start(mode, move |_| {
                calls += 1;
                match calls % 7 {
                    0 | 1 => busy(),
                    3 => Step::Answer(Delivery::reject("odd")),
                    5 => Step::Answer(Delivery::TooLarge),
                    _ => taken(),
                }
            });
            // fsyncs fail now and then, and at some time, for a second, every write.
            (1..20).for_each(|nth| process.faults.inject(FileOperation::Sync, FileFault::IO_ERROR, nth * 5, 1));
            process.faults.inject(FileOperation::Append, FileFault::ShortWrite(20), 100, 1);
            let running = AtomicBool::new(true);
            std::thread::scope(|scope| {
                for thread in 0..2 {
                    let (pipeline, running) = (&process.pipeline, &running);
                    scope.spawn(move || {
                        for number in 0.. {
                            if !running.load(Ordering::Relaxed) {
                                return;
                            }
                            let number = thread * 1_000_000_000 + number;
                            pipeline.log(if number % 3 == 0 { custom(number) } else { exposure(number) });
                        }
                    });
                }
                let (begin, mut on_disk) = (std::time::Instant::now(), 0);
                loop {
                    let stats = process.stats();
                    on_disk = on_disk.max(stats.pending_on_disk);
                    if on_disk > 0 && stats.delivered > 500 && stats.spool_failures > 0 {
                        break;
                    }
                    assert!(begin.elapsed() < 60 * SECOND, "{mode:?} {stats:?}");
                }
                running.store(false, Ordering::Relaxed);
            });
            process.faults.heal();
            let report = process.pipeline.shutdown(2 * SECOND).await;
            let stats = process.stats();
            assert_eq!((report.pending, stats.pending), (0, stats.pending_on_disk), "{stats:?}");
        });
    }
}
