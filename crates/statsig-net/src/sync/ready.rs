//! Waiting for specs that are good enough.

use std::time::Duration;

use statsig_core::SpecSourceKind;
use tokio::time::{Instant, timeout};

use super::Inner;
use crate::sources::LastKnownGood;

/// Which specs are good enough to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadyPolicy {
    /// Any, from wherever, however old.
    Any,
    /// Those that the network has brought or confirmed since the client was initialized. For a client
    /// that has no source or stream on the network: any other source.
    Fresh,
    /// Those whose [`data_age`](super::SyncHealth::data_age) is this at most.
    MaxAge(Duration),
}

impl Inner {
    /// Whether somebody could know better than stores and files.
    fn has_network(&self) -> bool {
        let is_network =
            |source: &std::sync::Arc<dyn statsig_core::SpecSource>| source.kind() == SpecSourceKind::Network;
        !self.options.local_mode
            && (self.books.may_stream_from_network() || self.sources.every().iter().any(is_network))
    }

    /// When the specs in force were last brought or confirmed by somebody who should know.
    fn confirmed_at(&self) -> Option<Instant> {
        let network = self.books.network_contact();
        if network.is_some() || self.has_network() { network } else { self.books.contact() }
    }

    /// How long ago the specs in force were known to be the latest; `None` if there are none, or it is
    /// not known.
    pub(super) fn data_age(&self) -> Option<Duration> {
        if !self.store.holds_specs() {
            return None;
        }
        if let Some(at) = self.confirmed_at() {
            return Some(at.elapsed());
        }
        let snapshot = self.store.load_full();
        // The last run's copy keeps when it was received; a document of the application's does not.
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        LastKnownGood::is_source(snapshot.source())
            .then(|| Duration::from_millis(now.saturating_sub(snapshot.received_at_ms())))
    }

    fn is_ready(&self, policy: ReadyPolicy) -> bool {
        self.store.holds_specs()
            && match policy {
                ReadyPolicy::Any => true,
                ReadyPolicy::Fresh => self.confirmed_at().is_some(),
                ReadyPolicy::MaxAge(most) => self.data_age().is_some_and(|age| age <= most),
            }
    }

    /// Waits until the specs in force are good enough; `false` if the time is up or everything ends.
    pub(super) async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        if within.is_zero() {
            return self.is_ready(policy);
        }
        // Both are subscribed to before looking, so that nothing is missed in between.
        let mut updates = self.acceptor.updates();
        let mut contacts = self.books.contacts();
        let wait = async {
            loop {
                if self.is_ready(policy) {
                    return true;
                }
                tokio::select! {
                    biased;
                    () = self.ended() => return self.is_ready(policy),
                    Ok(()) = updates.changed() => {}
                    Ok(()) = contacts.changed() => {}
                }
            }
        };
        timeout(within, wait).await.unwrap_or_else(|_| self.is_ready(policy))
    }
}
