//! Tests of the pipeline with a spool, on a disk in memory that fails on command.

mod accounts;
mod answers;
mod damage;
mod ending;
mod hanging;
mod opening;
mod outages;
mod reports;
mod writing;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use statsig_background::testing::{FaultyFileSystem, MemoryDisk, MemoryFileSystem};
use statsig_core::Clock;

use super::*;
use crate::SpoolMode;
use crate::spool::testing::ManualClock;
use crate::spool::{FsyncPolicy, Spool, SpoolClock, SpoolOptions};

const NOW: u64 = 1_790_000_000_000;

/// Shows the pipeline the clock of the spool.
struct SameClock(Arc<ManualClock>);

impl Clock for SameClock {
    fn now_ms(&self) -> i64 {
        self.0.now_ms().try_into().unwrap()
    }
}

/// A machine on which one process after the other runs a pipeline.
struct Machine {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    spool_options: SpoolOptions,
    options: PipelineOptions,
}

/// What a test holds of a process.
struct Process {
    pipeline: EventPipeline<Event>,
    attempts: UnboundedReceiver<Attempt>,
    fs: Arc<MemoryFileSystem>,
    faults: Arc<FaultyFileSystem>,
    _heal_on_panic: HealOnPanic,
}

/// Ends the faults when a test fails: the runtime waits for a blocking thread that hangs, forever.
struct HealOnPanic(Arc<FaultyFileSystem>);

impl Drop for HealOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.heal();
        }
    }
}

impl Machine {
    fn new() -> Self {
        let mut spool_options = SpoolOptions::new("/spool", "0123456789abcdef");
        spool_options.segment_bytes = 4_096;
        spool_options.max_bytes = 1 << 20;
        spool_options.fsync = FsyncPolicy::Interval { every: Duration::from_millis(200), bytes: 1 << 20 };
        let options = PipelineOptions { compression_level: 0, ..options() };
        Self { disk: MemoryDisk::new(), clock: Arc::new(ManualClock::new(NOW)), spool_options, options }
    }

    fn start(&self, mode: SpoolMode, plan: impl FnMut(&EventBatch) -> Step + Send + 'static) -> Process {
        let fs = Arc::new(self.disk.process());
        let faults = Arc::new(FaultyFileSystem::new(fs.clone()));
        let spool = Spool::open(self.spool_options.clone(), faults.clone(), self.clock.clone()).unwrap();
        let (attempts, receiver) = unbounded_channel();
        let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(plan)), attempts });
        let clock = Arc::new(SameClock(self.clock.clone()));
        let options = self.options.clone();
        let pipeline = EventPipeline::start_with_spool(options, spool, mode, sink, clock, &Handle::current());
        Process { pipeline, attempts: receiver, fs, _heal_on_panic: HealOnPanic(faults.clone()), faults }
    }

    /// Files whose names end so, with their content.
    fn files(&self, end: &str) -> Vec<(String, Vec<u8>)> {
        let paths = self.disk.files().into_iter().filter(|path| path.ends_with(end));
        let read = |path: String| {
            let mut content = Vec::new();
            self.disk.tamper(Path::new(&path), |bytes| content.clone_from(bytes)).unwrap();
            (path, content)
        };
        paths.map(read).collect()
    }

    /// Whether the id of a batch is in some segment.
    fn has_written(&self, id: [u8; 16]) -> bool {
        self.files(".log").iter().any(|(_, content)| content.windows(16).any(|window| window == id))
    }
}

impl Process {
    fn stats(&self) -> EventStats {
        let stats = self.pipeline.stats();
        assert!(stats.is_balanced(), "{stats:?}");
        stats
    }

    /// Lets the pipeline come to rest.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// The events of all attempts so far.
    fn seen(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(attempt) = self.attempts.try_recv() {
            seen.extend(attempt.events());
        }
        seen
    }
}

/// A switch for a destination.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicU64>);

impl Switch {
    fn turn(&self, on: bool) {
        self.0.store(u64::from(on), Ordering::SeqCst);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 1
    }

    fn plan(&self) -> impl FnMut(&EventBatch) -> Step + Send + 'static {
        let switch = self.clone();
        move |_| if switch.is_on() { taken() } else { busy() }
    }
}
