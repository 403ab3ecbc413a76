//! What was accepted, for the next start: in a data store, and on disk.
//!
//! Only the newest counts: a document that comes while the one before is written takes the place of
//! those that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use statsig_core::{
    DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, EntryVersion, KeySchema, PutMode, PutOutcome,
    SpecSourceKind, SpecUpdate, SpecsFormat, StoreEntry, StoreKey, StoreKeys, StorePath, TouchOutcome,
};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Inner;
use super::accept::is_v1;
use super::health::Worker;
use super::options::SpecSources;
use super::supervise::supervise;
use crate::secret::{SdkKey, chain_of};
use crate::sources::{LastKnownGood, is_usable, version_of};

/// Attempts to write one document.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; grows fourfold.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// How long a task that has something to finish goes on after the end was announced.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Shares specs from the network with other processes, by a data store.
///
/// Writes what was accepted from the network, polled or streamed, byte for byte, and never anything
/// that came from a file or the application. Never replaces a newer entry. While the network says that
/// nothing changed, keeps the entry from expiring, and puts it back where it is missing or could not be
/// written before; then also one that came from the store, since the network stands by it.
///
/// Writes nothing to a store that [is only read](DataStore::is_read_only).
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

    pub(super) fn store(&self) -> &Arc<dyn DataStore> {
        &self.store
    }

    async fn write(&self, kept: &Kept) -> Result<(), DataStoreError> {
        let path = if is_v1(kept.format) { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
        let key = self.keys.key(&path, kept.update.format, self.schema);
        let checksum = version_of(&kept.update.document, kept.update.format).and_then(|version| version.checksum);
        let version = EntryVersion::new(kept.time, checksum);
        let entry = StoreEntry::new(kept.update.document.clone(), kept.update.format, version);
        let entry = entry.with_stored_at_ms(Some(kept.update.received_at_ms));
        let mut outcome = self.store.put_entry(&key.name, &entry, PutMode::IfNewer).await?;
        if matches!(outcome, PutOutcome::SkippedOlder { .. }) && self.holds_unusable(&key).await {
            tracing::warn!(time = kept.time, "replacing an entry of the data store that cannot be used");
            outcome = self.store.put_entry(&key.name, &entry, PutMode::Force).await?;
        }
        tracing::debug!(?outcome, time = kept.time, "shared config specs by the data store");
        Ok(())
    }

    /// Returns whether what stands under a key is no config specs, whatever time stands beside it.
    ///
    /// A store compares times; not every store looks at the payload, and none reads the binary form.
    async fn holds_unusable(&self, key: &StoreKey) -> bool {
        match self.store.get_entry(&EntryRequest::new([key.clone()])).await {
            Ok(Some(entry)) => !is_usable(entry, self.store.max_value_bytes()).await,
            _ => false,
        }
    }

    /// Keeps what is shared from expiring.
    async fn touch(&self, kept: &Kept) -> Result<TouchOutcome, Trouble> {
        let path = if is_v1(kept.format) { StorePath::SpecsV1 } else { StorePath::SpecsV2 };
        let key = self.keys.key(&path, kept.update.format, self.schema);
        self.store.touch(&[key]).await.map_err(|error| Trouble::of_store(&error))
    }
}

/// A document that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) update: Arc<SpecUpdate>,
    pub(super) time: u64,
    pub(super) format: SpecsFormat,
    pub(super) streamed: bool,
    /// It came as a difference, or as what its source takes for one.
    pub(super) from_delta: bool,
}

impl Kept {
    /// Returns whether the other one is as new, or this one is from the future and the other one is not.
    fn gives_way_to(&self, other: &Self) -> bool {
        let version = |kept: &Self| EntryVersion::new(kept.time, None);
        version(self).cmp_time(&version(other), Some(other.update.received_at_ms)).is_le()
    }
}

/// Why a document is not kept.
#[derive(Debug)]
struct Trouble {
    /// The same may succeed soon.
    retryable: bool,
    /// The same may succeed some day, once somebody has mended something.
    heals: bool,
    text: String,
}

impl Trouble {
    fn of_store(error: &DataStoreError) -> Self {
        let retryable = error.is_retryable();
        Self { retryable, heals: retryable || error.kind() == DataStoreErrorKind::Denied, text: chain_of(error) }
    }
}

/// Room for one document.
#[derive(Debug, Default)]
struct Slot {
    waiting: Mutex<Option<Kept>>,
    filled: Notify,
    /// What is in force, if it is shared by the store.
    shared: Mutex<Option<Kept>>,
    /// The network says that what is in force is the newest.
    confirmed: Notify,
}

