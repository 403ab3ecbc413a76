//! The spool as its users see it: a lock around the state, and accounts that can be read any time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::clock::SpoolClock;
use super::error::SpoolError;
use super::fs::SpoolFs;
use super::inner::Inner;
use super::options::SpoolOptions;
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
/// use statsig_logger::spool::{
///     AckOutcome, Encoding, OsFs, Spool, SpoolClock, SpoolOptions, SpoolRecord, SystemClock,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let options = SpoolOptions::new(folder.path(), "0123456789abcdef");
/// let spool = Spool::open(options, Arc::new(OsFs), Arc::new(SystemClock))?;
/// let receipt = spool.append(&SpoolRecord {
///     id: uuid::Uuid::now_v7(),
///     created_ms: SystemClock.now_ms(),
///     event_count: 1,
///     encoding: Encoding::Raw,
///     attempts: 0,
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
    inner: Mutex<Inner>,
    stats: Mutex<SpoolStats>,
}

impl Spool {
    /// Opens the spool of this process and adopts what dead processes left.
    ///
    /// Reads the record headers of all orphaned segments, no bodies. Damage is counted in
    /// [`stats`](Self::stats), not an error.
    ///
    /// # Errors
    /// [`SpoolError::InvalidOptions`]; [`SpoolError::Io`] or [`SpoolError::DiskFull`] if the folder
    /// of this process cannot be created and locked.
    pub fn open(options: SpoolOptions, fs: Arc<dyn SpoolFs>, clock: Arc<dyn SpoolClock>) -> Result<Self, SpoolError> {
        options.validate()?;
        let mut inner = Inner::open(options.clone(), fs, clock)?;
        let stats = inner.snapshot();
        Ok(Self { options, inner: Mutex::new(inner), stats: Mutex::new(stats) })
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
    /// [`SpoolError::Io`] if the batch could not be read; the third time it is dropped, so calling
    /// again gets on. [`SpoolError::Closed`], [`SpoolError::ForeignProcess`].
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
        self.with(Inner::sync)
    }

    /// Does what is due: fsync, adoption, age limit, repeating what failed before.
    ///
    /// Call it about as often as the fsync interval, at least once a minute. Cheap when nothing is
    /// due.
    ///
    /// # Errors
    /// The first failure; the other duties have been tried all the same.
    pub fn maintain(&self) -> Result<(), SpoolError> {
        self.with(Inner::maintain)
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
        self.with(Inner::close)
    }

    fn with<T>(&self, call: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = lock(&self.inner);
        let result = call(&mut inner);
        let snapshot = inner.snapshot();
        *lock(&self.stats) = snapshot;
        result
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

/// A panic in a foreign `SpoolFs` must not take the queue down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
