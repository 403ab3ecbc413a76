//! Durability: fsync of the active segment, of acknowledgements and of folders.

use super::error::SpoolError;
use super::inner::Inner;
use super::options::FsyncPolicy;

impl Inner {
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        self.check_usable()?;
        let records = self.sync_records();
        let acks = self.persist_acks(true);
        let dirs = self.sync_dirs();
        records.and(acks).and(dirs)
    }

    /// Makes all accepted batches durable.
    pub(super) fn sync_records(&mut self) -> Result<(), SpoolError> {
        self.rehome_limbo()?;
        self.sync_active()?;
        self.sync_sealed()
    }

    /// Syncs the active segment if the policy asks for it now.
    pub(super) fn sync_if_due(&mut self) -> Result<(), SpoolError> {
        let unsynced = self.writer.as_ref().map_or(0, |writer| writer.len - writer.synced_len);
        let due = match self.options.fsync {
            FsyncPolicy::Never => false,
            FsyncPolicy::EveryBatch => true,
            FsyncPolicy::Interval { every, bytes } => {
                unsynced >= bytes.max(1) || (unsynced > 0 && self.interval_passed(every))
            }
        };
        if due { self.sync_active() } else { Ok(()) }
    }

    /// Says whether an interval has passed since the last fsync. A clock that jumped back counts.
    pub(super) fn interval_passed(&self, every: std::time::Duration) -> bool {
        self.clock.now_ms().checked_sub(self.last_sync_ms).is_none_or(|passed| u128::from(passed) >= every.as_millis())
    }

    /// Syncs the active segment. After a failure its data is moved, or reported as not durable.
    pub(super) fn sync_active(&mut self) -> Result<(), SpoolError> {
        self.last_sync_ms = self.clock.now_ms();
        let Some(key) = self.active() else {
            return Ok(());
        };
        let Some(writer) = self.writer.as_mut() else {
            return Ok(());
        };
        if writer.synced_len == writer.len {
            return Ok(());
        }
        let Err(error) = writer.file.sync() else {
            writer.synced_len = writer.len;
            writer.tail.clear();
            return Ok(());
        };
        self.stats.failed_syncs += 1;
        let path = self.segment(key).map_or_else(|| self.own_dir(), |segment| segment.path.clone());
        if self.syncs() {
            self.abandon_unsynced(key);
            // Moved and synced is as good as synced.
            self.rehome_limbo()
        } else {
            self.seal();
            if let Some(segment) = self.segment_mut(key) {
                segment.unsynced = false;
                segment.tainted = true;
            }
            Err(SpoolError::sync(&path, error))
        }
    }

    /// Syncs segments that were sealed without or left by others, and reports those that failed.
    fn sync_sealed(&mut self) -> Result<(), SpoolError> {
        for key in self.segment_keys() {
            let Some(segment) = self.segment_mut(key) else {
                continue;
            };
            let path = segment.path.clone();
            if segment.unsynced {
                segment.unsynced = false;
                let acks = (segment.ack_len > 0).then(|| segment.ack_path.clone());
                let mut paths = std::iter::once(&path).chain(&acks);
                let synced = paths.try_for_each(|path| self.fs.open(path)?.sync());
                if let Err(error) = synced {
                    self.stats.failed_syncs += 1;
                    if let Some(segment) = self.segment_mut(key) {
                        segment.tainted = true;
                    }
                    return Err(SpoolError::sync(&path, error));
                }
            } else if segment.tainted && segment.has_open() {
                let error = std::io::Error::other("an earlier fsync of it failed");
                return Err(SpoolError::sync(&path, error));
            }
        }
        Ok(())
    }
}
