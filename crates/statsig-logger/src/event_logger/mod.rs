//! Exposures and custom events of a client, from the call to the queue.
//!
//! ```text
//! check ──▶ seen a moment ago? ──▶ sampled? ──▶ shared detail + user + time ──▶ EventPipeline
//!             │ ExposureDedupe      │ ExposureSampler   (`exposure_detail`)
//!             └─ counted            └─ counted
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `exposures` | results of evaluations, and reads of layers |
//! | `exposure_detail` | what the exposures of many users have in common, written once |
//! | `custom_event` | the application's own events, and those of the logger |
//! | `logged_event` | what waits in the queue, and how it becomes JSON |
//! | `non_exposed` | counters of checks without exposure |
//! | `housekeeping` | the background task: counters, metrics, reports of losses |
//! | `measured` | how long attempts to deliver take |
//! | `flushed` | the callback for attempts to deliver |
//! | `own_process` | nothing is delivered by a forked child |
//!
//! No call here waits for anything or fails: what cannot be kept is counted
//! ([`EventLogger::stats`]).

mod compact_exposure;
mod custom_event;
mod exposure_detail;
mod exposures;
mod flushed;
mod housekeeping;
mod json;
mod logged_event;
mod measured;
mod non_exposed;
mod options;
mod own_process;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;
use statsig_background::GuardedObserver;
use statsig_core::{Clock, EvaluationSettings, EventSink, RulesetMeta, StatsigUser};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub use self::custom_event::{CustomEvent, EventValue, LogLineLevel};
use self::exposure_detail::ExposureDetails;
pub use self::exposures::{ExposureOrigin, LayerWatch};
pub use self::flushed::FlushedBatch;
use self::flushed::FlushedSink;
use self::housekeeping::Housekeeping;
use self::logged_event::{LoggedCustom, LoggedEvent, Surroundings};
use self::measured::MeasuredSink;
use self::non_exposed::NonExposedChecks;
pub use self::options::EventLoggerOptions;
use self::own_process::OwnProcessSink;
use crate::dedupe::ExposureDedupe;
use crate::delivery_health::DeliveryHealth;
use crate::lanes::LaneCounter;
use crate::ledger::{EventStats, FlushReport};
use crate::pipeline::{EventPipeline, PipelineOptions, PipelineTuning};
use crate::sampling::{ExposureSampler, SamplingMode};

/// How long an exposure counts as logged, unless the project says otherwise.
const DEDUPE_WINDOW: Duration = Duration::from_secs(60);
/// Most events that a project's settings may ask for in a batch.
const MOST_BATCH: usize = 10_000;
/// Most names that are remembered as warned about.
const MOST_WARNED: usize = 1_000;

/// Logs the exposures and custom events of one client.
///
/// All calls are made on application threads, and neither wait nor fail. An exposure costs
/// nanoseconds; a custom event is written as JSON at once, all but its user. Exposures that were logged a moment ago are left out (`docs/protocol/events.md#deduplication`), others are
/// sampled as the project asks (`…#sampling`), and everything else goes through an
/// [`EventPipeline`].
///
/// Dropping it without [`shutdown`](Self::shutdown) gives up what is pending, or leaves it to the
/// spool.
///
/// Belongs to the process that started it: in a forked child nothing is delivered, and a call may wait for
/// ever. Start another one there, and let go of this one with [`std::mem::forget`].
pub struct EventLogger {
    clock: Arc<dyn Clock>,
    dedupe: ExposureDedupe,
    sampler: ExposureSampler,
    details: ExposureDetails,
    surroundings: ArcSwap<Surroundings>,
    non_exposed: NonExposedChecks,
    deduplicated: LaneCounter,
    sampled_out: LaneCounter,
    warned: Mutex<HashSet<String>>,
    sdk_type: String,
    pipeline: EventPipeline<LoggedEvent>,
    housekeeping: Housekeeping,
}

impl fmt::Debug for EventLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLogger").field("stats", &self.stats()).field("exposures", &self.exposure_counts()).finish()
    }
}

/// What became of exposures that were not logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExposureCounts {
    /// They were logged a moment before.
    pub deduplicated: u64,
    /// The project's sampling did not choose them.
    pub sampled_out: u64,
    /// Checks without exposure that were not counted, because there were too many names.
    pub uncounted_checks: u64,
}