impl Slot {
    /// Lets a document wait, unless a newer one does.
    fn put(&self, kept: &Kept) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.as_ref().is_none_or(|waiting| waiting.gives_way_to(kept)) {
            *waiting = Some(kept.clone());
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until there is a document. A notice may be of one that was taken already.
    async fn is_filled(&self) {
        while self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Kept> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes what came into force, and whether it is shared.
    fn set_shared(&self, kept: &Kept, is_shared: bool) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_none_or(|shared| shared.gives_way_to(kept)) {
            *shared = is_shared.then(|| kept.clone());
        }
    }

    fn shared(&self) -> Option<Kept> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            store: writer(sources).map(|_| Slot::default()),
            disk: sources.last_known_good.as_ref().map(|_| Slot::default()),
        }
    }

    pub(super) fn put(&self, kept: &Kept) {
        let source = &kept.update.source;
        let is = |name| matches!(source, SpecSourceKind::Adapter(adapter) if &**adapter == name);
        let from_network =
            *source == SpecSourceKind::Network || (kept.streamed && !is("DataStore") && !is("FileBased"));
        if let Some(slot) = &self.store {
            let from_network = from_network && !kept.from_delta;
            slot.set_shared(kept, from_network || is("DataStore"));
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
    /// Whether what is accepted is shared with others.
    pub(super) fn shares(&self) -> bool {
        self.store.is_some()
    }

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

    /// Writes a document, or says why not.
    async fn write(&self, kept: &Kept) -> Result<(), Trouble> {
        match self {
            Self::Store(writer) => writer.write(kept).await.map_err(|error| Trouble::of_store(&error)),
            Self::Disk(disk) => disk.keep(Arc::clone(&kept.update)).await.map_err(|error| {
                let retryable = error.is_retryable();
                Trouble { retryable, heals: retryable, text: chain_of(&error) }
            }),
        }
    }
}

/// The writer to the data store, unless that is only read.
fn writer(sources: &SpecSources) -> Option<&StoreWriter> {
    sources.write_back.as_ref().filter(|writer| !writer.store.is_read_only())
}

/// Spawns the writers that there is something for.
pub(super) fn spawn(inner: &Arc<Inner>) {
    let store = writer(&inner.sources).cloned().map(Keeper::Store);
    let disk = inner.sources.last_known_good.clone().map(Keeper::Disk);
    for keeper in [store, disk].into_iter().flatten() {
        supervise(inner, keeper.name(), move |inner, worker| run(inner, worker, keeper.clone()));
    }
}

/// Writes each document that comes, until the end; then what still waits.
async fn run(inner: Arc<Inner>, worker: Worker, keeper: Keeper) {
    let slots = inner.acceptor.slots();
    let Some(slot) = keeper.slot(&slots) else { return };
    // Whether the last document is not in the store, but may be some day.
    let mut is_behind = false;
    // Some refuse for good.
    let mut is_of_use = true;
    loop {
        if let Some(kept) = slot.take() {
            is_behind = write(&inner, worker, &keeper, slot, &kept).await;
            continue;
        }
        if inner.is_ending() {
            return;
        }
        tokio::select! {
            () = slot.is_filled() => {}
            () = slot.confirmed.notified(), if is_of_use => {
                if let (Keeper::Store(writer), Some(shared)) = (&keeper, slot.shared()) {
                    match uphold(&inner, writer, &shared, &mut is_behind).await {
                        Ok(()) => inner.books.succeeded(worker),
                        Err(trouble) => {
                            is_of_use = trouble.heals;
                            tracing::debug!(error = trouble.text, "config specs in the data store may be missing");
                        }
                    }
                }
            }
            () = inner.ended() => {}
        }
    }
}

/// Sees to it that the store has what the network says is the newest.
async fn uphold(inner: &Inner, writer: &StoreWriter, shared: &Kept, is_behind: &mut bool) -> Result<(), Trouble> {
    if !*is_behind && writer.touch(shared).await? != TouchOutcome::Absent {
        return Ok(());
    }
    let written = writer.write(shared).await.map_err(|error| Trouble::of_store(&error));
    inner.books.kept("data-store", written.as_ref().copied().map_err(|trouble| trouble.text.as_str()), None);
    *is_behind = written.is_err();
    written
}

/// Writes a document, in some attempts. Says whether it is left for later.
async fn write(inner: &Inner, worker: Worker, keeper: &Keeper, slot: &Slot, kept: &Kept) -> bool {
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=ATTEMPTS {
        let Err(trouble) = keeper.write(kept).await else {
            inner.books.kept(keeper.place(), Ok(()), None);
            inner.books.succeeded(worker);
            return false;
        };
        let is_last = !trouble.retryable || attempt == ATTEMPTS || inner.is_ending();
        let wait = inner.random.around(pause, 0.2);
        inner.books.kept(keeper.place(), Err(&trouble.text), (!is_last).then_some(wait));
        let next = if is_last { "with the next payload" } else { "soon" };
        tracing::warn!(place = keeper.place(), attempt, error = trouble.text, next, "failed to persist config specs");
        if is_last {
            return trouble.heals;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = inner.ended() => {}
            // A newer one takes its place.
            () = slot.is_filled() => return true,
        }
        pause *= 4;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn kept(time: u64) -> Kept {
        let update = SpecUpdate::new(Vec::new(), SpecSourceKind::Network, 0);
        Kept { update: Arc::new(update), time, format: SpecsFormat::V2, streamed: false, from_delta: false }
    }

    fn is_filled(slot: &Slot) -> bool {
        let polled = std::pin::pin!(slot.is_filled()).poll(&mut Context::from_waker(Waker::noop()));
        polled == Poll::Ready(())
    }

    #[test]
    fn the_newest_waits_and_a_stale_notice_is_none() {
        let slot = Slot::default();
        slot.put(&kept(5));
        slot.put(&kept(4));
        assert!(is_filled(&slot));
        assert_eq!(slot.take().map(|kept| kept.time), Some(5));
        // One from the future gives way to any other.
        let now = 1_790_000_000_000;
        let received = |time| {
            let update = Arc::new(SpecUpdate::new(Vec::new(), SpecSourceKind::Network, now));
            Kept { update, ..kept(time) }
        };
        slot.put(&received(now * 1_000));
        slot.set_shared(&received(now * 1_000), true);
        slot.put(&received(now));
        slot.set_shared(&received(now), true);
        slot.put(&received(now * 1_000));
        assert_eq!((slot.take().map(|kept| kept.time), slot.shared().map(|kept| kept.time)), (Some(now), Some(now)));
        // The notices of both are still there; a document that is being written must not end for them.
        assert!(!is_filled(&slot));
    }

    /// A store that keeps what it is to store, with its version.
    #[cfg(feature = "proto")]
    #[derive(Default)]
    struct Told(Mutex<Vec<StoreEntry>>);

    #[cfg(feature = "proto")]
    #[async_trait::async_trait]
    impl DataStore for Told {
        async fn initialize(&self) -> Result<(), DataStoreError> {
            Ok(())
        }
        async fn shutdown(&self) -> Result<(), DataStoreError> {
            Ok(())
        }
        async fn get(&self, _: &str) -> Result<statsig_core::StoreResponse<String>, DataStoreError> {
            Err(DataStoreError::bytes_not_implemented())
        }
        async fn set(&self, _: &str, _: &str, _: Option<u64>) -> Result<(), DataStoreError> {
            Ok(())
        }
        async fn support_polling_updates_for(&self, _: &StorePath) -> bool {
            false
        }
        async fn put_entry(
            &self,
            _: &str,
            entry: &StoreEntry,
            _: PutMode,
        ) -> Result<statsig_core::PutOutcome, DataStoreError> {
            self.0.lock().unwrap().push(entry.clone());
            Ok(statsig_core::PutOutcome::Written)
        }
    }

    #[cfg(feature = "proto")]
    #[tokio::test]
    async fn the_store_is_told_the_version_of_documents_of_both_forms() {
        use statsig_core::StoreFormat;

        let json = br#"{"has_updates":true,"time":5,"checksum":"a"}"#.to_vec();
        let binary = crate::proto::head::document(5, "a");
        let store = Arc::new(Told::default());
        let writer = StoreWriter::new(store.clone(), &SdkKey::new("secret-k"), KeySchema::Hashed);
        for (document, form) in [(json, StoreFormat::PlainText), (binary, StoreFormat::StatsigBr)] {
            let update = SpecUpdate::new(document, SpecSourceKind::Network, 0).with_format(form);
            writer.write(&Kept { update: Arc::new(update), ..kept(5) }).await.unwrap();
        }
        let versions: Vec<_> = store.0.lock().unwrap().iter().map(|entry| entry.version.clone()).collect();
        assert_eq!(versions, vec![Some(EntryVersion::new(5, Some("a".into()))); 2]);
    }
}
