//! The client that an application holds.
//!
//! | file | calls |
//! | --- | --- |
//! | `bootstrapping` | everything at once, for client SDKs |
//! | `evaluation` | checks and reads for a user |
//! | `exposures` | exposures by hand |
//! | `events` | custom events, and what becomes of all events |
//! | `health` | health |
//! | `lifecycle` | initialization, updates, shutdown |
//! | `overrides` | answers that come before the rules |
//! | `lists` | what there is in the specs |
//! | `prepared` | handles for single names |
//! | `subscriptions` | what the client does, as it does it |

mod bootstrapping;
mod evaluation;
#[cfg(feature = "logger")]
mod events;
#[cfg(feature = "logger")]
mod exposures;
#[cfg(any(feature = "net", feature = "logger"))]
mod health;
#[cfg(any(feature = "net", feature = "logger"))]
mod lifecycle;
mod lists;
mod overrides;
mod prepared;
mod subscriptions;

#[cfg(any(feature = "net", feature = "logger"))]
pub use self::health::{Health, PartHealth};
#[cfg(any(feature = "net", feature = "logger"))]
pub use self::lifecycle::ShutdownReport;
pub use self::prepared::{PreparedDynamicConfig, PreparedExperiment, PreparedGate, PreparedLayer};

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use statsig_core::{
    ClientSdkInfo, Clock, EvaluationContext, EvaluationSettings, IdListLookup, LocalOverrides, OverrideAdapter,
    PersistentStorage, Problem, Reach, Snapshot, SnapshotStore, SpecOrigin, SpecUpdate, StatsigUser, UpdateOutcome,
};

use crate::error::Error;
use crate::logging::Logging;
#[cfg(feature = "net")]
use crate::networking::Networking;
#[cfg(not(feature = "net"))]
use crate::subscriptions::ClientEvent;
use crate::subscriptions::Subscriptions;
#[cfg(any(feature = "net", feature = "logger"))]
use crate::{process::Process, runtime::BackgroundRuntime};

/// A Statsig client: a handle that is cheap to clone and to share between threads.
///
/// All checks are synchronous, answer from memory, and never fail or panic. Concurrent calls do not
/// wait for each other or for an update.
///
/// Checks log exposures if the client has somewhere to send them (`StatsigBuilder::event_sink`,
/// feature `logger`); at the end of the program, [`shutdown`](Self::shutdown) delivers what is still
/// pending. When the last handle is dropped without that, pending events are delivered in the
/// background for up to three seconds, as long as the process and the runtime live.
#[derive(Clone)]
pub struct Statsig {
    inner: Arc<Inner>,
}

/// What a client is made of.
pub(crate) struct Inner {
    pub(crate) specs: Arc<SnapshotStore>,
    pub(crate) settings: EvaluationSettings,
    #[cfg(not(feature = "net"))]
    pub(crate) limits: statsig_core::CompileLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) id_lists: Option<Arc<dyn IdListLookup>>,
    pub(crate) overrides: Overrides,
    pub(crate) persistent_storage: Option<Arc<dyn PersistentStorage>>,
    pub(crate) sdk_info: ClientSdkInfo,
    pub(crate) record: bool,
    pub(crate) subscriptions: Arc<Subscriptions>,
    /// Whether the application was told that there are users without an ID.
    pub(crate) warned_of_no_ids: AtomicBool,
    pub(crate) logging: Logging,
    #[cfg_attr(
        not(any(feature = "net", feature = "logger")),
        allow(dead_code, reason = "there is none without network and logger")
    )]
    pub(crate) background: Background,
    /// The way in for specs that the application supplies.
    #[cfg(feature = "net")]
    pub(crate) acceptor: statsig_net::PayloadAcceptor,
}

/// What goes on beside the application's calls.
#[derive(Default)]
pub(crate) struct Background {
    #[cfg(feature = "net")]
    pub(crate) networking: Option<Networking>,
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) runtime: Option<BackgroundRuntime>,
    /// Where all this goes on; `None` if nothing does.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) process: Option<Arc<Process>>,
    /// What the shutdown came to.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) ended: tokio::sync::OnceCell<ShutdownReport>,
}

/// Nothing in a forked child: to close the parent's connections and to wake its tasks is for the parent.
#[cfg(any(feature = "net", feature = "logger"))]
impl Drop for Background {
    fn drop(&mut self) {
        if self.process.as_ref().is_some_and(|process| process.is_left()) {
            #[cfg(feature = "net")]
            std::mem::forget(self.networking.take());
            std::mem::forget(self.runtime.take());
        }
    }
}

/// Who answers before the rules.
pub(crate) enum Overrides {
    /// The client's own store.
    Local(LocalOverrides),
    /// What the application has given.
    Adapter(Arc<dyn OverrideAdapter>),
}

