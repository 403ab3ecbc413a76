//! The spool as its users see it: a lock around the state, and accounts that can be read any time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_background::FileSystem;
use uuid::Uuid;

use super::clock::SpoolClock;
use super::error::SpoolError;
use super::inner::Inner;
use super::options::SpoolOptions;
use super::outage::{SpoolOutage, text_of};
use super::record::{AckOutcome, Receipt, Settled, SpoolRecord, SpooledBatch};
use super::stats::SpoolStats;

/// Batches on disk, in the order in which they came.
///
/// All methods but [`stats`](Self::stats) block on the disk, for as long as an fsync takes, and
/// exclude each other: call them where blocking is allowed. A batch in flight takes no lock.
/// Memory: 32 bytes for each record in a segment, plus what waits for an fsync.
///
/// Dropping the spool closes it, ignoring errors; [`close`](Self::close) reports them.
///
/// ```
/// use std::sync::Arc;
/// use statsig_background::{OsFileSystem, SystemClock, new_uuid_v7};
/// use statsig_logger::spool::{AckOutcome, Encoding, Spool, SpoolClock, SpoolOptions, SpoolRecord};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let options = SpoolOptions::new(folder.path(), "0123456789abcdef");
/// let spool = Spool::open(options, Arc::new(OsFileSystem), Arc::new(SystemClock))?;
/// let receipt = spool.append(&SpoolRecord {
///     id: new_uuid_v7(1_790_000_000_000),
///     created_ms: SystemClock.now_ms(),
///     event_count: 1,
///     encoding: Encoding::Raw,
///     attempts: 0,
///     metadata: None,
///     body: b"[{}]",
/// })?;
/// while let Some(batch) = spool.next_batch()? {
///     assert_eq!(batch.id, receipt.id);
///     spool.ack(batch.id, AckOutcome::Delivered)?;
/// }
/// assert_eq!(spool.stats().delivered.events, 1);
/// # Ok(())
/// # }
/// ```
pub struct Spool {
    options: SpoolOptions,
    slot: Mutex<Slot>,
    stats: Mutex<SpoolStats>,
    outage: Mutex<Option<SpoolOutage>>,
}

/// The state of a spool, or what it takes to open it.
enum Slot {
    Open(Box<Inner>),
    Unopened { fs: Arc<dyn FileSystem>, clock: Arc<dyn SpoolClock>, retry_at_ms: u64 },
    Closed,
}

/// Time between two tries to open a spool.
const RETRY_AFTER: Duration = Duration::from_secs(60);

impl Spool {
    /// Opens the spool of this process and adopts what dead processes left.
    ///
    /// Reads the record headers of all orphaned segments, no bodies. Damage is counted in
    /// [`stats`](Self::stats), not an error.
    ///
    /// # Errors
    /// [`SpoolError::InvalidOptions`]; [`SpoolError::Io`] or [`SpoolError::DiskFull`] if the folder
    /// of this process cannot be created and locked.
    pub fn open(
        options: SpoolOptions,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn SpoolClock>,
    ) -> Result<Self, SpoolError> {
        options.validate()?;
        let inner = Inner::open(options.clone(), fs, clock)?;
        Ok(Self::with_slot(options, Slot::Open(Box::new(inner)), None))
    }

    /// Opens the spool of this process as [`open`](Self::open) does, now or later.
    ///
    /// If the folder cannot be used (full disk, read-only file system, a file in its place), the spool is returned all
    /// the same and holds nothing. Calls then fail with [`SpoolError::Unavailable`], but once a minute a call tries
    /// to open it again; [`maintain`](Self::maintain) is enough for that. [`outage`](Self::outage) says why.
    ///
    /// # Errors
    /// [`SpoolError::InvalidOptions`] only.
    pub fn open_or_retry(
        options: SpoolOptions,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn SpoolClock>,
    ) -> Result<Self, SpoolError> {
        options.validate()?;
        match Inner::open(options.clone(), Arc::clone(&fs), Arc::clone(&clock)) {
            Ok(inner) => Ok(Self::with_slot(options, Slot::Open(Box::new(inner)), None)),
            Err(error) => {
                let retry_at_ms = clock.monotonic_ms().saturating_add(millis(RETRY_AFTER));
                let outage = SpoolOutage { error: text_of(&error), retry_after: RETRY_AFTER };
                Ok(Self::with_slot(options, Slot::Unopened { fs, clock, retry_at_ms }, Some(outage)))
            }
        }
    }

