//! Health of a client: what works, what failed last, and what happens next.

use std::time::Duration;

#[cfg(feature = "logger")]
use statsig_logger::{DeliveryHealth, EventStats};
#[cfg(feature = "spool")]
use statsig_logger::{SpoolHealth, SpoolState};
#[cfg(feature = "net")]
use statsig_net::{SourceHealth, StreamHealth, StreamState, SyncHealth, id_lists::IdListHealth};

use super::Statsig;
use crate::callbacks::CallbackHealth;
use crate::error::shorten;
#[cfg(feature = "net")]
use crate::networking::Networking;

/// Most bytes of an error in a [`PartHealth`].
const MOST_BYTES: usize = 200;

/// Health of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the client is a [forked child's](Statsig::is_inherited), where it only answers from what it
    /// had. Nothing else can be told then: `specs` and `id_lists` are `None`, `events` are zero.
    pub inherited: bool,
    /// Specs: their source, their age, what failed. `None` for a client that only has a bootstrap
    /// document.
    #[cfg(feature = "net")]
    pub specs: Option<SyncHealth>,
    /// ID lists: the last round, what failed. `None` before the first and without ID lists.
    #[cfg(feature = "net")]
    pub id_lists: Option<IdListHealth>,
    /// Events: their accounts, the last delivery, restarts.
    #[cfg(feature = "logger")]
    pub events: EventStats,
    /// Delivery of events: the last failure and the next attempt.
    #[cfg(feature = "logger")]
    pub event_delivery: DeliveryHealth,
    /// Spool of events: whether it takes batches, the last error, and when it is tried again. `None` without one.
    #[cfg(feature = "spool")]
    pub spool: Option<SpoolHealth>,
    /// Callbacks and the observer of the application.
    pub callbacks: CallbackHealth,
}

/// Health of one part of a client that works in the background; the same form for every part.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartHealth {
    /// The part: `specs source NAME`, `specs stream NAME`, `last-known-good`, `data-store` (what is written there),
    /// `id-lists`, `events` (their delivery), `spool`, `callbacks`.
    pub part: String,
    /// The last failure: at most 200 bytes, without secrets and user data. `None` if there was none, and once the part
    /// works again.
    pub last_error: Option<String>,
    /// Time since the last failure; `None` if there was none. It stays when the part works again.
    pub last_failure: Option<Duration>,
    /// Failures in a row.
    pub failures: u64,
    /// What happens next, such as `next attempt in 12 s`; `None` if nothing is to be done.
    pub next: Option<String>,
}

impl PartHealth {
    fn new(
        part: impl Into<String>,
        last_error: Option<String>,
        last_failure: Option<Duration>,
        failures: impl Into<u64>,
        next: Option<String>,
    ) -> Self {
        let last_error = last_error.map(|mut error| {
            shorten(&mut error, MOST_BYTES - '…'.len_utf8());
            error
        });
        Self { part: part.into(), last_error, last_failure, failures: failures.into(), next }
    }

    /// Whether the last thing that the part did has failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.last_error.is_some()
    }
}

impl Health {
    /// Returns the health of every part that works in the background, failing or not, each in the same form.
    ///
    /// A source or a place appears once it was asked or written to.
    #[must_use]
    pub fn parts(&self) -> Vec<PartHealth> {
        let mut parts = Vec::new();
        #[cfg(feature = "net")]
        {
            if let Some(specs) = &self.specs {
                parts.extend(
                    specs
                        .sources
                        .iter()
                        .filter(|source| !is_stream(source, specs))
                        .map(|source| source_part(source, specs)),
                );
                parts.extend(specs.streams.iter().map(stream_part));
                parts.extend(specs.persistence.iter().map(|place| {
                    let next = match (&place.last_error, place.next_attempt) {
                        (None, _) => None,
                        (Some(_), Some(pause)) => Some(in_words("next attempt", pause)),
                        (Some(_), None) => Some("next attempt with the next config specs".to_owned()),
                    };
                    PartHealth::new(place.name, place.last_error.clone(), place.last_failure, place.failures, next)
                }));
            }
            parts.extend(self.id_lists.as_ref().map(id_lists_part));
        }
        #[cfg(feature = "logger")]
        {
            let delivery = &self.event_delivery;
            let next = delivery.next_attempt.map(|pause| in_words("next attempt", pause));
            let (error, failure) = (delivery.last_error.clone(), delivery.last_failure);
            parts.push(PartHealth::new("events", error, failure, delivery.failures, next));
        }
        #[cfg(feature = "spool")]
        parts.extend(self.spool.as_ref().map(spool_part));
        let callbacks = &self.callbacks;
        if callbacks.panics > 0 {
            let next = Some("calls go on".to_owned());
            let (error, failure) = (callbacks.last_error.clone(), callbacks.last_failure);
            parts.push(PartHealth::new("callbacks", error, failure, callbacks.panics, next));
        }
        parts
    }
}

