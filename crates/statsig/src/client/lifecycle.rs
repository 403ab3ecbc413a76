//! Beginning and end, and how it goes in between.

use std::time::Duration;

#[cfg(feature = "spool")]
use statsig_logger::SpoolHealth;
#[cfg(feature = "logger")]
use statsig_logger::{EventStats, FlushReport};
#[cfg(feature = "net")]
use statsig_net::{InitializeDetails, ReadyPolicy, SyncHealth, SyncReport, id_lists::IdListHealth};

use super::Statsig;
use crate::runtime::{A_YEAR, BackgroundRuntime};
#[cfg(feature = "net")]
use crate::{networking::Networking, process::INHERITED};

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// What became of the events that were pending.
    #[cfg(feature = "logger")]
    pub events: FlushReport,
}

/// How a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the client is a [forked child's](Statsig::is_inherited), where it only answers from what it
    /// had. Nothing else can be told then: `specs` and `id_lists` are `None`, `events` are zero.
    pub inherited: bool,
    /// Specs: where from, how old, what failed. `None` for a client that only has a bootstrap
    /// document.
    #[cfg(feature = "net")]
    pub specs: Option<SyncHealth>,
    /// ID lists: the last round, what failed. `None` before the first and without ID lists.
    #[cfg(feature = "net")]
    pub id_lists: Option<IdListHealth>,
    /// Events: their accounts, the last delivery, restarts.
    #[cfg(feature = "logger")]
    pub events: EventStats,
    /// Spool of events: whether it takes batches, the last error, and when it is tried again. `None` without one.
    #[cfg(feature = "spool")]
    pub spool: Option<SpoolHealth>,
}

/// How much longer than a call's own limit a thread waits for it: as long as a disk that hangs may
/// take at the end, and a little more.
const GRACE: Duration = Duration::from_secs(3);

impl Statsig {
    /// The client's runtime, if it is driven in this process.
    fn runtime(&self) -> Option<&BackgroundRuntime> {
        self.inner.background.runtime.as_ref().filter(|_| !self.is_inherited())
    }

    /// Runs `work` on the client's runtime, whatever drives the caller; `None` if it has none or the
    /// runtime has ended, or is the parent's of this process.
    pub(super) async fn in_background<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> F,
    ) -> Option<R> {
        let runtime = self.runtime()?;
        runtime.handle().spawn(work(self.clone())).await.ok()
    }

    /// Like `in_background`, for work that ends when nobody waits for it any more.
    #[cfg(feature = "net")]
    async fn while_wanted<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> F,
    ) -> Option<R> {
        struct Wanted<R>(tokio::task::JoinHandle<R>);
        impl<R> Drop for Wanted<R> {
            fn drop(&mut self) {
                self.0.abort();
            }
        }
        let runtime = self.runtime()?;
        let mut task = Wanted(runtime.handle().spawn(work(self.clone())));
        (&mut task.0).await.ok()
    }

    /// The same for a thread without a runtime; `None` also if it takes longer than `within`.
    pub(super) fn blocking<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
        &self,
        within: Option<Duration>,
        work: impl FnOnce(Self) -> F,
    ) -> Option<R> {
        let runtime = self.runtime()?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let work = work(self.clone());
        runtime.handle().spawn(async move { sender.send(work.await) });
        match within {
            // A little longer than the work's own limit, in case that nothing drives the runtime.
            Some(within) => receiver.recv_timeout(within.saturating_add(GRACE)).ok(),
            None => receiver.recv().ok(),
        }
    }

    /// Ends the background work within a time: delivers pending events and gives up the rest, stops
    /// polling.
    ///
    /// Checks go on answering from memory, and log nothing any more. A second call waits for the
    /// first, and tells the same. In a [forked child](Self::is_inherited) there is nothing to end: returns at
    /// once, and leaves to the parent what is the parent's.
    ///
    /// # Cancel safety
    /// The shutdown goes on.
    pub async fn shutdown(&self, within: Duration) -> ShutdownReport {
        self.in_background(move |client| async move { client.end(within).await }).await.unwrap_or_else(|| self.undone())
    }

    /// Like [`shutdown`](Self::shutdown), for threads without a runtime. Blocks the thread.
    ///
    /// Do not call it on a thread that drives the runtime which the client uses.
    pub fn shutdown_blocking(&self, within: Duration) -> ShutdownReport {
        self.blocking(Some(within), move |client| async move { client.end(within).await })
            .unwrap_or_else(|| self.undone())
    }

    /// The report of a shutdown that did not come to its end.
    #[cfg_attr(not(feature = "logger"), allow(clippy::unused_self, reason = "as with a logger"))]
    fn undone(&self) -> ShutdownReport {
        ShutdownReport {
            #[cfg(feature = "logger")]
            events: self.unflushed(),
        }
    }

    async fn end(&self, within: Duration) -> ShutdownReport {
        let once = || self.end_for_good(within.min(A_YEAR));
        *self.inner.background.ended.get_or_init(once).await
    }

    async fn end_for_good(&self, within: Duration) -> ShutdownReport {
        let network = async {
            #[cfg(feature = "net")]
            if let Some(network) = &self.inner.background.networking {
                network.shutdown(within).await;
            }
        };
        let events = async {
            #[cfg(feature = "logger")]
            if let Some(logger) = self.inner.logging.logger() {
                return ShutdownReport { events: logger.shutdown(within).await };
            }
            ShutdownReport::default()
        };
        tokio::join!(network, events).1
    }

    /// How the client is: age of the data, failures, what became of events. Cheap enough for a
    /// health check that is asked every second.
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
            #[cfg(feature = "spool")]
            spool: self.inner.logging.logger().and_then(|logger| logger.spool_health()),
        }
    }
}