    fn with_slot(options: SpoolOptions, mut slot: Slot, outage: Option<SpoolOutage>) -> Self {
        let stats = match &mut slot {
            Slot::Open(inner) => inner.snapshot(),
            _ => SpoolStats::default(),
        };
        Self { options, slot: Mutex::new(slot), stats: Mutex::new(stats), outage: Mutex::new(outage) }
    }

    /// Returns why the spool is not open; `None` if it is. Never waits for the disk.
    #[must_use]
    pub fn outage(&self) -> Option<SpoolOutage> {
        lock(&self.outage).clone()
    }

    /// Returns the options that it was opened with.
    #[must_use]
    pub fn options(&self) -> &SpoolOptions {
        &self.options
    }

    /// Stores a batch behind all others.
    ///
    /// One write; an fsync if the policy says so. May delete the oldest segment to make room.
    ///
    /// # Errors
    /// Any, and then the batch is not in the spool: the caller keeps it. With
    /// [`is_retryable`](SpoolError::is_retryable) it is worth offering it again later.
    pub fn append(&self, record: &SpoolRecord<'_>) -> Result<Receipt, SpoolError> {
        self.with(|inner| inner.append(record, false))
    }

    /// Stores a batch that the caller is about to deliver itself.
    ///
    /// As [`append`](Self::append), but the batch is in flight at once: `next_batch` does not hand
    /// it out unless it is released. For writing ahead of the first delivery.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`SpoolError::AlreadyInFlight`].
    pub fn append_in_flight(&self, record: &SpoolRecord<'_>) -> Result<Receipt, SpoolError> {
        self.with(|inner| inner.append(record, true))
    }

    /// Hands out the oldest batch that is not in flight, or `None`.
    ///
    /// The batch stays in the spool, in flight, until [`ack`](Self::ack) or
    /// [`release`](Self::release). Damaged and outdated batches met on the way are dropped.
    ///
    /// # Errors
    /// [`SpoolError::Io`] if the batch could not be read. If the medium refuses it, it is kept back for half a minute
    /// and more, and calling again gets on; it is dropped after three failures over two minutes at least. After any
    /// other error (no descriptors, no permission), the same batch is next again. [`SpoolError::Closed`], [`SpoolError::ForeignProcess`].
    pub fn next_batch(&self) -> Result<Option<SpooledBatch>, SpoolError> {
        self.with(Inner::next_batch)
    }

    /// Settles a batch in flight: it will not be handed out again.
    ///
    /// # Errors
    /// [`SpoolError::NotInFlight`] changes nothing. An I/O error means that the note could not be
    /// written: the batch is settled for this process, the note is tried again with later calls,
    /// and only the end of the process before that would let the batch be delivered again. With
    /// [`AckOutcome::Replaced`], [`SpoolError::SyncFailed`] means that the replacements are not
    /// durable; the batch stays in flight then.
    pub fn ack(&self, id: Uuid, outcome: AckOutcome) -> Result<Settled, SpoolError> {
        self.with(|inner| inner.ack(id, outcome))
    }

    /// Puts a batch in flight back to its place in the queue, with one attempt more.
    ///
    /// # Errors
    /// [`SpoolError::NotInFlight`], [`SpoolError::Closed`], [`SpoolError::ForeignProcess`].
    pub fn release(&self, id: Uuid) -> Result<Settled, SpoolError> {
        self.with(|inner| inner.put_back(id, 1))
    }

