//! A ruleset with its origin, and the place where the current one is kept.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::adapters::{SpecSourceKind, SpecUpdate};
use crate::compile::CompileLimits;
use crate::error::Error;
use crate::ruleset::Ruleset;

/// A state of the specs: a ruleset, where it came from, and when.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    pub(crate) ruleset: Ruleset,
    source: SpecSourceKind,
    received_at_ms: u64,
}

impl Snapshot {
    /// Wraps a ruleset; `received_at_ms` is in milliseconds since 1970.
    #[must_use]
    pub fn new(ruleset: Ruleset, source: SpecSourceKind, received_at_ms: u64) -> Self {
        Self { ruleset, source, received_at_ms }
    }

    /// A project without specs, for the time before the first load.
    #[must_use]
    pub fn empty(source: SpecSourceKind) -> Self {
        Self::new(Ruleset::empty(), source, 0)
    }

    /// The ruleset.
    #[must_use]
    pub fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    /// Where the specs came from.
    #[must_use]
    pub fn source(&self) -> &SpecSourceKind {
        &self.source
    }

    /// When the specs were received, in milliseconds since 1970; 0 if never.
    #[must_use]
    pub fn received_at_ms(&self) -> u64 {
        self.received_at_ms
    }
}

/// What became of a [`SpecUpdate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateOutcome {
    /// The new specs are in force.
    Applied,
    /// The document says that there is nothing new, or has the checksum of the current one.
    Unchanged,
    /// The document is older than the specs in force.
    Older,
}

/// Holds the current [`Snapshot`] and replaces it as a whole.
///
/// Readers take no lock and never wait for a writer; each keeps the snapshot it has for as long as
/// it likes. Compiling happens in [`SnapshotStore::apply`], on the caller's thread.
#[derive(Debug)]
pub struct SnapshotStore {
    current: ArcSwap<Snapshot>,
    /// Orders writers, so that the comparison with the current specs holds until the swap.
    writer: std::sync::Mutex<()>,
}

impl SnapshotStore {
    /// A store that serves `snapshot` until the first update.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot), writer: std::sync::Mutex::new(()) }
    }

    /// The current snapshot, for a short while: costs no shared write in the common case.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The current snapshot, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Compiles a document and puts it in force, unless it is older than what is there.
    ///
    /// # Errors
    /// When the document cannot be used; the current specs stay in force.
    pub fn apply(&self, update: &SpecUpdate, limits: &CompileLimits) -> Result<UpdateOutcome, Error> {
        let ruleset = match Ruleset::compile_with(&update.document, limits) {
            Err(Error::NoUpdates) if self.load().source().has_values() => return Ok(UpdateOutcome::Unchanged),
            other => other?,
        };
        let _writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let current = self.current.load();
        if current.source().has_values() {
            let (old, new) = (current.ruleset().meta(), ruleset.meta());
            if old.time > 0 && old.time > new.time {
                return Ok(UpdateOutcome::Older);
            }
            if new.checksum.is_some() && new.checksum == old.checksum {
                return Ok(UpdateOutcome::Unchanged);
            }
        }
        self.current.store(Arc::new(Snapshot::new(ruleset, update.source.clone(), update.received_at_ms)));
        Ok(UpdateOutcome::Applied)
    }
}