#[cfg(feature = "net")]
impl Statsig {
    /// What synchronises, if that goes on in this process.
    fn networking(&self) -> Option<&Networking> {
        self.inner.background.networking.as_ref().filter(|_| !self.is_inherited())
    }

    /// Loads specs, and keeps them up to date in the background from then on.
    ///
    /// Waits until specs are in force, or all sources have failed, or the `init_timeout` is over.
    /// Never fails: the details tell of every source that was asked, how long it took, and why it
    /// failed. Checks before and meanwhile answer from what there is. A second call waits for the
    /// first and tells the same.
    ///
    /// Needs no particular runtime. In a [forked child](Self::is_inherited) nothing is loaded: returns at once,
    /// and the details say so.
    ///
    /// # Cancel safety
    /// Loading goes on.
    pub async fn initialize(&self) -> InitializeDetails {
        if self.networking().is_none() {
            return self.without_sources();
        }
        self.in_background(|client| async move { client.load().await }).await.unwrap_or_default()
    }

    /// Like [`initialize`](Self::initialize), for threads without a runtime. Blocks the thread.
    ///
    /// Do not call it on a thread that drives the runtime which the client uses.
    #[must_use]
    pub fn initialize_blocking(&self) -> InitializeDetails {
        if self.networking().is_none() {
            return self.without_sources();
        }
        self.blocking(None, |client| async move { client.load().await }).unwrap_or_default()
    }

    async fn load(&self) -> InitializeDetails {
        match &self.inner.background.networking {
            Some(networking) => networking.initialize(&self.inner.specs).await,
            None => self.without_sources(),
        }
    }

    fn without_sources(&self) -> InitializeDetails {
        if self.is_inherited() {
            return InitializeDetails::not_asked(&self.snapshot(), INHERITED);
        }
        InitializeDetails::without_sources(&self.snapshot())
    }

