//! What was accepted, for the next start: in a data store, and on disk.
//!
//! Only the newest counts: a document that comes while the one before is written takes the place of
//! those that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use statsig_core::{
    DataStore, EntryVersion, KeySchema, PutMode, SpecSourceKind, SpecUpdate, SpecsFormat, StoreEntry, StoreFormat,
    StoreKeys, StorePath,
};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Inner;
use super::accept::is_v1;
use super::options::SpecSources;
use super::supervise::supervise;
use crate::secret::{SdkKey, chain_of};
use crate::sources::LastKnownGood;

/// Attempts to write one document.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; grows fourfold.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// How long a task that has something to finish goes on after the end was announced.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Shares specs from the network with other processes, by a data store.
///
/// Writes what was accepted from the network, polled or streamed, byte for byte, and never anything
/// that came from a store, a file or the application. Never replaces a newer entry. While the network
/// says that nothing changed, keeps the entry from expiring.
#[derive(Clone)]
pub struct StoreWriter {
    store: Arc<dyn DataStore>,
    keys: StoreKeys,
    schema: KeySchema,
}

impl std::fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl StoreWriter {
    /// Writes the specs of a key under the keys of a schema.
    #[must_use]
    pub fn new(store: Arc<dyn DataStore>, key: &SdkKey, schema: KeySchema) -> Self {
        Self { store, keys: StoreKeys::new(key.expose()), schema }
    }

    async fn write(&self, kept: &Kept) -> Result<(), statsig_core::DataStoreError> {
        let path = if is_v1(kept.format) { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
        let key = self.keys.key(&path, kept.update.format, self.schema);
        let checksum = EntryVersion::of_json(&kept.update.document).and_then(|version| version.checksum);
        let version = EntryVersion::new(kept.time, checksum);
        let entry = StoreEntry::new(kept.update.document.clone(), kept.update.format, version);
        let outcome = self.store.put_entry(&key.name, &entry, PutMode::IfNewer).await?;
        tracing::debug!(?outcome, time = kept.time, "shared config specs by the data store");
        Ok(())
    }

    /// Keeps what is shared from expiring. Says whether it is worth another try, some time.
    async fn touch(&self, (format, form): (SpecsFormat, StoreFormat)) -> bool {
        let path = if is_v1(format) { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
        match self.store.touch(&[self.keys.key(&path, form, self.schema)]).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(error = chain_of(&error), "config specs in the data store may expire");
                error.is_retryable()
            }
        }
    }
}

/// A document that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) update: Arc<SpecUpdate>,
    pub(super) time: u64,
    pub(super) format: SpecsFormat,
    pub(super) streamed: bool,
}

/// Room for one document.
#[derive(Debug, Default)]
struct Slot {
    waiting: Mutex<Option<Kept>>,
    filled: Notify,
    /// The form of what is in force, if it is shared by the store.
    shared: Mutex<Option<(SpecsFormat, StoreFormat)>>,
    /// The network says that what is in force is the newest.
    confirmed: Notify,
}

impl Slot {
    fn put(&self, kept: &Kept) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        self.filled.notify_one();
    }

    fn take(&self) -> Option<Kept> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_shared(&self, form: Option<(SpecsFormat, StoreFormat)>) {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = form;
    }

    fn shared(&self) -> Option<(SpecsFormat, StoreFormat)> {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Documents that wait to be written: one for the store, one for the disk.
#[derive(Debug)]
pub(super) struct Slots {
    store: Option<Slot>,
    disk: Option<Slot>,
}

impl Slots {
    pub(super) fn new(sources: &SpecSources) -> Self {
        Self {
            store: sources.write_back.as_ref().map(|_| Slot::default()),
            disk: sources.last_known_good.as_ref().map(|_| Slot::default()),
        }
    }

    pub(super) fn put(&self, kept: &Kept) {
        let source = &kept.update.source;
        let is = |name| matches!(source, SpecSourceKind::Adapter(adapter) if &**adapter == name);
        let from_network =
            *source == SpecSourceKind::Network || (kept.streamed && !is("DataStore") && !is("FileBased"));
        if let Some(slot) = &self.store {
            slot.set_shared((from_network || is("DataStore")).then_some((kept.format, kept.update.format)));
            if from_network {
                slot.put(kept);
            }
        }
        if let (false, Some(slot)) = (LastKnownGood::is_source(source), &self.disk) {
            slot.put(kept);
        }
    }
}

impl Slots {
    /// That nothing is newer than what is in force, as the network says: what is shared shall stay.
    pub(super) fn confirm(&self) {
        if let Some(slot) = &self.store {
            slot.confirmed.notify_one();
        }
    }
}

/// Where documents are kept.
#[derive(Debug, Clone)]
enum Keeper {
    Store(StoreWriter),
    Disk(LastKnownGood),
}

impl Keeper {
    /// The name of its task.
    fn name(&self) -> &'static str {
        match self {
            Self::Store(_) => "specs-keeper data-store",
            Self::Disk(_) => "specs-keeper last-known-good",
        }
    }

    /// Where it keeps them, for metrics.
    fn place(&self) -> &'static str {
        match self {
            Self::Store(_) => "data-store",
            Self::Disk(_) => "disk",
        }
    }

    fn slot<'a>(&self, slots: &'a Slots) -> Option<&'a Slot> {
        match self {
            Self::Store(_) => slots.store.as_ref(),
            Self::Disk(_) => slots.disk.as_ref(),
        }
    }

    /// Writes a document, or says why not, and whether time may heal it.
    async fn write(&self, kept: &Kept) -> Result<(), (bool, String)> {
        match self {
            Self::Store(writer) => writer.write(kept).await.map_err(|error| (error.is_retryable(), chain_of(&error))),
            Self::Disk(disk) => {
                let done = disk.keep(Arc::clone(&kept.update)).await;
                done.map_err(|error| (error.is_retryable(), chain_of(&error)))
            }
        }
    }
}

/// Spawns the writers that there is something for.
pub(super) fn spawn(inner: &Arc<Inner>) {
    let store = inner.sources.write_back.clone().map(Keeper::Store);
    let disk = inner.sources.last_known_good.clone().map(Keeper::Disk);
    for keeper in [store, disk].into_iter().flatten() {
        supervise(inner, keeper.name(), move |inner| run(inner, keeper.clone()));
    }
}

/// Writes each document that comes, until the end; then what still waits.
async fn run(inner: Arc<Inner>, keeper: Keeper) {
    let slots = inner.acceptor.slots();
    let Some(slot) = keeper.slot(&slots) else { return };
    // A store that is only read refuses for good.
    let mut touches = true;
    loop {
        let Some(kept) = slot.take() else {
            if inner.is_ending() {
                return;
            }
            tokio::select! {
                () = slot.filled.notified() => {}
                () = slot.confirmed.notified(), if touches => {
                    if let (Keeper::Store(writer), Some(shared)) = (&keeper, slot.shared()) {
                        touches = writer.touch(shared).await;
                    }
                }
                () = inner.ended() => {}
            }
            continue;
        };
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let Err((retryable, error)) = keeper.write(&kept).await else {
                inner.books.kept(keeper.place(), true);
                break;
            };
            inner.books.kept(keeper.place(), false);
            tracing::warn!(attempt, error, "config specs could not be kept");
            if !retryable || attempt == ATTEMPTS || inner.is_ending() {
                break;
            }
            tokio::select! {
                () = sleep(inner.random.around(pause, 0.2)) => {}
                () = inner.ended() => {}
                // A newer one takes its place.
                () = slot.filled.notified() => break,
            }
            pause *= 4;
        }
    }
}