    /// Puts a batch in flight back to its place in the queue, without counting an attempt.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn put_back(&self, id: Uuid) -> Result<Settled, SpoolError> {
        self.with(|inner| inner.put_back(id, 0))
    }

    /// Forces everything to the disk, whatever the policy.
    ///
    /// When it returns `Ok`, every batch accepted before survives a power failure, and so does
    /// every acknowledgement unless the policy is `Never`. What was adopted is synced too, but if an
    /// fsync of it had failed in the process that died, nobody can know.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`] and other I/O errors if some batches are not durable.
    pub fn sync(&self) -> Result<(), SpoolError> {
        self.with(|inner| {
            let checked = inner.check_files();
            inner.sync().and(checked)
        })
    }

    /// Looks whether somebody has deleted files of the spool: what was in them is counted as dropped, and the folder is
    /// made again. [`maintain`](Self::maintain) does so every 10 seconds, [`sync`](Self::sync) and
    /// [`close`](Self::close) every time.
    ///
    /// # Errors
    /// If the folder or its lock cannot be made.
    pub fn check_files(&self) -> Result<(), SpoolError> {
        self.with(|inner| {
            inner.check_usable()?;
            inner.check_files()
        })
    }

    /// Does what is due: opening, fsync, adoption, age limit, repeating what failed before.
    ///
    /// Call it about as often as the fsync interval, at least once a minute. Cheap when nothing is
    /// due.
    ///
    /// # Errors
    /// The first failure; the other duties have been tried all the same. That the spool is not open is an error only
    /// when opening it was tried.
    pub fn maintain(&self) -> Result<(), SpoolError> {
        match self.with(Inner::maintain) {
            Err(SpoolError::Unavailable { tried: false, .. }) => Ok(()),
            result => result,
        }
    }

    /// Tries whether the disk takes a new segment, if none is being written.
    ///
    /// # Errors
    /// Any of [`append`](Self::append).
    pub fn probe(&self) -> Result<(), SpoolError> {
        self.with(Inner::probe)
    }

    /// Returns the accounts as of the last call that ended. Never waits for the disk.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        *lock(&self.stats)
    }

    /// Syncs (unless the policy is `Never`), gives up the lock, and refuses further calls.
    ///
    /// What is pending stays on disk for the next process, batches in flight included. Nothing is
    /// left behind if nothing is pending. Closing twice is fine.
    ///
    /// # Errors
    /// The failure of the fsync; the spool is closed all the same.
    pub fn close(&self) -> Result<(), SpoolError> {
        let mut slot = lock(&self.slot);
        match &mut *slot {
            Slot::Open(inner) => {
                let result = inner.close();
                *lock(&self.stats) = inner.snapshot();
                result
            }
            unopened => {
                *unopened = Slot::Closed;
                *lock(&self.outage) = None;
                Ok(())
            }
        }
    }

    fn with<T>(&self, call: impl FnOnce(&mut Inner) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        let mut slot = lock(&self.slot);
        let inner = self.opened(&mut slot)?;
        inner.observe_clock();
        let result = call(inner);
        let snapshot = inner.snapshot();
        *lock(&self.stats) = snapshot;
        result
    }

    /// The open state, after another try to open it if that is due.
    fn opened<'s>(&self, slot: &'s mut Slot) -> Result<&'s mut Inner, SpoolError> {
        if let Slot::Unopened { fs, clock, retry_at_ms } = slot {
            let now_ms = clock.monotonic_ms();
            if now_ms < *retry_at_ms {
                let retry_after = Duration::from_millis(*retry_at_ms - now_ms);
                let error = lock(&self.outage).as_ref().map(|outage| outage.error.clone()).unwrap_or_default();
                return Err(SpoolError::Unavailable { error, retry_after, tried: false });
            }
            match Inner::open(self.options.clone(), Arc::clone(fs), Arc::clone(clock)) {
                Ok(inner) => {
                    *slot = Slot::Open(Box::new(inner));
                    *lock(&self.outage) = None;
                }
                Err(error) => {
                    *retry_at_ms = now_ms.saturating_add(millis(RETRY_AFTER));
                    let error = text_of(&error);
                    *lock(&self.outage) = Some(SpoolOutage { error: error.clone(), retry_after: RETRY_AFTER });
                    return Err(SpoolError::Unavailable { error, retry_after: RETRY_AFTER, tried: true });
                }
            }
        }
        match slot {
            Slot::Open(inner) => Ok(inner),
            _ => Err(SpoolError::Closed),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.close();
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A panic in a foreign `FileSystem` must not take the queue down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
