//! One client for the whole process, for those who want one.

use std::sync::{OnceLock, PoisonError, RwLock};

use crate::builder::StatsigBuilder;
use crate::client::Statsig;
use crate::error::Error;

static SHARED: RwLock<Option<Statsig>> = RwLock::new(None);

impl StatsigBuilder {
    /// Like [`build`](Self::build), and makes the client the one that [`Statsig::shared`] returns
    /// everywhere in the process.
    ///
    /// # Errors
    /// Those of `build`; and [`Error::SharedInstanceExists`], before anything is built, if there is one
    /// already.
    pub fn build_shared(self) -> Result<Statsig, Error> {
        let mut shared = SHARED.write().unwrap_or_else(PoisonError::into_inner);
        if shared.is_some() {
            return Err(Error::SharedInstanceExists);
        }
        let statsig = self.build()?;
        *shared = Some(statsig.clone());
        Ok(statsig)
    }
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
        static INERT: OnceLock<Statsig> = OnceLock::new();
        INERT.get_or_init(Self::inert).clone()
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

    /// A client that has nothing and does nothing.
    fn inert() -> Self {
        StatsigBuilder::default().inert()
    }
}
