//! One client for the whole process, for those who want one.

use std::sync::{PoisonError, RwLock};

use crate::builder::StatsigBuilder;
use crate::client::Statsig;
use crate::error::Error;

static SHARED: RwLock<Option<Statsig>> = RwLock::new(None);

impl StatsigBuilder {
    /// Like [`build`](Self::build), and makes the client the one that [`Statsig::shared`] returns
    /// everywhere in the process.
    ///
    /// # Errors
    /// Those of `build`; and [`Error::SharedInstanceExists`] if there is one already. One that was
    /// [inherited](Statsig::is_inherited) by a forked child is replaced.
    pub fn build_shared(self) -> Result<Statsig, Error> {
        if is_taken(SHARED.read().unwrap_or_else(PoisonError::into_inner).as_ref()) {
            return Err(Error::SharedInstanceExists);
        }
        // Without the lock: what the application gave to the builder may ask for the shared client.
        let statsig = self.build()?;
        let mut shared = SHARED.write().unwrap_or_else(PoisonError::into_inner);
        if is_taken(shared.as_ref()) {
            return Err(Error::SharedInstanceExists);
        }
        *shared = Some(statsig.clone());
        Ok(statsig)
    }
}

/// Whether there is a client that works in this process.
fn is_taken(shared: Option<&Statsig>) -> bool {
    shared.is_some_and(|shared| !shared.is_inherited())
}

impl Statsig {
    /// The client of [`StatsigBuilder::build_shared`], from anywhere in the process.
    ///
    /// If there is none, logs an error and returns a client without specs, sources or events: every
    /// check gives its default with the reason `Uninitialized`.
    ///
    /// Costs a lock that readers share and a reference count: keep the handle rather than asking for it
    /// with each check.
    #[must_use]
    pub fn shared() -> Self {
        if let Some(shared) = &*SHARED.read().unwrap_or_else(PoisonError::into_inner) {
            return shared.clone();
        }
        tracing::error!("there is no shared client: call `StatsigBuilder::build_shared` before `Statsig::shared`");
        // One of its own for each caller, so that nobody's overrides reach others.
        StatsigBuilder::default().inert()
    }

    /// Whether there is a shared client.
    #[must_use]
    pub fn has_shared_instance() -> bool {
        SHARED.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Forgets the shared client and returns it, so that there can be another. Does not shut it down:
    /// whoever holds a handle goes on using it.
    pub fn remove_shared() -> Option<Self> {
        SHARED.write().unwrap_or_else(PoisonError::into_inner).take()
    }
}
