//! Options of events and exposures.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "spool")]
use statsig_background::{OsFileSystem, SystemClock};
use statsig_core::{ClientSdkInfo, Clock, ErrorReporter, EvaluationSettings, EventSink, Observer};
#[cfg(feature = "spool")]
use statsig_logger::SpoolMode;
#[cfg(feature = "spool")]
use statsig_logger::spool::{Spool, SpoolOptions};
use statsig_logger::{EventLogger, EventLoggerOptions, FlushedBatch, JsonlFileSink};

#[cfg(feature = "net")]
use statsig_net::{Network, NetworkEndpoint};

use super::StatsigBuilder;
#[cfg(feature = "net")]
use super::network::too_short_for_vendor;
use super::spelling::{Spelling, bounds_of};
use crate::error::{Error, chain_of};
use crate::logging::Logging;
use crate::process::Process;
use crate::runtime::BackgroundRuntime;

/// What the builder knows of logging.
#[derive(Default)]
pub(super) struct LoggingOptions {
    sink: Option<Arc<dyn EventSink>>,
    options: EventLoggerOptions,
    disable_all_logging: bool,
    #[cfg(feature = "net")]
    report_errors_upstream: bool,
    #[cfg(feature = "spool")]
    spool: Option<(SpoolOptions, SpoolMode)>,
    /// A spool for whatever key there will be.
    #[cfg(feature = "spool")]
    spool_folder: Option<SpoolFolder>,
    /// A file for events, opened by `build`.
    events_file: Option<PathBuf>,
}

/// A spool of which the key is not known yet.
#[cfg(feature = "spool")]
struct SpoolFolder {
    folder: PathBuf,
    max_bytes: Option<u64>,
    max_age: Option<Duration>,
    mode: SpoolMode,
}