    /// Whether the first load of specs has ended, well or not; always, for a client that has nothing but a
    /// bootstrap document. Stays so after a shutdown.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        let Some(networking) = &self.inner.background.networking else { return true };
        // What needs no lock is true in a forked child as well.
        networking.has_told() || !self.is_inherited() && networking.is_initialized()
    }

    /// What [`initialize`](Self::initialize) told; `None` while the first load has not ended.
    #[must_use]
    pub fn get_initialize_details(&self) -> Option<InitializeDetails> {
        match &self.inner.background.networking {
            Some(networking) => networking.told().or_else(|| self.networking()?.details()),
            None => Some(self.without_sources()),
        }
    }

    /// Waits until there are specs that are good enough; `false` if the time is up or the client is shut
    /// down before.
    ///
    /// `initialize` returns with whatever can be had in time, and its details tell how old that is; this
    /// is for those who rather wait. Begins nothing: that is [`initialize`](Self::initialize). Without
    /// sources, the bootstrap document is as fresh as it gets, and `MaxAge` counts from `build`. In a
    /// [forked child](Self::is_inherited) it returns at once: `Any` specs may be there, and others will never be.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self, policy: ReadyPolicy, within: Duration) -> bool {
        let waited = self.while_wanted(move |client| async move {
            match &client.inner.background.networking {
                Some(networking) => networking.ready(policy, within).await,
                None => client.is_good_enough(policy),
            }
        });
        waited.await.unwrap_or_else(|| self.is_good_enough(policy))
    }

    /// Like [`ready`](Self::ready), for threads without a runtime. Blocks the thread.
    ///
    /// Do not call it on a thread that drives the runtime which the client uses.
    #[must_use]
    pub fn ready_blocking(&self, policy: ReadyPolicy, within: Duration) -> bool {
        let waited = self.blocking(Some(within), move |client| async move { client.ready(policy, within).await });
        waited.unwrap_or_else(|| self.is_good_enough(policy))
    }

    /// Whether a document that nobody keeps up to date will do.
    fn is_good_enough(&self, policy: ReadyPolicy) -> bool {
        if self.is_inherited() {
            return policy == ReadyPolicy::Any && self.inner.specs.holds_specs();
        }
        let age = || {
            let received = i64::try_from(self.snapshot().received_at_ms()).unwrap_or(i64::MAX);
            Duration::from_millis(u64::try_from(self.inner.clock.now_ms().saturating_sub(received)).unwrap_or(0))
        };
        self.inner.specs.holds_specs()
            && match policy {
                ReadyPolicy::MaxAge(most) => age() <= most,
                _ => true,
            }
    }

    /// Waits until specs are in force whose time is after `newer_than_ms` (milliseconds since 1970),
    /// and returns that time; `None` if the time is up before, or nothing is synchronised.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn wait_for_specs(&self, newer_than_ms: u64, within: Duration) -> Option<u64> {
        let in_force = self.snapshot().ruleset().meta().time;
        if in_force > newer_than_ms {
            return Some(in_force);
        }
        let wait = move |client: Self| async move {
            client.inner.background.networking.as_ref()?.wait_for_specs(newer_than_ms, within).await
        };
        self.while_wanted(wait).await?
    }

    /// Asks the polled sources for newer specs now. `None` if the client has none. In a
    /// [forked child](Self::is_inherited) none is asked, and the report says so.
    ///
    /// # Cancel safety
    /// What was received before stays in force.
    pub async fn sync_now(&self) -> Option<SyncReport> {
        if self.is_inherited() {
            return Some(SyncReport::not_asked(INHERITED));
        }
        self.while_wanted(|client| async move { Some(client.inner.background.networking.as_ref()?.sync_now().await) })
            .await?
    }

    /// Skips regular polls until [`start_polling`](Self::start_polling).
    pub fn pause_polling(&self) {
        if let Some(networking) = self.networking() {
            networking.set_polling(false);
        }
    }

    /// Ends [`pause_polling`](Self::pause_polling).
    pub fn start_polling(&self) {
        if let Some(networking) = self.networking() {
            networking.set_polling(true);
        }
    }
}
