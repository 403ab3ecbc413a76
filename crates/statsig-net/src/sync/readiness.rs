//! Waits for specs that are good enough.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::StopSignal;
use statsig_core::Clock;
use tokio::time::{Instant, timeout};

use super::acceptor::PayloadAcceptor;
use super::stats::SyncStats;
use super::stream_health::StreamStates;

/// Specs that are good enough to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadyPolicy {
    /// Any, of whatever origin and age.
    Any,
    /// Those that an upstream source has brought or confirmed since the client was initialized. For a client
    /// without upstream sources and streams: any other source.
    Fresh,
    /// Those whose [`data_age`](crate::SyncHealth::data_age) is this at most.
    MaxAge(Duration),
}

/// Age of the current specs, and waiting for it.
pub(super) struct Readiness {
    pub(super) acceptor: PayloadAcceptor,
    pub(super) stats: Arc<SyncStats>,
    pub(super) streams: Arc<StreamStates>,
    /// Whether there is an upstream source that may be used.
    pub(super) has_upstream_source: bool,
    /// Whether upstream sources are left out.
    pub(super) is_offline: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: StopSignal,
}

impl Readiness {
    /// Returns when the current specs were last brought or confirmed by a source that could know better.
    fn confirmed_at(&self) -> Option<Instant> {
        let contact = self.stats.last_upstream_contact();
        let has_upstream = !self.is_offline && (self.streams.may_reach_upstream() || self.has_upstream_source);
        if contact.is_some() || has_upstream { contact } else { self.stats.last_contact() }
    }

    /// Returns the time since the current specs were known to be the latest; `None` if there are none, or it is
    /// not known.
    pub(super) fn data_age(&self) -> Option<Duration> {
        if !self.acceptor.has_specs() {
            return None;
        }
        if let Some(at) = self.confirmed_at() {
            return Some(at.elapsed());
        }
        // The client's own copy keeps its time of reception; a bootstrap payload has none.
        let now = self.clock.unix_ms();
        let received_at_ms = self.acceptor.specs().received_at_ms;
        self.acceptor.is_own_copy().then(|| Duration::from_millis(now.saturating_sub(received_at_ms)))
    }

    fn is_ready(&self, policy: ReadyPolicy) -> bool {
        self.acceptor.has_specs()
            && match policy {
                ReadyPolicy::Any => true,
                ReadyPolicy::Fresh => self.confirmed_at().is_some(),
                ReadyPolicy::MaxAge(most) => self.data_age().is_some_and(|age| age <= most),
            }
    }

    /// Waits until the current specs are good enough; returns `false` at the end of the time or of everything.
    pub(super) async fn wait(&self, policy: ReadyPolicy, within: Duration) -> bool {
        if within.is_zero() {
            return self.is_ready(policy);
        }
        // Both are subscribed to before looking, so that nothing is missed in between.
        let mut updates = self.acceptor.updates();
        let mut contacts = self.stats.contacts();
        let wait = async {
            loop {
                if self.is_ready(policy) {
                    return true;
                }
                tokio::select! {
                    biased;
                    () = self.stop.stopped() => return self.is_ready(policy),
                    Ok(()) = updates.changed() => {}
                    Ok(()) = contacts.changed() => {}
                }
            }
        };
        timeout(within, wait).await.unwrap_or_else(|_| self.is_ready(policy))
    }
}
