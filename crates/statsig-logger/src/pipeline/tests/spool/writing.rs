//! What is written to the spool, and when.

use std::collections::BTreeSet;
use std::io;
use std::thread::ThreadId;

use statsig_background::testing::{FileFault, FileOperation};
use statsig_background::{FileHandle, FileLock, FileSystem, FolderItem};

use super::*;

#[tokio::test(start_paused = true)]
async fn overflow_writes_nothing_while_the_destination_takes_events() {
    let machine = Machine::new();
    let process = machine.start(SpoolMode::Overflow, |_| taken());
    (0..95).for_each(|number| process.pipeline.log(exposure(number)));
    assert!(process.pipeline.flush(SECOND).await.is_complete());
    assert_eq!(machine.files(".log"), []);
    let report = process.pipeline.shutdown(SECOND).await;
    assert_eq!((report.delivered, report.spooled), (0, 0));
    assert_eq!(machine.disk.files(), Vec::<String>::new(), "nothing is left of it");
}

#[tokio::test(start_paused = true)]
async fn overflow_writes_a_batch_when_its_first_attempt_fails() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let mut process = machine.start(SpoolMode::Overflow, move |_| match switch.is_on() {
        true => taken(),
        false => Step::Late(SECOND, Delivery::retry("busy")),
    });
    (0..10).for_each(|number| process.pipeline.log(exposure(number)));
    let first = process.attempts.recv().await.unwrap();
    assert!(!machine.has_written(first.batch.id));
    let report = process.pipeline.flush(10 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.spooled, report.pending), (0, 0, 10, 0));
    assert!(report.is_safe() && !report.is_complete());
    assert!(machine.has_written(first.batch.id));
    let stats = process.stats();
    assert_eq!((stats.pending, stats.pending_in_batches, stats.pending_on_disk), (10, 10, 10));
    assert!(stats.spool_bytes > 0);
    assert_eq!(stats.spool_oldest_ms, Some(NOW));

    up.turn(true);
    let again = loop {
        let attempt = process.attempts.recv().await.unwrap();
        process.settle().await;
        if process.stats().pending == 0 {
            break attempt;
        }
    };
    assert_eq!((again.batch.id, again.events()), (first.batch.id, numbers(0..10)));
    assert_eq!((again.batch.created_ms, again.batch.raw_len), (first.batch.created_ms, first.batch.raw_len));
    assert!(again.batch.attempt >= 1, "{again:?}", again = again.batch);
    assert_eq!(process.stats().delivered, 10);
}