impl EventLogger {
    /// Starts the background tasks on a runtime.
    ///
    /// `settings` are those of the client's evaluations: events carry its environment and global
    /// custom fields. The clock dates events.
    #[must_use]
    pub fn start(
        options: EventLoggerOptions,
        settings: EvaluationSettings,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Arc<Self> {
        Self::launch(options, settings, sink, clock, runtime, EventPipeline::start)
    }

    /// Starts the background tasks with a spool, which keeps events across outages, restarts and, by
    /// the mode, crashes. See [`EventPipeline::start_with_spool`].
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn start_with_spool(
        options: EventLoggerOptions,
        settings: EvaluationSettings,
        spool: crate::spool::Spool,
        mode: crate::pipeline::SpoolMode,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Arc<Self> {
        Self::launch(options, settings, sink, clock, runtime, |options, sink, clock, runtime| {
            EventPipeline::start_with_spool(options, spool, mode, sink, clock, runtime)
        })
    }

    fn launch(
        options: EventLoggerOptions,
        settings: EvaluationSettings,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
        start: impl FnOnce(PipelineOptions, Arc<dyn EventSink>, Arc<dyn Clock>, &Handle) -> EventPipeline<LoggedEvent>,
    ) -> Arc<Self> {
        let pipeline = options.pipeline.sane();
        let sink: Arc<dyn EventSink> = Arc::new(OwnProcessSink::new(sink));
        let observer = GuardedObserver::new(options.observer);
        let sink: Arc<dyn EventSink> = match observer.is_enabled() {
            true => Arc::new(MeasuredSink { inner: sink, observer: observer.clone() }),
            false => sink,
        };
        let sink = match options.events_flushed {
            Some(callback) => Arc::new(FlushedSink::new(sink, callback)),
            None => sink,
        };
        let sampler = ExposureSampler::new();
        sampler.set_production(settings.environment_tier().is_none_or(|tier| tier.eq_ignore_ascii_case("production")));
        let housekeeping = Housekeeping::new(observer, options.error_reporter, &pipeline);
        let surroundings = Surroundings::new(Arc::new(settings), None);
        let logger = Arc::new(Self {
            dedupe: ExposureDedupe::new(options.exposure_dedupe_max_keys.max(1), DEDUPE_WINDOW),
            sampler,
            details: ExposureDetails::new(),
            surroundings: ArcSwap::from_pointee(surroundings),
            non_exposed: NonExposedChecks::default(),
            deduplicated: LaneCounter::default(),
            sampled_out: LaneCounter::default(),
            warned: Mutex::default(),
            sdk_type: options.sdk_type,
            pipeline: start(pipeline, sink, Arc::clone(&clock), runtime),
            housekeeping,
            clock,
        });
        housekeeping::spawn(&logger, runtime);
        logger
    }

    /// Takes over what a project's specs say about logging: sampling, windows, batches, the default
    /// environment. Settings that the document leaves out, or that are of the wrong type, stay as
    /// they are; only the default environment goes with the document that had it. Call it whenever
    /// the specs change, one call at a time.
    pub fn apply_project_settings(&self, meta: &RulesetMeta) {
        let number = |name: &str| meta.sdk_configs.get(name).and_then(Value::as_f64).filter(|n| *n >= 0.0);
        // Truncated, as the protocol has it; too large is as good as endless.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = |name: &str| number(name).map(|number| number as u64);
        if let Some(mode) = meta.sdk_configs.get("sampling_mode").and_then(Value::as_str) {
            self.sampler.set_mode(SamplingMode::from_name(mode));
        }
        if let Some(rate) = whole("special_case_sampling_rate") {
            self.sampler.set_special_rate(Some(rate));
        }
        if let Some(window) = whole("exposure_spec_sampling_ttl_ms") {
            self.sampler.set_first_time_window(Duration::from_millis(window));
        }
        if let Some(window) = whole("exposure_dedupe_ttl_ms") {
            self.dedupe.set_window(Duration::from_millis(window));
        }
        let positive = |name: &str| whole(name).filter(|number| *number > 0);
        let events = positive("event_queue_size").map(|events| usize::try_from(events).unwrap_or(usize::MAX));
        let tuning = PipelineTuning {
            batch_events: events.map(|events| events.min(MOST_BATCH)),
            batch_interval: positive("event_logging_interval_seconds").map(Duration::from_secs),
            compress: meta.sdk_flags.get("stop_log_event_compression").map(|stop| !stop),
        };
        self.pipeline.tune(tuning);
        let current = self.surroundings.load();
        if current.default_environment != meta.default_environment {
            let (settings, environment) = (Arc::clone(&current.settings), meta.default_environment.clone());
            self.surroundings.store(Arc::new(Surroundings::new(settings, environment)));
        }
    }

    /// Logs an event of the application's.
    pub fn log_event(&self, user: &StatsigUser, event: &CustomEvent) {
        if !event.has_sound_name() {
            self.warn_of_name(event.name());
        }
        self.push_custom(Some(user), event);
    }

    /// Logs that a user exists, and what is known of it.
    pub fn identify(&self, user: &StatsigUser) {
        self.push_custom(Some(user), &CustomEvent::identify());
    }

    /// Forwards a line of the application's own log as an event.
    pub fn forward_log_line(
        &self,
        user: &StatsigUser,
        level: LogLineLevel,
        message: impl Into<String>,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) {
        self.push_custom(Some(user), &CustomEvent::log_line(level, message.into(), metadata, &self.sdk_type));
    }

    /// Counts a check without exposure.
    pub fn not_exposed(&self, name: &str) {
        self.non_exposed.count(name);
    }

    /// Delivers everything that was logged before this call, and returns when each event of it is
    /// delivered or finally given up, or when the time is up. See [`EventPipeline::flush`].
    ///
    /// # Cancel safety
    /// The events are sent all the same.
    pub async fn flush(&self, within: Duration) -> FlushReport {
        self.push_counters();
        self.pipeline.flush(within).await
    }

    /// Accepts no further events, delivers what is pending within a time, gives up the rest, and
    /// closes the sink. See [`EventPipeline::shutdown`]. Metrics and reports end with it: what is
    /// logged later is only counted.
    ///
    /// # Cancel safety
    /// The shutdown goes on, but its last metrics and reports are not made.
    pub async fn shutdown(&self, within: Duration) -> FlushReport {
        self.push_counters();
        let begin = Instant::now();
        let report = self.pipeline.shutdown(within).await;
        self.housekeeping.end();
        housekeeping::last_turn(self, within.saturating_sub(begin.elapsed())).await;
        report
    }

    /// Where every event is that was ever accepted.
    #[must_use]
    pub fn stats(&self) -> EventStats {
        EventStats {
            housekeeping_restarts: self.housekeeping.restarts(),
            last_housekeeping: self.housekeeping.last_turn(),
            ..self.pipeline.stats()
        }
    }

    /// Returns the last failure of a delivery and the time of the next attempt.
    #[must_use]
    pub fn delivery_health(&self) -> DeliveryHealth {
        self.pipeline.delivery_health()
    }

    /// Returns the health of the spool; `None` without one. Never waits for the disk.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn spool_health(&self) -> Option<crate::SpoolHealth> {
        self.pipeline.spool_health()
    }

    /// What became of exposures that were not logged.
    #[must_use]
    pub fn exposure_counts(&self) -> ExposureCounts {
        ExposureCounts {
            deduplicated: self.deduplicated.sum(),
            sampled_out: self.sampled_out.sum(),
            uncounted_checks: self.non_exposed.uncounted(),
        }
    }

    fn push_counters(&self) {
        if let Some(counts) = self.non_exposed.take() {
            self.push_custom(None, &CustomEvent::non_exposed_checks(counts));
        }
    }

    fn push_custom(&self, user: Option<&StatsigUser>, event: &CustomEvent) {
        self.pipeline.log(LoggedEvent::Custom(Box::new(LoggedCustom {
            head: event.head(),
            user: user.cloned(),
            surroundings: self.surroundings.load_full(),
            time_ms: self.clock.now_ms(),
        })));
    }

    fn warn_of_name(&self, name: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < MOST_WARNED && !warned.contains(name) {
            warned.insert(name.to_owned());
            tracing::warn!(
                event = name,
                r"Statsig's servers drop events whose name contains any of \ [ ] {{ }} < > # = ; & $ % |, NUL or a line break"
            );
        }
    }
}