/// Whether an entry is that of a stream, which has a part of its own.
#[cfg(feature = "net")]
fn is_stream(source: &SourceHealth, specs: &SyncHealth) -> bool {
    specs.streams.iter().any(|stream| stream.name == source.name)
}

#[cfg(feature = "net")]
fn source_part(source: &SourceHealth, specs: &SyncHealth) -> PartHealth {
    let next = match (source.asking_for, specs.next_poll) {
        (Some(waiting), _) => Some(format!("waiting for an answer for {}", span(waiting))),
        (None, Some(pause)) => Some(in_words("next poll", pause)),
        (None, None) => None,
    };
    let part = format!("specs source {}", source.name);
    let behind = source.older_for.filter(|_| source.is_behind);
    let behind = behind.map(|age| format!("only config specs older than the current ones for {}", span(age)));
    PartHealth::new(part, source.last_error.clone().or(behind), source.last_failure, source.failures, next)
}

#[cfg(feature = "net")]
fn stream_part(stream: &StreamHealth) -> PartHealth {
    let next = match (stream.state, stream.next_attempt) {
        (_, Some(pause)) => Some(in_words("next attempt", pause)),
        (StreamState::Connecting, None) => Some("connecting".to_owned()),
        (StreamState::Off, None) => Some("polls only".to_owned()),
        _ => None,
    };
    let part = format!("specs stream {}", stream.name);
    PartHealth::new(part, stream.last_error.clone(), stream.last_failure, stream.failures, next)
}

#[cfg(feature = "net")]
fn id_lists_part(lists: &IdListHealth) -> PartHealth {
    let next = lists.next_round.map(|pause| in_words("next round", pause));
    PartHealth::new("id-lists", lists.error.clone(), lists.last_failure, lists.failures, next)
}

#[cfg(feature = "spool")]
fn spool_part(spool: &SpoolHealth) -> PartHealth {
    let is_failing = matches!(spool.state, SpoolState::Unavailable | SpoolState::Hanging);
    let next = match (spool.state, spool.next_retry) {
        (SpoolState::Hanging, _) => Some("used again once it answers".to_owned()),
        (_, pause) => pause.map(|pause| in_words("next attempt", pause)),
    };
    let error = spool.last_error.clone().filter(|_| is_failing);
    PartHealth::new("spool", error, spool.last_error_ago, u64::from(is_failing), next)
}

/// What happens after a pause.
#[cfg(any(feature = "net", feature = "logger"))]
fn in_words(what: &str, pause: Duration) -> String {
    if pause.is_zero() { format!("{what} now") } else { format!("{what} in {}", span(pause)) }
}

/// A duration as people write it.
#[cfg(any(feature = "net", feature = "logger"))]
fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

impl Statsig {
    /// Returns the client's health: age of the data, failures, what became of events. Cheap enough for a
    /// health check that is made every second. [`Health::parts`] has the same form for every part.
    #[must_use]
    pub fn health(&self) -> Health {
        let inherited = self.is_inherited();
        #[cfg(feature = "net")]
        let (specs, id_lists) = match self.networking().map(Networking::health) {
            Some((specs, id_lists)) => (Some(specs), id_lists),
            None => (None, None),
        };
        Health {
            inherited,
            #[cfg(feature = "net")]
            specs,
            #[cfg(feature = "net")]
            id_lists,
            #[cfg(feature = "logger")]
            events: self.event_stats(),
            #[cfg(feature = "logger")]
            event_delivery: self.event_delivery(),
            #[cfg(feature = "spool")]
            spool: self.inner.logging.logger().and_then(|logger| logger.spool_health()),
            callbacks: if inherited { CallbackHealth::default() } else { self.inner.subscriptions.log().health() },
        }
    }
}

#[cfg(all(test, feature = "net"))]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_do() {
        for (ms, text) in [(0, "0 ms"), (350, "350 ms"), (12_400, "12 s"), (119_999, "119 s"), (300_000, "5 min")] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
        assert_eq!(in_words("next poll", Duration::ZERO), "next poll now");
    }

    #[test]
    fn errors_are_bounded() {
        let part = PartHealth::new("p", Some("é".repeat(1_000)), None, 1_u64, None);
        assert!(part.is_failing() && part.last_error.is_some_and(|error| error.len() <= MOST_BYTES));
    }
}