impl LoggingOptions {
    /// Notes options that are out of bounds or contradict each other, whether or not they are used.
    pub(super) fn check(&self, spelling: &Spelling, problems: &mut Vec<String>) {
        let pipeline = &self.options.pipeline;
        let mut check = |option: &str, part: &str, problem: Option<String>| {
            problems.extend(problem.map(|problem| format!("{part}{} {problem}", spelling.name(option))));
        };
        for (option, part, number) in [
            ("event_queue_size", "", pipeline.batch_events),
            ("retry_queue_size", "", pipeline.retry_queue_size),
            ("event_queue_max_events", "events of ", pipeline.queue_events),
            ("event_queue_max_bytes", "bytes of ", pipeline.queue_bytes),
            ("exposure_dedupe_max_keys", "", self.options.exposure_dedupe_max_keys),
        ] {
            let part = if spelling.is_option(option) { "" } else { part };
            check(option, part, bounds_of(option).problem_of_number(number as u128, ""));
        }
        let interval = bounds_of("flush_interval_ms").problem_of_duration(pipeline.batch_interval);
        check("flush_interval_ms", "", interval);
        let (batch, queue) = ("event_queue_size", "event_queue_max_events");
        if spelling.is_set(batch) && spelling.is_set(queue) && pipeline.queue_events > 0 {
            let contradicts = pipeline.batch_events > pipeline.queue_events;
            let most = || format!("must not be more than {} ({})", spelling.name(queue), pipeline.queue_events);
            check(batch, "", contradicts.then(most));
        }
        if let Some(path) = self.events_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            // An empty parent is the current folder.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if path.file_name().is_none() || folder.is_some_and(|folder| !folder.is_dir()) {
                problems.push(format!("`events_file`: there is no folder for {}", path.display()));
            } else if path.is_dir() {
                problems.push(format!("`events_file`: {} is a folder", path.display()));
            }
        }
    }

    /// Notes an interval that is too short for Statsig's own servers.
    #[cfg(feature = "net")]
    pub(super) fn check_vendor(&self, network: &Network, spelling: &Spelling, problems: &mut Vec<String>) {
        let goes_there = self.sink.is_none() && self.events_file.is_none() && !self.disable_all_logging;
        let interval = self.options.pipeline.batch_interval;
        if goes_there && network.reaches_statsig(NetworkEndpoint::LogEvent) {
            problems.extend(too_short_for_vendor("flush_interval_ms", interval, "batches of events", spelling));
        }
    }

    /// Opens the file for events, unless nothing will be logged. `key`: that of the client, which spools are
    /// told apart by.
    pub(super) fn open(&mut self, key: Option<&str>) -> Result<(), String> {
        #[cfg(feature = "spool")]
        if let Some(SpoolFolder { folder, max_bytes, max_age, mode }) = self.spool_folder.take() {
            let mut options = SpoolOptions::for_sdk_key(folder, key.unwrap_or_default());
            options.max_bytes = max_bytes.unwrap_or(options.max_bytes);
            options.max_age = max_age.unwrap_or(options.max_age);
            self.spool = Some((options, mode));
        }
        #[cfg(not(feature = "spool"))]
        let _ = key;
        if let Some(path) = self.events_file.take().filter(|_| !self.disable_all_logging) {
            let sink = JsonlFileSink::open(&path)
                .map_err(|error| format!("`events_file`: {} cannot be used: {}", path.display(), chain_of(&error)))?;
            self.sink = Some(Arc::new(sink));
        }
        Ok(())
    }

    /// Sends events to the vendor, unless the application has a sink of its own.
    #[cfg(feature = "net")]
    pub(super) fn send_to(&mut self, network: &statsig_net::Network, specs: &Arc<statsig_core::SnapshotStore>) {
        if self.report_errors_upstream && self.options.error_reporter.is_none() {
            self.options.error_reporter = Some(Arc::new(network.error_reporter()));
        }
        if self.sink.is_some() {
            return;
        }
        let pipeline = &mut self.options.pipeline;
        let mut options = statsig_net::EventSinkOptions::default();
        options.compression_level = pipeline.compression_level;
        options.flushing_interval = Some(pipeline.batch_interval);
        options.batch_size = Some(pipeline.batch_events);
        options.max_pending_batches = Some(pipeline.retry_queue_size);
        options.snapshots = Some(Arc::clone(specs));
        #[cfg(feature = "spool")]
        let on_disk = self.spool.is_some();
        #[cfg(not(feature = "spool"))]
        let on_disk = false;
        if !on_disk {
            // The sink wraps each batch in an object and compresses it then.
            pipeline.compression_level = 0;
        }
        self.sink = Some(Arc::new(network.event_sink(options)));
    }

    /// Nothing is logged where nothing may be sent.
    pub(super) fn local_mode(&mut self, on: bool) {
        self.disable_all_logging |= on;
    }

    pub(super) fn observed_by(&mut self, observer: Option<Arc<dyn Observer>>) {
        self.options.observer = observer;
    }

    /// Whether anything will be logged.
    pub(super) fn is_on(&self) -> bool {
        self.sink.is_some() && !self.disable_all_logging
    }

    pub(super) fn start(
        mut self,
        sdk: &ClientSdkInfo,
        settings: &EvaluationSettings,
        clock: &Arc<dyn Clock>,
        (runtime, process): (&BackgroundRuntime, &Arc<Process>),
    ) -> Result<Logging, Error> {
        let runtime = runtime.clone();
        self.options.sdk_type.clone_from(&sdk.sdk_type);
        let Some(sink) = self.sink.filter(|_| !self.disable_all_logging) else { return Ok(Logging::default()) };
        let (settings, clock) = (settings.clone(), Arc::clone(clock));
        #[cfg(feature = "spool")]
        if let Some((options, mode)) = self.spool {
            // Only options that are wrong in themselves are an error: a client does not depend on a disk.
            let spool =
                Spool::open_or_retry(options, Arc::new(OsFileSystem), Arc::new(SystemClock)).map_err(Error::Spool)?;
            let handle = runtime.handle();
            let logger = EventLogger::start_with_spool(self.options, settings, spool, mode, sink, clock, handle);
            return Ok(Logging::new(logger, runtime, Arc::clone(process)));
        }
        let logger = EventLogger::start(self.options, settings, sink, clock, runtime.handle());
        Ok(Logging::new(logger, runtime, Arc::clone(process)))
    }
}