#[tokio::test(start_paused = true)]
async fn overflow_writes_when_memory_is_half_full_though_no_attempt_has_failed() {
    let mut machine = Machine::new();
    machine.options.queue_bytes = 2_000;
    machine.options.batch_events = 5;
    let hang = Step::Late as fn(Duration, Delivery) -> Step;
    let process = machine.start(SpoolMode::Overflow, move |_| hang(25 * SECOND, Delivery::Delivered));
    for number in 0..600 {
        process.pipeline.log(exposure(number));
        if number % 5 == 4 {
            process.settle().await;
        }
    }
    let stats = process.stats();
    assert_eq!((stats.pending, dropped(&stats)), (600, vec![]));
    assert!(stats.pending_on_disk > 0 && stats.pending_on_disk < 600, "{stats:?}");
    // Five events of three digits are 21 bytes.
    assert!((stats.pending - stats.pending_on_disk) / 5 * 21 <= 1_000 + 4 * 21 + 21, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn write_ahead_writes_every_batch_before_its_first_attempt() {
    let machine = Arc::new(Machine::new());
    let (seen, ahead) = (machine.clone(), Arc::new(AtomicU64::new(0)));
    let count = ahead.clone();
    let process = machine.start(SpoolMode::WriteAhead, move |batch| {
        assert!(seen.has_written(batch.id), "not written");
        count.fetch_add(1, Ordering::SeqCst);
        taken()
    });
    let begin = Instant::now();
    (0..45).for_each(|number| process.pipeline.log(exposure(number)));
    while process.stats().delivered < 45 {
        process.settle().await;
    }
    assert!(begin.elapsed() <= Duration::from_millis(270), "cut after {:?}", begin.elapsed());
    assert_eq!(ahead.load(Ordering::SeqCst), 5);
    let stats = process.stats();
    assert_eq!((stats.pending, stats.pending_on_disk, stats.sink_panics), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn write_ahead_cuts_when_so_many_bytes_wait() {
    let mut machine = Machine::new();
    machine.options.batch_events = 1_000_000;
    let mut process = machine.start(SpoolMode::WriteAhead, |_| taken());
    let begin = Instant::now();
    (0..3).for_each(|number| process.pipeline.log(Event { bytes: 100 << 10, ..exposure(number) }));
    assert_eq!(process.attempts.recv().await.unwrap().events(), numbers(0..3));
    assert_eq!(Instant::now(), begin);
}

#[tokio::test(start_paused = true)]
async fn a_write_ahead_flush_waits_for_the_first_attempt_and_says_what_is_safe_when_time_is_up() {
    let machine = Machine::new();
    let mut calls = 0;
    let process = machine.start(SpoolMode::WriteAhead, move |_| {
        calls += 1;
        match calls {
            1 => Step::Late(SECOND, Delivery::Delivered),
            _ => Step::Late(25 * SECOND, Delivery::Delivered),
        }
    });
    process.pipeline.log(exposure(1));
    let report = process.pipeline.flush(3 * SECOND).await;
    assert!(report.is_complete() && report.delivered == 1, "{report:?}");
    process.pipeline.log(exposure(2));
    let report = process.pipeline.flush(3 * SECOND).await;
    assert_eq!((report.delivered, report.failed, report.spooled, report.pending), (0, 0, 1, 0));
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(process.stats().delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn a_flush_forces_what_it_reports_as_spooled_to_the_disk() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let mut machine = Machine::new();
        machine.spool_options.fsync = FsyncPolicy::Never;
        let process = machine.start(mode, |_| busy());
        (0..25).for_each(|number| process.pipeline.log(exposure(number)));
        let report = process.pipeline.flush(10 * SECOND).await;
        assert_eq!((report.spooled, report.pending), (25, 0), "{mode:?}");
        // Loses whatever it can.
        machine.disk.power_failure(&mut |_| 0);
        let next = machine.start(mode, |_| taken());
        assert_eq!(next.stats().recovered, 25, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_kept_apart_whether_or_not_it_was_on_disk() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let process = machine.start(mode, |_| Step::Answer(Delivery::reject("odd")));
        (0..10).for_each(|number| process.pipeline.log(exposure(number)));
        let report = process.pipeline.flush(10 * SECOND).await;
        assert_eq!((report.failed, report.spooled, report.pending), (10, 0, 0));
        assert_eq!(dropped(&process.stats()), [(DropCause::Rejected, 10)]);
        let dead: Vec<_> = machine.files(".log").into_iter().filter(|(path, _)| path.contains("/dead/")).collect();
        assert_eq!(dead.len(), 1);
        assert!(dead[0].1.ends_with(b"[0,1,2,3,4,5,6,7,8,9]"));
        assert_eq!(process.stats().pending_on_disk, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_halved_on_disk() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let mut process = machine.start(SpoolMode::WriteAhead, move |batch| match batch.event_count {
        _ if !switch.is_on() => busy(),
        1..=2 => taken(),
        _ => Step::Answer(Delivery::TooLarge),
    });
    (0..10).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(SECOND).await.spooled, 10);
    up.turn(true);
    // One is halved at its first attempt, one after it was fetched.
    (10..20).for_each(|number| process.pipeline.log(exposure(number)));
    while process.stats().pending > 0 {
        process.settle().await;
    }
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.splits), (20, 10));
    let seen: HashSet<String> = process.seen().into_iter().collect();
    assert_eq!(seen, numbers(0..20).into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_is_done_without_and_tried_again() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let up = Switch::default();
        let process = machine.start(mode, up.plan());
        process.faults.break_down(FileOperation::Create, FileFault::DISK_FULL);
        (0..30).for_each(|number| process.pipeline.log(exposure(number)));
        let report = process.pipeline.flush(SECOND / 2).await;
        assert_eq!((report.spooled, report.pending), (0, 30), "{mode:?}");
        let stats = process.stats();
        assert_eq!((stats.pending_on_disk, stats.pending), (0, 30));
        assert!(stats.spool_failures > 0, "{mode:?}");
        // From memory.
        up.turn(true);
        let report = process.pipeline.flush(100 * SECOND).await;
        assert!(report.is_complete() && report.delivered == 30, "{mode:?}: {report:?}");

        up.turn(false);
        (30..60).for_each(|number| process.pipeline.log(exposure(number)));
        assert_eq!(process.pipeline.flush(SECOND / 2).await.pending, 30);
        process.faults.heal();
        tokio::time::sleep(61 * SECOND).await;
        assert_eq!(process.stats().pending_on_disk, 30, "{mode:?}: as soon as the disk takes them");
        up.turn(true);
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(process.stats().delivered, 60, "{mode:?}");
    }
}

/// Notes which threads come, lets them wait, and panics if it is to.
struct Watched {
    below: MemoryFileSystem,
    gate: Arc<Mutex<()>>,
    panics: Switch,
    threads: Arc<Mutex<BTreeSet<String>>>,
    open: Switch,
}

impl Watched {
    fn note(&self) -> &MemoryFileSystem {
        if self.open.is_on() {
            let thread: ThreadId = std::thread::current().id();
            self.threads.lock().unwrap().insert(format!("{thread:?}"));
        }
        drop(self.gate.lock().unwrap());
        assert!(!self.panics.is_on(), "as the test wants it");
        &self.below
    }
}

impl FileSystem for Watched {
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        self.note().ensure_dir(dir)
    }
    fn make_private(&self, dir: &Path) -> io::Result<()> {
        self.note().make_private(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.note().sync_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>> {
        self.note().list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.note().create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.note().open(path)
    }
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.note().open_to_read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note().rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note().remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.note().remove_dir(dir)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.note().try_lock(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.note().exists(path)
    }
    fn process_id(&self) -> u32 {
        self.below.process_id()
    }
}

#[test]
fn no_thread_of_the_application_or_of_the_runtime_ever_meets_the_disk() {
    for (mode, ends_in_order) in [(SpoolMode::Overflow, true), (SpoolMode::WriteAhead, false)] {
        let machine = Machine::new();
        let (threads, open) = (Arc::default(), Switch::default());
        let fs = Watched {
            below: machine.disk.process(),
            gate: Arc::default(),
            panics: Switch::default(),
            threads: Arc::clone(&threads),
            open: open.clone(),
        };
        let spool = Spool::open(machine.spool_options.clone(), Arc::new(fs), machine.clock.clone()).unwrap();
        open.turn(true);
        // Everything but blocking work runs on this thread.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (attempts, _receiver) = unbounded_channel();
            let mut calls = 0;
            let plan = move |_: &EventBatch| {
                calls += 1;
                if calls % 3 == 0 { taken() } else { busy() }
            };
            let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(plan)), attempts });
            let clock = Arc::new(SameClock(machine.clock.clone()));
            let options = machine.options.clone();
            let pipeline = EventPipeline::start_with_spool(options, spool, mode, sink, clock, &Handle::current());
            (0..95).for_each(|number| pipeline.log(exposure(number)));
            let _ = pipeline.flush(5 * SECOND).await;
            tokio::time::sleep(60 * SECOND).await;
            (0..95).for_each(|number| pipeline.log(exposure(number)));
            if ends_in_order {
                let _ = pipeline.shutdown(SECOND).await;
            }
        });
        drop(runtime);
        let threads = threads.lock().unwrap();
        assert!(!threads.is_empty());
        assert!(!threads.contains(&format!("{:?}", std::thread::current().id())), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_panics_costs_no_event() {
    let machine = Machine::new();
    let (up, panics) = (Switch::default(), Switch::default());
    let fs = Watched {
        below: machine.disk.process(),
        gate: Arc::default(),
        panics: panics.clone(),
        threads: Arc::default(),
        open: Switch::default(),
    };
    let spool = Spool::open(machine.spool_options.clone(), Arc::new(fs), machine.clock.clone()).unwrap();
    let (attempts, _receiver) = unbounded_channel();
    let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(up.plan())), attempts });
    let clock = Arc::new(SameClock(machine.clock.clone()));
    let mode = SpoolMode::WriteAhead;
    let pipeline =
        EventPipeline::start_with_spool(machine.options.clone(), spool, mode, sink, clock, &Handle::current());
    panics.turn(true);
    (0..20).for_each(|number| pipeline.log(exposure(number)));
    let report = pipeline.flush(SECOND).await;
    assert_eq!((report.failed, report.spooled, report.pending), (0, 0, 20));
    panics.turn(false);
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(pipeline.stats().pending_on_disk, 20);
    up.turn(true);
    tokio::time::sleep(100 * SECOND).await;
    let stats = pipeline.stats();
    assert!(stats.is_balanced() && stats.delivered == 20, "{stats:?}");
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_delivery_nor_for_long_the_end() {
    let machine = Machine::new();
    let gate = Arc::new(Mutex::new(()));
    let fs = Watched {
        below: machine.disk.process(),
        gate: Arc::clone(&gate),
        panics: Switch::default(),
        threads: Arc::default(),
        open: Switch::default(),
    };
    let spool = Spool::open(machine.spool_options.clone(), Arc::new(fs), machine.clock.clone()).unwrap();
    let closed = gate.lock().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (attempts, _receiver) = unbounded_channel();
    let mut calls = 0;
    let plan = move |_: &EventBatch| {
        calls += 1;
        if calls % 2 == 0 { taken() } else { busy() }
    };
    let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(plan)), attempts });
    let clock = Arc::new(SameClock(machine.clock.clone()));
    let options = PipelineOptions { backoff_base: Duration::from_millis(1), ..machine.options.clone() };
    let pipeline = EventPipeline::start_with_spool(options, spool, SpoolMode::Overflow, sink, clock, runtime.handle());
    // One is delivered beside one that fails and gets stuck.
    (0..10).for_each(|number| pipeline.log(exposure(number)));
    let begin = std::time::Instant::now();
    while pipeline.stats().delivered == 0 {
        (0..10).for_each(|number| pipeline.log(exposure(number)));
        let _ = runtime.block_on(pipeline.flush(Duration::from_millis(20)));
        assert!(begin.elapsed() < 60 * SECOND, "{:?}", pipeline.stats());
    }
    let begin = std::time::Instant::now();
    let report = runtime.block_on(pipeline.shutdown(SECOND / 10));
    assert!(begin.elapsed() < 10 * SECOND, "{:?}", begin.elapsed());
    let stats = pipeline.stats();
    assert!(stats.is_balanced() && stats.pending <= 10, "but for the batch that hangs: {stats:?}");
    assert_eq!(report.pending, stats.pending);
    drop(closed);
    drop(runtime);
    let stats = pipeline.stats();
    assert!(stats.is_balanced() && stats.pending == stats.pending_on_disk, "{stats:?}");
}
