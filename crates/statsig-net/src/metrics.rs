//! What an observer hears: the names and tags of `docs/protocol/network.md#metrics`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use statsig_background::GuardedObserver;
use statsig_core::{Observer, Reach, SpecOrigin};

use crate::error::Error;

/// Tells an observer, if there is one. One that panics loses that measurement and nothing else.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    observer: GuardedObserver,
}

/// The trigger of what a stream brings.
pub(crate) const STREAM: &str = "stream";

/// A source or stream, as metrics name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SyncLabels<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Origin that evaluations report for specs from it.
    pub(crate) origin: &'a SpecOrigin,
    /// Its distance from Statsig's servers.
    pub(crate) reach: Reach,
    /// Reason for the fetch; [`STREAM`] for a stream.
    pub(crate) trigger: &'static str,
}

/// Outcome of the first load.
#[derive(Debug)]
pub(crate) struct InitializationReport<'a> {
    pub(crate) is_success: bool,
    pub(crate) has_specs: bool,
    pub(crate) timed_out: bool,
    pub(crate) origin: &'a SpecOrigin,
    /// Address or place that the specs came from.
    pub(crate) address: Option<&'a str>,
    pub(crate) duration: Duration,
}

impl Metrics {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self { observer: GuardedObserver::new(observer) }
    }

    /// Returns the observer.
    pub(crate) fn observer(&self) -> GuardedObserver {
        self.observer.clone()
    }

    /// Something is wrong, and has been logged.
    pub(crate) fn error(&self, tag: &str, message: &str) {
        self.observer.error(tag, message);
    }

    /// The first load has ended, or its time was over.
    pub(crate) fn initialization(&self, report: &InitializationReport<'_>) {
        let tags = [
            ("init_success", flag(report.is_success)),
            ("store_populated", flag(report.has_specs)),
            ("timed_out", flag(report.timed_out)),
            ("source", &*report.origin.to_string()),
            ("init_source_api", report.address.unwrap_or_default()),
        ];
        self.observer.duration("initialization", report.duration, &tags);
    }

    /// Specs took the place of others, so long after the project was changed.
    pub(crate) fn propagation(&self, age: Duration, source: &SpecOrigin, source_api: Option<&str>) {
        let tags = [("source", &*source.to_string()), ("source_api", source_api.unwrap_or_default())];
        self.observer.duration("config_propagation_diff", age, &tags);
    }

    /// A source answered, or failed to; a stream brought something, or broke.
    ///
    /// `outcome` is `applied`, `unchanged`, `older` or `failed`, `error` the kind of the failure, and
    /// `duration` the time from the question to specs in force.
    pub(crate) fn sync(&self, labels: SyncLabels<'_>, outcome: &str, error: &str, duration: Option<Duration>) {
        let source = labels.origin.to_string();
        let tags = [
            ("source", &*source),
            ("name", labels.name),
            ("trigger", labels.trigger),
            ("outcome", outcome),
            ("error", error),
        ];
        self.observer.increment("config_sync_count", 1, &tags);
        if let Some(duration) = duration {
            self.observer.duration("config_sync_overall.latency", duration, &tags);
        }
        if outcome == "unchanged" {
            self.observer.increment("config_no_update", 1, &[("source", &source), ("name", labels.name)]);
        }
    }

    /// An HTTP exchange for specs or ID lists has ended.
    pub(crate) fn request(&self, path: &str, host: &str, sent: Result<StatusCode, &Error>, duration: Duration) {
        let status = match sent {
            Ok(status) => status.as_u16().to_string(),
            Err(Error::Status { status, .. }) => status.to_string(),
            Err(_) => "none".to_owned(),
        };
        let tags = [
            ("request_path", path),
            ("source_service", host),
            ("status_code", &status),
            ("is_success", flag(sent.is_ok())),
        ];
        self.observer.duration("network_request.latency", duration, &tags);
    }

    /// A stream told something.
    pub(crate) fn stream_message(&self, stream: &str) {
        self.observer.increment("stream_received_message", 1, &[("stream", stream)]);
    }

    /// A stream works again.
    pub(crate) fn stream_reconnected(&self, stream: &str) {
        self.observer.increment("stream_reconnected", 1, &[("stream", stream)]);
    }

    /// A stream broke, or did not come about, for the so-many-th time in a row.
    pub(crate) fn stream_failed(&self, stream: &str, failures: u32) {
        let tags = [("stream", stream)];
        self.observer.distribution("stream_failed_with_retry_ct", failures.into(), &tags);
    }

    /// Polling takes over from a stream.
    pub(crate) fn stream_failed_over(&self, stream: &str) {
        self.observer.increment("stream_failover", 1, &[("stream", stream)]);
    }

    /// Code of ours or of the application's panicked, and was caught.
    pub(crate) fn panicked(&self, tag: &str) {
        self.observer.increment("sdk_exceptions_count", 1, &[("tag", tag), ("exception", "panic")]);
    }

    /// A document was left in the data store or on disk, or could not be.
    pub(crate) fn kept(&self, place: &str, success: bool) {
        self.observer.increment("config_kept_count", 1, &[("place", place), ("success", flag(success))]);
    }

    /// A round of ID lists has ended.
    pub(crate) fn id_lists(&self, round: &IdListRound<'_>) {
        let manifest = round.manifest_error.is_none();
        let tags =
            [("id_list_manifest_success", flag(manifest)), ("lists_success", flag(manifest && round.failed == 0))];
        self.observer.duration("id_lists_sync_overall.latency", round.duration, &tags);
        match round.manifest_error {
            None => self.observer.increment("id_list_manifest_download_success", 1, &[]),
            Some(_) => self.observer.increment("id_list_manifest_download_failure", 1, &[]),
        }
        for (name, lists) in [("id_lists_changed_count", round.changed), ("id_lists_failed_count", round.failed)] {
            if lists > 0 {
                self.observer.increment(name, lists as u64, &[]);
            }
        }
        self.observer.gauge("id_list_count", round.lists as u64, &[]);
        self.observer.gauge("id_list_ids", round.ids as u64, &[]);
        self.observer.gauge("id_list_bytes", round.bytes as u64, &[]);
    }
}

/// What a round of ID lists came to.
#[derive(Debug)]
pub(crate) struct IdListRound<'a> {
    pub(crate) duration: Duration,
    pub(crate) manifest_error: Option<&'a str>,
    pub(crate) changed: usize,
    pub(crate) failed: usize,
    /// Lists, IDs in them, and the memory that they take.
    pub(crate) lists: usize,
    pub(crate) ids: usize,
    pub(crate) bytes: usize,
}

fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
