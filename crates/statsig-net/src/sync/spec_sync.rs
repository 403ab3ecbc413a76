//! The calls of the synchronisation.

use std::sync::Arc;
use std::time::Duration;

use statsig_background::ForkGuard;
use statsig_core::{Clock, SpecTarget, SpecTrigger};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::acceptor::PayloadAcceptor;
use super::details::InitializeDetails;
use super::engine::Engine;
use super::health::SyncHealth;
use super::inherited::INHERITED;
use super::options::{SpecSources, SyncOptions};
use super::outcome::SyncReport;
use super::readiness::ReadyPolicy;
use crate::deadline;

/// Loads config specs into a target, and keeps them up to date in the background.
///
/// The target is the ruleset of a client ([`RulesetTarget`](crate::RulesetTarget)) or a feed of a proxy
/// ([`PayloadTarget`](crate::PayloadTarget)). Ends its tasks when [`shutdown`](Self::shutdown) or dropped. Nothing is
/// spawned before [`initialize`](Self::initialize).
///
/// Belongs to the process that set it up. In a forked child every call that would wait returns at once, and
/// nothing is fetched, written or closed: set up another one there.
///
/// ```
/// use std::sync::Arc;
/// use statsig_core::{FixedClock, Snapshot, SnapshotStore, SpecOrigin};
/// use statsig_net::sources::BootstrapSpecSource;
/// use statsig_net::{RulesetTarget, SpecSources, SpecSync, SyncOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = Arc::new(FixedClock(1_700_000_000_000));
/// let specs = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
/// let sources = SpecSources::new().then(Arc::new(BootstrapSpecSource::new(&specs[..], clock.clone())));
/// let target = RulesetTarget::new(Arc::clone(&store));
/// let runtime = tokio::runtime::Handle::current();
///
/// let sync = SpecSync::new(SyncOptions::default(), target, sources, clock, &runtime);
/// let details = sync.initialize().await;
/// assert!(details.is_config_spec_ready);
/// assert_eq!(details.source, SpecOrigin::Bootstrap);
/// assert_eq!(store.load().ruleset().meta().time, 5);
/// sync.shutdown(std::time::Duration::from_secs(3)).await;
/// # }
/// ```
pub struct SpecSync {
    engine: Arc<Engine>,
    process: ForkGuard,
}

impl std::fmt::Debug for SpecSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpecSync").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl SpecSync {
    /// Sets everything up. Spawns nothing.
    ///
    /// Accepted payloads go to `target`; `clock` dates them. Tasks run on `runtime`, with its timers.
    #[must_use]
    pub fn new(
        options: SyncOptions,
        target: Arc<dyn SpecTarget>,
        sources: SpecSources,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        Self {
            engine: Arc::new(Engine::new(options.sane(), target, sources, clock, runtime)),
            process: ForkGuard::new(),
        }
    }

    /// Loads specs for the first time, then keeps them up to date in the background.
    ///
    /// Returns when there are specs, or all sources have failed, or the `init_timeout` of the
    /// options is over; loading goes on in the last case. Never an error: the details contain it. Further
    /// calls wait for the first, and return the same.
    ///
    /// # Cancel safety
    /// Loading goes on.
    pub async fn initialize(&self) -> InitializeDetails {
        let engine = &self.engine;
        if self.process.is_inherited() {
            return engine.details_of_target().refused(INHERITED);
        }
        let begun = engine.begin();
        let mut initialized = engine.initialized.subscribe();
        let done = async {
            tokio::select! {
                biased;
                details = initialized.wait_for(Option::is_some) => details.ok().and_then(|details| details.clone()),
                () = engine.stopped() => None,
            }
        };
        let result = match engine.options.init_timeout {
            Some(limit) => timeout_at(deadline::after(begun, limit), done).await,
            None => Ok(done.await),
        };
        match result {
            Ok(Some(details)) => details,
            // The client is shut down, or its runtime ended: the details so far have to do.
            Ok(None) => engine.details(begun, false),
            Err(_) => engine.details(begun, true),
        }
    }

    /// Returns what [`initialize`](Self::initialize) returns, once the first load has ended; `None` before.
    #[must_use]
    pub fn details(&self) -> Option<InitializeDetails> {
        self.engine.initialized.borrow().clone()
    }

    /// Waits until there are specs that are good enough; `false` if the time is over or everything ends
    /// before. Begins nothing: that is [`initialize`](Self::initialize).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        if self.process.is_inherited() {
            return policy == ReadyPolicy::Any && self.engine.acceptor.has_specs();
        }
        self.engine.readiness.wait(policy, within).await
    }

    /// Fetches from the polled sources now, until one has something new.
    ///
    /// Waits for a poll that is under way. Begins at once: pauses, also those that a server asked for,
    /// do not count.
    ///
    /// # Cancel safety
    /// What was accepted before stays current.
    pub async fn sync_now(&self) -> SyncReport {
        if self.process.is_inherited() {
            return SyncReport::not_asked(INHERITED);
        }
        if self.engine.tasks.is_stopping() {
            return SyncReport::default();
        }
        self.engine.poller.cycle(SpecTrigger::Manual, true).await.0
    }

    /// Skips regular polls until [`resume_polling`](Self::resume_polling). Streams go on: when one
    /// announces a change, sources are polled all the same.
    pub fn pause_polling(&self) {
        self.engine.poller.set_paused(true);
    }

    /// Ends [`pause_polling`](Self::pause_polling).
    pub fn resume_polling(&self) {
        self.engine.poller.set_paused(false);
    }

    /// Returns the health as of now. Takes short locks that no evaluation takes.
    #[must_use]
    pub fn health(&self) -> SyncHealth {
        self.engine.health()
    }

    /// Returns the acceptor, for payloads that the application supplies.
    #[must_use]
    pub fn acceptor(&self) -> &PayloadAcceptor {
        &self.engine.acceptor
    }

    /// Follows the time of the current specs, in milliseconds since 1970; 0 while there are none.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.engine.acceptor.updates()
    }

    /// Ends all tasks within a time: gives what was accepted last a chance to be persisted, and cuts off what is
    /// left. Then closes sources and streams, and shuts data stores down, each once: also a store that is
    /// read, followed and written, or only one of these. A second call does nothing.
    pub async fn shutdown(&self, within: Duration) {
        self.shutdown_with(within, std::future::ready(())).await;
    }

    /// Does the same with others that use the data stores: they end at the same time, and until they have, as far
    /// as the time allows, nothing is closed.
    pub async fn shutdown_with(&self, within: Duration, others: impl Future<Output = ()>) {
        if !self.process.is_inherited() {
            self.engine.shutdown(within, others).await;
        }
    }
}

impl Drop for SpecSync {
    fn drop(&mut self) {
        if self.process.is_inherited() {
            // The parent's connections stay open, and locks that its threads held are left alone.
            return std::mem::forget(Arc::clone(&self.engine));
        }
        self.engine.tasks.abort();
    }
}