impl Inner {
    #[inline]
    fn context<'a>(&'a self, snapshot: &'a Arc<Snapshot>, user: &'a StatsigUser) -> EvaluationContext<'a> {
        if !user.has_unit_id() {
            self.warn_of_no_ids();
        }
        EvaluationContext::new(snapshot, user, &self.settings, &*self.clock)
            .with_id_lists(self.id_lists.as_deref())
            .with_overrides(Some(self.overrides()))
            .with_persistent_storage(self.persistent_storage.as_deref())
            .with_random_numbers(random_bits)
    }

    #[inline]
    fn overrides(&self) -> &dyn OverrideAdapter {
        match &self.overrides {
            Overrides::Local(local) => local,
            Overrides::Adapter(adapter) => &**adapter,
        }
    }

    /// Whether a check of a gate that has the same value for every user has no other effect than to return it.
    #[inline]
    fn answers_constants(&self, user: &StatsigUser) -> bool {
        !self.logging.is_active() && user.has_unit_id() && self.overrides().is_empty()
    }

    #[cold]
    fn warn_of_no_ids(&self) {
        if !self.warned_of_no_ids.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a check was made for a user without user ID or custom IDs, who is bucketed like all others without; \
                 further ones are not mentioned"
            );
        }
    }
}

/// Returns 64 uniform random bits.
fn random_bits() -> u64 {
    RandomState::new().hash_one(0_u8)
}

impl std::fmt::Debug for Statsig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("Statsig")
            .field("source", snapshot.source())
            .field("specs_time", &snapshot.ruleset().meta().time)
            .finish_non_exhaustive()
    }
}

impl Statsig {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Replaces the config specs, unless the new ones are older.
    ///
    /// The specs go the way of all others: they must not be made for another SDK key, are kept in the
    /// last-known-good folder, and reported to the `rules_updated_callback` and
    /// subscribers before this returns. Compiles on the calling thread; checks go on meanwhile with the current specs.
    ///
    /// Called within such a report, the new specs are current when this returns, and reported after the others.
    ///
    /// # Errors
    /// If the specs cannot be used; the current ones stay. In a [forked child](Self::is_inherited) always: nothing is
    /// changed there, and no lock is waited for.
    pub fn update_specs(&self, specs: impl Into<Vec<u8>>) -> Result<UpdateOutcome, Error> {
        #[cfg(any(feature = "net", feature = "logger"))]
        if self.is_inherited() {
            return Err(Error::Inherited);
        }
        let received_at_ms = self.inner.clock.unix_ms();
        self.admit(SpecUpdate::new(specs.into(), SpecOrigin::Bootstrap, Reach::Local, received_at_ms))
    }

    #[cfg(feature = "net")]
    fn admit(&self, update: SpecUpdate) -> Result<UpdateOutcome, Error> {
        use statsig_core::{Admission, RejectionCause};

        match self.inner.acceptor.admit(update) {
            Admission::Applied(_) => Ok(UpdateOutcome::Applied),
            Admission::Older(_) => Ok(UpdateOutcome::Older),
            Admission::Rejected(rejection) => Err(match rejection.cause {
                RejectionCause::NoSpecs => Error::Specs(statsig_core::Error::NoUpdates),
                RejectionCause::Disabled => Error::Inherited,
                _ => match rejection.error.into_reason().downcast() {
                    Ok(error) => Error::Specs(*error),
                    Err(reason) => Error::Refused(reason),
                },
            }),
            _ => Ok(UpdateOutcome::Unchanged),
        }
    }

    /// Without the sync engine, one lock of the store orders updates.
    #[cfg(not(feature = "net"))]
    fn admit(&self, update: SpecUpdate) -> Result<UpdateOutcome, Error> {
        let outcome = self.inner.specs.apply(&update, &self.inner.limits)?;
        if outcome == UpdateOutcome::Applied {
            self.inner.logging.specs_changed(&self.inner.specs);
            self.inner.subscriptions.tell(ClientEvent::SpecsUpdated(&update));
        }
        Ok(outcome)
    }

    /// Whether this process was forked off from the one that built the client.
    ///
    /// Background work does not survive a fork. In the child the client answers from the specs that it had,
    /// and does nothing else: events go nowhere (the parent delivers what was pending), specs are not kept up
    /// to date, and `initialize`, `ready`, `sync_now`, `flush_events` and `shutdown` return at once. Build
    /// another client there. A client without background work belongs to every process.
    ///
    /// Asks the operating system for the process's number: not for every check.
    #[must_use]
    #[allow(clippy::unused_self, reason = "without network and logger there is nothing to leave behind")]
    pub fn is_inherited(&self) -> bool {
        #[cfg(any(feature = "net", feature = "logger"))]
        return self.inner.background.process.as_ref().is_some_and(|process| process.is_left());
        #[cfg(not(any(feature = "net", feature = "logger")))]
        return false;
    }

    /// The specs in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.specs.load_full()
    }

    /// Parts of the specs in force that were skipped or will not behave as written.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.snapshot().ruleset().problems().to_vec()
    }

    /// Calls `f` with everything that an evaluation for `user` depends on.
    pub(crate) fn with_context<R>(
        &self,
        snapshot: &Arc<Snapshot>,
        user: &StatsigUser,
        f: impl FnOnce(EvaluationContext<'_>, bool) -> R,
    ) -> R {
        f(self.inner.context(snapshot, user), self.inner.record)
    }

    pub(crate) fn logging(&self) -> &Logging {
        &self.inner.logging
    }

    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.inner.subscriptions
    }
}