impl StatsigBuilder {
    /// Where events go. Without one, nothing is logged.
    pub fn event_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.logging.sink = Some(sink);
        self
    }

    /// Events in a batch, and waiting events that make one be sent: 1 or more (default: 500).
    ///
    /// While more than twice as many events wait, a batch has up to 3,000 events within 4 MiB of JSON; a larger
    /// `event_queue_size` stays as it is.
    pub fn event_queue_size(mut self, events: usize) -> Self {
        self.spelling.in_code("event_queue_size", "event_queue_size");
        self.logging.options.pipeline.batch_events = events;
        self
    }

    /// Longest time that an event waits for its batch: 10 ms to a day, and at least a second where batches go to
    /// Statsig's own servers (default: 60 s).
    pub fn event_flush_interval(mut self, interval: Duration) -> Self {
        self.spelling.in_code("flush_interval_ms", "event_flush_interval");
        self.logging.options.pipeline.batch_interval = interval;
        self
    }

    /// Batches that are kept for another attempt while the destination does not take them: 1 or
    /// more (default: 10). Further events wait in the queue.
    pub fn retry_queue_size(mut self, batches: usize) -> Self {
        self.spelling.in_code("retry_queue_size", "retry_queue_size");
        self.logging.options.pipeline.retry_queue_size = batches;
        self
    }

    /// Events that wait while batches cannot be sent (default: 250,000), and the memory that they
    /// may take in bytes (default: 64 MiB); both 1 or more. Beyond, custom events are dropped before exposures, and
    /// all is counted.
    pub fn event_queue_bounds(mut self, events: usize, bytes: usize) -> Self {
        self.spelling.in_code("event_queue_max_events", "event_queue_bounds");
        self.spelling.in_code("event_queue_max_bytes", "event_queue_bounds");
        self.logging.options.pipeline.queue_events = events;
        self.logging.options.pipeline.queue_bytes = bytes;
        self
    }

    /// Bounds of the queue, where they are given.
    pub(crate) fn limit_queue(&mut self, events: Option<usize>, bytes: Option<usize>) {
        let pipeline = &mut self.logging.options.pipeline;
        pipeline.queue_events = events.unwrap_or(pipeline.queue_events);
        pipeline.queue_bytes = bytes.unwrap_or(pipeline.queue_bytes);
    }

    /// Events go to a file that `build` opens.
    pub(crate) fn events_to_file(mut self, path: PathBuf) -> Self {
        self.logging.events_file = Some(path);
        self
    }

    /// A spool in a folder, for whatever key there will be.
    #[cfg(feature = "spool")]
    pub(crate) fn spool_in(
        mut self,
        folder: PathBuf,
        max_bytes: Option<u64>,
        max_age: Option<Duration>,
        mode: SpoolMode,
    ) -> Self {
        self.logging.spool_folder = Some(SpoolFolder { folder, max_bytes, max_age, mode });
        self
    }

    /// Keeps events that cannot be delivered in a folder (default: in memory only). `build` opens
    /// it, which blocks on the disk.
    ///
    /// If the folder cannot be used, the client runs without it, which a warning and
    /// [`health`](crate::Statsig::health) say, and tries again once a minute. Options that contradict themselves or
    /// a limit are an error of `build`.
    #[cfg(feature = "spool")]
    pub fn event_spool(mut self, options: SpoolOptions, mode: SpoolMode) -> Self {
        self.logging.spool = Some((options, mode));
        self
    }

    /// Exposures that are remembered so that they are not logged twice a minute: 1 to 16,777,216 (default:
    /// 100,000; 16 bytes each).
    pub fn exposure_dedupe_max_keys(mut self, keys: usize) -> Self {
        self.spelling.in_code("exposure_dedupe_max_keys", "exposure_dedupe_max_keys");
        self.logging.options.exposure_dedupe_max_keys = keys;
        self
    }

    /// Whether lost events are reported to the vendor: how many, and why (default: no). Needs
    /// `sdk_key`.
    #[cfg(feature = "net")]
    pub fn report_errors_upstream(mut self, report: bool) -> Self {
        self.logging.report_errors_upstream = report;
        self
    }

    /// Reports lost events elsewhere (default: nobody is told but logs and the observer).
    pub fn error_reporter(mut self, reporter: Arc<dyn ErrorReporter>) -> Self {
        self.logging.options.error_reporter = Some(reporter);
        self
    }

    /// Calls back after every attempt to deliver a batch, on a background thread.
    pub fn events_flushed_callback(mut self, callback: impl Fn(&FlushedBatch) + Send + Sync + 'static) -> Self {
        let log = Arc::clone(self.subscriptions.log());
        let callback = move |batch: &FlushedBatch| log.watch("`events_flushed_callback`", || callback(batch));
        self.logging.options = self.logging.options.on_events_flushed(callback);
        self
    }

    /// Logs no event of any kind, and counts none (default: off).
    pub fn disable_all_logging(mut self, disable: bool) -> Self {
        self.logging.disable_all_logging = disable;
        self
    }
}
